"""One suite for all back ends: whatever a submission does, the judge gets one observation of the right kind."""

import gc
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from benches import FIXTURES, LIMITS, SHORT, Bench

from grader.assignment.assignment import Limits
from grader.model import Died, Malformed, NotImplementedYet, OutOfMemory, Raised, TimedOut, Values
from grader.sandbox.base import ask
from grader.wire.frames import encode
from grader.worker.adapting import WORKERS

LINUX = sys.platform.startswith("linux")
BACK_ENDS = ["linux", "plain", "portable"] if LINUX else ["portable"]


@pytest.fixture(scope="module", params=BACK_ENDS)
def bench(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("submission")
    for folder in (root, *root.parents):
        # Workers of another user must be able to reach the submission, and only that.
        if folder.stat().st_uid == os.geteuid() and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o055)
    shutil.copy(FIXTURES / "behaviours" / "m.py", root / "m.py")
    made = Bench(request.param, root)
    if request.param != "portable":  # what a judge has done when a worker misses them
        made.sandbox.preload(["sqlite3", *(f"multiprocessing.{name}" for name in ("pool", "queues", "synchronize"))])
    yield made
    made.close()


@pytest.fixture
def linux(bench):
    if bench.kind != "linux":
        pytest.skip("this back end protects nothing, and says so")
    return bench


def kind_of(observation):
    """For messages: what came instead."""
    return f"{type(observation).__name__}: {str(observation)[:300]}"


# --- values ---------------------------------------------------------------------------------------------------


def test_values_come_back_exactly(bench):
    found = bench.run("several")
    assert isinstance(found, Values), kind_of(found)
    out = found.values["out"]
    assert torch.equal(out["tensor"], torch.arange(6.0).reshape(2, 3).t())
    assert {name: out[name] for name in ("flag", "text", "nothing", "list")} == {
        "flag": True, "text": "ü", "nothing": None, "list": [1, 2.5],
    }  # fmt: skip


def test_arguments_arrive(bench):
    found = bench.run("add", torch.ones(2), torch.full((2,), 2.0))
    assert torch.equal(found.values["out"], torch.full((2,), 3.0))


def test_random_numbers_depend_on_the_seed_alone(bench):
    first = bench.run(None, probe="draw", seed=3).values["out"]
    torch.rand(100)
    assert torch.equal(first, bench.run(None, probe="draw", seed=3).values["out"])
    assert torch.equal(first, torch.rand(4, generator=torch.Generator().manual_seed(3)))
    assert not torch.equal(first, bench.run(None, probe="draw", seed=4).values["out"])


def test_a_fresh_worker_remembers_nothing(bench):
    assert bench.run("counts", fresh=True).values["out"] == 1
    assert bench.run("counts").values["out"] == 2
    second = bench.sandbox.start(bench.site, LIMITS)
    bench.process.kill()
    bench.process = second
    assert bench.run("counts").values["out"] == 1


@pytest.mark.parametrize(("name", "shown"), [("nothing", None), ("not_a_number", [1.0, "nan", "inf"])])
def test_none_and_nan_are_values(bench, name, shown):
    found = bench.run(name)
    out = found.values["out"]
    assert (out if out is None else [v if v == 1.0 else str(v) for v in out.tolist()]) == shown


def test_a_tensor_subclass_arrives_as_its_numbers(bench):
    out = bench.run("subclass").values["out"]
    assert type(out) is torch.Tensor
    assert torch.equal(out, torch.zeros(3))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("giant_view", "too large to send"),
        ("friendly", "got Friendly"),
        ("generator", "got generator"),
        ("complex_numbers", "complex64"),
        ("deep", "nested"),
        ("cyclic", "nested"),
        ("strange_names", "a name must be a string"),
        ("forged_reference", "does not start with"),
        ("large_answer", "too large to send"),
    ],
)
def test_what_cannot_be_sent_is_an_exception_that_says_so(bench, name, words):
    found = bench.run(name)
    assert isinstance(found, Raised), kind_of(found)
    assert found.kind == "TypeError"
    assert words in found.message
    assert isinstance(bench.run("counts"), Values), "the worker goes on"


def test_more_tensors_than_the_judge_reads_are_malformed(bench):
    found = bench.run("many_tensors")
    assert isinstance(found, (Malformed, Raised)), kind_of(found)


def test_a_probe_that_returns_no_dict_is_not_the_students_values(bench):
    found = bench.run("not_a_dict", probe="raw")
    assert isinstance(found, Raised)
    assert "not a dict" in found.message


