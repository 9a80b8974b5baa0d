"""A class at a glance: what its reports say together, for people who decide. Reports in, facts out.

An item that most fail with the very same mismatch is probably the handout's fault or ours, so that comes first.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from grader.course.terms import on_roster
from grader.model import Line, LineState, Person, Report
from grader.reports.learning import Series, learning_of
from grader.reports.tables import ordered
from grader.reports.words import MISSED, STATE_WORDS, open_lines, state_of
from grader.scoring.breaches import LATE
from grader.text import clean, one_line
from grader.thresholds import is_doubtful, of_training
from grader.wording import listed, plural, points, points_word

LEAST_ALIKE, LEAST_TRIED = 3, 5  # fewer that fail alike, or that tried, say nothing about an item
BINS = 10
SHOWN = 12
TRIED: tuple[LineState, ...] = ("passed", *MISSED)


@dataclass(frozen=True, kw_only=True)
class Student:
    """One row: a person of the roster, or a submission of nobody there. `share` is in per cent of the total."""

    name: str
    key: str = ""
    score: str = ""
    share: int | None = None
    open_points: str = ""
    state: str = "no submission"
    late: str = ""
    look: str = ""


@dataclass(frozen=True, kw_only=True)
class ItemFacts:
    """One item: of `tried` submissions `failed` did not earn all of it, `alike` of them with the same `mismatch`.

    `discrimination` is the point-biserial correlation of passing it with the points of all other items (None: too few).
    """

    item: str
    title: str
    tried: int
    failed: int
    not_attempted: int
    undecided: int
    mean: str
    alike: int = 0
    mismatch: str = ""
    hint: str = ""
    discrimination: float | None = None
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """The share of failures among those who tried."""
        return self.failed / self.tried if self.tried else 0.0

    @property
    def is_suspect(self) -> bool:
        """Whether most who tried it fail, and in the very same way."""
        return self.alike >= LEAST_ALIKE and 2 * self.alike > self.tried


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A known mistake: who made it, which items it cost, and how many points in all and of the median submission."""

    hint: str
    submissions: int
    items: tuple[str, ...]
    lost: str
    median: str


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """The curves of one training over the class, those that earned everything apart, and the figures in numbers."""

    item: str
    title: str
    passed: tuple[Series, ...]
    others: tuple[Series, ...]
    level: float | None
    figures: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Something that concerns several submissions: what it is, how many, which ones (the first few)."""

    what: str
    count: int
    who: str
    more: str = ""


@dataclass(frozen=True, kw_only=True)
class Overview:
    """Everything that the page and the terminal show of a class."""

    slug: str
    title: str
    headline: str
    first: tuple[str, ...]
    students: tuple[Student, ...]
    bins: tuple[tuple[str, int], ...]
    quartiles: str
    items: tuple[ItemFacts, ...]
    mistakes: tuple[Mistake, ...]
    trainings: tuple[Overlay, ...]
    costs: tuple[tuple[str, str], ...]
    waiting: tuple[Case, ...]
    doubts: tuple[Case, ...]
    breaches: tuple[Case, ...]
    late: tuple[Case, ...]


@dataclass(frozen=True)
class _Names:
    """How submissions are called: by their people where these are known, else by their keys."""

    people: Mapping[str, Sequence[Person]] = field(default_factory=dict)

    def of(self, key: str) -> str:
        said = [person.name or person.email or person.person_id for person in self.people.get(key, ())]
        return one_line(", ".join(filter(None, said)), 120) or key

    def listed(self, keys: Iterable[str]) -> str:
        return listed([self.of(key) for key in keys], SHOWN)


Pairs = list[tuple[Report, Line]]


def overview(
    reports: Sequence[Report], people: Sequence[Person] = (), roster: Sequence[Person] = (), *, anonymous: bool = False
) -> Overview:
    """The class of these reports. With `anonymous` nobody is named, though everybody is counted."""
    reports = ordered(reports)
    behind: dict[str, list[Person]] = {}
    for person in people:
        behind.setdefault(person.key, []).append(person)
    names = _Names({} if anonymous else behind)
    taken = [report for report in reports if not report.refused and not report.unfinished]
    by_item: dict[str, Pairs] = {}
    for report in taken:
        for line in report.lines:
            if line.counted:
                by_item.setdefault(line.item, []).append((report, line))
    found = [_item(pairs) for pairs in by_item.values()]
    items = sorted(
        (entry for entry in found if entry.tried or entry.not_attempted), key=lambda entry: (-entry.rate, entry.item)
    )
    students = _students(reports, behind, roster, names, anonymous=anonymous)
    overlays = (_overlay(pairs) for pairs in by_item.values())
    return Overview(
        slug=reports[0].slug if reports else "",
        title=one_line(reports[0].title) if reports else "",
        headline=_headline(reports, students),
        first=tuple(_first(items, reports, names)),
        students=students,
        bins=_bins(taken),
        quartiles=_quartiles(taken),
        items=tuple(items),
        mistakes=_mistakes(taken),
        trainings=tuple(entry for entry in overlays if entry is not None),
        costs=tuple(_costs(taken, by_item, names)),
        waiting=_waiting(taken, names),
        doubts=_doubts(taken, names),
        breaches=_breaches(taken, names),
        late=_late(reports, names),
    )


# --- everybody --------------------------------------------------------------------------------------------------------


def _students(
    reports: Sequence[Report],
    behind: Mapping[str, Sequence[Person]],
    roster: Sequence[Person],
    names: _Names,
    *,
    anonymous: bool,
) -> tuple[Student, ...]:
    """A row for everybody on the roster, in its order, then for submissions of nobody there."""
    find = on_roster(roster)
    keys: dict[int, str] = {}
    strangers = []
    for report in reports:
        found = [find(person) for person in behind.get(report.key) or [Person(key=report.key)]]
        keys.update({id(entry): report.key for entry in found if entry is not None})
        if not any(found):
            strangers.append(report)
    by_key = {report.key: report for report in reports}
    rows = []
    for number, entry in enumerate(roster, start=1):
        key = keys.get(id(entry), "")
        name = (key or f"roster, number {number}") if anonymous else entry.name or entry.email or entry.person_id
        rows.append(_student(one_line(name, 120), by_key[key]) if key else Student(name=one_line(name, 120)))
    return (*rows, *(_student(names.of(report.key), report) for report in strangers))


def _student(name: str, report: Report) -> Student:
    share = None if report.unfinished or not report.total else int(100 * report.score / report.total)
    return Student(
        name=name,
        key=report.key,
        score="" if report.unfinished else points(report.score),
        share=share,
        open_points=points(report.open_points) if report.open_points else "",
        state=state_of(report),
        late="late" if report.late else "",
        look=one_line(report.attention[0], 160) if report.attention else "",
    )


def _headline(reports: Sequence[Report], students: Sequence[Student]) -> str:
    missing = sum(not student.key for student in students)
    counts = [
        plural(len(reports), "submission"),
        f"{missing} on the roster without one" if missing else "",
        *(f"{count} {word}" for word, count in (
            ("late", sum(report.late is True for report in reports)),
            ("refused", sum(bool(report.refused) for report in reports)),
            ("unfinished", sum(report.unfinished for report in reports)),
            ("with open points", sum(report.open_points > 0 for report in reports)),
        ) if count),
    ]  # fmt: skip
    return ", ".join(filter(None, counts)) + "."


def _quartiles(reports: Sequence[Report]) -> str:
    scores = sorted(report.score for report in reports)
    if not scores:
        return "No submission has a score yet."
    totals = {report.total for report in reports}
    of = f" of {points(totals.pop())}" if len(totals) == 1 else ""
    low, middle, high = statistics.quantiles(scores, method="inclusive") if len(scores) > 1 else scores * 3
    shown = [points(Decimal(value).quantize(Decimal("0.1"))) for value in (middle, low, high)]
    ends = f"{points(scores[0])} to {points(scores[-1])}"
    return f"Median {shown[0]}{of}, the middle half from {shown[1]} to {shown[2]}, all from {ends}."


def _bins(reports: Sequence[Report]) -> tuple[tuple[str, int], ...]:
    """How many scores lie in each tenth of the total; what extra credit lifts above it is in the last."""
    shares = [report.score / report.total for report in reports if report.total > 0]
    counts = Counter(max(0, min(BINS - 1, int(share * BINS))) for share in shares)
    step = 100 // BINS
    return tuple((f"{number * step} to {number * step + step} %", counts[number]) for number in range(BINS))


# --- items ------------------------------------------------------------------------------------------------------------


def _item(pairs: Pairs) -> ItemFacts:
    first = pairs[0][1]
    states = Counter(line.state for _, line in pairs)
    missed = [line for _, line in pairs if line.state in MISSED and line.result is not None]
    same = Counter((line.message, line.hint) for line in missed)
    (message, hint), alike = min(same.items(), key=lambda entry: (-entry[1], entry[0]), default=(("", ""), 0))
    scores = [line.earned for _, line in pairs if line.earned is not None]
    mean = sum(scores, Decimal(0)) / len(scores) if scores else None
    seconds = [line.result.seconds for _, line in pairs if line.result is not None]
    return ItemFacts(
        item=first.item,
        title=one_line(first.title),
        tried=sum(states[state] for state in TRIED),
        failed=states["failed"] + states["partly"],
        not_attempted=states["not_attempted"],
        undecided=sum(line.score is None for _, line in pairs),
        mean=f"{points(mean.quantize(Decimal('0.01')))} of {points(first.maximum)}"
        if mean is not None and first.maximum
        else "",
        alike=alike,
        mismatch=one_line(clean(message, 300), 110),
        hint=one_line(hint, 160),
        discrimination=_discrimination(pairs),
        seconds=sum(seconds),
    )


def _discrimination(pairs: Pairs) -> float | None:
    states = (*TRIED, "not_attempted")
    decided = [(report, line) for report, line in pairs if line.earned is not None and line.state in states]
    passed = [float(line.state == "passed") for _, line in decided]
    rest = [float(report.would_be - line.earned) for report, line in decided if line.earned is not None]
    if len(decided) < LEAST_TRIED or len(set(passed)) < 2 or len(set(rest)) < 2:
        return None
    return statistics.correlation(passed, rest)


def _first(items: Sequence[ItemFacts], reports: Sequence[Report], names: _Names) -> Iterable[str]:
    """What is probably not the students' fault, before anything is said of them."""
    for entry in sorted(items, key=lambda entry: -entry.alike):
        if entry.is_suspect:
            said = f"“{entry.hint}”" if entry.hint else entry.mismatch.rstrip(".")
            yield (
                f"{entry.item}: {entry.alike} of {entry.tried} who tried it fail in the very same way ({said}). "
                "That is probably the handout's fault, or ours: read the item before you release grades."
            )
    for case in _by_line(reports, names, lambda line: line.state == "grader_error"):
        yield f"The grader could not judge {case.what} of {plural(case.count, 'submission')}: {case.who}."
    for word, found in (
        ("refused", [report.key for report in reports if report.refused]),
        ("not finished", [report.key for report in reports if report.unfinished]),
    ):
        if found:
            yield f"{plural(len(found), 'submission')} {word}: {names.listed(found)}."


