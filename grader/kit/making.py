"""`grader kit`: what students get.

    <slug>-kit/  README.md  check.py  collect_submission.py  the grader's wheel
                 work/                  the template, to be filled in; student_templates/<slug>/ keeps it as it was
                 test_suites/<slug>/    the manifest, the tests and what they use, of the kit's items alone
                 recordings/<slug>/     the reference's answers on a few cases of these, and those of known mistakes

The cut suite is run on the reference to record these, so that a kit which cannot work is not written.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from datetime import date
from pathlib import Path

import grader
from grader.assignment.assignment import Assignment
from grader.assignment.locate import Folders, copy_mistakes, folders_below
from grader.assignment.manifest import MANIFEST, load
from grader.errors import GraderError, UsageError
from grader.kit.cutting import cut
from grader.kit.public import as_yaml, public_part
from grader.kit.wheel import put, write_wheel
from grader.platforms.bundle import zip_folder
from grader.recording.identity import SUBMISSIONS, folder_digest
from grader.run.engine import Order, record_at
from grader.run.grading import PUBLIC_SEED
from grader.templates.generate import contents_of

FILES = Path(__file__).parent / "files"
WORK = "work"


def write(assignment: Assignment, folders: Folders, out: Path) -> None:
    """Make the kit at `out`, a zip, which must not exist. Raises UsageError, AuthorError and GraderError."""
    if out.exists():
        raise UsageError(f"{out} exists already; remove it, or choose another --out")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".kit-", dir=out.parent) as scratch:
            fill(assignment, folders, Path(scratch) / "zip" / f"{assignment.slug}-kit")
            zip_folder(Path(scratch) / "zip", Path(scratch) / "kit.zip")
            (Path(scratch) / "kit.zip").rename(out)
    except OSError as error:
        raise GraderError(f"{out}: the kit cannot be written: {error.strerror}") from None


def fill(assignment: Assignment, folders: Folders, target: Path) -> Folders:
    """Write the kit's folder. Returns where it has what a check needs. Raises UsageError, AuthorError."""
    if not assignment.kit:
        raise UsageError(
            f"{folders.suite / MANIFEST} names no item for the kit; write for instance "
            f"`kit: [{assignment.items[0].id}]`: the items whose tests students may read and run at home"
        )
    template = contents_of(assignment)
    put(target / WORK, template)
    goal = folders_below(target, assignment.slug)
    manifest = as_yaml(public_part(assignment)).encode()
    put(goal.suite, {MANIFEST: manifest, **cut(folders.suite, set(assignment.kit))})
    put(goal.template, template)
    load(goal)  # an author's error now, not a student's
    _record(folders, goal.suite, target / "recordings" / assignment.slug)
    wheel = write_wheel(target)
    facts = {
        "slug": assignment.slug,
        "title": assignment.title,
        "grader": grader.__version__,
        "wheel": wheel.name,
        "suite": folder_digest(folders.suite, SUBMISSIONS)[:12],
        "made": date.today().isoformat(),
        "files": "\n".join(
            f"    {file.path}{'' if file.required else '    (if you have it)'}" for file in assignment.files
        ),
    }
    for path in sorted(FILES.iterdir()):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            for name, value in facts.items():
                text = text.replace(f"@{name}@", value)
            (target / path.name).write_text(text, encoding="utf-8", newline="\n")
    return folders_below(target, assignment.slug)


def _record(folders: Folders, suite: Path, target: Path) -> None:
    """Run the cut suite on the reference, and put what it answered at `target`."""
    with tempfile.TemporaryDirectory() as scratch:
        # Known mistakes are edits of the reference: they are needed here, and never in the kit.
        whole = Path(scratch) / suite.name
        shutil.copytree(suite, whole)
        copy_mistakes(folders.suite, whole)
        order = Order(
            folders=Folders(suite=whole, reference=folders.reference, template=folders.template),
            seed=PUBLIC_SEED,
            workers="confined" if sys.platform.startswith("linux") else "spawned",
            for_kit=True,
        )
        record_at(target, order)