# --- exceptions -----------------------------------------------------------------------------------------------


def test_an_exception_shows_the_students_frames_and_no_others(bench):
    found = bench.run("raises")
    assert isinstance(found, Raised), kind_of(found)
    assert (found.kind, found.message) == ("ValueError", "the width is 3")
    assert [line.split(": ", 1)[1] for line in found.trace] == [
        "return inner(3)",
        'raise ValueError(f"the width is {width}")',
    ]
    assert all(line.startswith("m.py:") for line in found.trace)
    assert found.where == found.trace[-1].split(" in ")[0]


@pytest.mark.parametrize(("name", "what"), [("hole", "Gate.forward"), ("no_forward", "forward")])
def test_a_hole_is_not_attempted(bench, name, what):
    found = bench.run(name)
    assert isinstance(found, NotImplementedYet), kind_of(found)
    assert what in found.what


def test_a_missing_function_is_not_attempted(bench):
    found = bench.run("a_function_that_nobody_wrote")
    assert isinstance(found, NotImplementedYet)
    assert found.what == "m.py defines no a_function_that_nobody_wrote"


def test_a_missing_kernel_is_an_exception_and_no_hole(bench):
    assert isinstance(bench.run("missing_kernel"), Raised)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("exits", "SystemExit"),
        ("missing_name", "NameError"),
        ("recursion", "RecursionError"),
        ("nasty", "Nasty"),
        ("group", "ExceptionGroup"),
        ("imports_unknown", "ModuleNotFoundError"),
    ],
)
def test_ordinary_exceptions_leave_the_worker_alive(bench, name, kind):
    found = bench.run(name)
    assert isinstance(found, Raised), kind_of(found)
    assert found.kind == kind
    assert not bench.process.dead


def test_messages_are_capped_and_cleaned(bench):
    found = bench.run("control_characters")
    assert not any(ord(character) < 32 or character == "\u202e" for character in found.message)
    assert len(bench.run("long_message").message) <= 1300


# --- ends -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "words"), [("os_exits", "exit status 0"), ("segfaults", "SIGSEGV")])
def test_an_end_without_an_answer_says_how(bench, name, words):
    found = bench.run(name)
    assert isinstance(found, Died), kind_of(found)
    assert words in found.how
    assert isinstance(bench.run("counts"), Values), "the next worker is not touched by it"


def test_the_wall_clock_ends_a_sleep(bench):
    bench.run("counts")
    started = time.monotonic()
    found = bench.run("sleeps", limits=SHORT)
    assert isinstance(found, TimedOut), kind_of(found)
    assert found.clock == "wall"
    assert time.monotonic() - started < 25
    assert bench.process.dead


def test_an_endless_loop_ends(bench):
    limits = Limits(wall_seconds=1.0 if bench.kind == "portable" else 60.0, cpu_seconds=0.5)
    found = bench.run("loops", limits=limits)
    assert isinstance(found, TimedOut), kind_of(found)
    assert found.clock == ("wall" if bench.kind == "portable" else "processor")


def test_processor_time_cannot_be_won_by_ignoring_signals(linux):
    found = linux.run("loops_on", limits=Limits(wall_seconds=60.0, cpu_seconds=0.5), fresh=True)
    assert found == TimedOut(seconds=0.5, clock="processor"), kind_of(found)


def test_of_a_process_that_has_ended_no_clock_is_read(linux):
    process = linux.sandbox.start(linux.site, LIMITS)
    assert process.processor_seconds() is not None
    assert process.starved_seconds() is not None
    process.kill()
    process.ending()
    seen = (process.processor_seconds(), process.starved_seconds(), process.memory_mib())
    assert seen == (None, None, None), "these would be figures of the judge itself"


def test_two_threads_have_the_processor_time_of_one(linux):
    found = linux.run("loops_twice", limits=Limits(wall_seconds=60.0, cpu_seconds=0.5), fresh=True)
    assert found == TimedOut(seconds=0.5, clock="processor"), kind_of(found)


def test_an_endless_print_ends_and_is_capped(bench):
    found = bench.run("prints_for_ever", limits=SHORT)
    assert isinstance(found, TimedOut), kind_of(found)
    assert len(bench.process.output()) <= 5000


def test_a_killed_worker_answers_no_more(bench):
    bench.run("counts")
    process = bench.process
    process.kill()
    process.kill()
    assert process.dead
    request = encode({"file": "m"})
    assert isinstance(ask(process, "load", request, LIMITS), Died)


