"""What assignments need of a platform's container, by their evidence."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from tiny_assignment import tiny

from grader.assignment.locate import known_slugs
from grader.commands.shared import open_assignment
from grader.platforms.budgets import GRADING_MIB, TIERS, Budget, budget, in_words


def test_without_trainings_the_smallest_container_is_enough():
    found = budget(tiny()[1], "off")
    assert found == Budget(GRADING_MIB, 0.0)
    assert found.tier == TIERS[0][0]


@pytest.mark.parametrize("slug", known_slugs())
def test_trainings_add_what_their_evidence_says(slug):
    assignment = open_assignment(slug, None)[1]
    plain, trained = budget(assignment, "off"), budget(assignment, "made")
    assert plain.memory_mib == GRADING_MIB
    if not any(item.training for item in assignment.items):
        assert trained == plain
        return
    assert trained.unknown == ()
    assert trained.memory_mib > plain.memory_mib
    assert trained.minutes > 0
    assert trained.tier in in_words(assignment)


def test_what_takes_longer_than_the_platform_waits_is_said():
    evidence = SimpleNamespace(memory_mib=5000.0, seconds=1800.0)
    item = SimpleNamespace(id="a", training=SimpleNamespace(budget=lambda source: source == "made"))
    assignment = SimpleNamespace(items=[item], evidence_of=lambda item, source: evidence)
    assert in_words(assignment).endswith("more than the 40 that Gradescope waits with those on made data")
    assert replace(budget(assignment, "made"), memory_mib=99_999).tier == TIERS[-1][0]
