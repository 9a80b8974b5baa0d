"""`grade --container` with a real engine: the host's results, and what becomes of a run whose container is killed."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from tiny_assignment import ROOT, SLUG, lay_out_submission, open_for_workers

from grader.results.journal import read

SEED = "containers"


def command(image, out, *paths):
    arguments = [sys.executable, "-m", "grader.cli", "grade", SLUG, *paths, "--out", out, "--seed", SEED]
    arguments += ["--assignments", ROOT, "--jobs", "1"]
    return list(map(str, [*arguments, *(["--container", "--image", image] if image else [])]))


def environment(engine, **more):
    return {**os.environ, "DOCKER_HOST": engine.host, "COLUMNS": "200", "OMP_NUM_THREADS": "1", **more}


def grade(engine, image, out, *paths, code=0, cache=None):
    more = {} if cache is None else {"XDG_CACHE_HOME": str(cache)}
    done = subprocess.run(
        command(image, out, *paths),
        env=environment(engine, **more),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == code, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done


def scores(out):
    """Key → (score, item → (state, score)) of a results folder."""
    found = {}
    for path in sorted(out.glob("*/report.json")):
        report = json.loads(path.read_text("utf-8"))
        found[path.parent.name] = (
            report["score"],
            {line["item"]: (line["state"], line["score"]) for line in report["lines"]},
        )
    return found


def hints(out):
    """(key, item) → the known mistake that was recognised."""
    stored = read(out).submissions.items()
    return {(key, name): result.hint for key, one in stored for name, result in one.results.items() if result.hint}


def present(engine):
    return engine.docker("ps", "--all", "--quiet", "--filter", "label=dl-grader.run").stdout.split()


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    folder = open_for_workers(tmp_path_factory.mktemp("class"))
    lay_out_submission(folder / "ada")
    lay_out_submission(folder / "bob", {"model.py": (".mean(dim=1)", ".sum(dim=1)")})
    lay_out_submission(
        folder / "eve", {"layers.py": ("import torch\n", "import os\nos.kill(os.getppid(), 9)\nimport torch\n")}
    )
    return folder


def test_a_grading_in_a_container_is_the_hosts(engine, image, handed_in, tmp_path):
    done = grade(engine, image, tmp_path / "inside", *sorted(handed_in.iterdir()))
    grade(engine, None, tmp_path / "here", *sorted(handed_in.iterdir()))
    assert scores(tmp_path / "inside") == scores(tmp_path / "here")
    assert hints(tmp_path / "inside") == hints(tmp_path / "here") != {}
    assert "tiny: 3/3" in done.stderr
    assert present(engine) == []
    assert not (tmp_path / "inside" / ".container").exists()
    report = json.loads((tmp_path / "inside" / "ada" / "report.json").read_text("utf-8"))
    assert report["protections"]["identity"] == "own user"
    assert report["protections"]["network"].startswith("cut")
    assert json.loads((tmp_path / "inside" / "suite.json").read_text("utf-8"))["summary"]["passed"] > 0


def test_shards_in_containers_from_one_recording_are_the_class_at_once(engine, image, handed_in, tmp_path):
    paths = sorted(handed_in.iterdir())
    cache = tmp_path / "cache"
    grade(engine, None, tmp_path / "whole", *paths, cache=cache)
    [recording] = [path.parent for path in cache.rglob("index.json")]
    parts = []
    for number, more in ((1, ("--recording", recording)), (2, ())):  # what lies on this user's shelf is found as well
        parts.append(tmp_path / str(number))
        done = grade(engine, image, parts[-1], *paths, *more, "--shard", f"{number}/2", cache=cache)
        account = (parts[-1] / "suite.json").read_text("utf-8")
        assert account == (tmp_path / "whole" / "suite.json").read_text("utf-8"), "the suite was run again"
        told = [line for line in done.stderr.splitlines() if "recording" in line and "made with python" not in line]
        assert told == [], "it serves as it is, whatever Python is in the image"
    merge = [sys.executable, "-m", "grader.cli", "merge", *parts, "--out", tmp_path / "out", "--assignments", ROOT]
    done = subprocess.run(list(map(str, merge)), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert scores(tmp_path / "out") == scores(tmp_path / "whole")
    assert {len(scores(part)) for part in parts} != {0, 3}


def started(engine, image, out, folder):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command(image, out, *sorted(folder.iterdir())), env=environment(engine), **pipes)


def wait_until_finished(journal, count, process):
    deadline = time.monotonic() + 600
    while not journal.exists() or journal.read_text("utf-8").count('"kind":"finished"') < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "nothing was finished in ten minutes"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    folder = open_for_workers(tmp_path_factory.mktemp("many"))
    for number in range(12):
        lay_out_submission(folder / f"student{number:02}")
    return folder


def test_a_container_that_is_killed_is_replaced_and_the_run_resumes(engine, image, many, tmp_path):
    out = tmp_path / "out"
    process = started(engine, image, out, many)
    wait_until_finished(out / ".container" / "journal.jsonl", 2, process)
    killed = present(engine)
    assert len(killed) == 1
    engine.docker("kill", *killed)
    text, errors = process.communicate(timeout=900)
    assert process.returncode == 0, f"{text}\n{errors}"
    found = scores(out)
    assert len(found) == 12
    assert {score for score, _ in found.values()} == {"9"}
    assert present(engine) == []


def test_what_was_finished_survives_the_end_of_the_hosts_side(engine, image, many, tmp_path):
    out = tmp_path / "out"
    process = started(engine, image, out, many)
    wait_until_finished(out / ".container" / "journal.jsonl", 2, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = grade(engine, image, out, *sorted(many.iterdir()))
    assert len(scores(out)) == 12
    assert done.stderr.count("tiny:") < 12, "what was finished is not judged again"
    assert present(engine) == []


def test_an_image_that_is_missing_or_no_grader_is_told_before_anything_is_started(engine, base, image, many, tmp_path):
    done = grade(engine, "dl-grader-nowhere:cpu", tmp_path / "missing", *many.iterdir(), code=2)
    assert "make image" in done.stderr
    done = grade(engine, base, tmp_path / "other", *many.iterdir(), code=2)
    assert "is not one of the grader's" in done.stderr


def test_the_image_starts_without_network_root_or_writable_disk(engine, image):
    done = engine.docker("run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL", image, "--version")
    assert done.stdout.startswith("grader ")
    found = json.loads(engine.docker("image", "inspect", image).stdout)[0]["Config"]
    assert found["User"] == "64000:64000"
    tools = "import shutil; print([name for name in ('gcc', 'cc', 'pip') if shutil.which(name)])"
    done = engine.docker("run", "--rm", "--network", "none", "--entrypoint", "/opt/venv/bin/python", image, "-c", tools)
    assert done.stdout.strip() == "[]"


def test_doctor_says_what_a_container_here_protects(engine, image):
    doctor = [sys.executable, "-m", "grader.cli", "doctor", "--json", "--container", "--image", image]
    done = subprocess.run(doctor, env=environment(engine), capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    held = {line["protection"] for line in json.loads(done.stdout)["lines"] if line["holds"]}
    assert {"honest code", "files", "submission", "signals", "identity", "memory", "clock", "processes"} <= held
