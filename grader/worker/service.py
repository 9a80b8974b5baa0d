"""Theory of operation of a worker.

A worker is given one submission. It answers requests, one at a time, over one channel: `open` names the files and the
suite's settings, `load` imports one file, `run` runs one probe, `give` and `take` carry tensors for a training, `claim`
initialises a GPU.
Confinement is applied before `open` by the sandbox back end that started the process. The worker holds probes,
stand-ins and inputs; never an expected value, a test or the reference. It may be killed at any moment and owns nothing
that would need cleaning up.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.wire.frames import Channel, ChannelClosed, Frame, WireError, encode
from grader.worker import absent, adapting, gpu
from grader.worker.capture import Capture
from grader.worker.loading import FileSpec, Modules, Probe
from grader.worker.ownership import StudentFiles
from grader.worker.running import Work, perform, raised

ANSWER_BYTES = 64 << 20
# Variables that name a folder to write to.
PLACES = ("HOME", "TMPDIR", "TEMP", "TMP", "MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "TORCH_HOME", "HF_HOME")


@dataclass
class Session:
    """The state of an opened worker."""

    modules: Modules
    capture: Capture
    files: StudentFiles


def serve(channel: Channel, probes: Mapping[str, Probe], known: frozenset[str] | None = None) -> None:
    """Answer requests until the judge closes the channel.

    `known` are the files of the modules that were imported before, where that is known (see `StudentFiles`).
    """
    session: Session | None = None
    while True:
        try:
            frame = channel.receive()
        except ChannelClosed:
            return
        if frame.kind == "open":
            session = open_session(frame, known)
            answer: dict[str, object] = {"status": "values", "values": {}, "notes": {}}
        else:
            assert session is not None
            session.modules.on_progress = reporter(channel, frame.id)
            answer = handle(frame, session, probes)
        reply(channel, frame.id, answer, session.files)


def reporter(channel: Channel, frame_id: str) -> Callable[[int, dict[str, float]], None]:
    """What `modules.report` calls: one progress frame under the request's id, with the GPU's memory if one is used."""

    def report(step: int, values: dict[str, float]) -> None:
        peak = gpu.peak_since_last_time()
        memory = {} if peak is None else {"gpu_mib": peak}
        channel.send(frame_id, "progress", encode({"step": step, "values": values, **memory}))

    return report


def reply(channel: Channel, frame_id: str, answer: dict[str, object], files: StudentFiles) -> None:
    """Send the answer; a value that has no place on the wire becomes an exception of the student's code."""
    try:
        encoded = encode(answer, ANSWER_BYTES)
    except WireError as error:
        kind = TypeError(f"the result cannot be used: {error}")
        encoded = encode({**raised(kind, files), "notes": answer["notes"]})
    except Exception as error:
        encoded = encode({**raised(error, files), "notes": answer["notes"]})
    channel.send(frame_id, "answer", encoded)


def open_session(frame: Frame, known: frozenset[str] | None = None) -> Session:
    """Set up the search path and the stand-ins for missing modules."""
    tree = frame.tree
    root, scratch = str(tree["root"]), str(tree["scratch"])
    if scratch:
        settle_in(scratch)
    sys.path.insert(0, root)
    sys.dont_write_bytecode = True
    absent.install([str(name) for name in _list(tree["absent"])])
    specs = [
        FileSpec(
            id=str(s["id"]),
            path=None if s["path"] is None else str(s["path"]),
            expected=str(s["expected"]),
            kind=str(s["kind"]),
        )
        for s in map(_dict, _list(tree["files"]))
    ]
    modules = Modules(Path(root), specs, _dict(tree["globals"]))
    modules.scratch = scratch
    modules.settle()
    students = StudentFiles(root, known, scratch)
    modules.device = str(tree["device"])
    if modules.device != "cpu":
        adapting.keep_what_no_worker_may_do()
    return Session(modules, Capture(students), students)


def settle_in(scratch: str) -> None:
    """Make the scratch folder the place where this process is, keeps things, and looks for modules last."""
    try:
        os.chdir(scratch)
    except PermissionError:
        return  # a folder above it is closed to the worker's user, who could read nothing there either
    os.environ.update(dict.fromkeys(PLACES, scratch))
    tempfile.tempdir = None  # as it was found outside
    sys.path.append(scratch)


def handle(frame: Frame, session: Session, probes: Mapping[str, Probe]) -> dict[str, object]:
    """One request's answer."""
    tree = frame.tree
    if frame.kind == "claim":
        return attempt_to_claim(int(str(tree["memory_mib"])))
    if frame.kind in ("give", "take"):
        return carry(frame, session)
    if frame.kind == "load":
        file_id = str(tree["file"])
        loading = {"load": lambda modules: _load(modules, file_id)}
        return perform(Work(probe="load", arguments={}), loading, session.modules, session.capture, session.files)
    work = Work(
        probe=str(tree["probe"]),
        arguments={**_dict(tree["inputs"]), **_dict(tree["options"])},
        binding=tuple(map(str, _list(tree["binding"]))),
        seed=int(str(tree["seed"])),
        trace=tree["trace"] is True,
    )
    return perform(work, probes, session.modules, session.capture, session.files)


def attempt_to_claim(memory_mib: int) -> dict[str, object]:
    """What `grader.worker.gpu.claim` found, or in words why there is no GPU to be had."""
    try:
        return {"status": "values", "values": gpu.claim(memory_mib), "notes": {}}
    except Exception as error:
        return {"status": "failed", "message": f"{type(error).__name__}: {error}"[:500], "notes": {}}


def carry(frame: Frame, session: Session) -> dict[str, object]:
    """One batch of tensors in or out: the training split, a state_dict."""
    tree = frame.tree
    place = str(tree["place"])
    if frame.kind == "give":
        session.modules.give(place, tree["pieces"], tree["last"] is True)
        values: dict[str, object] = {}
    else:
        values = {"pieces": session.modules.take(place, tree["first"] is True)}
    return {"status": "values", "values": values, "notes": {}}


def _load(modules: Modules, file_id: str) -> dict[str, object]:
    modules[file_id]
    return {}


def _dict(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value
