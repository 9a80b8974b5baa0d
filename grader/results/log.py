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
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grader.errors import GraderError, UsageError
from grader.results.journal import lock

NAME = "log.jsonl"


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
    """The whole log. Raises UsageError, with the line, where the chain is broken."""
    entries, broken = examine(folder)
    if broken:
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
        os.write(fd, line + b"\n")
        os.fsync(fd)
    finally:
        os.close(fd)
    return hashlib.sha256(line).hexdigest()


def digest(path: Path) -> str:
    """The SHA-256 of a file; "" where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