@pytest.mark.parametrize("name", ["much_memory", "much_python_memory"])
def test_memory_is_limited(linux, name):
    found = linux.run(name)
    assert isinstance(found, OutOfMemory), kind_of(found)
    assert found.limit_mib == 512
    assert linux.process.dead


# --- output ---------------------------------------------------------------------------------------------------


def test_prints_are_counted_and_kept(bench):
    found = bench.run("prints", fresh=True)
    assert found.notes.prints == 2
    assert found.notes.print_text == "hello\nworld\n"
    assert bench.run("counts").notes.prints == 0


def test_megabytes_on_a_descriptor_are_capped(bench):
    found = bench.run("writes_megabytes", fresh=True)
    assert isinstance(found, Values), kind_of(found)
    if bench.kind == "linux":
        assert found.values["out"] == "refused"
    shown = bench.process.output()
    assert shown.startswith("yyyy")
    assert len(shown) <= 5000
    assert found.notes.prints == 0


# --- the protocol ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["forges_an_id", "answers_twice"])
def test_forged_answers_are_malformed(bench, name):
    found = bench.run(name, limits=Limits(wall_seconds=20.0))
    assert isinstance(found, Malformed), kind_of(found)
    assert bench.process.dead
    again = bench.run("add", 1, 2)
    assert again.values["out"] == 3, "nothing of the forged answer reaches the next question"


@pytest.mark.parametrize("name", ["sends_rubbish", "claims_a_huge_frame", "overflows_shapes", "odd_notes"])
def test_rubbish_is_malformed(linux, name):
    found = linux.run(name)
    assert isinstance(found, Malformed), kind_of(found)
    assert linux.process.dead


def test_half_an_answer_times_out(linux):
    assert isinstance(linux.run("sends_half", limits=SHORT), TimedOut)


@pytest.mark.parametrize(("count", "starved"), [(0, False), (1, True), (None, None)])
def test_what_was_killed_is_told_apart_by_what_the_kernel_killed_for_memory(linux, monkeypatch, count, starved):
    backend = pytest.importorskip("grader.sandbox.linux")
    counted = itertools.chain([None if count is None else 5], itertools.repeat(5 + (count or 0)))
    monkeypatch.setattr(backend, "killed_for_memory", lambda: next(counted))
    linux.run("add", 1, 2, fresh=True)
    timer = threading.Timer(0.3, os.kill, (linux.process._pid(), signal.SIGKILL))
    timer.start()
    assert linux.run("loops") == Died(how="killed by SIGKILL (killed)", starved=starved)


def test_the_kernel_says_how_often_it_killed_for_memory(linux):
    backend = pytest.importorskip("grader.sandbox.linux")
    assert (killed := backend.killed_for_memory()) is None or killed >= 0


@pytest.mark.parametrize("name", ["hangs_up", "closes_everything"])
def test_hanging_up_is_death(linux, name):
    found = linux.run(name)
    assert isinstance(found, Died), kind_of(found)


def test_hanging_up_is_not_taken_for_a_want_of_memory(linux):
    found = linux.run("hangs_up")
    assert found == Died(how="it closed its connection to the grader and went on"), kind_of(found)


# --- threads and processes ------------------------------------------------------------------------------------


def test_a_thread_left_running_disturbs_nothing(bench):
    assert isinstance(bench.run("leaves_a_thread"), Values)
    assert bench.run("add", 1, 2).values["out"] == 3
    if bench.kind == "linux":
        assert bench.run("leaves_a_thread", fresh=True).values["out"] == 2, "the thread did not outlive its process"


@pytest.mark.parametrize(
    "name",
    ["forks", "forks_by_clone", "starts_a_program", "starts_a_shell", "starts_a_pool", "opens_a_socket", "opens_a_pair",
     "runs_a_loop_of_events", "locks_between_processes", "locks_a_file", "keeps_a_database", "shares_memory",
     "makes_memory_outside_its_limit", "sets_limits", "sets_a_priority", "runs_before_others", "signals_everybody",
     "adds_a_key", "traces", "rings", "outlives_its_parent"],
)  # fmt: skip
def test_what_no_submission_needs_is_refused(linux, name):
    found = linux.run(name)
    assert isinstance(found, Raised), kind_of(found)
    assert "code that is graded may not start processes" in found.message
    assert linux.run("add", 1, 2).values["out"] == 3, "the worker goes on"


def test_a_call_by_another_table_of_numbers_ends_the_process(linux):
    assert linux.run("calls_by_another_table") == Died(how="killed by SIGSYS (bad system call)")


