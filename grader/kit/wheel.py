"""The wheel of the grader that is running, put together from its installed files: no sources and no index needed."""

from __future__ import annotations

import base64
import hashlib
import tempfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import grader
from grader.errors import UsageError
from grader.platforms.bundle import PACKAGE, zip_folder

DISTRIBUTION = "dl-grader"
# Where each file of a wheel's dist-info may lie: a source tree on the path has an egg-info of its own before it.
CARRIED = {
    "METADATA": ("METADATA", "PKG-INFO"),
    "entry_points.txt": ("entry_points.txt",),
    "top_level.txt": ("top_level.txt",),
    "LICENSE": ("LICENSE", "licenses/LICENSE"),
}
TAGS = "Wheel-Version: 1.0\nGenerator: dl-grader\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_wheel(folder: Path) -> Path:
    """Write the wheel into the folder. Equal contents give equal bytes. Raises UsageError when it is not installed."""
    files = _files()
    target = folder / f"{DISTRIBUTION.replace('-', '_')}-{grader.__version__}-py3-none-any.whl"
    record = f"{target.name.rsplit('-', 3)[0]}.dist-info/RECORD"
    rows = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in files.items()]
    files[record] = "\n".join([*rows, f"{record},,", ""]).encode()
    with tempfile.TemporaryDirectory() as scratch:
        put(Path(scratch), files)
        zip_folder(Path(scratch), target)
    return target


def put(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write {path: content} below the folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _files() -> dict[str, bytes]:
    """{path in the wheel: content}."""
    try:
        installed = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        raise UsageError(
            f"{DISTRIBUTION} is not installed as a package; install it with pip, then make the kit"
        ) from None
    if installed.version != grader.__version__:
        raise UsageError(
            f"{DISTRIBUTION} {installed.version} is installed, and {grader.__version__} is running; install it anew"
        )
    files = {
        path.relative_to(PACKAGE.parent).as_posix(): path.read_bytes()
        for path in sorted(PACKAGE.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    info = f"{DISTRIBUTION.replace('-', '_')}-{grader.__version__}.dist-info"
    for name, places in CARRIED.items():
        if text := next(filter(None, map(installed.read_text, places)), None):
            files[f"{info}/{name}"] = text.encode()
    if f"{info}/METADATA" not in files:
        raise UsageError(f"the metadata of {DISTRIBUTION} are incomplete; install it anew with pip, then make the kit")
    return {**files, f"{info}/WHEEL": TAGS.encode()}


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
