"""From release to gradebook by the commands themselves, with their exit codes."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from class_examples import ASSIGNMENTS, scored
from tiny_assignment import tiny

from grader.assignment.assignment import Needs
from grader.cli import main
from grader.commands import grade, status
from grader.errors import UsageError
from grader.run.engine import Trainings

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def grader(monkeypatch, capsys):
    def run(*arguments, code=0):
        monkeypatch.setattr(sys, "argv", ["grader", *map(str, arguments), "--assignments", str(ASSIGNMENTS)])
        try:
            main()
            ended = 0
        except SystemExit as end:
            ended = end.code or 0
        said = capsys.readouterr()
        assert ended == code, said.out + said.err
        return said.out + said.err

    return run


def test_the_story_of_a_release(folder, grader):
    sheet, out = GOLDEN / "canvas.csv", folder.parent / "upload.csv"
    must = {row.submission: row.id for row in scored(folder).rows if row.must}
    assert "was not released" in grader("export", folder, "--for", "csv", "--out", out, code=2)
    assert "not released, because of these 3" in grader("release", folder, code=1)
    assert "--why" in grader("settle", folder, must["eve"], "--accept", code=2)
    grader("settle", folder, must["eve"], "--accept", "--by", "kim", "--why", "nn.Softmax indeed")
    grader("settle", folder, must["cyd"], "--accept", "--by", "kim", "--why", "no luck twice")
    assert "the points of essay are open" in grader("release", folder, code=1)
    assert "release 1" in grader("release", folder, "--open-points", "--by", "kim")
    assert "nothing changed since" in grader("release", folder, "--open-points", code=2)

    assert "did you mean 'gate.forward'" in grader("void", folder, "gate.forwerd", "--full", "--why", "w", code=2)
    assert "say what becomes" in grader("void", folder, "gate.forward", code=2)
    grader("void", folder, "gate.forward", "--full", "--by", "kim", "--why", "the handout gave another formula")
    assert "bob: 7 → 9" in grader("diff", folder)
    assert "release them first" in grader("export", folder, "--for", "csv", "--out", out, code=2)
    grader("release", folder, "--open-points", "--only-rise")

    assert grader("audit", folder).count("fit; head") == 1
    (nowhere := folder.parent / "file").write_text("")
    assert "cannot be written" in grader("export", folder, "--for", "csv", "--out", nowhere / "x.csv", code=2)
    assert "is a folder" in grader("export", folder, "--for", "csv", "--out", folder, code=2)
    assert "the grader keeps" in grader("export", folder, "--for", "csv", "--out", folder / "journal.jsonl", code=2)
    assert "the grader keeps" in grader("class", folder, "--out", folder / "log.jsonl", code=2)
    script = ("--script", folder / "marks.csv")
    assert "the grader keeps" in grader("replay", folder / "bob", "gate.forward", *script, code=2)
    grader("export", folder, "--for", "canvas", "--sheet", sheet, "--column", "4711", "--out", out)
    grader("export", folder, "--for", "mail", "--out", folder.parent / "mail.csv")
    assert "bob is forgotten" in grader("forget", folder, "bob", "--by", "kim")
    assert "bob is forgotten" in grader("forget", folder, "bob"), "and stays so"
    assert "fit; head" in grader("audit", folder)
    told = grader("export", folder, "--for", "canvas", "--sheet", sheet, "--column", "4711", "--out", out, code=1)
    assert "line 5: nobody was graded as 882" in told or "line 4: nobody was graded as 882" in told

    (folder / "ada" / "results.json").write_text("{}")
    assert "ada/results.json is not what" in grader("audit", folder, code=1)
    text = (folder / "log.jsonl").read_bytes()
    (folder / "log.jsonl").write_bytes(text.replace(b"kim", b"tim", 1))
    assert "line 2 does not follow" in grader("release", folder, code=2)
    assert "line 2 does not follow" in grader("audit", folder, code=1)


def test_judging_again_what_this_call_cannot_judge_is_refused():
    """Silence would look as if the item had been judged with the same result."""
    _, assignment = tiny()
    needs = replace(assignment.items[0], needs=Needs(gpu=True))
    assignment = replace(assignment, items=(needs, *assignment.items[1:]))
    with pytest.raises(UsageError, match=r"gate\.forward: this call trains nothing, or has no GPU"):
        grade._require_something_to_do(assignment, ["gate.forward"], Trainings())
    grade._require_something_to_do(assignment, ["gate.forward", "gate.gradients"], Trainings())


def test_a_run_that_judged_nothing_yet_goes_on_by_the_same_command(tmp_path, grader):
    (tmp_path / "journal.jsonl").write_text("")
    said = "nothing was judged yet; the same `grader grade` command continues"
    assert said in grader("score", tmp_path, code=2)
    assert status.run(tmp_path) == 0
