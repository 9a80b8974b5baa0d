"""A student's kit from outside: what is in it, what it says, and that it judges as the instructor's run does."""

import ast
import email
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from commands.test_cli import WITHOUT_LINUX, grader
from tiny_assignment import ITEMS, copy_of_the_assignment, edit, lay_out_submission, open_for_workers, tiny

import grader as package
from grader.kit import making, proving
from grader.recording.shelf import read_index
from grader.sandbox.launch import unconfined

FILES = Path(making.__file__).parent / "files"
SHOWN = ["gate.forward", "scorer.forward", "count.right"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    out = tmp_path_factory.mktemp("kit") / "kit.zip"
    said, _ = grader("kit", "tiny", "--out", out)
    assert "tests of 3 of 7 automatic items" in said
    return out


@pytest.fixture
def kit(archive, tmp_path):
    """The unzipped kit."""
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path)
    return tmp_path / "tiny-kit"


@pytest.fixture
def elsewhere(tmp_path):
    """Where what only Linux has is missing."""
    (tmp_path / "hide").mkdir()
    (tmp_path / "hide" / "sitecustomize.py").write_text(WITHOUT_LINUX)
    return {"PYTHONPATH": str(tmp_path / "hide")}


def python(*arguments, code, environment=None):
    """A script of the kit, in an environment that knows of no assignment."""
    kept = {name: value for name, value in os.environ.items() if name != "GRADER_ASSIGNMENTS"}
    settings = {**kept, "COLUMNS": "200", "NO_COLOR": "1", **(environment or {})}
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done.stdout, done.stderr


