"""A suite in the short form → the same suite in the long form, as files. The one way in which the short form is run.

expanded(folders)      the folders with a suite that is written out, in a folder that ends with this process
long_form(folders)     its files as texts, to be read or to go on from
"""

from __future__ import annotations

import ast
import atexit
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from grader.assignment.assignment import Assignment
from grader.assignment.locate import SUITES, Folders
from grader.assignment.manifest import MANIFEST, assignment_from, is_short, stop_at
from grader.assignment.training import EVIDENCE
from grader.assignment.types import Reading, build
from grader.assignment.yaml import Table, read
from grader.errors import AuthorError
from grader.short import rubric, sources
from grader.short.form import Short, Wrong
from grader.short.planning import Asked, Planned, asked, fits, planned
from grader.short.rubric import NamedFile

HEADER = "# Written from the short form; `grader expand` prints it.\n"


@dataclass(frozen=True)
class LongForm:
    """What a short manifest stands for: {relative path: text}, and its checks and answers."""

    texts: Mapping[str, str]
    checks: Sequence[Planned]
    answers: Sequence[Asked]


def expanded(folders: Folders) -> Folders:
    """The folders with a suite in the long form: the given ones for a manifest without short keys. Raises AuthorError.

    The author's own files are copied beside what is written.
    """
    if not is_short(folders.suite):
        return folders
    long = long_form(folders)
    # Not below the user's cache: it is as good as the suite, and nobody would ever remove it.
    room = Path(tempfile.mkdtemp(prefix="grader-suite-")).resolve()
    atexit.register(shutil.rmtree, room, ignore_errors=True)
    target = room / SUITES / folders.suite.name
    write(long, folders.suite, target)
    (target / EVIDENCE).unlink(missing_ok=True)
    (target / EVIDENCE).symlink_to(folders.suite / EVIDENCE)  # `grader calibrate` writes the author's own
    return replace(folders, suite=target)


def write(long: LongForm, suite: Path, target: Path) -> None:
    """Write a whole suite: the author's own files, and what the short form stands for."""
    shutil.copytree(suite, target, ignore=shutil.ignore_patterns("__pycache__", MANIFEST))
    for name, text in long.texts.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def long_form(folders: Folders) -> LongForm:
    """The files that the short form stands for. Raises AuthorError with every problem, by file and line."""
    path = folders.suite / MANIFEST
    root = read(path)
    assert isinstance(root, Table)
    reading = Reading()
    short_node, long_node = rubric.split(root)
    short = build(Short, short_node, (), reading)
    stop_at(reading, path)
    assert isinstance(short, Short)
    named = {each.notebook: reading.line("answers", name) for name, each in short.answers.items() if each.notebook}
    named |= {each.file: reading.line("predictions", name, "file") for name, each in short.predictions.items()}
    files = rubric.files_of(long_node, named)
    paths = {file.path: file.id for file in files}
    defined = {file.id: _definitions(folders, file) for file in files}
    checks = planned(short, defined, paths, reading)
    answers = asked(short, paths, reading)
    trainings = fits(short, defined, paths, reading)
    stop_at(reading, path)
    root = rubric.lengthened(long_node, files, checks, answers, trainings, short.predictions, reading)
    assignment = assignment_from(root, folders, path)
    texts = {MANIFEST: HEADER + rubric.written(root), **_kept(short.wrong, assignment, reading)}
    stop_at(reading, path)
    predicted = [(name, paths[each.file], each) for name, each in short.predictions.items()]
    written = [*checks, *answers, *trainings, *predicted]
    texts |= sources.texts(checks, answers, trainings, predicted) if written else {}
    if taken := sorted(name for name in texts if name != MANIFEST and (folders.suite / name).exists()):
        raise AuthorError(f"{', '.join(taken)} would be written over by the short form; rename yours", folders.suite)
    return LongForm(texts, checks, answers)


def _definitions(folders: Folders, file: NamedFile) -> frozenset[str]:
    """The names that a file defines at its top, in the reference, else the template; nothing when neither is here."""
    name = str(Path(file.path).with_suffix(".py")) if file.path.endswith(".ipynb") else file.path
    path = next((each / name for each in (folders.reference, folders.template) if (each / name).is_file()), None)
    if path is None or path.suffix != ".py":
        return frozenset()
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError) as error:
        raise AuthorError(f"this is not valid Python: {error}", path, getattr(error, "lineno", None)) from None
    found = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return frozenset(found)


# --- known mistakes ---------------------------------------------------------------------------------------------


def _kept(wrong: Sequence[Wrong], assignment: Assignment, reading: Reading) -> dict[str, str]:
    """A file of `submissions/wrong/` for each known mistake; what cannot be one goes to `reading`."""
    texts = {}
    for number, entry in enumerate(wrong):
        found = _mistake(entry, number, assignment, reading)
        if found is not None:
            title = str(found["title"])
            word = re.sub(r"\W+", "_", title.lower())[:40].strip("_")
            texts[f"submissions/wrong/{number + 1:02}_{word}.yaml"] = yaml.safe_dump(
                found, sort_keys=False, allow_unicode=True
            )
    return texts


def _mistake(entry: Wrong, number: int, assignment: Assignment, reading: Reading) -> dict[str, object] | None:
    line = reading.line("wrong", number)
    if len(entry.replace) != 2:
        reading.bad(
            reading.line("wrong", number, "replace"), f"wrong[{number + 1}].replace: expected [old text, new text]"
        )
        return None
    old, new = entry.replace
    name = {file.path: str(Path(file.path).with_suffix(".py")) for file in assignment.files if file.kind == "notebook"}
    file = name.get(entry.file, entry.file)
    path = assignment.reference / file
    text = path.read_text(encoding="utf-8") if path.is_file() else None
    if text is None and assignment.reference.is_dir():
        reading.bad(line, f"wrong[{number + 1}]: the reference has no file {entry.file!r}")
        return None
    if text is not None and (count := text.count(old)) != 1:
        where = ", ".join(str(n) for n, each in enumerate(text.splitlines(), 1) if old in each)
        at = f" (lines {where})" if where else ""
        reading.bad(line, f"wrong[{number + 1}]: {old!r} stands {count} times in {file}{at}, expected exactly once")
        return None
    fails = [entry.fails] if isinstance(entry.fails, str) else entry.fails
    if not isinstance(fails, list) or not (fails or entry.breaks or entry.equivalent):
        reading.bad(line, f"wrong[{number + 1}]: `fails` names the items that it must fail, one or a list")
        return None
    told = {
        "title": entry.title or entry.hint or f"{old} → {new}",
        "edits": [{"file": file, "find": old, "replace": new}],
    }
    rest = {"fails": fails, "follows": list(entry.follows), "also": entry.also, "several": entry.several}
    rest |= {"hint": entry.hint, "message": entry.message, "breaks": list(entry.breaks), "equivalent": entry.equivalent}
    return {**told, **{key: value for key, value in rest.items() if value}}
