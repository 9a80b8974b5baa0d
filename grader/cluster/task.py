"""What a run on a cluster consists of, kept beside its results so that any later call finds it again.

DIR/.cluster/task.json           what is judged and how it is divided
DIR/.cluster/recording/          the reference's answers, made once for all shards
DIR/.cluster/sent.jsonl          what was given to the scheduler, one line before each time
DIR/.cluster/jobs/               the scheduler's side: scripts and what jobs said before and after ours
DIR/.cluster/<array>/003/        the results folder of a shard
DIR/.cluster/<array>/003.log     what was said while it was judged, in all tries
DIR/.cluster/<array>/003.json    how the last try ended
DIR/.cluster/open                there until the results are in DIR
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from grader.errors import UsageError
from grader.reports.files import write_text

FOLDER = ".cluster"  # no key begins with a dot


@dataclass(frozen=True, kw_only=True)
class Array:
    """Shards that are judged on one kind of node. `arguments` are those of `grader grade` that are theirs alone."""

    name: str
    arguments: tuple[str, ...] = ()
    gpu: bool = False


@dataclass(frozen=True, kw_only=True)
class Task:
    """A run that is divided: `arguments` of `grader grade` for every shard; `code` is the digest of the grader."""

    slug: str
    arguments: tuple[str, ...]
    shards: int
    arrays: tuple[Array, ...]
    code: str
    version: str

    def parts(self) -> Iterator[tuple[Array, int]]:
        """Every shard of every array."""
        for array in self.arrays:
            yield from ((array, number) for number in range(1, self.shards + 1))

    def command(self, array: Array, number: int, out: Path) -> list[str]:
        """The arguments of the command line that judges one shard into its folder below the results folder `out`."""
        shard = ["--shard", f"{number}/{self.shards}", "--out", str(place(out, array.name, number))]
        recording = ["--recording", str(out / FOLDER / "recording"), "--no-cache"]
        return ["grade", self.slug, *self.arguments, *array.arguments, *shard, *recording]


@dataclass(frozen=True, kw_only=True)
class Sent:
    """Shards of an array that were given to the scheduler together, in the order of the job's tasks."""

    job: str  # its name, which is nobody else's
    array: str
    shards: tuple[int, ...]


def place(out: Path, array: str, number: int) -> Path:
    """The results folder of a shard."""
    return out / FOLDER / array / f"{number:03}"


def save(task: Task, out: Path) -> None:
    """Keep it. Raises GraderError when the disk refuses."""
    write_text(out / FOLDER / "task.json", json.dumps(asdict(task), indent=1) + "\n")


def load(out: Path) -> Task | None:
    """The task of a results folder, None where there is none. Raises UsageError for one that cannot be read."""
    path = out / FOLDER / "task.json"
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
        arrays = tuple(Array(**{**array, "arguments": tuple(array["arguments"])}) for array in tree.pop("arrays"))
        return Task(**{**tree, "arguments": tuple(tree["arguments"])}, arrays=arrays)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{path} cannot be read ({error}); grade into another --out") from None


def is_open(out: Path) -> bool:
    """Whether the results of a run on a cluster are still to come."""
    return (out / FOLDER / "open").exists()


def remember(out: Path, array: str, shards: tuple[int, ...]) -> Sent:
    """Note what is about to be sent, under a name of its own: what is not there later was lost and is sent again.

    Raises GraderError when the disk refuses.
    """
    before = sent(out)
    name = hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:10]
    entry = Sent(job=f"grader-{name}-{len(before)}", array=array, shards=shards)
    # All of it anew: a disk that fills, or a kill, would leave half a line.
    write_text(out / FOLDER / "sent.jsonl", "".join(json.dumps(asdict(one)) + "\n" for one in (*before, entry)))
    return entry


def sent(out: Path) -> list[Sent]:
    """Everything that was given to the scheduler so far."""
    try:
        lines = (out / FOLDER / "sent.jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    found = [json.loads(line) for line in lines]
    return [Sent(**{**entry, "shards": tuple(entry["shards"])}) for entry in found]
