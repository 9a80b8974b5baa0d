"""`grader verify --watch`: what a change touches, and a session with an end."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from grader.assignment.locate import folders_below
from grader.assignment.manifest import load
from grader.commands import watch
from grader.errors import UsageError
from grader.proof.kept import read_kept
from grader.short.expanding import expanded

ROOT = Path(__file__).parents[2]
SLUG = "numpy_backprop"


@pytest.fixture
def folders(tmp_path):
    for name in ("test_suites", "reference_solutions", "student_templates"):
        shutil.copytree(ROOT / name / SLUG, tmp_path / name / SLUG)
    return folders_below(tmp_path, SLUG)


def faces(folders):
    long = expanded(folders)
    return watch.faces(folders, load(long), read_kept(long.suite))


def replaced(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("file", "old", "new", "touched"),
    [
        ("layers.py", "np.maximum(x, 0), x", "np.where(x > 0, x, 0), x", {"relu", "relu.back"}),
        ("assignment.yaml", "softmax(big), points: 1", "softmax(big), points: 1, mode: ''", set()),
        ("assignment.yaml", "call: softmax(big)", "call: softmax(w)", {"softmax.stable"}),
        ("assignment.yaml", "hint: the columns sum to one", "hint: the columns add up", {"softmax", "softmax.stable"}),
        ("gradients.py", "import numpy as np", "import numpy as np  # a comment", set()),
    ],
)
def test_a_change_touches_what_hangs_on_it(folders, file, old, new, touched):
    before = faces(folders)
    replaced((folders.suite if file.endswith("yaml") else folders.reference) / file, old, new)
    after = faces(folders)
    assert {name for name in after if after[name] != before[name]} == touched


def test_it_follows_one_assignment():
    with pytest.raises(UsageError, match="name one"):
        watch.run(["one", "two"], 1, None)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="signals")
def test_it_proves_what_changed_and_ends_with_ctrl_c(folders):
    command = [sys.executable, "-m", "grader.cli", "verify", SLUG, "--watch", "--jobs", "1"]
    process = subprocess.Popen(
        [*command, "--assignments", str(folders.suite.parents[1])],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        # Of a session that began in the background it would be ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert f"{SLUG}: proven" in "".join(told(process))
        replaced(folders.reference / "layers.py", "np.maximum(x, 0), x", "np.minimum(x, 0), x")
        assert "relu, relu.back proven" in "".join(told(process)), "the reference says what is right"
        replaced(folders.suite / "assignment.yaml", "call: softmax(big)", "call: sofmax(big)")
        assert "assignment.yaml:" in (said := "".join(told(process)))
        assert "did you mean" in said
        replaced(folders.suite / "assignment.yaml", "call: sofmax(big)", "call: softmax(big)")
        assert "no item hangs on what changed" in "".join(told(process))
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()


def told(process):
    """Its lines until it waits."""
    for line in process.stdout:
        yield line
        if line.startswith("waiting"):
            return
