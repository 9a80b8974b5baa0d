"""What `grader new` and `grader new-course` write, and what they refuse."""

import sys

import pytest
import yaml

from grader.commands import new, verify
from grader.errors import EXIT_AUTHOR, EXIT_DONE, UsageError


def test_a_course_may_begin_in_an_empty_folder(tmp_path):
    folder = tmp_path / "dl-2027"
    folder.mkdir()
    assert new.course(folder) == 0
    assert (folder / "README.md").read_text().startswith("# dl-2027: assignments\n")
    for goal in new.COURSE.values():
        assert "__" not in (folder / goal).read_text().replace("__pycache__", "")
    for workflow in (".github/workflows/assignments.yml", ".gitlab-ci.yml"):
        assert yaml.safe_load((folder / workflow).read_text())
    assert (folder / "test_suites" / new.FIRST / "assignment.yaml").is_file()


def test_names_that_are_none_and_folders_that_are_taken(tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")
    for name, said in [
        ("taken", "is not empty: it holds notes.txt"),
        ("taken/notes.txt", "File exists"),
        ("taken/notes.txt/course", "Not a directory"),
        ("a:b", "no name of a folder"),
        ("new\nline", "no name of a folder"),
        ("x" * 300, "too long"),
    ]:
        with pytest.raises(UsageError, match=said) as raised:
            new.course(tmp_path / name)
        assert raised.value.exit_code == EXIT_AUTHOR
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["notes.txt", "taken"], "nothing was written"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the judge forks")
def test_an_assignment_in_numpy_is_proven_as_it_is_written(tmp_path, capsys):
    assert new.run("by_hand", tmp_path, numpy=True) == EXIT_DONE
    assert "import numpy" in (tmp_path / "student_templates" / "by_hand" / "layer.py").read_text()
    assert verify.run(["by_hand"], False, 1, tmp_path) == EXIT_DONE
    assert "by_hand: proven; 2 automatic items" in capsys.readouterr().out
