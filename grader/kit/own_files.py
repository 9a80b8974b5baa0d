"""Which files beside those that a manifest names the work needs: what they import of the student's own, and its data.

Nothing is run. Where a reading is open (a module on a path that the code sets, a name that it computes) all that may be
meant are needed: a file too many costs nothing, one too few costs the work its points.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

from grader.intake.names import is_source
from grader.rules.files import parse_file, source_file
from grader.rules.imports import imports
from grader.rules.scopes import walk
from grader.worker.finding import PROTECTED, folders_above, joined


def all_files(root: Path) -> list[str]:
    """The files below `root`, as paths relative to it."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def needed_by(start: Collection[str], root: Path) -> list[str]:
    """The files below `root` that those at `start` need, these left out: whatever they import or name in a string, and
    so on; and the data in the folders of what is imported."""
    paths = dict.fromkeys(all_files(root))
    folders = {folder for path in paths for folder in folders_above(path)}
    taken, waiting = set(start), [*start]
    while waiting:
        path = waiting.pop()
        more = set(_named_in(path, root, paths, folders)) - taken if is_source(path) else set()
        taken |= more
        waiting += sorted(more)
    packages = {folder for path in taken.difference(start) if is_source(path) for folder in folders_above(path)[:1]}
    data = {path for path in paths if not is_source(path) and packages.intersection(folders_above(path))}
    return sorted((taken | data).difference(start))


def _named_in(path: str, root: Path, paths: Collection[str], folders: Collection[str]) -> Iterator[str]:
    text = (root / path).read_text(encoding="utf-8", errors="replace")
    parsed = parse_file(source_file("", path, text))
    for imported in imports(walk(parsed)):
        if not imported.module:  # its name is computed
            beside = joined(path.rpartition("/")[0], "")
            yield from (other for other in paths if is_source(other) and other.startswith(beside))
        for module in imported.modules:
            yield from _files_of(module.strip("."), path, paths, folders)
    nodes = (node for unit in parsed.units for node in ast.walk(unit.tree) if isinstance(node, ast.Constant))
    words = {PurePosixPath(node.value).name for node in nodes if isinstance(node.value, str) and "." in node.value}
    yield from (other for other in paths if PurePosixPath(other).name in words)


def _files_of(module: str, importer: str, paths: Collection[str], folders: Collection[str]) -> Iterable[str]:
    """The files of a module and of the packages around it: below the root or beside its importer, else anywhere."""
    parts = module.split(".")
    for folder in ("", *folders_above(importer)):
        if found := _along(parts, folder, paths, folders):
            return found
    if parts[0] in PROTECTED:
        return ()
    return [path for folder in sorted(folders) for path in _along(parts, folder, paths, folders)]


def _along(parts: Iterable[str], folder: str, paths: Collection[str], folders: Collection[str]) -> list[str]:
    found: list[str] = []
    for part in parts:
        folder = joined(folder, part)
        here = [path for path in (f"{folder}/__init__.py", f"{folder}.py") if path in paths][:1]
        found += here
        if folder not in folders or here == [f"{folder}.py"]:
            break
    return found
