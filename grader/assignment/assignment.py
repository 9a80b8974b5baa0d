"""What an `assignment.yaml` says, as frozen data. Read by `grader.assignment.manifest`, never built by hand elsewhere.

Points are exact decimals (half points exist), so they are `Decimal` from the file to the report.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Literal

Visibility = Literal["visible", "hidden", "after_due_date", "after_published"]
Origin = Literal["handout", "ours"]
ItemKind = Literal["automatic", "manual"]
Action = Literal["report", "deduct", "cap", "zero"]
Scope = Literal["item", "question", "group", "everything"]
FileKind = Literal["python", "notebook", "data"]
SourceRule = Literal["imports", "forbidden", "required", "signature", "file_name", "unexpected_file"]
Metric = Literal["accuracy", "perplexity", "exact_match", "share", "loss"]
SHARES = ("accuracy", "exact_match", "share")  # metrics from 0 to 1, shown in per cent
Counts = Literal["last", "best", "active", "last_on_time"]
TrainingWay = Literal["retrained", "checkpoint"]
RuleVisibility = Literal["visible", "staff"]
RuleKind = Literal[SourceRule, "prints", "runs", "archive_name"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one item may use. Wall clock and processor time in seconds, memory beyond the idle worker in MiB."""

    wall_seconds: float = 10.0
    cpu_seconds: float = 10.0
    memory_mib: int = 1024
    output_kib: int = 64


@dataclass(frozen=True, kw_only=True)
class ExpectedFile:
    """A file that a student hands in.

    `id` is the key under which a probe reaches it (`modules["lstm"]`); `defines` are the classes and functions
    by which it is found when it was renamed; `imports` are the top-level modules it may import (`None`: those that
    the template's file imports).
    """

    id: str
    path: str
    kind: FileKind = "python"
    defines: tuple[str, ...] = ()
    required: bool = True
    imports: tuple[str, ...] | None = None
    other_names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Question:
    """A heading of the handout. `points` is the total that its items must add up to, when it states one."""

    id: str
    title: str
    group: str = "programming"
    points: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one worker process checks: the class or function that a group of items grades."""

    id: str
    title: str
    question: str
    file: str | None = None


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What an item needs beyond a processor; an item whose needs are not met here is skipped, never failed."""

    gpu: bool = False
    data: tuple[str, ...] = ()
    file: str | None = None
    minutes: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What one training may use on one source of data, and what its figure must reach.

    `steps` are optimiser steps; `seconds` of processor time are the safety net (twice as many on the wall clock);
    `memory_mib` beyond the idle worker. `full` is the figure that earns everything; `credit` are further points
    (figure, credit) of a curve, linear in between and nothing beyond the last. `substitute` names the data when it is
    not the course's own.
    """

    steps: int
    seconds: float
    full: float | None = None
    memory_mib: int = 2048
    credit: tuple[tuple[float, ...], ...] = ()
    origin: Origin = "ours"
    substitute: str = ""


@dataclass(frozen=True, kw_only=True)
class Training:
    """An item whose points follow from a measured figure.

    `counted` says what the figure counts: vocabulary, tokenisation, positions, decoding, split. `made` is the budget
    on the synthetic data, `real` on the data that the item needs. `possible` are the least and the greatest figure
    that can be true. `beats` names an item whose figure this one must improve on; when that item earned nothing, the
    reference's figure is the bar.
    """

    metric: Metric
    counted: str
    made: Budget
    real: Budget | None = None
    data: str = ""
    way: TrainingWay = "retrained"
    possible: tuple[float, ...] = ()
    beats: str | None = None

    @property
    def higher_is_better(self) -> bool:
        """Which way the metric improves."""
        return self.metric not in ("perplexity", "loss")

    def budget(self, source: str) -> Budget | None:
        """The budget on that source of data, "made" or "real"."""
        return self.made if source == "made" else self.real


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """An item whose points follow from predictions that are handed in: `metric` against `labels`, a CSV in the suite.

    `full` is the figure that earns everything, `credit` are pairs of a worse one and a share.
    """

    labels: str
    metric: Literal["accuracy", "macro_f1", "mse", "rmse", "mae"]
    full: float
    credit: tuple[tuple[float, ...], ...] = ()

    @property
    def higher_is_better(self) -> bool:
        """Which way the metric improves."""
        return self.metric in ("accuracy", "macro_f1")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the reference reached over several seeds; written by `grader calibrate`, never by hand.

    `false_fail` is the chance that a right submission misses the threshold, the second try included: of the reference,
    or of the worst one of the `styles` that were measured too, by what is begun otherwise.
    """

    figures: tuple[float, ...]
    seeds: tuple[str, ...]
    mean: float
    spread: float
    false_fail: float
    steps: int
    seconds: float
    device: str
    data: str
    versions: str
    memory_mib: float = 0.0
    styles: dict[str, tuple[float, ...]] = field(default_factory=dict)
    worst: str = ""

    @property
    def widest(self) -> float:
        """The greatest spread, of the reference's figures or of those of a style."""
        spreads = [statistics.stdev(figures) for figures in self.styles.values() if len(figures) > 1]
        return max(self.spread, *spreads, 0.0)


