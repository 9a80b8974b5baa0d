"""The twelve checks as a suite of pytest-prairielearn-grader, whose sandbox is one process for the whole module.

Inputs go there by dill; results come back as JSON, which has no place for a tree of tensors: the code that is put
behind the student's (`test_with_prairielearn/trailing_code.py`) returns one flat array.
"""

import checks
import numpy
import probes
import pytest
import torch
import torch_layers
from pytest_prairielearn_grader import ConfigObject
from test_with_prairielearn_values import flat

torch.set_num_threads(1)
autograder_config = ConfigObject(sandbox_timeout=120.0)


@pytest.mark.parametrize("name", checks.CHECKS)
@pytest.mark.grading_data(name="check", points=1)
def test_check(module_sandbox, name):
    probe, options, keys = checks.CHECKS[name]
    draw, seed = checks.INPUTS[probe.rsplit("_", 1)[0]]
    actual = module_sandbox.query_function("run_probe", probe, draw(seed), options, keys, query_timeout=120.0)
    expected = flat(getattr(probes, probe)({"speed": torch_layers}, **draw(seed), **options), keys)
    numpy.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)
