"""The student template of a whole assignment: made from its reference, written, and compared with what is committed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from grader.assignment.assignment import Assignment, ExpectedFile
from grader.errors import AuthorError
from grader.templates.markers import BEGIN, END, split_lines
from grader.templates.notebook import carried_results, shown_text, strip_notebook, template_notebook
from grader.templates.proofs import leaks, prove
from grader.templates.strip import strip, strip_plain

SAVED_OUTPUTS = ".outputs.json"
_SKIPPED_FOLDERS = frozenset(
    {"__pycache__", ".ipynb_checkpoints", ".git", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
)
_COOKIE = re.compile(r"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.ASCII)


def templates_of(assignment: Assignment) -> dict[str, str]:
    """Relative path → text of every text file of the template folder.

    Python is stripped, notebooks become `.ipynb`, other text is stripped where it has markers and copied where it has
    none. Left out are saved outputs (`*.outputs.json`) and files that are nothing but an answer: a data file that
    students hand in, or an optional Python file, without any marker, and a module that no manifest names and that one
    region holds from end to end. Raises AuthorError.
    """
    result: dict[str, str] = {}
    for name, path in _reference_files(assignment):
        text = _read(path)
        if text is not None and not _is_answer(assignment, name, text):
            made_name, made = _template(assignment, name, text)
            result[made_name] = made
    return result


def data_of(assignment: Assignment) -> dict[str, bytes]:
    """Relative path → content of the reference's binary files (a picture, a vocabulary), copied as they are."""
    files = {name: path.read_bytes() for name, path in _reference_files(assignment) if _read(path) is None}
    handed_in = {file.path for file in assignment.files}
    return {name: content for name, content in files.items() if name not in handed_in}


def solutions_of(assignment: Assignment) -> dict[str, str]:
    """Relative path → text of the reference's Python files; one that is nothing but an answer is all solution."""
    texts = {name: _read(path) for name, path in _reference_files(assignment) if name.endswith(".py")}
    return {
        name: f"{BEGIN}\n{text}\n{END}\n" if BEGIN not in text and _is_answer(assignment, name, text) else text
        for name, text in texts.items()
        if text is not None
    }


def proofs_of(assignment: Assignment) -> list[str]:
    """What `prove` finds in every Python file and notebook of the template; notebooks also carry no outputs."""
    made = templates_of(assignment)
    problems: list[str] = []
    for name, path in _reference_files(assignment):
        text = _read(path) if name.endswith(".py") else None
        notebook = _notebook_of(assignment, name)
        if text is None or (notebook or name) not in made:
            continue
        if notebook is None:
            problems.extend(prove(text, made[name], name))
            continue
        problems.extend(prove(text, strip_notebook(text, name), name))
        problems.extend(leaks(text, shown_text(made[notebook]), notebook))
        problems.extend(f"{notebook}: cell {number} carries outputs" for number in carried_results(made[notebook]))
    return list(dict.fromkeys(problems))


def write(assignment: Assignment) -> list[str]:
    """Make the template folder equal to what the reference yields; return the relative paths that changed.

    Everything is generated before the first file is touched. Files too many are deleted: the folder is generated.
    """
    wanted = contents_of(assignment)
    _require_own_folder(assignment)
    changed = [name for name, content in wanted.items() if not _same(assignment.template / name, content)]
    for name in changed:
        target = assignment.template / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(wanted[name])
    too_many = _too_many(assignment, wanted)
    for name in too_many:
        (assignment.template / name).unlink()
    return sorted([*changed, *too_many])


def stale(assignment: Assignment) -> list[str]:
    """How the committed template folder differs from what the reference yields now; empty if it does not."""
    wanted = contents_of(assignment)
    problems = []
    for name, content in wanted.items():
        committed = assignment.template / name
        if not committed.is_file():
            problems.append(f"{name}: missing")
        elif not _same(committed, content):
            problems.append(f"{name}: differs{_first_difference(committed.read_bytes(), content)}")
    problems.extend(f"{name}: nothing in the reference yields this file" for name in _too_many(assignment, wanted))
    return problems


# --- one file ----------------------------------------------------------------------------------------------------


def _template(assignment: Assignment, name: str, text: str) -> tuple[str, str]:
    notebook = _notebook_of(assignment, name)
    if notebook is not None:
        return notebook, template_notebook(text, name)
    if name.endswith(".py"):
        return name, strip(text, name)
    if name.endswith(".ipynb"):
        message = "reference notebooks are kept as Python in the percent format (`# %%` cells), with the same stem"
        raise AuthorError(message, name)
    return name, strip_plain(text, name) if not name.endswith(".json") else text


