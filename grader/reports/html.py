"""`report.html`: one self-contained page per submission, without scripts, for reading and printing.

`page(report, staff=False)` is what a student gets: hidden items show that they exist and what they brought, never why;
staff evidence, attention and protections' details are left out. Every text is escaped by the template engine; student
text stands in `<pre>`. A content security policy in the page forbids scripts, pictures and connections anyway.
"""

from __future__ import annotations

import functools
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from grader.model import Line, LineState, Report
from grader.reports.curve import svg
from grader.reports.learning import Comparison, comparison_of
from grader.reports.repeated import Said, said_of
from grader.reports.words import (
    DISPUTE,
    RUN,
    STATE_SIGNS,
    STATE_WORDS,
    WRONG,
    Block,
    Sums,
    advice,
    by_question,
    consequence,
    curves,
    explanation,
    heading,
    open_lines,
    run_of,
    shown_places,
    staff_points,
    sums,
    urgent_first,
)
from grader.text import clean, one_line
from grader.wording import points, points_word

if TYPE_CHECKING:
    from jinja2 import Template

TEMPLATE = "page.html"
ITEM = "item.html"
FOLD_LINES = 12
FOLD_CHARACTERS = 900
_TRAINING = ("Measured", "Beside it", "Earned by", "How", "Training", "Memory", "Reported by the code")
_FACTS = ("Looked at", "Earned with", "Tried with", "Binding", "Note", "Case", "Figures", *_TRAINING, "Points", RUN)

