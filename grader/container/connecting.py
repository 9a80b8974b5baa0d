"""The container engine: Docker, or Podman through its compatible socket. The only module that imports its SDK freely.

Whatever the engine refuses becomes a sentence that says what to do.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grader.container.box import GVISOR
from grader.container.image import TARGETS, require_fresh
from grader.errors import GraderError, UsageError

HOST = "DOCKER_HOST"
_NO_GPU = ("could not select device driver", "nvidia-container-cli", "unresolvable CDI devices")
_FULL = ("no space left on device",)

Client = Any  # the SDK carries no types


@contextmanager
def engine() -> Iterator[Client]:
    """A client of the engine that answers. Raises UsageError when there is none, or none that we may use."""
    try:
        import docker
    except ImportError:
        raise UsageError('--container needs the Docker SDK: pip install "dl-grader[container]"') from None
    where = os.environ.get(HOST) or _podman() or "unix:///var/run/docker.sock"
    try:
        client = docker.DockerClient(base_url=where)
        client.ping()
    except Exception as error:
        raise UsageError(_unreachable(where, error)) from None
    try:
        yield client
    finally:
        client.close()


def _podman() -> str:
    """The address of Podman's socket where there is no Docker's."""
    if Path("/var/run/docker.sock").exists():
        return ""
    for folder in (os.environ.get("XDG_RUNTIME_DIR", ""), "/run"):
        socket = Path(folder or "/nowhere") / "podman" / "podman.sock"
        if socket.exists():
            return f"unix://{socket}"
    return ""


def _unreachable(where: str, error: Exception) -> str:
    if "Permission denied" in str(error) or isinstance(error, PermissionError):
        return (
            f"the container engine at {where} cannot be used: permission denied. Join its group (often docker), use a "
            f"rootless engine, or set {HOST}"
        )
    return (
        f"no container engine answers at {where}. Start Docker, or Podman's socket (systemctl --user start "
        f"podman.socket), or set {HOST}; without --container, submissions are graded by confined processes"
    )


@contextmanager
def explained(image: str) -> Iterator[None]:
    """Turn what the engine refuses into an error with advice."""
    from docker.errors import DockerException

    try:
        yield
    except DockerException as error:
        text = str(getattr(error, "explanation", None) or error)
        if any(words in text for words in _NO_GPU):
            raise UsageError(
                f"the container engine gives containers no GPU ({text.splitlines()[0][:200]}). Install the NVIDIA "
                "Container Toolkit and configure the engine for it, or grade with --device cpu"
            ) from None
        if any(words in text.lower() for words in _FULL):
            raise GraderError(f"the disk of the container engine is full: make room ({text[:200]})") from None
        raise GraderError(f"the container engine could not run {image}: {text[:500]}") from None


def require_image(client: Client, name: str, device: str) -> None:
    """Raises UsageError when the image is not here, is not ours or is stale."""
    from docker.errors import ImageNotFound

    with explained(name):
        try:
            labels = client.images.get(name).labels
        except ImageNotFound:
            target = TARGETS[device]
            raise UsageError(
                f"there is no image {name} here; build it with `make {target}`, or name one with --image"
            ) from None
    require_fresh(name, labels, device)


def runtime_for(client: Client, device: str) -> str:
    """gVisor's runtime where the engine has it, for runs without a GPU; else the engine's default."""
    runtimes: Mapping[str, object] = client.info().get("Runtimes") or {}
    return GVISOR if GVISOR in runtimes and device == "cpu" else ""


def processors_for(client: Client, jobs: int) -> int:
    """One for each job and one for what the grader does meanwhile; an engine refuses more than it has."""
    return min(jobs + 1, int(client.info().get("NCPU") or jobs + 1))