def listing(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_in_it(archive):
    with zipfile.ZipFile(archive) as packed:
        sizes = {info.filename.removeprefix("tiny-kit/"): info.compress_size for info in packed.infolist()}
        index = json.loads(packed.read("tiny-kit/recordings/tiny/index.json"))
    assert {"README.md", "check.py", "collect_submission.py", "work/tiny.ipynb", "work/model.py"} <= set(sizes)
    assert not [name for name in sizes if re.search("reference|submissions|evidence|pycache", name)]
    assert set(index["items"]) == set(SHOWN)
    assert all(1 <= cases <= 3 for _, cases in index["items"].values())
    assert index["chance"] == []
    assert sum(size for name, size in sizes.items() if not name.endswith(".whl")) <= 3 << 20


def test_the_wheel_names_itself_and_what_it_needs(kit):
    (wheel,) = kit.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        (name,) = (name for name in packed.namelist() if name.endswith(".dist-info/METADATA"))
        said = email.message_from_bytes(packed.read(name))
    assert (said["Name"], said["Version"]) == ("dl-grader", package.__version__)
    assert {"torch", "pytest", "hypothesis"} <= {re.match(r"[\w-]+", line)[0] for line in said.get_all("Requires-Dist")}


def test_the_template_is_not_attempted_and_nothing_is_left_behind(kit, elsewhere):
    before = listing(kit)
    said, errors = python(kit / "check.py", code=1, environment=elsewhere)
    assert "3 not attempted" in said
    assert "reference" not in errors, "what a student cannot use is no matter of theirs"
    assert "more is checked when your work is graded" in said.lower()
    assert listing(kit) == before


def test_right_and_wrong_work_earn_the_verdicts_of_the_instructors_run(kit, tmp_path):
    right, before = lay_out_submission(tmp_path / "right"), listing(kit)
    handed_in = listing(tmp_path / "right")
    said, _ = python(kit / "check.py", right, code=0)
    assert "3 passed" in said
    assert (listing(kit), listing(tmp_path / "right")) == (before, handed_in), "nothing is left behind"
    wrong = lay_out_submission(
        tmp_path / "wrong",
        {
            "model.py": (".mean(dim=1)", ".sum(dim=1)"),
            "layers.py": ("opened = torch.sigmoid(self.gate(x))", "opened = self.gate(x)"),
        },
    )
    at_home, _ = python(kit / "check.py", wrong, "--json", code=1)
    official, _ = grader(
        "check", "tiny", wrong, "--json", *(word for name in SHOWN for word in ("--only", name)), code=1
    )
    scores = [[test["score"] for test in json.loads(text)["tests"] if "score" in test] for text in (at_home, official)]
    assert scores[0] == scores[1][: len(scores[0])]
    assert "Hint" in at_home, "the known mistake is named, without the reference"


def test_what_is_handed_in_is_what_is_accepted(kit, tmp_path):
    work = lay_out_submission(tmp_path / "work")
    (work / "notes.txt").write_text("mine")
    out = tmp_path / "handed_in.zip"
    said, _ = python(kit / "collect_submission.py", work, "--out", out, code=0)
    assert f"Wrote {out}" in said
    with zipfile.ZipFile(out) as packed:
        assert set(packed.namelist()) == {"layers.py", "model.py", "tiny.ipynb", "kit-receipt.json"}
    before = listing(kit)
    said, _ = python(kit / "collect_submission.py", code=1)
    assert listing(kit).keys() - before.keys() == {kit / "tiny-submission.zip"}
    if sys.platform.startswith("linux"):
        class_folder = open_for_workers(tmp_path) / "class"
        class_folder.mkdir()
        shutil.move(out, class_folder / "ada.zip")
        grader("grade", "tiny", class_folder / "ada.zip", "--out", tmp_path / "out", "--seed", "s")
        report = json.loads((tmp_path / "out" / "ada" / "report.json").read_text("utf-8"))
        states = {line["item"]: line["state"] for line in report["lines"]}
        assert states == dict.fromkeys(ITEMS, "passed") | {"essay": "awaiting"}


def test_the_students_own_package_is_collected_and_graded(kit, tmp_path):
    work = lay_out_submission(tmp_path / "work")
    (work / "own").mkdir()
    (work / "layers.py").rename(work / "own" / "core.py")
    (work / "layers.py").write_text("from own.core import Gate, softmax\n")
    (work / "own" / "words.txt").write_text("data")
    (work / "notes.txt").write_text("mine")
    said, _ = python(kit / "collect_submission.py", work, "--out", tmp_path / "ada.zip", code=0)
    assert "Left out, as no part of what is handed in: notes.txt." in said
    with zipfile.ZipFile(tmp_path / "ada.zip") as packed:
        own = {"own/core.py", "own/words.txt"}
        assert set(packed.namelist()) == {"layers.py", "model.py", "tiny.ipynb", "kit-receipt.json"} | own
    said, _ = python(kit / "check.py", tmp_path / "ada.zip", code=0)
    assert "3 passed" in said
    assert "receipt" not in said


def test_what_is_missing_is_named(kit):
    (kit / "work" / "model.py").unlink()
    said, _ = python(kit / "collect_submission.py", code=1)
    assert "Not there: model.py." in said


NOTEBOOK = """
import sys, nbclient, nbformat
cell = nbformat.v4.new_code_cell(f"%run {sys.argv[1]}")
notebook = nbclient.NotebookClient(nbformat.v4.new_notebook(cells=[cell]), timeout=300, kernel_name="python3").execute()
for output in notebook.cells[0].outputs:
    print(output.output_type, output.get("text", ""))
"""


def test_a_notebooks_cell_runs_it(kit):
    pytest.importorskip("ipykernel", reason="it is among the packages for development")
    said, _ = python("-c", NOTEBOOK, kit / "check.py", code=0)
    assert "3 not attempted" in said
    assert "error" not in said.split()


# --- what can be wrong --------------------------------------------------------------------------------------------


def test_a_kit_of_another_version_says_what_to_install(kit):
    script = kit / "check.py"
    edit(script, f'VERSION = "{package.__version__}"', 'VERSION = "0.0.1"')
    _, errors = python(script, code=2)
    assert "made with dl-grader 0.0.1" in errors
    assert "-m pip install" in errors
    index = kit / "recordings" / "tiny" / "index.json"
    found = read_index(index.parent)
    versions = {**found.identity.versions, "grader": "0.0.1"}
    index.write_bytes(replace(found, identity=replace(found.identity, versions=versions)).text())
    _, errors = python("-m", "grader.cli", "check", "tiny", kit / "work", "--assignments", kit, code=2)
    assert "was made with dl-grader 0.0.1" in errors
    assert "newer kit" in errors


@pytest.mark.parametrize(
    ("file", "words"),
    [("test_suites/tiny/cases.py", "not of one kit"), ("recordings/tiny/index.json", "damaged")],
)
def test_files_of_another_kit_are_told(kit, file, words):
    with (kit / file).open("ab") as changed:
        changed.write(b"\n# of last year\n")
    _, errors = python(kit / "check.py", code=2)
    assert words in errors
    assert "into an empty folder" in errors


def launcher(facts):
    """check.py as a module, as it lies in a kit, under what the test says of this Python."""
    text = (FILES / "check.py").read_text("utf-8").replace("@wheel@", "g.whl").replace("@grader@", package.__version__)
    namespace = {"__file__": str(FILES / "check.py"), "__name__": "check"}
    exec(compile(text, "check.py", "exec"), namespace)
    namespace.update(facts)
    return namespace


def test_a_python_that_is_too_old_reads_the_launcher_and_is_told(monkeypatch, capsys):
    for name in ("check.py", "collect_submission.py"):
        text = (FILES / name).read_text("utf-8")
        tree = ast.parse(text, feature_version=(3, 7))
        newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.AsyncFunctionDef, ast.Starred, ast.Nonlocal)
        assert not [node for node in ast.walk(tree) if isinstance(node, newer)], "a Python 2 could not read it"
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.arg) and node.annotation]
        assert text.isascii()
    check = launcher({})
    monkeypatch.setattr(sys, "version_info", (2, 7, 18))
    assert check["main"]() == 2
    assert "Python 3.11 or newer" in capsys.readouterr().err