def evidence_key(source: str, device: str) -> str:
    """Under which name evidence is kept: "made", or "made on cuda"."""
    return source if device == "cpu" else f"{source} on {device}"


def source_of(key: str) -> str:
    """The source of data, "made" or "real", that evidence of this name was measured on."""
    return key.partition(" on ")[0]


@dataclass(frozen=True, kw_only=True)
class Item:
    """One line of the rubric. An automatic item has exactly one test; a manual one waits for a person.

    `replaces`: an item that takes the place of that one: a computed answer when `needs.file` was handed in, a measured
    training when it was run on real data (on data made by code it stands beside it, and counts for nothing).
    `doubted_by`: checks that contradict what this item believes; when one of them fails, a pass waits for a person.
    `unanchored`: why no truth that the judge holds can decide it, only the submission's own values.
    `made_from`: the call of the short form that it was written from.
    """

    id: str
    question: str
    points: Decimal
    part: str | None = None
    kind: ItemKind = "automatic"
    title: str = ""
    visibility: Visibility = "visible"
    origin: Origin = "handout"
    extra_credit: bool = False
    needs: Needs = field(default_factory=Needs)
    limits: Limits | None = None
    replaces: str | None = None
    doubted_by: tuple[str, ...] = ()
    training: Training | None = None
    predictions: Predictions | None = None
    unanchored: str = ""
    made_from: str = ""


@dataclass(frozen=True, kw_only=True)
class Consequence:
    """What a broken rule costs. `amount`: points for `deduct`, the highest remaining points for `cap`.

    `scope` says what is hit: the items named in `target` (scope item), the questions (question), the groups
    (group), or everything.
    """

    action: Action = "report"
    scope: Scope = "everything"
    target: tuple[str, ...] = ()
    amount: Decimal = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A forbidden or demanded thing, checked in source, in the module tree and at run time.

    `files` are ids of expected files (empty: all); `parts` are the parts whose runs are traced; `names` are dotted
    names (`torch.nn.LSTM`); `within` limits a source rule to these classes or functions of the files;
    `allowed` are dotted names that a rule of kind `forbidden` with `names: [...]` prefixes lets through. With the
    visibility `staff` students read that it is broken and what that costs, not the evidence.
    """

    id: str
    kind: RuleKind
    title: str
    files: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    visibility: RuleVisibility = "visible"
    consequence: Consequence = field(default_factory=Consequence)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Alternatives of which the best `count` are counted (one of two paper reviews)."""

    id: str
    items: tuple[str, ...]
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class Cap:
    """The items together are worth at most `points` (extra credit that is limited)."""

    id: str
    items: tuple[str, ...]
    points: Decimal


@dataclass(frozen=True, kw_only=True)
class Track:
    """A variant of the rubric for some students: items that do not count for them, and their own total."""

    id: str
    title: str
    points: Decimal
    without: tuple[str, ...] = ()
    extra_credit: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LateStep:
    """What lateness of up to so many hours costs: a share of what was earned, or points."""

    hours: float
    percent: Decimal = Decimal(0)
    points: Decimal = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class PerDay:
    """What each day of lateness that has begun costs, for `days` days at most (0: until nothing is left)."""

    percent: Decimal = Decimal(0)
    points: Decimal = Decimal(0)
    days: int = 0


