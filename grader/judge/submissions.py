"""One submission in one worker: its items, part by part, one traced run a part for the rules, then what is in doubt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader.assignment.assignment import Assignment, Item, Limits, Part
from grader.datasets.source import DataSource
from grader.errors import SandboxError
from grader.judge.defined import absent
from grader.judge.explaining import Explainer
from grader.judge.handed import HandedIn, file_specs
from grader.judge.observing import Observing
from grader.judge.plugin import JudgePlugin
from grader.judge.reference_run import Recorded
from grader.judge.replay import Attempt, Body, Explained, Replay, with_facts
from grader.judge.settling import Doubt, Explain, Settling
from grader.judge.showing import kept, shown
from grader.judge.sides import Book, Desk, ReferenceSide, StudentSide
from grader.judge.source_rules import printing_places, source_violations
from grader.judge.training import TrainingJudge
from grader.judge.training_run import Alone, Gym
from grader.judge.variants import Variants
from grader.judge.verdicts import of_observation
from grader.judge.workers import Workers
from grader.model import CheckResult, Observation, Raised, Values, Violation, unjudged
from grader.rules import check_prints
from grader.sandbox.base import Sandbox, Site
from grader.sandbox.level import ENOUGH, allows_hidden
from grader.suite.agreement import Disagreement
from grader.text import clean, one_line
from grader.wire.frames import encode

NO_TRAINING = "nothing is trained in this run; whoever runs the grader asks for it with --training"

UNPROTECTED = (
    f"students must not see this item, and this machine holds their code back less well than “{ENOUGH}” (see "
    "`grader doctor`); name it with --only to grade it all the same"
)

Emit = Callable[[CheckResult | Violation], None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is to be graded: the submission's files, and the items that are wanted.

    `first_failure`: end at the first broken rule that costs something or item that is not passed, unexplained.
    `show`: staff want to see what went in and what both sides answered; `calls`: the folder where that is put as
    well.
    """

    key: str
    root: Path
    files: Mapping[str, str]
    items: tuple[str, ...]
    first_failure: bool = False
    show: bool = False
    calls: Path | None = None


class _Settled(Exception):
    """The first failure is known, and no more was asked for."""


