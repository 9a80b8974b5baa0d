"""One submission or a folder of them? The rules, in order; the first that fits decides.

1. It is a bulk download of Gradescope, Canvas or Moodle (`bulk.py`): one submission for each student in it.
2. The assignment asks for one file, and the folder holds several notebooks, scripts or archives whose names end in
   different student ids (`hw3_<id1>_<id2>.ipynb`): one submission for each.
3. It holds files under the names of the manifest, or source files, directly: one submission.
4. Work (source files, or archives) lies in at most one of the folders inside: one submission, with an extra folder
   around it. A folder that holds a single archive and no other work is that archive.
5. Otherwise every folder and every archive in it is one submission; loose files beside them are ignored.

Rules 2 to 5 look past a lone folder around everything (`class/` in class.zip). A folder inside a folder of submissions
is never split again. `single=True` skips all this: one path, one submission.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from grader.intake.bulk import recognised
from grader.intake.candidates import Candidate
from grader.intake.expected import ExpectedNames
from grader.intake.names import is_archive, is_source, stem, student_ids
from grader.intake.tree import Entry, below, by_top, lone_folder


def split(entries: tuple[Entry, ...], label: str, expected: ExpectedNames, *, nested: bool) -> list[Candidate]:
    """The candidates among the entries. `nested`: they come from an archive, so an archive that lies directly among
    the files of one submission is not opened."""
    bulk = recognised(entries, frozenset(PurePosixPath(name).name for name in expected.names))
    if bulk is not None:
        return bulk
    one = Candidate(label=label, entries=entries, unpack=not nested)
    while lone := lone_folder(entries):
        if any(expected.fit(entry.path) for entry in entries if entry.counts and "/" in entry.path):
            return [one]  # the lone folder is part of the assignment's own layout, such as models/
        entries = below(entries, lone)
    visible = [entry for entry in entries if entry.counts]
    loose = [entry for entry in visible if "/" not in entry.path]
    if _one_file_each(loose, expected):
        return _children(entries, [entry for entry in loose if is_source(entry.path) or is_archive(entry.path)])
    archives = [entry for entry in loose if is_archive(entry.path)]
    if any(is_source(entry.path) for entry in loose) or any(expected.fit(e.path) for e in visible):
        return [one]
    if len(_with_work(visible)) + len(archives) > 1:
        return _children(entries, archives)
    if archives and not _with_work(visible) and not nested:
        return _children(entries, archives)
    return [one]


def _one_file_each(loose: Sequence[Entry], expected: ExpectedNames) -> bool:
    work = [entry.path for entry in loose if is_source(entry.path) or is_archive(entry.path)]
    owners = {student_ids(path) for path in work}
    return sum(file.required for file in expected.files) == 1 and len(owners) > 1 and () not in owners


def _with_work(visible: Sequence[Entry]) -> set[str]:
    """The folders at the top in which there is something to grade."""
    return {entry.top for entry in visible if "/" in entry.path and (is_source(entry.path) or is_archive(entry.path))}


def _children(entries: tuple[Entry, ...], loose: Sequence[Entry]) -> list[Candidate]:
    tops = by_top(entry for entry in entries if "/" in entry.path)
    found = [Candidate(label=folder, entries=below(inside, folder)) for folder, inside in tops.items()]
    found += [Candidate(label=stem(entry.path), entries=(entry,)) for entry in loose]
    found = [candidate for candidate in found if any(entry.left_out != "junk" for entry in candidate.entries)]
    return sorted(found, key=lambda candidate: candidate.label)
