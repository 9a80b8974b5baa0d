"""Where every shard is, from its journal, from what its last try left, and from the queue; and what to do about it."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from grader.cluster import slurm
from grader.cluster.node import Ended, ended_at
from grader.cluster.slurm import Nodes, Queued
from grader.cluster.task import Array, Task, place, remember, sent
from grader.errors import EXIT_AUTHOR
from grader.results.following import Follower
from grader.results.journal import NAME

LOOK_SECONDS = 2.0
TRIES = 3  # one after the other that finish no submission
FULL_MIB = 16  # a disk with less room takes no journal

State = Literal["new", "waits", "runs", "done", "lost", "failed"]
Part = tuple[str, int]  # the array's name and the shard's number


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One shard now. `of` is None until its submissions were taken in; `why` says what holds or ended it."""

    array: str
    number: int
    state: State
    done: int = 0
    of: int | None = None
    node: str = ""
    why: str = ""
    notes: tuple[str, ...] = ()


class Following:
    """The shards of a results folder, looked at again and again."""

    def __init__(self, out: Path, task: Task) -> None:
        self._out, self._task = out, task
        self._journals = {
            (array.name, number): Follower(place(out, array.name, number) / NAME) for array, number in task.parts()
        }
        self._jobs: dict[Part, tuple[str, int]] = {}
        for entry in sent(out):
            self._note(entry.job, entry.array, entry.shards)

    @property
    def jobs(self) -> list[str]:
        """The names of the jobs that the shards were last given to."""
        return sorted({job for job, _ in self._jobs.values()})

    def look(self) -> list[Shard] | None:
        """All shards; None when Slurm does not answer."""
        queued = slurm.queue(self.jobs)
        return None if queued is None else [self._shard(part, queued) for part in self._journals]

    def send(self, parts: Sequence[Part], nodes: Nodes) -> None:
        """Have these shards judged. Raises UsageError when Slurm refuses."""
        for array in self._task.arrays:
            if shards := tuple(number for name, number in parts if name == array.name):
                self._send(array, shards, nodes)

    def _send(self, array: Array, shards: tuple[int, ...], nodes: Nodes) -> None:
        for number in shards:
            place(self._out, array.name, number).with_suffix(".json").unlink(missing_ok=True)
        entry = remember(self._out, array.name, shards)
        slurm.send(array, entry, nodes, self._out)
        self._note(entry.job, array.name, shards)

    def _note(self, job: str, array: str, shards: Sequence[int]) -> None:
        self._jobs |= {(array, number): (job, task) for task, number in enumerate(shards)}

    def _shard(self, part: Part, queued: Mapping[tuple[str, int], Queued]) -> Shard:
        name, number = part
        journal = self._journals[part]
        with suppress(OSError):
            journal.follow()
        of = None if journal.shard is None else int(journal.shard["submissions"])
        done = len(journal.done | journal.refused)
        ended = ended_at(self._out, name, number)
        whole = of is not None and done >= of
        if (job := self._jobs.get(part)) is None:
            return Shard(array=name, number=number, state="done" if whole else "new", done=done, of=of)
        there = queued.get(job)
        state, why = _state(there, whole, ended)
        if state == "lost":
            state, why = self._died(*job, why)
        node = there.node if there is not None else ended.node if ended is not None else ""
        notes = () if ended is None else ended.notes
        return Shard(array=name, number=number, state=state, done=done, of=of, node=node, why=why, notes=notes)

    def _died(self, job: str, task: int, said: str) -> tuple[State, str]:
        """What became of a shard that came to nothing, with what it said. On a full disk another try is pointless."""
        if shutil.disk_usage(self._out).free < FULL_MIB << 20:
            return "failed", f"the disk of {self._out} is full: make room"
        if said:
            return "lost", said
        left = slurm.left_by(self._out, job, task)
        shared = f"it died without a word; is {self._out} on a disk that all nodes see?"
        return "lost", f"it died: {left}" if left else shared


def _state(there: Queued | None, whole: bool, ended: Ended | None) -> tuple[State, str]:
    """Where a shard is, and why; a reason that nobody gave is ""."""
    if there is not None:
        waits = there.state in ("PENDING", "REQUEUED", "REQUEUE_HOLD", "SUSPENDED", "STOPPED")
        return ("waits", there.reason) if waits else ("runs", "")
    if whole:
        return "done", ""
    if ended is None:
        return "lost", ""
    why = ended.said or (f"ended by signal {-ended.code}" if ended.code < 0 else f"exit code {ended.code}")
    return ("failed" if ended.code == EXIT_AUTHOR else "lost"), why


@dataclass
class Patience:
    """How often a shard is sent: as long as it gets on."""

    tries: Counter[Part] = field(default_factory=Counter)
    reached: dict[Part, int] = field(default_factory=dict)
    suspected: set[Part] = field(default_factory=set)

    def sends(self, shard: Shard, *, first: bool) -> bool:
        """Whether to send it now. The first look of a call gives everything that is not done another chance."""
        part = (shard.array, shard.number)
        if shard.state == "new" or (first and shard.state in ("lost", "failed")):
            return True
        if shard.state != "lost":
            self.suspected.discard(part)
            return False
        if part not in self.suspected:  # what a node wrote may be seen here a moment after its job has left the queue
            self.suspected.add(part)
            return False
        if shard.done > self.reached.get(part, 0):
            self.tries[part] = 0
        self.reached[part] = shard.done
        self.tries[part] += 1
        return self.tries[part] < TRIES

    def waits_for(self, shard: Shard) -> bool:
        """Whether something of it is still to come."""
        part = (shard.array, shard.number)
        return shard.state in ("waits", "runs") or (shard.state == "lost" and self.tries[part] < TRIES)


def until_done(following: Following, nodes: Nodes, tell: Callable[[Sequence[Shard] | None], None]) -> list[Shard]:
    """Send what is lost again until every shard is done or given up; the shards in the end.

    Raises UsageError when Slurm refuses a job.
    """
    patience, first = Patience(), True
    while True:
        shards = following.look()
        if shards is not None:
            again = [(shard.array, shard.number) for shard in shards if patience.sends(shard, first=first)]
            following.send(again, nodes)
            first = False
            shards = following.look() if again else shards
        tell(shards)
        if shards is not None and not any(map(patience.waits_for, shards)):
            return shards
        time.sleep(LOOK_SECONDS)
