"""Digests that say whether a stored result is stale: of one item's test, and of everything it leans on."""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import CodeType, FunctionType

from grader.assignment.assignment import Assignment, Training
from grader.judge.calls import Key
from grader.judge.drawing import inner_of
from grader.recording.identity import folder_digest
from grader.sandbox.preload import PROBES
from grader.suite.cases import Case


def item_digest(function: Callable[..., object], keys: Sequence[Key], assignment: Assignment) -> str:
    """Of the test, its calls, probes, cases, what they use in the suite, the reference, limits and tolerances."""
    digest = hashlib.sha256(repr(keys).encode())
    probes = sorted({key.probe for key in keys})
    homes = [vars(sys.modules[name]) for name in PROBES if name in sys.modules]
    own = [function, *(home[name] for name in probes for home in homes if name in home)]
    own += {type(key.case) for key in keys if isinstance(key.case, Case)}
    for text in sorted(_sources(own, assignment.suite)):
        digest.update(text.encode())
    digest.update(folder_digest(assignment.reference).encode())
    digest.update(repr((assignment.tolerances, assignment.limits, assignment.globals)).encode())
    return digest.hexdigest()[:24]


def training_digest(
    function: Callable[..., object], training: Training, conditions: str, assignment: Assignment
) -> str:
    """Of a training item's test and everything of the suite that it leans on, its budget, and where it runs.

    Thresholds are left out: they are applied when scores are made, and a new one needs no new training. So is the
    reference: it is not trained while grading.
    """
    digest = hashlib.sha256(conditions.encode())
    for text in sorted(_sources([function], assignment.suite)):
        digest.update(text.encode())
    for budget in (training.made, training.real):
        if budget is not None:
            digest.update(repr((budget.steps, budget.seconds, budget.memory_mib)).encode())
    digest.update(repr((training.metric, training.data, assignment.globals)).encode())
    return digest.hexdigest()[:24]


def _sources(functions: Iterable[Callable[..., object]], suite: Path) -> set[str]:
    """The source of the functions and of every function and class of the suite that they reach by name."""
    texts: set[str] = set()
    queue: list[object] = [inner_of(function) if callable(function) else function for function in functions]
    queue.extend(functions)
    seen: set[int] = set()
    while queue:
        thing = queue.pop()
        if id(thing) in seen or not _belongs(thing, suite):
            continue
        seen.add(id(thing))
        texts.add(_source(thing))
        queue.extend(_reached(thing))
    return texts


def _belongs(thing: object, suite: Path) -> bool:
    module = sys.modules.get(getattr(thing, "__module__", "") or "")
    file = getattr(module, "__file__", None)
    return isinstance(thing, (type, FunctionType)) and file is not None and Path(file).is_relative_to(suite)


@functools.cache
def _source(thing: object) -> str:
    try:
        return inspect.getsource(thing)  # type: ignore[arg-type]
    except (OSError, TypeError):
        # Generated, as a dataclass's __init__ is; its class is there with its own source.
        return str(getattr(thing, "__qualname__", ""))


def _reached(thing: object) -> list[object]:
    if isinstance(thing, type):
        return [member for member in vars(thing).values() if isinstance(member, (type, FunctionType))]
    assert isinstance(thing, FunctionType)
    names = _names(thing.__code__)
    found = [thing.__globals__[name] for name in names if name in thing.__globals__]
    return [*found, getattr(thing, "__wrapped__", None)]


def _names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names(constant)
    return names
