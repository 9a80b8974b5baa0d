"""Readings that a test declares, and bindings that are the same on every case: what passes, what is said if not."""

import inspect
from collections import Counter
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from grader.assignment.assignment import Limits
from grader.judge.reference_run import Recorded, _drawing
from grader.judge.replay import Replay
from grader.judge.settling import Doubt
from grader.judge.sides import Book, Desk, ReferenceSide, StudentSide
from grader.sandbox.base import parse_answer
from grader.suite import assert_agrees, item, partial, routes
from grader.suite.marks import PLAIN, READINGS, ROUTES
from grader.wire.frames import WORKER_CAPS, encode, restore
from grader.worker.capture import Capture
from grader.worker.loading import FileSpec, Modules
from grader.worker.ownership import StudentFiles
from grader.worker.running import Work, perform

LIMITS = Limits(wall_seconds=100.0, cpu_seconds=100.0, memory_mib=512, output_kib=64)
ROWS = [torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 6.0]), torch.tensor([5.0, 5.0, 8.0, 9.0])]
REFERENCE = "def value(x):\n    return x.sum()\ndef pair(x, form=None):\n    return x[0], x[-1]\n"
WAYS = {"summed": {}, "averaged": {"how": "mean"}, "the greatest": {"how": "max"}}


def value(modules, x, how=""):
    return {"out": getattr(x, how)() if how else modules["m"].value(x)}


def pair(modules, x):
    """Two of its entries, in either order."""
    first, second = modules["m"].pair(x)
    turned = modules.choose([("first, last", False), ("last, first", True)])
    return {"out": torch.stack((second, first) if turned else (first, second))}


def kind(modules, x, how=""):
    """A word, under another reading than the reference's own."""
    return {"out": "x" if how else modules["m"].value(x)}


PROBES = {probe.__name__: probe for probe in (value, pair, kind)}


class Plugin:
    """What a replay needs of pytest."""

    def __init__(self, test):
        self._test = test
        self.assignment = SimpleNamespace(limits_of=lambda _: LIMITS)

    @contextmanager
    def staged(self, stage):
        self._stage = stage
        yield

    def run(self, item_id, *, log):
        known = {"student": self._stage.student, "reference": self._stage.reference, "reading": {}, "route": ""}
        wanted = inspect.signature(self._test).parameters
        self._stage.perform(SimpleNamespace(obj=self._test), {k: v for k, v in known.items() if k in wanted})
        return ""


@pytest.fixture
def judged(tmp_path):
    """judged(test, the submission's text, rows) -> (result, how often each probe ran on the submission, the book)."""

    def side(name, text):
        (tmp_path / name).mkdir()
        (tmp_path / name / "m.py").write_text(text)
        return Modules(tmp_path / name, [FileSpec(id="m", path="m.py", expected="m.py")])

    def judge(test, text, rows=ROWS):
        book, asked = Book(), Counter()
        reference = ReferenceSide(side("reference", REFERENCE), book, PROBES)
        submission, files = side("submission", text), StudentFiles(str(tmp_path / "submission"))

        def ask(request, limits, wall=None):
            tree = restore(request, WORKER_CAPS)
            arguments = {**tree["inputs"], **tree["options"]}
            asked[tree["probe"]] += 1
            work = Work(probe=tree["probe"], arguments=arguments, binding=tuple(tree["binding"]), seed=tree["seed"])
            answer = perform(work, PROBES, submission, Capture(files), files)
            return parse_answer(restore(encode(answer), WORKER_CAPS), limits)

        recorded = Recorded(
            SimpleNamespace(id="item"), getattr(test, ROUTES, ("",)), getattr(test, READINGS, PLAIN), "A sentence."
        )
        for row in rows:
            names = {"student", "reference", "reading", "route"} & set(inspect.signature(test).parameters)
            fixtures = dict.fromkeys(names, reference)
            play = _drawing(recorded, reference, "s")
            play(SimpleNamespace(obj=lambda case=row, **given: test(case=case, **given)), fixtures)
        recorded.cases = [{"case": row} for row in rows]
        book.keep()
        desk = Desk(ask, None, LIMITS)
        look = Replay(Plugin(test), reference, StudentSide(desk, book), desk, None).look(recorded)
        return Doubt(recorded, look, fair=True).as_it_is(), asked, book

    return judge


def by_row(case):
    return {"x": case}


@item("item", readings=WAYS)
def agrees(student, reference, reading, case):
    """A sentence."""
    assert_agrees(student.run(value, by_row(case)), reference.run(value, by_row(case), **reading))


@pytest.mark.parametrize(
    ("text", "noted"),
    [("x.sum()", ""), ("x.mean()", "averaged"), ("x.max()", "the greatest")],
)
def test_any_declared_reading_passes_and_a_later_one_is_noted(judged, text, noted):
    result, asked, book = judged(agrees, f"def value(x):\n    return {text}\n")
    assert (result.status, result.binding) == ("passed", noted)
    assert list(result.notes) == ([f"Right under this reading: {noted}."] if noted else [])
    assert asked == {"value": len(ROWS)}, "the submission is asked once per case"
    assert len(book.calls) == len(ROWS) * len(WAYS), "nothing was asked of the reference that was not recorded"


@pytest.mark.parametrize(("text", "compared"), [("x.sum()", 3), ("x.max()", 1 + 3 + 1 + 1)])
def test_other_readings_are_compared_only_where_the_first_does_not_do(judged, text, compared):
    bodies = []

    @item("item", readings=WAYS)
    def counted(student, reference, reading, case):
        actual, expected = student.run(value, by_row(case)), reference.run(value, by_row(case), **reading)
        bodies.append(reading)
        assert_agrees(actual, expected)

    recorded = len(WAYS) * len(ROWS)  # the reference plays them all
    assert judged(counted, f"def value(x):\n    return {text}\n")[0].status == "passed"
    assert len(bodies) - recorded == compared


