"""What is fuzzed: for each reader of foreign bytes, valid seeds, a function that reads, and what it may raise."""

from __future__ import annotations

import io
import json
import shutil
import socket
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from tiny_assignment import ROOT, SLUG

from grader.assignment.assignment import Limits
from grader.assignment.locate import folders_below
from grader.assignment.manifest import load
from grader.course import marks, people
from grader.errors import GraderError
from grader.intake.archives import ONE, UNREADABLE, archive_entries
from grader.intake.expected import ExpectedNames
from grader.intake.gradescope import gradescope
from grader.intake.groups import read_groups
from grader.intake.tree import Entry
from grader.parsing.notebooks import read
from grader.recording.contents import unpack
from grader.sandbox.base import parse_answer, parse_gpu_memory, parse_progress
from grader.wire.frames import PREFIX, Caps, Channel, ChannelClosed, WireError
from grader.wire.pieces import Assembly

CAPS = Caps(header=1 << 16, body=1 << 16, tensors=64)


@dataclass(frozen=True)
class Target:
    """`read` raises nothing but `refusals`, whatever it is given."""

    seeds: tuple[bytes, ...]
    read: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]


# --- what workers send ----------------------------------------------------------------------------------------------


def frame(tree: object, tensors: tuple[object, ...] = (), kind: str = "answer", body: bytes = b"") -> bytes:
    """A frame as a worker sends it."""
    raw = json.dumps({"id": "1", "kind": kind, "tree": tree, "tensors": list(tensors)}).encode()
    return PREFIX.pack(b"GRD1", len(raw), len(body)) + raw + body


NOTES = {"binding": "a", "choices": [["w", "one", "two"]], "undeclared": False, "prints": 1, "print_text": "x",
         "loading": ["n"], "operations": ["aten::add"], "module_types": None, "seconds": {"$f": "0x1p0"}}  # fmt: skip
PIECE = {"name": "w", "shape": [2], "offset": 0, "values": {"$t": 0}}
FLOATS = ({"d": "float32", "s": [2]},)
FRAMES = (
    frame({"status": "values", "values": {"out": {"$t": 0}, "n": [1, {"$f": "0x1p0"}, None]}, "notes": NOTES}, FLOATS,
          body=bytes(64)),
    frame({"status": "raised", "kind": "E", "message": "m", "where": "f:1", "trace": ["t"], "notes": {}}),
    frame({"status": "out_of_memory", "message": "m", "trace": [], "notes": {}}),
    frame({"status": "not_implemented", "what": "w", "notes": {}}),
    frame({"step": 1, "values": {"loss": {"$f": "0x1p0"}}, "gpu_mib": {"$f": "0x1p3"}}, kind="progress"),
    frame({"status": "values", "values": {"pieces": [PIECE]}, "notes": {}}, FLOATS, body=bytes(64)),
    frame({"$f": "0x0p+0"}),
)  # fmt: skip


def read_frame(data: bytes) -> None:
    """As the judge reads an answer, progress, and pieces of tensors."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data[: 1 << 16])
        theirs.close()
        received = Channel(ours, CAPS).receive(None)
    for parse in (parse_progress, parse_gpu_memory, lambda tree: parse_answer(tree, Limits())):
        with suppress(WireError):
            parse(received.tree)
    values = received.tree.get("values")
    assembly = Assembly(1 << 16)
    assembly.add(values.get("pieces") if isinstance(values, dict) else None)
    assembly.finished()


# --- what students and platforms hand over --------------------------------------------------------------------------


def _zip(*, inner: bool = False) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("models/a.py", "x = 1\n" * 20)
        archive.writestr("b.ipynb", b"{}")
        if inner:
            archive.writestr("inner.zip", _zip())
    return raw.getvalue()


def _tar(mode: str) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode=mode) as archive:  # type: ignore[call-overload]
        for name in ("a.py", "deep/b.py"):
            info = tarfile.TarInfo(name)
            info.size = 6
            archive.addfile(info, io.BytesIO(b"x = 1\n"))
    return raw.getvalue()


def read_archive(data: bytes) -> None:
    """List an archive of each kind and read everything that counts."""
    for name in ("a.zip", "a.tar", "a.tgz"):
        with suppress(GraderError), ExitStack() as stack:
            for entry in archive_entries(io.BytesIO(data), name, ONE, stack):
                if entry.counts and not entry.problem:
                    with suppress(GraderError, *UNREADABLE), entry.open() as file:
                        file.read(1 << 20)


NOTEBOOK = json.dumps(
    {
        "nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"language": "python", "name": "p"}},
        "cells": [
            {"cell_type": "code", "source": ["x = 1\n", "x"], "metadata": {}, "execution_count": 1,
             "outputs": [{"output_type": "stream", "text": ["1"], "name": "stdout"}]},
            {"cell_type": "markdown", "source": "# T", "metadata": {}},
        ],
    }
).encode()  # fmt: skip


def read_notebook(data: bytes) -> None:
    """A notebook's cells."""
    read(data.decode("utf-8", "replace"), "a.ipynb")


# --- what authors and staff write -----------------------------------------------------------------------------------

_place = Path(tempfile.mkdtemp(prefix="fuzzing-"))
_folders = folders_below(Path(shutil.copytree(ROOT, _place / "assignment")), SLUG)
_assignment = load(_folders)
MANIFEST = (_folders.suite / "assignment.yaml").read_bytes()
METADATA = b""":submission_1:
  :submitters:
  - :name: Ada
    :sid: '1'
    :email: a@b.c
  :created_at: 2026-01-02 03:04:05 Z
  :score: 1.0
"""


def read_manifest(data: bytes) -> None:
    """The tiny assignment with another manifest."""
    (_folders.suite / "assignment.yaml").write_bytes(data)
    load(_folders)


def read_metadata(data: bytes) -> None:
    """A bulk download of Gradescope with this metadata."""
    entries = (("top/submission_metadata.yml", data), ("top/submission_1/a.py", b"x = 1"))
    listed = tuple(Entry(path=path, size=len(raw), open=lambda raw=raw: io.BytesIO(raw)) for path, raw in entries)
    gradescope(listed, ExpectedNames(_assignment.files))


def _of_file(name: str, reader: Callable[[Path], object]) -> Callable[[bytes], object]:
    def read_file(data: bytes) -> None:
        (_place / name).write_bytes(data)
        reader(_place / name)

    return read_file


TARGETS = {
    "frames": Target(FRAMES, read_frame, (WireError, ChannelClosed)),
    "archives": Target((_zip(), _zip(inner=True), _tar("w"), _tar("w:gz")), read_archive, ()),
    "notebooks": Target((NOTEBOOK,), read_notebook, (GraderError,)),
    "manifests": Target((MANIFEST,), read_manifest, (GraderError,)),
    "metadata": Target((METADATA,), read_metadata, (GraderError,)),
    "recordings": Target(FRAMES, lambda data: unpack(bytearray(data), {}), (WireError,)),
    "marks": Target(
        (b"submission,item,points,comment,by\nada,essay,1,good,tutor\n",),
        _of_file("marks.csv", lambda path: marks.read(path, _assignment)), (GraderError,),
    ),
    "people": Target((b"key,name,email,id\nada,Ada,a@b.c,1\n",), _of_file("people.csv", people.read), (GraderError,)),
    "groups": Target((b"group,member\none,Ada\none,Bob\n",), _of_file("groups.csv", read_groups), (GraderError,)),
}  # fmt: skip
