"""Which of the files handed in is which file of the manifest.

Ten readings, strictest first; a reading is tried for every file of the manifest before the next one begins, so
that a loose reading never takes a file which a stricter one gives to another:

1. the manifest's path                        6. its base name, in any folder
2. the same path in other letter case         7. a renamed copy (`LSTM (1).py`, `Copy of hw.ipynb`)
3. one of its other names                     8. its name as a notebook where a module is asked for, and the reverse
4. its name with student ids (`hw_id1_id2`)   9. the only notebook, where one is missing
5. a pattern of its other names (`*.ipynb`)   10. the file that defines most of its classes and functions

Where a reading fits several files, and wherever the file that was found is an empty template, the most complete counts:
the one that fills in most of what the manifest says it defines, among equals the newest.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from grader.assignment.assignment import ExpectedFile
from grader.intake.names import is_source, student_ids, without_copy_mark, without_ids
from grader.intake.sources import Definitions

Ages = Mapping[str, float]  # path → time of change, where it is known

_SAME_AGE = 60.0  # seconds: copying and unpacking shift times by less


@dataclass(frozen=True, kw_only=True)
class Match:
    """A file that was found, and how, as a phrase for the note ("" for the manifest's own path).

    `rivals` are the other files that could have been taken.
    """

    path: str
    how: str = ""
    rivals: tuple[str, ...] = ()


def find_files(
    expected: Sequence[ExpectedFile], paths: Sequence[str], definitions: Definitions, ages: Ages | None = None
) -> Mapping[str, Match]:
    """File id → the path that was handed in for it."""
    found: dict[str, Match] = {}
    ordered = sorted(paths, key=lambda path: (path.count("/"), path))
    judge = _Completeness(definitions, ages or {})
    for reading in _READINGS:
        for file in expected:
            if file.id not in found:
                free = [path for path in ordered if path not in {match.path for match in found.values()}]
                match = judge.best(file, list(reading(file, free)))
                found.update({} if match is None else {file.id: match})
    found.update(_only_notebook(expected, ordered, found))
    for file in expected:
        judge.replace_unfilled(file, ordered, found)
    found.update(_by_definitions(expected, ordered, found, judge))
    return found


class _Completeness:
    """Says which of several files is the most complete."""

    def __init__(self, definitions: Definitions, ages: Ages) -> None:
        self.definitions = definitions
        self._ages = ages

    def filled(self, file: ExpectedFile, path: str) -> int:
        """How many of the names that the manifest lists are written there."""
        return sum(self.definitions(path).get(name, False) for name in file.defines) if is_source(path) else 0

    def best(self, file: ExpectedFile, matches: Sequence[Match]) -> Match | None:
        """The most complete; among equals the newest; else the first."""
        if len(matches) < 2:
            return matches[0] if matches else None
        chosen = matches[0]
        for match in matches[1:]:
            more = self.filled(file, match.path) - self.filled(file, chosen.path)
            if more > 0 or (more == 0 and self._newer(match.path, chosen.path)):
                chosen = match
        others = tuple(dict.fromkeys(match.path for match in matches if match.path != chosen.path))
        return Match(path=chosen.path, how=chosen.how, rivals=others)

    def _newer(self, path: str, than: str) -> bool:
        known = path in self._ages and than in self._ages
        return known and self._ages[path] > self._ages[than] + _SAME_AGE

    def replace_unfilled(self, file: ExpectedFile, paths: Sequence[str], found: dict[str, Match]) -> None:
        """A file in the right place that holds nothing gives way to a copy or another form of it that holds work, or to
        whatever file does: a template's module beside the notebook in which its classes were written. One that passes
        on what others define (`from own.code import table`) stays."""
        match = found.get(file.id)
        if match is None or not file.defines or not is_source(match.path) or self.filled(file, match.path):
            return
        if self.definitions.passed_on(match.path, file.defines, [path for path in paths if path != match.path]):
            return
        free = [path for path in paths if path not in {other.path for other in found.values()}]
        near = [other for reading in _READINGS[5:] for other in reading(file, free) if self.filled(file, other.path)]
        better = self.best(file, near) or self._elsewhere(file, paths)
        if better is not None:
            how = f"{better.how}, since {match.path} is not filled in"
            found[file.id] = Match(path=better.path, how=how, rivals=(match.path, *better.rivals))

    def _elsewhere(self, file: ExpectedFile, paths: Sequence[str]) -> Match | None:
        if file.kind == "notebook":
            return None  # one that only imports what stands in a module is not empty
        there = [(self.filled(file, path), -number, path) for number, path in enumerate(paths)]
        count, _, path = max(there)
        return Match(path=path, how="by what it defines") if 2 * count >= len(file.defines) else None


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


def _other_kind(file: ExpectedFile, paths: list[str]) -> Iterator[Match]:
    """A notebook in the place of a module, or a module (an export, say) in the place of a notebook."""
    if file.kind == "data":
        return
    suffix, how = (".py", "as a Python file") if file.kind == "notebook" else (".ipynb", "as a notebook")
    wanted = {PurePosixPath(name).stem.casefold() for name in (file.path, *file.other_names)}
    for path in paths:
        original = PurePosixPath(without_copy_mark(without_ids(_name(path)))[0])
        if original.suffix.lower() == suffix and original.stem.casefold() in wanted:
            yield Match(path=path, how=how)


_READINGS = (
    _exact, _other_case, _other_name, _with_ids, _pattern, _base_name, _renamed_copy, _other_kind
)  # fmt: skip


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
    expected: Sequence[ExpectedFile], paths: list[str], found: Mapping[str, Match], judge: _Completeness
) -> Mapping[str, Match]:
    """At least half of the names must be there. Of several files the most complete counts, modules and notebooks alike;
    among equals one that does not serve already, then the kind that was asked for. A module that was asked for by its
    own name is no notebook besides."""
    more: dict[str, Match] = {}
    modules = {match.path for match in found.values() if not match.how and not match.path.lower().endswith(".ipynb")}
    for file in expected:
        if file.id in found or not file.defines or file.kind == "data":
            continue
        taken = {match.path for match in (*found.values(), *more.values())}
        suffix = ".ipynb" if file.kind == "notebook" else ".py"
        scored = []
        for path in filter(is_source, paths):
            if file.kind == "notebook" and path in modules:
                continue
            there = len(judge.definitions(path).keys() & set(file.defines))
            if there and 2 * there >= len(file.defines):
                rank = (judge.filled(file, path), path not in taken, there, path.lower().endswith(suffix))
                scored.append((*rank, -paths.index(path), path))
        if scored:
            *_, path = max(scored)
            rivals = tuple(entry[-1] for entry in scored if entry[-1] != path and entry[1])
            more[file.id] = Match(path=path, how="by what it defines", rivals=rivals)
    return more


def _name(path: str) -> str:
    return PurePosixPath(path).name
