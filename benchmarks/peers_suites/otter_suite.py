"""`otter_suite.py SUBMISSION FOLDER`: the twelve checks as tests of otter-grader, run without a container."""

import sys
import zipfile
from pathlib import Path

import checks
from otter.run import main

SUITES = Path(__file__).parent
TEST = """
import sys
import types

sys.path.insert(0, {suites!r})
import checks
import torch
import torch_layers
from otter.test_files import test_case

OK_FORMAT = False
name = {name!r}
points = 1


@test_case(points=1)
def test(env):
    torch.set_num_threads(1)
    checks.check({name!r}, types.SimpleNamespace(**env), torch_layers)
"""


def autograder(folder):
    """The zip file that otter wants, made once."""
    path = folder / "autograder.zip"
    if not path.exists():
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("otter_config.json", "{}")
            for name in checks.CHECKS:
                archive.writestr(f"tests/{name}.py", TEST.format(suites=str(SUITES), name=name))
    return path


if __name__ == "__main__":
    submission, target = sys.argv[1], Path(sys.argv[2])
    main(submission, autograder=str(autograder(target)), output_dir=str(target), no_logo=True)
