"""`nbgrader_course.py SUBMISSION FOLDER COUNT`: a course of nbgrader in which COUNT students handed the same file in.

The notebook has one cell to fill in and twelve cells with a check each.
"""

import subprocess
import sys
from pathlib import Path

import checks
import nbformat

SUITES = Path(__file__).parent
FIRST = """\
import sys
import types

sys.path.insert(0, {suites!r})
import checks
import torch
import torch_layers

torch.set_num_threads(1)
"""


def cell(source, name, *, solution=False, graded=False):
    """A cell with the marks that nbgrader looks for."""
    marks = {"grade_id": name, "grade": graded, "solution": solution, "locked": not solution, "schema_version": 3,
             "task": False, "cell_type": "code"}  # fmt: skip
    return nbformat.v4.new_code_cell(source, metadata={"nbgrader": {**marks, "points": 1} if graded else marks})


def notebook(solution):
    """The assignment with this text in the cell that students fill in."""
    check = "checks.check({name!r}, types.SimpleNamespace(**globals()), torch_layers)"
    cells = [cell(FIRST.format(suites=str(SUITES)), "imports"), cell(solution, "solution", solution=True)]
    cells += [cell(check.format(name=name), name, graded=True) for name in checks.CHECKS]
    made = nbformat.v4.new_notebook(cells=cells)
    made.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    return made


def main(submission, folder, count):
    """Lay the course out and have nbgrader take the assignment into its data base."""
    text = Path(submission).read_text()
    places = [folder / "source" / "speed"]
    places += [folder / "submitted" / f"student_{number:03d}" / "speed" for number in range(count)]
    for place in places:
        place.mkdir(parents=True)
        nbformat.write(notebook(text), place / "speed.ipynb")
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", "speed", f"--course-dir={folder}"]
    subprocess.run([*command, "--create"], check=True, cwd=folder)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
