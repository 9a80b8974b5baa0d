"""The values that pass from stage to stage. Frozen, and free of side effects and of torch.

intake    ──▶ Submission, Violation
worker    ──▶ Observation            (a claim of a hostile process)
judge     ──▶ CheckResult            (the only verdict; goes to the journal)
scoring   ──▶ Report                 (journal + manifest + marks; goes to every output)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

# --- intake ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Person:
    """Who handed something in. Stands in people.csv and nowhere else."""

    key: str
    name: str = ""
    email: str = ""
    person_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """One submission, laid out as plain files below `root` and nothing else.

    `key` names it everywhere; `files` maps the manifest's file ids to paths relative to `root` (posix); `digest`
    is the SHA-256 of names and contents; `notes` are sentences about what intake did (a renamed file found by its
    class, the last of three attempts); `submitted_at` is ISO 8601 where the source says it. `archive` is the name of
    the archive that was handed in: it may hold a student's id, so it is checked at once and stored nowhere.

    A later attempt of the same people has a key of its own (`ada~2`) and says `of` whom it is (`ada`); `active`: the
    platform says whether it is the one that counts. `attention` are sentences for staff: choices that intake made,
    files that are there and were not taken. `prints` are fingerprints of the student's own code, by file id: equal ones
    mean equal code, whatever its names of files, comments and layout.
    """

    key: str
    root: Path
    digest: str
    files: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    people: tuple[Person, ...] = ()
    submitted_at: str | None = None
    late: bool | None = None
    track: str | None = None
    archive: str = ""
    of: str = ""
    attempt: int = 1
    active: bool | None = None
    attention: tuple[str, ...] = ()
    prints: Mapping[str, str] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        """The key under which its author is known, whichever attempt this is."""
        return self.of or self.key


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A submission that cannot be taken in: it gets a row and a message, and costs the others nothing."""

    key: str
    reason: str
    people: tuple[Person, ...] = ()
    digest: str = ""
    submitted_at: str | None = None
    late: bool | None = None
    of: str = ""
    attempt: int = 1
    active: bool | None = None

    @property
    def owner(self) -> str:
        """The key under which its author is known, whichever attempt this is."""
        return self.of or self.key


FateWord = Literal["graded", "left out", "refused"]


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What became of one file or folder that was handed in. A folder's path ends in a slash and stands for all in it.

    `submission` is the key under which it is graded, refused, or was left out; "" where it is nobody's.
    """

    path: str
    fate: FateWord
    submission: str = ""
    why: str = ""


Evidence = Literal["source", "structure", "run"]


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A broken rule with its evidence. What it costs stands in the manifest under `rule`.

    `file` is relative to the submission; `cell` counts from 1 in notebooks; `parts` are the parts it concerns
    (empty: the whole submission).
    """

    rule: str
    message: str
    evidence: Evidence = "source"
    file: str | None = None
    line: int | None = None
    cell: int | None = None
    parts: tuple[str, ...] = ()


# --- what a worker answers ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Notes:
    """What the worker says beside its values. Evidence only: it can cost an item and never earn one.

    `progress` are the (step, {name: number}) that a long probe reported while it ran; `memory_mib` is what the judge
    saw of the worker's memory at those moments, `gpu_mib` what the worker said that its tensors held on a GPU.
    `choices` are the probe's calls of `choose`: (the name that was chosen, the names of all candidates) each.
    `printing` are the files whose code printed, `starved` the seconds for which others had the processors.
    """

    binding: str = ""
    choices: tuple[tuple[str, tuple[str, ...]], ...] = ()
    undeclared: bool = False
    prints: int = 0
    print_text: str = ""
    printing: tuple[str, ...] = ()
    loading: tuple[str, ...] = ()
    operations: tuple[str, ...] | None = None
    module_types: tuple[str, ...] | None = None
    seconds: float = 0.0
    progress: tuple[tuple[int, Mapping[str, float]], ...] = ()
    memory_mib: tuple[float, ...] = ()
    gpu_mib: tuple[float, ...] = ()
    starved: float = field(default=0.0, compare=False)


@dataclass(frozen=True, kw_only=True)
class Values:
    """Named tensors, numbers, flags, short strings and None, as a tree of dicts and lists."""

    values: Mapping[str, object]
    notes: Notes = field(default_factory=Notes)


@dataclass(frozen=True, kw_only=True)
class Raised:
    """The student's code raised. `where` is "file:line" of the innermost frame in the student's files."""

    kind: str
    message: str
    where: str = ""
    trace: tuple[str, ...] = ()
    notes: Notes = field(default_factory=Notes)


@dataclass(frozen=True, kw_only=True)
class NotImplementedYet:
    """The template's hole is still there, or the class, function or file is missing."""

    what: str
    notes: Notes = field(default_factory=Notes)


