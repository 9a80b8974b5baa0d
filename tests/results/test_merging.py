"""Several runs → one journal: nothing that was judged is lost, nothing of other files is mixed in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.commands import merge as command
from grader.errors import UsageError
from grader.model import STATUSES, CheckResult, Refused, Submission, Violation
from grader.reports.learning import learning_of
from grader.results.journal import Journal, read
from grader.results.merging import merge


def result(item, status="passed", **more):
    return CheckResult(item=item, status=status, credit=float(status == "passed"), notes=("n",), **more)


def write(
    folder, *results, key="ann", digest="d", slug="hw", seed="s", stamp="", finished=True, broken=(), versions=None
):
    """A run with one submission."""
    with Journal(folder, slug) as journal:
        journal.start_run(slug, seed, versions or {"torch": "2"})
        journal.submission(Submission(key=key, root=Path("/nowhere"), digest=digest, files={"m": "m.py"}))
        journal.started(key)
        for entry in results:
            journal.result(key, entry, stamp or f"{folder.name}-{entry.item}")
        for rule in broken:
            journal.violation(key, Violation(rule=rule, message=f"{rule} is broken"))
        if finished:
            journal.finished(key, {folder.name: "on"}, 1.5)
    return folder


@pytest.fixture
def laptop(tmp_path):
    return tmp_path / "laptop"


@pytest.fixture
def server(tmp_path):
    return tmp_path / "server"


ON_THE_GPU = {
    "counts": True, "source": "real", "metric": "accuracy", "counted": "top-1", "value": 0.75, "device": "cuda",
    "gpu": "NVIDIA H100", "steps": 60, "budget": 60, "seconds": 2.0, "steps_per_second": 30.0, "gpu_peak_mib": 512.0,
    "gpu_steady_mib": 480.5, "peak_mib": 2100.0, "steady_mib": 2000.0, "curve": [],
}  # fmt: skip


def merged(tmp_path, *folders):
    return merge(folders, tmp_path / "out"), read(tmp_path / "out")


def test_two_halves_become_a_whole(tmp_path, laptop, server):
    write(laptop, result("a"), result("b", "skipped"), broken=("prints",))
    write(server, result("b", figures={"training": {"value": 0.5}}), broken=("prints", "imports"))
    told, whole = merged(tmp_path, laptop, server)
    assert (told.slug, told.submissions, told.warnings) == ("hw", 1, ())
    [graded] = whole.graded()
    assert graded.results == {"a": result("a"), "b": result("b", figures={"training": {"value": 0.5}})}
    assert [violation.rule for violation in graded.violations] == ["imports", "prints"]
    assert (graded.seconds, graded.protections) == (3.0, {"laptop": "on", "server": "on"})
    assert whole.submissions["ann"].stamps == {"a": "laptop-a", "b": "server-b"}
    assert whole.submissions["ann"].finished


@pytest.mark.parametrize(
    ("first", "second", "wins"),
    [
        ("passed", "failed", 1),
        ("failed", "passed", 1),
        ("passed", "skipped", 0),
        ("passed", "grader_error", 0),
        ("not_attempted", "grader_error", 0),
        ("failed", "not_attempted", 1),
        ("skipped", "grader_error", 1),
        ("grader_error", "skipped", 0),
        ("skipped", "skipped", 1),
    ],
)
def test_what_judged_counts_before_what_did_not(tmp_path, laptop, server, first, second, wins):
    write(laptop, result("a", first, message="0"))
    write(server, result("a", second, message="1"))
    _, whole = merged(tmp_path, laptop, server)
    stored = whole.submissions["ann"]
    assert stored.results["a"].message == str(wins)
    assert stored.stamps["a"] == (server if wins else laptop).name + "-a"


RUNS = st.lists(st.dictionaries(st.sampled_from("abc"), st.sampled_from(STATUSES)), min_size=2, max_size=4)


@settings(max_examples=25)
@given(RUNS)
def test_no_verdict_is_lost_to_a_run_without_one(tmp_path_factory, runs):
    root = tmp_path_factory.mktemp("runs")
    folders = [
        write(root / str(n), *(result(item, status, message=str(n)) for item, status in run.items()))
        for n, run in enumerate(runs)
    ]
    merge(folders, root / "out")
    [graded] = read(root / "out").graded()
    assert set(graded.results) == {item for run in runs for item in run}
    for item, found in graded.results.items():
        judged = [n for n, run in enumerate(runs) if run.get(item) in ("passed", "failed", "not_attempted")]
        if judged:
            assert found.message == str(judged[-1])
        else:
            assert found.status in ("skipped", "grader_error")


def test_a_run_without_a_gpu_and_a_later_one_with_it(tmp_path, laptop, server):
    skipped = result("large", "skipped", reason="needs a GPU, and this run has none")
    slow = result("learns", "failed", reason="timed out")
    write(laptop, result("shape"), skipped, slow, versions={"torch": "2.13.0+cpu"})
    trained = result("learns", figures={"training": ON_THE_GPU})
    write(server, result("shape"), result("large"), trained, versions={"torch": "2.13.0+cu130"})
    told, whole = merged(tmp_path, laptop, server)
    [graded] = whole.graded()
    assert {name: found.status for name, found in graded.results.items()} == dict.fromkeys(graded.results, "passed")
    assert "other versions (torch)" in told.warnings[0]
    facts = dict(learning_of(graded.results["learns"]).facts)
    assert "30 steps/s" in facts["Training"]
    assert facts["Training"].endswith("on cuda (NVIDIA H100)")
    assert facts["GPU memory"].startswith("at most 512 MiB, 480.5 MiB on average once settled")
    assert "as the worker reported" in facts["GPU memory"]
    assert facts["Memory beside it"].startswith("at most 2100 MiB")


def test_other_files_under_the_same_key_are_another_attempt(tmp_path, laptop, server):
    write(laptop, result("a"))
    write(server, result("a", "failed"), result("b"), digest="other files")
    told, whole = merged(tmp_path, laptop, server)
    assert told.warnings == (
        f"ann: the files in {server} are other ones than in a folder named before it; they are kept as another "
        "attempt, ann~2.",
    )
    assert whole.submissions["ann"].results == {"a": result("a")}
    assert whole.submissions["ann~2"].results == {"a": result("a", "failed"), "b": result("b")}
    assert whole.attempts() == {"ann": ["d", "other files"]}
    assert (whole.graded()[1].of, whole.graded()[1].attempt) == ("ann", 2)
    assert told.origins == (("ann", laptop, "ann"), ("ann~2", server, "ann"))


def test_a_run_that_knows_only_the_later_attempt(tmp_path, laptop, server):
    """It calls the attempt by the plain key; the other run has the one before it."""
    write(laptop, result("a"))
    with Journal(laptop, "hw") as journal:
        late = Submission(key="ann~2", root=Path("/nowhere"), digest="e", files={"m": "m.py"}, of="ann", attempt=2)
        journal.submission(late)
        journal.started("ann~2")
        journal.result("ann~2", result("a", "failed"), "stamp")
        journal.finished("ann~2", {}, 1.0)
    write(server, result("b"), digest="e")
    _, whole = merged(tmp_path, laptop, server)
    assert whole.attempts() == {"ann": ["d", "e"]}
    assert set(whole.submissions["ann~2"].results) == {"a", "b"}


def test_classes_that_overlap_in_part(tmp_path, laptop, server):
    write(laptop, result("a"))
    write(server, result("a"), key="bob")
    told, whole = merged(tmp_path, laptop, server)
    assert told.submissions == 2
    assert set(whole.submissions) == {"ann", "bob"}


def test_a_refused_submission_stays_refused(tmp_path, laptop, server):
    write(laptop, result("a"))
    with Journal(server, "hw") as journal:
        journal.start_run("hw", "s", {})
        journal.submission(Refused(key="zoe", reason="the archive is empty", digest="z"))
    merged(tmp_path, laptop, server)
    assert {entry.key: entry.refused for entry in read(tmp_path / "out").graded()} == {
        "ann": "",
        "zoe": "the archive is empty",
    }


def test_what_was_interrupted_in_one_run_is_not_finished(tmp_path, laptop, server):
    write(laptop, result("a"))
    write(server, result("b"), finished=False)
    _, whole = merged(tmp_path, laptop, server)
    assert not whole.submissions["ann"].finished
    assert set(whole.submissions["ann"].results) == {"a", "b"}
    assert whole.needs_run("ann", "d", {"a": "laptop-a"}) == ("a",)


def test_another_seed_is_said(tmp_path, laptop, server):
    write(laptop, result("a"))
    write(server, result("b"), seed="other")
    told, whole = merged(tmp_path, laptop, server)
    assert whole.seed == "s"
    assert told.warnings == (f"{server}: another seed than {laptop}; replay its items from there.",)


def test_other_versions_are_said(tmp_path, laptop, server):
    write(laptop, result("a"))
    write(server, result("b"), versions={"torch": "3"})
    told, _ = merged(tmp_path, laptop, server)
    assert told.warnings == (f"{server}: other versions (torch) than in {laptop}; the reports name those.",)


def test_merging_what_was_merged_changes_nothing(tmp_path, laptop, server):
    write(laptop, result("a"), broken=("prints",))
    write(server, result("b"))
    merged(tmp_path, laptop, server)
    merge([tmp_path / "out", laptop], tmp_path / "again")
    before, after = read(tmp_path / "out").submissions["ann"], read(tmp_path / "again").submissions["ann"]
    assert (after.results, after.stamps, after.violations) == (before.results, before.stamps, before.violations)


# --- what is refused ----------------------------------------------------------------------------------------------


def test_a_folder_without_a_journal(tmp_path, laptop):
    write(laptop, result("a"))
    with pytest.raises(UsageError, match="nowhere holds no journal"):
        merge([laptop, tmp_path / "nowhere"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_different_assignments(tmp_path, laptop, server):
    write(laptop, result("a"))
    write(server, result("a"), slug="other")
    with pytest.raises(UsageError, match="different assignments: hw, other"):
        merge([laptop, server], tmp_path / "out")


def test_a_folder_that_holds_results_or_other_things(tmp_path, laptop, server):
    write(laptop, result("a"))
    write(server, result("b"))
    with pytest.raises(UsageError, match="holds results already"):
        merge([laptop, server], laptop)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("")
    with pytest.raises(UsageError, match="holds no journal"):
        merge([laptop, server], tmp_path / "out")
    assert read(laptop).submissions["ann"].results == {"a": result("a")}


def test_one_folder_is_nothing_to_merge(tmp_path, laptop):
    with pytest.raises(UsageError, match="at least two"):
        command.run([laptop], tmp_path / "out", False, None)


# --- beside the journal -------------------------------------------------------------------------------------------

HEAD = "submission,item,points,comment,by\n"


def class_of(folder, people="", marks=""):
    folder.mkdir()
    if people:
        (folder / "people.csv").write_text("key,name,email,id\n" + people)
    if marks:
        (folder / "marks.csv").write_text(HEAD + marks)
    return folder


def test_people_of_all_runs_are_kept(tmp_path):
    out = class_of(tmp_path / "out")
    one = class_of(tmp_path / "one", people="ann,Ann,ann@x,1\n")
    two = class_of(tmp_path / "two", people="ann,Ann,ann@x,1\nbob,Bob,bob@x,2\n")
    command._bring_people([one, two, class_of(tmp_path / "three")], out, ())
    assert (out / "people.csv").read_text().splitlines()[1:] == ["ann,Ann,ann@x,1", "bob,Bob,bob@x,2"]


def test_the_marks_of_one_run_are_kept(tmp_path):
    one, two = class_of(tmp_path / "one", marks="ann,a,1,,\n"), class_of(tmp_path / "two", marks="ann,a,1,,\n")
    found = command._one_of([class_of(tmp_path / "none"), one, two], "marks.csv")
    assert found.read_text() == HEAD + "ann,a,1,,\n"


def test_which_of_two_marks_counts_is_a_persons_decision(tmp_path):
    one, two = class_of(tmp_path / "one", marks="ann,a,1,,\n"), class_of(tmp_path / "two", marks="ann,a,2,,\n")
    with pytest.raises(UsageError, match="differ: make them equal"):
        command._one_of([one, two], "marks.csv")
