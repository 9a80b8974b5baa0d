"""Parts of a class that are judged apart: which submissions a part has, and whether all parts are there."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.errors import UsageError

if TYPE_CHECKING:  # `grader --help` needs MAX_SHARDS, and no journal
    from grader.results.index import Index

    _Part = tuple[Path, Index, Mapping[str, Any]]

MAX_SHARDS = 10_000
# Kubernetes' indexed jobs, AWS Batch, Google Batch, Slurm.
ARRAY_VARIABLES = (
    "JOB_COMPLETION_INDEX",
    "AWS_BATCH_JOB_ARRAY_INDEX",
    "BATCH_TASK_INDEX",
    "SLURM_ARRAY_TASK_ID",
)

# What all parts of a class are judged with, and what to do about one that was not.
ALIKE = {
    "training": "give all shards the same --training",
    "grader": "install the same state of the grader everywhere and judge it anew",
    "suite": "have the same assignment everywhere and judge it anew",
}


@dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `of`."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str, environment: Mapping[str, str] = os.environ) -> Shard:
        """From "3/40", or from "auto/40" in a job of an array, which its engine numbers. Raises UsageError."""
        found = re.fullmatch(r"(\d{1,5}|auto)/(\d{1,5})", text)
        if found is None:
            raise UsageError(f"--shard {text!r}: expected a part and their number, such as 3/40 or auto/40")
        number = _of_environment(environment) if found[1] == "auto" else int(found[1])
        if not 1 <= number <= int(found[2]) <= MAX_SHARDS:
            raise UsageError(f"--shard {text!r}: part {number} of {found[2]}; expected one from 1, such as 3/40")
        return cls(number, int(found[2]))

    def share(self, keys: Sequence[str]) -> list[str]:
        """Those of the keys that are judged in this part, whatever other keys there are."""
        return [key for key in keys if _number(key) % self.of == self.number - 1]

    def facts(
        self, keys: Sequence[str], items: Sequence[str] = (), alike: Mapping[str, str] | None = None
    ) -> dict[str, object]:
        """What the journal remembers: the part, how many submissions it has, the digest of the whole class, the items,
        where they are not all, and what must be the same for all parts, in words of `ALIKE`."""
        whole = hashlib.sha256("\0".join(sorted(keys)).encode()).hexdigest()[:24]
        facts = {"number": self.number, "of": self.of, "submissions": len(self.share(keys)), "class": whole}
        facts |= {"items": list(items)} if items else {}
        return {**facts, "alike": dict(alike)} if alike else facts


def _of_environment(environment: Mapping[str, str]) -> int:
    """The part, from 1. Raises UsageError."""
    for name in ARRAY_VARIABLES:
        if (text := environment.get(name, "")).isdecimal():
            first = int(environment.get("SLURM_ARRAY_TASK_MIN", "0")) if name.startswith("SLURM") else 0
            return int(text) - first + 1
    names = ", ".join(ARRAY_VARIABLES)
    raise UsageError(
        f"--shard auto/N: none of {names} is set, so this is no job of an array; give a part, such as 3/40"
    )


def require_whole(folders: Sequence[Path], runs: Sequence[Index]) -> None:
    """Raises UsageError unless the shards among these runs are those of one class, each once and finished.

    Shards of some items (those that need a GPU, say) are a whole of their own.
    """
    shards = [
        (folder, run, run.head.shard) for folder, run in zip(folders, runs, strict=True) if run.head.shard is not None
    ]
    wholes: dict[tuple[str, ...], list[_Part]] = {}
    for folder, run, shard in shards:
        wholes.setdefault(tuple(shard.get("items", ())), []).append((folder, run, shard))
    problems = [problem for parts in wholes.values() for problem in (*_strangers(parts, shards[0]), *_absent(parts))]
    if problems:
        raise UsageError("the shards cannot be merged:\n" + "\n".join(problems))


def _strangers(parts: Sequence[_Part], first: _Part) -> Iterator[str]:
    """What does not belong to the first of all shards, or is not done."""
    first_folder, whole, facts = first
    known = next((run.head.versions for _, run, _ in parts if run.head.versions), {})
    alike = parts[0][2].get("alike", {})  # of these items: those that need a GPU may be trained, and the others not
    for folder, run, shard in parts:
        label = f"{folder} (shard {shard['number']}/{shard['of']})"
        if shard["of"] != facts["of"]:
            yield f"{label} is part of another division than {first_folder}, which has {facts['of']} parts"
        elif shard["class"] != facts["class"]:
            yield f"{label} is part of another class than {first_folder}: the submissions' keys differ"
        if run.head.seed != whole.head.seed:
            yield f"{label} has another seed than {first_folder}: give all shards one --seed or --recording"
        has = run.head.versions
        if others := [name for name in known if name != "machine" and has.get(name, known[name]) != known[name]]:
            theirs, ours = (", ".join(f"{name} {found[name]}" for name in others) for found in (has, known))
            yield f"{label} was judged with {theirs}, others with {ours}: install the same everywhere and judge it anew"
        for name, value in shard.get("alike", {}).items():
            if (other := alike.get(name, value)) != value:
                yield f"{label} was judged with {name} {value}, {parts[0][0]} with {other}: {ALIKE[name]}"
        done = sum(entry.finished or "refused" in entry.facts for entry in run.submissions.values())
        if done < shard["submissions"]:
            yield f"{label} is half done, {done} of {shard['submissions']} submissions: run it again"


def _absent(parts: Sequence[_Part]) -> Iterator[str]:
    facts = parts[0][2]
    present = Counter(shard["number"] for _, _, shard in parts)
    for number, times in sorted(present.items()):
        if times > 1:
            where = ", ".join(str(folder) for folder, _, shard in parts if shard["number"] == number)
            yield f"shard {number}/{facts['of']} is here {times} times: {where}; name one of them"
    if missing := [str(number) for number in range(1, facts["of"] + 1) if number not in present]:
        shown = ", ".join(missing[:20]) + (" …" if len(missing) > 20 else "")
        only = f" of {', '.join(facts['items'])}" if "items" in facts else ""
        yield f"missing of {facts['of']} shards{only}: {shown}"


def _number(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
