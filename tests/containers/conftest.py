"""A real container engine and the grader's image, for the tests of this folder.

The engine is the one that `DOCKER_HOST` names, or one that is started here as root (Debian's docker.io); the base image
is `GRADER_TEST_BASE`, or made with debootstrap. What cannot be had skips the tests, with the reason. Layers and wheels
are kept in GRADER_ENGINE_DIR between runs, because installing torch into an image takes minutes.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

import grader
from grader.container.image import source_digest

REPOSITORY = Path(grader.__file__).resolve().parents[1]
KEPT = Path(os.environ.get("GRADER_ENGINE_DIR", "/var/tmp/dl-grader-engine"))
BASE, IMAGE = "dl-grader-test-base:bookworm", "dl-grader-test:cpu"


@dataclass(frozen=True)
class Engine:
    """Its address, and the command line that talks to it."""

    host: str

    def docker(self, *arguments, check=True, timeout=1200):
        done = subprocess.run(
            ["docker", *map(str, arguments)],
            env={**os.environ, "DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "0"},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0 or not check, f"docker {arguments}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done


def answers(host):
    return host and Engine(host).docker("version", check=False, timeout=30).returncode == 0


@pytest.fixture(scope="session")
def engine():
    if shutil.which("docker") is None:
        pytest.skip("no container engine: the command docker is not installed")
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if answers(host):
        yield Engine(host)
        return
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        pytest.skip("no container engine answers, and none can be started here (dockerd, as root)")
    KEPT.mkdir(parents=True, exist_ok=True)
    host = f"unix://{KEPT}/docker.sock"
    command = ["dockerd", "--data-root", KEPT / "data", "--exec-root", KEPT / "exec", "--pidfile", KEPT / "pid"]
    command += ["-H", host, "--iptables=false", "--ip6tables=false", "--bridge=none"]
    with (KEPT / "dockerd.log").open("wb") as log:
        daemon = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not answers(host):
            if daemon.poll() is not None or time.monotonic() > deadline:
                pytest.skip(f"dockerd does not start here: {(KEPT / 'dockerd.log').read_text()[-500:]}")
            time.sleep(0.5)
        yield Engine(host)
    finally:
        daemon.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            daemon.wait(30)


@pytest.fixture(scope="session")
def base(engine):
    """A slim image with Python 3.11."""
    if named := os.environ.get("GRADER_TEST_BASE"):
        return named
    if engine.docker("image", "inspect", BASE, check=False).returncode == 0:
        return BASE
    if shutil.which("debootstrap") is None or os.geteuid() != 0:
        pytest.skip("no base image: set GRADER_TEST_BASE, or install debootstrap and run as root")
    KEPT.mkdir(parents=True, exist_ok=True)
    root = KEPT / "root"
    shutil.rmtree(root, ignore_errors=True)
    packages = "python3,python3-venv,ca-certificates,make,unzip"
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(root)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no base image: debootstrap failed: {done.stdout[-300:]}{done.stderr[-300:]}")
    pipe = f"tar -C {root} --exclude=./proc/* --exclude=./sys/* --exclude=./var/cache/apt/* --exclude=./dev/* -c ."
    done = subprocess.run(
        ["bash", "-c", f"{pipe} | docker import - {BASE}"], env={**os.environ, "DOCKER_HOST": engine.host}, check=True
    )
    shutil.rmtree(root, ignore_errors=True)
    return BASE


@pytest.fixture(scope="session")
def wheelhouse():
    """The wheels of docker/cpu.lock."""
    folder, lock = KEPT / "wheels", REPOSITORY / "docker" / "cpu.lock"
    complete = folder / f"{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}.complete"
    if complete.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--dest", folder, "--requirement", lock]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the wheels of docker/cpu.lock cannot be had here: {done.stderr[-300:]}")
    complete.touch()
    return folder


@pytest.fixture(scope="session")
def context(tmp_path_factory, wheelhouse):
    """What `make image` hands to the engine: docker/ with a wheelhouse, and dist/ with the wheel."""
    folder = tmp_path_factory.mktemp("context")
    shutil.copytree(REPOSITORY / "docker", folder / "docker", ignore=shutil.ignore_patterns("wheelhouse"))
    shutil.copytree(wheelhouse, folder / "docker" / "wheelhouse", ignore=shutil.ignore_patterns("*.complete"))
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(REPOSITORY / name, source / name)
    shutil.copytree(REPOSITORY / "grader", source / "grader", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "dist"],
        cwd=source,
        env={**os.environ, "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        check=True,
    )
    return folder


@pytest.fixture(scope="session")
def image(engine, base, context):
    """The grader's image, built without a network."""
    offline = "--no-index --find-links /context/wheelhouse"
    settings = {"BASE": base, "PIP_OPTIONS": offline, "VERSION": grader.__version__, "SOURCE": source_digest()}
    settings = [word for name, value in settings.items() for word in ("--build-arg", f"{name}={value}")]
    file = context / "docker" / "Dockerfile"
    engine.docker("build", "--quiet", "--network", "none", "--file", file, *settings, "--tag", IMAGE, context)
    return IMAGE
