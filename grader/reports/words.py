"""The vocabulary that all outputs share: statuses, sums, and what is said about one line of the rubric.

What a student may read is decided here and nowhere else: `explanation(line, staff=False)` of a hidden item says
nothing but that it is hidden. Items with `after_due_date` and `after_published` are shown, because result files are
given out with the grades; on Gradescope the platform itself holds them back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from grader.model import Applied, CheckResult, Line, LineState, Report, Violation
from grader.reports.curve import spark
from grader.reports.learning import Series, learning_of
from grader.text import clean, one_line
from grader.thresholds import FIGURES, on_made_data
from grader.wording import plural, points, points_word

TEXT_LIMIT = 6000
HIDDEN = "The details of this item are not shown to students."

STATE_WORDS: Mapping[LineState, str] = {
    "passed": "passed",
    "partly": "partly right",
    "failed": "failed",
    "not_attempted": "not attempted",
    "skipped": "not run",
    "grader_error": "grader error",
    "awaiting": "awaiting a mark",
    "marked": "marked",
}
STATE_SIGNS: Mapping[LineState, str] = {
    "passed": "✓",
    "partly": "◐",
    "failed": "✗",
    "not_attempted": "○",
    "skipped": "–",
    "grader_error": "!",
    "awaiting": "…",
    "marked": "✎",
}
MISSED: tuple[LineState, ...] = ("failed", "partly")
WRONG: tuple[LineState, ...] = (*MISSED, "not_attempted")
# Names that suites give their routes, as people read them; any other name is read as it is.
ROUTE_WORDS = {"own": "your own parts", "stand-in": "the grader's parts in the place of your other ones"}
ACTION_WORDS = {
    "report": "not kept (noted, costs nothing)",
    "deduct": "points deducted",
    "cap": "points capped",
    "zero": "points set to 0",
}


@dataclass(frozen=True)
class Block:
    """A labelled piece of evidence. `long`: text that may be folded away."""

    label: str
    text: str
    long: bool = False


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Points of some lines: what was reached, what could be reached (extra credit aside), what is still open."""

    score: Decimal
    maximum: Decimal
    open_points: Decimal


def number(value: Decimal) -> int | float:
    """A JSON number that prints as the decimal does."""
    return int(value) if value == value.to_integral_value() else float(value)


def state_of(report: Report) -> str:
    """What became of a submission, for the tables: unfinished, refused or graded."""
    return "unfinished" if report.unfinished else "refused" if report.refused else "graded"


def sums(lines: Iterable[Line]) -> Sums:
    """The sums of the counted lines."""
    counted = [line for line in lines if line.counted]
    return Sums(
        score=sum((line.score for line in counted if line.score is not None), Decimal(0)),
        maximum=sum((line.maximum for line in counted if not line.extra_credit), Decimal(0)),
        open_points=sum((line.maximum for line in counted if line.score is None), Decimal(0)),
    )


def by_question(report: Report) -> list[tuple[str, str, tuple[Line, ...]]]:
    """Id, title and lines of every question that has lines, in the handout's order."""
    grouped = []
    for name, title in report.questions:
        lines = tuple(line for line in report.lines if line.question == name)
        if lines:
            grouped.append((name, title, lines))
    return grouped


def open_lines(report: Report) -> list[Line]:
    """The counted lines that have no score yet and are worth something."""
    return [line for line in report.lines if line.counted and line.score is None and line.maximum]


def staff_points(report: Report) -> str:
    """`30 points are graded by staff`: everything that waits for a person, in one sentence; "" for nothing."""
    waiting = [line for line in open_lines(report) if line.state == "awaiting"]
    total = sum((line.maximum for line in waiting), Decimal(0))
    if not waiting:
        return ""
    return f"{points_word(total)} {'is' if total == 1 else 'are'} graded by staff"


def urgent_first(lines: Iterable[Line]) -> list[Line]:
    """What is wrong before what is right, and before what nobody has decided yet."""
    return sorted(lines, key=lambda line: _URGENCY[line.state] if line.counted else len(_URGENCY))


_ORDER: tuple[LineState, ...] = (
    "failed", "partly", "not_attempted", "grader_error", "passed", "marked", "skipped", "awaiting"
)  # fmt: skip
_URGENCY = {state: number for number, state in enumerate(_ORDER)}


def hides_something(report: Report) -> bool:
    """Whether some item is not plainly visible, so that its points must not be read off a total."""
    return any(line.visibility != "visible" for line in report.lines if line.counted)


def heading(line: Line) -> str:
    """The line's title on one line; its item where that is empty."""
    return one_line(line.title) or line.item


RUN = "Run"  # the label of `run_of`
Said = tuple[str, str, bool]  # what becomes a Block when it has a text


def explanation(line: Line, *, staff: bool = False) -> tuple[Block, ...]:
    """What is said about a line, most useful first. Every text is cleaned and capped, none is escaped."""
    withheld = line.visibility == "hidden" and not staff
    said: list[Said] = [("", HIDDEN, False)] if withheld else _evidence(line, staff)
    said.append(("Comment", line.comment, False))
    if not line.counted:
        made = on_made_data(line.result)
        why = ": made data shows that it learns, not what the handout asks for" if made else ""
        said.append(("Points", f"does not count here{why}", False))
    elif line.score is not None and line.earned is not None and line.score < line.earned:
        without = points_word(line.earned)
        said.append(("Points", f"{without} by itself, {points(line.score)} after rules and limits", False))
    if staff:
        said += _staff(line)
    return tuple([Block(label, clean(text, TEXT_LIMIT), long) for label, text, long in said if text])


