"""Probes: run on the reference in the judge and on submissions in the sandbox."""

from torch import nn

from grader.probing import bind_layers, gradient, handed


def scaled(modules, x, weights, scale):
    """Forward and backward through ScaledLinear. x: (batch, width) -> out: (batch, features)."""
    features, width = weights["weight"].shape
    net = modules["model"].ScaledLinear(width, features, scale)
    bound = bind_layers(modules, net, {"linear": (nn.Linear, weights)})
    out = net(handed(x))
    out.square().sum().backward()
    return {"out": out, "gradients": {"x": gradient(x), **bound.gradients()}}
