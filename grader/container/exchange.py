"""What crosses the border of a container: a folder of its own on the host, and a journal that comes back.

    DIR/.container/journal.jsonl    what is known so far, continued by the container
    DIR/.container/suite.json       the suite's account of itself, written by the container
    DIR/.container/assignments/     a copy of the assignment, readable for a root without capabilities
    DIR/.container/submissions/     links to the laid-out files, for the same reason

The journal is read like any other and must be one of this run: its assignment, seed, submissions, digests and items.
Nothing else that a container leaves behind is looked at. A folder that an interrupted run left is read first.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.assignment.locate import Folders, copy_assignment
from grader.container.box import ASSIGNMENTS, FILE_MIB, OUT, SUBMISSIONS
from grader.errors import GraderError, UsageError
from grader.model import Submission, unjudged
from grader.results.following import Follower
from grader.results.journal import NAME, SUITE, Contents, Journal, impossible, read
from grader.rules import check_archive

FOLDER = ".container"  # no key begins with a dot


@dataclass(frozen=True)
class Exchange:
    """The folder, and how far its journal was followed since the run began."""

    folder: Path
    journal: Follower

    @property
    def reads(self) -> dict[str, Path]:
        """What the container sees, by its path there."""
        return {ASSIGNMENTS: self.folder / "assignments", SUBMISSIONS: self.folder / "submissions"}

    @property
    def writes(self) -> dict[str, Path]:
        """The two files that it may write."""
        return {f"{OUT}/{NAME}": self.folder / NAME, f"{OUT}/{SUITE}": self.folder / SUITE}


def open_exchange(
    out: Path,
    journal_file: Path,
    submissions: Sequence[Submission],
    folders: Folders,
    *,
    again: Collection[str] = (),
) -> Exchange:
    """Lay everything out anew. The results folder is its owner's alone, so what lies in it may be readable.

    Results of `again` are kept back, so that they are missing in the container: it judges them, and a container that
    takes the place of a dead one only those that are missing still.
    """
    folder = out / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(mode=0o755)
        known = _without(journal_file.read_bytes(), {entry.key for entry in submissions}, again)
        for name, content in ((NAME, known), (SUITE, b"")):
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o666)
        copy_assignment(folders, folder / "assignments", mistakes=True)
        for entry in submissions:
            _linked(entry.root, folder / "submissions" / entry.key)
        (folder / "submissions").mkdir(exist_ok=True)
        for path in (folder, *(folder / "submissions").rglob("*")):
            if path.is_dir():
                path.chmod(0o755)
        out.chmod(0o700)
    except OSError as error:
        raise GraderError(f"{folder}: {error.strerror}; make room, and run the same command again") from None
    return Exchange(folder, Follower(folder / NAME, (folder / NAME).stat().st_size))


def _without(journal: bytes, keys: Collection[str], items: Collection[str]) -> bytes:
    """A journal without what it says of these items of these submissions."""
    if not items:
        return journal
    lines = [(line, json.loads(line)) for line in journal.splitlines(keepends=True)]
    return b"".join(
        line
        for line, record in lines
        if record["kind"] != "result" or record["key"] not in keys or record["result"]["item"] not in items
    )


def _linked(source: Path, target: Path) -> None:
    """The same files under another folder: linked where that can be done, else copied."""
    for path in sorted(source.rglob("*")):
        goal = target / path.relative_to(source)
        if path.is_dir():
            goal.mkdir(parents=True, exist_ok=True)
            continue
        goal.parent.mkdir(parents=True, exist_ok=True)
        try:
            goal.hardlink_to(path)
        except OSError:
            shutil.copyfile(path, goal)
        goal.chmod(0o644)
    target.mkdir(parents=True, exist_ok=True)


def returned(folder: Path, slug: str, seed: str, submissions: Sequence[Submission], items: Collection[str]) -> Contents:
    """The journal that a container wrote. Raises GraderError when it is not one of this run."""
    path = folder / NAME
    try:
        if path.stat().st_size > FILE_MIB << 20:
            raise ValueError("it is larger than a container may write")
        contents = read(folder)
        if (contents.slug, contents.seed) != (slug, seed):
            raise ValueError("it is of another run")
        known = {entry.key: entry.digest for entry in submissions}
        for key, stored in contents.submissions.items():
            if key not in known:
                continue  # of an earlier call into the same folder; the host's own journal has it
            if stored.digest != known[key]:
                raise ValueError(f"the submission {key} is not what was handed in")
            if why := impossible(stored, items):
                raise ValueError(why)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, UsageError) as error:
        raise GraderError(
            f"{path}: the container left a journal that cannot be used ({error}). Nothing was taken from it; what was "
            "finished before is kept"
        ) from None
    return contents


def adopt(
    journal: Journal,
    contents: Contents,
    keys: Collection[str],
    submissions: Sequence[Submission],
    assignment: Assignment,
) -> None:
    """Write what the container judged of these submissions to the host's journal, with what only the host can see."""
    by_key = {entry.key: entry for entry in submissions}
    for key in sorted(keys):
        stored, before = contents.submissions[key], journal.contents.submissions[key]
        stored.facts = before.facts  # what was handed in, the host alone knows
        stored.seconds -= before.seconds  # the journal adds them up
        journal.started(key)
        for violation in check_archive(assignment, by_key[key].archive):
            journal.violation(key, violation)
        journal.adopt(key, stored)


def close_exchange(exchange: Exchange) -> None:
    """Clear everything away: what came back is in the host's journal."""
    shutil.rmtree(exchange.folder, ignore_errors=True)


def give_up(exchange: Exchange, slug: str, items: Sequence[str], why: str) -> None:
    """Finish in the container's journal what was being judged when it died: no other container will try again."""
    with Journal(exchange.folder, slug) as journal:
        for key in sorted(exchange.journal.going):
            results = journal.contents.submissions[key].results
            for item in items:
                if item not in results:
                    journal.result(key, unjudged(item, why), "")
            journal.finished(key, {}, 0.0)
    exchange.journal.follow()
