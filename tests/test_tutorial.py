"""The tutorial does what it says: its files are written, its commands are run, in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(?P<kind>\w+)(?: (?P<name>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="grading a class needs Linux")


def run(command, code):
    """A command line of the page; its output."""
    words = [sys.executable, "-m", "grader.cli", *command.split()[1:]]
    settings = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "GRADER_ASSIGNMENTS": ""}
    done = subprocess.run(words, env=settings, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == code, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def test_the_tutorial(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outputs = {}
    for block in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if block["name"]:
            path = tmp_path / block["name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block["text"], encoding="utf-8")
            continue
        for line in block["text"].splitlines():
            command, _, remark = line.partition("#")
            outputs[command.strip()] = run(command.strip(), int("exit 1" in remark))
    assert "losses: proven; 6 automatic items" in outputs["grader verify losses"]
    assert "none survives unexplained" in outputs["grader verify losses --mutants"]
    assert "Hint: the sum and not the mean over the rows" in outputs["grader check losses class/ada"]
    assert "7 of 9" in outputs["grader grade losses class --out grades"]
    assert (tmp_path / "long" / "check_probes.py").is_file()


def test_a_complete_assignment_of_five_checks_is_short():
    (manifest,) = [
        block["text"] for block in BLOCK.finditer(PAGE.read_text(encoding="utf-8")) if block["kind"] == "yaml"
    ]
    assert manifest.count("{call:") == 5
    assert len(manifest.splitlines()) <= 25
