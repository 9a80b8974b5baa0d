"""`gradescope_suite.py SUBMISSION RESULTS`: the twelve checks as a suite of gradescope-utils."""

import sys
import unittest
from pathlib import Path

import checks
import torch
import torch_layers
from gradescope_utils.autograder_utils.decorators import weight
from gradescope_utils.autograder_utils.json_test_runner import JSONTestRunner

SUBMISSION, RESULTS = sys.argv[1:]


class TestSpeed(unittest.TestCase):
    """One method per check, added below."""

    @classmethod
    def setUpClass(cls):
        cls.student = checks.load(SUBMISSION)


def method(name):
    @weight(1)
    def test(self):
        checks.check(name, self.student, torch_layers)

    test.__doc__ = name
    return test


for check_name in checks.CHECKS:
    setattr(TestSpeed, f"test_{check_name}", method(check_name))

torch.set_num_threads(1)
with Path(RESULTS).open("w") as file:
    JSONTestRunner(visibility="visible", stream=file).run(unittest.defaultTestLoader.loadTestsFromTestCase(TestSpeed))
