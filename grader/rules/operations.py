"""Which operations betray a forbidden layer when it runs, and which functions are the layer by another name.

The names were read off the runs of torch 2.13 on a CPU, by a `TorchFunctionMode` (`torch.lstm`) and by the profiler's
record functions (`aten::lstm`); those of CUDA and of other builds come from torch's operator list.
`tests/rules/test_rules_operations.py` runs every layer here that runs on a CPU and compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """What belongs together: classes, the functions that do the same, and the operations that both end in.

    `whole`: such an operation exists only as a whole layer, so it betrays one under a prefix rule (`torch.nn.*`)
    too. The others (`softmax`) are also reached by functions that a prefix rule leaves alone.
    """

    classes: tuple[str, ...]
    functions: tuple[str, ...]
    operations: tuple[str, ...]
    whole: bool = False


LAYERS = (
    # The CPU runs an LSTM through oneDNN, CUDA through cuDNN, ROCm through MIOpen; `torch.lstm` stands above all.
    Layer(
        ("torch.nn.LSTM",),
        ("torch.lstm", "torch._VF.lstm", "torch.quantized_lstm"),
        ("lstm", "mkldnn_rnn_layer", "quantized_lstm", "lstm_mps"),
        whole=True,
    ),
    # One step of an LSTM; a loop over it is the library's LSTM. CUDA fuses the gates.
    Layer(
        ("torch.nn.LSTMCell",),
        ("torch.lstm_cell", "torch._VF.lstm_cell"),
        ("lstm_cell", "_thnn_fused_lstm_cell", "quantized_lstm_cell"),
        whole=True,
    ),
    Layer(("torch.nn.GRU",), ("torch.gru", "torch._VF.gru"), ("gru", "quantized_gru"), whole=True),
    Layer(
        ("torch.nn.GRUCell",),
        ("torch.gru_cell", "torch._VF.gru_cell"),
        ("gru_cell", "_thnn_fused_gru_cell", "quantized_gru_cell"),
        whole=True,
    ),
    # The non-linearity decides which of the two runs.
    Layer(
        ("torch.nn.RNN",),
        ("torch.rnn_tanh", "torch.rnn_relu", "torch._VF.rnn_tanh", "torch._VF.rnn_relu"),
        ("rnn_tanh", "rnn_relu"),
        whole=True,
    ),
    Layer(
        ("torch.nn.RNNCell",),
        ("torch.rnn_tanh_cell", "torch.rnn_relu_cell", "torch._VF.rnn_tanh_cell", "torch._VF.rnn_relu_cell"),
        ("rnn_tanh_cell", "rnn_relu_cell"),
        whole=True,
    ),
    # cuDNN and MIOpen run every kind of recurrent layer under one name.
    Layer(
        ("torch.nn.LSTM", "torch.nn.GRU", "torch.nn.RNN", "torch.nn.RNNBase"),
        (),
        ("_cudnn_rnn", "miopen_rnn", "_cudnn_init_dropout_state"),
        whole=True,
    ),
    # `layer_norm` calls `native_layer_norm`; calling the latter directly skips the former.
    Layer(
        ("torch.nn.LayerNorm",),
        ("torch.layer_norm", "torch.nn.functional.layer_norm", "torch.native_layer_norm"),
        ("layer_norm", "native_layer_norm"),
        whole=True,
    ),
    Layer(
        ("torch.nn.RMSNorm",),
        ("torch.rms_norm", "torch.nn.functional.rms_norm"),
        ("rms_norm", "_fused_rms_norm"),
        whole=True,
    ),
    Layer(
        ("torch.nn.GroupNorm",),
        ("torch.group_norm", "torch.nn.functional.group_norm", "torch.native_group_norm"),
        ("group_norm", "native_group_norm"),
        whole=True,
    ),
    # `instance_norm` runs `batch_norm`, so only its own name stands for it.
    Layer(
        ("torch.nn.InstanceNorm1d", "torch.nn.InstanceNorm2d", "torch.nn.InstanceNorm3d"),
        ("torch.instance_norm", "torch.nn.functional.instance_norm"),
        ("instance_norm",),
        whole=True,
    ),
    Layer(
        ("torch.nn.BatchNorm1d", "torch.nn.BatchNorm2d", "torch.nn.BatchNorm3d"),
        ("torch.batch_norm", "torch.nn.functional.batch_norm", "torch.native_batch_norm"),
        ("batch_norm", "native_batch_norm", "cudnn_batch_norm", "_batch_norm_impl_index"),
        whole=True,
    ),
    # In C++ attention with weights is bare matrix products; only the Python name and the inference kernel show it.
    Layer(
        ("torch.nn.MultiheadAttention",),
        ("torch.nn.functional.multi_head_attention_forward", "torch._native_multi_head_attention"),
        ("multi_head_attention_forward", "_native_multi_head_attention", "_transform_bias_rescale_qkv"),
        whole=True,
    ),
    # The fused kernels differ by device, dtype and mask; all come out of one function. A MultiheadAttention that
    # need not return its weights ends here as well, but a rule against that class alone does not mean this function.
    Layer(
        (),
        ("torch.nn.functional.scaled_dot_product_attention",),
        (
            "scaled_dot_product_attention",
            "_scaled_dot_product_attention_math",
            "_scaled_dot_product_flash_attention",
            "_scaled_dot_product_flash_attention_for_cpu",
            "_scaled_dot_product_efficient_attention",
            "_scaled_dot_product_cudnn_attention",
            "_scaled_dot_product_fused_attention_overrideable",
            "_flash_attention_forward",
            "_efficient_attention_forward",
            "flex_attention",
        ),
        whole=True,
    ),
    # The inference kernel of a whole encoder layer.
    Layer(
        ("torch.nn.TransformerEncoderLayer", "torch.nn.TransformerEncoder", "torch.nn.Transformer"),
        ("torch._transformer_encoder_layer_fwd",),
        ("_transformer_encoder_layer_fwd",),
        whole=True,
    ),
    # Cross entropy is log-softmax and negative log likelihood; on probabilities it is neither, hence its own name.
    Layer(
        ("torch.nn.CrossEntropyLoss",),
        ("torch.nn.functional.cross_entropy",),
        ("cross_entropy", "cross_entropy_loss"),
        whole=True,
    ),
    # `nll_loss_nd` is what `F.nll_loss` calls first; the backward is listed for calls that skip the rest.
    Layer(
        ("torch.nn.NLLLoss",),
        ("torch.nn.functional.nll_loss",),
        ("nll_loss", "nll_loss_nd", "nll_loss2d", "nll_loss_forward"),
        whole=True,
    ),
    Layer(
        ("torch.nn.BCELoss",),
        ("torch.nn.functional.binary_cross_entropy",),
        ("binary_cross_entropy",),
        whole=True,
    ),
    Layer(
        ("torch.nn.BCEWithLogitsLoss",),
        ("torch.nn.functional.binary_cross_entropy_with_logits", "torch.binary_cross_entropy_with_logits"),
        ("binary_cross_entropy_with_logits",),
        whole=True,
    ),
    Layer(("torch.nn.MSELoss",), ("torch.nn.functional.mse_loss",), ("mse_loss",), whole=True),
    Layer(("torch.nn.L1Loss",), ("torch.nn.functional.l1_loss",), ("l1_loss",), whole=True),
    Layer(("torch.nn.SmoothL1Loss",), ("torch.nn.functional.smooth_l1_loss",), ("smooth_l1_loss",), whole=True),
    Layer(("torch.nn.HuberLoss",), ("torch.nn.functional.huber_loss",), ("huber_loss",), whole=True),
    Layer(("torch.nn.KLDivLoss",), ("torch.nn.functional.kl_div", "torch.kl_div"), ("kl_div",), whole=True),
    # Also reached as a method of tensors, which no rule on `torch.nn` means.
    Layer(("torch.nn.Softmax",), ("torch.nn.functional.softmax", "torch.softmax"), ("softmax", "_softmax")),
    Layer(
        ("torch.nn.LogSoftmax",),
        ("torch.nn.functional.log_softmax", "torch.log_softmax"),
        ("log_softmax", "_log_softmax"),
    ),
    Layer(
        ("torch.nn.CosineSimilarity",),
        ("torch.nn.functional.cosine_similarity", "torch.cosine_similarity"),
        ("cosine_similarity",),
    ),
    Layer(("torch.nn.Linear",), ("torch.nn.functional.linear",), ("linear",)),
    Layer(("torch.nn.Bilinear",), ("torch.nn.functional.bilinear", "torch.bilinear"), ("bilinear",)),
    Layer(("torch.nn.Embedding",), ("torch.nn.functional.embedding", "torch.embedding"), ("embedding",)),
    Layer(
        ("torch.nn.EmbeddingBag",),
        ("torch.nn.functional.embedding_bag", "torch.embedding_bag"),
        ("embedding_bag", "_embedding_bag"),
    ),
    Layer(("torch.nn.Conv1d",), ("torch.nn.functional.conv1d", "torch.conv1d"), ("conv1d",)),
    Layer(("torch.nn.Conv2d",), ("torch.nn.functional.conv2d", "torch.conv2d"), ("conv2d",)),
    # Cutting an image into columns replaces a convolution.
    Layer(("torch.nn.Unfold",), ("torch.nn.functional.unfold",), ("im2col", "unfold")),
    Layer(
        ("torch.nn.Dropout",),
        ("torch.nn.functional.dropout", "torch.dropout"),
        ("dropout", "native_dropout", "_fused_dropout"),
    ),
)

_NAMESPACE = re.compile(r"^(?:[a-z_]+::|torch\.(?:_?[A-Za-z_]+\.)*)")
_ABSTRACT_BASES = {
    # A layer that is allowed is built on these; a rule that forbids everything else does not mean them.
    "torch.nn.RNNBase": ("torch.nn.LSTM", "torch.nn.GRU", "torch.nn.RNN"),
    "torch.nn.RNNCellBase": ("torch.nn.LSTMCell", "torch.nn.GRUCell", "torch.nn.RNNCell"),
}


def short(operation: str) -> str:
    """The bare name: `aten::lstm.input`, `torch.lstm` and `torch._VF.lstm` are all `lstm`."""
    if "::" in operation:
        return operation.partition("::")[2].partition(".")[0]
    return _NAMESPACE.sub("", operation)


def functions_behind(name: str) -> frozenset[str]:
    """The functions that are a class by another name: `torch.nn.LSTM` is `torch.lstm`, and its parts are too."""
    layers = [layer for layer in LAYERS if name in layer.classes]
    parts = (f"torch.{operation}" for layer in layers if layer.whole for operation in layer.operations)
    return frozenset([*(function for layer in layers for function in layer.functions), *parts])


def layers_of(name: str) -> Iterator[Layer]:
    """The table's rows in which a dotted name occurs as a class or a function."""
    return (layer for layer in LAYERS if name in layer.classes or name in layer.functions)


def built_on(name: str, allowed: Sequence[str]) -> bool:
    """Whether a class is only the base of allowed ones."""
    return any(child in allowed for child in _ABSTRACT_BASES.get(name, ()))
