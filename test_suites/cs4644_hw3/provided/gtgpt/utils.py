"""Seeds and configurations, under the names that the notebook imports."""

import random

import numpy
import torch


def set_seed(seed):
    """Seeds Python, NumPy and torch (all devices)."""
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)


class CfgNode:
    """A configuration: settings as attributes, nodes within nodes.

    >>> config = CfgNode(n_layer=2)
    >>> config.n_head = 3
    >>> config.to_dict()
    {'n_layer': 2, 'n_head': 3}
    """

    def __init__(self, **settings):
        self.__dict__.update(settings)

    def __repr__(self):
        return f"CfgNode({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"

    def to_dict(self):
        """The settings as a dict, inner nodes as inner dicts."""
        return {name: value.to_dict() if isinstance(value, CfgNode) else value for name, value in self.__dict__.items()}

    def merge_from_dict(self, settings):
        """Adds the settings of a dict, replacing those of the same name."""
        self.__dict__.update(settings)
