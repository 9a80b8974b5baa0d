"""The files of docker/: lock files that fit the package, and a Dockerfile that leaves nothing behind."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import grader
from grader.container.image import default_image, source_digest

REPOSITORY = Path(grader.__file__).resolve().parents[1]
DOCKER = REPOSITORY / "docker"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]


def locked(variant):
    """Package → (version, hashes) of a lock file."""
    text = (DOCKER / f"{variant}.lock").read_text("utf-8")
    entries = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    return {
        canonicalize_name(name): (version, re.findall(r"sha256:[0-9a-f]{64}", rest)) for name, version, rest in entries
    }


@pytest.mark.parametrize("variant", ["cpu", "cuda"])
def test_a_lock_file_holds_every_dependency_with_hashes(variant):
    entries = locked(variant)
    for requirement in map(Requirement, PROJECT["dependencies"]):
        if requirement.marker is not None and not requirement.marker.evaluate({"sys_platform": "linux"}):
            continue
        version, _ = entries[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version.split("+")[0]), (
            f"{requirement} is locked as {version}; make locks"
        )
    assert [name for name, (_, hashes) in entries.items() if not hashes] == []


def test_the_variants_differ_in_torch_and_its_libraries_alone():
    cpu, cuda = locked("cpu"), locked("cuda")
    differing = {name for name in cpu.keys() | cuda.keys() if cpu.get(name) != cuda.get(name)}
    assert {name for name in differing if not name.startswith(("nvidia-", "cuda-"))} == {"torch", "triton"}


def test_the_image_runs_as_nobody_in_particular_and_says_what_it_holds():
    text = (DOCKER / "Dockerfile").read_text("utf-8")
    assert text.index("COPY --from=packages") < text.index("COPY --from=grader"), "the large layer changes least"
    last = text[text.rindex("FROM ") :]
    assert "RUN" not in last
    assert last.startswith("FROM library\n"), "Python's own library has its bytecode"
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last, re.MULTILINE)
    assert "dl-grader.source=" in last


def test_the_digest_says_which_state_of_the_grader_an_image_holds():
    assert re.fullmatch(r"[0-9a-f]{24}", source_digest())
    assert (default_image("cpu"), default_image("cuda")) == ("dl-grader:cpu", "dl-grader:cuda")
