"""How long a process was ready to run while others had the processors."""

from __future__ import annotations

import contextlib
from pathlib import Path


def starved_seconds(pid: int) -> float | None:
    """As the scheduler counts it for the main thread; None where the system does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    return None
