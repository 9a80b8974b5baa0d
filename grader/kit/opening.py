"""A kit in its student's hands: whether it can be checked with, and the zip that is handed in."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import grader
from grader.assignment.assignment import Assignment, ExpectedFile
from grader.assignment.locate import Folders
from grader.assignment.moments import instant, zone_of
from grader.errors import UsageError
from grader.intake import receipt
from grader.kit.own_files import all_files, needed_by
from grader.model import Submission
from grader.recording.identity import SUBMISSIONS, Unusable, folder_digest
from grader.recording.shelf import read_index
from grader.wording import listed


def recording_of(folders: Folders) -> Path | None:
    """The recording of the kit that these folders are; None where the reference is. Raises UsageError, for students."""
    if folders.recording is None or folders.reference.is_dir():
        return None
    kit = folders.suite.parents[1]
    try:
        identity = read_index(folders.recording).identity
    except Unusable as error:
        raise UsageError(f"the kit in {kit} is damaged ({error}); unzip it anew into an empty folder") from None
    made_with = identity.versions.get("grader", "another version")
    if made_with != grader.__version__:
        raise UsageError(
            f"the kit in {kit} was made with dl-grader {made_with}, and {grader.__version__} is installed. Install the "
            "wheel that lies in the kit (python -m pip install FILE.whl), or ask your course for a newer kit"
        )
    if identity.slug != folders.suite.name or identity.suite != folder_digest(folders.suite, SUBMISSIONS):
        raise UsageError(
            f"the files in {kit} are not of one kit: perhaps an older one lay there. Unzip the kit that your course "
            "gives you now into an empty folder; your work is in `work`, take it along"
        )
    return folders.recording


def closing(assignment: Assignment) -> Iterator[str]:
    """What a student should know beside the verdicts: that there are others, and that the kit may be another year's."""
    yield "These are the public checks; more is checked when your work is graded."
    due, zone = assignment.late.due, zone_of(assignment.late.zone)
    if due is not None and instant(due, zone) < datetime.now(UTC):
        yield f"This kit is of an assignment that was due on {due[:10]}: if yours is due later, ask for a newer kit."


def collect(assignment: Assignment, submission: Submission, template: Path, out: Path) -> Iterator[str]:
    """Write the accepted files, what else they need of the student's own, and a receipt of their digests as a zip.

    Accepted files have their names; where one needs another file, all stay as they are, so that imports go on to work.
    Yields what was written, what is left out and what is missing, as sentences.

    Raises UsageError when there is nothing, or it cannot be written.
    """
    root = submission.root
    accepted = {
        file.path: submission.files[file.id]
        for file in assignment.files
        if file.id in submission.files
        and (file.required or not _untouched(root / submission.files[file.id], file, template))
    }
    if not accepted:
        raise UsageError(f"there is nothing to hand in: expected {', '.join(file.path for file in assignment.files)}")
    own = needed_by(accepted.values(), root)
    stay = own or any(not set(accepted.values()).isdisjoint(needed_by([path], root)) for path in accepted.values())
    kept = {path if stay else name: root / path for name, path in accepted.items()} | {
        path: root / path for path in own
    }
    contents = {name: (root / path).read_bytes() for name, path in ({path: path for path in own} | accepted).items()}
    try:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, path in kept.items():
                archive.write(path, name)
            archive.writestr(receipt.NAME, receipt.receipt_of(contents))
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}") from None
    yield f"Wrote {out}: {', '.join(kept)}."
    if left := [path for path in all_files(root) if root / path not in kept.values()]:
        yield f"Left out, as no part of what is handed in: {listed(left, 8)}."
    if missing := [file.path for file in assignment.files if file.required and file.path not in accepted]:
        yield f"Not there: {', '.join(missing)}."
    for rule in assignment.rules:
        if rule.kind == "archive_name":
            yield f"Rename it before you hand it in: {rule.title}."


def _untouched(path: Path, file: ExpectedFile, template: Path) -> bool:
    """Whether it is the template's hole: handed in, it would count as an attempt."""
    return (template / file.path).is_file() and (template / file.path).read_bytes() == path.read_bytes()
