"""What Slurm says against a job, in one sentence that says what to do; and what is said of shards, each thing once."""

import pytest

from grader.cluster.following import Shard
from grader.cluster.showing import notes, troubles
from grader.cluster.slurm import explained


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "sbatch: error: Unable to contact slurm controller (connect failure)",
            "controller does not answer (Unable to contact slurm controller (connect failure)); try again when `sinfo`",
        ),
        (
            "sbatch: error: Batch job submission failed: Protocol error\nslurm: error: Rewound credential",
            "its clock and the controller's differ, or their keys do; have both set by one time server",
        ),
        (
            "sbatch: error: invalid partition specified: gone\nsbatch: error: Batch job submission failed: Invalid "
            "partition name specified",
            "Slurm refuses the jobs: invalid partition specified: gone Batch job submission failed: Invalid partition "
            "name specified; change --partition or --sbatch",
        ),
        ("no such thing", "Slurm refuses the jobs: no such thing; change"),
    ],
)
def test_what_slurm_refuses_is_explained(text, words):
    assert words in explained(text)


def shard(number, **more):
    return Shard(array="cpu", number=number, state=more.pop("state", "lost"), **more)


def test_a_reason_is_said_once_with_its_shards_and_nodes():
    shards = [shard(n, why="no data", node=f"n{n % 2}", notes=("the clock of n1 is ahead",)) for n in range(1, 31)]
    shards += [shard(31, why="full"), shard(32, state="done", node="n3"), shard(33, state="failed", why="full")]
    first, second = troubles(shards)
    assert first == f"{', '.join(f'cpu {n}' for n in range(1, 21))} and 10 more (on n1, n0): no data"
    assert second == "cpu 31, cpu 33: full"
    assert notes(shards) == ["the clock of n1 is ahead (30 shards)"]
