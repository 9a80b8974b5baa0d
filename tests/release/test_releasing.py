"""Scores are frozen once everything in doubt is decided, and later ones are held against them."""

from __future__ import annotations

import re

import pytest
from class_examples import ASSIGNMENTS, PEOPLE, score_by_key, scored
from tiny_assignment import tiny

from grader.commands import diff, release, score, settle, void
from grader.errors import UsageError
from grader.release import frozen, keeping
from grader.release.auditing import audit
from grader.reports import files
from grader.results import log


def freeze(folder, *, only_rise=False, open_points=True, by="kim"):
    return release.run(folder, by, only_rise, open_points, ASSIGNMENTS)


def decide_all(folder, word="accepted"):
    settle.run(folder, [row.id for row in scored(folder).rows if row.must], word, "kim", "seen", ASSIGNMENTS)


def mark(folder, *lines):
    (folder / "marks.csv").write_text("\n".join(["submission,item,points", *lines]) + "\n")


@pytest.fixture
def released(folder):
    decide_all(folder)
    assert freeze(folder) == 0
    return folder


def test_what_is_not_decided_is_named_and_nothing_is_written(folder, capsys):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert freeze(folder, open_points=False) == 1
    said = capsys.readouterr().err
    assert "cyd: scorer.forward waits for a person" in said
    assert "eve: The rule 'no_softmax' took 2 points" in said
    assert "the points of essay are open for ada, bob, cyd, eve\n" in said
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_release_holds_points_and_no_names(released):
    found = frozen.read(released)
    assert found.number == 1
    assert {report.key: float(report.score) for report in found.reports} == score_by_key(released)
    text = (released / frozen.NAME).read_text() + (released / log.NAME).read_text()
    assert not [word for person in PEOPLE for word in (person.name, person.email, person.person_id) if word in text]
    assert not any(f'"{person.key}"' in (released / log.NAME).read_text() for person in PEOPLE)
    assert (released / frozen.NAME).stat().st_mode & 0o077 == 0
    assert (released / log.NAME).stat().st_mode & 0o077 == 0


def test_a_second_release_of_the_same_is_refused(released):
    with pytest.raises(UsageError, match=r"released on .* by kim \(release 1\), and nothing changed since"):
        freeze(released)


def test_scores_may_only_rise(released, capsys):
    mark(released, "ada,gate.forward,1", "bob,gate.forward,1")
    assert freeze(released, only_rise=True) == 1
    assert capsys.readouterr().err == (
        "ada: fell from 9 to 8\ngrader: not released, because of these 1; without --only-rise scores may fall\n"
    )
    assert frozen.read(released).number == 1
    mark(released, "bob,gate.forward,1")
    assert freeze(released, only_rise=True) == 0
    assert "bob: 7 → 8" in capsys.readouterr().out
    assert frozen.read(released).number == 2


def test_a_release_is_the_baseline_of_diff(released, capsys):
    mark(released, "bob,gate.forward,1.5")
    capsys.readouterr()
    assert diff.run(released, None, ASSIGNMENTS) == 0
    said = capsys.readouterr().out
    assert "bob: 7 → 8.5" in said
    assert "gate.forward: 0 → 1.5 (failed → marked): a person's mark changed" in said
    assert "1 changed, 4 unchanged" in said


def test_a_void_is_called_one_and_counted_where_it_gave_points(released, capsys):
    void.run(released, "gate.forward", "full", "kim", "the handout was wrong", ASSIGNMENTS)
    capsys.readouterr()
    voided = "    gate.forward: 0 → 2 (failed → marked): the item was voided, or a void was taken back\n"
    for command in (lambda: diff.run(released, None, ASSIGNMENTS), lambda: freeze(released)):
        command()
        said = capsys.readouterr().out
        assert said.startswith(f"bob: 7 → 9\n{voided}")
        assert "ada" not in said
        assert "2 changed, 3 unchanged\n" in said
    void.run(released, "gate.forward", "", "kim", "", ASSIGNMENTS)
    capsys.readouterr()
    diff.run(released, None, ASSIGNMENTS)
    assert "gate.forward: 2 → 0 (marked → failed): the item was voided, or a void" in capsys.readouterr().out
    void.run(released, "gate.forward", "out", "kim", "not taught", ASSIGNMENTS)
    capsys.readouterr()
    diff.run(released, None, ASSIGNMENTS)
    assert "a person's mark" not in capsys.readouterr().out


def test_nothing_released_is_no_baseline(folder):
    with pytest.raises(UsageError, match="was not released"):
        diff.run(folder, None, ASSIGNMENTS)


def test_marks_of_nobody_stop_a_release(folder):
    decide_all(folder)
    mark(folder, "adda,essay,1")
    with pytest.raises(UsageError, match=r"there is no submission 'adda'"):
        freeze(folder)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": "grader-release", "version": 1}', '{"format": 3'])
def test_a_damaged_release_is_refused(released, text):
    (released / frozen.NAME).write_text(text)
    with pytest.raises(UsageError, match=r"released\.json: this is not a release"):
        freeze(released)


