"""What a container is given and denied, and what is said when none can be had."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_assignment import ROOT, SLUG, lay_out_submission, tiny

from grader.container.box import CAPABILITIES, Box, create_arguments, memory_of
from grader.container.connecting import explained, processors_for, runtime_for
from grader.container.image import SOURCE_LABEL, require_fresh, source_digest
from grader.errors import GraderError, UsageError
from grader.run.engine import Trainings

docker = pytest.importorskip("docker", reason="the Docker SDK is not installed")


def box(**changes):
    usual = {
        "image": "grader:cpu",
        "command": ("grade", "tiny"),
        "reads": {"/assignments": Path("/host/assignments")},
        "writes": {"/out/journal.jsonl": Path("/host/journal.jsonl")},
        "memory_mib": 2048,
        "jobs": 2,
        "processors": 3,
    }
    return Box(**{**usual, **changes})


def test_everything_is_denied_but_what_confinement_needs():
    given = create_arguments(box())
    assert given["network_mode"] == "none"
    assert given["read_only"] is True
    assert given["cap_drop"] == ["ALL"]
    assert set(given["cap_add"]) == set(CAPABILITIES) == {
        "SETUID", "SETGID", "SYS_CHROOT", "KILL", "CHOWN", "DAC_OVERRIDE"
    }  # fmt: skip
    assert given["security_opt"] == ["no-new-privileges:true"]
    assert given["mem_limit"] == given["memswap_limit"] == "2048m"
    assert given["pids_limit"] > 0
    assert given["nano_cpus"] == 3_000_000_000
    assert all("size=" in options and "noexec" in options for options in given["tmpfs"].values())
    assert not {"privileged", "devices", "volumes", "device_requests", "runtime"} & given.keys()


def test_only_what_is_named_is_mounted_and_only_two_files_can_be_written():
    mounts = create_arguments(box())["mounts"]
    assert {(mount["Target"], mount["ReadOnly"]) for mount in mounts} == {
        ("/assignments", True), ("/out/journal.jsonl", False)
    }  # fmt: skip
    assert not any("docker.sock" in mount["Source"] for mount in mounts)


def test_a_gpu_is_asked_for_by_name_and_gvisor_is_used_without_one():
    (request,) = create_arguments(box(gpu="1"))["device_requests"]
    assert (request["DeviceIDs"], request["Capabilities"]) == (["1"], [["gpu"]])
    assert create_arguments(box(runtime="runsc"))["runtime"] == "runsc"

    class Client:
        def info(self):
            return {"Runtimes": {"runc": {}, "runsc": {}}}

    assert runtime_for(Client(), "cpu") == "runsc"
    assert runtime_for(Client(), "cuda") == ""


@pytest.mark.parametrize(("jobs", "there", "given"), [(1, 8, 2), (4, 8, 5), (8, 8, 8), (16, 8, 8), (2, None, 3)])
def test_the_grader_has_a_processor_beside_its_jobs_where_the_engine_has_one(jobs, there, given):
    class Client:
        def info(self):
            return {} if there is None else {"NCPU": there}

    assert processors_for(Client(), jobs) == given


def test_memory_follows_the_manifest_and_the_number_of_jobs():
    _, assignment = tiny()
    one, two = (memory_of(assignment, Trainings(), jobs) for jobs in (1, 2))
    assert two - one == 256 + 512  # a judge, and a worker of the manifest's 512 MiB


def test_an_image_must_hold_this_state_of_the_grader():
    require_fresh("image", {SOURCE_LABEL: source_digest()}, "cpu")
    with pytest.raises(UsageError, match=r"stale.*make image`"):
        require_fresh("image", {SOURCE_LABEL: "0" * 24}, "cpu")
    with pytest.raises(UsageError, match=r"not one of the grader's.*make image-gpu`"):
        require_fresh("image", {}, "cuda")


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ('could not select device driver "" with capabilities: [[gpu]]', UsageError, "NVIDIA Container Toolkit"),
        ("write /var/lib/docker/tmp: no space left on device", GraderError, "make room"),
        ("something else", GraderError, "could not run image: something else"),
    ],
)
def test_what_the_engine_refuses_is_explained(said, error, words):
    with pytest.raises(error, match=words), explained("image"):
        raise docker.errors.APIError("500", explanation=said)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"DOCKER_HOST": "unix:///nowhere/docker.sock"}, "no container engine answers at unix:///nowhere/docker.sock"),
        ({"DOCKER_HOST": "nonsense"}, "no container engine answers at nonsense"),
    ],
)
def test_without_an_engine_the_command_says_what_to_do_and_exits_with_2(tmp_path, environment, words):
    lay_out_submission(tmp_path / "ada")
    command = [sys.executable, "-m", "grader.cli", "grade", SLUG, tmp_path / "ada", "--out", tmp_path / "out"]
    command += ["--assignments", ROOT, "--container"]
    done = subprocess.run(
        list(map(str, command)),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
