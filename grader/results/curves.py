"""A training's curve as it is kept in memory: a class has thousands, as lists of mappings most of all that it takes."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, overload

Point = list[Any]  # [step, {name: number}], as JSON has it


class Curve(Sequence[Point]):
    """The points of a curve, equal to their list and read like it, in a fortieth of the memory."""

    __slots__ = ("_names", "_steps", "_values")

    def __init__(self, names: tuple[str, ...], steps: array[int], values: array[float]) -> None:
        self._names, self._steps, self._values = names, steps, values

    def __len__(self) -> int:
        return len(self._steps)

    @overload
    def __getitem__(self, place: int) -> Point: ...
    @overload
    def __getitem__(self, place: slice) -> list[Point]: ...
    def __getitem__(self, place: int | slice) -> Point | list[Point]:
        if isinstance(place, slice):
            return [self[index] for index in range(*place.indices(len(self)))]
        step, width = self._steps[place], len(self._names)  # raises IndexError
        begin = (place if place >= 0 else len(self) + place) * width
        return [step, dict(zip(self._names, self._values[begin : begin + width], strict=True))]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # like a list


def compact(points: object) -> object:
    """The curve of these points; what is no plain curve, or would not come back as it was, stays as it is."""
    if not isinstance(points, list) or not points:
        return points
    try:
        names = tuple(points[0][1])
        if any(tuple(values) != names for _, values in points):
            return points
        numbers = [value for _, values in points for value in values.values()]
        steps = [step for step, _ in points]
        if {type(value) for value in numbers} != {float} or {type(step) for step in steps} != {int}:
            return points
        return Curve(names, array("q", steps), array("d", numbers))
    except (TypeError, ValueError, AttributeError, LookupError, OverflowError):
        return points
