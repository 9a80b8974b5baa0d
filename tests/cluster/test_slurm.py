"""A class through a real Slurm is the class of one run, whatever is killed meanwhile."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from comparing import files_of
from through_slurm import SEED, command, run, status
from tiny_assignment import copy_of_the_assignment, lay_out_submission, open_for_workers

from grader.cluster.task import place

DEADLINE = 240.0


def until(condition, what):
    """Wait for it; machines are shared, so for long."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    pytest.fail(f"waited in vain for {what}")


def processes_with(*words):
    """The processes whose command lines have all of these words."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if all(word in text for word in words) and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
    return found


def kill(processes):
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def tasks(slurm):
    """{task, or the job where it is no array: (state, job id)} of everything that waits or runs."""
    lines = slurm.run("squeue", "-h", "-r", "-o", "%K|%T|%A", check=False).split()
    found = (line.split("|") for line in lines)
    return {int(task) if task.isdecimal() else f"job {job}": (state, job) for task, state, job in found}


def hurry(slurm):
    """Slurm lets what is requeued wait for two minutes."""
    for state, job in tasks(slurm).values():
        if state == "PENDING":
            slurm.run("scontrol", "update", f"jobid={job}", "StartTime=now", check=False)


def test_whatever_is_killed_the_class_is_that_of_one_run(slurm, handed_in, tmp_path):
    out, whole = tmp_path / "out", tmp_path / "whole"
    grade = ("grade", "tiny", handed_in, "--seed", SEED, "--out")
    slurm_options = ("--slurm", "--shards", 4, "--jobs", 1, "--partition", "main")
    caller = subprocess.Popen(
        command(*grade, out, *slurm_options), env={**os.environ, **slurm.environment},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    begun = [place(out, "cpu", number) / "journal.jsonl" for number in (1, 2, 3, 4)]
    until(lambda: caller.poll() is not None or all(path.exists() for path in begun), "all shards to begin")
    assert caller.poll() is None, caller.stderr.read()
    told = run(slurm, *grade, out, *slurm_options, code=2)
    assert "another call looks after" in told
    os.killpg(caller.pid, signal.SIGKILL)
    caller.communicate()

    kill(processes_with("grader.cli", f"{out}/.cluster/cpu/001"))
    until(lambda: 0 not in tasks(slurm), "the job to end whose process was killed")
    if (second := tasks(slurm).get(1)) is not None:
        slurm.run("scancel", "--signal=USR2", second[1], check=False)  # as when its time is nearly up
        until(lambda: tasks(slurm).get(1, ("PENDING",))[0] == "PENDING", "a job to be sent back into the queue")
    slurm.stop("slurmd", signal.SIGKILL)
    slurm.run("scontrol", "update", f"nodename={slurm.node}", "state=down", "reason=dead")  # else it is waited for
    kill(
        [*processes_with("slurmstepd:"), *processes_with(str(out), "submitit"), *processes_with(str(out), "grader.cli")]
    )
    assert "is being judged on a cluster" in run(slurm, "grade", "tiny", handed_in, "--out", out, code=2)
    assert "tiny on cpu: 4 shards" in status(slurm, out)
    slurm.start("slurmd")
    slurm.run("scontrol", "update", f"nodename={slurm.node}", "state=resume", check=False)  # it may be back
    waiting = subprocess.Popen(
        command(*grade, out, *slurm_options, "--resume"), env={**os.environ, **slurm.environment},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    until(lambda: hurry(slurm) or waiting.poll() is not None, "the rest to be judged")
    said = waiting.communicate()[0]
    assert waiting.returncode == 0, said
    assert "21 submissions" in said
    run(None, *grade, whole)
    expected, found = files_of(whole), files_of(out)
    assert set(found) == set(expected)
    for name, text in expected.items():
        assert found[name] == text, name
    assert status(slurm, out).startswith("tiny: 21 submissions, 20 judged, 1 refused; no run is writing")
    assert "was judged before" in run(slurm, *grade, out, *slurm_options, "--resume")


def test_what_needs_a_gpu_goes_to_nodes_with_one_and_what_they_lack_is_said_once(slurm, tmp_path):
    """The node has a GPU for the scheduler only."""
    root = copy_of_the_assignment(tmp_path / "root")
    manifest = root / "test_suites" / "tiny" / "assignment.yaml"
    text = manifest.read_text()
    manifest.write_text(text.replace("{id: gate.forward,", "{id: gate.forward, needs: {gpu: true},"))
    folder = tmp_path / "class"
    for key in ("ada", "bo"):
        lay_out_submission(folder / key)
    open_for_workers(folder)
    out = tmp_path / "out"
    grade = ("grade", "tiny", folder, "--seed", SEED, "--out", out, "--slurm", "--jobs", 1, "--shards", 2)
    told = run(slurm, *grade, "--gpu-partition", "gpus", code=3, assignments=root)
    assert "tiny on cpu: 2 shards: 2 done; 2 of 2 submissions judged" in told
    assert told.count("this machine has no NVIDIA GPU") == 1, told
    assert f"gpu 1, gpu 2 (on {slurm.node}): --device cuda: this machine has no NVIDIA GPU" in told
    log = place(out, "gpu", 1).with_suffix(".log").read_text()
    assert log.count("no NVIDIA GPU") == 1, "what an author would have to mend is not tried again"
    told = run(slurm, *grade, code=2, assignments=root)
    assert "was begun with other options (arrays)" in told


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--partition", "nowhere"), "Slurm has no partition nowhere; it has main, gpus"),
        (("--sbatch", "account"), "expected an option of sbatch with its value"),
        (("--sbatch", "time=1:00:00"), "expected minutes, such as time=240"),
        (("--device", "cuda"), "say with --gpu-partition where GPUs are"),
        (("--shard", "1/2"), "--slurm and --shard do not go together"),
        (("--remember", "ada"), "--slurm and --remember do not go together"),
        (("--resume",), "there is no run on a cluster to resume"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_made(slurm, handed_in, tmp_path, options, words):
    told = run(
        slurm, "grade", "tiny", handed_in, "--slurm", "--training", "made", "--out", tmp_path / "out", *options, code=2
    )
    assert words in told
    assert not (tmp_path / "out" / ".cluster" / "recording").exists()


def test_what_slurm_refuses_is_said_once(slurm, handed_in, tmp_path):
    recording = ("--shards", 2, "--sbatch", "mem=900000G")
    told = run(slurm, "grade", "tiny", handed_in, "--slurm", "--out", tmp_path / "out", *recording, code=2)
    assert told.count("Memory specification can not be satisfied") == 1, told
