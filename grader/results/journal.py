"""The journal: one JSON line per fact, one writer, the only source of every result file.

    run          which assignment, which seed, which versions
    submission   what intake found, or why it was refused; a new content digest makes earlier results stale
    result       one item's CheckResult with the digests that say whether it is stale
    violation    one broken rule
    started      everything that was known of a submission is judged anew, but for what it keeps
    finished     all wanted items were judged
    notices      what a run noticed that concerns no submission, such as a group that matches nobody

Later lines win. A line that was cut short by a kill is dropped when the journal is read, and cut off when it is
continued.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, get_args

from grader.errors import GraderError, UsageError
from grader.model import CheckResult, Graded, Refused, Status, Submission, Took, Violation, fields_of
from grader.results.curves import compact
from grader.thresholds import FIGURES, measured

NAME = "journal.jsonl"
# Beside it in a results folder: what was handed in, and the account of the suite's run on the reference.
SUBMISSIONS, SUITE = "submissions", "suite.json"
FORMAT = 1


@dataclass
class Stored:
    """One submission as the journal knows it."""

    digest: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    results: dict[str, CheckResult] = field(default_factory=dict)
    stamps: dict[str, str] = field(default_factory=dict)
    violations: dict[tuple[object, ...], Violation] = field(default_factory=dict)
    finished: bool = False
    protections: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def attempt(self) -> int:
        """Which attempt of its author this is, from 1."""
        number: int = self.facts.get("attempt", 1)
        return number


@dataclass
class Contents:
    """Everything that a journal says."""

    slug: str = ""
    seed: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    shard: dict[str, Any] | None = None
    submissions: dict[str, Stored] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    complete_bytes: int = 0
    words: dict[str, str] | None = field(default_factory=dict, repr=False, compare=False)

    def graded(self) -> list[Graded]:
        """What scoring needs, by key."""
        return [graded_of(key, stored, self) for key, stored in sorted(self.submissions.items())]

    def attempts(self) -> dict[str, list[str]]:
        """The digests of every owner's attempts, in their order."""
        found: dict[str, list[tuple[int, str]]] = {}
        for key, stored in self.submissions.items():
            found.setdefault(stored.facts.get("of") or key, []).append((stored.attempt, stored.digest))
        return {owner: [digest for _, digest in sorted(own)] for owner, own in found.items()}

    def needs_run(
        self,
        key: str,
        digest: str,
        stamps: Mapping[str, str],
        keep: Collection[str] = (),
        dear: Collection[str] = (),
    ) -> tuple[str, ...]:
        """The items (of those stamped) that are missing, stale or were the grader's error.

        A submission that was interrupted starts again, but for what was judged of `dear`: items that take long, and
        that no rule looks at. Results of `keep` stay whatever their stamps say: this run would not make new ones.
        """
        stored = self.submissions.get(key)
        if stored is None or stored.digest != digest:
            return tuple(stamps)
        if not stored.finished:
            judged = {item for item in dear if item in stored.results and is_judged(stored.results[item])}
            fresh = {item for item in judged if item in keep or stored.stamps[item] == stamps.get(item)}
            return tuple(item for item in stamps if item not in fresh)
        broken = {item for item, result in stored.results.items() if result.status == "grader_error"}
        stale = [item for item, stamp in stamps.items() if stored.stamps.get(item) != stamp or item in broken]
        return tuple(item for item in stale if item not in keep or item not in stored.results)


def impossible(stored: Stored, items: Collection[str]) -> str:
    """What no run of ours would have written about a submission; "" when there is nothing of the kind."""
    for name, result in stored.results.items():
        figure = measured(result)
        if name not in items:
            return f"{name} is no item of this assignment"
        if result.status not in get_args(Status) or not 0 <= float(result.credit) <= 1:
            return f"the item {name} has an impossible result"
        if figure is not None and not math.isfinite(float(str(figure["value"]))):
            return f"the item {name} has a figure that is no number"
    return ""


def stamp(item_digest: str, seed: str, versions: Mapping[str, str]) -> str:
    """What a result depends on beside the submission: the test, the seed, the versions."""
    text = json.dumps([item_digest, seed, sorted(versions.items())])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


