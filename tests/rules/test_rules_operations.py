"""The table of betraying operations against torch itself: every layer that runs here must be caught by its row."""

import os

import pytest

from grader.rules.names import canonical
from grader.rules.operations import LAYERS, short

torch = pytest.importorskip("torch")
nn = torch.nn
F = torch.nn.functional


def batch():
    return torch.randn(2, 5, 8)


def pair():
    return torch.randn(2, 8)


def labels():
    return torch.tensor([1, 2])


def image():
    return torch.randn(1, 3, 6, 6)


RUNS = {
    "torch.nn.LSTM": lambda: nn.LSTM(8, 4)(batch()),
    "torch.nn.LSTMCell": lambda: nn.LSTMCell(8, 4)(pair()),
    "torch.nn.GRU": lambda: nn.GRU(8, 4)(batch()),
    "torch.nn.GRUCell": lambda: nn.GRUCell(8, 4)(pair()),
    "torch.nn.RNN": lambda: nn.RNN(8, 4)(batch()),
    "torch.nn.RNNCell": lambda: nn.RNNCell(8, 4, nonlinearity="relu")(pair()),
    "torch.nn.LayerNorm": lambda: nn.LayerNorm(8)(batch()),
    "torch.native_layer_norm": lambda: torch.native_layer_norm(batch(), [8], None, None, 1e-5),
    "torch.nn.RMSNorm": lambda: nn.RMSNorm(8)(batch()),
    "torch.nn.GroupNorm": lambda: nn.GroupNorm(1, 5)(batch()),
    "torch.nn.InstanceNorm1d": lambda: nn.InstanceNorm1d(5)(batch()),
    "torch.nn.BatchNorm1d": lambda: nn.BatchNorm1d(5)(batch()),
    "torch.nn.MultiheadAttention": lambda: nn.MultiheadAttention(8, 2)(batch(), batch(), batch()),
    "torch.nn.functional.scaled_dot_product_attention": lambda: F.scaled_dot_product_attention(*(batch(),) * 3),
    "torch.nn.CrossEntropyLoss": lambda: nn.CrossEntropyLoss()(pair(), labels()),
    "torch.nn.NLLLoss": lambda: nn.NLLLoss()(pair(), labels()),
    "torch.nn.BCELoss": lambda: nn.BCELoss()(pair().sigmoid(), pair().sigmoid()),
    "torch.nn.BCEWithLogitsLoss": lambda: nn.BCEWithLogitsLoss()(pair(), pair().sigmoid()),
    "torch.nn.MSELoss": lambda: nn.MSELoss()(pair(), pair()),
    "torch.nn.L1Loss": lambda: nn.L1Loss()(pair(), pair()),
    "torch.nn.SmoothL1Loss": lambda: nn.SmoothL1Loss()(pair(), pair()),
    "torch.nn.HuberLoss": lambda: nn.HuberLoss()(pair(), pair()),
    "torch.nn.KLDivLoss": lambda: nn.KLDivLoss(reduction="sum")(pair(), pair()),
    "torch.nn.Softmax": lambda: nn.Softmax(-1)(pair()),
    "torch.nn.LogSoftmax": lambda: nn.LogSoftmax(-1)(pair()),
    "torch.nn.CosineSimilarity": lambda: nn.CosineSimilarity()(pair(), pair()),
    "torch.nn.Linear": lambda: nn.Linear(8, 3)(batch()),
    "torch.nn.Bilinear": lambda: nn.Bilinear(8, 8, 3)(pair(), pair()),
    "torch.nn.Embedding": lambda: nn.Embedding(5, 3)(labels()),
    "torch.nn.EmbeddingBag": lambda: nn.EmbeddingBag(5, 3)(labels()[None]),
    "torch.nn.Conv1d": lambda: nn.Conv1d(5, 4, 2)(batch()),
    "torch.nn.Conv2d": lambda: nn.Conv2d(3, 4, 2)(image()),
    "torch.nn.Unfold": lambda: nn.Unfold(2)(image()),
    "torch.nn.Dropout": lambda: nn.Dropout(0.5)(pair()),
}


@pytest.fixture(scope="module")
def seen():
    """What a Python-level mode and the profiler see of each run: the two views that a traced worker has."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    from torch.overrides import TorchFunctionMode, resolve_name
    from torch.profiler import ProfilerActivity, profile

    class Calls(TorchFunctionMode):
        def __init__(self):
            super().__init__()
            self.names = set()

        def __torch_function__(self, func, types, args=(), kwargs=None):
            self.names.add(resolve_name(func) or getattr(func, "__name__", ""))
            return func(*args, **(kwargs or {}))

    found = {}
    for name, run in RUNS.items():
        with profile(activities=[ProfilerActivity.CPU]) as recorded:
            run()
        with Calls() as calls:
            run()
        found[name] = (calls.names, {event.name() for event in recorded.profiler.kineto_results.events()})
    return found


@pytest.mark.parametrize("name", RUNS)
def test_each_layer_is_betrayed_by_its_row(name, seen):
    calls, recorded = seen[name]
    row = {
        operation for layer in LAYERS if name in (*layer.classes, *layer.functions) for operation in layer.operations
    }
    assert row & {short(operation) for operation in calls | recorded}


@pytest.mark.parametrize("name", RUNS)
def test_no_other_whole_layer_is_betrayed(name, seen):
    """A `whole` operation must not occur in another layer's run, or an honest use of that one is taken for it."""
    inside = {
        ("torch.nn.InstanceNorm1d", "torch.nn.BatchNorm1d"),
        ("torch.nn.CrossEntropyLoss", "torch.nn.NLLLoss"),
    }
    ran = {short(operation) for view in seen[name] for operation in view}
    for layer in LAYERS:
        own = name in (*layer.classes, *layer.functions)
        known = any((name, other) in inside for other in layer.classes)
        assert own or known or not layer.whole or not ran & set(layer.operations), layer


def test_every_row_that_can_run_here_is_tried():
    needs_another_machine = {"torch.nn.TransformerEncoderLayer", "torch.nn.RNNBase"}
    for layer in LAYERS:
        names = set(layer.classes) | set(layer.functions)
        assert names & set(RUNS) or names & needs_another_machine, layer


def test_the_classes_and_functions_of_the_table_exist():
    for layer in LAYERS:
        for name in layer.classes:
            assert isinstance(getattr(nn, name.removeprefix("torch.nn.")), type)
            kind = getattr(nn, name.removeprefix("torch.nn."))
            assert canonical(f"{kind.__module__}.{kind.__qualname__}") == name
        for name in layer.functions:
            owner = torch
            for part in name.split(".")[1:]:
                owner = getattr(owner, part, None)
            assert owner is not None or name == "torch.quantized_lstm", name


@pytest.mark.parametrize(
    ("operation", "bare"),
    [
        ("aten::lstm", "lstm"),
        ("aten::lstm.input", "lstm"),
        ("torch.lstm", "lstm"),
        ("torch._VF.lstm", "lstm"),
        ("torch._C._nn.linear", "linear"),
        ("torch.nn.functional.layer_norm", "layer_norm"),
        ("multi_head_attention_forward", "multi_head_attention_forward"),
        ("torch.Tensor.softmax", "softmax"),
    ],
)
def test_bare_names(operation, bare):
    assert short(operation) == bare
