"""What all platforms share: the bundle's settings, what a platform hands over, and what is to be told back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from grader.errors import UsageError
from grader.model import Report

SETTINGS = "bundle.json"
ASSIGNMENTS, RECORDING, ANSWERS = "assignments", "recording", "answers"  # beside it
FORMAT = 1
TESTING, SUBMISSION = "testing", "submission"  # profiles
UNFINISHED = "The grading did not finish: {why} What was judged before that is listed; the other points are open."
BROKEN = (
    "The grader could not judge this submission. Nothing of it is lost, and no points were taken: the course staff can "
    "have it graded again."
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a bundle says about itself. `seconds` are for one call, all in all; 0: as many as it takes.

    `profile`: `testing` judges and explains every submission, `submission` as the manifest's `feedback` says.
    `lateness` is told to whoever is late, in the place of what it costs.
    """

    format: int = FORMAT
    platform: str
    slug: str
    seed: str
    seconds: float
    memory_mib: int
    training: str
    grader: str
    suite: str
    profile: str = TESTING
    lateness: str = ""

    @property
    def seed_id(self) -> str:
        """Says which seed was used, without saying the seed."""
        return hashlib.sha256(self.seed.encode()).hexdigest()[:12]

    def dump(self) -> str:
        """The text of bundle.json."""
        return json.dumps(asdict(self), indent=1) + "\n"


def read_settings(bundle: Path) -> Settings:
    """The settings of a bundle. Raises UsageError when it is none of ours."""
    path = bundle / SETTINGS
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        settings = Settings(**content)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{path} is no bundle's: {error}; make one with `grader bundle`") from None
    typed: dict[str, type | tuple[type, ...]] = {"format": int, "seconds": (int, float), "memory_mib": int}
    if settings.format != FORMAT or any(not isinstance(value, typed.get(name, str)) for name, value in content.items()):
        raise UsageError(f"{path} is of another version of the grader; make the bundle anew with `grader bundle`")
    return settings


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a platform hands over. `single`: the path is one submission; else each path may hold a whole class.

    `submission` is the platform's id of it, `total` the points that the assignment has there and `due` its deadline,
    `extended` a later one of its author's own, `previous` are the times of the same people's earlier submissions,
    `last` is what the last of them was told.
    """

    paths: tuple[Path, ...]
    single: bool = True
    submitted_at: str | None = None
    notes: tuple[str, ...] = ()
    submission: str = ""
    total: str = ""
    due: str = ""
    extended: str = ""
    previous: tuple[str, ...] = ()
    last: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What is known at a moment: nothing yet, a part, or everything.

    `trouble` says in words for the student why something is missing; empty when all is done. `again` is what an earlier
    submission was told, to be told once more, and `why` says so. `brief`: verdicts without what differs. `leaders` are
    entries of a leaderboard.
    """

    settings: Settings | None = None
    report: Report | None = None
    trouble: str = ""
    late: bool | None = None
    notes: tuple[str, ...] = ()
    again: Mapping[str, Any] | None = None
    why: str = ""
    brief: bool = False
    leaders: tuple[Mapping[str, object], ...] = ()

    @property
    def facts(self) -> Mapping[str, str]:
        """What an appeal needs: which suite, which seed, which grader."""
        if self.settings is None:
            return {}
        known = self.settings
        return {"suite": known.suite, "seed_id": known.seed_id, "grader": known.grader, "assignment": known.slug}


class Platform(Protocol):
    """A platform, seen from inside its container.

    `out`: where the results folder is to be; None: in a folder that goes. `rewrites`: what was told can be replaced.
    """

    out: Path | None
    rewrites: bool

    def task(self) -> Task:
        """Where the submission is. Raises UsageError when nothing is where it should be."""
        ...

    def write(self, outcome: Outcome) -> None:
        """Tell the platform."""
        ...
