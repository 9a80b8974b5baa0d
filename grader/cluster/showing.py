"""Where a run on a cluster is, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from grader.cluster.following import Shard
from grader.wording import listed, plural

MOST_LINES = 20
ORDER = ("failed", "lost", "runs", "waits", "new")  # what needs somebody first


def summary(slug: str, shards: Sequence[Shard] | None) -> str:
    """One line for each array."""
    if shards is None:
        return f"{slug}: Slurm does not answer; jobs that run go on"
    return "\n".join(
        _of_array(slug, name, [shard for shard in shards if shard.array == name])
        for name in dict.fromkeys(shard.array for shard in shards)
    )


def _of_array(slug: str, name: str, shards: Sequence[Shard]) -> str:
    states = Counter[str](shard.state for shard in shards)
    counted = ", ".join(f"{states[state]} {_word(state)}" for state in ("done", *ORDER) if states[state])
    done = sum(shard.done for shard in shards)
    known = [shard.of for shard in shards if shard.of is not None]
    judged = f"; {done} of {sum(known)} submissions judged" if known else ""
    return f"{slug} on {name}: {plural(len(shards), 'shard')}: {counted}{judged}"


def table(slug: str, shards: Sequence[Shard] | None) -> str:
    """The summary, and a line for every shard that is not done, those that need somebody first."""
    lines = [summary(slug, shards)]
    left = sorted(
        (shard for shard in shards or () if shard.state != "done"),
        key=lambda shard: (ORDER.index(shard.state), shard.array, shard.number),
    )
    for shard in left[:MOST_LINES]:
        share = "-" if shard.of is None else f"{shard.done} of {shard.of}"
        where = f" on {shard.node}" if shard.node else ""
        why = f": {shard.why}" if shard.why else ""
        lines.append(f"  {shard.array + ' ' + str(shard.number):>9}  {share:>12}  {_word(shard.state)}{where}{why}")
    if len(left) > MOST_LINES:
        lines.append(f"  … and {plural(len(left) - MOST_LINES, 'more shard')}")
    return "\n".join(lines)


def notes(shards: Sequence[Shard]) -> list[str]:
    """What nodes remarked, each thing once, with how many shards said it."""
    said = Counter(note for shard in shards for note in shard.notes)
    return [text if count == 1 else f"{text} ({count} shards)" for text, count in said.items()]


def troubles(shards: Sequence[Shard]) -> list[str]:
    """Why shards are not done, each reason once, with the shards it is true of and the nodes that said so."""
    whys: dict[str, list[Shard]] = {}
    for shard in shards:
        if shard.state != "done":
            whys.setdefault(shard.why or _word(shard.state), []).append(shard)
    return [f"{_names(held)}{_nodes(held)}: {why}" for why, held in whys.items()]


def _names(shards: Sequence[Shard]) -> str:
    return listed([f"{shard.array} {shard.number}" for shard in shards], MOST_LINES)


def _nodes(shards: Sequence[Shard]) -> str:
    names = list(dict.fromkeys(shard.node for shard in shards if shard.node))
    return f" (on {listed(names, MOST_LINES)})" if names else ""


def _word(state: str) -> str:
    return {"waits": "waiting", "runs": "running", "new": "not sent"}.get(state, state)
