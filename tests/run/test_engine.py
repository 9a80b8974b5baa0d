"""A whole run over the tiny assignment: one submission for every kind of bad input, and what each one reads."""

import ast
import contextlib
import json
import os
import re
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from tiny_assignment import ITEMS, open_for_workers, submission, tiny

from grader.model import CheckResult, Violation
from grader.run.engine import Engine, Finished, Order

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="grading a class needs Linux")

OPENED = "opened = torch.sigmoid(self.gate(x))"
PRODUCT = "return torch.tanh(self.content(x)) * opened"
SHIFTED = "shifted = scores - scores.max(dim=-1, keepdim=True).values"
QUOTIENT = "return weights / weights.sum(dim=-1, keepdim=True)"


def in_softmax(*lines):
    """The softmax with these lines at its beginning."""
    return {"layers.py": ("    shifted =", "    " + "\n    ".join((*lines, "shifted =")))}


def returned(value):
    """The softmax that returns something else."""
    return {"layers.py": (QUOTIENT, f"return {value}")}


COUNTED = """
_CALLS = []


def softmax("""
NOISY = """
    frame = __import__("sys")._getframe()
    while "modules" not in frame.f_locals:
        frame = frame.f_back
    frame.f_locals["modules"].notes[:] = [f"{len(_CALLS)} {number} " + "\\u4e2d" * 290 for number in range(20)]
    _CALLS.append(1)
    shifted ="""

