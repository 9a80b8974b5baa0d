"""A candidate that is laid out in an expendable child, with the same outcome as if that had been done here.

Archives, notebooks and sources are opened and parsed there; what comes back is text and is checked like a stranger's,
and so is what lies in the folder then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any

from grader.errors import SubmissionError
from grader.intake.candidates import Candidate
from grader.intake.expected import ExpectedNames
from grader.intake.fates import Ledger
from grader.intake.layout import Laid, lay_out
from grader.intake.tree import Entry
from grader.sandbox.expendable import Child, View

TOO_MUCH = (
    "reading it took too long or too much memory, which no honest submission does. Pack the requested files again"
)
Prints = Callable[[Path, Mapping[str, str]], Mapping[str, str]]


@contextmanager
def laying_out_apart(
    candidate: Candidate, expected: ExpectedNames, target: Path, ledger: Ledger, reads: Sequence[Path], prints: Prints
) -> Iterator[Callable[[], Laid]]:
    """Begins what `lay_out` does; the call that it gives waits for the end. `prints` are made there as well.

    `reads`: where the candidate's files may lie.
    """

    def work() -> bytes:
        try:
            laid = lay_out(candidate, expected, target, ledger)
            outcome: dict[str, object] = {"laid": asdict(replace(laid, prints=prints(target, laid.files)))}
        except SubmissionError as error:
            outcome = {"refused": str(error)}
        return json.dumps({**outcome, "ledger": _as_tree(ledger)}).encode()

    with Child(work, View(reads=reads, writes=(target,))) as child:
        yield lambda: _checked(child.told(), expected, target, ledger)


def _checked(said: bytes, expected: ExpectedNames, target: Path, ledger: Ledger) -> Laid:
    if not said:
        raise SubmissionError(TOO_MUCH)
    told = json.loads(said)
    _take_over(ledger, told["ledger"])
    if "refused" in told:
        raise SubmissionError(str(told["refused"]))
    _require_plain(target)
    known = {file.id for file in expected.files}
    files = {str(name): str(path) for name, path in told["laid"]["files"].items()}
    if not files.keys() <= known or not all(_lies_in(target, path) for path in files.values()):
        raise SubmissionError(TOO_MUCH)
    own = {str(name): str(print_) for name, print_ in told["laid"]["prints"].items()}
    return Laid(files=files, digest=str(told["laid"]["digest"]), prints=own)


def _require_plain(target: Path) -> None:
    """Raises SubmissionError where there is more below a folder than files and folders."""
    for path in target.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise SubmissionError(TOO_MUCH)


def _lies_in(target: Path, path: str) -> bool:
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts and (target / path).is_file()


def _as_tree(ledger: Ledger) -> dict[str, Any]:
    seen = [{**vars(replace(entry, open=_gone)), "open": None} for entry in ledger.seen.values()]
    return {**vars(ledger), "seen": seen, "_aside": sorted(ledger._aside)}


def _take_over(ledger: Ledger, tree: Mapping[str, Any]) -> None:
    ledger.notes[:] = map(str, tree["notes"])
    ledger.looks[:] = map(str, tree["looks"])
    ledger.seen = {entry["origin"]: Entry(**{**entry, "open": _gone}) for entry in tree["seen"]}
    ledger.words = dict(tree["words"])
    ledger._left, ledger._aside = dict(tree["_left"]), set(tree["_aside"])


def _gone() -> IO[bytes]:
    raise OSError("it was laid out already")
