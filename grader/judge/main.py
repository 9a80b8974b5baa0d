"""Theory of operation of the judge parent.

One process with one thread, its GPU hidden. It holds pytest, the suite and the reference, so it is never the parent of
student code. pytest collects the suite; inside its run loop the reference is run once (that proves the suite on this
machine, draws and records all cases, and warms every import), and then jobs are served:

    command line ──{"do": "grade", …}──▶ judge parent ──fork──▶ judge of one submission ──leases──▶ workers
         ◀──────────── results, one message each, over the same socket ────────┘

Judges are forked on Linux and may be several; with the portable back end the parent judges by itself. A judge that dies
is reported as `gone`; what it had sent counts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import os
import platform
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch

import grader
from grader.assignment.assignment import Assignment, Item
from grader.assignment.locate import Folders
from grader.assignment.manifest import load
from grader.datasets.source import DataSource
from grader.errors import AuthorError, GraderError
from grader.judge.examining import examine
from grader.judge.handed import HandedIn, file_specs, reference_files
from grader.judge.plugin import JudgePlugin, pytest_arguments
from grader.judge.reference_run import Recorded, record
from grader.judge.sides import Book, ReferenceSide
from grader.judge.source_rules import template_texts
from grader.judge.submissions import Job, SubmissionJudge, Trial
from grader.judge.training_run import Alone
from grader.judge.variants import Variants
from grader.model import CheckResult, Violation
from grader.proof.kept import read_kept
from grader.sandbox import gpu
from grader.sandbox.base import Sandbox, Site
from grader.sandbox.missing import torch_modules
from grader.sandbox.preload import load_suite
from grader.suite.agreement import DEFAULT_TOLERANCES, tolerances
from grader.text import clean
from grader.wire.messages import PacketPort, PipePort, Port
from grader.worker.loading import Modules, Probe


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The first message: which assignment, which items, which seed, and what to write about the suite."""

    suite: Path
    reference: Path
    template: Path
    seed: str
    items: tuple[str, ...] | None
    suite_report: Path | None
    seconds_per_submission: float
    source: DataSource | None
    device: str
    gpu: Mapping[str, str]

    @property
    def conditions(self) -> str:
        """What trainings depend on beside their items."""
        return "off" if self.source is None else f"{self.source.kind} {self.device}"

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Settings:
        """From the message's form."""
        report = message["suite_report"]
        return cls(
            suite=Path(message["suite"]),
            reference=Path(message["reference"]),
            template=Path(message["template"]),
            seed=message["seed"],
            items=None if message["items"] is None else tuple(message["items"]),
            suite_report=None if report is None else Path(report),
            seconds_per_submission=float(message["seconds_per_submission"]),
            source=source_of(message),
            device=message["device"],
            gpu=message["gpu"],
        )


def source_of(message: Mapping[str, Any]) -> DataSource | None:
    """Where training data comes from; None when nothing is trained."""
    if message["training"] == "off":
        return None
    made = message["training"] == "made"
    return DataSource(root=None if message["data"] is None else Path(message["data"]), made=made)


@dataclass
class Running:
    """A forked judge."""

    key: str
    pid: int
    pidfd: int
    deadline: float