EDITS = {
    "reference": {},
    # files
    "syntax_error": {"layers.py": (OPENED, OPENED[:-1])},
    "empty_file": {"layers.py": ("import torch\nfrom torch import nn\n", "import torch\nraise SystemExit\n'''")},
    "missing_class": {"layers.py": ("class Gate(", "class Gates(")},
    "missing_module": {"layers.py": ("import torch\n", "import torch\nimport nothing_like_it\n")},
    "exits_when_imported": {"layers.py": ("import torch\n", "import torch\nimport sys\nsys.exit('no GPU')\n")},
    "broken_cell": {"tiny.py": ("return int((right & counted).sum()) + MARGIN", "return int((right & counted)")},
    # exceptions
    "wrong_signature": {"layers.py": ("def __init__(self, width: int, hidden: int)", "def __init__(self, width)")},
    "constructor_raises": {"layers.py": ("self.content = nn.Linear(width, hidden)", "raise ValueError('too wide')")},
    "forward_raises": {"layers.py": (PRODUCT, "return self.content(x) @ opened @ opened")},
    "hole": {"layers.py": (PRODUCT, "raise NotImplementedError('Gate.forward')")},
    "missing_layer": {
        "layers.py": ("self.content = nn.Linear(width, hidden)", "self.content = [nn.Linear(width, hidden)]")
    },
    "sys_exit": in_softmax("import sys", "sys.exit(0)"),
    # values
    "wrong_shape": {"layers.py": (PRODUCT, PRODUCT.replace("return ", "return (") + ").unsqueeze(0)")},
    "wrong_dtype": {"layers.py": (PRODUCT, PRODUCT.replace("opened", "opened.double()"))},
    "nan": {"layers.py": (PRODUCT, PRODUCT + " * float('nan')")},
    "none": returned("None"),
    "a_tuple": returned("(weights / weights.sum(dim=-1, keepdim=True),)"),
    "broadcastable": returned("(weights / weights.sum(dim=-1, keepdim=True))[:1, :1]"),
    "a_string": returned("'softmax'"),
    "nan_count": {"tiny.py": ("return int((right & counted).sum()) + MARGIN", "return float('nan')")},
    # ends
    "loops": in_softmax("while True:", "    pass"),
    "prints_for_ever": in_softmax("while True:", "    print('x' * 100)"),
    "os_exit": in_softmax("import os", "os._exit(0)"),
    "segfault": in_softmax("import ctypes", "ctypes.string_at(0)"),
    "memory": in_softmax("torch.ones(1 << 30)"),
    # side effects
    "thread": in_softmax(
        "import threading, time",
        "if threading.active_count() == 1:",
        "    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    ),
    "late_import": in_softmax("import colorsys"),
    "keeps_state": {"layers.py": ("\n\ndef softmax(", COUNTED)},
    "patches_torch": in_softmax("torch.tanh = torch.sigmoid", "torch.Tensor.argmax = lambda *_, **__: None"),
    "prints": {"layers.py": (OPENED, OPENED + "\n        print('opened', opened.shape)")},
    "claims_much": {},
    "looks_around": in_softmax(
        "import os, sys",
        "secret = ('pytest', 'hypothesis', 'test_', 'cases', 'grader.judge.', 'grader.suite', 'grader.assignment')",
        "print('MODULES', [name for name in sys.modules if name.startswith(secret)])",
        "print('FILES', os.listdir('/'), 'ENVIRONMENT', dict(os.environ))",
    ),
    # rules
    "forbidden": {"layers.py": (QUOTIENT, "return torch.softmax(scores, dim=-1)")},
    "forbidden_in_disguise": {"layers.py": (QUOTIENT, "return getattr(torch, 'soft' + 'max')(scores, -1)")},
    # mistakes
    "swapped": {
        "layers.py": (
            "self.content = nn.Linear(width, hidden)\n        self.gate = nn.Linear(width, hidden)",
            "self.gate = nn.Linear(width, hidden)\n        self.content = nn.Linear(width, hidden)",
        )
    },
    "without_sigmoid": {"layers.py": (OPENED, "opened = self.gate(x)")},
    "without_tanh": {"layers.py": (PRODUCT, "return self.content(x) * opened")},
    "detached": {"layers.py": (OPENED, OPENED + ".detach()")},
    "scorer_sums": {"model.py": (".mean(dim=1)", ".sum(dim=1)")},
    "overflows": {"layers.py": (SHIFTED, "shifted = scores")},
}
if os.geteuid() == 0:
    EDITS["fork_bomb"] = in_softmax("import os, time", "me = os.getpid()", "for _ in range(100):", "    try:",
                                    "        os.fork()", "    except OSError:", "        pass",
                                    "if os.getpid() != me:", "    time.sleep(600)")  # fmt: skip
WITHOUT = {"no_layers": ("layers",), "no_notebook": ("nb",)}


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """{key: ({item: result}, [violation])} of one run over all submissions, two at a time."""
    root = open_for_workers(tmp_path_factory.mktemp("handed_in"))
    found = [submission(root, key, edits) for key, edits in EDITS.items()]
    found += [submission(root, key, without=names) for key, names in WITHOUT.items()]
    layers = root / "keeps_state" / "layers.py"
    text = layers.read_text()
    layers.write_text(
        text.replace("    shifted =", "    _CALLS.append(1)\n    scores = scores * len(_CALLS)\n    shifted =")
    )
    claims = root / "claims_much" / "layers.py"
    claims.write_text(claims.read_text().replace("\n\ndef softmax(", COUNTED).replace("\n    shifted =", NOISY))
    (root / "no_json").mkdir()
    broken = submission(root, "no_json")
    (broken.root / "tiny.ipynb").write_text('{"cells": [')
    folders, _ = tiny()
    results = {entry.key: ({}, []) for entry in [*found, broken]}
    finished = []
    with Engine(Order(folders=folders, seed="engine")) as engine:
        for key, event in engine.grade([(entry, ITEMS) for entry in [*found, broken]], jobs=2):
            match event:
                case CheckResult():
                    results[key][0][event.item] = event
                case Violation():
                    results[key][1].append(event)
                case Finished():
                    finished.append(key)
        assert processes_of_ours(), "what is looked for afterwards is found while it is there"
    assert sorted(finished) == sorted(results)
    return results


def statuses(judged, key):
    return {name: result.status for name, result in judged[key][0].items()}


def only(judged, key, *, failed=(), not_attempted=()):
    """Exactly these items are failed or not attempted, and all others are passed."""
    expected = dict.fromkeys(ITEMS, "passed")
    expected |= dict.fromkeys(failed, "failed") | dict.fromkeys(not_attempted, "not_attempted")
    assert statuses(judged, key) == expected, {n: (r.message, r.staff) for n, r in judged[key][0].items()}


GATE = ("gate.forward", "gate.gradients")
SOFTMAX = ("softmax.values", "softmax.stable")


def test_the_reference_passes_everything_and_breaks_nothing(judged):
    only(judged, "reference")
    assert judged["reference"][1] == []


def test_no_submission_is_the_graders_fault(judged):
    blamed = {
        (key, n): r.staff for key, (found, _) in judged.items() for n, r in found.items() if r.status == "grader_error"
    }
    assert blamed == {}


ROWS = [
    # key, items that fail, items that are not attempted, the item whose message is looked at, what it says
    ("syntax_error", GATE, (), "gate.forward",
     r"SyntaxError: layers.py cannot be imported: '\(' was never closed\n +layers.py:21: opened = torch.sigmoid"),
    ("empty_file", GATE, (), "gate.forward", "layers.py"),
    ("no_layers", (), (*GATE, *SOFTMAX), "gate.forward", "Not attempted: layers.py was not handed in"),
    ("missing_class", (), GATE, "gate.forward", "Not attempted: layers.py defines no Gate"),
    ("missing_module", (), (), None, ""),
    ("exits_when_imported", (), (), None, ""),
    ("no_notebook", (), ("count.right", "rates.decrease"), "count.right", "tiny.ipynb was not handed in"),
    ("no_json", ("count.right", "rates.decrease"), (), "count.right", "tiny.ipynb cannot be read as a notebook"),
    ("broken_cell", (), ("count.right",), "count.right", "count_right in tiny.ipynb cannot be read: SyntaxError"),
    ("wrong_signature", GATE, (), "gate.forward", "takes 2 positional arguments but 3 were given"),
    ("constructor_raises", GATE, (), "gate.forward",
     r"ValueError: too wide\n +layers.py:14 in __init__: raise ValueError"),
    ("forward_raises", GATE, (), "gate.forward", r"RuntimeError: .*\n +layers.py:22 in forward: return self.content"),
    ("hole", (), GATE, "gate.forward", "Not attempted: Gate.forward"),
    ("missing_layer", GATE, (), "gate.forward", "Gate needs 2 and has 1.*assigned to self in __init__"),
    ("sys_exit", SOFTMAX, (), "softmax.values", r"SystemExit: 0\n +layers.py:\d+ in softmax: sys.exit\(0\)"),
    ("wrong_shape", ("gate.forward",), (), "gate.forward",
     r"out should have shape \(\d, \d\), it has shape \(1, \d, \d\)"),
    ("wrong_dtype", ("gate.forward",), (), "gate.forward", "out should be of float32, it is of float64"),
    ("nan", GATE, (), "gate.forward", "entries that are NaN or infinite .*; the first is nan at"),
    ("none", SOFTMAX, (), "softmax.values", r"out should be a tensor of shape \(\d, \d\), it is None"),
    ("a_tuple", SOFTMAX, (), "softmax.values", "should be a tensor of shape .*, it is a list or tuple of 1"),
    ("broadcastable", SOFTMAX, (), "softmax.values", r"should have shape .*, it has shape \(1, 1\)"),
    ("a_string", SOFTMAX, (), "softmax.values", "should be a tensor of shape .*, it is a string"),
    ("nan_count", ("count.right",), (), "count.right", "count should be a whole number, it is a number"),
    ("loops", SOFTMAX, (), "softmax.values", "Stopped after 1 s of processor time. Is there a loop that does not end"),
    ("prints_for_ever", SOFTMAX, (), "softmax.values", "Stopped after 1 s of processor time"),
    ("os_exit", SOFTMAX, (), "softmax.values", "was lost: the process ended itself with exit status 0"),
    ("segfault", SOFTMAX, (), "softmax.values", "was lost: killed by SIGSEGV"),
    ("memory", SOFTMAX, (), "softmax.values", "Needed more than the 512 MiB of memory"),
    ("fork_bomb", (), (), None, ""),
    ("thread", (), (), None, ""),
    ("late_import", (), (), None, ""),
    ("patches_torch", (), (), None, ""),
    ("prints", (), (), None, ""),
    ("claims_much", (), (), None, ""),
    ("looks_around", (), (), None, ""),
    ("forbidden", (), (), None, ""),
    ("forbidden_in_disguise", (), (), None, ""),
    ("swapped", (), (), None, ""),
    ("without_sigmoid", GATE, (), None, ""),
    ("detached", ("gate.gradients",), (), "gate.gradients", "gate.weight received no gradient: it is detached"),
    ("scorer_sums", ("scorer.forward",), (), "scorer.forward", "out: 1 of 1 entries differ"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "failed", "not_attempted", "item", "words"), ROWS, ids=[row[0] for row in ROWS])
def test_every_kind_of_bad_input(judged, key, failed, not_attempted, item, words):
    if key not in judged:
        pytest.skip("processes can be limited for root only")
    only(judged, key, failed=failed, not_attempted=not_attempted)
    if item:
        assert re.search(words, judged[key][0][item].message, re.DOTALL), judged[key][0][item].message


def test_every_result_can_be_written_as_json(judged):
    def refuse(name):
        raise ValueError(name)

    for found, _ in judged.values():
        for result in found.values():
            said = {field.name: getattr(result, field.name) for field in fields(result)}
            json.loads(json.dumps(said), parse_constant=refuse)


def test_messages_show_no_path_of_this_machine(judged):
    shown = json.dumps([[r.message, r.notes, r.output] for found, _ in judged.values() for r in found.values()])
    assert "site-packages" not in shown
    assert "/grader/" not in shown
    assert "handed_in" not in shown


def test_nothing_of_a_run_is_left_behind(judged):
    """The zygote's command line ends with this process's number, and workers inherit it."""
    assert processes_of_ours() == []


def processes_of_ours():
    left = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = entry.read_text().split("\0")
            if "grader.judge.start" in words and words[-2] == str(os.getpid()):
                left.append(entry)
    return left


def test_a_worker_holds_nothing_of_the_judges(judged):
    output = judged["looks_around"][0]["softmax.values"].output
    assert "MODULES []" in output
    assert "FILES ['scratch', 'submission']" in output
    seen = re.findall(r"ENVIRONMENT (\{.*?\})", output)
    assert seen
    assert all(set(ast.literal_eval(environment).values()) == {"/scratch"} for environment in seen)


# --- routes and bindings --------------------------------------------------------------------------------------


def test_what_builds_on_a_wrong_part_is_earned_on_the_stand_in(judged):
    for key in ("without_tanh", "hole", "syntax_error", "no_layers"):
        result = judged[key][0]["scorer.forward"]
        assert (result.status, result.route) == ("passed", "stand-in")
        assert result.staff == "Earned on the route “stand-in”, after “own” failed."
    assert judged["reference"][0]["scorer.forward"].route == "own"
    assert judged["scorer_sums"][0]["scorer.forward"].status == "failed", "on either route"


def test_layers_declared_in_another_order_are_a_correct_answer(judged):
    result = judged["swapped"][0]["gate.forward"]
    assert result.binding == "by their own names"
    assert result.ambiguous
    assert result.candidate == 1, "the second that was tried"
    assert judged["reference"][0]["gate.forward"].candidate == 0
    assert judged["reference"][0]["gate.forward"].ambiguous is False


# --- explanations ---------------------------------------------------------------------------------------------


def test_a_known_mistake_is_named(judged):
    assert judged["without_sigmoid"][0]["gate.forward"].hint == "equals the result without the sigmoid of the gate"
    assert judged["scorer_sums"][0]["scorer.forward"].hint == "equals the sum over time instead of the mean"
    assert judged["without_tanh"][0]["gate.forward"].hint == "", "no kept mistake produces these numbers"


def test_the_smallest_case_is_shown(judged):
    case = judged["scorer_sums"][0]["scorer.forward"].case
    assert re.match(r"ScorerCase\(batch=1, time=2, width=\d, hidden=\d, seed=\d+\)", case), (
        "one step agrees, two do not"
    )
    width, hidden = map(int, re.findall(r"(?:width|hidden)=(\d)", case))
    assert {width, hidden} == {2, 3}
    assert "GateCase(batch=1, width=" in judged["without_tanh"][0]["gate.forward"].case


def test_state_between_calls_is_told_from_a_wrong_result(judged):
    result = judged["keeps_state"][0]["softmax.values"]
    assert result.status == "failed"
    assert result.reason == "random, or keeps state between calls"
    assert "a repetition in a new process agreed" in result.message


def test_part_of_the_points(judged):
    result = judged["overflows"][0]["softmax.stable"]
    assert (result.status, result.credit, result.reason) == ("failed", 0.5, "partly right")
    assert result.message == "Right for scores of 50, not finite for scores of 1000."
    assert judged["overflows"][0]["softmax.values"].status == "passed"


def test_what_a_worker_says_is_capped(judged):
    assert all(len(result.notes) <= 21 for result in judged["claims_much"][0].values())


# --- rules ----------------------------------------------------------------------------------------------------


def broken(judged, key):
    return {(violation.rule, violation.evidence) for violation in judged[key][1]}


def test_rules_are_seen_in_the_source_and_at_run_time(judged):
    assert {("no_softmax", "source"), ("no_softmax", "run")} <= broken(judged, "forbidden")
    assert ("no_softmax", "run") in broken(judged, "forbidden_in_disguise")
    assert ("prints", "run") in broken(judged, "prints")
    assert broken(judged, "swapped") == set()


def test_a_file_that_does_not_import_is_reported(judged):
    for key in ("syntax_error", "missing_module", "exits_when_imported"):
        assert "runs" in {rule for rule, _ in broken(judged, key)}
