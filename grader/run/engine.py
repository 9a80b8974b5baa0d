"""The command line's side of a run: starts the processes, hands out submissions, yields what comes back.

Imports neither torch nor pytest. An infrastructure fault (a judge that died, a zygote that is gone) is retried once
per submission and otherwise becomes a grader error of the items that are still open; never a student's zero.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Literal

from grader.assignment.locate import Folders
from grader.errors import AuthorError, GraderError
from grader.model import CheckResult, Examination, Submission, Violation, unjudged
from grader.sandbox.launch import Launched, Workers, end, launch, start_portable_judge
from grader.text import clean
from grader.wire.messages import PacketPort, PipePort, Port

Source = Literal["off", "made", "real"]


@dataclass(frozen=True, kw_only=True)
class Trainings:
    """What is trained in a run: nothing, on data made by code, or on the real sets below `data`; and on which device.

    `gpu` are the variables that name the GPU. `seconds` is what all trainings of one submission may take together on
    the wall clock.
    """

    source: Source = "off"
    data: Path | None = None
    device: str = "cpu"
    gpu: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Recordings:
    """Where expected values may come from: the folder `given`, or what lies below `cache`. `warn` hears of trouble."""

    cache: Path | None = None
    given: Path | None = None
    warn: Callable[[str], None] = lambda text: None


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a run is to do: the assignment's folders, the seed, the items (None: all), how code runs, the trainings.

    `show`: results carry inputs and both sides' answers for staff; `calls`: a folder for them, as frames.
    `hidden_anywhere`: what students must not see is run however badly their code is held back. `for_kit`: what is
    recorded is for students.
    """

    folders: Folders
    seed: str
    items: tuple[str, ...] | None = None
    workers: Workers = "confined"
    suite_report: Path | None = None
    seconds_per_submission: float = 1800.0
    trainings: Trainings = Trainings()
    show: bool = False
    calls: Path | None = None
    recordings: Recordings = Recordings()
    hidden_anywhere: bool = True
    for_kit: bool = False


@dataclass(frozen=True, kw_only=True)
class ItemFacts:
    """What the reference run said about an item."""

    digest: str
    sentence: str
    cases: int


@dataclass(frozen=True, kw_only=True)
class Finished:
    """All wanted items of a submission were judged."""

    protections: Mapping[str, str]
    seconds: float


Event = CheckResult | Violation | Finished


@dataclass
class _Open:
    """A submission that is being judged."""

    submission: Submission
    wanted: tuple[str, ...]
    first_failure: bool
    done: set[str] = field(default_factory=set)
    tries: int = 1
    trouble: str = ""


