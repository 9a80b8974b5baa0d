"""A Slurm that is none: its commands as scripts, which run every task of an array on nodes that differ as told.

A node is a name and variables of the environment, and perhaps a shell command that comes before each of its tasks. The
tasks of an array go to the nodes in turn, one at a time on each. How Slurm itself behaves is for `one_node_slurm`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

PARTITIONS = ("main", "gpus")
COMMAND = """#!{python}
import sys
sys.path.insert(0, {here!r})
import stand_in_slurm
stand_in_slurm.{name}({folder!r}, sys.argv[1:])
"""


class StandIn:
    """Use as a context manager: what still runs at the end is ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir(parents=True)
        (folder / "jobs").mkdir()
        for name in ("sbatch", "squeue", "sinfo", "srun"):
            path = folder / "bin" / name
            here = str(Path(__file__).parent)
            path.write_text(COMMAND.format(python=sys.executable, here=here, name=name, folder=str(folder)))
            path.chmod(0o755)
        self.environment = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
        self.nodes(one={})

    def nodes(self, before: str = "", **nodes: dict[str, str]) -> None:
        """What the cluster consists of from now on; `before` is a command that comes before every task."""
        found = [{"name": name, "environment": variables, "before": before} for name, variables in nodes.items()]
        (self.folder / "nodes.json").write_text(json.dumps(found))

    @property
    def tasks(self) -> list[str]:
        """Every task that was ever sent: the job's name, the task's number, the node."""
        path = self.folder / "sent"
        return path.read_text().splitlines() if path.exists() else []

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *_: object) -> None:
        for path in (self.folder / "jobs").glob("[0-9]*"):
            with suppress(ProcessLookupError, ValueError):
                os.killpg(int(path.name), signal.SIGKILL)


def sinfo(folder: str, arguments: list[str]) -> None:
    """The partitions."""
    sys.stdout.write("\n".join(PARTITIONS) + "\n")


def sbatch(folder: str, arguments: list[str]) -> None:
    """Take an array, and leave a process that runs it."""
    script = Path(arguments[-1])
    lines = [line.removeprefix("#SBATCH --") for line in script.read_text().splitlines() if line.startswith("#SBATCH")]
    options = dict(line.partition("=")[::2] for line in lines)
    count = int(options["array"].partition("%")[0].partition("-")[2]) + 1 if "array" in options else 1
    nodes = json.loads((Path(folder) / "nodes.json").read_text())
    kept = Path(folder) / f"script-{os.getpid()}"
    kept.write_text(script.read_text())
    if job := os.fork():
        _queue(Path(folder) / "jobs" / str(job), options["job-name"], count, nodes)
        sys.stdout.write(f"Submitted batch job {job}\n")
        return
    os.setsid()
    _run(Path(folder), kept, options["job-name"], count, nodes)


def _queue(place: Path, name: str, count: int, nodes: list[dict]) -> None:
    part = place.with_suffix(".part")
    part.mkdir()
    for task in range(count):
        (part / str(task)).write_text(f"{name}|{task}|RUNNING|{nodes[task % len(nodes)]['name']}|None\n")
    part.rename(place)


def _run(folder: Path, script: Path, name: str, count: int, nodes: list[dict]) -> None:
    """The process of a job, the leader of its group: its id is the job's. Never returns."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    while not (folder / "jobs" / str(os.getpid())).exists():
        time.sleep(0.01)
    lanes = []
    for first, node in enumerate(nodes):
        if (lane := os.fork()) == 0:
            _lane(folder, script, name, range(first, count, len(nodes)), node, count)
        lanes.append(lane)
    for lane in lanes:
        os.waitpid(lane, 0)
    (folder / "jobs" / str(os.getpid())).rmdir()
    os._exit(0)


def _lane(folder: Path, script: Path, name: str, tasks: range, node: dict, count: int) -> None:
    """One node: its tasks one after the other; never returns."""
    job = os.getppid()
    for task in tasks:
        with (folder / "sent").open("a") as file:
            file.write(f"{name} {task} {node['name']}\n")
        array = {"SLURM_ARRAY_JOB_ID": str(job), "SLURM_ARRAY_TASK_ID": str(task)} if count > 1 else {}
        told = {
            "SLURM_JOB_ID": str(job * 1000 + task if array else job), "SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1",
            "SLURM_NODEID": "0", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_JOB_NODELIST": node["name"],
            "SLURMD_NODENAME": node["name"], "SLURM_CPUS_PER_TASK": "1",
        }  # fmt: skip
        if (child := os.fork()) == 0:
            os.chdir(folder)
            os.environ.update({**told, **array, **node["environment"]})
            os.execv("/bin/bash", ["bash", "-c", f"{node['before']}\nexec bash {script}"])
        os.waitpid(child, 0)
        (folder / "jobs" / str(job) / str(task)).unlink()
    os._exit(0)


def srun(folder: str, arguments: list[str]) -> None:
    """Run a command here, what it says into the file that is asked for."""
    at = arguments.index("--output")
    output, command = arguments[at + 1], arguments[at + 2 :]
    for pattern, name in (("%A", "SLURM_ARRAY_JOB_ID"), ("%a", "SLURM_ARRAY_TASK_ID"), ("%j", "SLURM_JOB_ID")):
        output = output.replace(pattern, os.environ.get(name, ""))
    with suppress(OSError):  # a disk that is full
        said = os.open(output.replace("%t", "0"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(said, 1)
        os.dup2(said, 2)
    os.execvp(command[0], command)


def squeue(folder: str, arguments: list[str]) -> None:
    """What of the named jobs runs."""
    names = arguments[arguments.index("--name") + 1].split(",")
    for path in (Path(folder) / "jobs").glob("[0-9]*/*"):
        with suppress(FileNotFoundError):
            line = path.read_text()
            sys.stdout.write(line if line.split("|")[0] in names else "")
