"""An imitation of Gradescope: its layout, its order of events, its root, its time limit.

the zip → /autograder/source; setup.sh runs once as root, and what it leaves is the image of all submissions
per submission a fresh container: /autograder/submission, submission_metadata.json, run_autograder → results.json
"""

import json
import subprocess
import time
import zipfile

import pytest
from jsonschema import validate
from tiny_assignment import SLUG, copy_of_the_assignment, edit, lay_out_submission

from grader.assignment.locate import folders_below
from grader.assignment.manifest import load
from grader.platforms.bundle import Wanted, write
from grader.reports import gradescope

CREATED = "2026-03-02T10:00:00.000000+01:00"
METADATA = {"id": 1, "created_at": CREATED, "users": [{"name": "Ada", "email": "ada@school.example"}]}


@pytest.fixture(scope="module")
def prepared(engine, base, wheelhouse, tmp_path_factory):
    """The image that the platform makes of the zip."""
    folder = tmp_path_factory.mktemp("gradescope")
    root = copy_of_the_assignment(folder / "assignments")
    suite = folders_below(root, SLUG).suite
    edit(suite / "assignment.yaml", "limits:", 'late: {due: "2026-03-01T00:00:00+01:00"}\n\nlimits:')
    folders = folders_below(root, SLUG)
    wheels = folder / "none"
    wheels.mkdir()
    (wheels / "placeholder.whl").touch()
    wanted = Wanted(platform="gradescope", seed="secret seed", wheelhouse=wheels)
    write(load(folders), folders, wanted, folder / "autograder.zip")
    with zipfile.ZipFile(folder / "autograder.zip") as archive:
        archive.extractall(folder / "source")
    (folder / "empty").mkdir()
    (folder / "source" / "wheelhouse" / "placeholder.whl").unlink()
    (folder / "source" / "wheelhouse").rmdir()
    # Where the zip's wheels would lie; copying a gigabyte into the container is no part of what is tested.
    mount = f"{wheelhouse}:/autograder/source/wheelhouse:ro"
    setup = ("bash", "/autograder/source/setup.sh")
    container = engine.docker("create", "--network", "none", "--volume", mount, base, *setup).stdout.strip()
    engine.docker("cp", folder / "empty", f"{container}:/autograder")
    engine.docker("cp", f"{folder / 'source'}/.", f"{container}:/autograder/source")
    done = engine.docker("start", "--attach", container, check=False)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert "level:" in done.stdout, "the log of the build says what the container can protect"
    engine.docker("commit", container, "dl-grader-test:gradescope")
    engine.docker("rm", container)
    yield "dl-grader-test:gradescope"
    engine.docker("rmi", "--force", "dl-grader-test:gradescope")


@pytest.fixture
def platform(engine, prepared, tmp_path):
    """One submission at a time."""
    return Platform(engine, prepared, tmp_path)


class Platform:
    """A fresh container for a submission, as root, with its network and capabilities as an engine gives them."""

    def __init__(self, engine, image, folder):
        self.engine, self.image, self.folder = engine, image, folder
        self.container = ""

    def start(self, edits=None, *, metadata=METADATA, before="true", options=()):
        submission = lay_out_submission(self.folder / "submission", edits)
        command = "cd /autograder; cp source/run_autograder run_autograder; chmod +x run_autograder; mkdir -p results; "
        command += f"{before}; ./run_autograder"
        created = self.engine.docker("create", "--network", "none", *options, self.image, "bash", "-c", command)
        self.container = created.stdout.strip()
        self.engine.docker("cp", submission, f"{self.container}:/autograder/submission")
        if metadata is not None:
            text = metadata if isinstance(metadata, str) else json.dumps(metadata)
            (self.folder / "submission_metadata.json").write_text(text, encoding="utf-8")
            self.engine.docker("cp", self.folder / "submission_metadata.json", f"{self.container}:/autograder/")
        self.engine.docker("start", self.container)

    def results(self):
        """What lies in results.json, which must be valid whatever happened."""
        self.engine.docker("cp", f"{self.container}:/autograder/results/results.json", self.folder / "results.json")
        text = (self.folder / "results.json").read_text("utf-8")
        found = json.loads(text)
        validate(found, gradescope.schema())
        assert "secret seed" not in text
        return found

    def run(self, *arguments, **named):
        self.start(*arguments, **named)
        self.engine.docker("wait", self.container, timeout=600)
        return self.results()

    def log(self):
        done = self.engine.docker("logs", self.container)
        return done.stdout + done.stderr


@pytest.fixture(autouse=True)
def removed(platform):
    yield
    if platform.container:
        platform.engine.docker("rm", "--force", platform.container)


def states(results):
    return {test["extra_data"]["item"]: test["extra_data"]["state"] for test in results["tests"]}


def test_a_right_submission_earns_everything_and_hidden_items_tell_nothing(platform):
    found = platform.run()
    assert found["score"] == 9, platform.log()
    assert found["extra_data"]["complete"] is True
    assert {"suite", "seed_id", "grader", "assignment"} <= found["extra_data"].keys()
    hidden = [test for test in found["tests"] if test["visibility"] == "hidden"]
    assert [test["extra_data"]["item"] for test in hidden] == ["rates.decrease"]
    assert "not shown to students" in hidden[0]["output"]
    assert found["extra_data"]["late"] is True, "handed in a day after the manifest's deadline, whenever it is graded"


