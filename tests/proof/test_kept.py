"""Kept submissions: which of them are trained in full."""

import pytest

from grader.proof.kept import read_kept


@pytest.mark.parametrize(("written", "trains"), [("", False), ("trains: true\n", True), ("trains: false\n", False)])
def test_a_kept_submission_may_ask_for_all_trainings(tmp_path, written, trains):
    folder = tmp_path / "submissions" / "wrong"
    folder.mkdir(parents=True)
    edits = "edits: [{file: m.py, find: a, replace: b}]\n"
    (folder / "one.yaml").write_text("title: a mistake\nfails: [learns]\n" + edits + written)
    [kept] = read_kept(tmp_path)
    assert (kept.name, kept.fails, kept.trains) == ("one", ("learns",), trains)
