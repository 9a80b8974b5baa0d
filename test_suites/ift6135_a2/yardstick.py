"""What question 1.1 is compared with: `nn.LSTM` behind the interface of the handout's class.

Reachable from a submission, and of no use there: the rule of question 1.1 sees the layer that it calls.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call


class LSTM(nn.Module):
    """The sixteen parameters under their names; the work is done by PyTorch."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        for source, width in (("i", input_size), ("h", hidden_size)):
            for gate in "ifgo":
                self.register_parameter(f"w_{source}{gate}", nn.Parameter(torch.empty(hidden_size, width)))
                self.register_parameter(f"b_{source}{gate}", nn.Parameter(torch.empty(hidden_size)))
        layer = nn.LSTM(batch_first=True, input_size=input_size, hidden_size=hidden_size)
        self._layer = [layer]  # in a list: not a submodule

    def forward(self, inputs: Tensor, hidden_states: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Inputs (B, T, D) and two states → outputs (B, T, H) and two states; each state is (1, B, H)."""
        own = dict(self.named_parameters())
        stacked = {
            f"{leaf}_{name}_l0": torch.cat([own[f"{kind}_{source}{gate}"] for gate in "ifgo"])
            for kind, leaf in (("w", "weight"), ("b", "bias"))
            for source, name in (("i", "ih"), ("h", "hh"))
        }
        return functional_call(self._layer[0], stacked, (inputs, hidden_states))