def _mistakes(reports: Sequence[Report]) -> tuple[Mistake, ...]:
    """Known mistakes, the dearest for the class first."""
    lost: dict[str, dict[str, Decimal]] = {}
    items: dict[str, dict[str, None]] = {}
    for report in reports:
        for line in report.lines:
            if line.hint and line.counted and line.earned is not None and line.earned < line.maximum:
                by_key = lost.setdefault(line.hint, {})
                by_key[report.key] = by_key.get(report.key, Decimal(0)) + line.maximum - line.earned
                items.setdefault(line.hint, {})[line.item] = None
    found = []
    for hint, by_key in lost.items():
        each = list(by_key.values())
        total, middle = sum(each, Decimal(0)), statistics.median(each)
        mistake = Mistake(
            hint=one_line(hint, 200),
            submissions=len(each),
            items=tuple(items[hint]),
            lost=points(total),
            median=points(middle),
        )
        found.append((-total, hint, mistake))
    return tuple(mistake for *_, mistake in sorted(found, key=lambda entry: entry[:2]))


# --- trainings, time, memory ------------------------------------------------------------------------------------------


def _overlay(pairs: Pairs) -> Overlay | None:
    """The metric's curve of every submission, else that of the first thing it reported."""
    passed: list[Series] = []
    others: list[Series] = []
    values: list[float] = []
    for _, line in pairs:
        learning = learning_of(line.result)
        if learning is None or not learning.series:
            continue
        series = learning.series[-1]
        (passed if line.state == "passed" else others).append(series)
        values += [] if series.end is None else [series.end]
    if not passed and not others:
        return None
    level = next((series.level for series in (*passed, *others) if series.level is not None), None)
    figures = [("Submissions", f"{len(passed) + len(others)}, {len(passed)} passed")]
    if values:
        spread = f"{statistics.median(values):.4g} (from {min(values):.4g} to {max(values):.4g})"
        figures += [("Measured, median", spread), *([("Wanted", f"{level:.4g}")] if level is not None else [])]
    first = pairs[0][1]
    return Overlay(
        item=first.item,
        title=one_line(first.title),
        passed=tuple(passed),
        others=tuple(others),
        level=level,
        figures=tuple(figures),
    )