@dataclass(frozen=True, kw_only=True)
class Milestone:
    """Extra credit for an attempt that was handed in by `due` and passed `items` (none: for any that can be read)."""

    due: str
    points: Decimal
    items: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Late:
    """Deadline and what comes after it. `due` is ISO 8601 with offset, or by the clock of `zone`.

    What is handed in within `grace_hours` is on time. Lateness is counted from there on, by `steps` or `per_day`; what
    is later than all of these is as late as the last of them, or with the action `zero` worth nothing. `minute_counts`:
    23:59:45 is on time for 23:59.
    """

    due: str | None = None
    zone: str = ""
    grace_hours: float = 0.0
    minute_counts: bool = False
    steps: tuple[LateStep, ...] = ()
    per_day: PerDay | None = None
    action: Literal["report", "zero"] = "report"
    early: tuple[Milestone, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """What a platform tells under `bundle --profile submission`.

    Of the submissions within `hours`, `tries` are judged and the others get the last result back (0: all are judged).
    The first `messages` attempts are told what differs, later ones their verdicts alone (0: all are told), as are all
    that are handed in after `messages_until` (ISO 8601 with offset).
    """

    tries: int = 0
    hours: float = 24.0
    messages: int = 0
    messages_until: str | None = None


@dataclass(frozen=True, kw_only=True)
class Former:
    """Last year's assignment: the items that were `changed` on purpose, which its reference must fail."""

    changed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """The bound is `atol + rtol * max|expected|` for every element of a tensor of this dtype."""

    rtol: float
    atol: float
    evidence: str = ""


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One assignment: its manifest, and where its three folders lie.

    `counts` says which of several attempts does: the last, the one with most points, the one that the platform calls
    active (else the last on time), or the last on time (else the last). `leaderboard` names the items, trained or
    predicted, whose figures a platform shows to the class. `evidence` belongs to the thresholds of training items, by
    item and source of data (`evidence_key`); it stands in `evidence.yaml` beside the manifest.
    `kit` are the items that students get to run at home, with the tests' source and some of the reference's values.
    """

    slug: str
    title: str
    suite: Path
    reference: Path
    template: Path
    course: str = ""
    total: Decimal
    files: tuple[ExpectedFile, ...]
    questions: tuple[Question, ...]
    parts: tuple[Part, ...]
    items: tuple[Item, ...]
    kit: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    choices: tuple[Choice, ...] = ()
    caps: tuple[Cap, ...] = ()
    tracks: tuple[Track, ...] = ()
    late: Late = field(default_factory=Late)
    feedback: Feedback = field(default_factory=Feedback)
    leaderboard: tuple[str, ...] = ()
    former: Former = field(default_factory=Former)
    counts: Counts = "active"
    limits: Limits = field(default_factory=Limits)
    tolerances: dict[str, Tolerance] = field(default_factory=dict)
    stand_in_modules: tuple[str, ...] = ()
    globals: dict[str, object] = field(default_factory=dict)
    evidence: dict[str, dict[str, Evidence]] = field(default_factory=dict)

    def item(self, item_id: str) -> Item:
        """The item of that id. Raises KeyError."""
        return {item.id: item for item in self.items}[item_id]

    def part(self, part_id: str) -> Part:
        """The part of that id. Raises KeyError."""
        return {part.id: part for part in self.parts}[part_id]

    def evidence_of(self, item_id: str, source: str) -> Evidence | None:
        """What the threshold on that source rests on: measured on the processor if that was done, else elsewhere."""
        known = self.evidence.get(item_id, {})
        elsewhere = (known[key] for key in known if key.startswith(evidence_key(source, "")))
        return known.get(source) or next(elsewhere, None)

    def limits_of(self, item: Item) -> Limits:
        """The limits that hold for an item: its own, else the assignment's."""
        return item.limits or self.limits
