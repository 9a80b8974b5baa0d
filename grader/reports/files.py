"""The result folder, written atomically: every file is complete or not there, whenever the run is stopped.

    DIR/summary.csv                 one line per submission
    DIR/items.csv                   one line per item
    DIR/attention.csv               what a person should look at
    DIR/intake.csv                  what became of every file that was handed in; names people, so it is for staff
    DIR/.scored.jsonl               what the next scoring need not make again; may be deleted
    DIR/<key>/results.json          for Gradescope
    DIR/<key>/report.html           for the student: hidden items without their evidence
    DIR/<key>/report.json           everything, staff evidence included: not for students
    DIR/staff/<key>.html            the page with everything, for staff
    DIR/attempts/<key>/…            the same four files of every attempt that does not count

Folders that are made here are readable by their owner only, because grades are personal data; files too. Equal reports
give equal bytes.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import IO

from grader.errors import GraderError, UsageError
from grader.model import Fate, Report
from grader.reports import full, gradescope, html, tables
from grader.reports.repeated import said_of

STAFF = "staff"
ATTEMPTS = "attempts"
INTAKE = "intake.csv"
CLASS = "class.html"
SCORED = ".scored.jsonl"  # what the next scoring need not make again
FOLDER_MODE = 0o700
MAX_KEY = 120


def write_submission(out: Path, report: Report, *, counts: bool = True, pages: bool = True) -> dict[str, str]:
    """Write what is said of one attempt, which counts or not; other files there stay. The digest of every file.

    Without `pages` those that an earlier call wrote are taken away, because they would tell of other scores.
    Raises `GraderError` when the disk refuses.
    """
    for attempt in report.attempts if counts else ():
        # It may have been one of the others before.
        if attempt.number == report.attempt:
            shutil.rmtree(out / ATTEMPTS / attempt.key, ignore_errors=True)
    place, digests = _place(out, counts), {}
    for path, text in _submission_files(report, pages):
        digests[str(path)] = write_text(place / path, text)
    if not pages:
        for path in pages_of(report.key):
            (place / path).unlink(missing_ok=True)
    return digests


def write_tables(out: Path, reports: Sequence[Report], notices: Sequence[tuple[str, str]] = ()) -> None:
    """Write what is said of a class; `notices` are lines for attention.csv that concern no report."""
    for path, text in _tables(reports, notices):
        write_text(out / path, text)


def texts(
    reports: Sequence[Report], others: Sequence[Report], notices: Sequence[tuple[str, str]], *, pages: bool
) -> Iterator[tuple[Path, str]]:
    """Path and text of every file of a run; `others` are reports of attempts that do not count."""
    for counts, some in ((True, reports), (False, others)):
        for report in some:
            yield from ((_place(Path(), counts) / path, text) for path, text in _submission_files(report, pages))
    yield from _tables(reports, notices)


def _place(out: Path, counts: bool) -> Path:
    return out if counts else out / ATTEMPTS


def _tables(reports: Sequence[Report], notices: Sequence[tuple[str, str]]) -> Iterator[tuple[Path, str]]:
    yield Path("summary.csv"), tables.summary(reports)
    yield Path("items.csv"), tables.items(reports)
    yield Path("attention.csv"), tables.attention(reports, notices)


def write_intake(out: Path, fates: Sequence[Fate]) -> None:
    """intake.csv: the files of this call, and of earlier calls into the same folder those that it does not speak of."""
    path = out / INTAKE
    before = path.read_text("utf-8") if path.exists() else ""
    write_text(path, tables.intake(fates, before))


def merge_intake(out: Path, folders: Sequence[Path]) -> None:
    """intake.csv of several runs, each line once."""
    before = [path.read_text("utf-8") for folder in folders if (path := folder / INTAKE).exists()]
    if before:
        write_text(out / INTAKE, tables.intake((), *before))


def write_text(path: Path, text: str) -> str:
    """Write a whole file at once: into a temporary file beside it, then renamed over it. One that has the text stays.

    Returns its SHA-256. Folders that are missing are made, readable by their owner only. Raises `GraderError` when the
    disk refuses.
    """
    content = text.encode("utf-8", "replace")
    digest = hashlib.sha256(content).hexdigest()
    with suppress(OSError):
        if path.read_bytes() == content:
            return digest
    part = path.with_name(f".{path.name[:40]}.{secrets.token_hex(8)}.part")
    try:
        try:
            with _made(part) as file:
                file.write(content)
            part.replace(path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
    except OSError as error:
        advice = "make room, or see to the folder's permissions, and run the same command again"
        raise GraderError(f"{path}: the result cannot be written: {error.strerror}; {advice}") from None
    return digest


def _made(path: Path) -> IO[bytes]:
    """A new file that its owner alone may read; its folder is made as well."""
    try:
        return open(path, "xb", opener=_private)
    except FileNotFoundError:
        _make_folders(path.parent)
        return open(path, "xb", opener=_private)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _make_folders(folder: Path) -> None:
    missing = takewhile(lambda step: not step.exists(), (folder, *folder.parents))
    for step in reversed(list(missing)):
        step.mkdir(mode=FOLDER_MODE, exist_ok=True)


def _submission_files(report: Report, pages: bool) -> Iterator[tuple[Path, str]]:
    folder, said = Path(report.key), said_of(report)
    yield folder / "results.json", gradescope.text(report, said)
    yield folder / "report.json", full.dump(report, said)
    if pages:
        (student, staff), whole = pages_of(report.key), report.whole()
        yield student, html.page(whole, said=said)
        yield staff, html.page(whole, staff=True, said=said)


def link_results(folder: Path, out: Path, key: str, *, pages: bool) -> bool:
    """Let a submission have the files of another results folder, shared until either writes its own; whether it has."""
    paths = [Path(key) / "results.json", Path(key) / "report.json", *(pages_of(key) if pages else ())]
    # A file that is there may be shared already, and is not written into.
    if any((out / path).exists() for path in paths):
        return False
    try:
        for path in paths:
            _make_folders((out / path).parent)
            linked(folder / path, out / path)
    except OSError:
        return False
    return True


def linked(source: Path, target: Path) -> None:
    """A file under another name; a copy where the file system has no links."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def pages_of(key: str) -> tuple[Path, Path]:
    """Where the student's page and that for staff are."""
    return Path(key) / "report.html", Path(STAFF) / f"{key}.html"