def _costs(reports: Sequence[Report], by_item: Mapping[str, Pairs], names: _Names) -> Iterable[tuple[str, str]]:
    """What the class took: in all, by submission, by the dearest items, and the memory of trainings."""
    if not reports:
        return
    longest = max(reports, key=lambda report: (report.seconds, report.key))
    yield "All submissions", f"{sum(report.seconds for report in reports):,.0f} s of judging"
    middle = statistics.median(report.seconds for report in reports)
    yield "One submission", f"median {middle:.1f} s, at most {longest.seconds:.1f} s ({names.of(longest.key)})"
    sums = {name: [line.result.seconds for _, line in pairs if line.result] for name, pairs in by_item.items()}
    for name, seconds in sorted(sums.items(), key=lambda entry: (-sum(entry[1]), entry[0]))[:5]:
        if sum(seconds) > 0:
            each = f"median {statistics.median(seconds):.2f} s, at most {max(seconds):.1f} s"
            yield name, f"{sum(seconds):,.1f} s in all, {each}"
    for name, pairs in by_item.items():
        peaks = [(peak, report.key) for report, line in pairs if (peak := _peak(line)) is not None]
        if peaks:
            most, key = max(peaks)
            middle = statistics.median(peak for peak, _ in peaks)
            yield f"{name}, memory", f"median {middle:,.0f} MiB, at most {most:,.0f} MiB ({names.of(key)})"


