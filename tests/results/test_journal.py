"""The journal: later lines win, a torn line is dropped, stale results are run again, one writer at a time."""

import dataclasses
import errno
import json
import os
from pathlib import Path

import pytest

from grader.errors import GraderError, UsageError
from grader.model import CheckResult, Refused, Submission, Violation
from grader.results.journal import NAME, Journal, in_use, read, stamp

VERSIONS = {"torch": "2"}
STAMPS = {"a": "stamp-a", "b": "stamp-b"}


def submission(key="k", digest="d", **more):
    return Submission(key=key, root=Path("/nowhere"), digest=digest, files={"m": "m.py"}, **more)


def result(item, status="passed", **more):
    return CheckResult(item=item, status=status, credit=float(status == "passed"), notes=("one", "two"), **more)


def filled(folder, *, finished=True):
    """A journal with one submission that has both items."""
    with Journal(folder, "tiny") as journal:
        journal.start_run("tiny", "seed", VERSIONS)
        journal.submission(submission())
        journal.started("k")
        journal.result("k", result("a"), STAMPS["a"])
        journal.result("k", result("b", "failed", message="é\n\u2028 wörds", figures={"x": {"of": 3}}), STAMPS["b"])
        journal.violation("k", Violation(rule="prints", message="2 prints", evidence="run", parts=("p",)))
        if finished:
            journal.finished("k", {"network": "cut"}, 1.5)
    return folder / NAME


def test_what_is_written_is_read(tmp_path):
    filled(tmp_path)
    [graded] = read(tmp_path).graded()
    assert graded.results["a"] == result("a")
    assert graded.results["b"] == result("b", "failed", message="é\n\u2028 wörds", figures={"x": {"of": 3}})
    assert graded.violations == (Violation(rule="prints", message="2 prints", evidence="run", parts=("p",)),)
    assert (graded.seed, graded.versions, graded.protections) == ("seed", VERSIONS, {"network": "cut"})
    assert graded.files == {"m": "m.py"}


def test_every_prefix_of_a_journal_can_be_read_and_continued(tmp_path):
    """A kill may cut the file anywhere."""
    raw = filled(tmp_path / "whole").read_bytes()
    first = raw.index(b"\n") + 1
    for cut in range(0, len(raw), 7):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / NAME).write_bytes(raw[:cut])
        contents = read(folder)
        assert contents.slug == ("tiny" if cut >= first else "")
        with Journal(folder, "tiny") as journal:
            journal.start_run("tiny", "seed", VERSIONS)
        lines = (folder / NAME).read_bytes().splitlines()
        assert [json.loads(line)["kind"] for line in lines][-1] == "run"
        assert raw.startswith(b"\n".join(lines[:-1]))


