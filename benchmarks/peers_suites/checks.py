"""The twelve checks as other graders run them: student code and expected values in one process.

Inputs, probes and classes under test are those of `benchmarks/workload`; expected values come from torch's own layers,
as an instructor would write it. Every check computes both sides anew, because each stands alone.
"""

import importlib.util
import sys
from pathlib import Path

import torch

SUITE = Path(__file__).parent.parent / "workload" / "test_suites" / "speed"
sys.path[:0] = [str(SUITE)]

import drawing  # noqa: E402 - the suite's own modules, found through the line above
import probes  # noqa: E402

CHECKS = {
    "lstm_outputs": ("lstm_forward", {}, ("out",)),
    "lstm_state": ("lstm_forward", {}, ("h", "c")),
    "lstm_input_gradients": ("lstm_backward", {}, ("x",)),
    "lstm_parameter_gradients": ("lstm_backward", {}, ("parameters",)),
    "layer_norm_outputs": ("layer_norm_forward", {}, ("out",)),
    "layer_norm_shifted": ("layer_norm_forward", {"shift": 5.0}, ("out",)),
    "layer_norm_input_gradients": ("layer_norm_backward", {}, ("x",)),
    "layer_norm_parameter_gradients": ("layer_norm_backward", {}, ("parameters",)),
    "attention_outputs": ("attention_forward", {}, ("out",)),
    "attention_causal": ("attention_forward", {"causal": True}, ("out",)),
    "attention_input_gradients": ("attention_backward", {}, ("x",)),
    "attention_parameter_gradients": ("attention_backward", {}, ("parameters",)),
}
INPUTS = {
    "lstm": (drawing.lstm_inputs, 1),
    "layer_norm": (drawing.layer_norm_inputs, 2),
    "attention": (drawing.attention_inputs, 3),
}


def load(path):
    """A Python file as a module of its own."""
    spec = importlib.util.spec_from_file_location("speed", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check(name, student, expected):
    """Run one check on two modules. Raises AssertionError when they disagree."""
    probe, options, keys = CHECKS[name]
    draw, seed = INPUTS[probe.rsplit("_", 1)[0]]
    run = getattr(probes, probe)
    actual = run({"speed": student}, **draw(seed), **options)
    wanted = run({"speed": expected}, **draw(seed), **options)
    torch.testing.assert_close(
        {key: actual[key] for key in keys}, {key: wanted[key] for key in keys}, rtol=1e-4, atol=1e-4
    )
