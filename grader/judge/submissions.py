"""One submission, part by part: a fresh worker for each, its items, and one traced run for the rules."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader.assignment.assignment import Assignment, Item, Limits, Part
from grader.datasets.source import DataSource
from grader.errors import SandboxError
from grader.judge.explaining import Explainer
from grader.judge.handed import HandedIn, file_specs
from grader.judge.plugin import JudgePlugin
from grader.judge.reference_run import Recorded
from grader.judge.replay import Attempt, Body, Explain, Explained, Replay
from grader.judge.showing import shown
from grader.judge.sides import Book, Desk, ReferenceSide, StudentSide
from grader.judge.source_rules import printing_places, source_violations
from grader.judge.tracing import missing_trace, needs_trace
from grader.judge.training import TrainingJudge
from grader.judge.training_run import Alone, Gym
from grader.judge.variants import Variants
from grader.judge.verdicts import of_observation
from grader.model import CheckResult, Notes, Observation, Raised, Values, Violation, unjudged
from grader.rules import check_prints, check_trace
from grader.sandbox.base import Process, Sandbox, Site, ask
from grader.sandbox.missing import missing_module
from grader.text import clean, one_line
from grader.wire.frames import Encoded, encode

NO_TRAINING = "nothing is trained in this run (grade with --training real or --training made)"
MISSING_MODULES = 6  # lazily imported modules come in chains; more than this is not an oversight of the zygote

Emit = Callable[[CheckResult | Violation], None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be graded: the submission's files, and the items that are wanted.

    `first_failure`: end at the first broken rule or item that is not passed, and do not explain it. `show`: staff want
    to see what went in and what both sides answered.
    """

    key: str
    root: Path
    files: Mapping[str, str]
    items: tuple[str, ...]
    first_failure: bool = False
    show: bool = False


class _Settled(Exception):
    """The first failure is known, and no more was asked for."""


@dataclass(frozen=True)
class Trial:
    """What all submissions of a run share."""

    assignment: Assignment
    plugin: JudgePlugin
    records: Mapping[str, Recorded]
    reference: ReferenceSide
    book: Book
    variants: Variants
    template: Mapping[str, str]
    seed: str
    preload: Sequence[str] = ()  # modules of torch that workers will want
    refusal: str = ""  # why nothing can be judged from the expected values
    source: DataSource | None = None
    device: str = "cpu"
    gpu: Mapping[str, str] = field(default_factory=dict)
    alone: Alone = lambda alone: nullcontext()

    def forget(self) -> None:
        """Drop what one submission added to what all share: none may see, or cost memory for, what came before it."""
        self.reference.used.clear()
        self.book.forget()


class Workers:
    """The present worker of a submission; a dead one is replaced when it is next needed."""

    def __init__(self, sandbox: Sandbox, site: Site, limits: Limits) -> None:
        self._sandbox = sandbox
        self._site = site
        self._limits = limits
        self._present: Process | None = None
        self._second: Process | None = None

    def present(self) -> Process:
        """A living worker. An infrastructure fault is retried once. Raises SandboxError."""
        if self._present is None or self._present.dead:
            self._present = self.fresh()
        return self._present

    def fresh(self) -> Process:
        """A worker beside the present one."""
        try:
            return self._sandbox.start(self._site, self._limits)
        except SandboxError:
            time.sleep(0.2)
            return self._sandbox.start(self._site, self._limits)

    def renew(self) -> None:
        """Let go of the present worker."""
        if self._present is not None:
            self._present.kill()
            self._present = None

    @contextmanager
    def aside(self) -> Iterator[bool]:
        """Use a second worker inside the block, which is kept for the next time. Yields whether it is virgin."""
        self._present, self._second = self._second, self._present
        try:
            yield self._present is None or self._present.dead
        finally:
            self._present, self._second = self._second, self._present

    def move(self, site: Site) -> None:
        """Have the next workers elsewhere, such as on the GPU."""
        if site != self._site:
            self.let_go()
            self._site = site

    def let_go(self) -> None:
        """Let go of both workers."""
        with self.aside():
            self.renew()
        self.renew()

    def ask(self, kind: str, request: Encoded, limits: Limits, wall: float | None = None) -> Observation:
        """Ask the present worker; again in a new one when it missed a module that the zygote had not imported."""
        observation = ask(self.present(), kind, request, limits, wall)
        for _ in range(MISSING_MODULES):
            name = missing_module(observation)
            if name is None or not self._sandbox.preload([name]):
                break
            self.renew()
            observation = ask(self.present(), kind, request, limits, wall)
        return observation

    def output(self) -> str:
        """What the present worker's descriptors received."""
        return "" if self._present is None else self._present.output()


