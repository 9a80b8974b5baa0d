"""What a person should look at before grades are published: one sentence each."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from grader.assignment.assignment import Assignment
from grader.course.terms import Terms
from grader.model import (
    DATA_REASON,
    KILLED_REASON,
    NOT_IMPORTED,
    NOT_READ,
    SELF_KILLED_REASON,
    UNREADABLE_REASON,
    Applied,
    CheckResult,
    Graded,
    Line,
    Report,
)
from grader.scoring.breaches import LATE
from grader.scoring.lateness import Lateness
from grader.text import one_line
from grader.thresholds import is_doubtful
from grader.wording import listed, points, points_word

WEAK_LEVELS = ("weak", "none")
NOT_FINISHED = "Not finished: grading was interrupted, and the same command continues."
_WEAK_WORDS = ("off", "none", "no", "not", "missing", "unavailable", "unprotected", "failed", "weak")


def attention(
    graded: Graded,
    assignment: Assignment,
    lines: Sequence[Line],
    total: Decimal,
    applied: Sequence[Applied],
    lateness: Lateness,
    terms: Terms,
) -> tuple[str, ...]:
    """The sentences for one submission, most urgent first."""
    if graded.refused:
        return (f"Refused: {graded.refused}", *_late(lateness, terms))
    if not graded.finished:
        return (NOT_FINISHED, *graded.attention)
    return (
        *_by_a_rule_alone(lines, applied),
        *_errors(lines),
        *_killed(lines),
        *_without_data(lines),
        *_unread(lines),
        *_rules(lines, applied),
        *_unknown_rules(graded, assignment),
        *_zero_score(lines, total),
        *graded.attention,
        *_ambiguous(lines),
        *_impossible(lines),
        *_doubted(lines),
        *_late(lateness, terms),
        *_track(graded, assignment),
        *_weak(graded.protections),
    )


@dataclass(frozen=True)
class Demand:
    """A sentence that somebody must decide before grades are released, and the rule or item that it is about."""

    sentence: str
    rule: str = ""
    item: str = ""


def demands(report: Report) -> list[Demand]:
    """What a person must see: points that a rule takes, figures that wait, what the grader could not judge."""
    if report.refused or report.unfinished:
        return [Demand(NOT_FINISHED)] if report.unfinished else []
    lines, taking = report.lines, [entry for entry in report.applied if entry.taken and not entry.lenient]
    return [
        *(Demand(text, rule=entry.rule) for entry in taking for text in _by_a_rule_alone(lines, [entry])),
        *(Demand(text, rule=entry.rule) for entry in taking for text in _rules(lines, [entry])),
        *(Demand(text, item=line.item) for line in lines for text in _doubted([line])),
        *(Demand(text) for text in (*_errors(lines), *_killed(lines))),
    ]


def _errors(lines: Sequence[Line]) -> list[str]:
    broken = [line for line in lines if line.counted and line.state == "grader_error"]
    if not broken:
        return []
    waiting = "; these points are open" if any(line.score is None for line in broken) else ""
    causes = dict.fromkeys(cause for line in broken if line.result and (cause := _cause(line.result.staff)))
    why = "".join(f" {cause}" for cause in list(causes)[:1])
    return [f"The grader could not judge {listed([line.item for line in broken])}{waiting}.{why}"]


def _cause(staff: str) -> str:
    """The line that names an error: the last one, in a report of pytest the last one that it marks."""
    lines = [line for line in staff.splitlines() if line.strip()]
    marked = [line.removeprefix("E ") for line in lines if line.startswith("E ")]
    return one_line((marked or lines or [""])[-1], 300)


def _killed(lines: Sequence[Line]) -> list[str]:
    """The student's code may have done it, or the machine was short of memory: only a person can tell."""
    told = {
        KILLED_REASON: "The process was killed from outside, perhaps because the machine ran out of memory",
        SELF_KILLED_REASON: "The process was killed while the machine had memory left, "
        "which looks deliberate if nobody here killed it",
    }
    killed = [(line.result.reason, line.item) for line in lines if line.counted and line.result and line.result.reason]
    found = {reason: [item for why, item in killed if why == reason] for reason in told}
    return [f"{told[reason]}: {listed(items)}." for reason, items in found.items() if items]


def _without_data(lines: Sequence[Line]) -> list[str]:
    """A class that was graded on an incomplete folder of data looks as if all was well."""
    found = [line for line in lines if line.result is not None and line.result.reason == DATA_REASON]
    if not found:
        return []
    [first, *others] = dict.fromkeys(one_line(line.result.staff, 300) for line in found if line.result)
    more = f" (and {len(others)} more)" if others else ""
    return [f"Not trained for want of data: {listed([line.item for line in found])}. {first}{more}"]


