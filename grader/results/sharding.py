"""Parts of a class that are judged apart: which submissions a part has, and whether all parts are there."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.errors import UsageError
from grader.results.journal import Contents

MAX_SHARDS = 10_000


@dataclass(frozen=True)
class Shard:
    """Part `number` (from 1) of `of`."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """From "3/40". Raises UsageError."""
        found = re.fullmatch(r"(\d{1,5})/(\d{1,5})", text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]) <= MAX_SHARDS:
            raise UsageError(f"--shard {text!r}: expected a part and their number, such as 3/40")
        return cls(int(found[1]), int(found[2]))

    def share(self, keys: Sequence[str]) -> list[str]:
        """Those of the keys that are judged in this part, whatever other keys there are."""
        return [key for key in keys if _number(key) % self.of == self.number - 1]

    def facts(self, keys: Sequence[str]) -> dict[str, object]:
        """What the journal remembers: the part, how many submissions it has, and the digest of the whole class."""
        whole = hashlib.sha256("\0".join(sorted(keys)).encode()).hexdigest()[:24]
        return {"number": self.number, "of": self.of, "submissions": len(self.share(keys)), "class": whole}


def require_whole(folders: Sequence[Path], runs: Sequence[Contents]) -> None:
    """Raises UsageError unless the shards among these runs are those of one class, each once and finished."""
    shards = [(folder, run, run.shard) for folder, run in zip(folders, runs, strict=True) if run.shard is not None]
    if not shards:
        return
    first_folder, first, facts = shards[0]
    problems = []
    for folder, run, shard in shards:
        label = f"{folder} (shard {shard['number']}/{shard['of']})"
        if shard["of"] != facts["of"]:
            problems.append(f"{label} is part of another division than {first_folder}, which has {facts['of']} parts")
        elif shard["class"] != facts["class"]:
            problems.append(f"{label} is part of another class than {first_folder}: the submissions' keys differ")
        if run.seed != first.seed:
            problems.append(f"{label} has another seed than {first_folder}: give all shards one --seed or --recording")
        done = sum(stored.finished or "refused" in stored.facts for stored in run.submissions.values())
        if done < shard["submissions"]:
            problems.append(f"{label} is half done, {done} of {shard['submissions']} submissions: run it again")
    present = Counter(shard["number"] for _, _, shard in shards)
    problems += [f"shard {number}/{facts['of']} is here {n} times" for number, n in sorted(present.items()) if n > 1]
    missing = [str(number) for number in range(1, facts["of"] + 1) if number not in present]
    if missing:
        shown = ", ".join(missing[:20]) + (" …" if len(missing) > 20 else "")
        problems.append(f"missing of {facts['of']} shards: {shown}")
    if problems:
        raise UsageError("the shards cannot be merged:\n" + "\n".join(problems))


def _number(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
