"""The command line, with a Slurm of our own."""

import os
import subprocess
import sys

from tiny_assignment import ROOT

SEED = "s"


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


def status(slurm, out):
    """What `grader status` says, whether or not something needs somebody."""
    arguments = command("status", out)[:-2]
    environment = {**os.environ, **slurm.environment}
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode in (0, 3), done.stderr
    return done.stdout