@dataclass(frozen=True, kw_only=True)
class TimedOut:
    """Killed by the clock: `clock` says which one."""

    seconds: float
    clock: Literal["wall", "processor"] = "wall"
    notes: Notes = field(default_factory=Notes)


@dataclass(frozen=True, kw_only=True)
class OutOfMemory:
    """More memory than the item's limit: what the allocator said, and the student's own lines that asked for it."""

    limit_mib: int
    message: str = ""
    trace: tuple[str, ...] = ()
    notes: Notes = field(default_factory=Notes)


@dataclass(frozen=True, kw_only=True)
class Died:
    """The process ended without an answer: `how` names the signal or exit status.

    `starved`: whether the kernel killed for want of memory while the process lived; None where that cannot be known.
    """

    how: str
    starved: bool | None = None
    notes: Notes = field(default_factory=Notes)


@dataclass(frozen=True, kw_only=True)
class Malformed:
    """The answer breaks the wire's rules: too large, a foreign type, not asked for."""

    what: str
    notes: Notes = field(default_factory=Notes)


Observation = Values | Raised | NotImplementedYet | TimedOut | OutOfMemory | Died | Malformed

# --- verdicts -------------------------------------------------------------------------------------------------

KILLED_REASON = "process killed"  # from outside, as it seems: a person should look before it costs anything
SELF_KILLED_REASON = "process killed itself"  # as it seems: the machine had memory left

DATA_REASON = "needs data"

DOUBT_REASON = "in doubt"  # it passed, and something contradicts it: a person decides

NARROW_REASON = "misses narrowly"  # twice: a person decides

UNREADABLE_REASON = "file unreadable"
# What a message says of a file, or of a name in it; one slip takes all that hangs on it, so staff are told.
NOT_IMPORTED, NOT_READ = " cannot be imported: ", " cannot be read: "
UNREAD = "import of "  # among a trace's operations: a module of the student's that is no file that was handed in

Status = Literal["passed", "failed", "not_attempted", "skipped", "grader_error"]
STATUSES: tuple[Status, ...] = ("passed", "failed", "not_attempted", "skipped", "grader_error")


@dataclass(frozen=True, kw_only=True, slots=True)  # a class has a hundred thousand
class CheckResult:
    """The outcome of one item for one submission.

    `credit` is in [0, 1]. `message` is what the student reads (plain text, capped); `hint` names the known mistake
    that produces the same numbers; `reason` is a short word for tables ("values differ", "timed out"); `case`
    reproduces it; `route` and `binding` say how the item was earned, `candidate` how many ways of reading the
    submission had failed before the one that passed; `figures` are the comparison's numbers; `staff` is evidence that
    students never see. `only` names sizes if it fails just where one of them is 1; `charged_with` is the item that
    charges the same mistake, if that is all that is wrong with this one; `sentence` is what its test
    says that it looks at.
    """

    item: str
    status: Status
    credit: float = 0.0
    message: str = ""
    hint: str = ""
    reason: str = ""
    only: str = ""
    charged_with: str = ""
    case: str = ""
    route: str = ""
    binding: str = ""
    ambiguous: bool = False
    candidate: int = 0
    figures: Mapping[str, object] = field(default_factory=dict)
    output: str = ""
    notes: tuple[str, ...] = ()
    staff: str = ""
    observation: str = ""
    seconds: float = 0.0
    sentence: str = ""


Took = tuple[str, float]  # the observation and the seconds of a result: what differs every time


def unjudged(item: str, staff: str, seconds: float = 0.0) -> CheckResult:
    """The result of an item that the grader itself could not judge; `staff` says why, cleaned and capped."""
    return CheckResult(
        item=item,
        status="grader_error",
        reason="grader error",
        message="The grader could not judge this item; the points stay open until a person has looked at it.",
        staff=staff,
        seconds=seconds,
    )


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What the reference alone shows about an item.

    `noise` is the largest share of a bound that rounding uses up (None: nothing is compared with the reference),
    `bound` the relative bound, `lets_pass` the wrong values that the test accepts, `earned_by` the adversaries without
    a solution that earn at least a part of it, `vanishing` the gradients that are zero in every case. `runs` are the
    functions of the reference that run (None: it reads the files themselves).
    """

    noise: float | None
    bound: float
    lets_pass: tuple[str, ...]
    earned_by: tuple[str, ...] = ()
    vanishing: tuple[str, ...] = ()
    runs: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A line of a file of marks: a person fills a manual item or overrides an automatic one."""

    submission: str
    item: str
    points: Decimal
    comment: str = ""
    by: str = ""
    line: int = field(default=0, compare=False)
    file: str = field(default="", compare=False)


VoidHow = Literal["full", "out"]


