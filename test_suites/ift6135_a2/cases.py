"""What the checks of question 2 are run on: sizes that shapes can tell apart, every parameter drawn at random.

B is `batch`, T is `time`; both are 1 in some cases. Masks are (B, T) with 1 for a token and 0 for padding, and the
rows of one batch have different lengths.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from cases_recurrent import STD, masks
from hypothesis import strategies as st
from torch import Tensor

from grader.suite import Case, Draw, cases, flags, one_of, sizes

TOKENS = 256  # every sequence of this assignment has this length


def attention_weights(draw: Draw, size: int) -> dict[str, Tensor]:
    """Weights (out, in) and biases of the four projections of multi-head attention."""
    weights = {f"w_{role}": draw.normal(size, size, std=STD) for role in "qkvo"}
    return weights | {f"b_{role}": draw.normal(size, std=STD) for role in "qkvo"}


def block_weights(draw: Draw, size: int, hidden: int) -> dict[str, Tensor]:
    """Every parameter of an attention block that the handout names."""
    shapes = {
        "layer_norm_1.weight": (size,),
        "layer_norm_1.bias": (size,),
        "layer_norm_2.weight": (size,),
        "layer_norm_2.bias": (size,),
        "linear.0.weight": (hidden, size),
        "linear.0.bias": (hidden,),
        "linear.3.weight": (size, hidden),
        "linear.3.bias": (size,),
    }
    return {name: draw.normal(*shape, std=STD) for name, shape in shapes.items()}


# --- question 2 -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NormCase(Case):
    """Layer normalisation over any number of leading axes. `eps_power` p stands for eps = 10**-p."""

    first: int
    second: int
    third: int
    axes: int
    hidden: int
    eps_power: int
    narrow: bool
    seed: int

    def inputs(self) -> dict[str, object]:
        """Vectors whose variance is near eps when `narrow`, so that the place of eps matters."""
        draw = self.draw()
        dims = (self.first, self.second, self.third)[: self.axes]
        return {
            "x": draw.normal(*dims, self.hidden, std=0.05 if self.narrow else 1.5, mean=0.5),
            "eps": 10.0**-self.eps_power,
            "weight": draw.normal(self.hidden),
            "bias": draw.normal(self.hidden),
            "upstream": draw.normal(*dims, self.hidden),
        }


@dataclass(frozen=True)
class HeadsCase(Case):
    """Queries, keys and values that are split already, and tensors of any width `dim` for splitting and merging."""

    batch: int
    time: int
    heads: int
    head_size: int
    dim: int
    seed: int

    def inputs(self) -> dict[str, object]:
        """Tensors (B, m, T, d), a joined one (B, T, m * dim), a split one (B, m, T, dim) and a padding mask."""
        draw = self.draw()
        shape = (self.batch, self.heads, self.time, self.head_size)
        return {
            "heads": self.heads,
            "head_size": self.head_size,
            "joined": draw.normal(self.batch, self.time, self.heads * self.dim),
            "apart": draw.normal(self.batch, self.heads, self.time, self.dim),
            "queries": draw.normal(*shape),
            "keys": draw.normal(*shape),
            "values": draw.normal(*shape),
            "mask": masks(draw, self.batch, self.time),
            "upstream": draw.normal(self.batch, self.heads, self.time, self.time),
            "noise": draw.normal(*shape),
        }


@dataclass(frozen=True)
class ProjectionCase(Case):
    """The whole attention module."""

    batch: int
    time: int
    heads: int
    head_size: int
    seed: int

    @property
    def size(self) -> int:
        """E = m * d."""
        return self.heads * self.head_size

    def inputs(self) -> dict[str, object]:
        """Hidden states, weights of the four projections, a padding mask, and tensors for small changes."""
        draw, size = self.draw(), self.heads * self.head_size
        return {
            "heads": self.heads,
            "head_size": self.head_size,
            "x": draw.normal(self.batch, self.time, size),
            "weights": attention_weights(draw, size),
            "mask": masks(draw, self.batch, self.time),
            "noise": draw.normal(self.batch, self.time, size),
            "upstream": draw.normal(self.batch, self.time, size),
            "design": design(draw, size),
            "other_design": design(draw, size).flip(1),
            "draw": draw.integer(0, 2**31),
        }


def design(draw: Draw, size: int) -> Tensor:
    """(2, size + 4, size): in the first row zero, the unit vectors and three random ones; the second row is random.

    An affine function is known from the first size + 1 positions, and has to reproduce all others.
    """
    first = torch.cat([torch.zeros(1, size), torch.eye(size), draw.normal(3, size)])
    return torch.stack([first, draw.normal(size + 4, size)])


@dataclass(frozen=True)
class BlockCase(Case):
    """One attention block; its width is heads * head_size."""

    batch: int
    time: int
    heads: int
    head_size: int
    hidden: int
    seed: int

    def inputs(self) -> dict[str, object]:
        """Hidden states, all weights, the matrix of the stand-in for the attention, a padding mask."""
        draw, size = self.draw(), self.heads * self.head_size
        return {
            "heads": self.heads,
            "x": draw.normal(self.batch, self.time, size),
            "weights": block_weights(draw, size, self.hidden),
            "attention": attention_weights(draw, size),
            "matrix": draw.normal(size, size, std=STD),
            "mask": masks(draw, self.batch, self.time),
            "noise": draw.normal(self.batch, self.time, size),
            "upstream": draw.normal(self.batch, self.time, size),
        }


@dataclass(frozen=True)
class TransformerCase(Case):
    """The whole Transformer on sequences of the assignment's length."""

    batch: int
    heads: int
    head_size: int
    hidden: int
    layers: int
    vocabulary: int
    prenorm: bool
    seed: int

    def inputs(self) -> dict[str, object]:
        """Token indices, all weights, one matrix a layer for stand-in blocks, masks, upstream gradient."""
        draw, size = self.draw(), self.heads * self.head_size
        lengths = draw.integers(self.batch, low=2, high=TOKENS - 1)
        lengths[0] = TOKENS
        weights = {
            "embedding.weight": draw.normal(self.vocabulary, size, std=STD),
            "cls_token": draw.normal(1, 1, size, std=STD),
            "pos_embedding": draw.normal(1, TOKENS + 1, size, std=STD),
            "mlp_head.0.weight": draw.normal(size, std=STD),
            "mlp_head.0.bias": draw.normal(size, std=STD),
        }
        return {
            "heads": self.heads,
            "hidden": self.hidden,
            "kind": "prenorm" if self.prenorm else "postnorm",
            "tokens": draw.integers(self.batch, TOKENS, low=1, high=self.vocabulary),
            "weights": weights,
            "blocks": [block_weights(draw, size, self.hidden) for _ in range(self.layers)],
            "attentions": [attention_weights(draw, size) for _ in range(self.layers)],
            "matrices": [draw.normal(size, size, std=0.2) for _ in range(self.layers)],
            "mask": (torch.arange(TOKENS) < lengths[:, None]).long(),
            "upstream": draw.normal(self.batch, size),
        }