def _unread(lines: Sequence[Line]) -> list[str]:
    """Files, or names in them, that Python could not read or import: one slip may have cost half of the work."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        if line.counted and line.result is not None and line.state in ("failed", "not_attempted"):
            first = line.result.message.partition("\n")[0].removeprefix("Not attempted: ")
            if _is_unread(line.result, first):
                found.setdefault(one_line(first, 300), []).append(line)
    if not found:
        return []
    total = sum((line.maximum for line in lines if line.counted and not line.extra_credit), Decimal(0))
    sentences = []
    for first, hit in found.items():
        lost = sum((line.maximum - (line.earned or 0) for line in hit), Decimal(0))
        share = f"{points(lost)} of {points_word(total)} ({100 * lost / total:.0f} %)" if total else points_word(lost)
        sentences.append(f"{first.rstrip('.')}. {share} hang on it: {listed([line.item for line in hit])}.")
    return sentences


def _is_unread(result: CheckResult, first: str) -> bool:
    return result.reason == UNREADABLE_REASON or NOT_IMPORTED in first or NOT_READ in first


def _is_alone(entry: Applied, lines: Sequence[Line]) -> bool:
    """Whether a rule takes more than the points of any one item from work that passes: too much for a finding alone."""
    hit = [line.maximum for line in lines if line.score is not None and line.earned is not None and line.earned > 0]
    return entry.rule != LATE and entry.action != "report" and entry.taken > max(hit, default=Decimal(0))


def _by_a_rule_alone(lines: Sequence[Line], applied: Sequence[Applied]) -> list[str]:
    """Rules that cost the most come first: what is right and what a rule has against it contradict each other."""
    alone = [entry for entry in applied if _is_alone(entry, lines)]
    return [
        f"{points_word(entry.taken)} by a rule alone{' (not taken)' if entry.lenient else ''}: {entry.title}"
        f"{f' ({place})' if (place := _place(entry)) else ''}. The items pass by themselves; look at what was found."
        for entry in sorted(alone, key=lambda entry: -entry.taken)
    ]


def _rules(lines: Sequence[Line], applied: Sequence[Applied]) -> list[str]:
    sentences = []
    for entry in applied:
        if entry.action != "zero" or entry.rule == LATE or _is_alone(entry, lines):
            continue
        verb = "would take" if entry.lenient else "took"
        where = f" ({place})" if (place := _place(entry)) else ""
        if entry.taken == 0:
            sentences.append(f"The rule {entry.rule!r} is broken, with nothing earned to take: {entry.title}{where}.")
        else:
            sentences.append(f"The rule {entry.rule!r} {verb} {points_word(entry.taken)}: {entry.title}{where}.")
    return sentences


def _unknown_rules(graded: Graded, assignment: Assignment) -> list[str]:
    unknown = sorted({found.rule for found in graded.violations} - {rule.id for rule in assignment.rules})
    return [f"Broken rules that the manifest does not have, without consequence: {listed(unknown)}."] if unknown else []


def _place(entry: Applied) -> str:
    if not entry.violations:
        return ""
    first = entry.violations[0]
    spot = first.file or ""
    if first.cell is not None:
        spot += f", cell {first.cell}"
    if first.line is not None:
        spot += f", line {first.line}"
    more = f" and {len(entry.violations) - 1} more" if len(entry.violations) > 1 else ""
    return f"{spot}{more}".strip(", ")


def _zero_score(lines: Sequence[Line], total: Decimal) -> list[str]:
    """A zero for code that was written is worth a look; a zero for an untouched template is not."""
    if total > 0:
        return []
    tried = [line.item for line in lines if line.counted and line.state in ("failed", "partly", "passed")]
    if not any(line.maximum for line in lines if line.item in tried):
        return []
    return [f"The score is 0 although code was written: {listed(tried)}."]


def _ambiguous(lines: Sequence[Line]) -> list[str]:
    """Who may try several ways gets lucky sooner: the judge's own first way needs no look, another one does."""
    found = [
        line.result for line in lines if line.result is not None and (line.result.ambiguous or line.result.candidate)
    ]
    if not found:
        return []
    told = [f"{one.item} (number {one.candidate + 1}: {one_line(one.binding, 60) or 'unnamed'})" for one in found]
    return [f"Earned by another reading, or order of weights, than the first that was tried: {listed(told)}."]


def _impossible(lines: Sequence[Line]) -> list[str]:
    found = [line.item for line in lines if line.counted and is_doubtful(line.result)]
    return [f"A measured figure is impossible or in doubt: {listed(found)}."] if found else []


def _doubted(lines: Sequence[Line]) -> list[str]:
    """Passes that something contradicts: they earn nothing before a person has looked."""
    found = [line for line in lines if line.counted and line.state == "awaiting" and line.result is not None]
    return [f"{line.item} waits for a person: {one_line(line.message, 300)}" for line in found]


def _late(lateness: Lateness, terms: Terms) -> list[str]:
    if not lateness.late:
        return []
    why = f" The extension: {one_line(terms.reason, 200)}." if terms.reason else ""
    return [f"Late. {' '.join(lateness.words)}{why}"]


def _track(graded: Graded, assignment: Assignment) -> list[str]:
    known = [track.id for track in assignment.tracks]
    if not graded.track or graded.track in known:
        return []
    return [
        f"The track {graded.track!r} is not in the manifest ({', '.join(known) or 'none'}): the full rubric was used."
    ]


def _weak(protections: Mapping[str, str]) -> list[str]:
    """A sentence when the level, or a single protection, says that student code was not held back."""
    level = protections.get("level", "")
    missing = [f"{name} ({word})" for name, word in sorted(protections.items()) if name != "level" and _is_weak(word)]
    if level.lower() in WEAK_LEVELS or (not level and missing):
        named = f": {', '.join(missing)}" if missing else ""
        return [f"The sandbox was weak{f' (level {level})' if level else ''}{named}."]
    return []


@functools.lru_cache(maxsize=256)  # each has the same words thousands of times
def _is_weak(word: str) -> bool:
    first = word.replace(",", " ").replace(":", " ").replace(";", " ").split()
    return bool(first) and first[0].lower() in _WEAK_WORDS
