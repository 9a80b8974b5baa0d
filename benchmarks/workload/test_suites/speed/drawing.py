"""The inputs of the twelve checks, from a seed. Plain torch: the other graders draw the very same tensors."""

import torch

BATCH, TIME, WIDTH, HIDDEN, HEADS = 4, 32, 64, 32, 4


def lstm_inputs(seed):
    draw = torch.Generator().manual_seed(seed)
    return {
        "x": torch.randn(BATCH, TIME, WIDTH, generator=draw),
        "state": [torch.randn(BATCH, HIDDEN, generator=draw) for _ in "hc"],
        "weights": {
            "weight_ih": 0.2 * torch.randn(4 * HIDDEN, WIDTH, generator=draw),
            "weight_hh": 0.2 * torch.randn(4 * HIDDEN, HIDDEN, generator=draw),
            "bias": 0.2 * torch.randn(4 * HIDDEN, generator=draw),
        },
        "upstream": torch.randn(BATCH, TIME, HIDDEN, generator=draw),
    }


def layer_norm_inputs(seed):
    draw = torch.Generator().manual_seed(seed)
    return {
        "x": torch.randn(BATCH, TIME, WIDTH, generator=draw),
        "weights": {name: torch.randn(WIDTH, generator=draw) for name in ("weight", "bias")},
        "upstream": torch.randn(BATCH, TIME, WIDTH, generator=draw),
    }


def attention_inputs(seed):
    draw = torch.Generator().manual_seed(seed)
    return {
        "x": torch.randn(BATCH, TIME, WIDTH, generator=draw),
        "heads": HEADS,
        "weights": {
            "in_weight": 0.2 * torch.randn(3 * WIDTH, WIDTH, generator=draw),
            "in_bias": 0.2 * torch.randn(3 * WIDTH, generator=draw),
            "out_weight": 0.2 * torch.randn(WIDTH, WIDTH, generator=draw),
            "out_bias": 0.2 * torch.randn(WIDTH, generator=draw),
        },
        "upstream": torch.randn(BATCH, TIME, WIDTH, generator=draw),
    }
