"""A person leaves no trace but a gap that the log explains."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import traceback

import pytest
from class_examples import ASSIGNMENTS, PEOPLE, scored, write
from tiny_assignment import tiny

from grader.commands import forget as command
from grader.commands import release, settle
from grader.course import forgotten, people
from grader.errors import GraderError, UsageError
from grader.model import Person
from grader.release.auditing import audit
from grader.release.forgetting import forget
from grader.results import log

_, TINY = tiny()
BOB = next(person for person in PEOPLE if person.key == "bob")


@pytest.fixture
def released(folder):
    (folder / "marks.csv").write_text("Submission;Item;Points\r\nbob;gate.forward;0,5\r\nada;essay;1\r\n")
    (folder / "intake.csv").write_text(
        "path,fate,submission,why\nBob Núñez.zip,graded,bob,\nada.zip,graded,ada,\nx,left out,,no\n"
    )
    (folder / "times.csv").write_text("id,time\n20102,2026-11-01T10:00:00+00:00\n20101,2026-11-01T10:00:00+00:00\n")
    for name in ("bob", "bob~2", "ada"):
        (folder / "submissions" / name).mkdir(parents=True)
        (folder / "submissions" / name / "layers.py").write_text("x = 1\n")
    settle.run(folder, [row.id for row in scored(folder).rows if row.must], "accepted", "kim", "seen", ASSIGNMENTS)
    assert release.run(folder, "kim", False, True, ASSIGNMENTS) == 0
    return folder


def traces(folder):
    pattern = re.compile("|".join(rf"\b{re.escape(word)}\b" for word in ("bob", BOB.name, BOB.email, BOB.person_id)))
    found = [path for path in folder.rglob("*") if path.is_file() and pattern.search(path.read_text("utf-8"))]
    return [*found, *(path for path in folder.rglob("*") if pattern.search(path.name))]


def test_nothing_of_a_person_is_left_and_all_fits(released):
    from grader.model import Refused
    from grader.results.journal import Journal

    with Journal(released, "tiny") as journal:
        journal.submission(Refused(key="bob~2", reason="damaged", of="bob", attempt=2))
    times = (released / "times.csv").read_text()
    (released / "times.csv").write_text(times.replace("20102", "bob~2"))
    before = log.read(released)
    assert traces(released)
    assert forget(released, TINY, "bob", "kim") == []
    assert traces(released) == []
    entries = log.read(released)
    assert entries[: len(before)] == before, "what was said stays said"
    assert entries[-1].what == "forgot"
    assert len(entries[-1].facts["submission"]) == 16
    assert audit(released, TINY) == []
    assert "ada,essay" in (released / "marks.csv").read_text()
    assert (released / "submissions" / "ada" / "layers.py").exists()
    assert "20101" in (released / "times.csv").read_text()
    assert "ada.zip" in (released / "intake.csv").read_text()
    assert (released / "people.csv").stat().st_mode & 0o077 == 0


def test_what_still_names_them_is_told(released, capsys):
    (released / "notes.txt").write_text("Bob Núñez was ill")
    (released / "roster.txt").write_text("bobby is somebody else")
    assert command.run(released, "bob", "kim", ASSIGNMENTS) == 1
    assert capsys.readouterr().err == f"grader: {released / 'notes.txt'} still has a name or id of theirs; " \
                                      "delete it or write it anew\n"  # fmt: skip


@pytest.mark.parametrize("called", ["bob", "20102", "bob@example.edu"])
def test_the_roster_says_who_an_address_is(released, called):
    """people.csv has ids, the times have addresses; what the roster adds is not written."""
    people.write([Person(key=p.key, person_id=p.person_id) for p in PEOPLE], released / "people.csv")
    times = "".join(f"{p.email},2026-11-01T10:00:00+00:00\n" for p in PEOPLE[:2])
    (released / "times.csv").write_text("who,time\n" + times)
    rows = "".join(f"{p.person_id},{p.email}\n" for p in PEOPLE)
    (released.parent / "roster.csv").write_text("id,e-mail\n" + rows)
    (released.parent / "course.yaml").write_text("roster: roster.csv\nassignments: {tiny: {}}\n")
    (released / "course.txt").write_text(f"{released.parent / 'course.yaml'}\n")
    (released / "submissions" / "bob~2" / "layers.py").unlink()
    (released / "submissions" / "bob~2").rmdir()
    assert forget(released, TINY, called, "kim") == []
    assert traces(released) == []
    assert "ada@example.edu" in (released / "times.csv").read_text()
    assert "@" not in (released / "people.csv").read_text()


def test_nobody_is_forgotten_by_a_mistyped_key(released):
    before = {path: path.read_bytes() for path in released.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match=r"there is no submission 'bobb' in .*did you mean 'bob'"):
        forget(released, TINY, "bobb", "kim")
    assert {path: path.read_bytes() for path in released.rglob("*") if path.is_file()} == before


def test_before_any_decision_no_log_begins(folder):
    forget(folder, TINY, "bob", "kim")
    assert not (folder / log.NAME).exists()
    assert traces(folder) == []


def test_one_of_two_who_handed_in_together_takes_only_the_name(released):
    people.write([*PEOPLE, Person(key="bob", name="Zoe Quist", email="zoe@example.edu")], released / "people.csv")
    (released / "intake.csv").unlink()
    assert forget(released, TINY, "bob@example.edu", "kim") == []
    assert "bob,2026-11-01" in (released / "times.csv").read_text(), "the time stays that of the work"
    assert [person.name for person in people.read(released / "people.csv") if person.key == "bob"] == ["Zoe Quist"]
    assert (released / "bob" / "report.json").exists()
    assert audit(released, TINY) == []
    forget(released, TINY, "zoe@example.edu", "kim")
    assert not (released / "bob").exists(), "the last one takes the work along"


def with_a_part(folder):
    """The folder with one of the parts that a cluster judged and that it was merged from."""
    part = folder / ".cluster" / "cpu" / "001"
    shutil.copytree(folder / "submissions", part / "submissions")
    for name in ("journal.jsonl", "people.csv", "intake.csv"):
        shutil.copyfile(folder / name, part / name)
    write(part)
    return part


def test_the_parts_that_a_class_was_merged_from_forget_too(released):
    part = with_a_part(released)
    assert forget(released, TINY, "bob", "kim") == []
    assert traces(released) == []
    assert (part / "submissions" / "ada" / "layers.py").exists()
    assert "ada" in (part / "summary.csv").read_text()
    assert audit(released, TINY) == []


def test_a_name_goes_from_the_parts_as_well(released):
    both = [*PEOPLE, Person(key="bob", name="Zoe Quist", email="zoe@example.edu")]
    people.write(both, released / "people.csv")
    part = with_a_part(released)
    (released / "intake.csv").unlink()
    (part / "intake.csv").unlink()
    assert forget(released, TINY, "bob@example.edu", "kim") == []
    assert [person.name for person in people.read(part / "people.csv") if person.key == "bob"] == ["Zoe Quist"]
    assert (part / "submissions" / "bob").is_dir()


# --- stopped anywhere -------------------------------------------------------------------------------------------------

CHANGES = {"os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "os.truncate", "os.mkdir"}


def stopped_at(number, full, folder, name):
    """Forget in a process that is killed before its `number`th change of the disk, or finds it full from then on.

    Whether it came to its end.
    """
    if (child := os.fork()) == 0:
        code = 1
        try:
            code = _until_change(number, full, lambda: forget(folder, TINY, name, "kim"))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9), "an error of its own"
    return code == 0


def _until_change(number, full, work):
    left = [number]

    def watch(event, arguments):
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if not (writes or event in CHANGES):
            return
        left[0] -= 1
        if full and left[0] <= 0 and writes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))
        if not full and left[0] == 0:
            os._exit(9)

    sys.addaudithook(watch)
    try:
        work()
    except (GraderError, OSError) as error:  # the command line has a sentence for either
        if "No space left" not in str(error):
            raise
        return 9
    return 0


@pytest.mark.parametrize("first", [1, 3], ids=["killed", "full"])
@pytest.mark.parametrize(("known", "step"), [("a key alone", 6), ("people.csv", 20), ("one of two", 8)])
def test_what_was_stopped_anywhere_is_finished_by_the_same_command(released, tmp_path, known, step, first):
    name = "bob@example.edu" if known == "one of two" else "bob"
    if known == "a key alone":
        (released / "people.csv").unlink()
        (released / "times.csv").write_text("id,time\nbob,2026-11-01T10:00:00+00:00\n")
    if known == "one of two":
        people.write([*PEOPLE, Person(key="bob", name="Zoe Quist", email="zoe@example.edu")], released / "people.csv")
    (released / "intake.csv").write_text("path,fate,submission,why\nada.zip,graded,ada,\n")
    if known == "people.csv":
        with_a_part(released)
    for number in range(first, 1000, step):
        folder = shutil.copytree(released, tmp_path / str(number))
        ended = stopped_at(number, first == 3, folder, name)
        log.read(folder)  # the chain is whole at every moment
        if not ended:
            assert forget(folder, TINY, name, "kim") == [], number
        if known == "one of two":
            assert {p.name for p in people.read(folder / "people.csv") if p.key == "bob"} == {"Zoe Quist"}
            assert "bob@" not in (folder / "times.csv").read_text()
        else:
            assert traces(folder) == [], number
        assert audit(folder, TINY) == [], number
        told = [entry.what for entry in log.read(folder)].count("forgot")
        assert told == (0 if known == "one of two" else 1), number
        assert not any(entry.begun for entry in forgotten.read(folder))
        shutil.rmtree(folder)
        if ended:
            assert number > 10
            return
    pytest.fail("it never came to its end")
