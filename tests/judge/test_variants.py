"""Known mistakes as hypotheses: what an edit of one file changes in the others, and what it leaves alone."""

from types import SimpleNamespace

import pytest
import torch

from grader.judge.sides import Book, ReferenceSide
from grader.judge.variants import MistakenSides, Variants, mistakes_of
from grader.proof.kept import Edit, Kept
from grader.worker.loading import FileSpec, Modules

FILES = {
    "a.py": "def scale(x):\n    return 2 * x\n",
    "b.py": "from a import scale\ndef total(x):\n    return scale(x).sum()\n",
}


def scaled(modules, x):
    return {"out": modules["a"].scale(x)}


def total(modules, x):
    return {"out": modules["b"].total(x)}


def late(modules, x):
    """Asks for the other file only now."""
    import importlib

    return {"out": importlib.import_module("a").scale(x)}


PROBES = {probe.__name__: probe for probe in (scaled, total, late)}


def edited(name, find, replace):
    edits = (Edit(file="a.py", find=find, replace=replace),)
    return Kept(name=name, kind="wrong", path=None, title=name, edits=edits, fails=("item",), hint=f"equals {name}")


@pytest.fixture
def judged(tmp_path):
    """judged(probe, what the student answered) -> the hints that fit."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    specs = [FileSpec(id=name[0], path=name, expected=name) for name in FILES]
    book = Book()
    reference = ReferenceSide(Modules(tmp_path, specs), book, PROBES)
    kept = (edited("thrice", "2 * x", "3 * x"), edited("once", "2 * x", "x"))
    sides = MistakenSides(SimpleNamespace(reference=tmp_path, globals={}), kept, specs, PROBES)
    variants = Variants(mistakes_of(kept, SimpleNamespace(items=[SimpleNamespace(id="item")])), sides)

    def hints(probe, answered):
        case = {"x": torch.ones(4)}
        assert reference.run(probe, case)["out"].sum() == 8
        call = book.call(probe, case, {})
        found = [entry.hint for entry in variants.matching("item", [(call, {"out": answered})])]
        assert reference.compute(call)["out"].sum() == 8, "the reference is as it was"
        return found

    return hints


@pytest.mark.parametrize("probe", [total, scaled, late])
def test_an_edit_is_seen_wherever_the_file_is_imported(judged, probe):
    ones = torch.ones(()) * 4 if probe is total else torch.ones(4)
    for _ in range(2):
        assert judged(probe, 3 * ones) == ["equals thrice"]
        assert judged(probe, ones) == ["equals once"]
        assert judged(probe, 2 * ones) == [], "nothing that agrees is explained"


def handed_over(modules, x, text):
    return {"out": modules["a"].scale(x) if text == modules["a"].text else x}


def test_where_a_test_sends_what_stands_in_the_files_a_mistake_is_asked_with_its_own(tmp_path):
    (tmp_path / "a.py").write_text('text = "2"\ndef scale(x):\n    return 2 * x\n')
    specs = [FileSpec(id="a", path="a.py", expected="a.py")]
    assignment = SimpleNamespace(
        reference=tmp_path, globals={}, files=[SimpleNamespace(id="a", path="a.py", kind="module")],
        items=[SimpleNamespace(id="item"), SimpleNamespace(id="other")],
    )  # fmt: skip
    kept = (
        Kept(
            name="thrice", kind="wrong", path=None, title="", hint="equals thrice", fails=("item", "other"),
            edits=(Edit(file="a.py", find="2 * x", replace="3 * x"), Edit(file="a.py", find='"2"', replace='"3"')),
        ),
    )  # fmt: skip
    variants = Variants(
        mistakes_of(kept, assignment), MistakenSides(assignment, kept, specs, {"handed_over": handed_over})
    )
    case, asked = {"x": torch.ones(4)}, []

    def play(student, files):
        asked.append(files.text("a").split('"')[1])
        student.run(handed_over, case, text=asked[-1])

    def hints(item, answered, text="mine"):
        call = Book().call(handed_over, case, {"text": text})
        return [entry.hint for entry in variants.matching(item, [(call, {"out": answered})])]

    thrice = 3 * torch.ones(4)
    assert hints("item", thrice) == [], "nobody has asked it with its own text"
    for _ in range(2):
        variants.hand_in("item", play)
    assert asked == ["3"], "it is asked once, with its own file"
    assert hints("item", thrice) == ["equals thrice"]
    assert hints("item", 2 * torch.ones(4)) == []
    assert hints("other", thrice) == [], "another item may ask otherwise"
    alone = Variants(variants.mistakes, None, variants.known)
    assert alone.values(variants.mistakes[0], "item", Book().call(handed_over, case, {"text": "else"}))["out"][0] == 3


def test_what_a_mistake_was_asked_in_two_ways_about_one_case_says_nothing(judged, tmp_path):
    specs = [FileSpec(id="a", path="a.py", expected="a.py")]
    kept = (edited("thrice", "2 * x", "3 * x"),)
    assignment = SimpleNamespace(reference=tmp_path, globals={}, files=(), items=[SimpleNamespace(id="item")])
    sides = MistakenSides(assignment, kept, specs, {"powers": powers})
    variants = Variants(mistakes_of(kept, assignment), sides)
    case = {"x": torch.ones(4)}
    variants.hand_in("item", lambda student, _: [student.run(powers, case, power=power) for power in (1, 2)])
    call = Book().call(powers, case, {"power": 5})
    assert variants.values(variants.mistakes[0], "item", call) is None


def powers(modules, x, power):
    return {"out": modules["a"].scale(x) ** power}
