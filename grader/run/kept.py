"""What an earlier scoring made of each author, for as long as nothing that it was made of has changed.

The file holds, of every author with one attempt, a digest of all that scores and texts hang on, the digests of the
files that were written, and the outline. Whoever scores again compares the first with what is there now, the second
with the files as they are, and makes anew whatever differs. A file that is damaged, or of another state of the grader,
says nothing.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import sys
import zoneinfo
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import grader
from grader.assignment.assignment import Assignment
from grader.model import Line, Report, fields_of
from grader.recording.identity import folder_digest
from grader.reports import full
from grader.reports.files import SCORED, check_keys, link_results, pages_of, write_text
from grader.reports.outlines import line_from, line_said
from grader.results import log
from grader.run.processes import in_processes
from grader.scoring.attention import Demand

FORMAT = 2


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


@dataclass(frozen=True)
class _Section:
    """Authors whose lines tell of the same table: what one scoring kept, or one part of what was merged."""

    head: Mapping[str, Any]
    authors: Mapping[str, str]

    def text(self) -> str:
        head = full.encoded({**self.head, "authors": list(self.authors)})
        return "".join(f"{line}\n" for line in (head, *self.authors.values()))

    @cached_property
    def lines(self) -> list[Line]:
        return [line_from(entry) for entry in self.head["lines"]]

    @cached_property
    def usual(self) -> Report:
        return Report(**full.values(Report, self.head["usual"]), lines=(), log="")


class Kept:
    """What a results folder has kept. `made_of`: what all authors have in common, as `common` has it."""

    def __init__(self, folder: Path, made_of: str) -> None:
        self._folder = folder
        self._of = {owner: section for section in _sections(folder, made_of) for owner in section.authors}

    def author(self, owner: str, key: str, log_head: str, pages: bool | None) -> Author | None:
        """What was made of an author; None when anything differs. `pages`: whether files are to be as with pages or
        without them; None when files do not matter."""
        section = self._of.get(owner) if key else None
        if section is None:
            return None
        made = json.loads(section.authors[owner])
        if made["key"] != key:
            return None
        others = () if pages else pages_of(made["report"].get("key", section.usual.key))
        written = {path: digest for path, digest in made["written"].items() if Path(path) not in others}
        as_now = (section.head["log"], section.head["pages"]) == (log_head, pages)
        if pages is not None and not (as_now and self._stands(written, others)):
            return None
        lines = tuple([section.lines[number] for number in made["lines"]])
        report = replace(section.usual, **full.values(Report, made["report"]), lines=lines, log=log_head)
        return Author(report, [], [Demand(*demand) for demand in made["demands"]], key, written)

    def _stands(self, written: Mapping[str, str], others: Collection[Path]) -> bool:
        """Whether the files are there that would be written now, and no others."""
        try:
            if any(log.digest(self._folder / path) != digest for path, digest in written.items()):
                return False
        except OSError:
            return False
        return not any((self._folder / path).exists() for path in others)


def _sections(folder: Path, made_of: str | None = None) -> list[_Section]:
    """What a folder has kept, of anything for None; nothing when the file is damaged, was made of something else, or by
    another state of this module."""
    whole, _, rest = _read(folder / SCORED).partition(b"\n")
    if hashlib.sha256(rest).hexdigest().encode() != whole:
        return []
    lines, found = iter(rest.decode("utf-8", "replace").split("\n")[:-1]), []
    for line in lines:
        head = json.loads(line)
        if head["format"] != FORMAT or made_of not in (None, head["made_of"]):
            return []
        owners = head.pop("authors")
        found.append(_Section(head, dict(zip(owners, itertools.islice(lines, len(owners)), strict=True))))
    return found


def bring(origins: Sequence[tuple[str, Path, str]], out: Path, pages: bool) -> None:
    """Bring what other results folders have kept, with the files, into one that has the same submissions: (key, folder,
    key there) each. What does not fit here the next scoring finds, as it does of its own."""
    check_keys({key for key, _, _ in origins})
    known = [(folder, one) for folder in dict.fromkeys(folder for _, folder, _ in origins) for one in _sections(folder)]
    # Reports that name a line of a log tell of that folder alone: logs are not merged.
    known = [(folder, one) for folder, one in known if not one.head["log"]]
    if not known:
        return
    made_of, pages = known[0][1].head["made_of"], pages and known[0][1].head["pages"]
    known = [(folder, one) for folder, one in known if one.head["made_of"] == made_of and one.head["pages"] >= pages]
    kept = {(owner, folder) for folder, one in known for owner in one.authors}
    wanted = [*{key: folder for key, folder, there in origins if key == there and (key, folder) in kept}.items()]

    def link(share: slice) -> list[bool]:
        return [link_results(folder, out, key, pages=pages) for key, folder in wanted[share]]

    linked = {pair for pair, done in zip(wanted, in_processes(link, len(wanted)), strict=True) if done}
    brought = [
        _Section(
            {**one.head, "pages": pages},
            {owner: line for owner, line in one.authors.items() if (owner, folder) in linked},
        )
        for folder, one in known
    ]
    _write(out, brought)


def keep(folder: Path, made_of: str, log_head: str, pages: bool, authors: Mapping[str, Author]) -> None:
    """Write what the next scoring may use. Raises `GraderError` when the disk refuses."""
    kept = {owner: author for owner, author in authors.items() if author.key and math.isfinite(author.report.seconds)}
    lines: dict[tuple[object, ...], int] = {}
    by_id = {id(line): line for author in kept.values() for line in author.report.lines}
    numbers = {name: lines.setdefault(tuple(line_said(line)), len(lines)) for name, line in by_id.items()}
    usual = next((_fields(author.report) for author in kept.values()), {})
    reprs = {name: repr(value) for name, value in usual.items()}  # equal numbers may be written in two ways
    texts = {
        owner: full.encoded(
            {
                "key": author.key,
                "written": author.written,
                "lines": [numbers[id(line)] for line in author.report.lines],
                "demands": [tuple(fields_of(demand).values()) for demand in author.demands],
                "report": {n: value for n, value in _fields(author.report).items() if repr(value) != reprs[n]},
            }
        )
        for owner, author in kept.items()
    }
    head = {"format": FORMAT, "made_of": made_of, "log": log_head, "pages": pages, "lines": list(lines), "usual": usual}
    _write(folder, [_Section(head, texts)])


def _write(folder: Path, sections: Sequence[_Section]) -> None:
    rest = "".join(section.text() for section in sections if section.authors)
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
