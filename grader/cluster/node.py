"""What runs on a node: the command line of one shard, looked after. Paths come in, files beside the results go out."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from grader import __version__
from grader.cluster.task import FOLDER, Array, Task, load, place
from grader.errors import EXIT_AUTHOR, EXIT_GRADER, GraderError
from grader.recording.identity import code_digest
from grader.reports.files import write_text
from grader.results.journal import lock
from grader.text import clean

if TYPE_CHECKING:
    from submitit.core.utils import DelayedSubmission

CLOCK_SECONDS = 30.0  # by which a node's clock may differ from the file server's
UNTIL_FREE_SECONDS = 60.0  # what an earlier try may take to end
UNTIL_KILLED_SECONDS = 120.0
MAX_SAID = 1500


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a try ended: the exit code (negative: a signal), the last words, notes, and where that was."""

    code: int
    said: str
    notes: tuple[str, ...]
    node: str


class Judge:
    """What a job calls; it goes back into the queue when its time is up, or when others need the node."""

    def __call__(self, out: str, array: str, number: int) -> None:
        """Judge one shard. Ends the process with the command's exit code when it is not 0."""
        path = place(Path(out), array, number).with_suffix(".json")
        path.parent.mkdir(exist_ok=True, mode=0o700)
        path.unlink(missing_ok=True)
        ended = _judged(Path(out), array, number)
        write_text(path, json.dumps(asdict(ended)) + "\n")
        if ended.code:
            sys.exit(ended.code if ended.code > 0 else EXIT_GRADER)

    def checkpoint(self, *arguments: object) -> DelayedSubmission:
        """What goes on later: the same, since the journal knows what is done."""
        from submitit.core.utils import DelayedSubmission

        return DelayedSubmission(self, *arguments)


def ended_at(out: Path, array: str, number: int) -> Ended | None:
    """How the last try at a shard ended; None when it said nothing, or still goes on."""
    try:
        tree = json.loads(place(out, array, number).with_suffix(".json").read_text(encoding="utf-8"))
        return Ended(**{**tree, "notes": tuple(tree["notes"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _judged(out: Path, name: str, number: int) -> Ended:
    node = os.environ.get("SLURMD_NODENAME") or socket.gethostname()
    task = load(out)
    if task is None:
        raise GraderError(f"{out} is not there, or holds no run: is it on a file system that {node} sees?")
    if task.code != code_digest():
        said = (
            f"this node has another grader ({__version__}) than the machine that sent the jobs ({task.version}, other "
            "source): install the same on both, and run the same command again"
        )
        return Ended(code=EXIT_AUTHOR, said=said, notes=(), node=node)
    array = next(array for array in task.arrays if array.name == name)
    notes = _clock_notes(out, node)
    log = place(out, name, number).with_suffix(".log")
    with log.open("ab") as file:
        _wait_for_others(file.fileno())
        start = file.tell()
        code = _run(task, array, number, out, file.fileno())
    said, more = last_words(log, start)
    return Ended(code=code, said=said, notes=(*notes, *more), node=node)


def _wait_for_others(log: int) -> None:
    """Another try may be ending, or may have been given up too early: whatever is left of it has this file locked."""
    deadline = time.monotonic() + UNTIL_FREE_SECONDS
    with contextlib.suppress(GraderError):  # no locks: that is told when the journal is opened
        while not lock(log) and time.monotonic() < deadline:
            time.sleep(0.5)


def _run(task: Task, array: Array, number: int, out: Path, log: int) -> int:
    processors = os.environ.get("SLURM_CPUS_PER_TASK", "1")
    command = [sys.executable, "-m", "grader.cli", *task.command(array, number, out), "--jobs", processors]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        code = process.wait()
        if code in (-signal.SIGTERM, -signal.SIGUSR2):
            # The job is being ended; what decides over going on later is a signal to this process.
            time.sleep(UNTIL_KILLED_SECONDS)
        return code
    finally:
        with contextlib.suppress(OSError):
            process.kill()
        process.wait()


def _clock_notes(out: Path, node: str) -> tuple[str, ...]:
    probe = out / FOLDER / f".clock-{node}-{os.getpid()}"
    try:
        probe.touch()
        apart = time.time() - probe.stat().st_mtime
        probe.unlink()
    except OSError:
        return ()
    if abs(apart) < CLOCK_SECONDS:
        return ()
    return (f"the clock of {node} differs from the file server's by {apart:+.0f} s: set both by one time server",)


def last_words(log: Path, start: int = 0) -> tuple[str, tuple[str, ...]]:
    """What a try said at last, and its notes, each once."""
    with log.open("rb") as file:
        file.seek(start)
        text = clean(file.read().decode("utf-8", "replace"), 1 << 20)
    notes = dict.fromkeys(line[6:] for line in text.splitlines() if line.startswith("note: "))
    at = text.rfind("grader: ")
    return (text[at + 8 :].strip()[:MAX_SAID] if at >= 0 else ""), tuple(notes)
