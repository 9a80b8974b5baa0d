"""Mutants and rewritings of the tiny assignment against its suite, in real workers."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from grader.assignment.locate import folders_below
from grader.assignment.manifest import load
from grader.commands.verify import run
from grader.errors import AuthorError
from grader.model import CheckResult, Submission
from grader.proof.changes.kinds import MUTANT, REWRITING
from grader.proof.changes.making import Change
from grader.proof.changes.running import nearest_items, run_changes
from grader.proof.mutants.making import mutants_of
from grader.proof.reference import lay_out
from grader.run.engine import Engine, Order
from grader.run.grading import automatic_items

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="judging many submissions needs Linux")

ASSIGNMENTS = Path(__file__).parents[2] / "fixtures" / "assignments"


def tiny(root=ASSIGNMENTS):
    folders = folders_below(root, "tiny")
    return folders, load(folders)


@pytest.fixture(scope="module")
def mutants():
    """{described: mutant}"""
    return {f"{entry.operator}: {entry.before} → {entry.after}": entry for entry in mutants_of(tiny()[0].reference)}


def endless(like):
    text = like.text.replace("def __init__", "while True:\n        pass\n\n    def __init__", 1)
    assert text != like.text
    return Change(id="endless", file=like.file, line=1, scope="", operator="by-hand", before="", after="", text=text)


def test_what_becomes_of_mutants(mutants):
    noticed = mutants["activation-dropped: torch.sigmoid(self.gate(x)) → self.gate(x)"]
    in_notebook = mutants["comparison-shifted: scores.argmax(dim=-1) == labels → (scores.argmax(dim=-1) != labels)"]
    survivor = mutants["term-dropped: int((right & counted).sum()) + MARGIN → int((right & counted).sum())"]
    folders, assignment = tiny()
    told = []
    changes = [noticed, endless(noticed), in_notebook, survivor]
    fates = run_changes(assignment, folders, changes, MUTANT, jobs=1, tell=told.append)
    assert [fate.outcome for fate in fates] == ["noticed", "timed out", "noticed", "passed"]
    assert [fate.by for fate in fates] == ["gate.forward", "gate.forward", "count.right", ""]
    assert [fate.change for fate in fates][2:] == [in_notebook, survivor]
    assert (told[-1].done, told[-1].of) == (4, 4)


@pytest.mark.parametrize(
    ("file", "scope", "items"),
    [
        ("layers.py", "Gate.forward", ("gate.forward", "gate.gradients")),
        ("layers.py", "softmax", ("softmax.values", "softmax.stable")),
        ("layers.py", "Other.forward", ("gate.forward", "gate.gradients", "softmax.values", "softmax.stable")),
        ("model.py", "Scorer.__init__", ("scorer.forward",)),
        ("tiny.py", "count_right", ("count.right",)),
        ("tiny.py", "", ("count.right", "rates.decrease")),
    ],
)
def test_the_items_of_the_mutated_part_come_first(file, scope, items):
    _, assignment = tiny()
    mutant = Change(id="x", file=file, line=1, scope=scope, operator="", before="", after="", text="")
    assert nearest_items(assignment, mutant, automatic_items(assignment), MUTANT) == items


def test_a_file_that_no_part_names_may_concern_every_item():
    _, assignment = tiny()
    mutant = Change(id="x", file="given.py", line=1, scope="", operator="", before="", after="", text="")
    assert nearest_items(assignment, mutant, automatic_items(assignment), MUTANT) == automatic_items(assignment)


def test_nothing_runs_when_the_handed_in_reference_fails(tmp_path, mutants):
    root = Path(shutil.copytree(ASSIGNMENTS, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__")))
    suite = root / "test_suites" / "tiny" / "probes.py"
    # Both sides agree as long as both run in the judge; a worker has no such variable.
    text = suite.read_text(encoding="utf-8").replace(
        '    return {"out": modules["layers"].softmax(scores)}',
        "    import sys\n    return {\"out\": scores * 0 + ('pytest' in sys.modules)}",
    )
    suite.write_text(text, encoding="utf-8")
    folders, assignment = tiny(root)
    with pytest.raises(AuthorError, match=r"the reference itself does not pass softmax\.values"):
        run_changes(assignment, folders, list(mutants.values())[:1], MUTANT, jobs=1)


def test_a_submission_ends_with_its_first_failure_and_without_explanation(tmp_path):
    folders, assignment = tiny()
    mistake = ("torch.sigmoid(self.gate(x))", "self.gate(x)")  # a known mistake, with a hint of its own
    layers = (folders.reference / "layers.py").read_text(encoding="utf-8").replace(*mistake)
    root = tmp_path / "handed_in"
    lay_out(assignment, root, {"layers.py": layers})
    for folder in (root, *root.parents):
        if folder.is_relative_to(Path("/tmp")) and folder != Path("/tmp"):
            folder.chmod(0o755)
    items = automatic_items(assignment)
    bob = Submission(key="bob", root=root, digest="", files={"layers": "layers.py"})
    with Engine(Order(folders=folders, seed="mutants", items=items)) as engine:
        whole = [event for _, event in engine.grade([(bob, items)], 1) if isinstance(event, CheckResult)]
        again = [(replace(bob, key="bob-again"), items)]
        brief = [event for _, event in engine.grade(again, 1, first_failure=True) if isinstance(event, CheckResult)]
    found = {result.item: result for result in whole}
    assert sorted(found) == sorted(items)
    assert found["gate.forward"].hint
    assert [(result.item, result.status, result.hint) for result in brief] == [("gate.forward", "failed", "")]


def explained(mutants, why="MARGIN is 0"):
    return "".join(f"- {{id: {entry.id}, mutant: 'MARGIN', why: {why}}}\n" for entry in mutants)


def test_verify_ends_with_1_until_every_survivor_is_explained(tmp_path, capsys):
    root = Path(shutil.copytree(ASSIGNMENTS, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__")))
    folders, _ = tiny(root)
    for path in (folders.reference / "layers.py", folders.reference / "model.py"):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(line for line in lines if " SOLUTION" not in line), encoding="utf-8")
    notebook = folders.reference / "tiny.py"
    text = notebook.read_text(encoding="utf-8").replace("# BEGIN SOLUTION\nrates", "# given\nrates")
    notebook.write_text(text.replace("range(steps)]\n# END SOLUTION", "range(steps)]"), encoding="utf-8")
    survivors = [entry for entry in mutants_of(folders.reference) if "MARGIN" in entry.before and "+" in entry.before]

    assert verify(root) == 1
    out = capsys.readouterr().out
    assert out.count("PROBLEM survived: ") == 2
    assert out.endswith("mutants: 2 problem(s)\n")

    survivors = [entry for entry in survivors if f"survived: {entry.id}" in out]
    (folders.suite / MUTANT.file).write_text(explained(survivors), encoding="utf-8")
    assert verify(root) == 0
    out = capsys.readouterr().out
    assert out.count(": MARGIN is 0\n") == 2
    assert out.endswith("none survives unexplained\n")

    (folders.suite / MUTANT.file).write_text(
        explained(survivors) + "- {id: gone, mutant: m, why: w}\n", encoding="utf-8"
    )
    assert verify(root) == 1
    assert "gone (m) is no mutant of the reference any more" in capsys.readouterr().out


def verify(root):
    return run(["tiny"], everything=False, jobs=1, assignments=root, kinds=[MUTANT])


def test_right_code_runs_the_items_of_its_file():
    _, assignment = tiny()
    change = Change(id="x", file="layers.py", line=1, scope="softmax", operator="", before="", after="", text="")
    found = nearest_items(assignment, change, automatic_items(assignment), REWRITING)
    assert found == ("gate.forward", "gate.gradients", "softmax.values", "softmax.stable")


def test_what_intake_refuses_is_lost():
    folders, assignment = tiny()
    gone = {file.path: None for file in assignment.files}
    empty = Change(id="e", file="", line=1, scope="", operator="form", before="", after="", text="", files=gone)
    (fate,) = run_changes(assignment, folders, [empty], REWRITING, jobs=1)
    assert fate.outcome == "noticed"
