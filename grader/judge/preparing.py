"""What all submissions of a run share is made before the first of them is judged: the reference run and its book."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace

from grader.assignment.assignment import Assignment, Item
from grader.errors import AuthorError
from grader.judge.handed import HandedIn, file_specs, reference_files
from grader.judge.plugin import JudgePlugin
from grader.judge.reference_run import record
from grader.judge.settings import Settings
from grader.judge.sides import Book, ReferenceSide
from grader.judge.source_rules import template_texts
from grader.judge.submissions import Trial
from grader.judge.training_run import Alone
from grader.judge.variants import Variants
from grader.proof.kept import read_kept
from grader.sandbox.missing import torch_modules
from grader.worker.loading import Modules, Probe


def prepare(plugin: JudgePlugin, settings: Settings, probes: Mapping[str, Probe], *, forks: bool) -> Trial:
    """The reference run. `forks`: several judges will share what is made. Raises AuthorError."""
    assignment = plugin.assignment
    files = reference_files(assignment)
    specs = file_specs(assignment, files)
    book = Book()
    modules = Modules(assignment.reference, specs, assignment.globals)
    reference = ReferenceSide(modules, book, probes)
    handed = reference_handed(assignment)
    wanted = [item for item in assignment.items if is_wanted(item, settings, files)]
    imported = set(sys.modules)
    gc.enable()  # off since the start: what is imported is no garbage
    records = record(plugin, wanted, reference, handed, settings.seed, settings.conditions)
    needed = torch_modules(imported)
    # Encoded here, once, and not in every forked judge.
    for recorded in records.values():
        for key in recorded.keys:
            book.calls[key].request(0, False, assignment.limits_of(recorded.item))
    book.keep()
    kept = tuple(entry for entry in read_kept(assignment.suite) if entry.kind == "wrong" and entry.edits)
    variants = Variants(assignment, kept, specs, probes)
    template = template_texts(assignment) if assignment.rules else {}
    trial = Trial(assignment, plugin, records, reference, book, variants, template, settings.seed, needed)
    alone = one_at_a_time() if forks else trial.alone
    return replace(trial, source=settings.source, device=settings.device, gpu=settings.gpu, alone=alone)


def is_wanted(item: Item, settings: Settings, files: Mapping[str, str]) -> bool:
    """Whether this run judges the item. Raises AuthorError when the reference lacks the file that it needs."""
    if item.kind != "automatic" or (item.needs.gpu and settings.device == "cpu"):
        return False
    if item.needs.file is not None and item.needs.file not in files:
        raise AuthorError(f"item {item.id!r} needs {item.needs.file!r}, which the reference does not have")
    return settings.items is None or item.id in settings.items


def one_at_a_time() -> Alone:
    """A lock over all judges of a run: trainings share it, a training that must run alone has it to itself."""
    import fcntl

    shared = os.memfd_create("trainings", os.MFD_CLOEXEC)

    @contextlib.contextmanager
    def hold(alone: bool) -> Iterator[None]:
        # Opened anew: forked judges share one open file, and a lock belongs to the open file.
        with open(f"/proc/self/fd/{shared}", "rb") as file:  # noqa: PTH123 - a path that pathlib would resolve
            fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield

    return hold


def reference_handed(assignment: Assignment) -> HandedIn:
    """The reference's files as a test may read them."""
    expected = {file.id: file.path for file in assignment.files}
    return HandedIn(assignment.reference, reference_files(assignment), expected)
