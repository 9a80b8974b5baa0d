"""Slurm, through submitit: arrays are sent, looked for by name in the queue, and cancelled."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader.cluster.node import Judge
from grader.cluster.task import FOLDER, Array, Sent
from grader.errors import GraderError, UsageError
from grader.text import one_line

MINUTES = 240  # what a job may take before it is sent back into the queue
REQUEUES = 100  # jobs that ran out of time: every one of them went on from the journal
LAST_WORDS = 600


@dataclass(frozen=True, kw_only=True)
class Nodes:
    """Where jobs run. `options` are those of sbatch, by their names there."""

    partition: str = ""
    gpu_partition: str = ""
    at_once: int = 0  # jobs of an array that run side by side; 0: as many as Slurm lets
    processors: int = 4
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Queued:
    """A task of a job as the queue shows it: PENDING, RUNNING, …; why it waits; where it runs."""

    state: str
    reason: str
    node: str


def require(nodes: Nodes) -> None:
    """Raises UsageError where nothing can be sent from: no Slurm, no submitit, no such partition."""
    if shutil.which("sbatch") is None or shutil.which("squeue") is None:
        raise UsageError(
            "--slurm: there is no Slurm on this machine (sbatch is not found). Log in to the cluster's login node, or "
            "judge parts by hand with --shard I/N"
        )
    try:
        import submitit  # noqa: F401
    except ImportError:
        raise UsageError('--slurm needs submitit: pip install "dl-grader[slurm]"') from None
    _parsed(nodes.options)
    known = dict.fromkeys(_asked("sinfo", "-h", "-o", "%R").split())
    for option, name in (("--partition", nodes.partition), ("--gpu-partition", nodes.gpu_partition)):
        if strangers := [one for one in name.split(",") if one and one not in known]:
            raise UsageError(f"{option}: Slurm has no partition {', '.join(strangers)}; it has {', '.join(known)}")


def send(array: Array, entry: Sent, nodes: Nodes, out: Path) -> None:
    """Have shards judged, each as a task of one job. Raises UsageError with what Slurm says against it."""
    import submitit
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    options: dict[str, Any] = {"time": MINUTES, **_parsed(nodes.options)}
    known = submitit.SlurmExecutor._valid_parameters()
    further = {name.replace("_", "-"): options.pop(name) for name in set(options) - known}
    partition = nodes.gpu_partition if array.gpu else nodes.partition
    options |= {"partition": partition} if partition else {}
    options |= {"gpus_per_node": 1} if array.gpu else {}
    options |= {"array_parallelism": nodes.at_once} if nodes.at_once else {}
    executor = submitit.SlurmExecutor(said_below(out, entry.job), max_num_timeout=REQUEUES)
    try:
        executor.update_parameters(
            job_name=entry.job,
            cpus_per_task=nodes.processors,
            stderr_to_stdout=True,
            additional_parameters={"requeue": True, **further},
            **options,
        )
        # Paths and numbers: what a node unpickles must not depend on this process.
        many = [[value] * len(entry.shards) for value in (str(out.resolve()), array.name)]
        with contextlib.redirect_stderr(io.StringIO()):  # what sbatch says is in the error
            executor.map_array(Judge(), *many, entry.shards)
    except (FailedJobError, FailedSubmissionError, ValueError) as error:
        raise UsageError(explained(str(error))) from None


def said_below(out: Path, job: str) -> Path:
    """Where the scheduler's side of a job is kept."""
    return out / FOLDER / "jobs" / job


def left_by(out: Path, job: str, task: int) -> str:
    """The last line that a task left which came to nothing before, or beside, the grader's own words."""
    found = said_below(out, job).glob("*_log.out")  # <job>_<task>_0_log.out, without a task where there was only one
    logs = [path for path in found if path.name.split("_")[1:-2] in ([], [str(task)])]
    try:
        lines = [line.strip() for line in logs[0].read_text(encoding="utf-8", errors="replace").splitlines()]
    except (OSError, IndexError):
        return ""
    telling = [line for line in lines if "Error" in line or "error:" in line or "CANCELLED" in line] or lines
    return one_line(next((line for line in reversed(telling) if line), ""), LAST_WORDS)


def _parsed(options: Mapping[str, str]) -> dict[str, object]:
    """Options with numbers as numbers. Raises UsageError for a time that submitit cannot count with."""
    found: dict[str, object] = {name.replace("-", "_"): text for name, text in options.items()}
    if "time" in found:
        if not str(found["time"]).isdecimal():
            raise UsageError(f"--sbatch time={found['time']}: expected minutes, such as time=240")
        found["time"] = int(str(found["time"]))
    return found


def explained(text: str) -> str:
    """What Slurm says, in one sentence with what to do."""
    lines = [line.strip() for line in text.splitlines() if "error:" in line or "fatal:" in line]
    said = " ".join(
        dict.fromkeys(line.partition(": ")[2].removeprefix("error: ").removeprefix("fatal: ") for line in lines)
    )
    said = (said or text.strip())[-LAST_WORDS:]
    if "credential" in said.lower() or "clock" in said.lower():
        why = "its clock and the controller's differ, or their keys do"
        return (
            f"Slurm refuses this machine ({said}): {why}; have both set by one time server, and one munge.key on both"
        )
    if any(word in said.lower() for word in ("contact", "unable", "configuration source", "timed out")):
        return f"Slurm's controller does not answer ({said}); try again when `sinfo` does"
    return f"Slurm refuses the jobs: {said}; change --partition or --sbatch, and run the same command again"


def queue(names: Sequence[str]) -> dict[tuple[str, int], Queued] | None:
    """What of these jobs waits or runs, by (name, task); None when Slurm does not answer."""
    if not names:
        return {}
    try:
        text = _asked("squeue", "-h", "-r", "-o", "%j|%K|%T|%N|%r", "--name", ",".join(names))
    except GraderError:
        return None
    found = {}
    for line in text.splitlines():
        name, task, state, node, reason = line.split("|", 4)
        found[name, int(task) if task.isdecimal() else 0] = Queued(state=state, reason=reason, node=node)
    return found


def cancel(names: Sequence[str]) -> None:
    """End these jobs, whether they wait or run. Raises GraderError."""
    _asked("scancel", "--name", ",".join(names), *_user())


def _user() -> list[str]:
    import getpass

    return ["--user", getpass.getuser()]


def _asked(*command: str) -> str:
    """The output of one of Slurm's commands. Raises GraderError with what it says."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "LC_ALL": "C"}
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GraderError(f"{command[0]}: {error}") from None
    if done.returncode:
        raise GraderError(explained(done.stderr))
    return done.stdout
