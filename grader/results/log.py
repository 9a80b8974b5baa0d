"""`log.jsonl`: what people did with a class's grades, one line each, in a chain that shows every later change.

    {"number": 3, "when": "2026-11-30T18:00:00+00:00", "who": "kim", "what": "released", …, "previous": "9f2c…"}

`previous` is the SHA-256 of the line before, so nobody can change, drop or add a line without changing all that follow;
the last line's digest, the head, is printed in every feedback file, which students have. Submissions appear by tags
that released.json gives them, never by key or name. It begins with the first decision; grading alone writes none.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grader.errors import GraderError, UsageError
from grader.results.journal import lock

NAME = "log.jsonl"
RELEASED = "released.json"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line; `facts` are what it says beside when, who and what."""

    number: int
    when: str
    who: str
    what: str
    facts: Mapping[str, Any]
    digest: str


def read(folder: Path) -> list[Entry]:
    """The whole log. Raises UsageError where the chain is broken, or lacks what a release or a page tells of."""
    entries, broken = examine(folder)
    if broken := broken or missing(folder, entries):
        raise UsageError(f"{broken}; nothing was done. `grader audit {folder}` says what was altered")
    return entries


def examine(folder: Path) -> tuple[list[Entry], str]:
    """The lines up to the first that does not fit, and what is wrong with that one ("" when nothing is)."""
    path = folder / NAME
    entries: list[Entry] = []
    previous = ""
    lines = path.read_bytes().split(b"\n") if path.exists() else [b""]
    for number, line in enumerate(lines[:-1], start=1):
        try:
            record = json.loads(line)
            said = record.pop("number"), record.pop("previous")
            when, who, what = (str(record.pop(name)) for name in ("when", "who", "what"))
        except (ValueError, KeyError, TypeError, AttributeError):
            return entries, f"{path}: line {number} is not a line of the log; restore the file from a copy"
        if said != (number, previous):
            return entries, (
                f"{path}: line {number} does not follow the line before it: a line was changed, cut or put in; restore "
                "the file from a copy"
            )
        previous = hashlib.sha256(line).hexdigest()
        entries.append(Entry(number=number, when=when, who=who, what=what, facts=record, digest=previous))
    if lines[-1]:
        return entries, f"{path}: line {len(lines)} was cut short; restore the file from a copy, or delete that line"
    return entries, ""


def missing(folder: Path, entries: Sequence[Entry]) -> str:
    """What the release, or a page of results, knows of the log and the log does not hold; "" when there is all."""
    return _against_release(folder, entries) or _against_page(folder, entries)


def _against_release(folder: Path, entries: Sequence[Entry]) -> str:
    path, last = folder / RELEASED, _last_release(entries)
    if not path.exists():
        return f"{path} is not there, and the log tells of release {last}; restore it from a copy" if last else ""
    try:
        frozen = json.loads(path.read_bytes())
        number, (line, digest) = int(frozen["number"]), frozen.get("log") or (None, "")
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return f"{path}: this is not a release of the grader; restore it from a copy"
    # A release that was stopped stands in the file, and not yet in the log.
    fits = last == number or (last < number and line == len(entries))
    if fits and (not line or [entry.digest for entry in entries[line - 1 : line]] == [digest]):
        return ""
    return (
        f"{folder / NAME} does not hold what {RELEASED} says of release {number}: one was cut or written anew; restore "
        "both from a copy"
    )


def _against_page(folder: Path, entries: Sequence[Entry]) -> str:
    """One page is enough: all that a command wrote, whole or in part, name lines of the log."""
    for path in folder.glob("*/report.json"):
        try:
            digest = json.loads(path.read_bytes())["log"]
        except (OSError, ValueError, LookupError, TypeError):
            return ""  # the audit names a page that is damaged
        if not digest or any(entry.digest == digest for entry in entries):
            return ""
        return (
            f"{path} names a line of the log that is not there ({digest[:16]}): lines were cut off {folder / NAME}; "
            "restore it from a copy"
        )
    return ""


def untold(folder: Path, entries: Sequence[Entry]) -> bool:
    """Whether the log does not tell yet of the release that stands in released.json."""
    path = folder / RELEASED
    return path.exists() and bool(json.loads(path.read_bytes())["number"] > _last_release(entries))


def _last_release(entries: Sequence[Entry]) -> int:
    return max((entry.facts["release"] for entry in entries if "release" in entry.facts), default=0)


def head(folder: Path) -> str:
    """The digest of the last line; "" where nothing was decided yet. Raises UsageError for a broken chain."""
    entries = read(folder)
    return entries[-1].digest if entries else ""


def append(folder: Path, who: str, what: str, facts: Mapping[str, Any]) -> str:
    """Write one line and return the new head. Raises UsageError for a broken chain, which is left as it is."""
    path = folder / NAME
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise GraderError(f"{path}: the log cannot be written: {error.strerror}; nothing was done") from None
    try:
        if not lock(fd):
            raise UsageError(f"{path} is being written by another command; wait for it and say it again")
        entries = read(folder)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        first = {"number": len(entries) + 1, "when": now, "who": who, "what": what}
        record = {**first, **facts, "previous": entries[-1].digest if entries else ""}
        line = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        _write(fd, line + b"\n", path)
    finally:
        os.close(fd)
    return hashlib.sha256(line).hexdigest()


def _write(fd: int, line: bytes, path: Path) -> None:
    """A whole line or nothing: a disk that is nearly full takes a part of it, and a part would break the chain."""
    whole = os.fstat(fd).st_size
    try:
        while line:
            line = line[os.write(fd, line) :]
        os.fsync(fd)
    except OSError as error:
        with suppress(OSError):
            os.ftruncate(fd, whole)
        advice = "make room, and run the same command again"
        raise GraderError(f"{path}: the log cannot be written: {error.strerror}; {advice}") from None


def digest(path: Path) -> str:
    """The SHA-256 of a file; "" where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
