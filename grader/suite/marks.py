"""The decorators that tie a test to the rubric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

ITEM = "__grader_item__"
ROUTES = "__grader_routes__"
READINGS = "__grader_readings__"

Readings = Mapping[str, Mapping[str, object]]
PLAIN: Readings = {"": {}}


def item(item_id: str, *, readings: Readings | None = None) -> Callable[[F], F]:
    """Say which rubric item a test decides. Every item has exactly one test and every test exactly one item.

    `readings` are the defensible readings of the handout, by a name that people read: options for
    `reference.run(probe, case, **reading)`, the reference's own (`{}`) first. The test gets one as `reading`; the item
    passes if one reading agrees on every case.
    """
    if readings is not None and next(iter(readings.values()), None) != {}:
        raise ValueError(f"the first reading of {item_id!r} has to be the reference's own, with no options: {{}}")

    def mark(function: F) -> F:
        setattr(function, ITEM, item_id)
        setattr(function, READINGS, readings or PLAIN)
        return function

    return mark


def routes(*names: str) -> Callable[[F], F]:
    """Say in which ways an item can be earned, tried in this order; the test gets the name as `route`."""
    if len(set(names)) != len(names) or not names:
        raise ValueError("routes need at least one name, and each name once")

    def mark(function: F) -> F:
        setattr(function, ROUTES, names)
        return function

    return mark
