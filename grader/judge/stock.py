"""Where a run's expected values come from: a recording that fits, or the reference run, which makes one.

A recording that does not fit, or that is damaged, costs a warning and a reference run. Where there is no reference it
is an error; on a machine that computes otherwise each item that leans on it is the grader's error, never a wrong grade.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from grader.assignment.assignment import Assignment
from grader.errors import AuthorError
from grader.judge.calls import Call, Key
from grader.judge.plugin import JudgePlugin
from grader.judge.reference_run import Recorded
from grader.judge.settings import Settings
from grader.judge.sides import Book
from grader.recording import shelf as shelves
from grader.recording.contents import Contents, StoredCall, StoredItem, pack, unpack
from grader.recording.fingerprint import apart, digest_of, fingerprint
from grader.recording.identity import SUBMISSIONS, Identity, Unusable, code_digest, folder_digest
from grader.recording.shelf import MISTAKES, Index, Shelf, read_contents, read_index
from grader.recording.values import case_classes
from grader.suite.cases import Case
from grader.wire.frames import WireError

NO_REFERENCE = (
    "there is no reference solution here, so a disagreement is explained on the smallest recorded case, and trainings "
    "that are held against the reference stay open"
)


class Stock:
    """The recording of one run. `notes` are for whoever runs it; `refusal` is why no item can be judged from it."""

    def __init__(self, settings: Settings, assignment: Assignment, versions: Mapping[str, str]) -> None:
        """Look for one. Raises AuthorError when it is needed and cannot be used."""
        self.reference_here = assignment.reference.is_dir()
        self.notes: list[str] = [] if self.reference_here else [NO_REFERENCE]
        self.refusal = ""
        self.folder: Path | None = None
        self.for_kit = settings.for_kit
        self._given = settings.recording
        self._shelf = None if settings.cache is None else Shelf(settings.cache)
        self._assignment = assignment
        self._here: dict[str, torch.Tensor] = {}
        self._raw: bytearray | None = None
        self.index: Index | None = None
        self.calls: Sequence[StoredCall] = ()
        if self._given is None and self._shelf is None:
            return
        self._here = fingerprint()
        self.identity = Identity(
            slug=assignment.slug,
            seed=settings.seed,
            suite=folder_digest(assignment.suite, SUBMISSIONS),
            reference=folder_digest(assignment.reference) if self.reference_here else "",
            code=code_digest(),
            arithmetic=digest_of(self._here),
            versions=dict(versions),
        )
        self._look()

    def _look(self) -> None:
        folder = self._given
        if folder is None:
            assert self._shelf is not None
            folder = self._shelf.place(self.identity.name)
            try:
                self._shelf.opened()
                if not folder.exists():
                    return
            except OSError as error:
                self.notes.append(f"recordings cannot be kept in {self._shelf.root}: {error.strerror}")
                self._shelf = None
                return
        self.folder = folder
        try:
            self.index = read_index(folder)
            if self._given is not None:
                self._require_fit(self.index.identity)
            elif self.index.identity != self.identity:
                raise Unusable("it was made of something else than its name says")
            self._raw = read_contents(folder, self.index)
            if self._given is None:
                os.utime(folder)  # the ones used last are kept
        except Unusable as error:
            self._give_up(str(error))
        except OSError:
            pass

    def _require_fit(self, theirs: Identity) -> None:
        """Raises Unusable for a recording of something else."""
        ours = self.identity
        for what, mine, other in (
            ("assignment", ours.slug, theirs.slug),
            ("seed", ours.seed, theirs.seed),
            ("grader", ours.versions["grader"], theirs.versions.get("grader", "none")),
        ):
            if mine != other:
                raise Unusable(f"it was made for {what} {other}, this is {mine}")
        if ours.suite != theirs.suite:
            raise Unusable(f"it belongs to another state of the suite than {self._assignment.suite}")
        if self.reference_here and ours.reference != theirs.reference:
            raise Unusable(f"it was made with another reference solution than {self._assignment.reference}")
        others = sorted(name for name in ours.versions if ours.versions[name] != theirs.versions.get(name))
        if others:
            made = ", ".join(f"{name} {theirs.versions.get(name, 'unknown')}" for name in others)
            self.notes.append(f"the recording {self.folder} was made with {made}")

    def _give_up(self, why: str) -> None:
        """Go on without the recording. Raises AuthorError where nothing can take its place."""
        self._raw = None
        if not self.reference_here:
            raise AuthorError(
                f"the recording cannot be used: {why}. There is no reference solution at {self._assignment.reference} "
                "to make another one; get the recording again, or grade where the reference is",
                self.folder,
            )
        self.notes.append(f"the recording {self.folder} is not used: {why}. The reference is run instead")
        self.folder = None

    def covers(self, items: Collection[str]) -> bool:
        """Whether the recording that was found has all of these."""
        return self._raw is not None and self.index is not None and set(items) <= set(self.index.items)

    def contents(self, plugin: JudgePlugin, book: Book) -> tuple[Contents | None, dict[str, Recorded]]:
        """What was found, its calls written into the book, and its items; for after the suite's classes are there."""
        if self._raw is None:
            return None, {}
        try:
            found = unpack(self._raw, case_classes(self._assignment.suite))
            # A kit's values hang on no random stream, and tolerances forgive rounding: it has no fingerprint.
            if found.fingerprint and (different := apart(found.fingerprint, self._here)):
                return self._other_machine(different, found, plugin, book)
            self.calls = found.calls
            return found, _restored(found, plugin, book)
        except WireError as error:
            self._give_up(str(error))
            return None, {}

    def _other_machine(
        self, different: Sequence[str], found: Contents, plugin: JudgePlugin, book: Book
    ) -> tuple[Contents | None, dict[str, Recorded]]:
        why = f"this machine computes otherwise than the one that made it ({', '.join(different)})"
        if self.reference_here:
            self._give_up(why)
            return None, {}
        self.refusal = f"The recording {self.folder} cannot be used here: {why}. Make one on a machine like this one."
        self.notes.append(self.refusal)
        return found, _restored(found, plugin, book)

    def keep(self, contents: Contents) -> None:
        """Put a recording on the shelf, for the next run; not what partly comes from a given one's machine."""
        if self._shelf is None or (self._given is not None and self.folder == self._given):
            return
        items = {item.id: (item.sentence, len(item.cases)) for item in contents.items}
        try:
            self.folder = self._shelf.put(self.identity, items, pack(contents))
            self.index, self.calls = read_index(self.folder), contents.calls
        except (OSError, WireError, Unusable) as error:
            self.folder = None
            self.notes.append(f"the recording was not kept: {error}")

    def fingerprint(self) -> Mapping[str, torch.Tensor]:
        """Of this machine."""
        return self._here

    @property
    def keeps(self) -> bool:
        """Whether what the reference run makes will be kept."""
        return self._shelf is not None

    @property
    def mistakes(self) -> Path | None:
        """Where values of known mistakes are kept."""
        return None if self.folder is None else self.folder / MISTAKES

    def mark(self, chance: Sequence[int]) -> None:
        """Say which calls depend on random streams. Raises OSError."""
        assert self.folder is not None
        assert self.index is not None
        self.index = replace(self.index, chance=list(chance))
        shelves.write_index(self.folder, self.index)


