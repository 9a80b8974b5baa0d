"""Tensors of any size as pieces that fit into frames, and back again.

A frame holds at most 64 MiB, trained weights and training data may be larger. A piece is a run of elements of one
tensor: `{"name", "shape", "offset", "values"}`, values flat. Pieces arrive in order, without gaps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch

from grader.wire.frames import WireError, flat_of

BATCH_BYTES = 32 << 20
BATCH_PIECES = 100  # the header of a frame names every piece
MAX_BYTES = 2 << 30
MAX_TENSORS = 5000
MAX_BATCHES = 2 * (MAX_BYTES // BATCH_BYTES + MAX_TENSORS // BATCH_PIECES)  # an honest sender needs half of them

Piece = dict[str, object]


def batches(tensors: Mapping[str, torch.Tensor]) -> Iterator[list[Piece]]:
    """The tensors as batches of pieces, each of at most 32 MiB and 100 pieces. Copies nothing on a CPU."""
    batch: list[Piece] = []
    room = BATCH_BYTES
    for name, tensor in tensors.items():
        flat = flat_of(tensor.detach())
        offset, shape = 0, list(tensor.shape)
        while True:
            count = min(flat.numel() - offset, max(1, room // flat.element_size()))
            batch.append({"name": name, "shape": shape, "offset": offset, "values": flat[offset : offset + count]})
            offset += count
            room -= count * flat.element_size()
            if room <= 0 or len(batch) == BATCH_PIECES:
                yield batch
                batch, room = [], BATCH_BYTES
            if offset >= flat.numel():
                break
    if batch:
        yield batch


@dataclass
class _Growing:
    """A tensor that arrives. Memory is used for what has come, never for what was announced."""

    shape: list[int]
    dtype: torch.dtype
    filled: int = 0
    pieces: list[torch.Tensor] = field(default_factory=list)

    @property
    def missing(self) -> int:
        return math.prod(self.shape) - self.filled

    def whole(self) -> torch.Tensor:
        """The tensor; what it was made of is let go."""
        flat = torch.cat(self.pieces) if len(self.pieces) > 1 else self.pieces[0]
        self.pieces.clear()
        return flat.reshape(self.shape)


class Assembly:
    """Puts pieces together. The pieces are the claims of a hostile process: everything about them is checked."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._tensors: dict[str, _Growing] = {}
        self._left = max_bytes
        self._batches = 0

    def add(self, batch: object) -> None:
        """Take one batch. Raises WireError for pieces that are malformed, out of order, or too much."""
        if not isinstance(batch, list):
            raise WireError("a batch of tensors is not a list")
        self._batches += 1
        if self._batches > MAX_BATCHES:  # else a sender of crumbs would never come to an end
            raise WireError(f"more than {MAX_BATCHES} batches of tensors")
        for piece in batch:
            if not isinstance(piece, Mapping) or set(piece) != {"name", "shape", "offset", "values"}:
                raise WireError("a piece of a tensor needs exactly name, shape, offset and values")
            self._add(piece)

    def _add(self, piece: Mapping[str, object]) -> None:
        name, shape, offset, values = piece["name"], piece["shape"], piece["offset"], piece["values"]
        if not isinstance(name, str) or not isinstance(values, torch.Tensor) or values.dim() != 1:
            raise WireError("a piece of a tensor has no name or no flat values")
        if not isinstance(shape, list) or len(shape) > 8 or any(type(n) is not int or n < 0 for n in shape):
            raise WireError("a shape must be a list of at most 8 sizes")
        if name not in self._tensors:
            self._begin(name, shape, values.dtype)
        target = self._tensors[name]
        same = target.shape == shape and target.dtype == values.dtype
        if not same or type(offset) is not int or offset != target.filled or values.numel() > target.missing:
            raise WireError(f"a piece of {name[:100]!r} does not continue what came before")
        target.pieces.append(values.clone())  # else it would hold the whole frame
        target.filled += values.numel()

    def _begin(self, name: str, shape: list[int], dtype: torch.dtype) -> None:
        if len(self._tensors) >= MAX_TENSORS or len(name) > 300:
            raise WireError(f"more than {MAX_TENSORS} tensors, or a name of more than 300 characters")
        # The strides of an empty tensor may overflow: its other sizes count as if it were not empty.
        if math.prod(max(size, 1) for size in shape) * dtype.itemsize > MAX_BYTES:
            raise WireError("a tensor is larger than is accepted")
        self._left -= math.prod(shape) * dtype.itemsize
        if self._left < 0:
            raise WireError("the tensors are larger together than is accepted")
        self._tensors[name] = _Growing(list(shape), dtype)

    def finished(self) -> dict[str, torch.Tensor]:
        """All tensors by name. Raises WireError when one is incomplete."""
        for name, tensor in self._tensors.items():
            if tensor.missing:
                raise WireError(f"the tensor {name[:100]!r} is incomplete")
        return {name: tensor.whole() for name, tensor in self._tensors.items()}