@pytest.mark.parametrize("name", ["copies_files", "waits_for_an_alarm", "starts_threads", "asks_for_limits", "packs"])
def test_what_submissions_do_still_works(linux, name):
    assert isinstance(found := linux.run(name, fresh=True), Values), kind_of(found)


def test_data_is_loaded_in_the_process(bench):
    found = bench.run("loads_data", fresh=True)
    assert found.values["out"] == 45.0, kind_of(found)
    assert found.notes.loading == (WORKERS,)


def test_no_descriptor_is_lost(bench):
    if not LINUX:
        pytest.skip("counted through /proc")

    def count():
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir()))

    bench.run("counts")
    before = count()
    bench.run("counts", fresh=True)
    assert count() == before


# --- what a worker can see --------------------------------------------------------------------------------------


def test_only_the_submission_is_in_sight(linux):
    found = linux.run("listing", "/", fresh=True).values["out"]
    assert found == ["scratch", "submission"] or (found[0].startswith(".scratch-") and found[1:] == ["m.py"])
    assert linux.run("listing", ".").values["out"] == ["m.py"]
    for path in ("/etc/passwd", "/proc/self/maps", str(FIXTURES / "behaviours" / "m.py")):
        assert linux.run("reads", path).kind == "FileNotFoundError"
    assert set(linux.run("environment").values["out"].values()) == {linux.run("temporary").values["out"]}
    assert linux.run("descriptors").values["out"] == [0, 1, 2, 3]
    assert linux.run("objects_of_the_grader").values["out"] == []


def test_nothing_can_be_written_or_reached(linux):
    if os.geteuid() != 0:
        pytest.skip("for root; see test_unprivileged for others")
    assert linux.run("writes", "/planted.txt").kind == "PermissionError"
    assert linux.run("writes_beside_itself").kind in ("PermissionError", "OSError")
    assert linux.run("leaves_its_root").kind == "PermissionError"
    assert min(linux.run("who").values["out"]) >= 61_000
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert isinstance(linux.run("connects", server.getsockname()[1]), Raised)


def test_every_worker_has_a_small_folder_of_its_own(bench):
    assert bench.run("writes", "log.txt", fresh=True).values["out"] == "written"
    assert bench.run("listing", ".").values["out"] == ["log.txt", "m.py"]
    assert "def listing" in bench.run("finds", "m.py", "def listing").values["out"], "what was handed in is read there"
    assert bench.run("listing", ".", fresh=True).values["out"] == ["m.py"], "gone with the worker"
    names = {bench.run("environment").values["out"][name] for name in ("HOME", "TMPDIR", "MPLCONFIGDIR")}
    assert names == {bench.run("temporary").values["out"]}


def test_the_folder_cannot_be_filled_without_end(linux):
    written = linux.run("fills", 8 << 20, 20, fresh=True).values["out"]
    assert written <= 32 << 20 or "per file" in linux.sandbox.protections["scratch"]
    assert linux.run("add", 1, 2).values["out"] == 3


def test_two_workers_are_two_users(linux):
    if os.geteuid() != 0:
        pytest.skip("only root can give each worker a user of its own")
    first = linux.run("who").values["out"]
    assert linux.run("who", fresh=True).values["out"] != first


def test_protections_are_stated(bench):
    bench.run("counts")
    said = bench.sandbox.protections
    assert said["back end"] == ("confined process" if bench.kind == "linux" else "plain process")
    assert {"files", "network", "identity", "memory", "processes"} <= set(said)
    if bench.kind == "portable":
        assert "No sandbox" in said["note"]


# --- the judge's own end --------------------------------------------------------------------------------------

STARTS_A_LOOP = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from benches import Bench
from grader.sandbox.base import request_tree
from grader.wire.frames import encode
bench = Bench(sys.argv[2], Path(sys.argv[3]))
bench.run("counts")
print(bench.process._popen.pid if sys.argv[2] == "portable" else bench.zygote_pid, flush=True)
bench.run("loops")
"""


def test_a_looping_worker_does_not_outlive_its_judge(bench):
    """The judge is killed while a worker is busy, as by a Ctrl-C or a crash."""
    judge = subprocess.Popen(
        [sys.executable, "-c", STARTS_A_LOOP, str(Path(__file__).parent), bench.kind, str(bench.site.root)],
        stdout=subprocess.PIPE,
    )
    pid = int(judge.stdout.readline())
    time.sleep(0.3)
    judge.kill()
    judge.wait()
    judge.stdout.close()
    deadline = time.monotonic() + 60
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(pid)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie is dead; whoever adopted it has not looked yet.
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z")
