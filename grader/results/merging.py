"""Several runs of one assignment → one journal: the trainings of a GPU server beside everything else from a laptop.

Of two results for one item the one that judged something counts before a grader error, and that before a skipped one;
between equals the run that is named last. Results of different files under one key are never mixed: they are attempts
of one author, and each is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grader.errors import UsageError
from grader.model import CheckResult, attempt_key
from grader.results.index import Entry, Index
from grader.results.journal import Journal, Stored, lines_of, slug_in
from grader.results.sharding import require_whole


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What went into the new folder, and what to know of it.

    `origins`: the key of each submission, with every folder that has it and its key there.
    """

    slug: str
    submissions: int
    warnings: tuple[str, ...]
    origins: tuple[tuple[str, Path, str], ...]


@dataclass(frozen=True)
class _Part:
    """One submission as one run knows it; `facts` are those that it has among all attempts of its author."""

    folder: Path
    run: Index
    key: str
    facts: dict[str, Any]

    @property
    def known(self) -> Entry:
        return self.run.submissions[self.key]


def merge(folders: Sequence[Path], out: Path) -> Merged:
    """Write a journal below `out` that combines those of `folders`.

    Raises UsageError when a folder holds no journal, when the assignments differ, when shards are missing, doubled or
    half done, or when `out` holds results already.
    """
    runs = [Index(folder) for folder in folders]
    for folder, run in zip(folders, runs, strict=True):
        if not run.head.slug:
            raise UsageError(f"{folder} holds no journal; give folders that `grader grade` wrote")
    slugs = sorted({run.head.slug for run in runs})
    if len(slugs) != 1:
        raise UsageError(f"these are results of different assignments: {', '.join(slugs)}")
    require_whole(folders, runs)
    if slug_in(out):
        raise UsageError(f"{out} holds results already; choose another --out")
    attempts = _attempts(folders, runs)
    with Journal(out, slugs[0]) as journal:
        journal.start_run(slugs[0], runs[0].head.seed, runs[0].head.versions)
        journal.notices(tuple(dict.fromkeys(notice for run in runs for notice in run.head.notices)))
        for key, parts in sorted(attempts.items()):
            journal.take(_combined(key, parts))
    return Merged(
        slug=slugs[0],
        submissions=len(attempts),
        warnings=(*_seed_warnings(folders, runs), *_version_warnings(folders, runs), *_renamed(attempts)),
        origins=tuple((key, part.folder, part.key) for key, parts in attempts.items() for part in parts),
    )


def _seed_warnings(folders: Sequence[Path], runs: Sequence[Index]) -> list[str]:
    others = [str(folder) for folder, run in zip(folders, runs, strict=True) if run.head.seed != runs[0].head.seed]
    if not others:
        return []
    return [f"{', '.join(others)}: another seed than {folders[0]}; replay its items from there."]


def _version_warnings(folders: Sequence[Path], runs: Sequence[Index]) -> list[str]:
    return [
        f"{folder}: other versions ({', '.join(changed)}) than in {folders[0]}; the reports name those."
        for folder, run in zip(folders, runs, strict=True)
        if (changed := sorted(k for k in run.head.versions if run.head.versions[k] != runs[0].head.versions.get(k)))
    ]


def _attempts(folders: Sequence[Path], runs: Sequence[Index]) -> dict[str, list[_Part]]:
    """Every attempt of every author under its key, numbered in the order of folders and of attempts within one."""
    authors: dict[str, dict[str, list[tuple[Path, Index, str]]]] = {}
    for folder, run in zip(folders, runs, strict=True):
        for key, entry in sorted(run.submissions.items(), key=lambda pair: pair[1].attempt):
            digests = authors.setdefault(entry.facts.get("of") or key, {})
            digests.setdefault(entry.digest, []).append((folder, run, key))
    found: dict[str, list[_Part]] = {}
    for author, digests in authors.items():
        for number, same in enumerate(digests.values(), 1):
            place = {"of": author, "attempt": number} if number > 1 else {}
            parts = found.setdefault(attempt_key(author, number), [])
            for folder, run, key in same:
                facts = run.submissions[key].facts
                rest = {name: fact for name, fact in facts.items() if name not in ("of", "attempt")}
                parts.append(_Part(folder, run, key, {**rest, **place}))
    return found


def _renamed(attempts: Mapping[str, Sequence[_Part]]) -> list[str]:
    return [
        f"{part.key}: the files in {part.folder} are other ones than in a folder named before it; they are kept as "
        f"another attempt, {key}."
        for key, parts in attempts.items()
        for part in parts
        if part.key != key
    ]


def _combined(key: str, parts: Sequence[_Part]) -> bytes:
    """The lines that say all that is known of a submission: where one run alone knows it, that run's own."""
    if len(parts) == 1 and (parts[0].key, parts[0].facts) == (key, parts[0].known.facts):
        return parts[0].run.lines(key)
    same = [replace(part.run.stored(part.key), facts=part.facts) for part in parts]
    whole = replace(same[0], results={}, stamps={}, violations={}, protections={}, seconds=0.0)
    for stored in same:
        _take_over(stored, whole)
    whole.finished = all(stored.finished for stored in same)
    return lines_of(key, whole)


def _take_over(stored: Stored, whole: Stored) -> None:
    for item, result in stored.results.items():
        if item not in whole.results or _rank(result) >= _rank(whole.results[item]):
            whole.results[item] = result
            whole.stamps[item] = stored.stamps[item]
    whole.violations.update(stored.violations)
    whole.protections.update(stored.protections)
    whole.seconds += stored.seconds


def _rank(result: CheckResult) -> int:
    return {"skipped": 0, "grader_error": 1}.get(result.status, 2)
