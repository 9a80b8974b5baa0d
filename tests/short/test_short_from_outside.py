"""The example of the documentation, proven and graded by the commands, in a folder that knows nothing of this one."""

import csv
import os
import shutil
import subprocess
import sys

import pytest
from short_examples import write_five


def grader(*arguments, code=0, errors=False):
    """Run the command line in the working folder; its output, or what it says on standard error."""
    command = [sys.executable, "-m", "grader.cli", *map(str, arguments)]
    settings = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "GRADER_ASSIGNMENTS": ""}
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done.stderr if errors else done.stdout


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="grading a class needs Linux")


@linux
def test_five_functions(tmp_path, monkeypatch):
    folders = write_five(tmp_path)
    monkeypatch.chdir(tmp_path)
    grader("template", "five")
    stdout = grader("verify", "five")
    assert "five: proven; 5 automatic items" in stdout
    grader("expand", "five", "--into", tmp_path / "long")
    assert (tmp_path / "long" / "test_checks.py").is_file()
    assert "def relu(modules, x, seed)" in grader("expand", "five", "relu")

    handed_in = tmp_path / "class" / "bob"
    shutil.copytree(folders.template, handed_in)
    text = (folders.reference / "f.py").read_text().replace("softmax(x, -1)", "softmax(x, 0)")
    (handed_in / "f.py").write_text(text)
    notebook = handed_in / "analysis.ipynb"
    notebook.write_text(notebook.read_text().replace("receptive_field = None", "receptive_field = 7"))
    grader("grade", "five", handed_in, "--single", "--out", tmp_path / "out")
    with (tmp_path / "out" / "items.csv").open() as file:
        passed = {row["item"]: row["passed"] for row in csv.DictReader(file)}
    assert passed == {"relu": "1", "softmax": "0", "mse": "1", "one_hot": "1", "receptive_field": "0"}
    stdout = grader("check", "five", handed_in, code=1)
    assert "Hint: wrong axis" in stdout
    assert "receptive_field is not right: it is 7.0." in stdout
    assert "9" not in stdout.split("receptive_field is not right")[1].split("\n")[0]
    assert not (tmp_path / ".hypothesis").exists(), "nothing is left in the working folder"


@linux
def test_a_call_that_the_reference_does_not_take_is_told_in_a_line(tmp_path, monkeypatch):
    write_five(tmp_path, ('"mse(x, y)"', "mse(x)"), ('"one_hot(i, 4)"', '"one_hot(i, 2)"'))
    monkeypatch.chdir(tmp_path)
    grader("template", "five")
    told = grader("verify", "five", code=2, errors=True)
    assert "mse(x): TypeError: mse() missing 1 required positional argument: 'y'" in told
    assert "one_hot(i, 2): IndexError: index" in told
    assert "(f.py, line 24)" in told
    assert len(told.splitlines()) < 10, "no tracebacks through code that the author has not written"