def check_keys(keys: Collection[str]) -> None:
    """Raises `UsageError` for a key that cannot be a folder's name or that another one would overwrite."""
    taken: dict[str, str] = {}
    for key in keys:
        if not _is_name(key):
            raise UsageError(f"the key {key!r} cannot be the name of a folder; expected a plain name")
        if (other := taken.get(key.casefold())) is not None:
            raise UsageError(f"the keys {other!r} and {key!r} would write the same files; rename one")
        taken[key.casefold()] = key


_OWN = {
    "summary.csv", "items.csv", "attention.csv", INTAKE, CLASS, STAFF, ATTEMPTS, "submissions", "people.csv", "marks",
    "marks.csv", "voids.csv", "dispositions.csv", "released.json", "log.jsonl", "journal.jsonl", "suite.json",
    "times.csv", "course.txt", "forgotten.json", "similar.csv", "similar.html", ".cluster",
}  # fmt: skip
_PAGES = {"results.json", "report.json", "report.html"}
_MARKS_OF_RESULTS = ("journal.jsonl", "log.jsonl", "released.json")


def writable(target: Path, own: str = "") -> Path:
    """A file that the user names to be written, itself; `own` is what the command itself keeps in a results folder.

    Raises UsageError for a folder, and for anything else that the grader keeps in a results folder.
    """
    if target.is_dir():
        raise UsageError(f"{target} is a folder; name the file to be written in it")
    place = target.resolve()
    for folder in place.parents:
        inside = place.relative_to(folder).as_posix().casefold()
        kept = inside.split("/")[0] in _OWN or (inside.count("/") == 1 and inside.split("/")[1] in _PAGES)
        if kept and inside != own and any((folder / name).exists() for name in _MARKS_OF_RESULTS):
            raise UsageError(f"{target} is what the grader keeps in the results folder {folder}; name another file")
    return target


def _is_name(key: str) -> bool:
    """A single path step that no file system reads as anything else, and no file or folder of the run itself."""
    plain = 0 < len(key) <= MAX_KEY and not key.startswith(".") and key.isprintable() and key == key.strip(" .")
    return plain and not set(key) & set('/\\:*?"<>|') and key.casefold() not in _OWN
