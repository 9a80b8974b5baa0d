"""Hypothesis under our control: cases are drawn once, from the run's seed, and independent of everything else.

It is imported when the first case is drawn: a suite of fixed cases does without it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

from grader.suite.cases import Case

EXAMPLES = 8

Drawn = dict[str, object]


def item_seed(run_seed: str, item_id: str) -> int:
    """The seed of one item's cases."""
    return int.from_bytes(hashlib.sha256(f"{run_seed}/{item_id}".encode()).digest(), "big")


def forget_local_constants() -> None:
    """Keep Hypothesis from mixing constants of imported modules into what it draws.

    It collects them from every module outside site-packages, so that the same seed would draw other cases from an
    installed wheel, or when a suite imports one module more; and it would keep them, beside its tables, below the
    working folder.
    """
    from hypothesis.configuration import set_hypothesis_home_dir
    from hypothesis.internal.conjecture import providers

    set_hypothesis_home_dir(os.devnull)  # where nothing can be kept, which it takes as it takes a full disk
    if hasattr(providers, "_get_local_constants"):
        nothing = type(providers._local_constants)()
        providers._get_local_constants = lambda: nothing


def is_drawn(function: Callable[..., object]) -> bool:
    """Whether a test is decorated with `@given`."""
    return hasattr(function, "hypothesis")


def weight(drawn: Drawn) -> int:
    """How large a case is."""
    return sum(value.weight() for value in drawn.values() if isinstance(value, Case))


def with_seeds(drawn: Drawn, like: Drawn) -> Drawn:
    """A case with the seeds of another one of its kind."""

    def seeded(name: str, value: object) -> object:
        if not isinstance(value, Case) or not hasattr(value, "seed"):
            return value
        return replace(value, seed=vars(like[name])["seed"])  # type: ignore[call-arg]

    return {name: seeded(name, value) for name, value in drawn.items()}


def telling(cases: Sequence[Drawn], most: int) -> list[Drawn]:
    """A few of the cases that show the most: each size as 1 and as more, each flag on and off.

    Without the first: it is the same under every seed.
    """
    left, kept = list(cases[1:]), list[Drawn]()
    seen: set[object] = set()
    while left and len(kept) < most:
        best = max(left, key=lambda drawn: (len(_kinds(drawn) - seen), weight(drawn)))
        left.remove(best)
        kept.append(best)
        seen |= _kinds(best)
    return sorted(kept, key=weight)


def _kinds(drawn: Drawn) -> set[object]:
    """(argument, field, 0, 1 or 2 for more) of a case's integers and flags."""
    return {
        (name, field.name, min(int(value), 2))
        for name, case in drawn.items()
        if isinstance(case, Case)
        for field in fields(case)
        if isinstance(value := getattr(case, field.name), int)
    }


def inner_of(function: Callable[..., object]) -> Callable[..., object]:
    """The test below `@given`, or the test itself."""
    return function.hypothesis.inner_test if is_drawn(function) else function  # type: ignore[attr-defined]


def draw(
    function: Callable[..., Any], body: Callable[..., None], fixtures: dict[str, object], seed: int, *, shrink: bool
) -> None:
    """Run `body` in place of the inner test on drawn cases. With `shrink`, a failing case is made smaller.

    Exceptions of `body` pass through as Hypothesis lets them.
    """
    import hypothesis
    from hypothesis import HealthCheck, Phase, settings
    from hypothesis.database import DirectoryBasedExampleDatabase  # noqa: F401 - loaded before judges fork

    forget_local_constants()
    wrapped = function.hypothesis  # type: ignore[attr-defined]
    inner = wrapped.inner_test
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    own = getattr(function, "_hypothesis_internal_use_settings", None)
    count = own.max_examples if own is not None and own.max_examples != 100 else EXAMPLES
    function._hypothesis_internal_use_settings = settings(  # type: ignore[attr-defined]
        max_examples=count,
        phases=phases,
        database=None,
        deadline=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
        verbosity=hypothesis.Verbosity.quiet,
    )
    wrapped.inner_test = body
    try:
        hypothesis.seed(seed)(function)(**fixtures)
    finally:
        wrapped.inner_test = inner
        if own is not None:
            function._hypothesis_internal_use_settings = own  # type: ignore[attr-defined]
        else:
            del function._hypothesis_internal_use_settings  # type: ignore[attr-defined]
