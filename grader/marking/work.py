"""What of a class awaits a person, and whose it is to mark: a pure function of scores and of everybody's marks.

A place is one item of one submission. Places are walked item by item, within an item by a digest of the key, so that no
marker sees a class by its names or in the order of the one before. Five of a hundred submissions, chosen by digest, are
for two markers, of whom neither sees what the other gave.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from grader.assignment.assignment import Assignment
from grader.course.marks import Sheet
from grader.model import Line, Mark, Report
from grader.wording import plural, points

SHARE = 0.05  # of submissions that two people mark

Place = tuple[str, str]  # submission, item


@dataclass(frozen=True, kw_only=True)
class Work:
    """Everything that waits, in the order in which it is walked; `doubles` are the submissions for two markers."""

    lines: Mapping[Place, Line]
    doubles: frozenset[str]

    @property
    def keys(self) -> list[str]:
        """The submissions with something that waits, in the order in which they are reserved."""
        return sorted({key for key, _ in self.lines}, key=digest)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Everybody's marks: each marker's file by name, and the places that marks.csv, the last word, decides."""

    sheets: Mapping[str, Sheet]
    decided: frozenset[Place] = frozenset()

    def of(self, who: str) -> Sheet:
        """A marker's file; an empty one for whoever gave nothing yet."""
        return self.sheets.get(who, Sheet())

    def others(self, who: str) -> list[Sheet]:
        """The files of everybody else."""
        return [sheet for name, sheet in self.sheets.items() if name != who]


def digest(key: str) -> str:
    """By what a submission is known to markers: twelve hexadecimal digits that say nothing of whose it is."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def awaiting(reports: Sequence[Report], assignment: Assignment) -> Work:
    """What waits in reports that were made without marks. Of alternatives all are offered, whichever will count."""
    choices = {name for choice in assignment.choices for name in choice.items}
    found: dict[Place, Line] = {}
    for report in reports:
        for line in () if report.refused or report.unfinished else report.lines:
            if line.state == "awaiting" and (line.counted or line.item in choices):
                found[report.key, line.item] = line
    order = {item.id: number for number, item in enumerate(assignment.items)}
    places = sorted(found, key=lambda place: (order[place[1]], digest(place[0])))
    return Work(lines={place: found[place] for place in places}, doubles=_doubles({key for key, _ in places}))


def _doubles(keys: Collection[str]) -> frozenset[str]:
    """By digest alone, so that a class that grows keeps those it had; at least one of two."""
    if len(keys) < 2:
        return frozenset()
    least = min(keys, key=digest)
    return frozenset({least, *(key for key in keys if int(digest(key), 16) < SHARE * 16**12)})


def walk(work: Work, standing: Standing, who: str) -> list[Place]:
    """The places of a marker, what is marked already included: of what was reserved, else of what nobody else has."""
    own, others = standing.of(who), standing.others(who)
    given = own.given

    def is_mine(place: Place) -> bool:
        key = place[0]
        wanted = 2 if key in work.doubles else 1
        free = sum(place in sheet.given for sheet in others) < wanted and place not in standing.decided
        if own.reserved:
            return free and key in own.reserved
        return free and sum(key in sheet.reserved for sheet in others) < wanted

    return [place for place in work.lines if place in given or is_mine(place)]


def left(work: Work, standing: Standing, who: str) -> list[Place]:
    """What a marker still has to mark."""
    given = standing.of(who).given
    return [place for place in walk(work, standing, who) if place not in given]


def reserve(work: Work, standing: Standing, who: str, count: int) -> frozenset[str]:
    """The next `count` submissions for a marker; fewer where no more are left, none while earlier ones wait.

    At most a tenth of them, or one, are for two markers, so that everybody's marks are compared with somebody's: those
    that have a first marker before others.
    """
    own, others = standing.of(who), standing.others(who)
    waiting = {key for key, _ in left(work, standing, who)}
    if own.reserved and waiting:
        return frozenset()
    takers = {key: sum(key in sheet.reserved for sheet in others) for key in work.keys}
    free = [key for key in work.keys if _is_free(key, work, standing, who) and key not in own.reserved]
    twice = sorted((key for key in free if key in work.doubles and takers[key] < 2), key=lambda key: -takers[key])
    once = [key for key in free if key not in work.doubles and not takers[key]]
    most = max(1, math.ceil(2 * SHARE * count))
    return frozenset([*twice[:most], *once, *twice[most:]][:count])


def _is_free(key: str, work: Work, standing: Standing, who: str) -> bool:
    """Whether something of a submission is left for this marker by those who marked without reserving."""
    wanted = 2 if key in work.doubles else 1
    places = [place for place in work.lines if place[0] == key and place not in standing.decided]
    others = standing.others(who)
    return any(sum(place in sheet.given for sheet in others) < wanted for place in places)


def kept_comments(work: Work, standing: Standing, who: str, item: str) -> list[str]:
    """Comments that anybody gave for an item, the commonest first; not those of others on work for two markers."""
    counts: dict[str, int] = {}
    for name, sheet in standing.sheets.items():
        for mark in sheet.marks:
            if mark.item == item and mark.comment and (name == who or mark.submission not in work.doubles):
                counts[mark.comment] = counts.get(mark.comment, 0) + 1
    return sorted(counts, key=lambda comment: (-counts[comment], comment))


def report(work: Work, standing: Standing) -> str:
    """Who marked how much, how much is left, and where two markers of one item differ."""
    given = {name: sheet.given for name, sheet in sorted(standing.sheets.items())}
    names = {place: [name for name, marks in given.items() if place in marks] for place in work.lines}
    twice = [place for place, who in names.items() if len(who) > 1]
    done = sum(bool(who) or place in standing.decided for place, who in names.items())
    lines = [f"{done} of {len(work.lines)} places are marked, {len(twice)} of them by two people."]
    lines += [f"  {name}: {_tally(marks.values())}" for name, marks in given.items()]
    differ = [place for place in twice if len({given[name][place].points for name in names[place]}) > 1]
    if twice:
        gaps = [_gap([given[name][place].points for name in names[place]]) for place in twice]
        mean = f"{sum(gaps) / len(gaps):.2g} points on average over all of them"
        lines.append(f"Of {plural(len(twice), 'place')} with two marks {len(differ)} differ, by {mean}.")
    for place in differ:
        said = ", ".join(_said(name, given[name][place]) for name in names[place])
        settled = "; marks.csv decides" if place in standing.decided else ""
        lines.append(f"  {place[0]}, {place[1]} ({points(work.lines[place].maximum)}): {said}{settled}")
    second = sum(len(who) == 1 for place, who in names.items() if place[0] in work.doubles)
    if second:
        lines.append(f"{plural(second, 'place')} of submissions for two markers still with one mark.")
    return "\n".join(lines) + "\n"


def _tally(marks: Iterable[Mark]) -> str:
    points = [mark.points for mark in marks]
    mean = f", {sum(points) / len(points):.3g} points on average" if points else ""
    return f"{plural(len(points), 'mark')}{mean}"


def _said(name: str, mark: Mark) -> str:
    return f"{name} gives {points(mark.points)}" + (f" ({mark.comment})" if mark.comment else "")


def _gap(points: Sequence[Decimal]) -> float:
    return float(max(points) - min(points))
