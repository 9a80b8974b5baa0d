"""A real container engine and the grader's image.

The engine is the one that `DOCKER_HOST` names, or one that is started here as root (Debian's docker.io); the base image
is `GRADER_TEST_BASE`, or made with debootstrap. Layers and wheels are kept in GRADER_ENGINE_DIR between runs, because
installing torch into an image takes minutes. What cannot be had raises Missing, with the reason.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grader
from grader.container.image import source_digest

REPOSITORY = Path(grader.__file__).resolve().parents[1]
KEPT = Path(os.environ.get("GRADER_ENGINE_DIR", "/var/tmp/dl-grader-engine"))
BASE, IMAGE = "dl-grader-test-base:bookworm", "dl-grader-test:cpu"


class Missing(Exception):
    """There is no engine, base image or wheel to be had here; says why."""


@dataclass(frozen=True)
class Engine:
    """Its address, and the command line that talks to it."""

    host: str

    def docker(self, *arguments: object, check: bool = True, timeout: float = 1200) -> subprocess.CompletedProcess[str]:
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

    @property
    def answers(self) -> bool:
        return self.docker("version", check=False, timeout=30).returncode == 0


@contextlib.contextmanager
def an_engine() -> Iterator[Engine]:
    """One that answers, or one of our own for as long as this lasts. Raises Missing."""
    if shutil.which("docker") is None:
        raise Missing("no container engine: the command docker is not installed")
    own = Engine(f"unix://{KEPT}/docker.sock")
    for known in (Engine(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"), own):
        if known.answers:
            yield known
            return
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        raise Missing("no container engine answers, and none can be started here (dockerd, as root)")
    KEPT.mkdir(parents=True, exist_ok=True)
    command = ["dockerd", "--data-root", KEPT / "data", "--exec-root", KEPT / "exec", "--pidfile", KEPT / "pid"]
    command += ["-H", own.host, "--iptables=false", "--ip6tables=false", "--bridge=none"]
    with (KEPT / "dockerd.log").open("wb") as log:
        daemon = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while not own.answers:
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise Missing(f"dockerd does not start here: {(KEPT / 'dockerd.log').read_text()[-500:]}")
            time.sleep(0.5)
        yield own
    finally:
        daemon.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            daemon.wait(30)


def base_image(engine: Engine) -> str:
    """A slim image with Python 3.11. Raises Missing."""
    if named := os.environ.get("GRADER_TEST_BASE"):
        return named
    if engine.docker("image", "inspect", BASE, check=False).returncode == 0:
        return BASE
    if shutil.which("debootstrap") is None or os.geteuid() != 0:
        raise Missing("no base image: set GRADER_TEST_BASE, or install debootstrap and run as root")
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
        raise Missing(f"no base image: debootstrap failed: {done.stdout[-300:]}{done.stderr[-300:]}")
    pipe = f"tar -C {root} --exclude=./proc/* --exclude=./sys/* --exclude=./var/cache/apt/* --exclude=./dev/* -c ."
    done = subprocess.run(
        ["bash", "-c", f"{pipe} | docker import - {BASE}"], env={**os.environ, "DOCKER_HOST": engine.host}, check=True
    )
    shutil.rmtree(root, ignore_errors=True)
    return BASE


def wheels() -> Path:
    """The wheels of docker/cpu.lock. Raises Missing."""
    folder, lock = KEPT / "wheels", REPOSITORY / "docker" / "cpu.lock"
    complete = folder / f"{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}.complete"
    if complete.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--dest", folder, "--requirement", lock]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"the wheels of docker/cpu.lock cannot be had here: {done.stderr[-300:]}")
    complete.touch()
    return folder


def lay_out_context(folder: Path) -> Path:
    """What `make image` hands to the engine: docker/ with a wheelhouse, and dist/ with the wheel. Raises Missing."""
    shutil.copytree(REPOSITORY / "docker", folder / "docker", ignore=shutil.ignore_patterns("wheelhouse"))
    shutil.copytree(wheels(), folder / "docker" / "wheelhouse", ignore=shutil.ignore_patterns("*.complete"))
    source = folder / "source"
    source.mkdir()
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
    shutil.rmtree(source)
    return folder


def image_of_the_grader(engine: Engine) -> str:
    """Built without a network. Raises Missing."""
    base = base_image(engine)
    settings = {
        "BASE": base,
        "PIP_OPTIONS": "--no-index --find-links /context/wheelhouse",
        "VERSION": grader.__version__,
        "SOURCE": source_digest(),
    }
    words = [word for name, value in settings.items() for word in ("--build-arg", f"{name}={value}")]
    with tempfile.TemporaryDirectory(prefix="dl-grader-image-") as name:
        context = lay_out_context(Path(name))
        file = context / "docker" / "Dockerfile"
        engine.docker("build", "--quiet", "--network", "none", "--file", file, *words, "--tag", IMAGE, context)
    return IMAGE
