"""A student's self-check and the grading of a class come to the same verdicts, item by item.

By default one kept submission of each assignment, on the items that it fails and every fourth other one; all of them on
all with `ALL_KEPT=1`, which takes many minutes.
"""

import os
import shutil
import sys
from pathlib import Path

import pytest
from tiny_assignment import open_for_workers

from grader import intake
from grader.commands.shared import open_assignment
from grader.model import Submission
from grader.proof.kept import edited_sources, read_kept
from grader.proof.reference import lay_out
from grader.run.engine import Recordings
from grader.run.grading import PUBLIC_SEED, automatic_items, grade_in_memory
from grader.sandbox.launch import unconfined

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="grading a class needs Linux")

ROOT = Path(__file__).parents[2]
SLUGS = sorted(path.name for path in (ROOT / "test_suites").iterdir() if (path / "assignment.yaml").exists())
EVERY = bool(os.environ.get("ALL_KEPT"))


def plain_items(assignment):
    """What students may check, but for trainings."""
    public = automatic_items(assignment, public=True)
    return tuple(name for name in public if assignment.item(name).training is None)


def chosen(assignment):
    """(kept submissions, items). What kills its process does so in either place, in other words: none is hostile."""
    kept = [entry for entry in read_kept(assignment.suite) if entry.kind != "hostile"]
    items = plain_items(assignment)
    if EVERY:
        return kept, items
    one = next(entry for entry in kept if entry.kind == "wrong" and set(items) & set(entry.fails))
    return [one], tuple(name for number, name in enumerate(items) if name in one.charged or number % 4 == 0)


def verdicts(assignment, folders, found, items, shelf, workers):
    shared = {"seed": PUBLIC_SEED, "items": items, "recordings": Recordings(cache=shelf)}
    graded = grade_in_memory(assignment, folders, found, workers=workers, **shared)
    return {
        (entry.key, name): (result.status, result.credit, result.reason, result.hint, result.only, result.charged_with)
        for entry in graded
        for name, result in entry.results.items()
    }


@pytest.mark.parametrize("slug", SLUGS)
def test_check_and_grade_agree(slug, tmp_path):
    folders, assignment = open_assignment(slug, ROOT)
    (tmp_path / "handed-in").mkdir()
    root = open_for_workers(tmp_path / "handed-in")
    handed_in, items = chosen(assignment)
    for kept in handed_in:
        if kept.path.is_dir():
            shutil.copytree(kept.path, root / kept.name, ignore=shutil.ignore_patterns("expect.yaml", "__pycache__"))
        else:
            lay_out(assignment, root / kept.name, edited_sources(kept, assignment.reference))
    taken = intake.take(sorted(root.iterdir()), assignment, open_for_workers(tmp_path).resolve() / "work", single=True)
    found = [entry for entry in taken if isinstance(entry, Submission)]
    graded = verdicts(assignment, folders, found, items, tmp_path / "shelf", workers="confined")
    checked = verdicts(assignment, folders, found, items, tmp_path / "shelf", workers=unconfined())
    assert graded.keys() == checked.keys()
    apart = {name: (graded[name], checked[name]) for name in graded if graded[name] != checked[name]}
    # On a busy machine a clock may run out on either side; that is no verdict on the submission.
    assert {name: pair for name, pair in apart.items() if not any("timed out" in verdict for verdict in pair)} == {}
    assert len(apart) < len(graded) / 2
    assert any(status != "passed" for status, *_ in graded.values())
