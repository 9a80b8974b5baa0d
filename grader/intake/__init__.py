"""Folders, archives and bulk downloads → `Submission` or `Refused`, one for each student or group.

    path ─list─▶ entries ─classify─▶ candidates ─groups─▶ one per student or group ─lay out─▶ workspace/<key>/

Nothing of a submission is executed here, and nothing is written outside the workspace. A submission is complete in a
temporary folder before it appears under its key, and what is wrong with one costs the others nothing.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.errors import SubmissionError, UsageError
from grader.intake.apart import laying_out_apart
from grader.intake.archives import BULK, archive_entries
from grader.intake.candidates import Candidate, with_keys, with_lateness
from grader.intake.classify import split
from grader.intake.expected import ExpectedNames
from grader.intake.fates import Ledger, accounted
from grader.intake.fingerprints import fingerprints, former_prints, given_code
from grader.intake.groups import as_groups, read_groups, same_people_together, unmatched, with_named_ids
from grader.intake.layout import Laid, lay_out
from grader.intake.names import is_archive, masked, stem
from grader.intake.tree import Entry, file_entry, folder_entries, handed_in_as, remove
from grader.model import Fate, Person, Refused, Submission, attempt_key
from grader.text import one_line

__all__ = ["Earlier", "Taken", "take", "take_all"]

NOTE_LIMIT, REASON_LIMIT = 300, 500
MOST_AT_ONCE = 4  # children; what is done about each here keeps no more of them busy
OPENED = "it was opened; what was in it is listed below"


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """What earlier runs into the same results know: who has which key, and the digests of each key's attempts."""

    people: tuple[Person, ...] = ()
    attempts: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Everything that was taken in: submissions, the fate of every file and folder, and sentences for staff.

    `shut_out`: keys of owners whose work was not to be taken in.
    """

    found: tuple[Submission | Refused, ...]
    fates: tuple[Fate, ...]
    notices: tuple[str, ...] = ()
    shut_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Room:
    """Where submissions are laid out, and what is known of earlier ones.

    `reads`: where they are laid out by children, the places that those may read; `at_once`: how many children.
    """

    assignment: Assignment
    expected: ExpectedNames
    workspace: Path
    staging: Path
    attempts: dict[str, list[str]]
    compare: bool
    given: frozenset[str]
    former: Mapping[str, str]
    reads: tuple[Path, ...] | None = None
    at_once: int = 1

    def prints(self, root: Path, files: Mapping[str, str]) -> Mapping[str, str]:
        """Fingerprints of the student's own code, if works are to be compared."""
        return fingerprints(root, files, self.given) if self.compare else {}


def take(
    paths: Sequence[Path],
    assignment: Assignment,
    workspace: Path,
    *,
    groups: Path | None = None,
    single: bool = False,
    apart: bool = False,
) -> list[Submission | Refused]:
    """Take in every submission at `paths`; as `take_all`, for whoever asks for nothing else."""
    return list(take_all(paths, assignment, workspace, groups=groups, single=single, apart=apart).found)


def take_all(
    paths: Sequence[Path],
    assignment: Assignment,
    workspace: Path,
    *,
    groups: Path | None = None,
    single: bool = False,
    submitted_at: str | None = None,
    earlier: Earlier = Earlier(),
    compare: bool = False,
    apart: bool = False,
    choose: Callable[[Sequence[str]], Collection[str]] = list,
    shut_out: Callable[[str, Sequence[Person]], bool] = lambda owner, people: False,
) -> Taken:
    """Take in every submission at `paths` and lay its files out in `workspace/<key>/`.

    `groups` is a CSV of groups (see `groups.py`). With `single` each path is one submission, whatever it looks like:
    for a student's own folder and for Gradescope. `submitted_at` is when they were handed in, where the source does not
    say it. An attempt that `earlier` has with the same content keeps its key;
    another one of the same owner gets a key of its own. `compare`: make fingerprints, by which equal work of different
    people is found; `apart`: on Linux each submission's archives and sources are opened and parsed in an expendable
    child. `choose` gets the keys of all owners and returns those whose attempts are taken; `shut_out` says of a chosen
    one, by key and people, that it is not to be taken all the same. What becomes of the others' files is not told.
    Raises UsageError for a path that does not exist or a groups file that cannot be read.
    """
    known_groups = () if groups is None else read_groups(groups, assignment.tracks)
    _must_exist(paths)
    workspace.mkdir(parents=True, exist_ok=True)
    listed: list[Entry] = []
    with ExitStack() as stack:
        staging = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".taking-", dir=workspace)))
        entries = (entry for path in paths for entry in _listed(path, assignment, workspace, single, stack, listed))
        timed = (replace(entry, submitted_at=entry.submitted_at or submitted_at) for entry in entries)
        found = [with_lateness(with_named_ids(entry), assignment.late) for entry in timed]
        notices = unmatched(groups, known_groups, found) if groups is not None else ()
        found = as_groups(same_people_together(found), known_groups)
        inside = tuple(path.resolve() for path in paths) if apart and sys.platform.startswith("linux") else None
        # Children that read one open archive would move each other's place in it.
        alone = inside is None or any(is_archive(path.name) for path in paths)
        at_once = 1 if alone else min(len(os.sched_getaffinity(0)), MOST_AT_ONCE)
        room = _room(assignment, workspace, staging, earlier, compare, inside, at_once)
        taken: dict[str, Submission | Refused] = {}
        fates: list[Fate] = []
        keyed = list(with_keys(found, assignment.slug, earlier.people))
        chosen = set(choose(list(dict.fromkeys(owner for owner, _ in keyed))))
        out = dict.fromkeys(owner for owner, other in keyed if owner in chosen and shut_out(owner, other.people))
        chosen -= out.keys()
        others = {entry.origin for owner, other in keyed if owner not in chosen for entry in _all_of(other)}
        begun = (
            _begun(owner, candidate, room, staging / str(number))
            for number, (owner, candidate) in enumerate(keyed)
            if owner in chosen
        )
        with closing(_ahead(begun, room.at_once)) as at_work:
            for one in at_work:
                entry, its_fates = _taken(one, room)
                fates += its_fates
                taken.setdefault(entry.key, entry)
        mine = accounted([entry for entry in listed if entry.origin not in others], fates)
        known = [(owner, candidate) for owner, candidate in keyed if owner not in out]
        return Taken(
            found=_people_twice(tuple(taken.values()), known), fates=mine, notices=notices, shut_out=tuple(out)
        )


