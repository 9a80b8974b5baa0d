"""One submission or a folder of them? The rules, in order; the first that fits decides.

1. It is a bulk download that a course system wrote (`bulk.py`): one submission for each student or group in it.
2. The assignment asks for one file, and the folder holds several notebooks, scripts or archives whose names end in
   different student ids (`hw3_<id1>_<id2>.ipynb`): one submission for each set of ids, copies and reports included.
3. Its files are those of several people, told apart by something before the expected names (`bob_lstm.py`,
   `eve_lstm.py`), in a form that is not known: it is refused, since a guess would give work to the wrong person.
4. It holds files under the names of the manifest, or source files, directly: one submission.
5. Submissions seem to stand side by side in it: at least two among its archives (of any kind, unfinished downloads
   included), the folders in which something can be graded, links, and empty folders. Each is one submission, and
   whatever else lies beside them has a row as well, refused with a reason.
6. Otherwise it is one submission, with an extra folder around it. A folder that holds a single archive and no other
   work is that archive.

Rules 2 to 6 look past a lone folder around everything (`class/` in class.zip). A folder inside a folder of submissions
is never split again. `single=True` skips all this: one path, one submission.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from grader.intake.bulk import recognised
from grader.intake.candidates import Candidate
from grader.intake.expected import ExpectedNames
from grader.intake.names import (
    WORK_FOLDERS,
    is_archive,
    is_class_file,
    is_foreign_archive,
    is_packed,
    is_part_download,
    is_source,
    stem,
    student_ids,
    without_copy_mark,
    without_version,
)
from grader.intake.tree import Entry, below, by_top, lone_folder

_NUMBERED = re.compile(r"(?P<plain>.+?) ?\((?P<number>\d{1,3})\)")
_NOT_WORK = "a submission is a folder, a .zip, a notebook or a .py file. Ask its author for one"


def split(entries: tuple[Entry, ...], label: str, expected: ExpectedNames, *, nested: bool) -> list[Candidate]:
    """The candidates among the entries. `nested`: they come from an archive, so an archive that lies directly among
    the files of one submission is not opened."""
    bulk = recognised(entries, expected)
    if bulk is not None:
        return bulk
    one = Candidate(label=label, entries=entries, unpack=not nested)
    while lone := lone_folder(entries):
        if any(expected.fit(entry.path) for entry in entries if entry.counts and "/" in entry.path):
            return [one]  # the lone folder is part of the assignment's own layout, such as models/
        if len(_side_by_side(entries, expected)) > 1:
            break
        entries = below(entries, lone)
    visible = [entry for entry in entries if entry.counts]
    loose = [entry for entry in visible if "/" not in entry.path]
    if _one_file_each(loose, expected):
        return _by_ids(entries)
    strangers = _unknown_owners(loose, expected)
    if strangers:
        return [Candidate(label=label, entries=entries, problem=strangers)]
    if any(is_source(entry.path) for entry in loose) or any(expected.fit(e.path) for e in visible):
        return [one]
    side_by_side = _side_by_side(entries, expected)
    lone_archive = len(side_by_side) == 1 and is_archive(min(side_by_side)) and not nested
    if len(side_by_side) > 1 or (lone_archive and not _with_work(visible)):
        return _children(entries)
    if not _with_work(visible) and len({entry.top for entry in visible if "/" in entry.path} - WORK_FOLDERS) > 1:
        return _children(entries)  # nobody handed in anything that can be graded: each is to be told so
    return [one]


def _side_by_side(entries: Sequence[Entry], expected: ExpectedNames) -> set[str]:
    """What could be submissions beside each other: folders (also links in their place) and everything packed."""
    found: set[str] = set()
    own = {name.split("/", 1)[0].casefold() for name in expected.names if "/" in name} | WORK_FOLDERS
    for top, inside in by_top(entries).items():
        if inside[0].path == top:
            link = inside[0].left_out == "link" and PurePosixPath(top).suffix == ""
            if link or (inside[0].counts and is_packed(top)):
                found.add(top)
        elif _with_work(inside) or (top.casefold() not in own and any(e.left_out in ("empty", "link") for e in inside)):
            found.add(top)
    people = {top for top in found if top.casefold() not in own}
    versions = {without_version(stem(top) if is_packed(top) else top) for top in people}
    return found if len(versions) == len(people) or len(versions) > 1 else set()


def _one_file_each(loose: Sequence[Entry], expected: ExpectedNames) -> bool:
    work = [entry.path for entry in loose if is_source(entry.path) or is_archive(entry.path)]
    owners = {student_ids(path) for path in work}
    return sum(file.required for file in expected.files) == 1 and len(owners - {()}) > 1


def _by_ids(entries: tuple[Entry, ...]) -> list[Candidate]:
    """One candidate for each set of ids, with all files that bear it; what bears none has a row of its own."""
    owned: dict[frozenset[str], list[Entry]] = {}
    others: list[Entry] = []
    for top, inside in by_top(entries).items():
        ids = frozenset(student_ids(top))
        if ids and any(entry.left_out != "junk" for entry in inside):
            owned.setdefault(ids, []).extend(inside)
        else:
            others += inside
    found = []
    for inside_all in owned.values():
        first = min((entry.path for entry in inside_all), key=lambda path: (not is_source(path), path))
        label = stem(without_copy_mark(first.split("/", 1)[0])[0])
        found.append(Candidate(label=label, entries=tuple(inside_all)))
    return sorted([*found, *_children(tuple(others))], key=lambda candidate: candidate.label)


def _unknown_owners(loose: Sequence[Entry], expected: ExpectedNames) -> str:
    """Why loose files seem to be those of several people, or "".

    They carry one name behind beginnings of their own, and no file bears a name of the manifest as it is. The name is
    the manifest's, or, where one file is asked for, any.
    """
    names = {PurePosixPath(name).name.casefold() for name in expected.names if "*" not in name and "?" not in name}
    paths = [entry.path.casefold() for entry in loose if is_source(entry.path) or is_packed(entry.path)]
    if names & set(paths):
        return ""
    owners: dict[str, set[str]] = {}
    for path in paths:
        for found in re.finditer(r"(?<=[a-z0-9])[ _-]+", path):
            owners.setdefault(path[found.end() :], set()).add(without_version(path[: found.start()]))
    alone = sum(file.required for file in expected.files) == 1
    dumped = [tail for tail, heads in owners.items() if len(heads - {""}) > 1 and (alone or tail in names)]
    if not dumped:
        return ""
    tail = max(dumped, key=lambda name: (len(owners[name]), len(name)))
    return (
        f"it holds files of {len(owners[tail])} beginnings that all end in {tail!r}, so it seems to be the download of "
        "several people in a form that is not known here. Put the files of each of them into a folder of their own"
    )


def _with_work(visible: Sequence[Entry]) -> bool:
    """Whether there is something to grade in a folder at the top."""
    return any(
        entry.counts and "/" in entry.path and (is_source(entry.path) or is_archive(entry.path)) for entry in visible
    )


def _children(entries: tuple[Entry, ...]) -> list[Candidate]:
    """One candidate for each folder and file at the top, but for junk; copies of one name are attempts of one owner."""
    found: list[tuple[str, int, Candidate]] = []
    for top, inside in by_top(entries).items():
        loose = inside[0].path == top
        if all(entry.left_out == "junk" for entry in inside) or (loose and is_class_file(top)):
            continue
        if loose:
            candidate = Candidate(label=stem(top), entries=inside, problem=_why_none(inside[0]))
        else:
            candidate = Candidate(label=top, entries=below(inside, top))
        found.append((*_numbered(candidate.label), candidate))
    plain = [label for label, _, _ in found]
    return [
        replace(candidate, label=label, together=f"copies of {label}") if plain.count(label) > 1 else candidate
        for label, _, candidate in sorted(found, key=lambda entry: (entry[0], entry[1], entry[2].label))
    ]


def _numbered(label: str) -> tuple[str, int]:
    """`ada (2)` → (`ada`, 2): a second download of the same name."""
    found = _NUMBERED.fullmatch(label)
    return (found["plain"], int(found["number"])) if found else (label, 0)


def _why_none(entry: Entry) -> str:
    """Why a loose file among submissions is none; "" where it is one."""
    name = entry.path
    if entry.left_out == "link":
        return "it is a link, and links are not followed. Copy what it leads to into its place"
    if entry.left_out:
        return f"it is no ordinary file; {_NOT_WORK}"
    if is_part_download(name):
        return "it is a download that was not finished. Download it again"
    if is_foreign_archive(name):
        return "it is an archive of a kind that is not opened here. Unpack it and pack the files as an ordinary .zip"
    if is_archive(name) or is_source(name):
        return ""
    return f"it is a loose {PurePosixPath(name).suffix or 'file'} among the submissions; {_NOT_WORK}"
