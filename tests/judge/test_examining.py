"""What the reference alone shows of an item: gradients that the loss hides, loose numbers, rounding in float64 too."""

import sys

import pytest
from tiny_assignment import SLUG, copy_of_the_assignment, edit

from grader.assignment.locate import folders_below
from grader.proof.demands import hidden_gradients, tolerance_problems
from grader.run.engine import Engine, Order

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the judge forks")

SOFTMAX = '    return {"out": modules["layers"].softmax(scores)}'
PULLED = """    out = modules["layers"].softmax(handed(scores))
    LOSS.backward()
    return {"out": out, "gradients": {"scores": gradient(scores)}}"""


def examined(tmp_path, item, *edits):
    root = copy_of_the_assignment(tmp_path / "assignments")
    for name, find, replace in edits:
        edit(root / "test_suites" / SLUG / name, find, replace)
    with Engine(Order(folders=folders_below(root, SLUG), seed="examining", items=(item,))) as engine:
        return engine.examine()


@pytest.mark.parametrize(
    ("loss", "vanishing"), [("out.sum()", ("gradients.scores",)), ("(out * out.detach().cos()).sum()", ())]
)
def test_a_loss_that_hides_gradients_is_warned_of(tmp_path, loss, vanishing):
    found = examined(tmp_path, "softmax.values", ("probes.py", SOFTMAX, PULLED.replace("LOSS", loss)))
    assert found["softmax.values"].vanishing == vanishing
    warnings = hidden_gradients(found)
    assert len(warnings) == len(vanishing)
    assert all("gradients.scores vanish in every case" in line and "pulled_back" in line for line in warnings)


@pytest.mark.parametrize(("tolerance", "loose"), [("", False), (", rtol=0.1", True)])
def test_a_number_that_follows_from_drawn_inputs_is_compared_as_strictly_as_tensors(tmp_path, tolerance, loose):
    found = examined(
        tmp_path,
        "count.right",
        ("probes.py", "notebook.count_right(scores, labels)", "9.0 + notebook.count_right(scores, labels)"),
        ("test_tiny.py", "reference.run(count, case))", f"reference.run(count, case){tolerance})"),
    )
    assert found["count.right"].noise is not None
    problems = tolerance_problems(found)
    assert [line for line in problems if "a relative error of 1e-3" in line] == problems
    assert bool(problems) == loose


def test_rounding_is_measured_where_the_reference_computes_in_float64(tmp_path):
    double = SOFTMAX.replace("(scores)}", "(scores.double())}")
    (found,) = examined(tmp_path, "softmax.values", ("probes.py", SOFTMAX, double)).values()
    assert found.noise
    assert found.bound == 1e-9