_TONES: Mapping[LineState, str] = {
    "passed": "good",
    "partly": "half",
    "failed": "bad",
    "not_attempted": "bad",
    "skipped": "open",
    "grader_error": "open",
    "awaiting": "open",
    "marked": "half",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One item as the page shows it."""

    item: str
    title: str
    tone: str
    sign: str
    state: str
    score: str
    maximum: str
    tags: tuple[str, ...]
    texts: tuple[Block, ...]
    facts: tuple[Block, ...]
    curves: tuple[str, ...]
    counted: bool
    wrong: bool
    advice: str


Shown = tuple[Row, str]  # with its text on the page


@dataclass(frozen=True, kw_only=True)
class Section:
    """One question: its sums, how its items ended, and its items."""

    anchor: str
    name: str
    title: str
    score: str
    maximum: str
    open_points: str
    share: int
    tally: str
    rows: tuple[Shown, ...]
    comparison: Comparison | None


@dataclass(frozen=True, kw_only=True)
class BrokenRule:
    """A broken rule with its consequence and evidence."""

    title: str
    consequence: str
    serious: bool
    places: tuple[tuple[str, str], ...]


def page(report: Report, staff: bool = False, said: Mapping[str, Said | None] | None = None) -> str:
    """The whole page; equal reports give equal text. `said`: as `said_of` has it, for who has it already."""
    report = report.whole()
    sections = _sections(report, staff, said_of(report) if said is None else said)
    return template().render(
        report=report,
        staff=staff,
        key=one_line(report.key),
        title=one_line(report.title),
        score=points(None if report.unfinished else report.score),
        total=points(report.total),
        open_word=points_word(report.open_points) if report.open_points else "",
        would_be=points(report.would_be) if report.would_be != report.score else "",
        share=_share(report.score, report.total),
        refused=clean(report.refused, 2000),
        sections=sections,
        wrong=[
            (section.anchor, row.title, row.state, row.advice)
            for section in sections
            for row, _ in section.rows
            if row.counted and row.wrong and not report.refused
        ],
        waiting=[
            (heading(line), points(line.maximum), STATE_WORDS[line.state])
            for line in open_lines(report)
            if line.state != "awaiting"
        ],
        by_staff=staff_points(report),
        rules=_rules(report, staff),
        dispute=DISPUTE if any(entry.action != "report" for entry in report.applied) else "",
        attempts=_attempts(report),
        handed_in=[clean(sentence, 1000) for sentence in report.handed_in],
        late=bool(report.late),
        notes=[clean(note, 1000) for note in report.notes],
        attention=[clean(sentence, 1000) for sentence in report.attention] if staff else [],
        facts=_facts(report, staff),
    )


@functools.cache
def template(name: str = TEMPLATE) -> Template:
    """A compiled template; compiling takes longer than rendering a page, so it may be asked for ahead."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template(name)


def _sections(report: Report, staff: bool, said: Mapping[str, Said | None]) -> list[Section]:
    return [
        _section(f"q{index}", name, title, lines, staff, said)
        for index, (name, title, lines) in enumerate(by_question(report), start=1)
    ]


def _section(
    anchor: str, name: str, title: str, lines: Sequence[Line], staff: bool, said: Mapping[str, Said | None]
) -> Section:
    total = sums(lines)
    return Section(
        anchor=anchor,
        name=one_line(name),
        title=one_line(title),
        score=_score_word(total),
        maximum=points(total.maximum),
        open_points=points(total.open_points) if total.open_points else "",
        share=_share(total.score, total.maximum),
        tally=_tally(lines),
        rows=tuple(_shown(line, staff, said[line.item]) for line in urgent_first(lines)),
        comparison=comparison_of([line for line in lines if staff or line.visibility != "hidden"]),
    )


def _score_word(total: Sums) -> str:
    """An en dash for a question of which nothing is decided yet."""
    undecided = total.open_points > 0 and total.open_points >= total.maximum
    return points(None) if undecided and not total.score else points(total.score)


def _tally(lines: Sequence[Line]) -> str:
    counted = [line.state for line in lines if line.counted]
    counts = [(STATE_WORDS[state], counted.count(state)) for state in STATE_WORDS]
    return ", ".join(f"{count} {word}" for word, count in counts if count) or "does not count"


# Stands for what a line's run took, where its text is made once for all that say the same. Nobody can know it.
_ANY_RUN = secrets.token_hex(16)
_PLAIN = re.compile("[A-Za-z0-9., ]{0,200}")  # neither folded nor cleaned nor escaped


def _shown(line: Line, staff: bool, said: Said | None) -> Shown:
    """An item on the page; made once of those that say the same."""
    run = run_of(line.result) if staff and line.result is not None else ""
    if said is None or not _PLAIN.fullmatch(run):
        return _drawn(_row(line, staff))
    row, text = said.made(_for_staff if staff else _for_student)
    return row, text.replace(_ANY_RUN, run)


def _for_student(line: Line) -> Shown:
    return _drawn(_row(line, staff=False))


def _for_staff(line: Line) -> Shown:
    row = _row(line, staff=True)
    facts = tuple(Block(RUN, _ANY_RUN) if block.label == RUN else block for block in row.facts)
    return _drawn(replace(row, facts=facts))


def _drawn(row: Row) -> Shown:
    return row, template(ITEM).render(row=row)


def _row(line: Line, staff: bool) -> Row:
    tags = ["extra credit"] if line.extra_credit else []
    tags += ["hidden"] if line.visibility == "hidden" else []
    tags += ["our own check"] if staff and line.origin != "handout" else []
    tags += [] if line.counted else ["does not count"]
    # The page draws the curve that the terminal shows in one line.
    blocks = [_folded(block) for block in explanation(line, staff=staff) if block.label != "Curve"]
    return Row(
        item=one_line(line.item),
        title=heading(line),
        tone=_TONES[line.state] if line.counted else "open",
        sign=STATE_SIGNS[line.state],
        state=STATE_WORDS[line.state],
        score=points(line.score),
        maximum=points(line.maximum),
        tags=tuple(tags),
        texts=tuple(block for block in blocks if block.label not in _FACTS or block.long),
        facts=tuple(block for block in blocks if block.label in _FACTS and not block.long),
        curves=tuple(svg(series) for series in curves(line, staff=staff)),
        counted=line.counted,
        wrong=line.state in WRONG,
        advice=advice(line, staff=staff),
    )


def _folded(block: Block) -> Block:
    """Long text is folded away, whatever it is."""
    is_long = block.text.count("\n") >= FOLD_LINES or len(block.text) > FOLD_CHARACTERS
    return Block(block.label or ("Details" if is_long else ""), block.text, is_long)


def _rules(report: Report, staff: bool) -> list[BrokenRule]:
    return [
        BrokenRule(
            title=one_line(entry.title),
            consequence=consequence(entry),
            serious=entry.taken > 0 and not entry.lenient,
            places=tuple(shown_places(entry, staff=staff, most=20)),
        )
        for entry in report.applied
    ]


def _attempts(report: Report) -> list[tuple[str, str, str]]:
    """Number, time and points of each of several attempts."""
    return [
        (
            f"{attempt.number}{' (counts)' if attempt.number == report.attempt else ''}",
            f"{attempt.submitted_at or ''}{', late' if attempt.late else ''}",
            "refused" if attempt.refused else points(attempt.score),
        )
        for attempt in report.attempts
    ]


def _facts(report: Report, staff: bool) -> list[tuple[str, str]]:
    """What a later reader needs to reproduce the result; how students were held back is for staff."""
    facts = [("Assignment", report.slug), ("Track", report.track), ("Seed", report.seed)]
    facts += [*sorted(report.versions.items()), ("Log of decisions", report.log[:16])]
    if staff:
        facts += [(f"Protection: {name}", word) for name, word in sorted(report.protections.items())]
        facts.append(("Seconds", f"{report.seconds:.1f}"))
    return [(one_line(str(name), 80), one_line(str(word), 300)) for name, word in facts if word]


def _share(score: Decimal, total: Decimal) -> int:
    """Percent for a bar, 0 to 100."""
    return max(0, min(100, int(score * 100 / total))) if total > 0 else 0
