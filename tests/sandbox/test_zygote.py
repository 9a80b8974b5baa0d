"""The process that forks workers: it never waits, and each run has users that nobody else has."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the Linux back end")

# The worker's child seizes it and never waits; then the worker ends. Only when the tracer is gone can it be reaped.
HELD_BY_A_TRACER = """
import ctypes, json, os, socket, sys, threading, time
from grader.sandbox import confine, zygote

libc = ctypes.CDLL(None, use_errno=True)


def become_worker(self, channel, output):
    fd = os.dup2(channel.fileno(), 60)
    channel.detach()
    os.closerange(3, 60)
    channel, worker, (reading, writing) = socket.socket(fileno=fd), os.getpid(), os.pipe()
    if os.fork() == 0:
        os.setsid()
        os.write(writing, b"s" if libc.ptrace(0x4206, worker, 0, 0) == 0 else b"f")
        time.sleep(600)
    if channel.recv(1) == b"":
        os._exit(3 if os.read(reading, 1) == b"s" else 4)


def judge():
    for _ in range(2):
        ours.send(b'{"do": "lease"}')
        message, fds, _, _ = socket.recv_fds(ours, 4096, 3)
        for fd in fds:
            os.close(fd)
        ours.send(json.dumps({"do": "exit", "worker": json.loads(message)["worker"]}).encode())
        print(ours.recv(4096).decode(), flush=True)
    ours.close()


zygote.Zygote.become_worker = become_worker
confine.prctl(confine.PR_SET_CHILD_SUBREAPER, 1)
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
serving = zygote.Zygote(theirs, {})
serving.table._usable = serving.table._usable and sys.argv[1] == "apart"
threading.Thread(target=judge).start()
serving.run()
os._exit(0)
"""


@pytest.mark.parametrize("table", ["apart", "together"])
def test_a_worker_that_cannot_be_reaped_holds_up_nobody(table):
    command = [sys.executable, "-W", "ignore", "-c", HELD_BY_A_TRACER, table]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if '{"code": 4}' in done.stdout:
        pytest.skip("this system forbids tracing")
    assert done.stdout.splitlines() == ['{"code": 3}'] * 2, done.stderr[-2000:]


def test_two_runs_have_no_users_in_common():
    from grader.sandbox import apart

    first, second = apart.free_uids(), apart.free_uids()
    assert len(first) == len(second) >= 256
    assert not set(first) & set(second)
    assert min(first) >= 61_000


def test_a_user_that_has_a_process_is_not_taken(monkeypatch):
    from grader.sandbox import apart

    monkeypatch.setattr(apart, "_exists", lambda uid: uid < 1 << 16)
    taken = set(range(apart.FIRST_OF_FEW, apart.LAST_OF_FEW)) - set(range(62_208, 62_464))
    monkeypatch.setattr(apart, "_users_with_processes", lambda: taken)
    monkeypatch.setattr(apart, "TRIES", 2000)
    assert apart.free_uids() == range(62_208, 62_464)


def test_who_has_processes_is_seen():
    from grader.sandbox import apart

    assert os.geteuid() in apart._users_with_processes()


SHOWS_THE_TABLE = """
import os
from grader.sandbox.apart import ProcessTable
table, before = ProcessTable(), os.readlink("/proc/self/ns/pid")
for _ in range(2):
    reading, writing = os.pipe()
    if table.fork() == 0:
        os.write(writing, str(os.getpid()).encode())
        os._exit(0)
    print(table.fact, os.read(reading, 9).decode())
    os.wait()
assert os.fork() == 0 or os.wait()
assert os.readlink("/proc/self/ns/pid") == before
"""


def test_children_have_a_table_of_their_own():
    command = [sys.executable, "-c", SHOWS_THE_TABLE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    if not done.stdout.startswith("own"):
        pytest.skip(done.stdout)
    assert done.stdout.splitlines() == ["own 1"] * 2
