"""`grader bundle`: what is written, what is said, and what is refused."""

import json
import zipfile

import pytest
from commands.test_cli import grader
from tiny_assignment import SLUG

from grader.platforms.bundle import requirements


@pytest.mark.parametrize(
    ("platform", "names"),
    [
        ("prairielearn", {"Dockerfile", "info.json", "source"}),
        ("autolab", {"Dockerfile", "autograde-Makefile", "source"}),
        ("plain", {"Dockerfile", "source"}),
    ],
)
def test_a_folder_to_build_an_image_from(tmp_path, platform, names):
    out = tmp_path / "bundle"
    text, _ = grader("bundle", SLUG, "--for", platform, "--seed", "s", "--out", out)
    assert {path.name for path in out.iterdir()} == names
    assert "docker build" in text
    assert "Lateness is decided" in text
    settings = json.loads((out / "source" / "bundle.json").read_text("utf-8"))
    assert (settings["slug"], settings["platform"], settings["seed"]) == (SLUG, platform, "s")
    assert settings["suite"] in (out / "Dockerfile").read_text("utf-8")
    assert (out / "source" / "recording" / "index.json").is_file()
    assert not (out / "source" / "assignments" / "reference_solutions").exists()
    assert not [path for path in out.iterdir() if path.is_file() and b"@slug@" in path.read_bytes()]


def test_gradescopes_zip_holds_what_the_platform_looks_for_and_a_new_secret(tmp_path):
    seeds = set()
    for number in range(2):
        out = tmp_path / f"{number}.zip"
        text, _ = grader("bundle", SLUG, "--for", "gradescope", "--minutes", "20", "--out", out)
        with zipfile.ZipFile(out) as archive:
            names = set(archive.namelist())
            seeds.add(json.loads(archive.read("bundle.json"))["seed"])
            assert archive.read("requirements.txt").decode().splitlines() == requirements()
        assert {"setup.sh", "run_autograder", "not_started.json", "package/grader/cli/__init__.py"} <= names
        assert not [name for name in names if "__pycache__" in name or f"{SLUG}/submissions" in name]
        assert "0.5 CPU, 0.75 GB" in text
        assert "time limit 21 minutes" in text
        assert "No deadline goes along" in text
        assert not seeds & set(text.split())
    assert len(seeds) == 2


def test_the_courses_deadline_goes_along_to_gradescope_and_is_told(tmp_path):
    course = "assignments: {tiny: {due: 2026-03-01 00:00, zone: Europe/Berlin, grace_hours: 2}}\n"
    (tmp_path / "course.yaml").write_text(course)
    options = ("--course", tmp_path / "course.yaml", "--docker", "--out", tmp_path / "bundle")
    text, _ = grader("bundle", SLUG, "--for", "gradescope", *options)
    assert "Lateness goes by course.yaml (due 2026-03-01 00:00 Europe/Berlin, 2 hours of grace). Set the same" in text
    assert (tmp_path / "bundle" / "source" / "assignments" / "course.yaml").is_file()


def test_the_reference_goes_along_only_where_that_is_asked_for(tmp_path):
    grader("bundle", SLUG, "--for", "plain", "--with-reference", "--out", tmp_path / "bundle")
    assert (tmp_path / "bundle" / "source" / "assignments" / "reference_solutions" / SLUG / "model.py").is_file()


def test_wheels_go_along_and_choose_the_versions(tmp_path):
    (tmp_path / "wheels").mkdir()
    arguments = ("bundle", SLUG, "--for", "gradescope", "--wheelhouse", tmp_path / "wheels")
    _, errors = grader(*arguments, "--out", tmp_path / "a.zip", code=2)
    assert "holds no wheels" in errors
    (tmp_path / "wheels" / "torch.whl").write_bytes(b"wheel")
    grader(*arguments, "--out", tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.read("wheelhouse/torch.whl") == b"wheel"
        wanted = archive.read("requirements.txt").decode().splitlines()
        assert not [line for line in wanted if "==" in line.partition(";")[0]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--for", "moodle"), "expected one of gradescope, prairielearn, autolab, plain"),
        (("--for", "autolab", "--training", "real"), "expected off or made"),
        (("--for", "autolab", "--minutes", "0.2"), "too few"),
    ],
)
def test_what_cannot_be_bundled_is_refused(tmp_path, arguments, words):
    _, errors = grader("bundle", SLUG, *arguments, "--out", tmp_path / "bundle", code=2)
    assert words in errors
    assert not (tmp_path / "bundle").exists()


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "bundle").mkdir()
    _, errors = grader("bundle", SLUG, "--for", "plain", "--out", tmp_path / "bundle", code=2)
    assert "exists already" in errors