def _notebook_of(assignment: Assignment, name: str) -> str | None:
    """The notebook that students get for a percent-format file, if it is one."""
    stem = name.removesuffix(".py")
    paths = (file.path for file in assignment.files if file.kind == "notebook" and stem != name)
    return next((path for path in paths if path == stem + ".ipynb"), None)


def _is_answer(assignment: Assignment, name: str, text: str) -> bool:
    if name.endswith(SAVED_OUTPUTS):
        return True
    expected = _expected(assignment, name)
    if expected is None and name.endswith(".py") and _is_all_solution(text):
        return True
    if expected is None or BEGIN in text or END in text:
        return False
    return expected.kind == "data" or (expected.kind == "python" and not expected.required)


def _is_all_solution(text: str) -> bool:
    """Whether one region holds everything: a module of the student's own, behind a file that the handout names."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    marked = [line for line in lines if BEGIN in line or END in line]
    return len(marked) == 2 and [lines[0], lines[-1]] == marked


def _expected(assignment: Assignment, name: str) -> ExpectedFile | None:
    return next((file for file in assignment.files if file.path == name), None)


# --- folders -----------------------------------------------------------------------------------------------------


def _reference_files(assignment: Assignment) -> list[tuple[str, Path]]:
    if not assignment.reference.is_dir():
        raise AuthorError("this folder is missing; it should hold the reference solution", assignment.reference)
    return _files_below(assignment.reference)


def _files_below(root: Path) -> list[tuple[str, Path]]:
    """(posix path relative to root, path) of every file, sorted; caches and editors' leftovers are passed over."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS]
        for name in names:
            path = Path(folder, name)
            if path.is_symlink():
                raise AuthorError("symbolic links are not supported here; put the file itself in the folder", path)
            if not name.endswith((".pyc", "~", ".swp")) and name != ".DS_Store":
                found.append((path.relative_to(root).as_posix(), path))
    return sorted(found)


def _read(path: Path) -> str | None:
    """The text of a file, its line ends untouched; None if it is binary. Raises AuthorError for a wrong encoding."""
    content = path.read_bytes()
    encoding = _encoding(content) if path.suffix == ".py" else "utf-8"
    try:
        return content.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        if path.suffix == ".py":
            raise AuthorError(f"this is not {encoding} text: {error}", path) from error
        return None


def _encoding(content: bytes) -> str:
    """The encoding that a Python file declares in its first two lines, UTF-8 otherwise."""
    for line in content.split(b"\n")[:2]:
        declared = _COOKIE.match(line.decode("latin-1"))
        if declared:
            return declared.group(1)
    return "utf-8"


def contents_of(assignment: Assignment) -> dict[str, bytes]:
    """Relative path → content of every file of the template folder. Raises AuthorError."""
    texts = {name: _encoded(name, text) for name, text in templates_of(assignment).items()}
    return {**texts, **data_of(assignment)}


def _encoded(name: str, text: str) -> bytes:
    plain = text.encode("utf-8")
    return text.encode(_encoding(plain)) if name.endswith(".py") else plain


def _require_own_folder(assignment: Assignment) -> None:
    """The folder is emptied of what is not generated, so it must not hold anybody's sources."""
    template, sources = assignment.template.resolve(), (assignment.reference.resolve(), assignment.suite.resolve())
    if any(template == source or template in source.parents or source in template.parents for source in sources):
        raise AuthorError("the template folder must be apart from the reference and the suite", assignment.template)


def _too_many(assignment: Assignment, wanted: Mapping[str, bytes]) -> list[str]:
    if not assignment.template.is_dir():
        return []
    return [name for name, _ in _files_below(assignment.template) if name not in wanted]


def _same(path: Path, content: bytes) -> bool:
    """Equal content; a checkout that turned LF into CRLF counts as equal."""
    if not path.is_file():
        return False
    found = path.read_bytes()
    return found == content or found.replace(b"\r\n", b"\n") == content.replace(b"\r\n", b"\n")


def _first_difference(found: bytes, wanted: bytes) -> str:
    lines = zip(split_lines(found.decode("latin-1")), split_lines(wanted.decode("latin-1")), strict=False)
    different = next((number for number, (left, right) in enumerate(lines, 1) if left[0] != right[0]), None)
    return f" from line {different}" if different else " in length"
