"""What is made of an object, made once while the object is the same: not equal, for equal numbers differ as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


class Once(Generic[Given, Made]):
    """Calls `make` for an object that is new; of one that it knows it has kept what was made."""

    def __init__(self, make: Callable[[Given], Made], most: int = 4096) -> None:
        self._make, self._most = make, most
        # With the object itself: while it is here, no other one can have its number.
        self._known: dict[int, tuple[Given, Made]] = {}

    def __call__(self, given: Given) -> Made:
        found = self._known.get(id(given))
        if found is None:
            if len(self._known) >= self._most:
                self._known.clear()
            found = self._known[id(given)] = (given, self._make(given))
        return found[1]