@dataclass(frozen=True)
class Trial:
    """What all submissions of a run share.

    `data`: what the data of each training lacked when the run began, "" where all was there; only what is known.
    """

    assignment: Assignment
    plugin: JudgePlugin
    records: Mapping[str, Recorded]
    reference: ReferenceSide
    book: Book
    variants: Variants
    template: Mapping[str, str]
    seed: str
    preload: Sequence[str] = ()  # modules of torch that workers will want
    hidden_anywhere: bool = True  # items that students must not see run however badly workers are held back
    refusal: str = ""  # why nothing can be judged from the expected values
    source: DataSource | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"
    gpu: Mapping[str, str] = field(default_factory=dict)
    alone: Alone = lambda alone: nullcontext()

    def forget(self) -> None:
        """Drop what one submission added to what all share: none may see, or cost memory for, what came before it."""
        self.plugin.let_go()
        self.reference.used.clear()
        self.reference.asked.clear()
        self.book.forget()


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
        self._emit = _with_sentences(_until_failure(emit, assignment) if job.first_failure else emit, trial.records)
        self._site = site
        self._site_of_gpu = replace(site, device=trial.device, gpu=trial.gpu)
        self._workers = Workers(sandbox, site, most_generous(assignment))
        self._desk = Desk(self._workers.run, self._workers.fresh, assignment.limits)
        student = StudentSide(self._desk, trial.book)
        handed = HandedIn(job.root, job.files, {file.id: file.path for file in assignment.files})
        self._replay = Replay(trial.plugin, trial.reference, student, self._desk, handed)
        seed = trial.seed if trial.variants.sides is not None else None  # shrinking asks the reference
        explain: Explain = Explainer(
            trial.plugin, self._desk, trial.variants, seed, trial.reference.asked.clear if job.show else None
        )
        if job.first_failure:
            explain = _unexplained
        # Where a worker takes seconds to start, a disagreement is repeated in the one that is there.
        second = self._workers if sandbox.forks else OnlyWorker(self._workers)
        self._settling = Settling(self._replay, self._desk, second, explain, self._finish)
        self._doubts: list[Doubt] = []
        self._observing = Observing(
            assignment, trial.records, self._replay, self._desk, self._workers, self._load_file, forks=sandbox.forks
        )
        self._earned: dict[str, str] = {}
        self._training: TrainingJudge | None = None
        if trial.source is not None:
            gym = Gym(
                sandbox=sandbox,
                site=self._site_of_gpu,
                source=trial.source,
                seed=trial.seed,
                alone=trial.alone,
                data=trial.data,
            )
            self._training = TrainingJudge(trial.plugin, gym, (student, trial.reference), handed)

    def run(self) -> Mapping[str, str]:
        """Judge all wanted items. Returns the protections that were on."""
        with suppress(_Settled):
            self._judge_all()
        if not self._job.items:
            self._workers.present()  # a judge died when only this was left to be said: how the code was held back
        self._workers.renew()
        return self._sandbox.protections

    def _judge_all(self) -> None:
        wanted = set(self._job.items)
        trial, job = self._trial, self._job
        forks = self._sandbox.forks
        for violation in source_violations(trial.assignment, job.root, job.files, trial.template, forks=forks):
            self._emit(violation)
        for part in self._trial.assignment.parts:
            items = [item for item in self._trial.assignment.items if item.part == part.id and item.id in wanted]
            if items:
                self._run_part(part, items)
        self._workers.move(self._site)
        self._settle()
        self._observe()
        self._check_prints()

    def _run_part(self, part: Part, items: Sequence[Item]) -> None:
        ready = [item for item in items if not self._skipped(item)]
        # A training finds its own worker; what needs a GPU besides is asked in a worker that has one.
        elsewhere = [item for item in ready if item.needs.gpu and item.training is None]
        if here := [item for item in ready if item not in elsewhere]:
            self._workers.move(self._site)
            self._judge_group(part, here)
        if elsewhere:
            kept, self._doubts = self._doubts, []
            unobserved = self._observing.set_aside()
            self._workers.renew()
            self._workers.move(self._site_of_gpu)
            self._judge_group(part, elsewhere)
            self._settle()
            self._observe()
            self._doubts = kept
            self._observing.set_aside(unobserved)

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
            self._judge_item(part, self._trial.records[item.id])
        self._observing.expect(part, ready)

    def _judge_item(self, part: Part, recorded: Recorded) -> None:
        virgin = self._workers.is_virgin(part.file) or not self._sandbox.forks
        if recorded.item.training is not None:
            assert self._training is not None
            if not virgin:
                self._workers.renew()  # a training is never repeated, so that nothing may be in its way
            self._desk.begin(self._trial.assignment.limits_of(recorded.item))  # the test may run probes besides
            self._emit(self._training.judge(recorded))
            return
        if self._trial.refusal:
            self._emit(unjudged(recorded.item.id, self._trial.refusal))
            return
        self._workers.begin()
        doubt = Doubt(recorded, self._replay.look(recorded), fair=virgin)
        if doubt.settled or (doubt.fair and self._job.first_failure):
            self._emit(self._finish(doubt.as_it_is(), doubt.look.seconds))
            return
        self._doubts.append(doubt)
        if self._job.first_failure:
            self._settle()

    def _settle(self) -> None:
        """Settle what is in doubt in a second worker: see `grader.judge.settling`."""
        doubts, self._doubts = self._doubts, []
        if doubts:
            for result in self._settling.settle(doubts):
                self._emit(result)

    def _observe(self) -> None:
        """What was earned must be earned under observation too, when it is known what that is."""
        for violation in self._observing.violations(self._earned, self._trial.book):
            self._emit(violation)

    def _finish(self, result: CheckResult, seconds: float) -> CheckResult:
        result = self._believed(result)
        if result.credit > 0:
            self._earned[result.item] = result.only
        result = replace(with_facts(result, self._desk, seconds), output=self._output())
        if self._job.calls is not None:
            kept(
                self._desk, result.case, self._trial.reference.asked, self._job.calls / f"{self._job.key}.{result.item}"
            )
        return replace(result, staff=shown(self._desk, result.case)) if self._job.show else result

    def _believed(self, result: CheckResult) -> CheckResult:
        """The result; "not attempted" where something is claimed of what the submission's text does not have."""
        keys = self._trial.records[result.item].keys if result.credit > 0 else ()
        probes = (self._trial.reference.probe(key.probe) for key in keys)
        if not (names := absent(probes, self._job.root, self._job.files)):
            return result
        message = f"Not attempted: there is no {names}."
        return CheckResult(
            item=result.item, status="not_attempted", reason="not attempted", message=clean(message, 600)
        )

    def _check_prints(self) -> None:
        desk = self._desk
        if desk.prints:
            trial, files = self._trial, self._job.files
            places = printing_places(trial.assignment, self._job.root, files, trial.template)
            printing = {name: path for name, path in files.items() if path in desk.printing}
            for violation in check_prints(trial.assignment, desk.prints, desk.print_text, places, printing):
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
        elif item.visibility != "visible" and not self._trial.hidden_anywhere and not self._holds_back():
            reason = UNPROTECTED
        if reason:
            message = f"Skipped: {reason}. The points stay open."
            self._emit(CheckResult(item=item.id, status="skipped", reason=reason, message=message))
        return bool(reason)

    def _holds_back(self) -> bool:
        """Whether workers are held back well enough for what students must not learn."""
        if not self._sandbox.protections:
            self._workers.present()
        return allows_hidden(self._sandbox.protections)

    def _load(self, part: Part) -> Observation | None:
        """Import the part's own file on a clock of its own; None when that went well."""
        if part.file is None:
            return None
        virgin = self._workers.is_virgin() or not self._sandbox.forks
        observation = self._load_file(part.file)
        if not isinstance(observation, Values) and not virgin:
            self._workers.renew()
            observation = self._load_file(part.file)
        self._desk.hear(observation.notes)
        for line in observation.notes.loading:
            if line.startswith(f"{self._job.files.get(part.file)} raised "):
                self._report_broken(part, line)
        if isinstance(observation, Values):
            return None
        if isinstance(observation, Raised):
            self._report_broken(part, f"{observation.kind}: {observation.message}")
        return observation

    def _load_file(self, file: str) -> Observation:
        limits = self._trial.assignment.limits
        return self._workers.load(file, encode({"file": file}), limits)

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