def stored(records: Mapping[str, Recorded], book: Book) -> tuple[list[StoredCall], list[StoredItem]]:
    """The items that the reference ran, and their calls, in the form that is kept."""
    plain = [recorded for recorded in records.values() if recorded.item.training is None]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(key for one in plain for key in one.keys))}
    items = [
        StoredItem(
            id=recorded.item.id,
            routes=recorded.routes,
            sentence=recorded.sentence,
            digest=recorded.digest,
            cases=recorded.cases,
            calls=tuple(numbers[key] for key in recorded.keys),
            account=recorded.account,
        )
        for recorded in plain
    ]
    return [_stored_call(book.calls[key]) for key in numbers], items


def _stored_call(call: Call) -> StoredCall:
    key = call.key
    assert call.answer is not None
    return StoredCall(
        probe=key.probe,
        case=key.case,
        options=key.options,
        seed=key.seed,
        arguments=call.arguments,
        answer=call.answer,
    )


def _restored(contents: Contents, plugin: JudgePlugin, book: Book) -> dict[str, Recorded]:
    """The items by id. Raises WireError for items and calls that are none of this assignment's."""
    keys = [Key(entry.probe, entry.case, entry.options) for entry in contents.calls]
    if any(key.seed != entry.seed for key, entry in zip(keys, contents.calls, strict=True)):
        raise WireError("a call has another seed than its case says")
    known = {item.id: item for item in plugin.assignment.items if item.kind == "automatic" and item.training is None}
    if strangers := [entry.id for entry in contents.items if entry.id not in known]:
        raise WireError(f"the assignment has no item {', '.join(strangers)[:200]}")
    calls = [Call(key, entry.arguments, entry.answer) for key, entry in zip(keys, contents.calls, strict=True)]
    book.calls |= {call.key: call for call in calls}  # nothing of a recording that is refused may stand in the book
    _keep_inputs(contents.items, calls)
    return {
        entry.id: Recorded(
            known[entry.id],
            entry.routes,
            plugin.readings(entry.id),
            entry.sentence,
            list(entry.cases),
            tuple(keys[number] for number in entry.calls),
            entry.digest,
            entry.account,
        )
        for entry in contents.items
    }


def _keep_inputs(items: Sequence[StoredItem], calls: Sequence[Call]) -> None:
    """A test that asks a case for its inputs gets those that were sent, also where random streams are others."""
    sent = {call.key.case: call for call in calls if isinstance(call.key.case, Case)}
    for case in (case for item in items for drawn in item.cases for case in drawn.values()):
        if isinstance(case, Case) and case in sent:
            # The instance's own, because cases are frozen and compared by their fields.
            object.__setattr__(case, "inputs", lambda call=sent[case]: call.inputs_and_options()[0])
