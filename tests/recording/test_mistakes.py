"""Values of known mistakes: several judges add to one file, and what is damaged is only computed again."""

import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.recording.mistakes import KnownValues


def values(number):
    return {"out": torch.full((number,), float(number)), "count": number}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mistakes.frames"


def test_what_one_judge_adds_another_finds(path):
    first, second = KnownValues(path), KnownValues(path)
    assert "a" not in second
    first.add("a", values(3))
    first.add("b", None)
    assert "a" in second
    assert torch.equal(second.get("a")["out"], values(3)["out"])
    assert "b" in second
    assert second.get("b") is None
    second.add("c", values(1))
    assert "c" in first
    assert first.get("c")["count"] == 1
    assert path.stat().st_mode & 0o777 == 0o600


def test_without_a_file_it_remembers():
    known = KnownValues(None)
    known.add("a", values(2))
    assert "a" in known
    assert "b" not in known


def test_a_file_that_cannot_be_written_costs_nothing(tmp_path):
    known = KnownValues(tmp_path / "no" / "folder")
    known.add("a", values(2))
    assert known.get("a")["count"] == 2


def test_a_value_that_is_just_being_written_is_found_later(path):
    first = KnownValues(path)
    first.add("a", values(3))
    whole = path.read_bytes()
    first.add("b", values(4))
    both = path.read_bytes()
    path.write_bytes(both[: len(whole) + 70])
    second = KnownValues(path)
    assert "a" in second
    assert "b" not in second
    path.write_bytes(both)
    assert "b" in second


@given(st.data())
@settings(deadline=None, max_examples=200)
def test_damage_never_gives_other_values(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("log") / "mistakes.frames"
    known = KnownValues(path)
    for number in range(1, 4):
        known.add(str(number), values(number))
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    kind = data.draw(st.sampled_from(["flip", "cut", "insert"]))
    if kind == "flip":
        raw[at] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "cut":
        del raw[at:]
    else:
        raw[at:at] = data.draw(st.binary(min_size=1, max_size=200))
    path.write_bytes(raw)
    again = KnownValues(path)
    found = [number for number in range(1, 4) if str(number) in again]
    assert kind == "cut" or len(found) >= 2, "damage costs one entry"
    for number in found:
        assert torch.equal(again.get(str(number))["out"], values(number)["out"])
    again.add("4", values(4))
    assert "4" in KnownValues(path), "what is added after damage is found"


def test_writers_do_not_mix(path):
    pids = []
    for child in range(3):
        pid = os.fork()
        if pid == 0:
            known = KnownValues(path)
            for number in range(20):
                known.add(f"{child}-{number}", values(number + 1))
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    known = KnownValues(path)
    assert all(f"{child}-{number}" in known for child in range(3) for number in range(20))
