"""What a machine computes from fixed inputs and seeds: whether expected values of another one can be believed here.

Kernels differ in last bits between kinds of processors, which tolerances forgive; a random stream that differs makes
other cases and other dropout, and expected values that are wrong for them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch

NOISE = 1e-5  # relative to the largest entry; a third of what float32 values may differ by


def fingerprint() -> dict[str, torch.Tensor]:
    """Named tensors, the same on every machine that computes alike."""

    def stream() -> torch.Generator:
        return torch.Generator().manual_seed(20_000)

    normal = torch.randn(48, 64, generator=stream())
    wide = normal.double()
    return {
        "products": normal @ normal.t(),
        "products in float64": wide @ wide.t(),
        "exp": normal.exp(),
        "tanh": normal.tanh(),
        "softmax": normal.softmax(-1),
        "normalised": torch.nn.functional.layer_norm(normal, (64,)),
        "normal": normal,
        "normal, few": torch.randn(5, generator=stream()),  # another path than for 16 and more
        "uniform": torch.rand(40, generator=stream()),
        "Bernoulli": torch.empty(300).bernoulli_(0.4, generator=stream()),
        "integers": torch.randint(0, 1000, (40,), generator=stream()),
        "permutation": torch.randperm(40, generator=stream()),
    }


def digest_of(found: Mapping[str, torch.Tensor]) -> str:
    """Equal only to the last bit."""
    digest = hashlib.sha256()
    for name, tensor in sorted(found.items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:24]


def apart(recorded: Mapping[str, object], here: Mapping[str, torch.Tensor]) -> list[str]:
    """The names of what differs by more than rounding; empty on a machine that may judge."""
    return [name for name, tensor in here.items() if not _close(recorded.get(name), tensor)]


def _close(recorded: object, here: torch.Tensor) -> bool:
    if not isinstance(recorded, torch.Tensor) or recorded.shape != here.shape or recorded.dtype != here.dtype:
        return False
    if not here.is_floating_point():
        return torch.equal(recorded, here)
    worst, scale = (recorded - here).abs().max(), here.abs().max()
    return bool(worst <= NOISE * scale)  # NaN is not
