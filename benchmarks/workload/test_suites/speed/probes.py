"""Probes of the twelve checks. Plain torch: the other graders run the very same functions.

Gradients start from a scalar: `out.backward(upstream)` gives the same ones, but its first call in a process imports 487
modules of torch and sympy (0.4 s), which every cold start would pay for.
"""

import torch


def lstm_forward(modules, x, state, weights, upstream):
    """Outputs (B, T, H) and last state of an LSTM that starts at `state`."""
    out, (h, c) = _lstm(modules, weights)(x, (state[0], state[1]))
    return {"out": out, "h": h, "c": c}


def lstm_backward(modules, x, state, weights, upstream):
    """Gradients of inputs and parameters."""
    net = _lstm(modules, weights)
    x.requires_grad_()
    (net(x, (state[0], state[1]))[0] * upstream).sum().backward()
    return _gradients(net, x)


def layer_norm_forward(modules, x, weights, upstream, shift=0.0):
    """Outputs for inputs that are moved by `shift`."""
    return {"out": _layer_norm(modules, weights)(x + shift)}


def layer_norm_backward(modules, x, weights, upstream):
    """Gradients of inputs and parameters."""
    net = _layer_norm(modules, weights)
    x.requires_grad_()
    (net(x) * upstream).sum().backward()
    return _gradients(net, x)


def attention_forward(modules, x, heads, weights, upstream, causal=False):
    """Outputs of self-attention."""
    return {"out": _attention(modules, heads, weights)(x, causal=causal)}


def attention_backward(modules, x, heads, weights, upstream):
    """Gradients of inputs and parameters under the causal mask."""
    net = _attention(modules, heads, weights)
    x.requires_grad_()
    (net(x, causal=True) * upstream).sum().backward()
    return _gradients(net, x)


def _lstm(modules, weights):
    rows, width = weights["weight_ih"].shape
    return _filled(modules["speed"].LSTM(width, rows // 4), weights)


def _layer_norm(modules, weights):
    return _filled(modules["speed"].LayerNorm(weights["weight"].shape[0]), weights)


def _attention(modules, heads, weights):
    return _filled(modules["speed"].MultiHeadAttention(weights["out_bias"].shape[0], heads), weights)


def _filled(net, weights):
    parameters = dict(net.named_parameters())
    with torch.no_grad():
        for name, value in weights.items():
            parameters[name].copy_(value)
    return net


def _gradients(net, x):
    return {"x": x.grad, "parameters": {name: parameter.grad for name, parameter in net.named_parameters()}}