class SubmissionJudge:
    """Judges one submission and emits its results and violations as they come."""

    def __init__(self, trial: Trial, sandbox: Sandbox, job: Job, emit: Emit) -> None:
        assignment = trial.assignment
        site = Site(
            root=job.root,
            files=file_specs(assignment, job.files),
            absent=assignment.stand_in_modules,
            globals=assignment.globals,
        )
        self._trial = trial
        self._sandbox = sandbox
        self._job = job
        self._emit = _until_failure(emit) if job.first_failure else emit
        self._site = site
        self._site_of_gpu = replace(site, device=trial.device, gpu=trial.gpu)
        self._workers = Workers(sandbox, site, most_generous(assignment))
        self._desk = Desk(self._workers.ask, self._workers.fresh, assignment.limits)
        student = StudentSide(self._desk, trial.book)
        handed = HandedIn(job.root, job.files, {file.id: file.path for file in assignment.files})
        # Where a worker takes seconds to start, a disagreement is repeated in the one that is there.
        aside, renew = (self._workers.aside, self._workers.renew) if sandbox.fresh_per_part else (_the_same, _keep)
        seed = trial.seed if trial.variants.sides is not None else None  # shrinking asks the reference
        explain: Explain = Explainer(trial.plugin, self._desk, trial.variants, aside, renew, seed)
        if job.first_failure:
            explain = _unexplained
        self._replay = Replay(trial.plugin, trial.reference, student, self._desk, handed, explain)
        self._training: TrainingJudge | None = None
        if trial.source is not None:
            gym = Gym(
                sandbox=sandbox,
                site=self._site_of_gpu,
                source=trial.source,
                seed=trial.seed,
                alone=trial.alone,
            )
            self._training = TrainingJudge(trial.plugin, gym, (student, trial.reference), handed)

    def run(self) -> Mapping[str, str]:
        """Judge all wanted items. Returns the protections that were on."""
        with suppress(_Settled):
            self._judge_all()
        self._workers.let_go()
        return self._sandbox.protections

    def _judge_all(self) -> None:
        wanted = set(self._job.items)
        trial, job = self._trial, self._job
        forks = self._sandbox.fresh_per_part
        for violation in source_violations(trial.assignment, job.root, job.files, trial.template, forks=forks):
            self._emit(violation)
        for part in self._trial.assignment.parts:
            items = [item for item in self._trial.assignment.items if item.part == part.id and item.id in wanted]
            if items:
                self._run_part(part, items)
        self._check_prints()

    def _run_part(self, part: Part, items: Sequence[Item]) -> None:
        if self._sandbox.fresh_per_part:
            self._workers.let_go()
        ready = [item for item in items if not self._skipped(item)]
        # A training finds its own worker; what needs a GPU besides is asked in a worker that has one.
        elsewhere = [item for item in ready if item.needs.gpu and item.training is None]
        for site, group in ((self._site, [i for i in ready if i not in elsewhere]), (self._site_of_gpu, elsewhere)):
            if group:
                self._workers.move(site)
                self._judge_group(part, group)

    def _judge_group(self, part: Part, ready: Sequence[Item]) -> None:
        try:
            trouble = self._load(part)
        except SandboxError as error:
            for item in ready:
                self._emit(unjudged(item.id, clean(str(error), 6000)))
            return
        if trouble is not None:
            self._emit_for_all(ready, trouble)
            return
        for item in ready:
            self._emit(self._judge_item(self._trial.records[item.id]))
        if needs_trace(self._trial.assignment, part.id):
            self._trace(part, ready)

    def _judge_item(self, recorded: Recorded) -> CheckResult:
        if recorded.item.training is None:
            if self._trial.refusal:
                return unjudged(recorded.item.id, self._trial.refusal)
            result = replace(self._replay.judge(recorded), output=self._output())
            return replace(result, staff=shown(self._desk, result.case)) if self._job.show else result
        assert self._training is not None
        self._desk.begin(self._trial.assignment.limits_of(recorded.item))  # the test may run probes besides
        return self._training.judge(recorded)

    def _check_prints(self) -> None:
        desk = self._desk
        if desk.prints:
            places = printing_places(self._job.root, self._job.files)
            for violation in check_prints(self._trial.assignment, desk.prints, desk.print_text, places):
                self._emit(violation)

    def _output(self) -> str:
        pieces = [self._desk.item_text, self._workers.output()]
        return clean("\n".join(piece for piece in pieces if piece), 3000)

    def _skipped(self, item: Item) -> bool:
        needs = item.needs
        reason = ""
        if needs.gpu and self._trial.device == "cpu":
            reason = "needs a GPU, and this run has none"
        elif needs.file is not None and needs.file not in self._job.files:
            reason = "the file it needs was not handed in"
        elif item.training is not None and self._training is None:
            reason = NO_TRAINING
        if reason:
            message = f"Skipped: {reason}. The points stay open."
            self._emit(CheckResult(item=item.id, status="skipped", reason=reason, message=message))
        return bool(reason)

    def _load(self, part: Part) -> Observation | None:
        """Import the part's own file on a clock of its own; None when that went well."""
        if part.file is None:
            return None
        limits = self._trial.assignment.limits
        request = encode({"file": part.file, "cpu_seconds": limits.cpu_seconds})
        observation = self._workers.ask("load", request, limits)
        self._desk.hear(observation.notes)
        for line in observation.notes.loading:
            if line.startswith(f"{self._job.files.get(part.file)} raised "):
                self._report_broken(part, line)
        if isinstance(observation, Values):
            return None
        if isinstance(observation, Raised):
            self._report_broken(part, f"{observation.kind}: {observation.message}")
        return observation

    def _report_broken(self, part: Part, text: str) -> None:
        path = self._job.files.get(part.file or "")
        for rule in self._trial.assignment.rules:
            if rule.kind == "runs" and (not rule.files or part.file in rule.files):
                message = one_line(f"{path} cannot be imported. {text}", 600)
                self._emit(Violation(rule=rule.id, message=message, evidence="run", file=path, parts=(part.id,)))

    def _emit_for_all(self, items: Sequence[Item], observation: Observation) -> None:
        verdict = of_observation(observation)
        for item in items:
            result = CheckResult(
                item=item.id,
                status=verdict.status,
                reason=verdict.reason,
                message=clean(verdict.message, 4000),
                notes=tuple(observation.notes.loading),
            )
            self._emit(result)

    def _trace(self, part: Part, items: Sequence[Item]) -> None:
        """Run the part's smallest case once more under observation."""
        keys = [key for item in items for key in self._trial.records[item.id].keys]
        if not keys:
            return
        smallest = min(keys, key=lambda key: key.weight)
        limits = self._trial.assignment.limits
        request = self._trial.book.calls[smallest].request(limits, trace=True)
        try:
            observation = self._workers.ask("run", request, limits)
        except SandboxError:
            return
        if not isinstance(observation, (Values, Raised)):
            return
        for violation in self._judge_trace(part, observation.notes):
            self._emit(violation)

    def _judge_trace(self, part: Part, notes: Notes) -> Sequence[Violation]:
        if notes.operations is None or notes.module_types is None:
            return missing_trace(self._trial.assignment, part.id)
        return check_trace(self._trial.assignment, part.id, notes.module_types, notes.operations)


def _keep() -> None:
    """Keep the present worker."""


@contextmanager
def _the_same() -> Iterator[bool]:
    """Go on with the present worker."""
    yield False


def _unexplained(attempt: Attempt, recorded: Recorded, body: Body) -> Explained:
    assert attempt.disagreement is not None
    return Explained(attempt.disagreement, attempt.drawn or {})


def _until_failure(emit: Emit) -> Emit:
    """`emit`, and then the end of the submission if this was a failure."""

    def emit_and_settle(found: CheckResult | Violation) -> None:
        emit(found)
        if isinstance(found, Violation) or found.status not in ("passed", "skipped"):
            raise _Settled

    return emit_and_settle


def most_generous(assignment: Assignment) -> Limits:
    """The limits of a worker: memory and output of the most demanding item, since one worker serves several."""
    every = [assignment.limits, *(item.limits for item in assignment.items if item.limits)]
    return replace(
        assignment.limits,
        memory_mib=max(limits.memory_mib for limits in every),
        output_kib=max(limits.output_kib for limits in every),
    )
