"""What all submissions of a run share, made before the first of them is judged: the reference run, or its recording."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from grader.assignment.assignment import Assignment, Item
from grader.errors import AuthorError
from grader.judge.account import account
from grader.judge.handed import HandedIn, file_specs, reference_files, reference_handed
from grader.judge.plugin import JudgePlugin
from grader.judge.reference_run import Recorded, record
from grader.judge.settings import Settings
from grader.judge.sides import Book, ReferenceSide
from grader.judge.source_rules import template_texts
from grader.judge.stock import Stock, stored
from grader.judge.submissions import Trial
from grader.judge.training_run import Alone
from grader.judge.variants import MistakenSides, Variants, mistakes_of
from grader.proof.kept import Kept, read_kept
from grader.recording.contents import Contents
from grader.recording.identity import SUBMISSIONS, files_below
from grader.recording.mistakes import KnownValues
from grader.sandbox.missing import torch_modules
from grader.worker.loading import Modules, Probe


def wanted_items(assignment: Assignment, settings: Settings) -> list[Item]:
    """The items that this run judges, on the device that it has."""
    return [
        item
        for item in assignment.items
        if item.kind == "automatic"
        and (settings.device != "cpu" or not item.needs.gpu)
        and (settings.items is None or item.id in settings.items)
    ]


def prepare(
    plugin: JudgePlugin, settings: Settings, probes: Mapping[str, Probe], stock: Stock, *, forks: bool
) -> Trial:
    """The reference run, of what no recording holds. `forks`: several judges will share what is made.

    Raises AuthorError.
    """
    assignment = plugin.assignment
    files = reference_files(assignment)
    specs = file_specs(assignment, files)
    book = Book()
    modules = Modules(assignment.reference, specs, assignment.globals) if stock.reference_here else None
    reference = ReferenceSide(modules, book, probes)
    kept = read_kept(assignment.suite)
    found, records = stock.contents(plugin, book)
    wanted = wanted_items(assignment, settings)
    missing = [item for item in wanted if item.id not in records]
    _require_possible(missing, files, stock)
    imported = set(sys.modules)
    gc.enable()  # off since the start: what is imported is no garbage
    made = record(
        plugin,
        missing,
        reference,
        reference_handed(assignment),
        settings.seed,
        settings.conditions,
        for_kit=settings.for_kit,
    )
    contents = _contents(plugin, {**records, **made}, book, found, torch_modules(imported), kept, stock)
    if any(item.training is None for item in missing) or (found is not None and contents.mistakes != found.mistakes):
        stock.keep(contents)
    book.keep()
    records = {item.id: {**records, **made}[item.id] for item in wanted}
    _write_account(settings, contents, records)
    sides = MistakenSides(assignment, kept, specs, probes) if stock.reference_here else None
    trial = Trial(
        assignment=assignment,
        plugin=plugin,
        records=records,
        reference=reference,
        book=book,
        variants=Variants(contents.mistakes, sides, KnownValues(stock.mistakes)),
        template=contents.template,
        seed=settings.seed,
        preload=contents.preload,
        refusal=stock.refusal,
        hidden_anywhere=settings.hidden_anywhere,
    )
    alone = one_at_a_time() if forks else trial.alone
    return replace(trial, source=settings.source, device=settings.device, gpu=settings.gpu, alone=alone)


def _contents(
    plugin: JudgePlugin,
    records: Mapping[str, Recorded],
    book: Book,
    found: Contents | None,
    preload: Sequence[str],
    kept: Sequence[Kept],
    stock: Stock,
) -> Contents:
    """Everything that is known now: what was found, and what the reference run has added."""
    run = plugin.account_of_the_run()
    calls, items = stored(records, book)
    mistakes = mistakes_of(kept, plugin.assignment) if found is None or stock.reference_here else found.mistakes
    if found is not None:
        needed = tuple(sorted({*preload, *found.preload}))
        known = replace(found, preload=needed, account=run or found.account, mistakes=mistakes)
        return replace(known, calls=calls, items=items)
    assignment = plugin.assignment
    return Contents(
        fingerprint={} if stock.for_kit else stock.fingerprint(),
        preload=tuple(preload),
        template=template_texts(assignment) if assignment.rules else {},
        account=run,
        mistakes=mistakes,
        suite=files_below(assignment.suite, {SUBMISSIONS}) if stock.keeps and not stock.for_kit else {},
        calls=calls,
        items=items,
    )


def _require_possible(missing: Sequence[Item], files: Mapping[str, str], stock: Stock) -> None:
    """Raises AuthorError for items whose values nobody can compute."""
    if stock.reference_here:
        for item in missing:
            if item.needs.file is not None and item.needs.file not in files:
                raise AuthorError(f"item {item.id!r} needs {item.needs.file!r}, which the reference does not have")
    elif lost := [item.id for item in missing if item.training is None]:
        raise AuthorError(
            f"the recording holds nothing of {', '.join(lost)}, and there is no reference solution to run. Make it "
            "with all items (without --only)",
            stock.folder,
        )


def _write_account(settings: Settings, contents: Contents, records: Mapping[str, Recorded]) -> None:
    if settings.suite_report is not None and contents.account:
        tests = [recorded.account for recorded in records.values()]
        with contextlib.suppress(OSError):  # it is there for people; a full disk is told by the journal
            settings.suite_report.write_text(account(contents.account, tests), encoding="utf-8")


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


def template_handed(assignment: Assignment, template: Path) -> HandedIn:
    """The files of one who hands in the untouched template."""
    expected = {file.id: file.path for file in assignment.files}
    present = {name: path for name, path in expected.items() if (template / path).is_file()}
    return HandedIn(template, present, expected)
