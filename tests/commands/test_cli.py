"""The commands from outside: exit codes, messages, and files, as people and scripts see them."""

import csv
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import typer
from test_layering import NO_TORCH, python
from tiny_assignment import ROOT, copy_of_the_assignment, edit, lay_out_submission, open_for_workers

from grader import cli
from grader.sandbox import launch

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="grading a class needs Linux")


def grader(*arguments, assignments=ROOT, code=0, environment=None):
    """Run the command line; (standard output, standard error) of a run that ended with that code."""
    command = [sys.executable, "-m", "grader.cli", *map(str, arguments)]
    settings = {
        **os.environ,
        "COLUMNS": "200",
        "NO_COLOR": "1",
        "GRADER_ASSIGNMENTS": str(assignments),
        **(environment or {}),
    }
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done.stdout, done.stderr


def strict_json(text):
    def refuse(name):
        raise ValueError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    """A class of four: one perfect, one with a mistake who prints, one zip, one that cannot be read."""
    folder = open_for_workers(tmp_path_factory.mktemp("class"))
    lay_out_submission(folder / "ada")
    lay_out_submission(folder / "bob", {"model.py": (".mean(dim=1)", ".sum(dim=1)"),
                                        "layers.py": ("weights =", "print('exp')\n    weights =")})  # fmt: skip
    work = lay_out_submission(
        folder.parent / "cleo_work", {"layers.py": ("shifted = scores -", "shifted = 0 * scores -")}
    )
    with zipfile.ZipFile(folder / "cleo.zip", "w") as archive:
        for path in sorted(work.rglob("*")):
            archive.write(path, path.relative_to(work))
    (folder / "dan.zip").write_bytes(b"PK\x03\x04 this is no archive")
    return folder


@pytest.fixture(scope="module")
def graded(handed_in, tmp_path_factory):
    """The results folder of that class."""
    out = open_for_workers(tmp_path_factory.mktemp("results")) / "out"
    stdout, _ = grader("grade", "tiny", handed_in, "--out", out, "--seed", "cli", "--jobs", 2)
    (out.parent / "stdout.txt").write_text(stdout)
    return out


@pytest.fixture
def copied(graded, tmp_path):
    """A copy of the results that a test may change."""
    return Path(shutil.copytree(graded, tmp_path / "out"))


# --- help and usage ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["check", "grade", "score", "diff", "replay", "verify", "template", "doctor"])
def test_every_command_explains_itself(command):
    stdout, _ = grader(command, "--help")
    assert "Usage: grader" in stdout or "Usage: python" in stdout
    assert "--help" in stdout


def test_a_command_that_is_built_alone_is_the_same():
    whole = typer.main.get_command(cli.app).commands
    assert {"grade", "class", "new-course", "schema", "recording"} <= whole.keys()
    for name, command in whole.items():
        if name != "recording":  # a group of commands
            [alone] = typer.main.get_command(cli.command_line(name)).commands.values()
            assert (alone.name, alone.help) == (name, command.help)
            assert [each.opts for each in alone.params] == [each.opts for each in command.params]
    assert typer.main.get_command(cli.command_line("frobnicate")).commands.keys() == whole.keys()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["grade", "tinny", "."], "Did you mean tiny?"),
        (["check", "nothing_like_it"], "Known: "),
        (["grade", "tiny", ".", "--only", "gate.forwart"], "has no automatic item 'gate.forwart'; it has gate.forward"),
        (["grade", "tiny", ".", "--device", "abacus"], "--device 'abacus': expected one of cpu, cuda"),
        (["grade", "tiny", ".", "--training", "all"], "--training 'all': expected one of off, made, real"),
        (["grade", "tiny", ".", "--resume", "--out", "/nowhere/out"], "nothing to resume"),
        (["grade", "tiny", "."], "Missing|required|exist|empty|grades"),
        (["score", "/nowhere"], "holds no journal"),
        (["diff", "/nowhere", "/nowhere"], "holds no journal"),
        (["replay", "/nowhere", "gate.forward"], "does not exist"),
        (["verify"], "name an assignment, or give --all"),
        (["grade", "--no-such-option"], "No such option"),
        (["frobnicate"], "No such command"),
        (["doctor", "--require", "everything"], "expected one of none, weak, standard"),
        (("grade", "tiny", ".", "--partition", "main"), "--partition is for --slurm: give that as well"),
        (("grade", "tiny", ".", "--array-parallelism", "2"), "--array-parallelism is for --slurm"),
        (("grade", "tiny", ".", "--image", "mine"), "--image is for --container"),
        (("grade", "tiny", ".", "--price", "cpu=1"), "--price is for --plan"),
    ],
)
def test_wrong_calls_end_with_2_and_say_what_to_do(arguments, words, tmp_path):
    if arguments == ["grade", "tiny", "."]:
        full = tmp_path / "full"
        full.mkdir()
        (full / "thesis.tex").write_text("")
        arguments, words = [*arguments, "--out", str(full)], "exists and holds no journal"
    _, stderr = grader(*arguments, code=2)
    assert words in stderr
    assert "Traceback" not in stderr