def _room(
    assignment: Assignment,
    workspace: Path,
    staging: Path,
    earlier: Earlier,
    compare: bool,
    inside: tuple[Path, ...] | None,
    at_once: int,
) -> _Room:
    given = given_code(assignment) if compare else frozenset()
    return _Room(
        assignment,
        ExpectedNames(assignment.files),
        workspace,
        staging,
        {owner: list(digests) for owner, digests in earlier.attempts.items()},
        compare,
        given,
        former_prints(assignment, given) if compare else {},
        inside,
        at_once,
    )


def _must_exist(paths: Sequence[Path]) -> None:
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise UsageError(f"there is nothing at {', '.join(missing)}; give a folder, a .zip, a notebook or a .py file")


def _listed(
    path: Path, assignment: Assignment, workspace: Path, single: bool, stack: ExitStack, listed: list[Entry]
) -> list[Candidate]:
    """The candidates at one path; a path that cannot be listed is one candidate with that problem.

    Every entry that is found goes into `listed`.
    """
    label, name = _label(path), one_line(path.absolute().name or path.resolve().name)
    whole = Entry(
        path=name, size=0, open=lambda: path.open("rb"), origin=name
    )  # what a path stands for that cannot be listed
    try:
        if path.is_dir():
            entries = handed_in_as(folder_entries(path.resolve(), workspace), _label(path))
            listed += entries
            return _one_or_many(entries, label, assignment, single, nested=False)
        if is_archive(path.name):
            file = stack.enter_context(path.open("rb"))
            entries = handed_in_as(archive_entries(file, path.name, BULK, stack), name)
            listed += [*entries, replace(whole, left_out="opened")]
            found = _one_or_many(entries, label, assignment, single, nested=True)
            return [replace(found[0], archive=path.name, around=whole)] if len(found) == 1 else found
        entry = replace(file_entry(path.resolve(), path.name), origin=name)
        listed.append(entry)
        return [Candidate(label=label, entries=(entry,), unpack=False)]
    except SubmissionError as error:
        return [Candidate(label=label, entries=(whole,), problem=str(error))]
    except OSError as error:
        return [Candidate(label=label, entries=(whole,), problem=f"it cannot be read: {error.strerror or error}")]


def _one_or_many(
    entries: tuple[Entry, ...], label: str, assignment: Assignment, single: bool, *, nested: bool
) -> list[Candidate]:
    if single:
        return [Candidate(label=label, entries=entries, unpack=not nested)]
    return split(entries, label, ExpectedNames(assignment.files), nested=nested)


def _label(path: Path) -> str:
    name = path.absolute().name  # the name that was given, also of a link; "." and ".." have none of their own
    name = path.resolve().name if name in ("", ".", "..") else name
    return name if path.is_dir() else stem(name)


@dataclass(frozen=True)
class _Begun:
    """A candidate that is being laid out; `laid` waits for it and raises SubmissionError where that cannot be done."""

    owner: str
    candidate: Candidate
    staged: Path
    ledger: Ledger
    laid: Callable[[], Laid]
    children: ExitStack


def _ahead(begun: Iterable[_Begun], at_once: int) -> Generator[_Begun, None, None]:
    """The same, in order, while `at_once` of them are at work."""
    waiting: deque[_Begun] = deque()
    try:
        for one in begun:
            waiting.append(one)
            if len(waiting) == at_once:
                yield waiting[0]
                waiting.popleft().children.close()
        while waiting:
            yield waiting[0]
            waiting.popleft().children.close()
    finally:
        for one in waiting:
            one.children.close()


