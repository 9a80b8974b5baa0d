"""A device that is none: tensors that hold numbers on the CPU and say that they live elsewhere.

It finds what would fail on a GPU, without one. Inside `pretending()` a tensor that was sent to DEVICE computes as
always, gradients included, but may not meet one that was left behind, be read by NumPy, or be drawn from a generator of
the CPU. It calls itself "meta", because that is the one name besides "cpu" for which autograd needs no driver.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = "meta"
aten = torch.ops.aten
# What copies between devices, and what takes indices or lengths from the CPU, as on a GPU.
MIX = {aten.copy_.default, aten._to_copy.default, aten._pack_padded_sequence.default}
INDEXED = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}


class Elsewhere(torch.Tensor):
    """A tensor on the device that is none; `held` are its numbers."""

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> Elsewhere:
        return torch.Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype,
            device=DEVICE,
        )  # fmt: skip

    def __init__(self, held: torch.Tensor) -> None:
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise RuntimeError(f"{func} outside `pretending()`")


class _Pretending(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        tensors = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, torch.Tensor)]
        there = [tensor for tensor in tensors if isinstance(tensor, Elsewhere)]
        assert all(isinstance(tensor, Elsewhere) or tensor.device.type != DEVICE for tensor in tensors), (
            f"{func} without numbers"
        )
        wanted = kwargs.get("device")
        target = torch.device(wanted).type if wanted is not None else DEVICE if there else "cpu"
        if wanted is not None:
            kwargs["device"] = torch.device("cpu")
        if there:
            _require_together(func, args, kwargs, tensors)
        if target == DEVICE and kwargs.get("generator") is not None:
            raise RuntimeError(f"{func}: expected a generator of the tensor's device, found one of the CPU")
        found = func(*_held(args), **_held(kwargs))
        if func is aten.copy_.default:
            return args[0]
        if target != DEVICE:
            return found
        out = tree_map(lambda one: Elsewhere(one) if isinstance(one, torch.Tensor) else one, found)
        return return_and_correct_aliasing(func, args, kwargs, out) if there else out


def _held(tree):
    return tree_map(lambda one: one.held if isinstance(one, Elsewhere) else one, tree)


def _require_together(func, args, kwargs, tensors):
    left = [tensor for tensor in tensors if not isinstance(tensor, Elsewhere) and tensor.dim() > 0]
    if func in INDEXED and isinstance(args[0], Elsewhere):
        left = [value for value in args[2:3] if not isinstance(value, Elsewhere) and value.dim() > 0]
    if left and func not in MIX:
        raise RuntimeError(f"{func}: expected all tensors to be on the same device, found one of the CPU")


class _Numbers(TorchFunctionMode):
    """Python's numbers to tensors and back, which torch does in one piece, below what a dispatch mode sees."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is torch.Tensor.tolist:
            return args[0].cpu().tolist()
        if func in (torch.Tensor.__getitem__, torch.Tensor.__setitem__):
            args = (args[0], _indices(args[1]), *args[2:])
        if func not in (torch.tensor, torch.as_tensor, torch.asarray, torch.Tensor.new_tensor):
            return func(*args, **kwargs)
        wanted = kwargs.pop("device", None)
        if func is torch.Tensor.new_tensor:
            wanted, func, args = wanted or args[0].device, torch.tensor, args[1:]
        made = func(*args, **kwargs)
        return made if wanted is None else made.detach().to(wanted).requires_grad_(made.requires_grad)


def _indices(index):
    """Lists of numbers as tensors on the CPU, which may index everywhere."""
    if isinstance(index, tuple):
        return tuple(_indices(one) for one in index)
    return torch.tensor(list(index)) if isinstance(index, (list, range)) else index


@contextmanager
def pretending() -> Iterator[str]:
    """Let tensors be sent to the device that is yielded."""
    with _Pretending(), _Numbers():
        yield DEVICE