# --- a class ------------------------------------------------------------------------------------------------------


@linux
def test_a_class_is_graded(graded):
    scores = {key: strict_json((graded / key / "results.json").read_text())["score"] for key in ("ada", "bob", "cleo")}
    assert scores == {"ada": 9.0, "bob": 6.5, "cleo": 7.0}
    stdout = (graded.parent / "stdout.txt").read_text()
    for key in ("ada", "bob", "cleo", "dan"):
        assert key in stdout
    assert "Results: " in stdout


@linux
def test_an_unreadable_submission_costs_nobody_else(graded):
    rows = csv.DictReader((graded / "summary.csv").read_text().splitlines())
    assert {row["submission"] for row in rows} == {"ada", "bob", "cleo", "dan"}
    found = strict_json((graded / "dan" / "results.json").read_text())
    assert found["score"] == 0
    assert "archive" in json.dumps(found)


@linux
def test_every_json_file_is_valid_json(graded):
    files = [*graded.rglob("*.json")]
    assert len(files) >= 9
    for path in files:
        strict_json(path.read_text())
    for line in (graded / "journal.jsonl").read_bytes().splitlines():
        strict_json(line)


@linux
def test_the_same_command_again_runs_nothing_again(graded, handed_in, copied):
    before = (copied / "journal.jsonl").read_bytes()
    (copied / "bob" / "results.json").unlink()
    stdout, _ = grader("grade", "tiny", handed_in, "--out", copied, "--jobs", 1, "--json")
    whole = strict_json(stdout)
    assert set(whole) == {"ada", "bob", "cleo", "dan"}
    after = (copied / "journal.jsonl").read_bytes()
    assert after.startswith(before)
    kinds = [json.loads(line)["kind"] for line in after[len(before) :].splitlines()]
    assert set(kinds) == {"run"}, "the seed was kept, and every result is still fresh"
    again, first = (strict_json((folder / "bob" / "results.json").read_text()) for folder in (copied, graded))
    assert again == first


@linux
def test_scores_are_made_again_without_running_code(copied):
    done = python(NO_TORCH, "score", str(copied), "--assignments", str(ROOT), "--json", COLUMNS="200")
    assert done.returncode == 0, done.stderr
    before = strict_json(done.stdout)
    (copied / "marks.csv").write_text(
        "submission,item,points,comment\nada,essay,0.5,short\nbob,scorer.forward,2,appeal\n"
    )
    done = python(NO_TORCH, "score", str(copied), "--assignments", str(ROOT), "--json", COLUMNS="200")
    after = strict_json(done.stdout)
    gained = {key: after[key]["score"] - before[key]["score"] for key in before}
    assert gained == {"ada": 0.5, "bob": 2.0, "cleo": 0.0, "dan": 0.0}


@linux
def test_differences_name_who_what_and_why(graded, copied):
    (copied / "marks.csv").write_text("submission,item,points,comment\nada,essay,0.5,short\n")
    stdout, _ = grader("diff", graded, copied)
    assert "ada" in stdout
    assert "essay" in stdout
    assert "bob" not in stdout
    same, _ = grader("diff", graded, graded)
    assert "ada" not in same


@linux
def test_a_failed_check_is_reproduced(graded):
    stdout, _ = grader("replay", graded / "bob", "scorer.forward")
    assert "Reproduced." in stdout
    assert "ScorerCase(batch=1, time=2" in stdout


