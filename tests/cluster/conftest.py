"""One Slurm for all tests of this folder, and what they grade through it."""

import sys
import tempfile
from pathlib import Path

import pytest
from one_node_slurm import Missing, Slurm, require_programs
from tiny_assignment import lay_out_submission, open_for_workers

SLOW = ("import torch\n", "import time\n\nimport torch\n\ntime.sleep(1.0)\n")
WRONG = (".mean(dim=1)", ".mean(dim=1) * 2")


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
