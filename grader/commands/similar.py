"""`grader similar`: submissions of a results folder whose code overlaps, as a list and as a page. Runs no code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from grader.commands.score import slug_of
from grader.commands.shared import open_assignment
from grader.course.sheets import text_in_rows
from grader.errors import EXIT_DONE, UsageError
from grader.reports.files import write_text
from grader.reports.similar import CODE, code_of, given_to_all, page, rows, similar_pairs
from grader.results.journal import NAME as JOURNAL
from grader.results.journal import SUBMISSIONS, read
from grader.run.grading import taken_in

LIST, PAGE = "similar.csv", "similar.html"


def run(folder: Path, former: Sequence[Path], least: float, assignments: Path | None) -> int:
    """Write similar.csv and similar.html into the results folder. Raises UsageError."""
    _, assignment = open_assignment(slug_of(folder), assignments)
    contents = read(folder)
    present = list(taken_in(contents, (folder / SUBMISSIONS).resolve()))
    texts = {
        entry.key: code_of(entry.root / path for path in entry.files.values() if path.lower().endswith(CODE))
        for entry in present
    }
    owners = {entry.key: entry.owner for entry in present}
    given = given_to_all(assignment)
    years = [*former, *filter(Path.is_dir, [assignment.suite / "submissions" / "former"])]
    others = {name: text for year in years for name, text in _of_another_year(year).items()}

    def same(one: str, other: str) -> bool:
        return owners.get(one, one) == owners.get(other, other)

    pairs = similar_pairs(texts, others, given, least, same)
    write_text(folder / LIST, text_in_rows(rows(pairs)))
    write_text(folder / PAGE, page(assignment.title, pairs))
    sys.stdout.write(f"{len(pairs)} pairs share at least {least:.0%}: {folder / LIST}, {folder / PAGE}\n")
    return EXIT_DONE


def _of_another_year(year: Path) -> dict[str, str]:
    """{year/name: code} of a results folder, or of a folder with one folder or file for each submission."""
    if not year.is_dir():
        raise UsageError(f"{year} is no folder; name former results, or a folder of former submissions")
    root = year / SUBMISSIONS if (year / JOURNAL).exists() else year
    found = {}
    for each in sorted(root.iterdir()):
        inside = sorted(path for path in each.rglob("*") if path.is_file()) if each.is_dir() else [each]
        if code := code_of(path for path in inside if path.suffix.lower() in CODE):
            found[f"{year.name}/{each.name}"] = code
    return found
