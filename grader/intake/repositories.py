"""Repositories → archives of the commit that counts: the last one before each person's own deadline.

Commits are dated by their committer date, in UTC; that is what the student's machine said, as `git log --format=%cI`
shows it. Nothing of a repository is run: no checkout, no hooks, no filters, no submodules.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from grader.course import sheets
from grader.errors import UsageError
from grader.text import one_line

SECONDS = 600.0  # for one clone
COLUMNS = {
    **dict.fromkeys(("who", "key", "id", "student", "email", "github_username"), "who"),
    **dict.fromkeys(("url", "repository", "student_repository_url"), "url"),
    "also": "also",
    "branch": "branch",
}
_SAFE = ("-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never", "-c", "core.fsmonitor=false")
_TROUBLES = (
    (r"could not read (Username|Password)|Authentication failed|Permission denied|terminal prompts disabled",
     "the repository is private, or asks who you are: give yourself access"),
    (r"Remote branch .* not found", "it has no such branch"),
    (r"not found|does not exist|does not appear to be a git repository|Could not resolve",
     "there is no repository of that address"),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Repository:
    """Whose repository it is, where it is, and what was handed in elsewhere; `line` of the list that says so."""

    who: str
    url: str
    branch: str = ""
    also: tuple[Path, ...] = ()
    line: int = 0


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What became of one repository: the commit and its time in UTC, or the `trouble`; `notes` are for staff."""

    who: str
    commit: str = ""
    time: str = ""
    trouble: str = ""
    notes: tuple[str, ...] = ()


class _Trouble(Exception):
    """Why one repository cannot be had."""


def repositories(path: Path) -> list[Repository]:
    """The repositories of a CSV (who, url; branch, also), or of a folder of clones as GitHub Classroom makes it.

    Raises UsageError, with the line, for somebody who stands there twice, an empty cell and a file that is not there.
    """
    if path.is_dir():
        clones = sorted(each for each in path.iterdir() if (each / ".git").is_dir())
        prefix = os.path.commonprefix([f"{each.name}-" for each in clones]) if len(clones) > 1 else ""  # noqa: RUF071
        start = prefix.rfind("-") + 1
        return [Repository(who=each.name[start:] or each.name, url=str(each.resolve())) for each in clones]
    found: dict[str, Repository] = {}
    problems = []
    for line, cells in sheets.columns_of(path, "repositories", COLUMNS, ("who", "url")):
        who, url = sheets.as_id(cells.get("who", "")), cells.get("url", "")
        also = tuple(path.parent / name for name in cells.get("also", "").split(";") if name)
        if not who or not url or url.startswith("-") or "/" in who or who.startswith("."):
            problems.append(f"line {line}: expected who it is (a plain name) and the address of a repository")
        elif who in found:
            problems.append(f"line {line}: {who} stands in line {found[who].line} already")
        elif missing := [each for each in also if not each.exists()]:
            problems.append(f"line {line}: {missing[0]} is not there")
        url = str(near.resolve()) if (near := path.parent / url).is_dir() else url
        found.setdefault(who, Repository(who=who, url=url, branch=cells.get("branch", ""), also=also, line=line))
    if problems:
        raise UsageError(sheets.listed(path, "nothing was collected", problems))
    return list(found.values())


def collect(
    wanted: Sequence[Repository], due: Mapping[str, datetime], target: Path, before: Mapping[str, str]
) -> list[Collected]:
    """Write `target/<who>.zip` of each repository's last commit at or before `due[who]`.

    `before` are the commits of an earlier collection: one that is gone from the history since is noted.
    """
    target = target.resolve()  # git runs in folders of its own
    target.mkdir(parents=True, exist_ok=True)
    found = []
    for repository in wanted:
        with tempfile.TemporaryDirectory(prefix=".clone-", dir=target.parent) as scratch:
            try:
                found.append(_collected(repository, due[repository.who], target, Path(scratch), before))
            except _Trouble as trouble:
                found.append(Collected(who=repository.who, trouble=str(trouble)))
    return found


def _collected(wanted: Repository, due: datetime, target: Path, scratch: Path, before: Mapping[str, str]) -> Collected:
    clone = scratch / "clone"
    branch = ("--branch", wanted.branch) if wanted.branch else ()
    _git(scratch, "clone", "--quiet", "--no-checkout", "--no-tags", *branch, "--", wanted.url, str(clone))
    history = _git(clone, "log", "--format=%H %ct", "HEAD", missing="it has no commit yet").split("\n")
    dated = [(name, int(seconds)) for name, _, seconds in (line.partition(" ") for line in history if line)]
    in_time = [(name, seconds) for name, seconds in dated if seconds <= due.timestamp()]
    if not in_time:
        first = datetime.fromtimestamp(dated[-1][1], UTC).isoformat()
        raise _Trouble(f"no commit before {due.isoformat()}; the first is of {first}")
    commit, seconds = in_time[0]
    packed = scratch / "packed.zip"
    _git(clone, "archive", "--format=zip", "-o", str(packed), commit)
    _add(packed, wanted.also)
    shutil.move(packed, target / f"{wanted.who}.zip")
    notes = [f"{later} commits are later"] if (later := len(dated) - len(in_time)) else []
    if any(mine < parents for (_, mine), (_, parents) in pairwise(dated)):
        notes.append("commits are dated before those that they follow")
    if (known := before.get(wanted.who)) and known not in {name for name, _ in dated}:
        notes.append(f"the history was rewritten: commit {known[:10]}, collected before, is gone")
    time = datetime.fromtimestamp(seconds, UTC).isoformat()
    return Collected(who=wanted.who, commit=commit, time=time, notes=tuple(notes))


def _add(packed: Path, also: Sequence[Path]) -> None:
    """Put what was handed in elsewhere beside the repository's files."""
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as archive:
        for place in also:
            inside = [each for each in sorted(place.rglob("*")) if each.is_file()] if place.is_dir() else [place]
            for each in inside:
                name = each.relative_to(place).as_posix() if place.is_dir() else each.name
                if name in archive.namelist():
                    raise _Trouble(f"{name} is in the repository and in {place.name}: say which one counts")
                archive.write(each, name)


def _git(folder: Path, *arguments: str, missing: str = "") -> str:
    settings = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -oBatchMode=yes", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", *_SAFE, *arguments], cwd=folder, env=settings, capture_output=True, timeout=SECONDS, check=False
        )
    except FileNotFoundError as error:
        if error.filename != "git":
            raise
        raise UsageError("git is not installed; repositories are collected with it") from None
    except subprocess.TimeoutExpired:
        raise _Trouble(f"git did not end within {SECONDS:g} s") from None
    said = done.stderr.decode("utf-8", "replace")
    if done.returncode:
        known = next((words for pattern, words in _TROUBLES if re.search(pattern, said)), "")
        raise _Trouble(missing or f"{known or 'git could not read it'} ({one_line(said, 200)})")
    return done.stdout.decode("utf-8", "replace")
