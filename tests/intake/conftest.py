"""Taking things in, with a look afterwards at what lies around the workspace."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from intake_examples import COURSE, Taker

from grader.assignment.assignment import Assignment
from grader.intake import take
from grader.model import Refused, Submission


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Path]:
    """The workspace; whatever a test did, nothing may have been written beside it, nor any unfinished thing in it."""
    yard = tmp_path / "yard"
    yard.mkdir()
    yield yard / "work"
    assert [path.name for path in yard.iterdir()] in ([], ["work"])
    assert not list(yard.glob("work/.taking-*"))


@pytest.fixture(params=[False, True] if sys.platform.startswith("linux") else [False])
def taken(workspace: Path, request: pytest.FixtureRequest) -> Taker:
    """`take` into the workspace, here and in a child, for the course unless another assignment is given."""

    def take_here(*paths: Path, assignment: Assignment = COURSE, **options: object) -> list[Submission | Refused]:
        return take(paths, assignment, workspace, apart=request.param, **options)  # type: ignore[arg-type]

    return take_here


@pytest.fixture
def one(taken: Taker) -> Callable[..., Submission]:
    """The one Submission that a path yields."""

    def take_one(*paths: Path, **options: object) -> Submission:
        (result,) = taken(*paths, **options)
        assert isinstance(result, Submission), result
        return result

    return take_one


@pytest.fixture
def refused(taken: Taker) -> Callable[..., Refused]:
    """The one Refused that a path yields."""

    def take_one(*paths: Path, **options: object) -> Refused:
        (result,) = taken(*paths, **options)
        assert isinstance(result, Refused), result
        return result

    return take_one
