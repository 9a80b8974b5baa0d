"""Cases of hw4_vit. Sizes that occur in parameter shapes are pairwise different, where the handout lets them be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis.strategies import SearchStrategy
from torch import Tensor

from grader.suite import Case, Draw, cases, sizes

WEIGHT_STD = 0.6


@dataclass(frozen=True)
class Patches(Case):
    """Images of rows × columns patches."""

    channels: int
    size: int
    patch_height: int
    patch_width: int
    rows: int
    columns: int
    batch: int
    seed: int

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        height, width = self.rows * self.patch_height, self.columns * self.patch_width
        return {
            "image": draw.normal(self.batch, self.channels, height, width),
            "patch": [self.patch_height, self.patch_width],
            "weight": draw.normal(self.size, self.channels, self.patch_height, self.patch_width, std=WEIGHT_STD),
            "upstream": draw.normal(self.batch, self.rows * self.columns, self.size),
        }


class SquarePatches(Patches):
    """Square patches; `patch_width` is that of both sides."""

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        side = self.patch_width
        return {
            "image": draw.normal(self.batch, self.channels, self.rows * side, self.columns * side),
            "patch": [side, side],
            "weight": draw.normal(self.size, self.channels, side, side, std=WEIGHT_STD),
            "upstream": draw.normal(self.batch, self.rows * self.columns, self.size),
        }


def patch_cases() -> SearchStrategy[SquarePatches]:
    """Square patches."""
    ranges = {"channels": (1, 4), "size": (5, 9), "rows": (1, 4), "columns": (2, 5)}
    return cases(SquarePatches, distinct=ranges, patch_height=1, patch_width=sizes(1, 4), batch=sizes(1, 3))


def rectangle_cases() -> SearchStrategy[Patches]:
    """Patches whose height is not their width."""
    ranges = {"patch_height": (1, 4), "patch_width": (2, 5), "size": (6, 9)}
    return cases(
        Patches, distinct=ranges, channels=sizes(1, 3), rows=sizes(1, 3), columns=sizes(1, 3), batch=sizes(1, 3)
    )


@dataclass(frozen=True)
class Attending(Case):
    """Tokens and projections of an attention with `heads` heads of `per_head` entries."""

    heads: int
    per_head: int
    tokens: int
    batch: int
    seed: int

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        size = self.heads * self.per_head
        roles = {}
        for name in ("query", "key", "value"):
            roles[f"{name}.weight"] = draw.normal(self.heads, self.per_head, size, std=WEIGHT_STD)
            roles[f"{name}.bias"] = draw.normal(self.heads, self.per_head, std=WEIGHT_STD)
        roles["output.weight"] = draw.normal(size, self.heads, self.per_head, std=WEIGHT_STD)
        roles["output.bias"] = draw.normal(size, std=WEIGHT_STD)
        x = draw.normal(self.batch, self.tokens, size)
        return {"x": x, "heads": self.heads, "roles": roles, "upstream": draw.normal(*x.shape)}


def one_head_cases() -> SearchStrategy[Attending]:
    """One head, where attention with and without heads is the same."""
    return cases(Attending, heads=1, per_head=sizes(5, 8), tokens=sizes(1, 6), batch=sizes(1, 4))


def many_head_cases() -> SearchStrategy[Attending]:
    """Two to four heads of another size than their number, larger than the number of biases."""
    return cases(Attending, distinct={"heads": (2, 4), "per_head": (5, 7)}, tokens=sizes(2, 6), batch=sizes(1, 4))


@dataclass(frozen=True)
class Blocks(Case):
    """Tokens and the weights of a block."""

    heads: int
    per_head: int
    wide: int
    tokens: int
    batch: int
    seed: int

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        size = self.heads * self.per_head
        wide = self.wide + size  # never the size itself
        weights = {
            "LN1": draw.normal(size, std=WEIGHT_STD, mean=1.0),
            "LN1_bias": draw.normal(size, std=WEIGHT_STD),
            "LN2": draw.normal(size, std=WEIGHT_STD, mean=1.0),
            "LN2_bias": draw.normal(size, std=WEIGHT_STD),
            "first": draw.normal(wide, size, std=WEIGHT_STD),
            "first_bias": draw.normal(wide, std=WEIGHT_STD),
            "second": draw.normal(size, wide, std=WEIGHT_STD),
            "second_bias": draw.normal(size, std=WEIGHT_STD),
        }
        x = draw.normal(self.batch, self.tokens, size, std=1.5, mean=0.5)
        return {
            "x": x,
            "heads": self.heads,
            "mix": draw.normal(size, size, std=WEIGHT_STD),
            "weights": weights,
            "upstream": draw.normal(*x.shape),
        }


def block_cases() -> SearchStrategy[Blocks]:
    """From one token on."""
    return cases(
        Blocks, heads=sizes(1, 3), per_head=sizes(2, 4), wide=sizes(1, 5), tokens=sizes(1, 6), batch=sizes(1, 4)
    )


@dataclass(frozen=True)
class Vision(Case):
    """A ViT around stand-ins."""

    channels: int
    size: int
    classes: int
    patch_height: int
    patch_width: int
    rows: int
    columns: int
    depth: int
    batch: int
    seed: int

    @property
    def shape(self) -> list[int]:
        """Of an image."""
        return [self.channels, self.rows * self.patch_height, self.columns * self.patch_width]

    @property
    def patch(self) -> list[int]:
        """Height and width."""
        return [self.patch_height, self.patch_width]

    def patch_mix(self, draw: Draw) -> Tensor:
        """(entries of a patch, size)"""
        return draw.normal(self.channels * self.patch_height * self.patch_width, self.size, std=WEIGHT_STD)


class WholeVision(Vision):
    """Its forward pass."""

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        count = self.rows * self.columns
        return {
            "image": draw.normal(self.batch, *self.shape),
            "patch": self.patch,
            "patch_mix": self.patch_mix(draw),
            "block_mixes": [draw.normal(self.size, self.size, std=WEIGHT_STD) for _ in range(self.depth)],
            "weights": {
                "pos_embedding": draw.normal(1, 1 + count, self.size),
                "cls_token": draw.normal(1, 1, self.size),
                "norm": draw.normal(self.size, std=WEIGHT_STD, mean=1.0),
                "norm_bias": draw.normal(self.size, std=WEIGHT_STD),
                "head": draw.normal(self.classes, self.size, std=WEIGHT_STD),
                "head_bias": draw.normal(self.classes, std=WEIGHT_STD),
            },
            "upstream": draw.normal(self.batch, self.classes),
        }


class VisionParameters(Vision):
    """Its constructor."""

    def inputs(self) -> Mapping[str, object]:
        return {"shape": self.shape, "patch": self.patch, "size": self.size, "mix": self.patch_mix(self.draw())}


VISION = {
    "distinct": {"size": (4, 9), "classes": (2, 9)},
    "channels": sizes(1, 3),
    "patch_height": sizes(1, 3),
    "patch_width": sizes(1, 3),
    "rows": sizes(1, 3),
    "columns": sizes(1, 4),
    "depth": sizes(1, 3),
    "batch": sizes(1, 4),
}


def vision_cases() -> SearchStrategy[WholeVision]:
    """Small images, from one patch on."""
    return cases(WholeVision, **VISION)


def vision_parameter_cases() -> SearchStrategy[VisionParameters]:
    """Constructors."""
    return cases(VisionParameters, **VISION)
