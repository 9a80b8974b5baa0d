"""The reference run: draws every item's cases, records the expected values, proves that the suite works here."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from grader.assignment.assignment import Item
from grader.errors import AuthorError
from grader.judge.calls import Key
from grader.judge.chance import depends_on_chance
from grader.judge.digests import item_digest, training_digest
from grader.judge.drawing import draw, inner_of, is_drawn, item_seed, telling
from grader.judge.plugin import Handed, JudgePlugin, Stage
from grader.judge.sides import ReferenceSide
from grader.suite.agreement import Disagreement, PartialCredit
from grader.suite.marks import Readings

IN_A_KIT = 3  # cases of an item

Perform = Callable[[pytest.Function, dict[str, object]], None]


@dataclass
class Recorded:
    """What the reference run fixed for one item."""

    item: Item
    routes: tuple[str, ...]
    readings: Readings
    sentence: str
    cases: list[dict[str, object]] = field(default_factory=list)
    keys: tuple[Key, ...] = ()
    digest: str = ""
    account: str = ""  # pytest-json-report's entry of the test


def record(
    plugin: JudgePlugin,
    items: Sequence[Item],
    reference: ReferenceSide,
    handed: Handed,
    seed: str,
    conditions: str = "",
    *,
    for_kit: bool = False,
) -> dict[str, Recorded]:
    """Run the items on the reference. Raises AuthorError that names every item the reference does not pass.

    `conditions` are what trainings depend on beside the item: source of the data, device. `for_kit`: a few cases are
    kept, and none whose value hangs on random streams or is the same in every grading.
    """
    records: dict[str, Recorded] = {}
    problems: list[str] = []
    for item in items:
        recorded = Recorded(item, plugin.routes(item.id), plugin.readings(item.id), plugin.sentence(item.id))
        records[item.id] = recorded
        function = plugin.tests[item.id].obj
        if item.training is not None:
            # The reference is trained by `grader calibrate`, never while grading.
            recorded.digest = training_digest(function, item.training, conditions, plugin.assignment)
            continue
        reference.used.clear()
        trouble = _run(plugin, recorded, reference, handed, _drawing(recorded, reference, seed))
        if trouble:
            problems.append(f"item {item.id!r}: the reference does not pass its own test\n{trouble}")
        elif for_kit:
            problems += _keep_a_few(plugin, recorded, reference, handed)
        recorded.keys = tuple(reference.used)
        recorded.digest = item_digest(function, recorded.keys, plugin.assignment)
        recorded.account = plugin.account(item.id)
    if problems:
        raise AuthorError("\n\n".join(problems), plugin.assignment.suite)
    return records


def _keep_a_few(plugin: JudgePlugin, recorded: Recorded, reference: ReferenceSide, handed: Handed) -> list[str]:
    """Keep a few cases, and what the test asks the reference for on them. Returns why students may not have it."""
    name = recorded.item.id
    if reference.used and len(recorded.cases) < 2:
        return [f"item {name!r} has one fixed case, so that a kit would give away a value of every grading"]
    if reference.used:
        recorded.cases[:] = telling(recorded.cases, IN_A_KIT)
    reference.used.clear()
    _run(plugin, recorded, reference, handed, _replaying(recorded, reference))
    if any(depends_on_chance(reference, reference.call(key)) for key in reference.used):
        return [f"item {name!r}: values of the reference hang on random streams, which are others on other machines"]
    return []


def _run(plugin: JudgePlugin, recorded: Recorded, reference: ReferenceSide, handed: Handed, play: Perform) -> str:
    failures: list[Exception] = []

    def perform(test: pytest.Function, fixtures: dict[str, object]) -> None:
        try:
            play(test, fixtures)
        except PartialCredit as partial:
            if partial.credit == 1.0:
                return
            message = f"the reference earns only {partial.credit:.0%}: {partial.message}"
            raise AssertionError(message) from None
        except Exception as error:
            failures.append(error)
            raise

    with plugin.staged(Stage(reference, reference, handed, perform)):
        trouble = plugin.run(recorded.item.id, log=True)
    if trouble and failures and recorded.item.made_from:
        return _in_short(recorded.item.made_from, failures[0], plugin.assignment.reference)
    return trouble


def _in_short(call: str, error: Exception, reference: Path) -> str:
    """Why a check that its author wrote as one call does not work: there is no code of theirs but the reference's."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(reference)]
    where = f" ({Path(own[-1].filename).relative_to(reference)}, line {own[-1].lineno})" if own else ""
    name = "" if isinstance(error, Disagreement) else f"{type(error).__name__}: "
    return f"{call}: {name}{error}{where}"


def chosen(fixtures: Mapping[str, object], route: str, reading: Mapping[str, object]) -> dict[str, object]:
    """The arguments of a test that say how the item is being earned, as far as it takes them."""
    return {name: value for name, value in (("route", route), ("reading", reading)) if name in fixtures}


def _drawing(recorded: Recorded, reference: ReferenceSide, seed: str) -> Perform:
    """Play the test on drawn cases, and keep them."""

    def perform(test: pytest.Function, fixtures: dict[str, object]) -> None:
        play = _on_one_case(test, fixtures, recorded, reference)

        def body(**drawn: object) -> None:
            try:
                play(drawn)
            except PartialCredit as partial:  # a case is one all the same
                if partial.credit < 1.0:
                    raise
            given = {name: value for name, value in drawn.items() if name not in fixtures}
            if given not in recorded.cases:
                recorded.cases.append(given)

        if is_drawn(test.obj):
            draw(test.obj, body, fixtures, item_seed(seed, recorded.item.id), shrink=False)
        else:
            body(**fixtures)

    return perform


def _replaying(recorded: Recorded, reference: ReferenceSide) -> Perform:
    """Play the test on the cases that are there."""

    def perform(test: pytest.Function, fixtures: dict[str, object]) -> None:
        for drawn in recorded.cases:
            _on_one_case(test, fixtures, recorded, reference)({**fixtures, **drawn})

    return perform


def _on_one_case(
    test: pytest.Function, fixtures: dict[str, object], recorded: Recorded, reference: ReferenceSide
) -> Callable[[Mapping[str, object]], None]:
    inner = inner_of(test.obj)

    def play(drawn: Mapping[str, object]) -> None:
        # Every reading is played by the reference itself, so that whatever a test asks of it is known from here on.
        for route, reading in itertools.product(recorded.routes, recorded.readings.values()):
            student = {"student": reference.reads(reading)} if "student" in fixtures else {}
            try:
                inner(**{**drawn, **student, **chosen(fixtures, route, reading)})
            except PartialCredit:
                if not reading:  # a later reading may be worth a part
                    raise

    return play
