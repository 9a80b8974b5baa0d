"""A run in containers: one at a time, followed through its journal, replaced when it dies.

The container runs `grader.commands.inside`: the judging of this program, from a journal that already says what was
handed in. What it finishes is taken into the host's journal while it runs, so that nothing is lost when the host's side
is stopped. A container that dies is replaced, and the run resumes; when two in a row die without finishing anything,
what they were judging becomes the grader's error and the others go on.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.assignment.locate import Folders
from grader.container.box import (
    ASSIGNMENTS,
    DATA,
    OUT,
    RECORDING,
    RUN_LABEL,
    SUBMISSIONS,
    Box,
    create_arguments,
    memory_of,
)
from grader.container.connecting import Client, engine, explained, processors_for, require_image, runtime_for
from grader.container.exchange import FOLDER, Exchange, adopt, close_exchange, give_up, open_exchange, returned
from grader.container.image import default_image
from grader.datasets import VARIABLE
from grader.errors import EXIT_AUTHOR, EXIT_DONE, GraderError, UsageError
from grader.intake import Taken
from grader.model import Submission
from grader.reports.files import write_text
from grader.results.following import Follower
from grader.results.journal import NAME, SUITE, Contents, Journal
from grader.run.engine import Order, Trainings
from grader.run.grading import Progress, idle_items
from grader.run.inside import MODULE, argument
from grader.sandbox.gpu import VISIBLE
from grader.text import clean

LOOK_SECONDS = 0.3
SCRATCH_MIB = 128  # what a submission's processes may leave in their scratch folders before those are cleared away
PAGE = 8192  # of a file and of its name
NOTE = "note: "  # how the command line begins what it remarks


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be judged, and how. `only` are the items named on the command line, `items` what they stand for;
    those of `again` are judged whatever is known of them."""

    seed: str
    items: tuple[str, ...]
    only: tuple[str, ...] = ()
    jobs: int
    trainings: Trainings
    image: str = ""
    shard: Mapping[str, object] | None = None
    recording: Path | None = None
    again: Collection[str] = ()


@dataclass(frozen=True, kw_only=True)
class _Ended:
    code: int
    why: str
    text: str


def grade_in_containers(
    journal: Journal,
    assignment: Assignment,
    folders: Folders,
    taken: Taken,
    wanted: Wanted,
    out: Path,
    tell: Callable[[Progress], None],
) -> None:
    """Judge what is missing or stale, like `grade_into`. Raises UsageError before anything is started."""
    present = [entry for entry in taken.found if isinstance(entry, Submission)]
    with engine() as client:
        image = wanted.image or default_image(wanted.trainings.device)
        require_image(client, image, wanted.trainings.device)
        journal.start_run(assignment.slug, wanted.seed, journal.contents.versions, wanted.shard)
        journal.notices(taken.notices)
        for entry in taken.found:
            journal.submission(entry)
        run = _Run(journal, assignment, present, wanted, out, tell)
        with explained(image):
            _remove_left_over(client, run.label)
            run.recover()
            again = set(wanted.again) - idle_items(assignment, wanted.trainings)
            run.exchange = open_exchange(out, out / NAME, present, folders, again=again)
            runtime = runtime_for(client, wanted.trainings.device)
            processors = processors_for(client, wanted.jobs)
            box = _box(assignment, wanted, image, run, runtime=runtime, processors=processors)
            _until_done(client, box, run)
        run.take(every=True)
        run.take_suite()
        journal.notices((*taken.notices, *run.notes))
        close_exchange(run.exchange)


class _Run:
    """The host's side of one call: the journal, and what has been taken into it."""

    def __init__(
        self,
        journal: Journal,
        assignment: Assignment,
        present: Sequence[Submission],
        wanted: Wanted,
        out: Path,
        tell: Callable[[Progress], None],
    ) -> None:
        self.journal, self.assignment, self.present, self.wanted = journal, assignment, present, wanted
        self.tell = tell
        self.out = out.resolve()
        self.label = hashlib.sha256(str(self.out).encode()).hexdigest()[:24]
        self.exchange = Exchange(self.out / FOLDER, Follower(self.out / FOLDER / NAME))
        self.taken: set[str] = set()
        self.rests_until = 0.0
        self.notes: dict[str, None] = {}  # what the grader in the container remarked, each once

    @property
    def quiet_seconds(self) -> float:
        """For how long a container that works may write nothing."""
        return Order.seconds_per_submission + self.wanted.trainings.seconds + 300.0

    def look(self) -> None:
        """Follow the container's journal, and take what was finished, but for a tenth of the time at most.

        What came back is read whole each time, because it is a stranger's.
        """
        self.exchange.journal.follow()
        if self.exchange.journal.done - self.taken and (began := time.monotonic()) >= self.rests_until:
            self.take()
            self.rests_until = time.monotonic() + 9 * (time.monotonic() - began)

    def take(self, *, every: bool = False) -> None:
        """Adopt what was finished and is not taken yet; with `every`, also what was begun."""
        self.exchange.journal.follow()
        known = {entry.key for entry in self.present}
        keys = (self.exchange.journal.done - self.taken) | (self.exchange.journal.going if every else set())
        if not keys & known and not every:
            return
        contents = self._returned()
        self.journal.start_run(contents.slug, contents.seed, contents.versions, self.wanted.shard)
        for key in sorted(keys & known):
            adopt(self.journal, contents, {key}, self.present, self.assignment)
            if key in self.exchange.journal.done:
                self.taken.add(key)
                self.tell(Progress(key=key, done=len(self.taken), of=len(self.present)))

    def recover(self) -> None:
        """Adopt what the container of a call finished that was killed before it could take it."""
        if not (self.exchange.folder / NAME).exists():
            return
        with suppress(GraderError):  # of another seed or other files: then there is nothing to be had
            contents = self._returned()
            held = self.journal.contents.submissions
            keys = {entry.key for entry in self.present} & contents.submissions.keys()
            news = {
                key
                for key in keys
                if contents.submissions[key].finished and contents.submissions[key].results != held[key].results
            }
            self.journal.start_run(contents.slug, contents.seed, contents.versions, self.wanted.shard)
            adopt(self.journal, contents, news, self.present, self.assignment)

    def take_suite(self) -> None:
        """Keep the suite's account of itself, if it is one."""
        with suppress(OSError, ValueError, RecursionError):
            text = (self.exchange.folder / SUITE).read_text(encoding="utf-8")
            json.loads(text)
            write_text(self.out / SUITE, text)

    def _returned(self) -> Contents:
        known = [item.id for item in self.assignment.items if item.kind == "automatic"]
        return returned(self.exchange.folder, self.assignment.slug, self.wanted.seed, self.present, known)


