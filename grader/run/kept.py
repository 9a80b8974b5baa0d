"""What an earlier scoring made of each author, for as long as nothing that it was made of has changed.

The file holds, of every author with one attempt, a digest of all that scores and texts hang on, the digests of the
files that were written, and the outline. Whoever scores again compares the first with what is there now, the second
with the files as they are, and makes anew whatever differs. A file that is damaged, or of another state of the grader,
says nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import grader
from grader.assignment.assignment import Assignment
from grader.model import Report, fields_of
from grader.recording.identity import folder_digest
from grader.reports import full
from grader.reports.files import SCORED, check_keys, link_results, pages_of, write_text
from grader.reports.outlines import line_from, line_said
from grader.results import log
from grader.scoring.attention import Demand

FORMAT = 1


@dataclass(frozen=True)
class Author:
    """The report of the attempt that counts, those of others, and what somebody must decide.

    `key` is the digest of what they were made of, `written` that of every file; both are empty where nothing is kept.
    """

    report: Report
    others: list[Report]
    demands: list[Demand]
    key: str = ""
    written: Mapping[str, str] = field(default_factory=dict)


class Kept:
    """What a results folder has kept. `made_of`: what all authors have in common, as `common` has it; None for any."""

    def __init__(self, folder: Path, made_of: str | None = None) -> None:
        self._folder = folder
        self.made_of, self.log, self.pages = "", "", False
        self._authors: dict[str, bytes] = {}
        whole, _, rest = _read(folder / SCORED).partition(b"\n")
        if hashlib.sha256(rest).hexdigest().encode() != whole:
            return
        first, *authors = rest.splitlines()
        head = json.loads(first)
        if authors and head["format"] == FORMAT and made_of in (None, head["made_of"]):
            self.made_of, self.log, self.pages = head["made_of"], head["log"], head["pages"]
            self._lines = [line_from(entry) for entry in head["lines"]]
            self._usual = Report(**full.values(Report, head["usual"]), lines=(), log="")
            self._authors = dict(zip(head["authors"], authors, strict=True))

    def author(self, owner: str, key: str, log_head: str, pages: bool | None) -> Author | None:
        """What was made of an author; None when anything differs. `pages`: whether files are to be as with pages or
        without them; None when files do not matter."""
        if not key or owner not in self._authors:
            return None
        made = json.loads(self._authors[owner])
        if made["key"] != key or (pages is not None and not self._stands(made, log_head, pages)):
            return None
        return self._author(made, log_head)

    def as_it_was(self, owner: str) -> Author | None:
        """What was made of an author, whatever has changed since."""
        return self._author(json.loads(self._authors[owner]), self.log) if owner in self._authors else None

    def _author(self, made: Mapping[str, Any], log_head: str) -> Author:
        lines = tuple([self._lines[number] for number in made["lines"]])
        report = replace(self._usual, **full.values(Report, made["report"]), lines=lines, log=log_head)
        return Author(report, [], [Demand(*demand) for demand in made["demands"]], made["key"], made["written"])

    def _stands(self, made: Mapping[str, Any], log_head: str, pages: bool) -> bool:
        """Whether the files are there that would be written now, and no others."""
        if (self.log, self.pages) != (log_head, pages):
            return False
        try:
            if any(log.digest(self._folder / path) != digest for path, digest in made["written"].items()):
                return False
        except OSError:
            return False
        key = made["report"].get("key", self._usual.key)
        return pages or not any((self._folder / path).exists() for path in pages_of(key))


def bring(origins: Sequence[tuple[str, Path, str]], out: Path, pages: bool) -> None:
    """Bring what other results folders have kept, with the files, into one that has the same submissions: (key, folder,
    key there) each. What does not fit here the next scoring finds, as it does of its own."""
    check_keys({key for key, _, _ in origins})
    known = {folder: Kept(folder) for folder in dict.fromkeys(folder for _, folder, _ in origins)}
    # Reports that name a line of a log tell of that folder alone: logs are not merged.
    first = next((kept for kept in known.values() if kept.made_of and not kept.log), None)
    if first is None:
        return
    pages = pages and first.pages
    found = {}
    for key, folder, there in origins:
        kept = known[folder]
        fits = key == there and (kept.made_of, kept.log) == (first.made_of, first.log) and kept.pages >= pages
        author = kept.as_it_was(key) if fits else None
        if author is not None:
            wanted = [path for path in author.written if pages or Path(path) not in pages_of(key)]
            if link_results(folder, out, key, pages=pages):
                found[key] = replace(author, written={path: author.written[path] for path in wanted})
    keep(out, first.made_of, first.log, pages, found)


def keep(folder: Path, made_of: str, log_head: str, pages: bool, authors: Mapping[str, Author]) -> None:
    """Write what the next scoring may use. Raises `GraderError` when the disk refuses."""
    kept = {owner: author for owner, author in authors.items() if author.key and math.isfinite(author.report.seconds)}
    lines: dict[tuple[object, ...], int] = {}
    by_id = {id(line): line for author in kept.values() for line in author.report.lines}
    numbers = {name: lines.setdefault(tuple(line_said(line)), len(lines)) for name, line in by_id.items()}
    usual = next((_fields(author.report) for author in kept.values()), {})
    reprs = {name: repr(value) for name, value in usual.items()}  # equal numbers may be written in two ways
    texts = [
        full.encoded(
            {
                "key": author.key,
                "written": author.written,
                "lines": [numbers[id(line)] for line in author.report.lines],
                "demands": [tuple(fields_of(demand).values()) for demand in author.demands],
                "report": {n: value for n, value in _fields(author.report).items() if repr(value) != reprs[n]},
            }
        )
        for author in kept.values()
    ]
    known = {"authors": list(kept), "lines": list(lines), "usual": usual}
    head = {"format": FORMAT, "made_of": made_of, "log": log_head, "pages": pages, **known}
    rest = "".join(f"{text}\n" for text in (full.encoded(head), *texts))
    write_text(folder / SCORED, f"{hashlib.sha256(rest.encode('utf-8', 'replace')).hexdigest()}\n{rest}")


def _fields(report: Report) -> dict[str, Any]:
    return {name: value for name, value in fields_of(report).items() if name not in ("lines", "log", "took")}


def common(assignment: Assignment, *more: object) -> str:
    """The digest of what all authors' files hang on: `more` beside the assignment, the grader itself, what it uses."""
    code = folder_digest(Path(grader.__file__).parent)
    used = (sys.version, metadata.version("jinja2"), metadata.version("markupsafe"), _zone(assignment.late.zone))
    return hashlib.sha256(repr((code, used, assignment, more)).encode("utf-8", "replace")).hexdigest()


def _zone(name: str) -> str:
    """What is known here of a time zone: rules change."""
    places = [path for place in zoneinfo.TZPATH if name and (path := Path(place) / name).is_file()]
    return log.digest(places[0]) if places else metadata.version("tzdata") if name else ""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