@pytest.mark.parametrize("torn", [b'{"kind":"result","key":"k"', b"\x00\xff\n", b'{"kind":"res\n'])
def test_a_torn_last_line_is_dropped(tmp_path, torn):
    path = filled(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    assert set(read(tmp_path).submissions["k"].results) == {"a", "b"}
    with Journal(tmp_path, "tiny") as journal:
        journal.result("k", result("a", "failed"), "x")
    assert path.read_bytes().startswith(whole + b'{"kind":"result"')
    assert read(tmp_path).submissions["k"].results["a"].status == "failed"


def test_a_file_of_another_kind_is_refused(tmp_path):
    for text in ('{"kind":"other"}\n', '{"kind":"run","format":99,"slug":"x","seed":"","versions":{}}\n'):
        (tmp_path / NAME).write_text(text)
        with pytest.raises(UsageError, match="not a journal that this version can read"):
            read(tmp_path)


# --- what is run again ----------------------------------------------------------------------------------------


def needed(folder, digest="d", stamps=STAMPS):
    return read(folder).needs_run("k", digest, stamps)


def test_what_is_there_and_fresh_is_not_run_again(tmp_path):
    filled(tmp_path)
    assert needed(tmp_path) == ()


def test_what_is_missing_or_stale_is(tmp_path):
    filled(tmp_path)
    assert needed(tmp_path, stamps={**STAMPS, "b": "another test"}) == ("b",)
    assert needed(tmp_path, stamps={**STAMPS, "c": "new"}) == ("c",)
    assert needed(tmp_path, digest="other files") == ("a", "b")
    assert read(tmp_path).needs_run("nobody", "d", STAMPS) == ("a", "b")


def test_an_interrupted_submission_starts_again(tmp_path):
    filled(tmp_path, finished=False)
    assert needed(tmp_path) == ("a", "b")


def test_what_the_grader_could_not_judge_is_tried_again(tmp_path):
    filled(tmp_path)
    with Journal(tmp_path, "tiny") as journal:
        journal.result("k", result("a", "grader_error"), STAMPS["a"])
    assert needed(tmp_path) == ("a",)


def test_what_this_run_would_not_make_anew_is_kept(tmp_path):
    """A run without trainings leaves the figures of an earlier one alone."""
    filled(tmp_path)
    stored = read(tmp_path)
    stale = {"a": "another test", "b": "another test"}
    assert stored.needs_run("k", "d", stale, keep={"b"}) == ("a",)
    assert stored.needs_run("k", "d", {**STAMPS, "c": "new"}, keep={"c"}) == ("c",), "there is none to keep"
    assert stored.needs_run("k", "other files", stale, keep={"b"}) == ("a", "b")


def test_a_kept_item_stays_even_when_the_grader_could_not_judge_it(tmp_path):
    filled(tmp_path)
    with Journal(tmp_path, "tiny") as journal:
        journal.result("k", result("a", "grader_error"), STAMPS["a"])
    assert read(tmp_path).needs_run("k", "d", STAMPS, keep={"a"}) == ()


def test_of_an_interrupted_submission_nothing_is_kept(tmp_path):
    filled(tmp_path, finished=False)
    assert read(tmp_path).needs_run("k", "d", STAMPS, keep={"a", "b"}) == ("a", "b")


def test_of_an_interrupted_submission_what_takes_long_is_kept(tmp_path):
    filled(tmp_path, finished=False)
    contents = read(tmp_path)
    assert contents.needs_run("k", "d", STAMPS, dear={"b", "c"}) == ("a",)
    assert contents.needs_run("k", "d", {**STAMPS, "b": "another test"}, dear={"b"}) == ("a", "b")
    assert contents.needs_run("k", "d", {**STAMPS, "b": "another test"}, keep={"b"}, dear={"b"}) == ("a",)
    with Journal(tmp_path, "tiny") as journal:
        journal.started("k", keep={"b", "c"})
    stored = read(tmp_path).submissions["k"]
    assert (set(stored.results), stored.stamps, stored.violations) == ({"b"}, {"b": STAMPS["b"]}, {})


@pytest.mark.parametrize("status", ["skipped", "grader_error"])
def test_what_was_not_judged_is_not_kept(tmp_path, status):
    filled(tmp_path, finished=False)
    with Journal(tmp_path, "tiny") as journal:
        journal.result("k", result("b", status), STAMPS["b"])
    assert read(tmp_path).needs_run("k", "d", STAMPS, dear={"b"}) == ("a", "b")


@pytest.mark.parametrize("finished", [True, False])
def test_what_another_journal_knows_is_adopted(tmp_path, finished):
    filled(tmp_path / "one", finished=finished)
    known = read(tmp_path / "one").submissions["k"]
    with Journal(tmp_path / "two", "tiny") as journal:
        journal.start_run("tiny", "seed", VERSIONS)
        journal.adopt("k", known)
    adopted = read(tmp_path / "two").submissions["k"]
    assert adopted == known
    assert read(tmp_path / "two").graded() == read(tmp_path / "one").graded()


def test_starting_again_forgets_results_and_violations(tmp_path):
    filled(tmp_path)
    with Journal(tmp_path, "tiny") as journal:
        journal.started("k")
    [graded] = read(tmp_path).graded()
    assert graded.results == {}
    assert graded.violations == ()


def test_new_files_forget_the_results_of_old_ones(tmp_path):
    filled(tmp_path)
    with Journal(tmp_path, "tiny") as journal:
        journal.submission(submission(digest="new"))
    assert read(tmp_path).submissions["k"].results == {}


def test_unchanged_facts_are_not_written_again(tmp_path):
    path = filled(tmp_path)
    size = path.stat().st_size
    with Journal(tmp_path, "tiny") as journal:
        journal.submission(submission())
    assert path.stat().st_size == size


def test_a_violation_counts_once_however_often_it_is_found(tmp_path):
    filled(tmp_path)
    with Journal(tmp_path, "tiny") as journal:
        journal.violation("k", Violation(rule="prints", message="3 prints", evidence="run", parts=("p",)))
        journal.violation("k", Violation(rule="prints", message="a print", evidence="source", file="m.py", line=3))
    assert len(read(tmp_path).graded()[0].violations) == 2


def test_a_refused_submission_is_kept_with_its_reason(tmp_path):
    with Journal(tmp_path, "tiny") as journal:
        journal.start_run("tiny", "seed", VERSIONS)
        journal.submission(Refused(key="r", reason="the archive is empty", digest="x"))
    [graded] = read(tmp_path).graded()
    assert graded.refused == "the archive is empty"


def test_stamps_depend_on_test_seed_and_versions():
    stamps = {stamp("t", "s", VERSIONS), stamp("u", "s", VERSIONS), stamp("t", "r", VERSIONS), stamp("t", "s", {})}
    assert len(stamps) == 4
    assert stamp("t", "s", {"a": "1", "b": "2"}) == stamp("t", "s", {"b": "2", "a": "1"})


# --- whose folder it is ---------------------------------------------------------------------------------------


def test_a_second_writer_is_refused(tmp_path):
    pytest.importorskip("fcntl")
    first, second = Journal(tmp_path / "out", "tiny"), Journal(tmp_path / "out", "tiny")
    with first, pytest.raises(UsageError, match="another run is writing"), second:
        pass
    with Journal(tmp_path / "out", "tiny"):
        pass


def test_who_only_looks_sees_a_writer_also_on_a_shared_file_system(tmp_path, monkeypatch):
    """NFS emulates these locks, and lets nobody who only reads a file take it alone."""
    fcntl = pytest.importorskip("fcntl")
    plain = fcntl.flock

    def as_nfs_does(fd, how):
        if how & fcntl.LOCK_EX and fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        plain(fd, how)

    monkeypatch.setattr(fcntl, "flock", as_nfs_does)
    with Journal(tmp_path, "tiny"):
        assert in_use(tmp_path)
    assert not in_use(tmp_path)
    assert not in_use(tmp_path / "nowhere")


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    """Lustre that is mounted without flock, say: that is no other run."""
    fcntl = pytest.importorskip("fcntl")

    def refuse(fd, how):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(GraderError, match=r"takes no locks \(Function not implemented\)"), Journal(tmp_path, "tiny"):
        pass
    assert not in_use(tmp_path)


def test_a_second_writer_does_not_touch_the_file(tmp_path):
    pytest.importorskip("fcntl")
    path = filled(tmp_path)
    with Journal(tmp_path, "tiny") as journal:
        late = Journal(tmp_path, "tiny")
        journal.result("k", result("c"), "c")
        whole = path.read_bytes()
        with pytest.raises(UsageError), late:
            pass
        assert path.read_bytes() == whole


def test_a_writer_that_waited_sees_what_was_written_meanwhile(tmp_path):
    """Read before the lock was had, the journal may have grown: nothing of that may be cut off."""
    path = filled(tmp_path)
    late = Journal(tmp_path, "tiny")
    with Journal(tmp_path, "tiny") as journal:
        journal.result("k", result("c"), "c")
    whole = path.read_bytes()
    with late:
        assert path.read_bytes() == whole
        assert "c" in late.contents.submissions["k"].results


def test_results_of_another_assignment_are_refused(tmp_path):
    filled(tmp_path)
    with pytest.raises(UsageError, match="holds results of tiny, not of other"):
        Journal(tmp_path, "other")


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(UsageError, match="holds no journal"):
        Journal(tmp_path, "tiny")


def test_records_hold_every_field_of_a_result(tmp_path):
    path = filled(tmp_path)
    records = [json.loads(line) for line in path.read_bytes().splitlines()]
    fields = {field.name for field in dataclasses.fields(CheckResult)}
    assert all(set(record["result"]) == fields for record in records if record["kind"] == "result")


def test_the_journal_is_private(tmp_path):
    path = filled(tmp_path / "out")
    assert path.stat().st_mode & 0o077 == 0


# --- a disk that refuses ----------------------------------------------------------------------------------------------


def test_a_full_disk_leaves_whole_lines_only(tmp_path, monkeypatch):
    path = filled(tmp_path)
    before, write = path.read_bytes(), os.write

    def full(fd, line):
        if len(line) < 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(fd, line[: len(line) - 10])

    with Journal(tmp_path, "tiny") as journal:
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(GraderError, match=r"No space left on device\. What was finished is kept: make room"):
            journal.result("k", result("a", "failed"), "x")
        monkeypatch.undo()
        assert path.read_bytes() == before
        assert journal.contents.submissions["k"].results["a"].status == "passed"
        journal.result("k", result("a", "failed"), "x")
    assert read(tmp_path).submissions["k"].results["a"].status == "failed"


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_folder_that_cannot_be_is_a_usage_error(tmp_path, name):
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(UsageError, match=r"results cannot be written to .*choose another --out"),
        Journal(tmp_path / name, "tiny"),
    ):
        pass


def test_damage_before_other_lines_is_told_and_nothing_is_written(tmp_path):
    path = filled(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = b"\x00" + lines[2][1:]
    path.write_bytes(b"".join(lines))
    with pytest.raises(UsageError, match="line 3 is damaged"):
        read(tmp_path)
    with pytest.raises(UsageError, match="line 3 is damaged"), Journal(tmp_path, "tiny"):
        pass
    assert path.read_bytes() == b"".join(lines)