def _box(assignment: Assignment, wanted: Wanted, image: str, run: _Run, *, runtime: str, processors: int) -> Box:
    trainings = wanted.trainings
    asked = argument(
        slug=assignment.slug,
        taken=SUBMISSIONS,
        out=OUT,
        assignments=ASSIGNMENTS,
        judged_only=True,
        recording=None if wanted.recording is None else RECORDING,
        no_cache=True,  # what is kept in a container goes with it
        jobs=wanted.jobs,
        training=trainings.source,
        device=trainings.device,
        only=wanted.only,
    )
    reads = dict(run.exchange.reads)
    environment: dict[str, str] = {}
    if wanted.recording is not None:
        reads[RECORDING] = wanted.recording.resolve()
    if trainings.data is not None:
        reads[DATA] = trainings.data.resolve()
        environment[VARIABLE] = DATA
    files_mib = _size_mib(run.present) + wanted.jobs * SCRATCH_MIB
    return Box(
        image=image,
        command=("-P", "-m", MODULE, asked),
        reads=reads,
        writes=run.exchange.writes,
        memory_mib=memory_of(assignment, trainings, wanted.jobs) + files_mib,
        jobs=wanted.jobs,
        processors=processors,
        files_mib=files_mib,
        run=run.label,
        environment=environment,
        gpu=trainings.gpu.get(VISIBLE, "") if trainings.device == "cuda" else "",
        runtime=runtime,
    )


def _size_mib(present: Sequence[Submission]) -> int:
    """What copies of all files take, each rounded up to a page."""
    sizes = (path.stat().st_size for entry in present for path in entry.root.rglob("*") if path.is_file())
    return (sum(size + PAGE for size in sizes) >> 20) + 1


def _until_done(client: Client, box: Box, run: _Run) -> None:
    deaths = 0
    while True:
        done_before = len(run.exchange.journal.done)
        ended = _run_one(client, box, run)
        if ended.code == EXIT_DONE:
            return
        if ended.code == EXIT_AUTHOR:
            raise UsageError(f"in the container: {ended.text}")
        deaths = 1 if len(run.exchange.journal.done) > done_before else deaths + 1
        if deaths < 2:
            continue
        if not run.exchange.journal.going:
            raise GraderError(
                f"the container ended twice before it had judged anything: {ended.why}\n{ended.text}".strip()
            )
        give_up(run.exchange, run.assignment.slug, run.wanted.items, f"The container ended twice: {ended.why}")
        run.take()
        deaths = 0


def _run_one(client: Client, box: Box, run: _Run) -> _Ended:
    """Start a container and follow it to its end; it is removed however this ends."""
    container = client.containers.create(**create_arguments(box))
    try:
        container.start()
        quiet_since = time.monotonic()
        size = 0
        while True:
            container.reload()
            run.look()
            if container.status not in ("created", "running", "paused"):
                break
            if (now := (run.exchange.folder / NAME).stat().st_size) != size:
                size, quiet_since = now, time.monotonic()
            if time.monotonic() - quiet_since > run.quiet_seconds:
                return _Ended(code=-1, why=f"it said nothing for {run.quiet_seconds:.0f} s", text="")
            time.sleep(LOOK_SECONDS)
        run.take()
        state = container.attrs["State"]
        text = clean(container.logs(tail=40).decode("utf-8", "replace"), 4000).strip()
        run.notes |= dict.fromkeys(line[len(NOTE) :] for line in text.splitlines() if line.startswith(NOTE))
        return _Ended(code=int(state["ExitCode"]), why=_why(state, box), text=_last_words(text))
    finally:
        with suppress(Exception):  # it may be gone already; the error that brought us here is the one to be told
            container.remove(force=True, v=True)


def _why(state: dict[str, object], box: Box) -> str:
    if state.get("OOMKilled"):
        return f"it ran out of memory ({box.memory_mib} MiB)"
    return f"exit status {state.get('ExitCode')}" + (f", {state['Error']}" if state.get("Error") else "")


def _last_words(text: str) -> str:
    """What the grader in the container said at last; the lines before that are its progress."""
    at = text.rfind("grader: ")
    return text[at + len("grader: ") :] if at >= 0 else text[-1500:]


def _remove_left_over(client: Client, label: str) -> None:
    """End the containers of an earlier call into the same folder that was killed."""
    for container in client.containers.list(all=True, filters={"label": f"{RUN_LABEL}={label}"}):
        with suppress(Exception):
            container.remove(force=True, v=True)
