"""Linux only: a worker that nothing holds back, for a student's own code on their own machine; forked all the same."""

from __future__ import annotations

import os
import signal

from grader.sandbox import scratch
from grader.sandbox.confine import PR_SET_PDEATHSIG, fixed_size, prctl
from grader.sandbox.level import UNPROTECTED


def settle(root: str, output_kib: int) -> dict[str, str]:
    """Stand in the submission, with a small folder to write to. Returns what `confine.apply` does.

    What is printed is kept in memory, so no more of it than `output_kib`.
    """
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    fixed_size(1, output_kib << 10)
    folder = scratch.apart(root)
    os.chdir(root)
    return {**UNPROTECTED, "root": root, "folder": folder, "leftover": folder}
