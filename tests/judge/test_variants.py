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
