"""The Linux back end without root: on a laptop or a shared server."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from benches import FIXTURES
from profiles import USER, Unavailable, as_user, environment
from tiny_assignment import open_for_workers

HELPER = Path(__file__).with_name("unprivileged.py")

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the Linux back end")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the helper saw as an ordinary user."""
    root = tmp_path_factory.mktemp("unprivileged") / "submission"
    root.mkdir()
    shutil.copy(FIXTURES / "behaviours" / "m.py", root / "m.py")
    home = tmp_path_factory.mktemp("python")
    try:
        command = as_user(home) if os.geteuid() == 0 else [sys.executable]
    except Unavailable as why:
        pytest.skip(str(why))
    if os.geteuid() == 0:
        os.chown(root, USER, USER)
        open_for_workers(root)
        open_for_workers(home)
    paths = os.pathsep.join([environment()["PYTHONPATH"], str(HELPER.parent)])
    done = subprocess.run(
        [*command, str(HELPER), str(root)],
        env={**environment(), "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd="/",
    )
    if done.returncode:
        pytest.fail(done.stderr[-3000:])
    return json.loads(done.stdout)


def test_it_is_an_ordinary_user(found):
    assert found["uid"] != 0


def test_honest_code_works_and_faults_are_told_apart(found):
    assert (found["honest"], found["again"]) == (3, 7)
    assert found["raises"] == "ValueError"
    assert found["hole"] == "NotImplementedYet"
    assert found["memory"] == "OutOfMemory"
    assert found["segfault"] == "Died"


def test_nothing_is_inherited(found):
    assert set(found["environment"].values()) == {found["place"]}
    assert found["descriptors"] == [0, 1, 2, 3]


def test_only_the_submission_can_be_read(found):
    if "not confined" in found["protections"]["files"]:
        pytest.skip("this kernel offers an ordinary user neither name spaces nor Landlock")
    assert found["outside"] in ("FileNotFoundError", "PermissionError")


def test_nobody_leaves_a_changed_root(found):
    """The user is root of its own name space, unless that was given up."""
    assert found["escape"] == "PermissionError"


def test_the_submission_cannot_be_changed(found):
    if "read-only" not in found["protections"]["files"]:
        pytest.skip(found["protections"]["files"])
    assert found["write"] in ("PermissionError", "OSError")


def test_there_is_a_small_folder_that_goes_with_the_worker(found):
    assert found["scratch"] == ["written", ["log.txt", "m.py"]]
    assert found["fresh"] == ["m.py"]
    if "per file" not in found["protections"]["scratch"]:
        assert found["filled"] <= 32 << 20


def test_system_calls_are_filtered(found):
    said = found["protections"]["system calls"]
    if said.startswith("not filtered"):
        pytest.skip(said)
    assert (found["forks"], found["mode"]) == ("PermissionError", found["mode_before"])


def test_the_network_is_cut_where_it_says_so(found):
    if found["protections"]["network"].startswith("not cut"):
        pytest.skip(found["protections"]["network"])
    assert found["network"] in ("ConnectionRefusedError", "OSError", "PermissionError")


def test_the_grader_cannot_be_killed_where_the_kernel_can_forbid_it(found):
    if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 12) or "Landlock" not in found["protections"]["files"]:
        pytest.skip("needs Landlock with scopes, from Linux 6.12 on")
    assert found["signal"] == "PermissionError"
