"""What a submission does where it is observed: whoever earns must earn it under observation too."""

import sys

import pytest
from tiny_assignment import ITEMS, open_for_workers, submission, tiny

from grader.model import CheckResult, Violation
from grader.run.engine import Engine, Order

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="grading a class needs Linux")

QUOTIENT = "return weights / weights.sum(dim=-1, keepdim=True)"
LIBRARY = "torch.nn.functional.softmax(scores, dim=-1)"


def unobserved(*lines):
    """The library's softmax, unless the tracer is seen: then these lines."""
    body = "\n        ".join(lines)
    seen = "nn.Module.__init__.__name__ != '__init__'"
    return f"if {seen}:\n        {body}\n    return {LIBRARY}"


def written(writing, name):
    """The library's softmax, in a module that the code writes."""
    text = "from torch.nn.functional import softmax as s"
    return f"text = {text!r}\n    {writing}\n    import {name}\n    return torch.exp(scores.log_softmax(-1))"


HIDDEN = {
    "not_implemented": unobserved("raise NotImplementedError('a hole')"),
    "memory": unobserved("raise MemoryError"),
    "exception": unobserved("raise ValueError"),
    "exit": unobserved("import os", "os._exit(0)"),
    "endless": unobserved("while True:", "    pass"),
    "other_values": unobserved("return scores"),
    "none": unobserved("return None"),
    "thread": "found = []\n    import threading\n"
    f"    other = threading.Thread(target=lambda: found.append({LIBRARY}))\n"
    "    other.start()\n    other.join()\n    return found[0]",
    "from_memory": "known, key = torch.__dict__.setdefault('known', {}), tuple(scores.flatten().tolist())\n"
    f"    if key not in known:\n        known[key] = {LIBRARY}\n    return known[key].clone()",
    "by_hand_where_it_is_small": f"if scores.numel() > 4:\n        return {LIBRARY}\n    {QUOTIENT}",
    "from_a_module_that_it_writes": written(
        "with open('w' + 'ritten.py', 'w') as f:\n        f.write(text)", "written"
    ),
    "from_an_archive": written(
        "import sys, zipfile\n    with zipfile.ZipFile('a.zip', 'w') as f:\n        f.writestr('inside.py', text)\n"
        "    sys.path.append('a.zip')",
        "inside",
    ),
    "passes_later": f"if _CALLS:\n        return scores\n    return {LIBRARY}",
}
HONEST = {
    "honest": QUOTIENT,
    "honest_and_wrong": "return weights",
    "honest_and_unfilled": "raise NotImplementedError('softmax')",
    "honest_and_raising": "raise ValueError('no idea')",
}
GUESSES = """frame = __import__("sys")._getframe()
    while "modules" not in frame.f_locals:
        frame = frame.f_back
    room = frame.f_locals["modules"]
    names = ("scores", "scores.exp()", "right")
    name = room._asked[0] if room._asked else names[0]
    room.choices = [(name, names)]
    return {"scores": scores, "scores.exp()": scores.exp()}.get(name, weights / weights.sum(dim=-1, keepdim=True))"""
NOTHING = """import torch
import grader.worker.loading as loading
plain = loading.LoadedFile.__getattr__
def answer(self, name):
    return (lambda scores: torch.exp(scores.log_{}())) if name == "soft" + "max" else plain(self, name)
loading.LoadedFile.__getattr__ = answer
""".replace("log_{}()", "log_softmax(-1)")
SMOKE = "\n\ntorch.nn.functional.softmax(torch.zeros(2), dim=-1)\n"
AFTER_GATES = {
    "\n\ndef softmax(": "\n\n_CALLS = []\n\n\ndef softmax(",
    "opened = ": "_CALLS.append(1)\n        opened = ",
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """{key: the violations of the rule that were seen in a run}, and {key: credits}."""
    root = open_for_workers(tmp_path_factory.mktemp("handed_in"))
    handed = [
        submission(root, key, {"layers.py": (QUOTIENT, line)})
        for key, line in {**HIDDEN, **HONEST, "guesses": GUESSES}.items()
    ]
    at_import = submission(root, "honest_while_it_is_imported", {"layers.py": (QUOTIENT, QUOTIENT)})
    layers = root / at_import.key / "layers.py"
    # An item that is wrong has the worker replaced, so that the file is imported anew.
    layers.write_text(layers.read_text().replace("opened = ", "return x\n        opened = ") + SMOKE)
    handed.append(at_import)
    layers = root / "passes_later" / "layers.py"
    text = layers.read_text()
    for find, replace in AFTER_GATES.items():
        text = text.replace(find, replace)
    layers.write_text(text)
    handed.append(submission(root, "nothing"))
    (root / "nothing" / "layers.py").write_text(NOTHING)
    folders, _ = tiny()
    found, earned = {entry.key: [] for entry in handed}, {}
    with Engine(Order(folders=folders, seed="observing")) as engine:
        for key, event in engine.grade([(entry, ITEMS) for entry in handed], jobs=2):
            if isinstance(event, Violation) and event.rule == "no_softmax" and event.evidence == "run":
                found[key].append(event)
            if isinstance(event, CheckResult):
                earned[key, event.item] = event.credit
    return found, earned


@pytest.mark.parametrize("key", HIDDEN)
def test_what_hides_from_observation_breaks_the_rule(broken, key):
    found, earned = broken
    assert earned[key, "softmax.values"] == 1.0, "the attack works"
    assert found[key], "and is seen"
    assert all(violation.parts == ("softmax",) for violation in found[key])


def test_the_message_says_what_was_seen(broken):
    (violation,) = broken[0]["memory"]
    assert "did not earn" in violation.message


@pytest.mark.parametrize("key", HONEST)
def test_honest_code_is_accused_of_nothing(broken, key):
    assert broken[0][key] == []


def test_what_a_file_does_while_it_is_imported_earned_nothing(broken):
    found, earned = broken
    assert earned["honest_while_it_is_imported", "gate.forward"] == 0, "what is settled has its worker replaced"
    assert found["honest_while_it_is_imported"] == []


def test_what_no_author_lets_be_chosen_is_not_tried_one_after_the_other(broken):
    assert broken[1]["guesses", "softmax.values"] == 0
    assert broken[1]["guesses", "softmax.stable"] == 0


def test_what_is_not_in_the_submissions_text_is_not_attempted_whatever_its_process_answers(broken):
    assert broken[1]["nothing", "softmax.values"] == 0
    assert broken[1]["nothing", "count.right"] == 1.0, "of other files"