class Journal:
    """The one writer. Use as a context manager; a second writer on the same folder is refused."""

    def __init__(self, folder: Path, slug: str) -> None:
        self._path = folder / NAME
        self.contents = read(folder)
        if self.contents.slug and self.contents.slug != slug:
            raise UsageError(f"{folder} holds results of {self.contents.slug}, not of {slug}; choose another --out")
        if not self.contents.slug and not self._path.exists() and _is_strange(folder):
            raise UsageError(f"{folder} exists and holds no journal; choose another --out or an empty folder")

    def __enter__(self) -> Journal:
        folder = self._path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise UsageError(f"results cannot be written to {folder}: {error.strerror}; choose another --out") from None
        try:
            alone = lock(self._fd)
        except GraderError:
            os.close(self._fd)
            raise
        if not alone:
            os.close(self._fd)
            raise UsageError(f"another run is writing to {folder}; wait for it, or choose another --out")
        # Another run may have written between our first look and the lock.
        self.contents = read(folder)
        os.ftruncate(self._fd, self.contents.complete_bytes)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.fsync(self._fd)
        os.close(self._fd)

    @property
    def in_place(self) -> bool:
        """Whether what is written still stands under the journal's name: somebody may have deleted the folder."""
        try:
            there, here = self._path.stat(), os.fstat(self._fd)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)

    def notices(self, sentences: Sequence[str]) -> None:
        """What this run noticed; it takes the place of what earlier ones did."""
        if tuple(sentences) != self.contents.notices:
            self._append({"kind": "notices", "sentences": list(sentences)})

    def start_run(
        self, slug: str, seed: str, versions: Mapping[str, str], shard: Mapping[str, object] | None = None
    ) -> None:
        """Begin or continue a run; `shard` says which part of a class it is about."""
        record = {"kind": "run", "format": FORMAT, "slug": slug, "seed": seed, "versions": dict(versions)}
        self._append(record if shard is None else {**record, "shard": dict(shard)})

    def submission(self, found: Submission | Refused) -> None:
        """What intake found. Written only when it is news."""
        facts = _facts(found)
        stored = self.contents.submissions.get(found.key)
        if stored is None or stored.facts != facts or stored.digest != found.digest:
            self._append({"kind": "submission", "key": found.key, "digest": found.digest, "facts": facts})

    def result(self, key: str, result: CheckResult, result_stamp: str) -> None:
        """One item."""
        self._append({"kind": "result", "key": key, "stamp": result_stamp, "result": fields_of(result)})

    def violation(self, key: str, violation: Violation) -> None:
        """One broken rule."""
        self._append({"kind": "violation", "key": key, "violation": fields_of(violation)})

    def started(self, key: str, keep: Collection[str] = ()) -> None:
        """The items of this submission are judged anew: what an earlier run left counts for those of `keep` only."""
        self._append({"kind": "started", "key": key, "keep": sorted(keep)})

    def finished(self, key: str, protections: Mapping[str, str], seconds: float) -> None:
        """The submission is done: it survives a power cut from here on."""
        self._append({"kind": "finished", "key": key, "protections": dict(protections), "seconds": seconds})
        os.fsync(self._fd)

    def adopt(self, key: str, stored: Stored) -> None:
        """Everything that another journal knows of a submission; it survives a power cut from here on."""
        records = _records(key, stored)
        self.take(_text(records))
        for record in records:
            apply(record, self.contents)
        os.fsync(self._fd)

    def _append(self, record: dict[str, Any]) -> None:
        self.take(_text([record]))
        apply(record, self.contents)

    def take(self, text: bytes) -> None:
        """Lines as they are, such as those of another journal; `contents` does not learn of them."""
        if not self.in_place:
            raise GraderError(
                f"{self._path} was deleted or replaced while its submissions were graded, so nothing more can be kept "
                "there. Run the same command again: it begins anew"
            )
        whole = os.fstat(self._fd).st_size
        try:
            # A disk that is nearly full takes a part of the text, and says so only when asked for the rest.
            while text:
                text = text[os.write(self._fd, text) :]
        except OSError as error:
            # Half a line in the middle would hide everything that is written after it.
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, whole)
            raise GraderError(
                f"{self._path}: the journal cannot be written: {error.strerror}. What was finished is kept: make room, "
                "and run the same command again"
            ) from None


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=list).encode


