"""Several submissions that are laid out at once, each in a child of its own. Linux only."""

import os
import sys

import pytest
from intake_examples import COURSE

from grader import intake

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="children that are confined")


@pytest.fixture
def class_of_nine(tmp_path):
    """A folder each; every third one has a notebook that cannot be read."""
    for number in range(9):
        folder = tmp_path / "class" / f"student{number}"
        folder.mkdir(parents=True)
        (folder / "lstm.py").write_text(f"class LSTM:\n    number = {number}\n")
        if number % 3 == 0:
            (folder / "notes.ipynb").write_text("{")
    return tmp_path / "class"


def test_they_come_in_the_same_order_with_the_same_outcome(tmp_path, class_of_nine, monkeypatch):
    def found(name):
        return intake.take_all([class_of_nine], COURSE, tmp_path / name, compare=True, apart=True)

    monkeypatch.setattr(intake.os, "sched_getaffinity", lambda pid: range(3), raising=False)
    at_once = found("at_once")
    monkeypatch.setattr(intake, "MOST_AT_ONCE", 1)
    one_by_one = found("one_by_one")
    assert at_once.fates == one_by_one.fates
    assert [entry.key for entry in at_once.found] == [entry.key for entry in one_by_one.found]
    assert [entry.digest for entry in at_once.found] == [entry.digest for entry in one_by_one.found]


def test_no_child_is_left_when_taking_in_is_broken_off(tmp_path, class_of_nine, monkeypatch):
    def broken_off(begun, room):
        raise KeyboardInterrupt

    monkeypatch.setattr(intake.os, "sched_getaffinity", lambda pid: range(3), raising=False)
    monkeypatch.setattr(intake, "_taken", broken_off)
    with pytest.raises(KeyboardInterrupt):
        intake.take_all([class_of_nine], COURSE, tmp_path / "work", apart=True)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    assert not list((tmp_path / "work").iterdir())
