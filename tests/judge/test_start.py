"""One process imports torch and becomes two: both end with each other, and the judge has the last word."""

import os
import signal
import time
from pathlib import Path

import pytest
from tiny_assignment import copy_of_the_assignment, tiny

from grader.errors import AuthorError
from grader.run.engine import Engine, Order
from grader.sandbox.launch import launch

pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="needs Linux")  # noqa: PTH110


def children(pid):
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()}


def gone(pid, seconds=60.0):
    """Whether the process has ended within this time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def family():
    """(engine, the zygote's pid, all its children) of a run that is ready."""
    folders, _ = tiny()
    engine = Engine(Order(folders=folders, seed="start"))
    with engine:
        zygote = engine._processes[0].pid
        yield engine, zygote, children(zygote)


def test_all_end_with_the_zygote(family):
    _, zygote, below = family
    assert len(below) == 2, "the judge parent and the worker that waits"
    os.kill(zygote, signal.SIGKILL)
    assert all(gone(pid) for pid in below)


def test_all_end_when_the_command_line_is_gone(family):
    engine, zygote, below = family
    engine.port.socket.close()
    assert all(gone(pid) for pid in (*below, zygote))


def test_a_suite_that_cannot_be_imported_is_the_authors_fault(tmp_path):
    root = copy_of_the_assignment(tmp_path / "copy")
    folders, _ = tiny(root)
    probes = folders.suite / "probes.py"
    probes.write_text(
        probes.read_text(encoding="utf-8") + "\nraise RuntimeError('no probes today')\n", encoding="utf-8"
    )
    with pytest.raises(AuthorError, match="no probes today"), Engine(Order(folders=folders, seed="start")):
        pass


def test_what_was_started_ahead_can_be_given_up():
    with launch() as launched:
        process = launched.process
        assert process.poll() is None
    assert process.returncode is not None


def test_an_engine_uses_what_was_started_ahead():
    folders, _ = tiny()
    with launch() as launched:
        with Engine(Order(folders=folders, seed="start"), launched) as engine:
            assert engine._processes == [launched.process]
            assert engine.items
        assert launched.process.returncode == 0