def test_a_mistake_costs_its_item_and_a_hostile_import_nothing_but_its_own(platform):
    attack = "import os, signal\ntry:\n    os.kill(-1, 9)\nexcept OSError:\n    pass\nimport torch\n"
    found = platform.run({"model.py": (".mean(dim=1)", ".sum(dim=1)"), "layers.py": ("import torch\n", attack)})
    assert states(found)["scorer.forward"] == "failed"
    assert states(found)["count.right"] == "passed"


@pytest.mark.parametrize("metadata", [None, "{", "[]", json.dumps({"created_at": 5})])
def test_broken_metadata_costs_nothing_but_the_lateness(platform, metadata):
    found = platform.run(metadata=metadata)
    assert found["score"] == 9
    assert "submission_metadata.json could not be read" in found["extra_data"]["notes"][0]


SLOW = {"layers.py": ("    shifted =", "    import time\n    time.sleep(25)\n    shifted =")}


def running(platform, text):
    """Wait for a process of the grading whose command line holds the text; its pid in the container."""
    deadline = time.monotonic() + 300
    look = f"for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline 2>/dev/null | grep -q '{text}' && basename $p; done"
    while time.monotonic() < deadline:
        found = platform.engine.docker("exec", platform.container, "bash", "-c", look, check=False).stdout.split()
        if found:
            return found[0]
        time.sleep(0.2)
    raise AssertionError(f"no process {text} appeared\n{platform.log()}")


def wait_for_a_part(platform):
    """Wait until something that was judged is in results.json."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        done = platform.engine.docker(
            "cp", f"{platform.container}:/autograder/results/results.json", platform.folder / "part.json", check=False
        )
        part = json.loads((platform.folder / "part.json").read_text("utf-8")) if done.returncode == 0 else {"tests": []}
        if any(test.get("score") for test in part["tests"]):
            return
        time.sleep(0.2)
    raise AssertionError(f"nothing was judged\n{platform.log()}")


def test_when_the_time_is_up_that_is_told(platform):
    shortened = """sed -i 's/"seconds": [0-9.]*/"seconds": 15/' source/bundle.json"""
    found = platform.run(SLOW, before=shortened)  # softmax alone sleeps longer
    assert found["extra_data"]["complete"] is False
    assert "took too long" in found["output"]


def test_the_platforms_own_kill_leaves_the_part_that_was_judged(platform):
    platform.start(SLOW)
    wait_for_a_part(platform)
    platform.engine.docker("kill", platform.container)
    found = platform.results()
    assert found["extra_data"]["complete"] is False
    assert states(found)["gate.forward"] == "passed"


def test_a_grader_that_is_killed_is_told_of(platform):
    platform.start(SLOW)
    judge = running(platform, "grader.judge[.]start")  # brackets: not the search itself
    kill = f"kill -9 $(tr '\\0' ' ' < /proc/{judge}/cmdline | awk '{{print $NF}}')"  # it names whom it works for
    platform.engine.docker("exec", platform.container, "bash", "-c", kill)
    platform.engine.docker("wait", platform.container)
    found = platform.results()
    assert "it was killed" in found["output"]
    assert found["extra_data"]["complete"] is False


def test_a_container_with_too_little_memory_still_answers(platform):
    found = platform.run(options=("--memory", "200m", "--memory-swap", "200m"))
    assert found["extra_data"]["complete"] is bool(states(found))
    assert any("MiB of memory" in note for note in found["extra_data"]["notes"])


@pytest.mark.parametrize(
    "damage",
    ["rm -rf /opt/dl-grader", "rm -rf /autograder/source/package", "rm /autograder/source/bundle.json",
     "rm -rf /autograder/source/assignments", "rm -rf /autograder/submission"],
)  # fmt: skip
def test_a_broken_set_up_is_told_without_a_word_against_the_student(platform, damage):
    found = platform.run(before=damage)
    assert found["tests"] == []
    assert "could not judge this submission" in found["output"]


def test_students_code_cannot_read_what_the_grader_holds(platform):
    held = [
        "/autograder/source/bundle.json",
        "/autograder/source/recording",
        "/autograder/source/assignments",
        "/autograder/submission_metadata.json",
    ]
    held += ["/proc/1/cmdline", "/etc/passwd", "/opt/dl-grader"]
    code = f"import os\nseen = [path for path in {held} if os.path.exists(path)]\nassert not seen, seen\nimport torch\n"
    assert platform.run({"layers.py": ("import torch\n", code)})["score"] == 9


def test_the_zip_lies_at_its_root_and_what_runs_may_run(tmp_path, wheelhouse):
    folders = folders_below(copy_of_the_assignment(tmp_path / "assignments"), SLUG)
    write(load(folders), folders, Wanted(platform="gradescope", seed="s"), tmp_path / "autograder.zip")
    with zipfile.ZipFile(tmp_path / "autograder.zip") as archive:
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in archive.infolist()}
    assert modes["run_autograder"] == modes["setup.sh"] == 0o755
    done = subprocess.run(["unzip", "-tq", str(tmp_path / "autograder.zip")], capture_output=True, check=False)
    assert done.returncode == 0
