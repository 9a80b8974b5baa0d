"""A short run over every reader of foreign bytes; the long one is `make fuzz`."""

import resource

import pytest
from fuzz import crashes
from targets import TARGETS

COUNTS = {"frames": 50_000, "archives": 1000, "notebooks": 1000, "manifests": 200, "metadata": 500}
MORE = 500  # of the others


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_but_a_refusal_comes_of_mutated_bytes(name):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert list(crashes(TARGETS[name], COUNTS.get(name, MORE), seed=1)) == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 512 << 10, "KiB"


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_are_read(name):
    """Else the mutations would all be of rubbish."""
    read = 0
    for seed in TARGETS[name].seeds:
        try:
            TARGETS[name].read(seed)
            read += 1
        except TARGETS[name].refusals:
            continue
    assert read or name in ("frames", "recordings"), "an answer without pieces is refused, and no frame is a recording"
