"""The twelve checks as a suite of plain pytest; the submission's path is in the environment."""

import os

import checks
import pytest
import torch
import torch_layers

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def student():
    return checks.load(os.environ["SUBMISSION"])


@pytest.mark.parametrize("name", checks.CHECKS)
def test_check(student, name):
    checks.check(name, student, torch_layers)
