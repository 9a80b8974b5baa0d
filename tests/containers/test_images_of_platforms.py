"""The images that bundles for PrairieLearn and for no platform are built into, started as on their platforms."""

import json

import pytest
from tiny_assignment import SLUG, lay_out_submission, open_for_workers, tiny

from grader.platforms.bundle import Wanted, write


@pytest.fixture
def built(engine, image, tmp_path):
    """Bundle for a platform, build the image; its name."""
    names = []

    def build(platform):
        folders, assignment = tiny()
        write(assignment, folders, Wanted(platform=platform, seed="secret"), tmp_path / platform)
        names.append(f"dl-grader-test:{platform}")
        engine.docker("build", "--quiet", "--network", "none", "--build-arg", f"BASE={image}", "--tag", names[-1],
                      tmp_path / platform)  # fmt: skip
        return names[-1]

    yield build
    for name in names:
        engine.docker("rmi", "--force", name)


def test_prairielearn_gets_a_share(engine, built, tmp_path):
    name = built("prairielearn")
    labels = json.loads(engine.docker("image", "inspect", name).stdout)[0]["Config"]["Labels"]
    assert labels["dl-grader.assignment"] == SLUG
    assert labels["dl-grader.suite"]
    container = engine.docker("create", "--network", "none", name).stdout.strip()
    try:
        lay_out_submission(tmp_path / "grade" / "student", {"model.py": (".mean(dim=1)", ".sum(dim=1)")})
        engine.docker("cp", tmp_path / "grade", f"{container}:/grade")
        done = engine.docker("start", "--attach", container, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        engine.docker("cp", f"{container}:/grade/results/results.json", tmp_path / "results.json")
    finally:
        engine.docker("rm", "--force", container)
    found = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert found["gradable"] is True
    assert found["score"] == pytest.approx(7 / 9)


def test_plain_grades_a_class(engine, built, tmp_path):
    name = built("plain")
    open_for_workers(tmp_path)
    for student in ("ada", "bob"):
        lay_out_submission(tmp_path / "in" / student)
    (tmp_path / "out").mkdir()
    mounts = ["-v", f"{tmp_path / 'in'}:/in:ro", "-v", f"{tmp_path / 'out'}:/out"]
    engine.docker("run", "--rm", "--network", "none", *mounts, name)
    assert {path.parent.name for path in (tmp_path / "out").glob("*/results.json")} == {"ada", "bob"}
