"""The level of protection: from facts alone, and what is missing for more."""

import pytest

from grader.sandbox.level import LEVELS, allows_hidden, lacking, level_of

ROOT = {
    "back end": "confined process",
    "system calls": "a list of what is allowed, 400 instructions (x86_64)",
    "files": "only the submission (root directory changed)",
    "memory": "512 MiB",
    "identity": "own user",
    "network": "cut (own network namespace)",
}
USER = {**ROOT, "identity": "the grader's own user", "files": "only the submission, read-only (Landlock)"}


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        (ROOT, "strict"),
        ({**ROOT, "network": "not cut: Operation not permitted"}, "strict"),  # there are no sockets in any case
        ({**ROOT, "system calls": "a list of what is refused, 200 instructions (x86_64)"}, "standard"),
        (USER, "standard"),
        ({**USER, "files": "not confined"}, "weak"),
        ({**ROOT, "system calls": "not filtered: there is no table for riscv64"}, "weak"),
        ({"back end": "plain process", "files": "not confined"}, "none"),
        ({}, "none"),
    ],
)
def test_levels(facts, level):
    assert level_of(facts) == level
    assert allows_hidden(facts) is (level in ("standard", "strict"))
    above = LEVELS[LEVELS.index(level) + 1 :]
    assert all(lacking(facts, wanted) for wanted in above)
    assert not lacking(facts, level)


def test_what_is_missing_says_how_to_get_it():
    assert lacking(USER, "standard") == []
    assert lacking(USER, "strict")[0].startswith("identity (the grader's own user): run as root")
