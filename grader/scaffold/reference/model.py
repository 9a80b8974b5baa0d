"""A linear layer whose output is scaled."""

import torch
from torch import nn


class ScaledLinear(nn.Module):
    """scale * (x W^T + b)."""

    def __init__(self, width: int, features: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        # Declare one linear layer from `width` to `features`.
        # BEGIN SOLUTION
        self.linear = nn.Linear(width, features)
        # END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (batch, width) -> (batch, features)."""
        # BEGIN SOLUTION
        return self.linear(x) * self.scale  # (batch, features)
        # END SOLUTION