def _peak(line: Line) -> float | None:
    peak = (of_training(line.result) or {}).get("peak_mib")
    return float(peak) if isinstance(peak, int | float) else None


# --- for people to decide ---------------------------------------------------------------------------------------------


def _waiting(reports: Sequence[Report], names: _Names) -> tuple[Case, ...]:
    """Items that only a person can decide, with the submissions that wait for them."""
    waits: dict[tuple[str, LineState], list[tuple[str, Decimal]]] = {}
    for report in reports:
        for line in (line for line in open_lines(report) if line.state != "skipped"):
            waits.setdefault((line.item, line.state), []).append((report.key, line.maximum))
    return tuple(
        Case(
            what=item,
            count=len(own),
            who=names.listed(key for key, _ in own) if len(own) < len(reports) else "everybody who was graded",
            more=f"{STATE_WORDS[state]}, {points_word(own[0][1])}",
        )
        for (item, state), own in waits.items()
    )


def _doubts(reports: Sequence[Report], names: _Names) -> tuple[Case, ...]:
    """Work that honest people hand in as well: passes that something contradicts, near misses, impossible figures."""
    return _by_line(
        reports,
        names,
        lambda line: (line.state == "awaiting" and line.result is not None) or is_doubtful(line.result),
    )


def _by_line(reports: Sequence[Report], names: _Names, wanted: Callable[[Line], bool]) -> tuple[Case, ...]:
    found: dict[tuple[str, str], list[str]] = {}
    for report in reports:
        for line in report.lines:
            if line.counted and wanted(line):
                found.setdefault((line.item, one_line(line.message, 200)), []).append(report.key)
    return tuple(
        Case(what=item, count=len(keys), who=names.listed(keys), more=why)
        for (item, why), keys in sorted(found.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    )


def _breaches(reports: Sequence[Report], names: _Names) -> tuple[Case, ...]:
    """Broken rules of the handout, lateness aside, the dearest first."""
    found: dict[tuple[str, str], list[tuple[Decimal, str]]] = {}
    for report in reports:
        for entry in report.applied:
            if entry.rule != LATE:
                found.setdefault((entry.rule, entry.title), []).append((entry.taken, report.key))
    cases = []
    for (rule, title), hits in found.items():
        taken = sum((points_taken for points_taken, _ in hits), Decimal(0))
        case = Case(
            what=one_line(f"{title} ({rule})", 200),
            count=len(hits),
            who=names.listed(key for _, key in hits),
            more=f"took {points_word(taken)}" if taken else "took nothing",
        )
        cases.append((-taken, rule, case))
    return tuple(case for *_, case in sorted(cases, key=lambda entry: entry[:2]))


def _late(reports: Sequence[Report], names: _Names) -> tuple[Case, ...]:
    """Who was late, by the rule that said what it costs."""
    found: dict[tuple[int, str], list[Report]] = {}
    for report in reports:
        if report.late:
            found.setdefault((report.late_days, report.handed_in[-1] if report.handed_in else ""), []).append(report)
    cases = []
    for (days, why), own in sorted(found.items()):
        taken = sum((entry.taken for one in own for entry in one.applied if entry.rule == LATE), Decimal(0))
        used = f"{plural(days, 'late day')} used. " if days else ""
        who = names.listed(report.key for report in own)
        cases.append(
            Case(what=f"{used}{why}".rstrip("."), count=len(own), who=who, more=f"{points_word(taken)} in all")
        )
    return tuple(cases)