class Engine:
    """The processes of one run. Use as a context manager."""

    def __init__(self, order: Order, launched: Launched | None = None) -> None:
        """`launched`: a process that was started ahead; the engine ends it."""
        self._order = order
        self._launched = launched
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the engine
        self._processes: list[subprocess.Popen[bytes]] = []
        self._port: Port | None = None
        self.items: dict[str, ItemFacts] = {}
        self.seats: int | None = None  # how many submissions fit on the GPU; None: as many as are wanted
        self.versions: dict[str, str] = {}
        self.lacking: dict[str, str] = {}  # trainings whose data is not here, or damaged, and what to do about it
        self.refusal = ""  # why this machine can judge nothing from its recording
        self.recording: Path | None = None  # the one that was used, or made

    def __enter__(self) -> Engine:
        try:
            self._start()
            self._hear_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        if kind is None:
            self._let_finish()
        self.close()

    @property
    def port(self) -> Port:
        """The conversation with the judge parent."""
        assert self._port is not None
        return self._port

    def grade(
        self, work: Sequence[tuple[Submission, tuple[str, ...]]], jobs: int, *, first_failure: bool = False
    ) -> Iterator[tuple[str, Event]]:
        """Judge the wanted items of each submission, `jobs` at a time. Yields (key, event) as things come in.

        On a GPU they are no more than its memory has room for.
        `first_failure`: a submission ends with its first broken rule that costs something or item that is not passed,
        unexplained.
        """
        waiting = [_Open(submission, wanted, first_failure) for submission, wanted in work]
        waiting.reverse()
        jobs = jobs if self.seats is None else min(jobs, self.seats)
        present: dict[str, _Open] = {}
        while waiting or present:
            while waiting and len(present) < jobs:
                entry = waiting.pop()
                present[entry.submission.key] = entry
                self._hand_out(entry)
            message = self.port.receive()
            if message is None:
                raise GraderError(f"the judge process ended unexpectedly:\n{self._error_text()}")
            yield from self._handle(message, present)

    def examine(self) -> dict[str, Examination]:
        """What the reference alone shows about each item."""
        self.port.send({"do": "examine"})
        found: dict[str, Examination] = {}
        while True:
            message: dict[str, Any] | None = self.port.receive()
            if message is None:
                raise GraderError(f"the judge process ended unexpectedly:\n{self._error_text()}")
            if message["item"] is None:
                return found
            found[message["item"]] = Examination(
                noise=message["noise"],
                bound=message["bound"],
                lets_pass=tuple(message["lets_pass"]),
                earned_by=tuple(message["earned_by"]),
                vanishing=tuple(message["vanishing"]),
                runs=None if message["runs"] is None else tuple(message["runs"]),
            )

    def complete(self) -> Path:
        """Add what judging without the reference may want to the recording: values of all known mistakes, and marks.

        Returns the recording's folder. Raises GraderError when there is none, or it cannot be written.
        """
        self.port.send({"do": "complete"})
        message = self.port.receive()
        if message is None:
            raise GraderError(f"the judge process ended unexpectedly:\n{self._error_text()}")
        if message["trouble"] or self.recording is None:
            raise GraderError(f"the recording cannot be completed: {message['trouble']}")
        return self.recording

    def _handle(self, message: Mapping[str, Any], present: dict[str, _Open]) -> Iterator[tuple[str, Event]]:
        key, say = message["key"], message["say"]
        entry = present.get(key)
        if entry is None:
            return
        if say == "result":
            result = CheckResult(**{**message["result"], "notes": tuple(message["result"]["notes"])})
            entry.done.add(result.item)
            yield key, result
        elif say == "violation":
            found = message["violation"]
            yield key, Violation(**{**found, "parts": tuple(found["parts"])})
        elif say == "finished":
            del present[key]
            yield key, Finished(protections=message["protections"], seconds=message["seconds"])
        elif say == "broken":
            entry.trouble = message["text"]
            if self._order.workers == "spawned":
                yield from self._give_up_or_retry(entry, present)
        elif say == "gone":
            entry.trouble = entry.trouble or f"the judge of this submission died (wait status {message['status']})"
            yield from self._give_up_or_retry(entry, present)

    def _give_up_or_retry(self, entry: _Open, present: dict[str, _Open]) -> Iterator[tuple[str, Event]]:
        key = entry.submission.key
        if entry.tries < 2:
            entry.tries += 1
            self._hand_out(entry)
            return
        del present[key]
        for item in entry.wanted:
            if item not in entry.done:
                yield key, unjudged(item, clean(entry.trouble, 6000))
        yield key, Finished(protections={}, seconds=0.0)

    def _hand_out(self, entry: _Open) -> None:
        submission = entry.submission
        self.port.send(
            {
                "do": "grade",
                "key": submission.key,
                "root": str(submission.root),
                "files": dict(submission.files),
                "items": [item for item in entry.wanted if item not in entry.done],
                "first_failure": entry.first_failure,
                "show": self._order.show,
                "calls": _text(self._order.calls),
            }
        )

    # --- processes --------------------------------------------------------------------------------------------

    def _start(self) -> None:
        folders = self._order.folders
        if self._order.workers == "spawned":
            judge = start_portable_judge(self._errors)
            assert judge.stdin is not None
            assert judge.stdout is not None
            self._processes = [judge]
            self._port = PipePort(judge.stdout, judge.stdin)
        else:
            launched = self._launched or launch(plain=self._order.workers == "plain")
            self._errors.close()
            self._errors = launched.errors
            self._processes = [launched.process]
            self._port = PacketPort(launched.port)
        self.port.send(
            {
                "suite": str(folders.suite),
                "reference": str(folders.reference),
                "template": str(folders.template),
                "seed": self._order.seed,
                "items": None if self._order.items is None else list(self._order.items),
                "suite_report": _text(self._order.suite_report),
                "seconds_per_submission": self._order.seconds_per_submission + self._order.trainings.seconds,
                "training": self._order.trainings.source,
                "data": _text(self._order.trainings.data),
                "device": self._order.trainings.device,
                "gpu": dict(self._order.trainings.gpu),
                "cache": _text(self._order.recordings.cache),
                "recording": _text(self._order.recordings.given),
                "hidden_anywhere": self._order.hidden_anywhere,
                "for_kit": self._order.for_kit,
            }
        )

    def _hear_ready(self) -> None:
        message = self.port.receive()
        if message is None:
            raise GraderError(f"the judge process ended while it was starting:\n{self._error_text()}")
        if message["say"] == "failed":
            text = str(message["text"])
            if message["kind"] == "author":
                raise AuthorError(text)
            raise GraderError(f"the judge could not start: {text}\n{self._error_text()}".strip())
        items: Mapping[str, Mapping[str, Any]] = message["items"]  # type: ignore[assignment]
        self.items = {name: ItemFacts(**facts) for name, facts in items.items()}
        self.versions = dict(message["versions"])  # type: ignore[call-overload]
        self.seats = message["seats"]  # type: ignore[assignment]
        self.lacking = dict(message["lacking"])  # type: ignore[call-overload]
        self.refusal = str(message["refusal"])
        for note in message["notes"]:  # type: ignore[attr-defined]
            self._order.recordings.warn(note)
        self.recording = Path(str(message["recording"])) if message["recording"] else None

    def _error_text(self) -> str:
        self._errors.seek(0)
        return clean(self._errors.read(1 << 16).decode("utf-8", errors="replace")[-4000:], 4000)

    def _let_finish(self) -> None:
        """Give the judge parent the time to write the suite's report."""
        with contextlib.suppress(OSError):
            self.port.send({"do": "stop"})
        if isinstance(self._port, PacketPort):
            with contextlib.suppress(OSError):
                self._port.socket.settimeout(10.0)
                while self._port.receive() is not None:
                    pass
        # The zygote ends with the last judge, the portable judge by itself.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._processes[-1].wait(10.0)

    def close(self) -> None:
        """End all processes of this run."""
        if isinstance(self._port, PacketPort):
            self._port.socket.close()
        for process in self._processes:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
            end(process)
        self._errors.close()


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def record_at(target: Path, order: Order) -> None:
    """Run the reference, and put what it answered at `target`, with the values of all known mistakes.

    Raises GraderError, with what kept the recording from being written.
    """
    troubles: list[str] = []
    with tempfile.TemporaryDirectory() as shelf:
        kept = replace(order, recordings=Recordings(cache=Path(shelf), warn=troubles.append))
        with Engine(kept) as engine:
            try:
                shutil.copytree(engine.complete(), target)
            except GraderError as error:
                raise GraderError("\n".join([str(error), *troubles])) from None