class OnlyWorker:
    """Go on with the present worker."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    def is_virgin(self) -> bool:
        """It is taken for one."""
        return True

    def renew(self) -> None:
        """It stays."""

    def begin(self) -> None:
        """Of each item it has an output of its own."""
        self._workers.begin()


def _unexplained(attempt: Attempt, recorded: Recorded, body: Body, found: Disagreement) -> Explained:
    return Explained(found, attempt.drawn or {})


def _with_sentences(emit: Emit, records: Mapping[str, Recorded]) -> Emit:
    """`emit` with what each item's test says of itself: a student should know what was looked at."""

    def emit_said(found: CheckResult | Violation) -> None:
        known = records.get(found.item) if isinstance(found, CheckResult) else None
        emit(replace(found, sentence=clean(known.sentence, 400)) if known and isinstance(found, CheckResult) else found)

    return emit_said


def _until_failure(emit: Emit, assignment: Assignment) -> Emit:
    """`emit`, and then the end of the submission if this was a failure; a rule that is only reported is none."""
    costly = {rule.id for rule in assignment.rules if rule.consequence.action != "report"}

    def emit_and_settle(found: CheckResult | Violation) -> None:
        emit(found)
        failed = found.rule in costly if isinstance(found, Violation) else found.status not in ("passed", "skipped")
        if failed:
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