@linux
def test_a_changed_journal_is_not_reproduced(copied):
    journal = copied / "journal.jsonl"
    text = journal.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        if line.get("key") == "bob" and line["kind"] == "result" and line["result"]["item"] == "gate.forward":
            line["result"] |= {"status": "failed", "credit": 0.0}
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    stdout, _ = grader("replay", copied / "bob" / "report.json", "gate.forward", code=1)
    assert "NOT reproduced" in stdout


@linux
def test_a_failed_check_becomes_a_script(graded, tmp_path):
    stdout, _ = grader("replay", graded / "bob", "scorer.forward", "--script", tmp_path / "show.py")
    assert f"Wrote {tmp_path / 'show.py'}" in stdout
    command = [sys.executable, tmp_path / "show.py", graded / "submissions" / "bob"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "out: 1 of 1 entries differ" in done.stdout
    _, stderr = grader("replay", graded / "bob", "rates.decrease", "--script", tmp_path / "no.py", code=2)
    assert "is hidden to students" in stderr
    assert [path.name for path in tmp_path.iterdir()] == ["show.py"]


@linux
def test_replay_knows_what_there_is(graded):
    _, stderr = grader("replay", graded / "bob", "nothing.like.it", code=2)
    assert "it holds" in stderr
    assert "gate.forward" in stderr


@linux
def test_a_folder_in_use_is_refused(copied, handed_in):
    import fcntl

    with (copied / "journal.jsonl").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        _, stderr = grader("grade", "tiny", handed_in, "--out", copied, code=2)
    assert "another run is writing" in stderr


# --- a student's self-check ---------------------------------------------------------------------------------------

WITHOUT_LINUX = """
import os, signal, sys
HIDDEN = {"fcntl", "grp", "pwd", "resource", "termios"}
LINUX = ("grader.sandbox.linux", "grader.sandbox.zygote", "grader.sandbox.confine")
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name in LINUX:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None
sys.meta_path.insert(0, Hide())
if any(ours in word for word in sys.orig_argv for ours in ("grader", "check.py")):
    for name in HIDDEN:
        sys.modules[name] = None
    for name in ("fork", "pidfd_open", "memfd_create"):
        if hasattr(os, name):
            delattr(os, name)
    for name in ("pidfd_send_signal", "setitimer"):
        if hasattr(signal, name):
            delattr(signal, name)
"""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """An environment in which every Python lacks what only Linux has."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "sitecustomize.py").write_text(WITHOUT_LINUX)
    done = subprocess.run(
        [sys.executable, "-c", "import grader.sandbox.linux"],
        env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "No module named 'grader.sandbox.linux'" in done.stderr, "otherwise these tests show nothing"
    return {"PYTHONPATH": str(folder)}


def test_a_folder_is_checked_without_linux(elsewhere, handed_in):
    stdout, _ = grader("check", "tiny", handed_in / "ada", environment=elsewhere)
    assert "6 passed" in stdout
    assert "not run: rates.decrease" in stdout, "a hidden item is no public check"


def test_a_zip_is_checked_without_linux(elsewhere, handed_in):
    stdout, _ = grader("check", "tiny", handed_in / "cleo.zip", "--json", environment=elsewhere, code=1)
    found = strict_json(stdout)
    failed = [test["name"] for test in found["tests"] if test.get("score") == 0]
    assert len(failed) >= 2
    assert "softmax" in " ".join(failed).lower()


def test_what_cannot_be_read_is_said_to_the_student(handed_in):
    stdout, _ = grader("check", "tiny", handed_in / "dan.zip", code=1)
    assert "archive" in stdout.lower()


# --- the author's mistakes ----------------------------------------------------------------------------------------


@pytest.fixture
def changed(tmp_path):
    """A copy of the assignment that a test may break."""
    return copy_of_the_assignment(tmp_path / "assignments")


def refused(changed, handed_in, tmp_path):
    """What `grade` says about the assignment; there must be no results afterwards."""
    out = tmp_path / "out"
    _, stderr = grader("grade", "tiny", handed_in / "ada", "--out", out, "--jobs", 1, assignments=changed, code=2)
    assert not list(out.rglob("results.json"))
    assert not (out / "summary.csv").exists()
    assert "Traceback (most recent call last)" not in stderr.split("\n")[0]
    return stderr


def test_a_manifest_that_is_wrong_is_refused_with_its_line(changed, handed_in, tmp_path):
    manifest = changed / "test_suites" / "tiny" / "assignment.yaml"
    edit(manifest, 'part: scorer, question: "2", points: 2', 'part: scorrer, question: "2", points: 3')
    stderr = refused(changed, handed_in, tmp_path)
    line = next(n for n, text in enumerate(manifest.read_text().splitlines(), 1) if "scorrer" in text)
    assert f"assignment.yaml:{line}" in stderr
    assert "unknown part 'scorrer'" in stderr
    assert "did you mean 'scorer'" in stderr


@linux
def test_a_suite_that_does_not_import_is_refused_with_its_line(changed, handed_in, tmp_path):
    edit(
        changed / "test_suites" / "tiny" / "test_tiny.py",
        "import torch\nfrom cases",
        "import torch\nimport nothing_like_it\nfrom cases",
    )
    stderr = refused(changed, handed_in, tmp_path)
    assert "test_tiny.py:4" in stderr
    assert "nothing_like_it" in stderr


@linux
def test_the_tests_of_the_repository_that_a_suite_lies_in_have_no_say(changed, handed_in, tmp_path):
    for folder in (changed, changed / "test_suites"):
        (folder / "conftest.py").write_text("raise RuntimeError('of other tests')\n")
    grader("grade", "tiny", handed_in / "ada", "--out", tmp_path / "out", "--jobs", 1, assignments=changed)


@linux
def test_probes_that_do_not_import_are_refused(changed, handed_in, tmp_path):
    edit(
        changed / "test_suites" / "tiny" / "probes.py",
        "from stand_ins import AffineStates",
        "from stand_ins import Affine",
    )
    stderr = refused(changed, handed_in, tmp_path)
    assert "cannot import name 'Affine'" in stderr
    assert "probes.py" in stderr


@linux
def test_a_reference_that_fails_its_own_suite_is_refused(changed, handed_in, tmp_path):
    edit(changed / "reference_solutions" / "tiny" / "tiny.py", "rate / (1 + step)", "rate")
    stderr = refused(changed, handed_in, tmp_path)
    assert "item 'rates.decrease': the reference does not pass its own test" in stderr
    assert "Each rate should be smaller" in stderr
    assert "test_tiny.py:" in stderr


@linux
def test_items_and_tests_must_match(changed, handed_in, tmp_path):
    edit(changed / "test_suites" / "tiny" / "test_tiny.py", '@item("count.right")', '@item("count.wrong")')
    stderr = refused(changed, handed_in, tmp_path)
    assert "item 'count.right' has no test" in stderr
    assert "no automatic item 'count.wrong'" in stderr


@linux
def test_a_test_that_breaks_is_a_grader_error_with_valid_results(changed, handed_in, tmp_path):
    test = changed / "test_suites" / "tiny" / "test_tiny.py"
    edit(test, "    assert_agrees(student.run(count, case), reference.run(count, case))",
         "    found = student.run(count, case)\n    assert student is reference, 'the author forgot something'\n"
         "    assert_agrees(found, reference.run(count, case))")  # fmt: skip
    out = tmp_path / "out"
    stdout, _ = grader("grade", "tiny", handed_in / "ada", "--out", out, "--json", assignments=changed, code=3)
    found = strict_json(stdout)["ada"]
    assert found["score"] == 8.0
    test = next(
        entry for entry in found["tests"] if "Right rows" in json.dumps(entry) or "count" in entry["name"].lower()
    )
    assert "max_score" not in test, "the points stay open"
    report = strict_json((out / "ada" / "report.json").read_text())
    assert "the author forgot something" in json.dumps(report)
    assert "the author forgot something" not in stdout, "staff only"


@linux
def test_the_tiny_assignment_is_proven():
    stdout, _ = grader("verify", "tiny", "--jobs", 2)
    assert "tiny: proven" in stdout


@pytest.mark.parametrize("arguments", [["grade", "tiny", ".", "--plan"], ["grade", "--help"], ["verify", "tiny"]])
def test_no_process_is_started_for_what_runs_nothing(arguments, monkeypatch):
    monkeypatch.setattr(launch, "launch", lambda: pytest.fail("torch is imported for nothing"))
    with cli.launched_ahead(arguments) as launched:
        assert launched is None


def test_a_second_interrupt_does_not_break_into_what_is_cleaned_up() -> None:
    code = (
        "import atexit, os, signal, sys; from grader.cli import main; sys.argv = ['grader', '--version']; "
        "atexit.register(os.kill, os.getpid(), signal.SIGINT); main()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