@dataclass(frozen=True)
class CountCase(Case):
    """Sizes for the question about the number of parameters."""

    heads: int
    head_size: int

    def inputs(self) -> dict[str, object]:
        """The two arguments of the formula."""
        return {"heads": self.heads, "head_size": self.head_size}


def norm_cases(
    narrow: bool | None = None, eps_power: int | None = None, axes: tuple[int, ...] = (2, 1, 3)
) -> st.SearchStrategy[NormCase]:
    """One to three leading axes. What is given fixes what is drawn otherwise."""
    return cases(
        NormCase,
        distinct={"hidden": (3, 9)},
        first=sizes(1, 4),
        second=sizes(1, 4),
        third=sizes(1, 3),
        axes=one_of(*axes),
        eps_power=one_of(5, 3, 1) if eps_power is None else eps_power,
        narrow=flags() if narrow is None else narrow,
    )


def heads_cases(rows: int = 1, time: int = 1) -> st.SearchStrategy[HeadsCase]:
    """The width of a head in `split_heads` differs from `head_size`. At least `rows` sequences of `time` positions."""
    distinct = {"head_size": (2, 6), "dim": (2, 6)}
    return cases(HeadsCase, distinct=distinct, batch=sizes(rows, 4), time=sizes(time, 6), heads=sizes(1, 4))


def same_width_cases() -> st.SearchStrategy[HeadsCase]:
    """Heads of `head_size`, as they occur in the module itself."""
    found = heads_cases()
    return found.map(lambda case: HeadsCase(**(vars(case) | {"dim": case.head_size})))


def projection_cases(rows: int = 1, time: int = 1) -> st.SearchStrategy[ProjectionCase]:
    """Several heads, none of them as wide as there are heads. At least `rows` sequences of `time` positions."""
    distinct = {"heads": (2, 4), "head_size": (2, 5)}
    return cases(ProjectionCase, distinct=distinct, batch=sizes(rows, 4), time=sizes(time, 6))


def block_cases(rows: int = 1, time: int = 1) -> st.SearchStrategy[BlockCase]:
    """Hidden size of the feed-forward network apart from every width of the attention."""
    distinct = {"heads": (2, 3), "head_size": (2, 4), "hidden": (13, 17)}
    return cases(BlockCase, distinct=distinct, batch=sizes(rows, 4), time=sizes(time, 6))


def transformer_cases(rows: int = 1) -> st.SearchStrategy[TransformerCase]:
    """Few sequences, all of full length."""
    return cases(
        TransformerCase,
        distinct={"heads": (2, 3), "head_size": (2, 4), "hidden": (9, 11), "vocabulary": (13, 20)},
        batch=sizes(rows, 3),
        layers=sizes(1, 3),
        prenorm=flags(),
    )


def count_cases() -> st.SearchStrategy[CountCase]:
    """Sizes of real models too."""
    return cases(CountCase, distinct={"heads": (1, 16), "head_size": (2, 128)})