def test_the_same_reading_has_to_agree_on_every_case(judged):
    text = "def value(x):\n    return x.sum() if len(x) == 3 else x.mean()\n"
    result, _, book = judged(agrees, text)
    assert result.status == "failed"
    assert "21" not in result.message
    assert len(book.calls) == len(ROWS) * len(WAYS)


def test_the_message_is_of_the_reading_that_comes_closest(judged):
    text = "def value(x):\n    return x.mean() + (len(x) == 4) * 0.5\n"
    result, _, _ = judged(agrees, text)
    assert "should be 6.75" in result.message, "averages agreed on all cases but the last"


def test_a_submission_without_values_ends_every_reading(judged):
    result, asked, _ = judged(agrees, "def value(x):\n    y = x + 1\n    raise ValueError(y)\n")
    assert (result.status, result.reason) == ("failed", "ValueError")
    assert asked["value"] <= len(ROWS) + 1


def test_values_of_another_kind_than_the_references_own_reading_may_be_right(judged):
    @item("item", readings=WAYS)
    def kinds(student, reference, reading, case):
        assert_agrees(student.run(kind, by_row(case)), reference.run(kind, by_row(case), **reading))

    result, _, _ = judged(kinds, "def value(x):\n    x = x + 1\n    return 'x'\n")
    assert (result.status, result.binding) == ("passed", "averaged")


def test_a_test_that_stumbles_over_another_kind_is_no_grader_error(judged):
    @item("item", readings=WAYS)
    def stumbles(student, reference, reading, case):
        reference.run(value, by_row(case), **reading)
        student.run(value, by_row(case))["out"].abs()

    result, _, _ = judged(stumbles, "def value(x):\n    x = x + 1\n    return 'x'\n")
    assert (result.status, result.reason) == ("failed", "wrong type")


def test_a_call_made_twice_is_answered_twice(judged):
    @item("item", readings=WAYS)
    def twice(student, reference, reading, case):
        first, second = (student.run(value, by_row(case)) for _ in range(2))
        assert_agrees(second["out"] - first["out"], torch.zeros(()))
        assert_agrees(first, reference.run(value, by_row(case), **reading))

    counting = "calls = [0]\ndef value(x):\n    calls[0] += 1\n    return x.mean() + calls[0]\n"
    assert judged(twice, counting)[0].status == "failed"


def test_readings_and_parts_of_the_credit_go_together(judged):
    @item("item", readings=WAYS)
    def partly(student, reference, reading, case):
        assert_agrees(student.run(value, by_row(case)), reference.run(value, by_row(case), **reading))
        if reading:
            partial(0.5, "Half of it.")

    result, _, _ = judged(partly, "def value(x):\n    return x.mean()\n")
    assert (result.status, result.credit, result.binding) == ("failed", 0.5, "averaged")


def test_routes_and_readings_are_tried_together(judged):
    @item("item", readings=WAYS)
    @routes("a", "b")
    def routed(student, reference, reading, route, case):
        if route == "a":
            assert_agrees(student.run(pair, by_row(case)), reference.run(pair, by_row(case)))
        assert_agrees(student.run(value, by_row(case)), reference.run(value, by_row(case), **reading))

    result, _, _ = judged(routed, "def value(x):\n    return x.max()\n")
    assert (result.status, result.route, result.binding) == ("passed", "b", "the greatest")


def test_the_first_reading_is_the_references_own():
    with pytest.raises(ValueError, match="reference's own"):
        item("item", readings={"averaged": {"how": "mean"}})


# --- bindings -----------------------------------------------------------------------------------------------------


@item("item")
def pairs(student, reference, case):
    """A sentence."""
    assert_agrees(student.run(pair, by_row(case)), reference.run(pair, by_row(case)))


def test_a_binding_is_the_same_on_every_case(judged):
    result, _, _ = judged(pairs, "def pair(x):\n    return x[-1], x[0]\n")
    assert (result.status, result.binding) == ("passed", "last, first")
    assert result.notes == ("Right under this reading: last, first.",)


def test_a_binding_that_changes_between_cases_is_none(judged):
    mixed = "def pair(x):\n    return (x[-1], x[0]) if len(x) == 2 else (x[0], x[-1])\n"
    assert judged(pairs, mixed)[0].status == "failed"


FORMS = """
def pair(x, form):
    if form != "b" and len(x) != 3:
        raise ValueError
    return (x[0], x[-1]) if form == "b" else (x[-1], x[0])
"""


def forms(modules, x):
    """As for a decoder whose argument forms run on some cases only: which ones depends on the case."""
    offered = []
    for name in ("a", "b"):
        try:
            offered.append((name, modules["m"].pair(x, name)))
        except ValueError:
            continue
    return {"out": torch.stack(modules.choose(offered))}


def test_candidates_that_are_not_there_on_every_case_are_the_same_ones(judged, monkeypatch):
    """The declared form runs where a size allows it and is wrong there; the other one is right everywhere."""
    monkeypatch.setitem(PROBES, "forms", forms)

    @item("item")
    def agree(student, reference, case):
        assert_agrees(student.run(forms, by_row(case)), reference.run(forms, by_row(case)))

    result, _, _ = judged(agree, FORMS)
    assert (result.status, result.binding) == ("passed", "b")


def test_the_message_is_of_the_binding_that_comes_closest(judged):
    result, _, _ = judged(pairs, "def pair(x):\n    return x[-1], x[0] + (len(x) == 4)\n")
    assert "5 is expected" in result.message, "turned round, all cases but the last agree"
    assert "1 of 2 entries differ" in result.message