@dataclass(frozen=True, kw_only=True)
class Void:
    """A line of voids.csv: an item that gives all its points to everybody, or is out of scores and totals."""

    item: str
    how: VoidHow
    by: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a person decided about an attempt: a broken rule costs it nothing, or what an item measured stands."""

    submission: str
    attempt: int = 1
    rule: str = ""
    item: str = ""


# --- reports --------------------------------------------------------------------------------------------------

LineState = Literal["passed", "partly", "failed", "not_attempted", "skipped", "grader_error", "awaiting", "marked"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One rubric line of a report. `score is None`: open (skipped, grader error, awaiting a person).

    `earned` is what the item would be worth without consequences (the lenient figure).
    """

    item: str
    title: str
    question: str
    state: LineState
    maximum: Decimal
    earned: Decimal | None = None
    score: Decimal | None = None
    counted: bool = True
    extra_credit: bool = False
    origin: str = "handout"
    visibility: str = "visible"
    message: str = ""
    hint: str = ""
    comment: str = ""
    result: CheckResult | None = None


@dataclass(frozen=True, kw_only=True)
class Applied:
    """A consequence that was applied (or, leniently, only reported) and what it took.

    `private`: the evidence is for staff, since its subject could learn from it how not to be found.
    """

    rule: str
    title: str
    action: str
    taken: Decimal
    violations: tuple[Violation, ...] = ()
    lenient: bool = False
    private: bool = False


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One of several attempts of the same people. `key` names its files; `score is None`: nothing is decided of it."""

    number: int
    key: str
    score: Decimal | None
    open_points: Decimal = Decimal(0)
    submitted_at: str | None = None
    late: bool | None = None
    refused: bool = False


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that is known about one submission. Every result file is made from this and nothing else.

    Of several attempts it is about number `attempt`; `attempts` lists all. `unfinished`: grading was interrupted, so
    that nothing is decided. `log` is the head of the log of decisions when it was made. `late`: after deadline and
    grace (None: nothing says so), with `late_days` used for it; `handed_in` says so to the student. `took`: by item
    what the result of a line leaves out, so that all who did the same share the line.
    """

    key: str
    slug: str
    title: str
    lines: tuple[Line, ...]
    questions: tuple[tuple[str, str], ...]
    score: Decimal
    would_be: Decimal
    total: Decimal
    open_points: Decimal
    applied: tuple[Applied, ...] = ()
    notes: tuple[str, ...] = ()
    refused: str = ""
    track: str = ""
    attention: tuple[str, ...] = ()
    protections: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: str = ""
    seconds: float = 0.0
    attempt: int = 1
    attempts: tuple[Attempt, ...] = ()
    unfinished: bool = False
    log: str = ""
    submitted_at: str | None = None
    late: bool | None = None
    late_days: int = 0
    handed_in: tuple[str, ...] = ()
    took: Mapping[str, Took] = field(default_factory=dict)

    def whole(self) -> Report:
        """The same report, each line with what its item took."""
        if not self.took:
            return self
        return replace(self, lines=tuple([with_took(line, self.took.get(line.item)) for line in self.lines]), took={})


def with_took(line: Line, took: Took | None) -> Line:
    """The line with what its item took, where that is told beside it."""
    if took is None or line.result is None:
        return line
    return replace(line, result=replace(line.result, observation=took[0], seconds=took[1]))


@dataclass(frozen=True, kw_only=True)
class Graded:
    """What the journal holds of one submission: the only input of scoring beside the manifest and the marks.

    `took`: by item what its result leaves out, so that all who did the same share the result.
    """

    key: str
    digest: str = ""
    results: Mapping[str, CheckResult] = field(default_factory=dict)
    violations: tuple[Violation, ...] = ()
    notes: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""
    submitted_at: str | None = None
    late: bool | None = None
    track: str | None = None
    protections: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: str = ""
    seconds: float = 0.0
    of: str = ""
    attempt: int = 1
    active: bool | None = None
    attention: tuple[str, ...] = ()
    prints: Mapping[str, str] = field(default_factory=dict)
    finished: bool = True
    took: Mapping[str, Took] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        """The key under which its author is known, whichever attempt this is."""
        return self.of or self.key


def attempt_key(owner: str, number: int) -> str:
    """The key of an attempt: the owner's own for the first, so that most results have plain keys."""
    return owner if number == 1 else f"{owner}~{number}"


def fields_of(value: Any) -> dict[str, Any]:
    """The fields of one of these, its values as they are: what `asdict` copies in depth takes ten times as long."""
    names, values = _names(value.__class__)
    return dict(zip(names, values(value), strict=True))


@functools.cache
def _names(kind: Any) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    names = tuple(entry.name for entry in fields(kind))
    return names, attrgetter(*names)
