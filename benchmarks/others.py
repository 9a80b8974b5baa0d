"""Graders that bring a tree of packages of their own: each gets a private environment that shares torch with this one.

What cannot be installed is left out and said so; nothing is installed into the environment that this runs in.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from benchmarks.measuring import Cost, run

SUITES = Path(__file__).resolve().parent / "peers_suites"
SPEED = SUITES.parent / "workload" / "test_suites" / "speed"
SHARED = ("torch", "numpy", "pytest")
BATCH = 8


@dataclass(frozen=True)
class Peer:
    """A grader: what to install, and what one submission costs (`python`, working folder, submission, checks)."""

    name: str
    title: str
    packages: tuple[str, ...]
    cost: Callable[[Path, Path, Path, int], Cost]


def environment(folder: Path, packages: tuple[str, ...], *, alone: bool = False) -> Path | None:
    """The Python of a private environment with these packages; None where they cannot be had.

    It shares this environment's packages through a path file. `alone`: without what the packages need, which is there.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "shared.pth").write_text(f"{Path(torch.__file__).parent.parent}\n", encoding="utf-8")
    constraints = folder / "constraints.txt"
    # Another torch would be measured instead of ours: it must not come, and what comes must fit to ours.
    constraints.write_text("torch<0\n" + "".join(f"{name}=={version(name)}\n" for name in SHARED[1:]), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--target",
        str(site),
        "--constraint",
        str(constraints),
    ]
    command += ["--no-deps"] if alone else []
    done = subprocess.run([*command, *packages], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"{packages[0]} cannot be installed, its rows are left out:\n{done.stderr[-500:]}", file=sys.stderr)
        return None
    return folder / "bin" / "python"


def otter(python: Path, folder: Path, submission: Path, checks: int) -> Cost:
    """`otter run` on one submission, no container."""
    cost, _ = run([python, SUITES / "otter_suite.py", submission, folder], cwd=folder)
    tests = json.loads((folder / "results.json").read_text(encoding="utf-8"))["tests"]
    scores = [test["score"] for test in tests if test["name"] != "Public Tests"]
    if sum(scores) != checks:
        raise RuntimeError(f"otter-grader gave {scores}")
    return cost


def nbgrader(python: Path, folder: Path, submission: Path, checks: int) -> Cost:
    """One `nbgrader autograde` for a batch, a submission's share of it."""
    # It starts `alembic` by name: a script of its packages, which another Python's first line stands in.
    site = next(python.parents[1].glob("lib/python*/site-packages"))
    more = {"PATH": f"{site / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(site)}
    if not (folder / "source").exists():
        run([python, SUITES / "nbgrader_course.py", submission, folder, str(BATCH)], more=more, cwd=folder)
    command = [python, "-m", "nbgrader", "autograde", "speed", f"--course-dir={folder}", "--force"]
    cost, _ = run(command, more=more, cwd=folder)
    with sqlite3.connect(folder / "gradebook.db") as book:
        [(score,)] = book.execute("select sum(auto_score) from grade")
    if score != checks * BATCH:
        raise RuntimeError(f"nbgrader gave {score} points to {BATCH} submissions")
    return cost.per(BATCH)


def prairielearn(python: Path, folder: Path, submission: Path, checks: int) -> Cost:
    """pytest with the plug-in on one submission."""
    tests = folder / "tests"
    if not tests.exists():
        tests.mkdir()
        for path in SUITES.glob("test_with_prairielearn*"):
            (shutil.copytree if path.is_dir() else shutil.copy)(path, tests / path.name)
        shutil.copy(submission, tests / "test_with_prairielearn" / "student_code.py")
    paths = f"{tests}:{SUITES}:{SPEED}"
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={tests}"]
    more = {"SUITES": paths, "PYTHONPATH": paths}
    cost, text = run([*command, tests / "test_with_prairielearn.py"], more=more, cwd=tests)
    if f"{checks} passed" not in text:
        raise RuntimeError(f"pytest-prairielearn-grader said {text[-500:]}")
    return cost


PEERS = (
    Peer("otter", "otter-grader, one process each, no container", ("otter-grader", "ipykernel"), otter),
    Peer("nbgrader", f"nbgrader, one command for {BATCH}, per submission", ("nbgrader", "ipykernel"), nbgrader),
    Peer(
        "prairielearn",
        "pytest-prairielearn-grader, one process each",
        ("pytest-prairielearn-grader", "pandas"),
        prairielearn,
    ),
)