def test_the_log_tells_of_every_change_and_its_head_is_in_every_feedback(released):
    score.run(released, lenient=False, as_json=False, assignments=ASSIGNMENTS)
    assert [entry.what for entry in log.read(released)] == ["settled", "released"], "nothing changed"
    mark(released, "bob,gate.forward,1")
    score.run(released, lenient=False, as_json=False, assignments=ASSIGNMENTS)
    void.run(released, "gate.gradients", "out", "kim", "wrong", ASSIGNMENTS)
    entries = log.read(released)
    assert [(entry.number, entry.what) for entry in entries[2:]] == [(3, "scored"), (4, "voided")]
    assert entries[3].facts["item"] == "gate.gradients"
    for key in score_by_key(released):
        assert entries[-1].digest[:16] in (released / key / "report.html").read_text()
        assert entries[-1].digest in (released / key / "results.json").read_text()


@pytest.mark.parametrize(
    ("names", "lines", "said"),
    [
        ((log.NAME,), 0, "does not hold what released.json says of release 2"),
        ((log.NAME,), 1, "does not hold what released.json says of release 2"),
        ((log.NAME,), 2, "names a line of the log that is not there"),
        ((log.NAME,), 3, "names a line of the log that is not there"),
        ((frozen.NAME,), None, "is not there, and the log tells of release 2"),
        ((log.NAME, frozen.NAME), None, "names a line of the log that is not there"),
    ],
)
def test_a_log_that_lost_lines_stops_everything_before_anything_is_written(released, names, lines, said):
    mark(released, "bob,gate.forward,1")
    freeze(released)
    mark(released, "bob,gate.forward,2")
    score.run(released, False, False, ASSIGNMENTS)
    assert len(log.read(released)) == 4
    text = (released / log.NAME).read_bytes().splitlines(keepends=True)
    for name in names:
        (released / name).unlink()
    if lines is not None:
        (released / log.NAME).write_bytes(b"".join(text[:lines]))
    before = {path: path.read_bytes() for path in released.rglob("*") if path.is_file()}
    for command in (
        lambda: freeze(released),
        lambda: score.run(released, False, False, ASSIGNMENTS),
        lambda: void.run(released, "gate.gradients", "out", "kim", "wrong", ASSIGNMENTS),
        lambda: diff.run(released, released, ASSIGNMENTS),
    ):
        with pytest.raises(UsageError, match=said):
            command()
    assert {path: path.read_bytes() for path in released.rglob("*") if path.is_file()} == before
    [found] = audit(released, tiny()[1])
    assert re.search(said, found)


@pytest.mark.parametrize("stop", ["log", "pages", "half"])
def test_a_release_that_was_stopped_is_completed_by_the_same_command(released, monkeypatch, capsys, stop):
    mark(released, "bob,gate.forward,1")
    written = files.write_text

    def stopped(path, text):
        if stop == "pages" or path.name == "summary.csv":
            raise KeyboardInterrupt
        written(path, text)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_text", stopped)
        if stop == "log":
            patch.setattr(log, "append", lambda *_: stopped(released / "summary.csv", ""))
        with pytest.raises(KeyboardInterrupt):
            freeze(released)
    assert frozen.read(released).number == 2
    assert freeze(released) == 0
    assert "release 2; it had been stopped, and all results are written now" in capsys.readouterr().out
    assert audit(released, tiny()[1]) == []
    assert [entry.facts["release"] for entry in log.read(released) if entry.what == "released"] == [1, 2]
    with pytest.raises(UsageError, match="nothing changed since"):
        freeze(released)


def test_what_follows_a_release_that_was_stopped_tells_of_it(released, monkeypatch):
    mark(released, "bob,gate.forward,1")
    with monkeypatch.context() as patch:
        patch.setattr(keeping, "keep", lambda *_, **_more: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            freeze(released)
    void.run(released, "gate.gradients", "out", "kim", "wrong", ASSIGNMENTS)
    assert [entry.what for entry in log.read(released)][2:] == ["released", "voided"]
    assert freeze(released) == 0


def test_grading_alone_writes_no_log(folder):
    score.run(folder, lenient=False, as_json=False, assignments=ASSIGNMENTS)
    assert not (folder / log.NAME).exists()
    assert "Log of decisions" not in (folder / "ada" / "report.html").read_text()


def test_after_decisions_scores_are_not_lenient(released):
    with pytest.raises(UsageError, match="not lenient"):
        score.run(released, lenient=True, as_json=False, assignments=ASSIGNMENTS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: [lines[0].replace(b"kim", b"tim"), *lines[1:]], "line 2 does not follow the line before it"),
        (lambda lines: lines[1:], "line 1 does not follow"),
        (lambda lines: [lines[0], lines[1][:40]], "line 2 was cut short"),
        (lambda lines: [lines[0], b"null\n", *lines[1:]], "line 2 is not a line of the log"),
        (lambda lines: [*lines, lines[-1]], "line 3 does not follow"),
    ],
)
def test_a_broken_log_stops_everything_before_anything_is_written(released, change, said):
    path = released / log.NAME
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    mark(released, "bob,gate.forward,1")
    before = {found: found.read_bytes() for found in released.rglob("*") if found.is_file()}
    for command in (lambda: freeze(released), lambda: score.run(released, False, False, ASSIGNMENTS)):
        with pytest.raises(UsageError, match=said):
            command()
    assert {found: found.read_bytes() for found in released.rglob("*") if found.is_file()} == before
