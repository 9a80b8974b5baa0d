"""The image that a container starts from: its name, and whether it holds this version of the grader."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from grader.errors import UsageError

NAME = "dl-grader"
SOURCE_LABEL = "dl-grader.source"
VARIANTS = {"cpu": "cpu", "cuda": "cuda"}  # by device
TARGETS = {"cpu": "image", "cuda": "image-gpu"}  # of make


def default_image(device: str) -> str:
    """What `make image` and `make image-gpu` call the images."""
    return f"{NAME}:{VARIANTS[device]}"


def source_digest() -> str:
    """Of the names and contents of all files of the grader's package; the image's label says what it was built from."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:24]


def require_fresh(name: str, labels: Mapping[str, str], device: str) -> None:
    """Raises UsageError for an image that is none of ours, or was built from another state of the grader."""
    target = TARGETS[device]
    if SOURCE_LABEL not in labels:
        raise UsageError(f"the image {name} is not one of the grader's; build one with `make {target}`")
    if labels[SOURCE_LABEL] != source_digest():
        raise UsageError(
            f"the image {name} is stale: it holds another state of the grader than this one, and would grade by its "
            f"rules; build it anew with `make {target}`, or name another with --image"
        )