def _begun(owner: str, candidate: Candidate, room: _Room, staged: Path) -> _Begun:
    ledger = Ledger()
    if candidate.around is not None:
        ledger.see([candidate.around])
        ledger.say(candidate.around, OPENED)
    children = ExitStack()
    return _Begun(owner, candidate, staged, ledger, _laying_out(candidate, room, staged, ledger, children), children)


def _laying_out(
    candidate: Candidate, room: _Room, staged: Path, ledger: Ledger, children: ExitStack
) -> Callable[[], Laid]:
    def refused() -> Laid:
        ledger.see(candidate.entries)
        raise SubmissionError(candidate.problem)

    def here() -> Laid:
        laid = lay_out(candidate, room.expected, staged, ledger)
        return replace(laid, prints=room.prints(staged, laid.files))

    if candidate.problem:
        return refused
    staged.mkdir()
    staged.chmod(0o755)
    if room.reads is None:
        return here
    return children.enter_context(laying_out_apart(candidate, room.expected, staged, ledger, room.reads, room.prints))


def _taken(begun: _Begun, room: _Room) -> tuple[Submission | Refused, Sequence[Fate]]:
    owner, candidate, ledger = begun.owner, begun.candidate, begun.ledger
    try:
        laid = begun.laid()
    except SubmissionError as error:
        reason = _said(str(error), candidate, REASON_LIMIT)
        refused = _refused(owner, candidate, reason, ledger.seen.values(), room)
        return refused, tuple(ledger.fates(refused.key, reason))
    number = _number(owner, laid.digest, room)
    key = attempt_key(owner, number)
    own = laid.prints
    if same := [file.path for file in room.assignment.files if own.get(file.id, "") == room.former.get(file.id)]:
        ledger.looks.append(f"Its own code in {', '.join(same)} is that of last year's reference.")
    submission = Submission(
        key=key,
        root=_published(begun.staged, room.workspace / key),
        digest=laid.digest,
        files=laid.files,
        notes=tuple(dict.fromkeys(_said(note, candidate, NOTE_LIMIT) for note in ledger.notes)),
        people=candidate.people,
        submitted_at=candidate.submitted_at,
        late=candidate.late,
        track=candidate.track,
        archive=candidate.archive,
        of=owner if number > 1 else "",
        attempt=number,
        active=candidate.active,
        prints=own,
        attention=tuple(dict.fromkeys(_said(look, candidate, NOTE_LIMIT) for look in ledger.looks)),
    )
    return submission, tuple(ledger.fates(key))


def _said(text: str, candidate: Candidate, limit: int) -> str:
    """A sentence that names nobody."""
    return one_line(masked(text, candidate.people), limit)


def _refused(owner: str, candidate: Candidate, reason: str, seen: Iterable[Entry], room: _Room) -> Refused:
    names = sorted(f"{entry.path} {entry.size}" for entry in seen)
    digest = hashlib.sha256("\n".join([reason, *names]).encode("utf-8", "replace")).hexdigest()
    number = _number(owner, digest, room, refused=True)
    return Refused(
        key=attempt_key(owner, number),
        reason=reason,
        people=candidate.people,
        digest=digest,
        submitted_at=candidate.submitted_at,
        late=candidate.late,
        of=owner if number > 1 else "",
        attempt=number,
        active=candidate.active,
    )


def _number(owner: str, digest: str, room: _Room, *, refused: bool = False) -> int:
    """Which attempt of its owner this is, from 1: one that is known already, else the next."""
    digests = room.attempts.setdefault(owner, [])
    if refused and "" in digests:  # of version 0.1, which kept no digest of what it refused
        digests[digests.index("")] = digest
    if digest not in digests:
        digests.append(digest)
    return digests.index(digest) + 1


def _all_of(candidate: Candidate) -> tuple[Entry, ...]:
    return candidate.entries if candidate.around is None else (*candidate.entries, candidate.around)


def _people_twice(
    found: Sequence[Submission | Refused], keyed: Iterable[tuple[str, Candidate]]
) -> tuple[Submission | Refused, ...]:
    """Each submission, with a sentence for staff where one of its people stands on another one of all too."""
    owners: dict[str, set[str]] = {}
    for owner, candidate in keyed:
        for person in candidate.people:
            if person.person_id:
                owners.setdefault(person.person_id, set()).add(owner)
    result: list[Submission | Refused] = []
    for entry in found:
        others = sorted({key for person in entry.people for key in owners.get(person.person_id, ())} - {entry.owner})
        if others and isinstance(entry, Submission):
            look = f"One of its people stands on another submission as well: {', '.join(others[:4])}."
            entry = replace(entry, attention=(*entry.attention, look))
        result.append(entry)
    return tuple(result)


def _published(staged: Path, target: Path) -> Path:
    """Give the finished folder its name; an older one of that name goes first, and only then."""
    if target.is_symlink() or target.is_file():
        target.unlink()
    elif target.exists():
        replaced = staged.with_name(f"{staged.name}-replaced")
        target.rename(replaced)
        remove(replaced)
    staged.rename(target)
    return target