def _text(records: Sequence[dict[str, Any]]) -> bytes:
    return "".join(f"{_encode(record)}\n" for record in records).encode("utf-8", "replace")


def lines_of(key: str, stored: Stored) -> bytes:
    """The lines that say all of a submission."""
    return _text(_records(key, stored))


def _records(key: str, stored: Stored) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = [{"kind": "submission", "digest": stored.digest, "facts": stored.facts}]
    for item, result in stored.results.items():
        records.append({"kind": "result", "stamp": stored.stamps[item], "result": fields_of(result)})
    records += [{"kind": "violation", "violation": fields_of(found)} for found in stored.violations.values()]
    if stored.finished:
        records.append({"kind": "finished", "protections": stored.protections, "seconds": stored.seconds})
    return [{"kind": record.pop("kind"), "key": key, **record} for record in records]


_OURS = frozenset(
    {SUBMISSIONS, "people.csv", "intake.csv", SUITE, "summary.csv", "items.csv", "attention.csv", ".cluster"}
)


def _is_strange(folder: Path) -> bool:
    """Whether the folder holds things, and none that a run writes: of ours the journal may have been deleted."""
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return bool(names) and not names & _OURS


def read(folder: Path) -> Contents:
    """The journal of a results folder; empty when there is none. Raises UsageError when it is not one of ours."""
    contents = Contents()
    path = folder / NAME
    if not path.exists():
        return contents
    for number, (record, end) in enumerate(read_lines(path), start=1):
        if number == 1:
            check_first(record, path)
        apply(record, contents)
        contents.complete_bytes = end
    return contents


def slug_in(folder: Path) -> str:
    """The assignment of a results folder, from its first line; "" for none. Raises UsageError like `read`."""
    path = folder / NAME
    first = next(read_lines(path), None) if path.exists() else None
    if first is None:
        return ""
    check_first(first[0], path)
    return str(first[0]["slug"])


def check_first(record: dict[str, Any], path: Path) -> None:
    """Raises UsageError for what is no first line of a journal of ours."""
    if record.get("kind") != "run" or record.get("format") != FORMAT:
        raise UsageError(f"{path} is not a journal that this version can read")


def read_lines(path: Path, parsed: Callable[[bytes], Any] = json.loads) -> Iterator[tuple[dict[str, Any], int]]:
    """The lines, and where each ends, up to one that was still being written.

    Raises UsageError where a damaged line stands before others: what it said is lost, and may have cost points.
    """
    end = damaged = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                record = parsed(line)
            except ValueError:
                damaged = damaged or number
                continue
            if damaged:
                raise UsageError(
                    f"{path}, line {damaged} is damaged. Restore the file from a copy; without one, delete that line "
                    "and all behind it: the same `grader grade` then judges what they said once more"
                )
            end += len(line)
            yield record, end


def apply(record: dict[str, Any], contents: Contents) -> None:
    """Take a line in: later ones win."""
    kind = record["kind"]
    if kind == "run":
        contents.slug, contents.seed, contents.versions = record["slug"], record["seed"], record["versions"]
        contents.shard = record.get("shard")
        return
    if kind == "notices":
        contents.notices = tuple(record["sentences"])
        return
    stored = contents.submissions.setdefault(record["key"], Stored())
    if kind == "submission":
        if stored.digest != record["digest"]:
            stored = contents.submissions[record["key"]] = Stored(digest=record["digest"])
        stored.facts = record["facts"]
    elif kind == "started":
        kept = record.get("keep", ())
        stored.results = {item: result for item, result in stored.results.items() if item in kept}
        stored.stamps = {item: found for item, found in stored.stamps.items() if item in kept}
        stored.violations.clear()
        stored.finished = False
    elif kind == "result":
        result = result_of(record["result"], contents.words)
        stored.results[result.item] = result
        found = record["stamp"]
        stored.stamps[result.item] = found if contents.words is None else contents.words.setdefault(found, found)
    elif kind == "violation":
        broken = Violation(**{**record["violation"], "parts": tuple(record["violation"]["parts"])})
        place = (broken.rule, broken.evidence, broken.file, broken.line, broken.cell, broken.parts)
        stored.violations.setdefault(place, broken)
    elif kind == "finished":
        stored.finished = True
        stored.protections = record["protections"] or stored.protections
        stored.seconds += record["seconds"]