def test_packages_that_are_missing_are_named_with_a_way_that_needs_no_network():
    check = launcher({"is_here": lambda name: name != "hypothesis"})
    text = check["trouble"]()
    assert "lacks hypothesis" in text
    assert "pip download" in text
    assert "--no-index" in text
    assert {"torch", "rich", "hypothesis"} <= set(check["needed"]())


def test_without_the_grader_it_says_how_to_install_it(kit, tmp_path):
    command = [sys.executable, "-S", "-E", str(kit / "check.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "Install them once" in done.stderr
    assert "-py3-none-any.whl" in done.stderr


# --- what cannot become a kit -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("kit: []", "names no item for the kit"),
        ("kit: [gate.foward]", "did you mean 'gate.forward'?"),
        ("kit: [essay]", "is graded by a person"),
        ("kit: [rates.decrease]", "is hidden"),
        ("kit: [softmax.stable]", "has one fixed case"),
    ],
)
def test_an_author_is_told_what_a_kit_cannot_show(tmp_path, change, words):
    root = copy_of_the_assignment(tmp_path / "assignments")
    edit(root / "test_suites" / "tiny" / "assignment.yaml", "kit: [gate.forward, scorer.forward, count.right]", change)
    _, errors = grader("kit", "tiny", "--out", tmp_path / "kit.zip", assignments=root, code=2)
    assert words in errors
    assert not list(tmp_path.glob("kit.zip"))


def test_values_of_random_streams_are_refused(tmp_path):
    root = copy_of_the_assignment(tmp_path / "assignments")
    edit(root / "test_suites" / "tiny" / "probes.py", '    return {"count": notebook',
         '    scores = scores + torch.rand(1)\n    return {"noise": torch.rand(1), "count": notebook')  # fmt: skip
    _, errors = grader("kit", "tiny", "--out", tmp_path / "kit.zip", assignments=root, code=2)
    assert "random streams" in errors
    assert "'count.right'" in errors


def test_an_existing_file_is_not_overwritten(archive):
    _, errors = grader("kit", "tiny", "--out", archive, code=2)
    assert "exists already" in errors


# --- the proof ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The recording of all items, with the hidden ones."""
    from grader.run.engine import Engine, Order, Recordings
    from grader.run.grading import PUBLIC_SEED

    places = Recordings(cache=tmp_path_factory.mktemp("whole"))
    with Engine(Order(folders=tiny()[0], seed=PUBLIC_SEED, workers=unconfined(), recordings=places)) as engine:
        return engine.recording


def test_nothing_is_given_away(kit, whole):
    _, assignment = tiny()
    assert list(proving.given_away(assignment, kit, whole)) == []
    assert list(proving.solution_lines(assignment, kit)) == []
    assert list(proving.too_large(kit)) == []


def test_a_kit_that_is_too_large_is_told_with_its_largest_file(kit):
    (kit / "work" / "large.bin").write_bytes(bytes(3 << 20))
    [line] = proving.too_large(kit)
    assert line.startswith("3.")
    assert "the largest file is work/large.bin: show fewer items" in line


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("test_suites/tiny/test_tiny.py", '"gate.gradients"', "names the hidden item gate.gradients"),
        ("test_suites/tiny/assignment.yaml", "# essay", "names the hidden item essay"),
        ("README.md", "Scores of a thousand\n do not overflow.", "the sentence of the hidden item softmax.stable"),
        ("test_suites/tiny/cases.py", "return torch.tanh(self.content(x)) * opened", "of the solution in layers.py"),
        ("README.md", "pooled = self.states(x).mean(dim=1)", "line 22 of the solution in model.py"),
    ],
)
def test_what_would_be_given_away_is_found(kit, whole, file, text, words):
    with (kit / file).open("ab") as changed:
        changed.write(f"\n{text}\n".encode())
    _, assignment = tiny()
    found = [*proving.given_away(assignment, kit, whole), *proving.solution_lines(assignment, kit)]
    assert any(words in line for line in found), found


def test_a_case_of_a_hidden_item_is_found(kit, whole):
    _, assignment = tiny()
    shutil.copytree(whole, kit / "recordings" / "tiny", dirs_exist_ok=True)
    found = "\n".join(proving.given_away(assignment, kit, whole))
    assert "case(s) or call(s) of the hidden item gate.gradients" in found
    assert "case(s) or call(s) of the hidden item softmax.stable" in found
