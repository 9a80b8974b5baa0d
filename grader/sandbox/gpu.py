"""The GPU as seen without torch: its device nodes, which one a run uses, and what a worker's environment says.

Nothing here, and nothing in a process that forks, asks the driver: `cuInit` makes every later fork useless for CUDA.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
# How the numbers in VISIBLE are counted; they would name another GPU without it.
ORDER = "CUDA_DEVICE_ORDER"

WORKER_SETTINGS = {
    # Without a workspace of fixed size cuBLAS may choose another algorithm in another run.
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    # There is no place where compiled kernels could be kept.
    "CUDA_CACHE_DISABLE": "1",
}

# What driver and libraries take on the GPU for a process before it holds a tensor. Not measured: a generous guess.
CONTEXT_MIB = 800
# The process that trains has ended when the model is examined: there, up to three processes have it at the same time.
PROCESSES_AT_ONCE = 3


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """The GPU that a worker found. Memory in MiB; `free_mib` is what no process held at that moment."""

    name: str
    total_mib: int
    free_mib: int


def nodes(dev: Path = Path("/dev")) -> list[Path]:
    """The driver's device nodes, those of the parts of a divided GPU (`nvidia-caps/`) among them; no GPU, no nodes."""
    if not any(dev.glob("nvidia[0-9]*")):
        return []
    found = [path for path in dev.glob("nvidia*") if not path.is_dir()]
    return sorted([*found, *dev.glob("nvidia-caps*/*")])


def chosen(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that name the one GPU of a run: the first of those that the environment lets us see.

    Empty when it hides them all.
    """
    first = environment.get(VISIBLE, "0").split(",")[0].strip()
    if not first or first == "-1":
        return {}
    order = {ORDER: environment[ORDER]} if ORDER in environment else {}
    return {VISIBLE: first, **order}


def seats(gpu: Gpu, memory_mib: int) -> int:
    """How many submissions may train side by side when each of their processes may hold `memory_mib`; at least one."""
    return max(1, gpu.free_mib // (PROCESSES_AT_ONCE * (memory_mib + CONTEXT_MIB)))
