"""The wheel: built as a course would build it, installed into an empty environment, used outside this repository."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from tutorial import follow

import grader

REPOSITORY = Path(grader.__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "grader"


def run(*command, cwd, code=0, **environment):
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "100", "OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy, because building leaves folders beside the sources."""
    import shutil

    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(REPOSITORY / name, source / name)
    shutil.copytree(PACKAGE, source / "grader", ignore=shutil.ignore_patterns("__pycache__"))
    search = ":".join(path for path in sys.path if path)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", source / "dist", cwd=source,
        PYTHONPATH=search)  # fmt: skip
    (found,) = (source / "dist").glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    return environment(tmp_path_factory.mktemp("environment"), wheel)


def environment(folder, wheel):
    """An environment that holds the wheel alone, and sees the packages that it needs."""
    venv.create(folder, with_pip=False)
    packages = next(folder.glob("lib/python3*/site-packages"))
    seen = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (packages / "dependencies.pth").write_text("\n".join(seen), encoding="utf-8")
    # --ignore-installed: this repository's own installation is among what is seen.
    run(sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet", "--no-deps",
        "--no-index", "--ignore-installed", wheel, cwd=folder, PYTHONPATH=":".join(seen))  # fmt: skip
    return folder / "bin"


def test_the_wheel_holds_every_file_of_the_package(wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("grader/")}
    present = {
        path.relative_to(REPOSITORY).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == present


def test_the_core_needs_no_container_engine(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        needed = [line for line in archive.read(name).decode().splitlines() if line.startswith("Requires-Dist")]
    assert any("docker" in line and 'extra == "container"' in line for line in needed)
    assert not any("docker" in line and "extra" not in line for line in needed)


def test_a_course_makes_proves_and_grades_an_assignment_with_it(installed, tmp_path):
    where = run(installed / "python", "-P", "-c", "import grader; print(grader.__file__)", cwd=tmp_path).stdout
    assert Path(where.strip()).is_relative_to(installed.parent)
    assert "grade" in run(installed / "grader", "--help", cwd=tmp_path).stdout
    run(installed / "grader", "new-course", "dl-2027", cwd=tmp_path)
    course = tmp_path / "dl-2027"
    told = run("make", "verify", "kits", "bundles", f"GRADER={installed / 'grader'}", cwd=course).stdout
    assert "hw1: proven" in told
    assert {path.name for path in (course / "dist").iterdir()} == {"hw1-kit.zip", "hw1-gradescope.zip"}
    (ignored,) = (line for line in (course / ".gitignore").read_text().splitlines() if "dist" in line)
    assert ignored == "/dist/"
    done = run(installed / "grader", "grade", "hw1", "student_templates/hw1", "--out", "grades", cwd=course)
    assert "1 submission" in done.stdout
    assert (course / "grades" / "hw1" / "results.json").is_file()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="grading a class needs Linux")
def test_the_tutorial_does_what_it_says(installed, tmp_path):
    def command(line, code):
        _, *words = line.split()
        return run(installed / "grader", *words, cwd=tmp_path, code=code, COLUMNS="200", NO_COLOR="1").stdout

    printed = follow(tmp_path, command)
    assert "losses: proven; 6 automatic items" in printed["grader verify losses"]
    assert "none survives unexplained" in printed["grader verify losses --mutants"]
    assert "Hint: the sum and not the mean over the rows" in printed["grader check losses class/ada"]
    assert "7 of 9" in printed["grader grade losses class --out grades"]
    assert (tmp_path / "long" / "check_probes.py").is_file()


def test_a_student_checks_with_the_kit_alone(installed, tmp_path):
    course, student = tmp_path / "course", tmp_path / "student"
    course.mkdir()
    run(installed / "grader", "new", "my_hw", cwd=course)
    run(installed / "grader", "template", "my_hw", cwd=course)
    run(installed / "grader", "kit", "my_hw", "--out", "kit.zip", cwd=course)
    with zipfile.ZipFile(course / "kit.zip") as archive:
        archive.extractall(student)
    course.rename(tmp_path / "out of reach")
    kit = student / "my_hw-kit"
    (carried,) = kit.glob("*.whl")
    here = environment(student / "environment", carried)
    where = run(here / "python", "-P", "-c", "import grader; print(grader.__file__)", cwd=student).stdout
    assert Path(where.strip()).is_relative_to(here.parent)
    done = run(here / "python", "check.py", cwd=kit, code=1)
    assert "1 not attempted" in done.stdout
    done = run(here / "grader", "check", "my_hw", "work", cwd=kit, code=1)
    assert "1 not attempted" in done.stdout, "the command finds the kit that it stands in"
