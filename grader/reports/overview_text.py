"""A class at a glance for a terminal or a log: plain aligned text, the most urgent last, where a terminal stands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from grader.reports.overview import Case, ItemFacts, Overview, Student
from grader.wording import first_lines

BAR = 40
SHOWN = 15
WIDEST = 70


def text(overview: Overview) -> str:
    """Everybody, then the class's figures, then what to look at first."""
    most = max((count for _, count in overview.bins), default=0) or 1
    bars = [f"{name:>11}  {count:>4}  {'█' * round(BAR * count / most)}".rstrip() for name, count in overview.bins]
    mistakes = [(str(one.submissions), one.median, one.lost, one.hint) for one in overview.mistakes[:SHOWN]]
    mistake_columns = ("submissions", "median", "in all", "mistake")
    trainings = [
        f"{entry.item}: " + "; ".join(f"{name.lower()} {word}" for name, word in entry.figures)
        for entry in overview.trainings
    ]
    blocks = [
        _table(("name", "score", "open", "state", "to look at"), map(_student, overview.students), right=(1, 2)),
        _titled("Scores", bars),
        _titled("Items, by how many fail of those who tried", _items(overview.items)),
        _titled("What a mistake cost", _table(mistake_columns, mistakes, right=(0, 1, 2)) if mistakes else []),
        _titled("Trainings", trainings),
        _titled("Time and memory", [f"{name}: {word}" for name, word in overview.costs]),
        _titled("Handed in late", _cases(overview.late)),
        _titled("Rules that were broken", _cases(overview.breaches)),
        _titled("Doubt that honest work can raise", _cases(overview.doubts)),
        _titled("Waits for a person", _cases(overview.waiting)),
        _titled("Look here first", overview.first),
        [overview.headline, overview.quartiles],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _titled(title: str, lines: Sequence[str]) -> list[str]:
    return [title, *(f"  {line}" for line in lines)] if lines else []


def _student(one: Student) -> tuple[str, ...]:
    name = f"{one.name} ({one.key})" if one.key and one.key != one.name else one.name
    return (name, one.score, one.open_points, f"{one.state}{', late' if one.late else ''}", one.look[:WIDEST])


def _items(items: Sequence[ItemFacts]) -> list[str]:
    header = ("item", "failed", "of", "not attempted", "discrimination", "alike", "commonest mismatch")
    rows = [
        (
            entry.item,
            str(entry.failed),
            str(entry.tried),
            str(entry.not_attempted or ""),
            "" if entry.discrimination is None else f"{entry.discrimination:.2f}",
            str(entry.alike or ""),
            (entry.hint or entry.mismatch)[:WIDEST],
        )
        for entry in items
    ]
    return _table(header, rows, right=(1, 2, 3, 4, 5))


def _cases(cases: Sequence[Case]) -> list[str]:
    said = [f"{case.count} × {case.what}{f': {case.more}' if case.more else ''} – {case.who}" for case in cases]
    return first_lines(said, SHOWN)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int]) -> list[str]:
    whole = [header, *rows]
    widths = [max(len(row[index]) for row in whole) for index in range(len(header))]
    return [
        "  ".join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in whole
    ]
