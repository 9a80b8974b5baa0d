"""Kept submissions of the shipped assignments get the same verdicts wherever they are graded, without trainings:

    grader grade                  here, with the reference
    grader grade --container      one container for all of an assignment
    a bundle, in the image        all of them at once from a recording, without the reference
    Gradescope, PrairieLearn,     one after another, each as if it were the only one: what the platform is told is what
    Autolab                       is earned here

That a kit shows no fault in what is right is a part of `grader verify`, `check` is held against `grade` by
tests/assignments/test_check_and_grade_agree.py. By default a handful of two assignments; all of all with `ALL_KEPT=1`,
but for the platforms, which start anew for each; all there as well with `ALL_KEPT=platforms`.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tiny_assignment import open_for_workers

from grader.assignment.assignment import Assignment
from grader.assignment.locate import Folders
from grader.commands.shared import open_assignment
from grader.platforms import autolab, prairielearn
from grader.platforms.bundle import Wanted, write
from grader.proof.kept import edited_sources, read_kept
from grader.proof.reference import lay_out
from grader.results.journal import read
from grader.scoring import score

ROOT = Path(__file__).parents[2]
EVERY = os.environ.get("ALL_KEPT", "")
SHIPPED = sorted(path.parent.name for path in (ROOT / "test_suites").glob("*/submissions"))
SLUGS = SHIPPED if EVERY else ["cs7643_a4", "mldl1_hw4"]  # files, and notebooks
HANDFUL = 6
SEED = "everywhere"
PYTHON = "/opt/venv/bin/python"
# Each platform's place for a submission, and where its answer comes out.
ONE_BY_ONE = f"""
mkdir -p /autograder /grade; cd /tmp
for one in /chosen/*; do key=$(basename $one); rm -rf /autograder/* /grade/*
  cp -r $one /autograder/submission; {PYTHON} -P -m grader.platforms gradescope /bundle > /out/$key.log
  cp /autograder/results/results.json /out/$key.gradescope
  cp -r $one /grade/student; {PYTHON} -P -m grader.platforms prairielearn /bundle >> /out/$key.log
  cp /grade/results/results.json /out/$key.prairielearn
  {PYTHON} -P -m grader.platforms autolab /bundle /autograder/submission | tail -n 1 > /out/$key.autolab
done
"""


@dataclass(frozen=True)
class Class:
    """What is handed in of an assignment, and what it earned here."""

    assignment: Assignment
    folders: Folders
    handed_in: Path
    here: Path


def spread(paths, count):
    """Some of them, from all over."""
    paths = sorted(paths)
    return paths[:: max(1, len(paths) // count)][:count]


def laid_out(assignment, target):
    """The reference and the kept submissions, each in a folder named by its kind."""
    kept = read_kept(assignment.suite)
    if EVERY == "":
        kept = [one for kind in ("correct", "hostile", "wrong") for one in
                spread_of(kept, kind, HANDFUL // 2 if kind == "wrong" else 1)]  # fmt: skip
    lay_out(assignment, target / "reference")
    for one in kept:
        place = target / f"{one.kind}-{one.name}"
        if one.path.is_dir():
            shutil.copytree(one.path, place, ignore=shutil.ignore_patterns("expect.yaml", "__pycache__"))
        else:
            lay_out(assignment, place, edited_sources(one, assignment.reference))


def spread_of(kept, kind, count):
    of_kind = [one for one in kept if one.kind == kind]
    return of_kind[:: max(1, len(of_kind) // count)][:count]


def grade(slug, out, paths, *more, host=""):
    command = [sys.executable, "-P", "-m", "grader.cli", "grade", slug, *paths, "--out", out, "--seed", SEED]
    command += ["--assignments", ROOT, "--jobs", "1", "--training", "off", *more]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **({"DOCKER_HOST": host} if host else {})}
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"


def verdicts(out):
    """(key, item) → what was found, and (key, "rules") → what was broken."""
    found = {}
    for key, stored in read(out).submissions.items():
        for name, result in stored.results.items():
            found[key, name] = (result.status, result.credit, result.hint, result.only, result.charged_with)
        found[key, "rules"] = tuple(sorted({violation.rule for violation in stored.violations.values()}))
    return found


def timed_out(out):
    """(key, item) whose clock ran out: on a busy machine that is no verdict on the submission."""
    stored = read(out).submissions
    return {(key, name) for key, one in stored.items() for name, result in one.results.items()
            if "timed out" in result.reason}  # fmt: skip


def assert_the_same(here, there):
    expected, found = verdicts(here), verdicts(there)
    assert expected.keys() == found.keys()
    late = timed_out(here) | timed_out(there)
    apart = {name: (expected[name], found[name]) for name in expected if expected[name] != found[name]}
    assert {name: pair for name, pair in apart.items() if name not in late} == {}
    assert len(late) < len(expected) / 20


@pytest.fixture(scope="module", params=SLUGS)
def graded(request, tmp_path_factory):
    """Everything that is kept of an assignment, graded here."""
    folders, assignment = open_assignment(request.param, ROOT)
    folder = open_for_workers(tmp_path_factory.mktemp(request.param))
    laid_out(assignment, folder / "in")
    grade(assignment.slug, folder / "here", sorted((folder / "in").iterdir()))
    states = {
        status for status, *_ in (pair for (_, name), pair in verdicts(folder / "here").items() if name != "rules")
    }
    assert {"passed", "failed"} <= states
    return Class(assignment, folders, folder / "in", folder / "here")


def test_one_container_judges_as_this_machine_does(engine, image, graded, tmp_path):
    paths = sorted(graded.handed_in.iterdir())
    grade(graded.assignment.slug, tmp_path / "there", paths, "--container", "--image", image, host=engine.host)
    assert_the_same(graded.here, tmp_path / "there")


@pytest.fixture
def bundle(graded, tmp_path):
    """The recording under the same seed, and the assignment without its reference."""
    open_for_workers(tmp_path)
    wanted = Wanted(platform="plain", seed=SEED)
    write(graded.assignment, graded.folders, wanted, tmp_path / "bundle")
    return tmp_path / "bundle" / "source"


def run_in(engine, image, mounts, *command):
    """As root with the engine's own privileges, as platforms do it, and without a network."""
    volumes = [word for inside, path in mounts.items() for word in ("--volume", f"{path}:{inside}")]
    options = ["run", "--rm", "--network", "none", "--user", "0", *volumes]
    return engine.docker(*options, "--entrypoint", command[0], image, *command[1:], timeout=7200, check=False)


def test_a_bundle_judges_as_the_reference_does(engine, image, graded, bundle, tmp_path):
    (tmp_path / "out").mkdir()
    mounts = {"/bundle": bundle, "/in": graded.handed_in, "/out": tmp_path / "out"}
    done = run_in(engine, image, mounts, PYTHON, "-P", "-m", "grader.platforms", "plain", "/bundle")
    assert done.returncode == 0, done.stdout[-3000:]
    assert_the_same(graded.here, tmp_path / "out")


def test_platforms_are_told_what_is_earned_here(engine, image, graded, bundle, tmp_path):
    paths = sorted(graded.handed_in.iterdir())
    (tmp_path / "chosen").mkdir()
    (tmp_path / "told").mkdir()
    for path in paths if EVERY == "platforms" else spread(paths, 3):
        shutil.copytree(path, tmp_path / "chosen" / path.name)
    done = run_in(engine, image, {"/bundle": bundle, "/chosen": tmp_path / "chosen", "/out": tmp_path / "told"},
                  "/bin/sh", "-c", ONE_BY_ONE)  # fmt: skip
    reports = {one.key: score(one, graded.assignment) for one in read(graded.here).graded()}
    late = {key for key, _ in timed_out(graded.here)}
    for key in {path.name for path in (tmp_path / "chosen").iterdir()} - late:
        expected = reports[key]
        log = f"{key}\n{(tmp_path / 'told' / f'{key}.log').read_text('utf-8')[-2000:]}{done.stderr[-1000:]}"
        told = {name: (tmp_path / "told" / f"{key}.{name}").read_text("utf-8")
                for name in ("gradescope", "prairielearn", "autolab")}  # fmt: skip
        on_gradescope = json.loads(told["gradescope"])
        states = {test["extra_data"]["item"]: (test["extra_data"]["state"], test.get("score"))
                  for test in on_gradescope["tests"]}  # fmt: skip
        shown = {line.item: (line.state, None if line.score is None else float(line.score)) for line in expected.lines}
        assert {name: pair for name, pair in states.items() if shown[name] != pair} == {}, log
        assert on_gradescope["score"] == pytest.approx(float(expected.score)), log
        on_prairielearn = json.loads(told["prairielearn"])
        assert on_prairielearn["score"] == pytest.approx(prairielearn.share(expected)), log
        assert on_prairielearn["gradable"] is True, log
        assert json.loads(told["autolab"])["scores"] == pytest.approx(autolab.scores_of(expected)), log
