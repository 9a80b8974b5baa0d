"""Theory of operation of the judge parent.

One process with one thread, its GPU hidden. It holds pytest, the suite and the reference, so it is never the parent of
student code. pytest collects the suite; inside its run loop the reference is run once (that proves the suite on this
machine, draws and records all cases, and warms every import), and then jobs are served:

    command line ──{"do": "grade", …}──▶ judge parent ──▶ a judge, forked once for many submissions ──leases──▶ workers
         ◀──────────── results, one message each, over the same socket ────────┘

Judges are forked on Linux and may be several (`grader.judge.seats`); with the portable back end the parent judges by
itself. A judge that dies is reported as `gone`; what it had sent counts.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import os
import platform
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

import grader
from grader.assignment.assignment import Assignment
from grader.assignment.locate import Folders
from grader.assignment.manifest import load
from grader.errors import AuthorError, GraderError
from grader.judge.completing import complete
from grader.judge.examining import examine
from grader.judge.handed import reference_handed
from grader.judge.judging import job_of, judge
from grader.judge.lacking_data import data_of_trainings
from grader.judge.plugin import JudgePlugin, run_suite
from grader.judge.preparing import prepare, template_handed, wanted_items
from grader.judge.reference_run import Recorded
from grader.judge.seats import Seats
from grader.judge.settings import Settings
from grader.judge.stock import Stock
from grader.judge.submissions import Trial
from grader.sandbox import gpu
from grader.sandbox.base import Sandbox, Site
from grader.sandbox.preload import load_suite
from grader.suite.agreement import DEFAULT_TOLERANCES, tolerances
from grader.text import clean
from grader.wire.messages import PacketPort, PipePort, Port
from grader.worker import adapting
from grader.worker.loading import Probe


class JudgeParent:
    """Serves jobs from inside pytest's run loop."""

    def __init__(
        self,
        settings: Settings,
        assignment: Assignment,
        port: Port,
        sandbox: Sandbox,
        probes: Mapping[str, Probe],
        stock: Stock,
    ) -> None:
        self.settings = settings
        self.assignment = assignment
        self.port = port
        self.sandbox = sandbox
        self.probes = probes
        self.stock = stock

    def serve(self, plugin: JudgePlugin) -> None:
        """Run the reference, say what was recorded, then judge what the command line sends."""
        forks = isinstance(self.port, PacketPort)
        trial = prepare(plugin, self.settings, self.probes, self.stock, forks=forks)
        if forks:
            self.sandbox.wait_until_ready()  # type: ignore[attr-defined]
            self.sandbox.preload(trial.preload)
            trial = replace(trial, data=data_of_trainings(trial, self.sandbox))
        seats = self._seats(trial)
        gc.freeze()
        ready = {"items": described(trial.records), "versions": versions(), "seats": seats}
        ready |= {"lacking": {item: text for item, text in trial.data.items() if text}, "refusal": trial.refusal}
        ready |= {"notes": self.stock.notes, "recording": None if self.stock.folder is None else str(self.stock.folder)}
        self.port.send({"say": "ready", **ready})
        judges = self._judges(trial)
        while True:
            if judges is not None and not judges.wait():
                continue
            message = self.port.receive()
            if message is None or message["do"] == "stop":
                break
            if message["do"] == "examine":
                self._examine(trial)
            elif message["do"] == "complete":
                self._complete(trial)
            elif judges is not None:
                judges.give(message)
            else:
                judge(trial, self.sandbox, job_of(message), self.port, self.port)
        if judges is not None:
            judges.close()

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

    def _complete(self, trial: Trial) -> None:
        try:
            complete(trial, self.stock)
            trouble = ""
        except (GraderError, OSError) as error:
            trouble = str(error)
        self.port.send({"say": "completed", "trouble": trouble})

    def _examine(self, trial: Trial) -> None:
        handed = reference_handed(self.assignment)
        template = template_handed(self.assignment, self.settings.template)
        for name, recorded in trial.records.items():
            if recorded.item.training is not None:
                continue
            found = examine(trial.plugin, recorded, trial.reference, handed, template, trial.book)
            self.port.send({"say": "examined", "item": name, **dataclasses.asdict(found)})
        self.port.send({"say": "examined", "item": None})

    def _judges(self, trial: Trial) -> Seats | None:
        """The forked judges; None where nothing forks."""
        if not isinstance(self.port, PacketPort):
            return None

        def become(jobs: PacketPort) -> None:
            self._become_judge(trial, jobs)

        return Seats(self.port, become, self.settings.seconds_per_submission)

    def _become_judge(self, trial: Trial, jobs: PacketPort) -> None:
        """Judge what comes until the judge parent is gone, or until something breaks."""
        from grader.sandbox.confine import PR_SET_PDEATHSIG, prctl
        from grader.sandbox.linux import LinuxSandbox

        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        control = self.sandbox.divide()  # type: ignore[attr-defined]
        self.sandbox.close()
        while (message := jobs.receive()) is not None:
            if not judge(trial, LinuxSandbox(control), job_of(message), self.port, jobs):
                return


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
    adapting.install()  # the reference runs on the same torch as the submissions
    folders = Folders(suite=settings.suite, reference=settings.reference, template=settings.template)
    assignment = load(folders)
    tolerances.set({**DEFAULT_TOLERANCES, **assignment.tolerances})
    # Before pytest collects: test files import probes, and those the modules that the suite provides.
    stock = Stock(settings, assignment, versions())
    parent = JudgeParent(settings, assignment, port, sandbox, import_probes(assignment), stock)
    items = [item.id for item in wanted_items(assignment, settings) if item.training is None]
    runs = not stock.covers(items)
    # A kit has no account of the run: it would tell of the instructor's machine.
    described_at = settings.suite_report or (Path(os.devnull) if stock.keeps and not settings.for_kit else None)
    run_suite(JudgePlugin(assignment, parent.serve), described_at if runs else None)


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
