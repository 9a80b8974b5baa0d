"""Bulk downloads of course systems → candidates, by the names and metadata that each system writes.

Gradescope   assignment_<n>_export/ with submission_metadata.yml and submission_<id>/ or submission_<id>.zip
Canvas       flat files  <name>[_LATE]_<user id>_<attachment id>_<original name>
Moodle       folders     <Full Name>_<participant id>_assignsubmission_file_/…   (or flat, with the file's name)
Blackboard   flat files  <assignment>_<user>_attempt_<time>[_<original name>], the one without being its receipt
Brightspace  folders     <user id>-<folder id> - <Full Name> - <time>/…   (or flat, with the file's name)

Each system is a function that gives the candidates, or None where the entries are not its download.
"""

from __future__ import annotations

from collections.abc import Callable

from grader.intake.blackboard import blackboard
from grader.intake.brightspace import brightspace
from grader.intake.candidates import Candidate
from grader.intake.canvas import canvas
from grader.intake.expected import ExpectedNames
from grader.intake.gradescope import gradescope
from grader.intake.moodle import moodle
from grader.intake.tree import Entry, below, lone_folder

System = Callable[[tuple[Entry, ...], ExpectedNames], list[Candidate] | None]

_SYSTEMS: tuple[System, ...] = (gradescope, canvas, moodle, blackboard, brightspace)


def recognised(entries: tuple[Entry, ...], expected: ExpectedNames) -> list[Candidate] | None:
    """The candidates of a bulk download, or None if the entries are none."""
    lone = lone_folder(entries)
    for inside in (entries, below(entries, lone)) if lone else (entries,):
        for system in _SYSTEMS:
            found = system(inside, expected)
            if found is not None:
                return found
    return None
