"""Sizes and inputs of short checks: `1..5`, `heads * 4`, `normal(rows, width)` → fields and statements of a case."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from grader.assignment.types import suggestion
from grader.short.calls import RESERVED, Rewriting, Unreadable, parsed

# What may be drawn, with the keywords that each takes; the methods of `grader.suite.Draw`.
DRAWS: Mapping[str, tuple[str, ...]] = {
    "normal": ("std", "mean"),
    "uniform": ("low", "high"),
    "integers": ("low", "high"),
    "mask_lengths": (),
    "permutation": (),
    "number": ("low", "high"),
}
DIFFERENTIABLE = ("normal", "uniform")
_RANGE = re.compile(r"\s*(-?\d+)\s*\.\.\s*(-?\d+)\s*")
MOST = 4096

Kind = Literal["range", "choice", "computed"]


@dataclass(frozen=True)
class Size:
    """A whole number, flag or word of a case: drawn from a range or a choice, or computed from others."""

    name: str
    kind: Kind
    low: int = 0
    high: int = 0
    values: tuple[object, ...] = ()
    code: str = ""
    needs: tuple[str, ...] = ()

    @property
    def is_drawn(self) -> bool:
        """Whether it is a field of the case."""
        return self.kind != "computed"


@dataclass(frozen=True)
class Input:
    """A drawn input: its statement in a case, the sizes it needs, and whether it can have a gradient."""

    name: str
    code: str
    needs: tuple[str, ...]
    differentiable: bool


class _Names(Rewriting):
    """Sizes as a case knows them."""

    def __init__(self, sizes: Mapping[str, object]) -> None:
        super().__init__(self._size)
        self._sizes = sizes
        self.needs: dict[str, None] = {}

    def _size(self, name: str) -> str:
        if name not in self._sizes:
            raise Unreadable(f"{name} is no size{suggestion(name, sorted(self._sizes))}; name it in `sizes`")
        self.needs.setdefault(name)
        return name


def read_size(name: str, value: object, sizes: Mapping[str, object]) -> Size:
    """A size from what the manifest says of it; `sizes` are all of them. Raises Unreadable."""
    _named(name)
    if isinstance(value, list):
        if not value or not all(isinstance(entry, (int, float, str)) for entry in value):
            raise Unreadable(f"size {name}: expected a list of numbers, flags or words to choose from")
        return Size(name, "choice", values=tuple(value))
    if isinstance(value, str) and (found := _RANGE.fullmatch(value)):
        low, high = int(found[1]), int(found[2])
        if not 0 <= low <= high <= MOST:
            raise Unreadable(f"size {name} is {value}: expected lowest..highest, from 0 to {MOST}, such as 1..5")
        return Size(name, "range", low, high)
    rewriting = _Names(sizes)
    try:
        code = ast.unparse(rewriting.visit(parsed(str(value))))
    except Unreadable as error:
        raise Unreadable(f"size {name}: {error} (expected 1..5, a number, a list, or a formula of sizes)") from None
    return Size(name, "computed", code=code, needs=tuple(rewriting.needs))


def read_input(name: str, text: str, sizes: Mapping[str, object]) -> Input:
    """An input from its draw. Raises Unreadable."""
    _named(name)
    tree = parsed(text)
    listed = isinstance(tree, ast.Call) and ast.unparse(tree.func) == "list" and len(tree.args) == 1
    inner = tree.args[0] if listed and isinstance(tree, ast.Call) else tree
    rewriting = _Names(sizes)
    if not isinstance(inner, ast.Call):  # fixed values
        return Input(name, f"torch.tensor({ast.unparse(rewriting.visit(inner))})", tuple(rewriting.needs), False)
    kind = ast.unparse(inner.func)
    if kind not in DRAWS:
        raise Unreadable(f"{kind} cannot be drawn: expected one of {', '.join(DRAWS)}{suggestion(kind, list(DRAWS))}")
    for keyword in inner.keywords:
        if keyword.arg not in DRAWS[kind]:
            raise Unreadable(f"{kind} takes {', '.join(DRAWS[kind]) or 'no keywords'}, not {keyword.arg}")
    given = [ast.unparse(rewriting.visit(entry)) for entry in (*inner.args, *inner.keywords)]
    code = f"draw.{kind}({', '.join(given)})" + (".tolist()" if listed else "")
    return Input(name, code, tuple(rewriting.needs), kind in DIFFERENTIABLE and not listed)


def _named(name: str) -> None:
    if not name.isidentifier() or name in RESERVED or name.startswith("_"):
        raise Unreadable(f"{name!r} cannot be the name of an input or a size; choose a plain word, not one of "
                         f"{', '.join(RESERVED)}")  # fmt: skip


def needed(names: Sequence[str], sizes: Mapping[str, Size]) -> list[Size]:
    """These sizes and all that they are computed from, each after what it needs. Raises Unreadable for a circle."""
    found: dict[str, Size] = {}

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise Unreadable(f"the sizes {' and '.join(above)} are computed from each other")
        for other in sizes[name].needs:
            add(other, (*above, name))
        found.setdefault(name, sizes[name])

    for name in names:
        add(name, ())
    return list(found.values())


def distinct(sizes: Sequence[Size]) -> list[Size]:
    """The drawn sizes that can be pairwise different, those with the fewest values first.

    From 2 on: a batch or a length that may be 1 is drawn by itself.
    """
    chosen: list[Size] = []
    for size in sorted(
        (size for size in sizes if size.kind == "range" and size.low >= 2), key=lambda s: s.high - s.low
    ):
        if size.high - size.low + 1 > len(chosen):
            chosen.append(size)
    return chosen