class JudgeParent:
    """Serves jobs from inside pytest's run loop."""

    def __init__(
        self, settings: Settings, assignment: Assignment, port: Port, sandbox: Sandbox, probes: Mapping[str, Probe]
    ) -> None:
        self.settings = settings
        self.assignment = assignment
        self.port = port
        self.sandbox = sandbox
        self.probes = probes
        self.running: list[Running] = []
        self._needed: list[str] = []

    def serve(self, plugin: JudgePlugin) -> None:
        """Run the reference, say what was recorded, then judge what the command line sends."""
        trial = self.prepare(plugin)
        if isinstance(self.port, PacketPort):
            self.sandbox.wait_until_ready()  # type: ignore[attr-defined]
            self.sandbox.preload(self._needed)
        seats = self._seats(trial)
        gc.collect()
        gc.freeze()
        ready = {"items": described(trial.records), "versions": versions(), "seats": seats}
        self.port.send({"say": "ready", **ready})
        forks = isinstance(self.port, PacketPort)
        while True:
            if forks and not self._wait():
                continue
            message = self.port.receive()
            if message is None or message["do"] == "stop":
                break
            if message["do"] == "examine":
                self._examine(trial)
                continue
            job = job_of(message)
            if forks:
                self._fork(trial, job)
            else:
                judge(trial, self.sandbox, job, self.port)
        for running in self.running:
            signal.pidfd_send_signal(running.pidfd, signal.SIGKILL)

    def _seats(self, trial: Trial) -> int | None:
        """How many submissions the GPU has room for; None without one. Raises SandboxError when it cannot be used.

        Found out before the first student is graded, for a GPU that does not work would be nobody's fault.
        """
        if self.settings.device == "cpu":
            return None
        limits = [self.assignment.limits_of(recorded.item) for recorded in trial.records.values()]
        budgets = [
            recorded.item.training.budget(self.settings.source.kind)
            for recorded in trial.records.values()
            if recorded.item.training is not None and self.settings.source is not None
        ]
        largest = max([one.memory_mib for one in (*limits, *budgets) if one is not None], default=0)
        site = Site(root=self.assignment.suite, files=(), device=self.settings.device, gpu=self.settings.gpu)
        process = self.sandbox.start(site, replace(self.assignment.limits, memory_mib=largest))
        process.kill()
        return None if process.gpu is None else gpu.seats(process.gpu, largest)

    def _examine(self, trial: Trial) -> None:
        handed = reference_handed(self.assignment)
        for name, recorded in trial.records.items():
            if recorded.item.training is not None:
                continue
            found = examine(trial.plugin, recorded, trial.reference, handed, trial.book)
            self.port.send({"say": "examined", "item": name, **dataclasses.asdict(found)})
        self.port.send({"say": "examined", "item": None})

    def prepare(self, plugin: JudgePlugin) -> Trial:
        """The reference run."""
        assignment = self.assignment
        files = reference_files(assignment)
        specs = file_specs(assignment, files)
        probes = self.probes
        sys.path.append(str(assignment.reference))
        book = Book()
        modules = Modules(assignment.reference, specs, assignment.globals)
        reference = ReferenceSide(modules, book, probes)
        handed = reference_handed(assignment)
        wanted = [item for item in assignment.items if self._is_wanted(item, files)]
        imported = set(sys.modules)
        gc.enable()  # off since the start: what is imported is no garbage
        records = record(plugin, wanted, reference, handed, self.settings.seed, self.settings.conditions)
        self._needed = torch_modules(imported)
        # Encoded here, once, and not in every forked judge.
        for recorded in records.values():
            for key in recorded.keys:
                book.calls[key].request(0, False, assignment.limits_of(recorded.item))
        kept = tuple(entry for entry in read_kept(assignment.suite) if entry.kind == "wrong" and entry.edits)
        variants = Variants(assignment, kept, specs, probes)
        template = template_texts(assignment) if assignment.rules else {}
        settings = self.settings
        trial = Trial(assignment, plugin, records, reference, book, variants, template, settings.seed)
        alone = one_at_a_time() if isinstance(self.port, PacketPort) else trial.alone
        return replace(trial, source=settings.source, device=settings.device, gpu=settings.gpu, alone=alone)

    def _is_wanted(self, item: Item, files: Mapping[str, str]) -> bool:
        if item.kind != "automatic" or (item.needs.gpu and self.settings.device == "cpu"):
            return False
        if item.needs.file is not None and item.needs.file not in files:
            raise AuthorError(f"item {item.id!r} needs {item.needs.file!r}, which the reference does not have")
        return self.settings.items is None or item.id in self.settings.items

    # --- forked judges ----------------------------------------------------------------------------------------

    def _wait(self) -> bool:
        """Wait for a message or the end of a judge. True when a message is there."""
        watched = [self.port.fileno(), *(running.pidfd for running in self.running)]
        timeout = min((max(0.0, r.deadline - time.monotonic()) for r in self.running), default=None)
        readable, _, _ = select.select(watched, [], [], timeout)
        for running in list(self.running):
            if running.pidfd in readable:
                self._reap(running)
            elif time.monotonic() >= running.deadline:
                signal.pidfd_send_signal(running.pidfd, signal.SIGKILL)
        return self.port.fileno() in readable

    def _reap(self, running: Running) -> None:
        _, status = os.waitpid(running.pid, 0)
        os.close(running.pidfd)
        self.running.remove(running)
        self.port.send({"say": "gone", "key": running.key, "status": status})

    def _fork(self, trial: Trial, job: Job) -> None:
        control = self.sandbox.divide()  # type: ignore[attr-defined]
        pid = os.fork()
        if pid == 0:
            self._become_judge(trial, job, control)
        control.close()
        deadline = time.monotonic() + self.settings.seconds_per_submission
        self.running.append(Running(job.key, pid, os.pidfd_open(pid), deadline))

    def _become_judge(self, trial: Trial, job: Job, control: socket.socket) -> None:
        """The forked side; never returns."""
        from grader.sandbox.confine import PR_SET_PDEATHSIG, prctl
        from grader.sandbox.linux import LinuxSandbox

        code = 1
        try:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            self.sandbox.close()
            trial.plugin.silence_report()
            judge(trial, LinuxSandbox(control), job, self.port)
            code = 0
        finally:
            os._exit(code)


def one_at_a_time() -> Alone:
    """A lock over all judges of a run: trainings share it, a training that must run alone has it to itself."""
    import fcntl

    shared = os.memfd_create("trainings", os.MFD_CLOEXEC)

    @contextlib.contextmanager
    def hold(alone: bool) -> Iterator[None]:
        # Opened anew: forked judges share one open file, and a lock belongs to the open file.
        with open(f"/proc/self/fd/{shared}", "rb") as file:  # noqa: PTH123 - a path that pathlib would resolve
            fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield

    return hold


