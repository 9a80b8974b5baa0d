"""What a container is given and what it is denied, as the arguments of the engine's `create` call.

The container's root is root without capabilities but six, which confinement needs and workers lose:

    SETUID, SETGID        every worker runs as a user of its own
    SYS_CHROOT            a worker's root directory is the submission's folder
    KILL                  the grader may end processes of those users
    CHOWN, DAC_OVERRIDE   a worker's scratch folder is that user's, and the grader clears it away

It has no network, no way to gain privileges, a root file system that cannot be written, and sized memory for temporary
files and for copies of the submissions. Two files of the host can be written: the journal and the suite's report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.run.engine import Trainings

CAPABILITIES = ("SETUID", "SETGID", "SYS_CHROOT", "KILL", "CHOWN", "DAC_OVERRIDE")
RUN_LABEL = "dl-grader.run"
OUT, SUBMISSIONS, ASSIGNMENTS, DATA, RECORDING = "/out", "/submissions", "/assignments", "/data", "/recording"
GRADER_MIB = 1536  # command line, zygote, judge parent and the reference's values
JUDGE_MIB = 256  # one judge and its idle workers
FILE_MIB = 1024  # the largest file that can be written on the host
GVISOR = "runsc"
PYTHON = "/opt/venv/bin/python"  # of the image


@dataclass(frozen=True, kw_only=True)
class Box:
    """One container before it is made. `reads` and `writes` map paths inside to paths of the host.

    `jobs`: submissions at a time, each with its processes. `files_mib`: for copies of the submissions, and what
    students' code writes beside them; part of the memory.
    """

    image: str
    command: tuple[str, ...]  # of Python
    reads: Mapping[str, Path]
    writes: Mapping[str, Path]
    memory_mib: int
    jobs: int
    processors: int
    files_mib: int = 1
    run: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    gpu: str = ""  # the device, as CUDA_VISIBLE_DEVICES names it
    runtime: str = ""


def memory_of(assignment: Assignment, trainings: Trainings, jobs: int) -> int:
    """How many MiB a run of `jobs` submissions at a time may need, by the manifest's limits."""
    worker = max(assignment.limits_of(item).memory_mib for item in assignment.items)
    if trainings.source != "off":
        budgets = [item.training.budget(trainings.source) for item in assignment.items if item.training is not None]
        worker = max([worker, *(budget.memory_mib for budget in budgets if budget is not None)])
    if trainings.device == "cuda":
        worker = max(worker, 4096)  # the driver's libraries and pinned memory count on the host
    return GRADER_MIB + jobs * (JUDGE_MIB + worker)


def create_arguments(box: Box) -> dict[str, object]:
    """The keyword arguments of `client.containers.create`."""
    from docker.types import DeviceRequest, LogConfig, Mount, Ulimit

    mounts = [Mount(inside, str(path), type="bind", read_only=True) for inside, path in box.reads.items()]
    mounts += [Mount(inside, str(path), type="bind") for inside, path in box.writes.items()]
    arguments: dict[str, object] = {
        "image": box.image,
        "entrypoint": [PYTHON],
        "command": list(box.command),
        "user": "0:0",
        "environment": dict(box.environment),
        "mounts": mounts,
        "labels": {RUN_LABEL: box.run},
        "network_mode": "none",
        "ipc_mode": "private",
        "read_only": True,
        "tmpfs": {
            "/tmp": "size=512m,mode=1777,nosuid,nodev,noexec",
            OUT: f"size={box.files_mib}m,mode=755,nosuid,nodev,noexec",
        },
        "shm_size": "64m",
        "cap_drop": ["ALL"],
        "cap_add": list(CAPABILITIES),
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": 256 + 128 * box.jobs,
        "mem_limit": f"{box.memory_mib}m",
        "memswap_limit": f"{box.memory_mib}m",
        "nano_cpus": box.processors * 1_000_000_000,
        "ulimits": [
            Ulimit(name="core", soft=0, hard=0),
            Ulimit(name="fsize", soft=FILE_MIB << 20, hard=FILE_MIB << 20),
        ],
        "log_config": LogConfig(type=LogConfig.types.JSON, config={"max-size": "1m", "max-file": "1"}),
        "init": True,
    }
    if box.gpu:
        arguments["device_requests"] = [DeviceRequest(device_ids=[box.gpu], capabilities=[["gpu"]])]
    if box.runtime:
        arguments["runtime"] = box.runtime
    return arguments
