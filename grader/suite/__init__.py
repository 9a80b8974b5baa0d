"""What test files use. A suite is ordinary pytest that runs in the judge; see docs/author.md."""

from grader.suite.agreement import (
    Disagreement,
    assert_agrees,
    doubtful,
    partial,
    require,
    require_close,
    require_different,
)
from grader.suite.cases import Case, Draw, cases, flags, one_of, sizes
from grader.suite.marks import item, routes

__all__ = [
    "Case",
    "Disagreement",
    "Draw",
    "assert_agrees",
    "cases",
    "doubtful",
    "flags",
    "item",
    "one_of",
    "partial",
    "require",
    "require_close",
    "require_different",
    "routes",
    "sizes",
]
