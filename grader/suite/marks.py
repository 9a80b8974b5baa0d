"""The decorators that tie a test to the rubric."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

ITEM = "__grader_item__"
ROUTES = "__grader_routes__"


def item(item_id: str) -> Callable[[F], F]:
    """Say which rubric item a test decides. Every item has exactly one test and every test exactly one item."""

    def mark(function: F) -> F:
        setattr(function, ITEM, item_id)
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
