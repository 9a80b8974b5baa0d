"""What a worker does with its GPU before it sees a line of student code: claim it, and make its numbers repeatable."""

from __future__ import annotations

import time

import torch

PATIENCE = 15.0  # seconds for the memory of processes that were killed a moment ago


class TooLittleMemory(Exception):
    """Other processes hold the memory that this one is to have."""


def claim(memory_mib: int) -> dict[str, object]:
    """Initialise the GPU with a share of its memory. Returns its name and memory in MiB.

    A kernel is run, because only that proves that one can be run. The share binds the allocator of torch, and code
    that changes it by intent: it keeps honest submissions apart. Raises whatever torch raises, and TooLittleMemory.
    """
    properties = torch.cuda.get_device_properties(0)
    make_repeatable()
    free = wait_for_memory(memory_mib)
    torch.cuda.set_per_process_memory_fraction(min(1.0, (memory_mib << 20) / properties.total_memory))
    (torch.ones(4, device="cuda") * 2).sum().item()
    return {"name": str(properties.name)[:80], "total_mib": properties.total_memory >> 20, "free_mib": free}


def make_repeatable() -> None:
    """Full precision and fixed algorithms, so that a figure is the same alone and beside others, and near the CPU's."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False  # on by default, for convolutions and recurrent layers
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    # An operation that has no fixed algorithm still runs. (`use_deterministic_algorithms` would import a compiler.)
    torch.set_deterministic_debug_mode("warn")
    # Else memory that was never written holds NaN on a GPU and something else on a processor.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def wait_for_memory(memory_mib: int) -> int:
    """The free memory in MiB, once it is at least that much. Raises TooLittleMemory when it does not become so."""
    deadline = time.monotonic() + PATIENCE
    while True:
        free, total = (number >> 20 for number in torch.cuda.mem_get_info())
        if free >= memory_mib:
            return free
        if time.monotonic() >= deadline:
            raise TooLittleMemory(
                f"{free} of its {total} MiB of memory are free, {memory_mib} are needed; other processes hold the rest"
            )
        time.sleep(0.25)


def peak_since_last_time() -> float | None:
    """The most that tensors held since this was asked last, in MiB; None in a process that uses no GPU."""
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return None
    peak = torch.cuda.max_memory_allocated() / (1 << 20)
    torch.cuda.reset_peak_memory_stats()
    return peak
