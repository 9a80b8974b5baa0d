"""What the page says beside the submission's files: what was measured, and what the submission claims."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from marking_examples import KEYS, MODEL, a_class, assignment, notebook, text_cell

from grader.assignment.assignment import Budget, Item, Training
from grader.marking import desk, work
from grader.marking.keeping import Keeper
from grader.model import CheckResult
from grader.results.journal import Journal, read
from grader.scoring import score_class
from grader.thresholds import FIGURES

LEARNS = Item(
    id="learns", question="4", part="scorer", points=Decimal(0), title="The scorer, trained",
    training=Training(metric="accuracy", counted="on held-out sequences", made=Budget(steps=9, seconds=1, full=0.8)),
)  # fmt: skip
MEASURED = {
    "metric": "accuracy", "value": 0.783, "counted": "on held-out sequences", "counts": True, "source": "made",
    "steps": 9, "budget": 9, "seconds": 1.0, "evaluation_seconds": 0.1, "device": "cpu", "way": "retrained",
    "claims": {"accuracy": 0.99}, "curve": [],
}  # fmt: skip


def a_desk(folder: Path, template: Path) -> desk.Desk:
    wanted = replace(assignment(), template=template, items=(*assignment().items, LEARNS))
    contents = read(folder)
    reports = {report.key: report for report in score_class(contents.graded(), wanted)}
    return desk.Desk(
        assignment=wanted,
        work=work.awaiting(list(reports.values()), wanted),
        reports=reports,
        keeper=Keeper(folder, wanted, "kim"),
        roots={key: folder / "submissions" / key for key in reports},
        files={},
        port=1,
    )


def test_measured_figures_stand_beside_those_that_are_claimed(tmp_path):
    folder = a_class(tmp_path / "results", KEYS[:1])
    root = folder / "submissions" / KEYS[0]
    given = "The accuracy should be above 75 %."
    (root / "tiny.ipynb").write_text(notebook(text_cell(given), text_cell("We reach an accuracy of 0.99!")))
    template = tmp_path / "template"
    template.mkdir()
    (template / "tiny.ipynb").write_text(notebook(text_cell(given)))
    with Journal(folder, "tiny") as journal:
        result = CheckResult(item="learns", status="failed", figures={FIGURES: MEASURED})
        journal.result(KEYS[0], result, "stamp")
    found = a_desk(folder, template)
    page = desk.page(found, (KEYS[0], "essay"), found.keeper.standing(), "nonce", typed=None)
    for cell in ("The scorer, trained", "78.3%", "accuracy 0.99"):
        assert f">{cell}</td>" in page
    claims = page[page.index("Figures that the submission claims") : page.index("<details")]
    assert "We reach an accuracy of 0.99!" in claims
    assert "accuracy on the test split is 0.87" in claims, "that of the PDF"
    assert given not in claims, "what the template says is no claim"


def test_files_that_were_not_found_are_asked_for(tmp_path):
    found = a_desk(a_class(tmp_path / "results", KEYS[:1]), tmp_path)
    found = replace(found, roots={})
    page = desk.page(found, (KEYS[0], "essay"), found.keeper.standing(), "nonce", typed=None)
    assert "--submissions PATH" in page
    assert MODEL.splitlines()[0] not in page
