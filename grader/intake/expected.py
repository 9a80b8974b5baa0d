"""Which of the files handed in is which file of the manifest.

Nine readings, strictest first; a reading is tried for every file of the manifest before the next one begins, so
that a loose reading never takes a file which a stricter one gives to another:

1. the manifest's path                        6. its base name, in any folder
2. the same path in other letter case         7. a renamed copy (`LSTM (1).py`, `Copy of hw.ipynb`)
3. one of its other names                     8. the only notebook, where one is missing
4. its name with student ids (`hw_id1_id2`)   9. the file that defines most of its classes and functions
5. a pattern of its other names (`*.ipynb`)
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from grader.assignment.assignment import ExpectedFile
from grader.intake.names import is_source, student_ids, without_copy_mark, without_ids

Definitions = Callable[[str], frozenset[str]]


@dataclass(frozen=True, kw_only=True)
class Match:
    """A file that was found, and how, as a phrase for the note ("" for the manifest's own path)."""

    path: str
    how: str = ""


def find_files(expected: Sequence[ExpectedFile], paths: Sequence[str], definitions: Definitions) -> Mapping[str, Match]:
    """File id → the path that was handed in for it. `definitions` tells which names a source file defines."""
    found: dict[str, Match] = {}
    ordered = sorted(paths, key=lambda path: (path.count("/"), path))
    for reading in (_exact, _other_case, _other_name, _with_ids, _pattern, _base_name, _renamed_copy):
        for file in expected:
            if file.id not in found:
                free = [path for path in ordered if path not in {match.path for match in found.values()}]
                match = next(reading(file, free), None)
                found.update({} if match is None else {file.id: match})
    found.update(_only_notebook(expected, ordered, found))
    found.update(_by_definitions(expected, ordered, found, definitions))
    return found


class ExpectedNames:
    """The manifest's files, asked about one name at a time; classes are large, so most questions must cost nothing."""

    def __init__(self, files: Sequence[ExpectedFile]) -> None:
        self.files = tuple(files)
        self.names = frozenset(name for file in files for name in (file.path, *file.other_names))
        self._suffixes = tuple({PurePosixPath(name).suffix.lower() for name in self.names})

    def fit(self, path: str) -> bool:
        """Whether a file at `path` would be taken for a file of the manifest because of its place and name."""
        if not path.lower().endswith(self._suffixes):
            return False
        readings = (_exact, _other_case, _other_name, _with_ids, _pattern)
        if any(next(reading(file, [path]), None) for file in self.files for reading in readings):
            return True
        original, _ = without_copy_mark(PurePosixPath(path).name)
        plain = str(PurePosixPath(path).with_name(original))
        return plain != path and any(next(_exact(file, [plain]), None) for file in self.files)


def _exact(file: ExpectedFile, paths: list[str]) -> Iterator[Match]:
    return (Match(path=path) for path in paths if path == file.path)


def _other_case(file: ExpectedFile, paths: list[str]) -> Iterator[Match]:
    wanted = file.path.casefold()
    return (Match(path=path, how="by its name in other letters") for path in paths if path.casefold() == wanted)


def _other_name(file: ExpectedFile, paths: list[str]) -> Iterator[Match]:
    return (Match(path=path, how="under another known name") for path in paths if path in file.other_names)


def _with_ids(file: ExpectedFile, paths: list[str]) -> Iterator[Match]:
    wanted = {name.casefold() for name in (file.path, *file.other_names)}
    return (
        Match(path=path, how="by its name, which carries student ids")
        for path in paths
        if student_ids(_name(path)) and without_ids(path).casefold() in wanted
    )


def _pattern(file: ExpectedFile, paths: list[str]) -> Iterator[Match]:
    """`*` stops at a folder's end."""
    patterns = [name for name in file.other_names if "*" in name or "?" in name]
    return (
        Match(path=path, how="under another known name")
        for path in paths
        if any(_fits(path.casefold(), pattern.casefold()) for pattern in patterns)
    )


def _fits(path: str, pattern: str) -> bool:
    return path.count("/") == pattern.count("/") and fnmatch.fnmatchcase(path, pattern)


def _base_name(file: ExpectedFile, paths: list[str]) -> Iterator[Match]:
    wanted = {PurePosixPath(name).name.casefold() for name in (file.path, *file.other_names)}
    return (Match(path=path, how="in another folder") for path in paths if _name(path).casefold() in wanted)


def _renamed_copy(file: ExpectedFile, paths: list[str]) -> Iterator[Match]:
    """The highest number is the latest copy."""
    wanted = {PurePosixPath(name).name.casefold() for name in (file.path, *file.other_names)}
    copies = [(without_copy_mark(_name(path)), path) for path in paths]
    fitting = [(number, path) for (original, number), path in copies if original.casefold() in wanted]
    return (Match(path=path, how="as a renamed copy") for _, path in sorted(fitting, key=lambda copy: -copy[0]))


def _only_notebook(
    expected: Sequence[ExpectedFile], paths: list[str], found: Mapping[str, Match]
) -> Mapping[str, Match]:
    missing = [file for file in expected if file.kind == "notebook" and file.id not in found]
    taken = {match.path for match in found.values()}
    free = [path for path in paths if path.lower().endswith(".ipynb") and path not in taken]
    if len(missing) == len(free) == 1:
        return {missing[0].id: Match(path=free[0], how="as the only notebook left")}
    return {}


def _by_definitions(
    expected: Sequence[ExpectedFile], paths: list[str], found: Mapping[str, Match], definitions: Definitions
) -> Mapping[str, Match]:
    """At least half of the names must be there; a file that serves already is taken only if no other has them."""
    more: dict[str, Match] = {}
    for file in expected:
        if file.id in found or not file.defines or file.kind == "data":
            continue
        taken = {match.path for match in (*found.values(), *more.values())}
        suffix = ".ipynb" if file.kind == "notebook" else ".py"
        candidates = [path for path in paths if is_source(path) and path.lower().endswith(suffix)]
        scored = [(len(definitions(path) & set(file.defines)), path not in taken, path) for path in candidates]
        scored = [entry for entry in scored if entry[0] and 2 * entry[0] >= len(file.defines)]
        if scored:
            _, _, path = max(scored, key=lambda entry: (entry[1], entry[0], -paths.index(entry[2])))
            more[file.id] = Match(path=path, how="by what it defines")
    return more


def _name(path: str) -> str:
    return PurePosixPath(path).name
