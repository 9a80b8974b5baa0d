"""One Slurm for all tests of this folder, and what they grade through it."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from one_node_slurm import Missing, Slurm, require_programs
from tiny_assignment import ROOT, lay_out_submission, open_for_workers

SLOW = ("import torch\n", "import time\n\nimport torch\n\ntime.sleep(1.0)\n")
WRONG = (".mean(dim=1)", ".mean(dim=1) * 2")
SEED = "s"


@pytest.fixture(scope="session")
def slurm():
    if not sys.platform.startswith("linux"):
        pytest.skip("Slurm needs Linux")
    pytest.importorskip("submitit", reason='submitit is not installed: pip install "dl-grader[slurm]"')
    try:
        require_programs()
        # Slurm's sockets need short paths.
        with tempfile.TemporaryDirectory(prefix="slurm-") as folder, Slurm(Path(folder)) as running:
            yield running
    except Missing as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def handed_in(tmp_path_factory):
    """Twenty submissions, some wrong, some slow enough to be interrupted."""
    folder = open_for_workers(tmp_path_factory.mktemp("class"))
    for number in range(20):
        edits = {"model.py": WRONG} if number % 3 == 1 else {}
        edits |= {"layers.py": SLOW} if number % 4 == 0 else {}
        lay_out_submission(folder / f"student{number:02}", edits)
    (folder / "empty").mkdir()
    return folder


def command(*arguments, assignments=ROOT):
    return [sys.executable, "-m", "grader.cli", *map(str, arguments), "--assignments", str(assignments)]


def run(slurm, *arguments, code=0, assignments=ROOT, **environment):
    """The command line with this Slurm; what it said."""
    done = subprocess.run(
        command(*arguments, assignments=assignments),
        env={**os.environ, **(slurm.environment if slurm else {}), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == code, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout + done.stderr
