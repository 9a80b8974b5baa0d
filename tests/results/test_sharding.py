"""A class in parts: every submission is in one part, and a merge says which part is missing, doubled or half done."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.errors import UsageError
from grader.model import CheckResult, Refused, Submission
from grader.results.journal import Journal, read
from grader.results.merging import merge
from grader.results.sharding import Shard

CLASS = [f"student{number}" for number in range(12)]


@given(st.lists(st.text(min_size=1), unique=True), st.integers(1, 50))
def test_every_submission_is_in_one_part(keys, of):
    parts = [Shard(number, of).share(keys) for number in range(1, of + 1)]
    assert sorted(key for part in parts for key in part) == sorted(keys)


def test_a_submissions_part_does_not_depend_on_the_others():
    assert [key for key in Shard(2, 3).share(CLASS) if key in CLASS[:5]] == Shard(2, 3).share(CLASS[:5])


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "-1/4", "1/0", "1/4/2", "a/b", "1/10001", "1 / 4", "auto"])
def test_a_part_has_a_number_from_one(text):
    with pytest.raises(UsageError, match="such as 3/40"):
        Shard.parse(text)


def test_a_part_is_read():
    assert Shard.parse("3/40") == Shard(3, 40)


@pytest.mark.parametrize(
    ("environment", "number"),
    [
        ({"JOB_COMPLETION_INDEX": "2"}, 3),
        ({"AWS_BATCH_JOB_ARRAY_INDEX": "0"}, 1),
        ({"BATCH_TASK_INDEX": "39"}, 40),
        ({"SLURM_ARRAY_TASK_ID": "4"}, 5),
        ({"SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_MIN": "1"}, 4),
    ],
)
def test_an_engine_that_runs_an_array_numbers_the_part(environment, number):
    assert Shard.parse("auto/40", environment) == Shard(number, 40)


@pytest.mark.parametrize("environment", [{}, {"JOB_COMPLETION_INDEX": "40"}, {"JOB_COMPLETION_INDEX": "x"}])
def test_outside_of_an_array_there_is_no_number(environment):
    with pytest.raises(UsageError, match="such as 3/40"):
        Shard.parse("auto/40", environment)


def write(folder, shard, keys=CLASS, *, seed="s", done=None, versions=None, items=(), alike=None):
    """The journal of one part, of which `done` submissions (default: all) are finished."""
    mine = shard.share(keys)
    with Journal(folder, "tiny") as journal:
        journal.start_run("tiny", seed, {"torch": "2", **(versions or {})}, shard.facts(keys, items, alike))
        for number, key in enumerate(mine):
            if number == 0:
                journal.submission(Refused(key=key, reason="empty"))
                continue
            journal.submission(Submission(key=key, root=folder, digest="d", files={}))
            if done is None or number < done:
                journal.result(key, CheckResult(item="a", status="passed", credit=1.0), "stamp")
                journal.finished(key, {}, 1.0)
    return folder


def parts(tmp_path, of=3, **changes):
    return [write(tmp_path / f"part{number}", Shard(number, of), **changes) for number in range(1, of + 1)]


def test_all_parts_make_a_class(tmp_path):
    merged = merge(parts(tmp_path), tmp_path / "all")
    assert merged.submissions == len(CLASS)
    assert merged.warnings == ()
    whole = read(tmp_path / "all")
    assert whole.shard is None
    assert sorted(whole.submissions) == sorted(CLASS)


def test_empty_parts_count(tmp_path):
    assert merge(parts(tmp_path, of=40), tmp_path / "all").submissions == len(CLASS)


def test_a_later_run_of_everything_may_join_them(tmp_path):
    folders = parts(tmp_path)
    with Journal(tmp_path / "gpu", "tiny") as journal:
        journal.start_run("tiny", "s", {"torch": "2"})
    assert merge([*folders, tmp_path / "gpu"], tmp_path / "all").submissions == len(CLASS)


def refusal(folders, out):
    with pytest.raises(UsageError) as caught:
        merge(folders, out)
    assert not out.exists(), "nothing was written"
    return str(caught.value)


def test_a_missing_part_is_named(tmp_path):
    first, _, third = parts(tmp_path)
    assert "missing of 3 shards: 2" in refusal([first, third], tmp_path / "all")


def test_a_doubled_part_is_named(tmp_path):
    folders = parts(tmp_path)
    twin = write(tmp_path / "twin", Shard(2, 3))
    for second in (twin, folders[1]):
        told = refusal([*folders, second], tmp_path / "all")
        assert f"shard 2/3 is here 2 times: {folders[1]}, {second}; name one of them" in told


def test_a_half_done_part_is_named(tmp_path):
    folders = [*parts(tmp_path)[:2], write(tmp_path / "half", Shard(3, 3), done=2)]
    mine = len(Shard(3, 3).share(CLASS))
    assert f"half (shard 3/3) is half done, 2 of {mine} submissions: run it again" in refusal(folders, tmp_path / "all")


def test_parts_of_several_divisions_classes_or_seeds_are_named(tmp_path):
    folders = parts(tmp_path)
    other = write(tmp_path / "other", Shard(3, 4))
    assert "other (shard 3/4) is part of another division" in refusal([*folders[:2], other], tmp_path / "all")
    larger = write(tmp_path / "larger", Shard(3, 3), [*CLASS, "late"])
    assert "larger (shard 3/3) is part of another class" in refusal([*folders[:2], larger], tmp_path / "all")
    seeded = write(tmp_path / "seeded", Shard(3, 3), seed="t")
    words = refusal([*folders[:2], seeded], tmp_path / "all")
    assert "seeded (shard 3/3) has another seed" in words
    assert "--seed or --recording" in words


def test_parts_of_other_versions_are_refused_by_name(tmp_path):
    found = parts(tmp_path)
    write(tmp_path / "other", Shard(2, 3), versions={"torch": "1.9"})
    with pytest.raises(
        UsageError, match=r"other \(shard 2/3\) was judged with torch 1\.9, others with torch 2: install"
    ):
        merge([found[0], tmp_path / "other", found[2]], tmp_path / "all")


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("training", r"training off, .*part1 with real: give all shards the same --training"),
        ("grader", r"grader off, .*part1 with real: install the same state of the grader everywhere and judge it anew"),
        ("suite", r"suite off, .*part1 with real: have the same assignment everywhere and judge it anew"),
    ],
)
def test_parts_that_were_not_judged_alike_are_refused(tmp_path, name, what):
    found = parts(tmp_path, alike={name: "real"})
    other = write(tmp_path / "other", Shard(2, 3), alike={name: "off"})
    assert re.search(
        rf"other \(shard 2/3\) was judged with {what}", refusal([found[0], other, found[2]], tmp_path / "all")
    )
    of_before = write(tmp_path / "of_before", Shard(2, 3))
    assert merge([found[0], of_before, found[2]], tmp_path / "all").submissions == len(CLASS), "it does not say"


def test_what_needs_a_gpu_is_trained_apart_from_the_rest(tmp_path):
    some = [write(tmp_path / f"gpu{n}", Shard(n, 2), items=["a"], alike={"training": "real"}) for n in (1, 2)]
    rest = parts(tmp_path, of=2, alike={"training": "off"})
    assert merge([*rest, *some], tmp_path / "all").submissions == len(CLASS)


def test_parts_of_some_items_are_a_whole_of_their_own(tmp_path):
    some = [write(tmp_path / f"gpu{number}", Shard(number, 2), items=["a"]) for number in (1, 2)]
    all_of_them = parts(tmp_path, of=2)
    assert merge([*all_of_them, *some], tmp_path / "all").submissions == len(CLASS)
    with pytest.raises(UsageError, match="missing of 2 shards of a: 2"):
        merge([*all_of_them, some[0]], tmp_path / "other")
