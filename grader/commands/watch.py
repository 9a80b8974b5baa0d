"""`grader verify SLUG --watch`: the proof once, then of each change what it touches, until Ctrl-C.

What an item hangs on: its line of the manifest, its check (in the long form: all code of the suite), the mistakes
that name it, and of the reference the definitions that these reach by name. Trainings run in the first proof only.
"""

from __future__ import annotations

import ast
import re
import stat
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.assignment.locate import Folders, assignment_folders
from grader.assignment.manifest import is_short
from grader.commands import verify
from grader.commands.shared import open_assignment
from grader.errors import EXIT_DONE, GraderError, UsageError
from grader.proof.kept import Kept, read_kept
from grader.sandbox.launch import Launched, launch
from grader.short import sources
from grader.short.expanding import long_form

PAUSE = 0.05  # seconds between two looks at the files
WORD = re.compile(r"\w+")

Faces = dict[str, str]
Stamps = dict[Path, tuple[int, int]]


def run(slugs: Sequence[str], jobs: int, assignments: Path | None) -> int:
    """Prove, and prove again. Raises UsageError unless one assignment is named."""
    if len(slugs) != 1:
        raise UsageError("--watch follows one assignment: name one")
    slug = slugs[0]
    folders = assignment_folders(slug, assignments)
    seen, known = stamps(folders), Faces()
    ahead: Launched | None = None
    try:
        try:
            *_, known = _opened(slug, assignments)
            verify.verify(slug, jobs, assignments)
        except GraderError as error:
            sys.stdout.write(f"PROBLEM {error}\n")
        while True:
            ahead = ahead or (launch() if sys.platform.startswith("linux") else None)
            sys.stdout.write("waiting for a change; Ctrl-C ends\n")
            sys.stdout.flush()
            seen = _changed(folders, seen)
            known, ahead = _round(slug, jobs, assignments, known, ahead)
    except KeyboardInterrupt:
        sys.stdout.write("\n")
        return EXIT_DONE
    finally:
        if ahead is not None:
            ahead.close()


def _changed(folders: Folders, seen: Stamps) -> Stamps:
    """Wait until files are others than those seen, and no longer change: an editor writes in several steps."""
    last = stamps(folders)
    while True:
        time.sleep(PAUSE)
        now = stamps(folders)
        if now == last and now != seen:
            return now
        last = now


def _round(
    slug: str, jobs: int, assignments: Path | None, known: Faces, ahead: Launched | None
) -> tuple[Faces, Launched | None]:
    """Prove what changed. Returns what is known now, and the process that is still ahead when none was needed."""
    start = time.perf_counter()
    try:
        folders, assignment, now = _opened(slug, assignments)
        touched = [name for name, face in now.items() if known.get(name) != face]
        if not touched:
            sys.stdout.write(f"{slug}: no item hangs on what changed\n")
            return now, ahead
        given, ahead = ahead, None
        proven = verify.verify_items(folders, assignment, touched, jobs, given)
    except GraderError as error:
        sys.stdout.write(f"PROBLEM {error}\n")
        return known, ahead
    verdict = "proven" if proven else "not proven"
    seconds = time.perf_counter() - start
    sys.stdout.write(f"{slug}: {', '.join(touched)} {verdict} in {seconds:.1f} s\n")
    return now, ahead


def _opened(slug: str, assignments: Path | None) -> tuple[Folders, Assignment, Faces]:
    """Where the long form of the assignment stands, the assignment, and what each item hangs on."""
    folders, assignment = open_assignment(slug, assignments)
    return folders, assignment, faces(assignment_folders(slug, assignments), assignment, read_kept(assignment.suite))


def stamps(folders: Folders) -> Stamps:
    """When each file of the suite and the reference was written, and how large it is."""
    found = {}
    for path in (path for folder in (folders.suite, folders.reference) for path in folder.rglob("*")):
        try:
            status = path.stat()
        except OSError:  # gone since it was listed
            continue
        if stat.S_ISREG(status.st_mode) and "__pycache__" not in path.parts:
            found[path] = (status.st_mtime_ns, status.st_size)
    return found


def faces(folders: Folders, assignment: Assignment, kept: Sequence[Kept]) -> Faces:
    """{item: everything that its proof hangs on}, of the items that train nothing. `folders` hold what was written."""
    code = _definitions(folders.reference)
    long = long_form(folders) if is_short(folders.suite) else None
    checks = {plan.id: sources.one(plan) for plan in long.checks} if long else {}
    checks |= {asked.id: sources.one_answer(asked) for asked in long.answers} if long else {}
    own = "".join(path.read_text(encoding="utf-8") for path in sorted(folders.suite.rglob("*.py")))
    rest = repr((assignment.files, assignment.rules, assignment.tolerances, assignment.limits, assignment.globals))
    found = {}
    for name in verify.plain_items(assignment):
        item = assignment.item(name)
        check = checks.get(item.part or "") or own
        mistakes = [replace(entry, path=Path()) for entry in kept if name in (*entry.charged, *entry.follows)]
        found[name] = repr((item, check, list(_reached(check, code)), mistakes, rest))
    return found


def _definitions(reference: Path) -> dict[str, str]:
    """{name: what defines it}, of all files together; what has no name stands under ""."""
    found: dict[str, str] = {}
    for path in sorted(reference.rglob("*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            raise UsageError(f"{path}:{error.lineno}: this is not valid Python: {error.msg}") from None
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names = [node.name]
            elif isinstance(node, ast.Assign):
                names = [leaf.id for target in node.targets for leaf in ast.walk(target) if isinstance(leaf, ast.Name)]
            else:
                names = [""]
            for name in names:
                found[name] = found.get(name, "") + ast.dump(node)
    return found


def _reached(text: str, code: Mapping[str, str]) -> Iterator[str]:
    """The definitions that a text reaches by name, and those that they reach in turn."""
    open_, seen = {"", *WORD.findall(text)} & code.keys(), set[str]()
    while open_:
        name = min(open_)
        yield code[name]
        seen.add(name)
        open_ = (open_ | (set(WORD.findall(code[name])) & code.keys())) - seen
