"""The running average of a model's weights, with the interface of old and new versions."""

import copy

import torch
from torch import nn


class EMAModel:
    """Old: `EMAModel(model=net, power=0.75)`, `step(net)`, `averaged_model`. New: both get `net.parameters()`.

    A new one built from a model (positional, or as `parameters`) has `averaged_model` too.
    """

    def __init__(self, parameters=None, power=2 / 3, model=None, **others):
        model = parameters if isinstance(parameters, nn.Module) else model
        self.power = power
        self.optimization_step = 0
        if model is not None:
            self.averaged_model = copy.deepcopy(model).eval().requires_grad_(False)
            self.shadow_params = list(self.averaged_model.parameters())
        else:
            self.shadow_params = [parameter.detach().clone() for parameter in parameters]

    @torch.no_grad()
    def step(self, parameters):
        """Move the average towards the present weights."""
        self.optimization_step += 1
        share = (1 + self.optimization_step) ** -self.power
        for average, present in zip(self.shadow_params, _of(parameters), strict=True):
            average.copy_(average + share * (present.detach() - average))

    @torch.no_grad()
    def copy_to(self, parameters):
        """Write the average into parameters."""
        for average, goal in zip(self.shadow_params, _of(parameters), strict=True):
            goal.copy_(average)

    def store(self, parameters):
        """Keep parameters for `restore`."""
        self._stored = [parameter.detach().clone() for parameter in _of(parameters)]

    @torch.no_grad()
    def restore(self, parameters):
        """Write back what `store` kept."""
        for kept, goal in zip(self._stored, _of(parameters), strict=True):
            goal.copy_(kept)

    def to(self, device=None, dtype=None):
        """Move the average."""
        for average in self.shadow_params:
            average.data = average.data.to(device=device, dtype=dtype)


def _of(parameters):
    return parameters.parameters() if isinstance(parameters, nn.Module) else list(parameters)