def reference_handed(assignment: Assignment) -> HandedIn:
    """The reference's files as a test may read them."""
    expected = {file.id: file.path for file in assignment.files}
    return HandedIn(assignment.reference, reference_files(assignment), expected)


def judge(trial: Trial, sandbox: Sandbox, job: Job, port: Port) -> None:
    """Judge one submission and send everything that is found out."""

    def emit(found: CheckResult | Violation) -> None:
        kind = "result" if isinstance(found, CheckResult) else "violation"
        port.send({"say": kind, "key": job.key, kind: dataclasses.asdict(found)})

    started = time.perf_counter()
    try:
        protections = SubmissionJudge(trial, sandbox, job, emit).run()
        seconds = time.perf_counter() - started
        port.send({"say": "finished", "key": job.key, "protections": dict(protections), "seconds": seconds})
    except Exception:
        port.send({"say": "broken", "key": job.key, "text": clean(traceback.format_exc(), 8000)})


def job_of(message: Mapping[str, Any]) -> Job:
    """From the message's form."""
    return Job(
        key=message["key"],
        root=Path(message["root"]),
        files=message["files"],
        items=tuple(message["items"]),
        first_failure=message["first_failure"],
    )


def described(records: Mapping[str, Recorded]) -> dict[str, dict[str, object]]:
    """What the command line needs to know of the recorded items."""
    return {
        name: {"digest": recorded.digest, "sentence": recorded.sentence, "cases": len(recorded.cases)}
        for name, recorded in records.items()
    }


def versions() -> dict[str, str]:
    """Of everything whose change may change numbers."""
    return {
        "grader": grader.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "hypothesis": version("hypothesis"),
        "pytest": pytest.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
    }


def run(port: Port, sandbox: Sandbox, settings: Settings) -> None:
    """Collect the suite and serve. Raises AuthorError for a suite that cannot be used."""
    torch.set_num_threads(1)
    folders = Folders(suite=settings.suite, reference=settings.reference, template=settings.template)
    assignment = load(folders)
    tolerances.set({**DEFAULT_TOLERANCES, **assignment.tolerances})
    # Before pytest collects: test files import probes, and those the modules that the suite provides.
    parent = JudgeParent(settings, assignment, port, sandbox, import_probes(assignment))
    arguments = pytest_arguments(settings.suite, settings.suite_report)
    plugin = JudgePlugin(assignment, parent.serve)
    os.environ.pop("PYTEST_ADDOPTS", None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    pytest.main(arguments, plugins=[plugin])
    if plugin.failure is not None:
        raise plugin.failure
    if plugin.errors:
        # Collection failed before the run loop was reached.
        raise AuthorError("the suite cannot be used:\n" + "\n".join(plugin.errors), settings.suite)


def import_probes(assignment: Assignment) -> Mapping[str, Probe]:
    """The suite's probes. Raises AuthorError when they cannot be imported."""
    try:
        return load_suite(assignment.suite)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = f"the suite's probes cannot be imported: {type(error).__name__}: {error}"
        raise AuthorError(text, where.filename, where.lineno) from error


def report_failure(port: Port, error: BaseException) -> None:
    """Tell the command line why there will be no results."""
    kind = "author" if isinstance(error, AuthorError) else "grader"
    text = str(error) if isinstance(error, GraderError) else traceback.format_exc()
    with contextlib.suppress(OSError):
        port.send({"say": "failed", "kind": kind, "text": clean(text, 20_000)})


def main(arguments: list[str]) -> int:
    """`linux PORT_FD CONTROL_FD` or `portable`; the first message holds the settings. Returns the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    port: Port
    if arguments[0] == "portable":
        port = PipePort(sys.stdin.buffer, sys.stdout.buffer)
        # What the suite prints must not end up between messages.
        sys.stdout = sys.stderr
    else:
        port = PacketPort(socket.socket(fileno=int(arguments[1])))
    try:
        message = port.receive()
        if message is None:
            return 0
        settings = Settings.of(message)
        if arguments[0] == "portable":
            from grader.sandbox.portable import PortableSandbox

            run(port, PortableSandbox(settings.suite), settings)
        else:
            from grader.sandbox.linux import LinuxSandbox

            sandbox = LinuxSandbox(socket.socket(fileno=int(arguments[2])))
            sandbox.name_suite(settings.suite, trains=settings.source is not None)
            run(port, sandbox, settings)
    except BaseException as error:
        report_failure(port, error)
        return 3
    return 0


if __name__ == "__main__":
    exit_code = main(sys.argv[1:])
    sys.stderr.flush()
    # Taking torch apart in good order takes half a second.
    os._exit(exit_code)
