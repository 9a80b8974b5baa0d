"""Honest styles: every class of the reference begins otherwise, and nothing else of it changes."""

import pytest
import torch

from grader.commands.shared import open_assignment
from grader.proof.styles import STYLES, begun, styles_of

NET = """import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 9, 64) * 0.02)
        self.layer = nn.Linear(64, 64)


class Plain:
    def __init__(self):
        self.layer = None
"""


@pytest.mark.parametrize("style", STYLES)
def test_a_style_changes_how_a_model_begins(style):
    names = {}
    exec(compile(begun(NET, "net.py", STYLES[style]), "net.py", "exec"), names)
    net = names["Net"]()
    spread = net.token.std().item()
    assert abs(spread - (1 if "tokens" in style else 0.02)) < 0.2 or style in ("Xavier",)
    if style == "zero biases":
        assert net.layer.bias.abs().sum() == 0
    if style == "orthogonal":
        assert torch.allclose(net.layer.weight @ net.layer.weight.t(), torch.eye(64), atol=1e-5)
    assert names["Plain"]().layer is None


def test_what_is_given_has_no_styles_and_what_students_write_has_four_and_more():
    assert styles_of(open_assignment("cs4644_hw3", None)[1]) == {}, "its constructors are the course's own"
    for slug in ("cs7643_a4", "ece046211_hw3", "ift6135_a2", "mldl1_hw4"):
        assert len(styles_of(open_assignment(slug, None)[1])) >= 4