def result_of(fields: dict[str, Any], words: dict[str, str] | None = None) -> CheckResult:
    """A result; with `words` in little memory: what a class says often is kept once, curves as plain numbers."""
    if words is None:
        fields["notes"], fields["figures"] = tuple(fields["notes"]), fields.get("figures") or {}
        return CheckResult(**fields)
    fields = {name: words.setdefault(value, value) if type(value) is str else value for name, value in fields.items()}
    figures = fields.get("figures") or {}
    if "curve" in (trained := figures.get(FIGURES) or {}):
        figures = {**figures, FIGURES: {**trained, "curve": compact(trained["curve"])}}
    return CheckResult(**{**fields, "notes": tuple(fields["notes"]), "figures": figures})


def is_judged(result: CheckResult) -> bool:
    """Whether the item was looked at, with whatever outcome."""
    return result.status not in ("skipped", "grader_error")


def _facts(found: Submission | Refused) -> dict[str, Any]:
    facts: dict[str, Any] = {"submitted_at": found.submitted_at, "late": found.late}
    if found.attempt > 1:
        facts |= {"of": found.of, "attempt": found.attempt}
    if found.active is not None:
        facts["active"] = found.active
    if isinstance(found, Refused):
        return {"refused": found.reason, **facts}
    return {
        "files": dict(found.files),
        "notes": list(found.notes),
        **facts,
        "track": found.track,
        "attention": list(found.attention),
        "prints": dict(found.prints),
    }


def graded_of(key: str, stored: Stored, contents: Contents, took: Mapping[str, Took] | None = None) -> Graded:
    """What scoring needs of one submission; `took` as in `Graded`."""
    facts = stored.facts
    return Graded(
        key=key,
        digest=stored.digest,
        results=dict(sorted(stored.results.items())),
        violations=tuple(sorted(stored.violations.values(), key=_position)),
        notes=tuple(facts.get("notes", ())),
        files=facts.get("files", {}),
        refused=facts.get("refused", ""),
        submitted_at=facts.get("submitted_at"),
        late=facts.get("late"),
        track=facts.get("track"),
        protections=stored.protections,
        versions=contents.versions,
        seed=contents.seed,
        seconds=stored.seconds,
        of=facts.get("of", ""),
        attempt=stored.attempt,
        active=facts.get("active"),
        attention=tuple(facts.get("attention", ())),
        prints=facts.get("prints", {}),
        finished=stored.finished or bool(facts.get("refused")),
        took=took or {},
    )


def _position(violation: Violation) -> tuple[str, str, str, int, int, str]:
    found = violation
    return found.rule, found.evidence, found.file or "", found.cell or 0, found.line or 0, found.message


def in_use(folder: Path) -> bool:
    """Whether a run is writing to this folder."""
    try:
        with (folder / NAME).open("rb") as file:
            return not lock(file.fileno(), shared=True)  # NFS gives no other lock of a file that is only read
    except (OSError, GraderError):
        return False


def lock(fd: int, *, shared: bool = False) -> bool:
    """Take a file for this process alone, or `shared` with others that do; False when another one has it.

    Raises GraderError where nobody can say: shared file systems may be mounted without locks.
    """
    try:
        import fcntl
    except ImportError:
        return True  # Windows: grading a class there is not supported, and one student's check writes no journal
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise GraderError(
            f"the file system of the results takes no locks ({error.strerror}), so two runs could write to one folder: "
            "have it mounted with locks (Lustre: flock), or choose a folder on another one"
        ) from None
    return True