def advice(line: Line, *, staff: bool = False) -> str:
    """What is wrong with a line in one sentence: the known mistake, or the first line of what is said of it."""
    if line.visibility == "hidden" and not staff:
        return ""
    return one_line(line.hint or clean(line.message, TEXT_LIMIT).partition("\n")[0], 160)


def _evidence(line: Line, staff: bool) -> list[Said]:
    said: list[Said] = [("", line.message, False), ("Hint", line.hint, False)]
    if result := line.result:
        said.append(("Looked at", one_line(result.sentence, 400), False))
        # By which way it was earned says nothing to the student who earned it.
        if staff or line.state != "passed":
            route = ROUTE_WORDS.get(result.route, result.route)
            said.append(("Earned with" if result.credit > 0 else "Tried with", route, False))
            said.append(("Binding", result.binding, False))
        said.append(("Note", "\n".join(result.notes), False))
        said.append(("Case", result.case, False))
        # Beside a pass nobody looks for what was printed.
        said.append(("Printed", "" if line.state == "passed" else result.output, True))
    if learning := learning_of(line.result):
        said += [(label, text, False) for label, text in learning.facts]
        drawn = "\n".join(spark(series) for series in learning.series if len(series.points) > 1)
        said.append(("Curve", drawn, False))
    return said


def curves(line: Line, *, staff: bool = False) -> list[Series]:
    """The curves of a training; none for a hidden item that a student looks at."""
    withheld = line.visibility == "hidden" and not staff
    learning = None if withheld else learning_of(line.result)
    return list(learning.series) if learning else []


def _staff(line: Line) -> list[Said]:
    if line.result is None:
        return []
    measured = {name: value for name, value in line.result.figures.items() if name != FIGURES}
    return [
        ("For staff", line.result.staff, True),
        ("Figures", figures(measured), False),  # which the message says in words
        (RUN, run_of(line.result), False),
    ]


def run_of(result: CheckResult) -> str:
    """What of an item's run is for staff, and differs every time."""
    facts = [f"{result.seconds:.2f} s"]
    facts += [f"observation {result.observation}"] if result.observation else []
    facts += ["more than one binding agrees"] if result.ambiguous else []
    return ", ".join(facts)


def figures(values: Mapping[str, object]) -> str:
    """`difference 0.0123, bound 3e-05`: the comparison's numbers on one line."""
    return ", ".join(f"{one_line(str(name), 60)} {_figure(value)}" for name, value in values.items())


def _figure(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return f"({figures(value)})"
    return one_line(str(value), 120)


def place(violation: Violation) -> str:
    """`models/LSTM.py, line 12`; `work.ipynb, cell 3, line 2`; empty where the evidence is a run."""
    steps = [one_line(violation.file)] if violation.file else []
    if violation.cell is not None:
        steps.append(f"cell {violation.cell}")
    if violation.line is not None:
        steps.append(f"line {violation.line}")
    return ", ".join(steps)


def consequence(applied: Applied, *, amounts: bool = True) -> str:
    """`points set to 0 (took 6 points)`; without amounts where a total must not be read off them."""
    word = ACTION_WORDS.get(applied.action, applied.action)
    if applied.action == "report" or not amounts:
        return word
    if not applied.taken:
        return f"{word} (nothing had been earned there)"
    if applied.lenient:
        return f"{word} (would take {points_word(applied.taken)}; only reported)"
    return f"{word} (took {points_word(applied.taken)})"


DISPUTE = (
    "If you think that a rule is not broken, ask the course staff to look again, and name the rule and the place: "
    "every finding can be looked at and run once more."
)
PRIVATE = "what shows it is with the course staff, who will explain it"


def shown_places(applied: Applied, *, staff: bool = False, most: int = 5) -> list[tuple[str, str]]:
    """(place, message) for each piece of evidence, the place said once; those of a private rule are for staff."""
    if applied.private and not staff:
        return [("", PRIVATE)]
    found = [_placed(violation) for violation in applied.violations[:most]]
    if len(applied.violations) > most:
        found.append(("", f"… and {plural(len(applied.violations) - most, 'more place')}"))
    return found


def _placed(violation: Violation) -> tuple[str, str]:
    where, message = place(violation), one_line(violation.message, 1000)
    message = message.removeprefix(f"{where}: ") if where else message  # as version 0.1 stored it
    return ("", message) if where and message.startswith(where) else (where, message)


def rule_lines(applied: Sequence[Applied], *, amounts: bool = True, most: int = 5) -> list[str]:
    """Broken rules with their consequences, the places that show it, and what can be done about it."""
    lines = []
    for entry in applied:
        lines.append(f"{one_line(entry.title)}: {consequence(entry, amounts=amounts)}")
        lines += [f"    {f'{where}: ' if where else ''}{text}" for where, text in shown_places(entry, most=most)]
    return [*lines, DISPUTE] if any(entry.action != "report" for entry in applied) else lines
