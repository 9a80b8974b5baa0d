"""`grader collect`: the commit that counts of each repository, in time zones, with troubles told one by one."""

import csv
import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from tiny_assignment import ROOT

from grader.commands.collect import run
from grader.errors import UsageError
from grader.intake.repositories import repositories

DUE = "2024-03-22T23:00:00-04:00"


def git(folder, *arguments, at="2024-03-20T12:00:00+00:00"):
    settings = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z"}
    settings |= {"GIT_COMMITTER_DATE": at}
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, *arguments], cwd=folder, env=settings, check=True, capture_output=True)


def commit(folder, text, at, *options):
    (folder / "layers.py").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", text, *options, at=at)


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "origin" / "ada"
    folder.mkdir(parents=True)
    git(folder, "init", "-q")
    commit(folder, "early", "2024-03-20T12:00:00+00:00")
    commit(folder, "in time", "2024-03-23T02:59:59+00:00")  # 22:59:59 in New York
    commit(folder, "late", "2024-03-23T03:00:01+00:00")
    return folder


def listed(tmp_path, *rows, heading="who,url,also"):
    path = tmp_path / "repos.csv"
    path.write_text("\n".join([heading, *rows]) + "\n")
    return path


def collected(out):
    with (out / "collected.csv").open(encoding="utf-8") as file:
        return {row["who"]: row for row in csv.DictReader(file)}


def content(out, who="ada", name="layers.py"):
    with zipfile.ZipFile(out / "submissions" / f"{who}.zip") as archive:
        return archive.read(name).decode()


def test_the_last_commit_in_time_counts(repository, tmp_path):
    out = tmp_path / "out"
    assert run("tiny", listed(tmp_path, f"ada,{repository.as_uri()}"), DUE, None, out, ROOT) == 0
    assert content(out) == "in time"
    assert (out / "times.csv").read_text() == "who,time\nada,2024-03-23T02:59:59+00:00\n"
    assert collected(out)["ada"]["notes"] == "1 commits are later"


def test_paths_may_be_relative(repository, tmp_path, monkeypatch):
    """An address is seen from its list, and the folder from where the command is given."""
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "repos.csv").write_text("who,url\nada,../origin/ada\n")
    monkeypatch.chdir(tmp_path)
    assert run("tiny", Path("lists/repos.csv"), DUE, None, Path("pushed"), ROOT) == 0
    assert content(tmp_path / "pushed") == "in time"


def test_git_that_is_not_there_is_told(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="git is not installed"):
        run("tiny", listed(tmp_path, f"ada,{repository}"), DUE, None, tmp_path / "out", ROOT)


def test_troubles_are_told_one_by_one(repository, tmp_path, capsys):
    empty = tmp_path / "origin" / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    out = tmp_path / "out"
    rows = [f"ada,{repository}", f"bob,{tmp_path}/nothing", f"cy,{empty}"]
    assert run("tiny", listed(tmp_path, *rows), DUE, None, out, ROOT) == 1
    found = collected(out)
    assert found["ada"]["trouble"] == ""
    assert "there is no repository of that address" in found["bob"]["trouble"]
    assert found["cy"]["trouble"] == "it has no commit yet"
    assert run("tiny", listed(tmp_path, rows[0]), "2024-01-01T00:00:00Z", None, tmp_path / "early", ROOT) == 1
    assert "no commit before 2024-01-01" in collected(tmp_path / "early")["ada"]["trouble"]
    assert "1 of 3 repositories: grader grade tiny" in capsys.readouterr().out


def test_a_rewritten_history_is_noted(repository, tmp_path):
    out, repos = tmp_path / "out", listed(tmp_path, f"ada,{repository}")
    run("tiny", repos, DUE, None, out, ROOT)
    git(repository, "reset", "-q", "--hard", "HEAD~2")
    commit(repository, "another", "2024-03-19T12:00:00+00:00")
    run("tiny", repos, DUE, None, out, ROOT)
    assert content(out) == "another"
    assert "the history was rewritten: commit" in collected(out)["ada"]["notes"]
    assert "commits are dated before those that they follow" in collected(out)["ada"]["notes"]


def test_what_cannot_be_had_again_stays(repository, tmp_path):
    out, repos = tmp_path / "out", listed(tmp_path, f"ada,{repository}")
    run("tiny", repos, DUE, None, out, ROOT)
    repository.rename(repository.with_name("gone"))
    assert run("tiny", repos, DUE, None, out, ROOT) == 1
    row = collected(out)["ada"]
    assert (content(out), row["time"], row["notes"]) == (
        "in time", "2024-03-23T02:59:59+00:00", "what was collected before stays"
    )  # fmt: skip
    assert "ada,2024-03-23T02:59:59" in (out / "times.csv").read_text()


def test_deadlines_are_each_persons_own(repository, tmp_path):
    (tmp_path / "extensions.csv").write_text("who,assignment,days\nada,tiny,1\n")
    (tmp_path / "course.yaml").write_text(
        "zone: America/New_York\nextensions: extensions.csv\nassignments:\n  tiny: {due: 2024-03-22 23:00}\n"
    )
    repos = listed(tmp_path, f"ada,{repository}", f"bob,{repository}")
    assert run("tiny", repos, "", tmp_path / "course.yaml", tmp_path / "out", ROOT) == 0
    assert (content(tmp_path / "out"), content(tmp_path / "out", "bob")) == ("late", "in time")


def test_what_lies_elsewhere_is_joined(repository, tmp_path):
    (tmp_path / "report.pdf").write_text("report")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "best.pt").write_text("weights")
    out = tmp_path / "out"
    run("tiny", listed(tmp_path, f"ada,{repository},report.pdf;runs"), DUE, None, out, ROOT)
    assert [content(out, name=name) for name in ("layers.py", "report.pdf", "best.pt")] == [
        "in time", "report", "weights"
    ]  # fmt: skip
    (tmp_path / "layers.py").write_text("other")
    run("tiny", listed(tmp_path, f"ada,{repository},layers.py"), DUE, None, out, ROOT)
    assert "layers.py is in the repository and in layers.py" in collected(out)["ada"]["trouble"]


def test_a_folder_of_clones_is_read(repository, tmp_path):
    clones = tmp_path / "clones"
    for name in ("hw-1-ada", "hw-1-bob"):
        clones.mkdir(exist_ok=True)
        git(tmp_path, "clone", "-q", str(repository), str(clones / name))
    assert [entry.who for entry in repositories(clones)] == ["ada", "bob"]
    assert run("tiny", clones, DUE, None, tmp_path / "out", ROOT) == 0


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("ada,", "line 2: expected who it is"),
        ("../x,u", "line 2: expected who it is"),
        ("ada,--upload-pack=x", "line 2: expected who it is"),
        ("ada,u\nada,v", "line 3: ada stands in line 2 already"),
        ("ada,u,nothing.pt", "nothing.pt is not there"),
    ],
)
def test_lines_that_are_wrong_are_named(tmp_path, row, said):
    with pytest.raises(UsageError) as error:
        repositories(listed(tmp_path, row))
    assert said in str(error.value)


def test_a_deadline_is_needed(tmp_path):
    with pytest.raises(UsageError, match="has no deadline"):
        run("tiny", listed(tmp_path, "ada,u"), "", None, tmp_path / "out", ROOT)
    with pytest.raises(UsageError, match="--due: 'soon' is no time"):
        run("tiny", listed(tmp_path, "ada,u"), "soon", None, tmp_path / "out", ROOT)
