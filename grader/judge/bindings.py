"""Which candidates a probe's choices fall on: named, so that a binding is the same thing on every case.

The worker tells the names among which each `choose` of a probe chose. What it chose on the first case is asked for on
all others; the next bindings follow from the names that it did not choose. Names are claims, and only ever sent back;
those of a probe whose author lets nothing be chosen are not even heard.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import CodeType, FunctionType

from grader.model import Notes
from grader.probing import MAX_CANDIDATES

Place = tuple[str, int]  # a probe and the number of its call of `choose`
Path = tuple[tuple[Place, str], ...]


@dataclass
class Binding:
    """The choices of one attempt: those that were asked for, and those that were met and hold from then on."""

    number: int = 0
    path: Path = ()
    name: str = ""
    undeclared: bool = False
    _others: list[tuple[Path, Place, tuple[str, ...]]] = field(default_factory=list)

    def asked(self, probe: str) -> tuple[str, ...]:
        """The names to ask a probe for."""
        names = {place: name for (of, place), name in self.path if of == probe}
        return tuple(names[place] for place in range(len(names)))

    def hear(self, probe: str, notes: Notes) -> None:
        """Hold what a probe chose by itself, and note where a choice that holds was not to be had."""
        asked = self.asked(probe)
        for number, (name, names) in enumerate(notes.choices):
            place = (probe, number)
            before = self.path[: [known for known, _ in self.path].index(place)] if number < len(asked) else self.path
            if number >= len(asked):
                self.path = (*self.path, (place, name))
            elif asked[number] in names or len(names) == 1:
                continue
            self._others.append((before, place, tuple(other for other in names if other != name)))
        self.name = notes.binding or self.name
        self.undeclared = notes.undeclared

    def others(self) -> list[Path]:
        """The bindings that differ in one of the choices that were met here, and are as here before it."""
        return [(*path, (place, name)) for path, place, names in self._others for name in names]


@functools.cache
def lets_choose(probe: Callable[..., object]) -> bool:
    """Whether a probe, or a function that it reaches by name, chooses among candidates: the judge's own word for it."""
    waiting: list[object] = [probe]
    seen: set[object] = set()
    while waiting:
        function = waiting.pop()
        if not isinstance(function, FunctionType) or function in seen:
            continue
        seen.add(function)
        names = _names_in(function.__code__)
        if names & {"choose", "choose_binding"}:
            return True
        modules = (function.__globals__[name] for name in names if name in function.__globals__)
        for value in modules:
            waiting.append(value)
            waiting.extend(vars(value).get(name) for name in names if hasattr(value, "__spec__"))
            waiting.extend(vars(value).values() if isinstance(value, type) else ())
        waiting.append(getattr(function, "__wrapped__", None))
        waiting.extend(cell.cell_contents for cell in function.__closure__ or ())
    return not isinstance(probe, FunctionType)  # what cannot be looked into may


def _names_in(code: CodeType) -> frozenset[str]:
    inner = (_names_in(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return frozenset(code.co_names).union(*inner)


class Bindings:
    """All bindings of a submission, the declared one first, each once and at most 32."""

    def __init__(self) -> None:
        self._left: deque[Path] = deque([()])
        self._known: set[Path] = {()}
        self._count = 0

    def next(self, before: Binding | None = None) -> Binding | None:
        """The binding to try after this one; None when there is no other."""
        if before is not None:
            new = [path for path in dict.fromkeys(before.others()) if path not in self._known]
            self._left.extend(new)
            self._known.update(new)
        if not self._left or self._count == MAX_CANDIDATES:
            return None
        self._count += 1
        return Binding(self._count - 1, self._left.popleft())
