"""Recordings on disk: whole or not at all, private, and never believed after a change."""

import errno
import json
import os
import shutil
import signal
import stat
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.recording.identity import Identity, Unusable, code_digest, files_below, folder_digest
from grader.recording.shelf import (
    CONTENTS,
    INDEX,
    KEPT_PER_SLUG,
    MISTAKES,
    Index,
    Shelf,
    read_contents,
    read_index,
    write_index,
)

IDENTITY = Identity(
    slug="tiny-one",
    seed="s",
    suite="a",
    reference="b",
    code="c",
    arithmetic="d",
    versions={"grader": "1", "torch": "2"},
)
ITEMS = {"gate.forward": ("It is right.", 8)}
PARTS = [b"some", memoryview(b" bytes")]


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "cache" / "recordings")


@pytest.fixture
def place(shelf):
    return shelf.put(IDENTITY, ITEMS, PARTS)


def test_what_is_put_there_is_found_again(shelf, place):
    index = read_index(place)
    assert index.identity == IDENTITY
    assert index.items == ITEMS
    assert read_contents(place, index) == b"some bytes"
    assert shelf.names() == [IDENTITY.name] == [place.name]
    assert stat.S_IMODE(place.stat().st_mode) == stat.S_IMODE(shelf.root.stat().st_mode) == 0o700
    shelf.remove(place.name)
    assert shelf.names() == []


def test_the_latest_of_the_same_files_is_found_whatever_machine_made_it(shelf):
    mine, other = shelf.put(IDENTITY, ITEMS, PARTS), shelf.put(replace(IDENTITY, arithmetic="x"), ITEMS, PARTS)
    shelf.put(replace(IDENTITY, suite="changed"), ITEMS, PARTS)
    shelf.put(replace(IDENTITY, slug="tiny"), ITEMS, PARTS)
    os.utime(mine, (1e9, 1e9))
    assert shelf.latest("tiny-one", "s", "a", "b") == other
    (other / INDEX).write_bytes(b"damaged")
    assert shelf.latest("tiny-one", "s", "a", "b") == mine
    assert shelf.latest("tiny-one", "another", "a", "b") is None
    assert Shelf(shelf.root / "missing").latest("tiny-one", "s", "a", "b") is None


def test_anything_else_has_another_name():
    others = [
        replace(IDENTITY, **{name: "other"}) for name in ("slug", "seed", "suite", "reference", "code", "arithmetic")
    ]
    others.append(replace(IDENTITY, versions={"grader": "1", "torch": "3"}))
    assert len({identity.name for identity in (IDENTITY, *others)}) == 8


@given(st.data())
@settings(deadline=None, max_examples=200)
def test_no_changed_byte_is_believed(tmp_path_factory, data):
    place = Shelf(tmp_path_factory.mktemp("shelf")).put(IDENTITY, ITEMS, PARTS)
    path = place / data.draw(st.sampled_from([INDEX, CONTENTS]))
    raw = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        raw[at] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del raw[at:]
    path.write_bytes(raw)
    try:
        index = read_index(place)
        contents = read_contents(place, index)
    except Unusable:
        return
    assert (index.identity, index.items, contents) == (IDENTITY, ITEMS, b"some bytes"), "a change that says the same"


def sealed(tree):
    """An index with the seal that its content has, as somebody makes it who means ill."""
    from grader.recording import shelf

    tree = {name: value for name, value in tree.items() if name != "seal"}
    return json.dumps({"seal": shelf._digest_of(tree), **tree})


junk = (
    st.none()
    | st.integers(-9, 1 << 70)
    | st.text(max_size=5)
    | st.lists(st.integers(0, 9), max_size=3)
    | st.just({"a": 1})
)


@given(st.data())
@settings(deadline=None, max_examples=200)
def test_an_index_of_another_form_is_unusable(tmp_path_factory, data):
    place = Shelf(tmp_path_factory.mktemp("shelf")).put(IDENTITY, ITEMS, PARTS)
    tree = json.loads((place / INDEX).read_text())
    name = data.draw(st.sampled_from(sorted(set(tree) - {"seal"})))
    if data.draw(st.booleans()):
        tree[name] = data.draw(junk)
    else:
        del tree[name]
    (place / INDEX).write_text(sealed(tree))
    try:
        index = read_index(place)
        read_contents(place, index)
    except Unusable:
        return
    assert all(isinstance(sentence, str) and isinstance(cases, int) for sentence, cases in index.items.values())
    assert isinstance(index.identity.seed, str)


@pytest.mark.parametrize("size", [1 << 60, 0, -1, 9])
def test_an_absurd_size_is_unusable(place, size):
    tree = json.loads((place / INDEX).read_text())
    (place / INDEX).write_text(sealed({**tree, "size": size}))
    with pytest.raises(Unusable, match="bytes"):
        read_contents(place, read_index(place))


@pytest.mark.parametrize("missing", [INDEX, CONTENTS])
def test_a_missing_file_is_unusable(place, missing):
    (place / missing).unlink()
    with pytest.raises(Unusable, match="cannot be read"):
        read_contents(place, read_index(place))


def test_another_form_is_unusable(place):
    tree = json.loads((place / INDEX).read_text())
    (place / INDEX).write_text(sealed({**tree, "format": 2}))
    with pytest.raises(Unusable, match="form 1"):
        read_index(place)


def full():
    yield b"a part"
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_nothing(shelf):
    with pytest.raises(OSError, match="No space"):
        shelf.put(IDENTITY, ITEMS, full())
    assert list(shelf.root.iterdir()) == []


def test_a_full_disk_leaves_what_was_there(shelf, place):
    with pytest.raises(OSError, match="No space"):
        shelf.put(IDENTITY, ITEMS, full())
    assert read_contents(place, read_index(place)) == b"some bytes"


def test_known_mistakes_survive_a_replacement(shelf, place):
    (place / MISTAKES).write_bytes(b"known")
    assert (shelf.put(IDENTITY, ITEMS, [b"more"]) / MISTAKES).read_bytes() == b"known"
    assert read_contents(place, read_index(place)) == b"more"


def test_many_may_write_at_once(shelf):
    def write(number):
        for _ in range(10):
            shelf.put(IDENTITY, ITEMS, [b"%d" % number] * 1000)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    seen = 0
    while any(writer.is_alive() for writer in writers):
        try:
            raw = read_contents(shelf.place(IDENTITY.name), read_index(shelf.place(IDENTITY.name)))
        except Unusable:
            continue  # between two of them, or one half read: never a mixture
        assert len(set(raw)) == 1
        seen += 1
    for writer in writers:
        writer.join()
    assert len(set(read_contents(shelf.place(IDENTITY.name), read_index(shelf.place(IDENTITY.name))))) == 1
    assert [path.name for path in shelf.root.iterdir()] == [IDENTITY.name]


def test_the_least_recently_used_ones_go(shelf):
    for number in range(KEPT_PER_SLUG + 2):
        place = shelf.put(replace(IDENTITY, seed=str(number)), ITEMS, PARTS)
        os.utime(place, (number, number))
    other = shelf.put(replace(IDENTITY, slug="tiny"), ITEMS, PARTS)
    left = [read_index(shelf.place(name)).identity.seed for name in shelf.names() if shelf.place(name) != other]
    assert sorted(left, key=int) == [str(number) for number in range(2, KEPT_PER_SLUG + 2)]


def test_what_killed_runs_left_goes(shelf, place):
    old, new = shelf.root / ".x.1", shelf.root / ".x.2"
    for path in (old, new):
        path.mkdir()
    os.utime(old, (time.time() - 7200,) * 2)
    shelf.put(IDENTITY, ITEMS, PARTS)
    assert not old.exists()
    assert new.exists(), "it may be in use"


def test_a_folder_that_others_may_write_to_is_refused(shelf, place):
    shelf.root.chmod(0o777)
    with pytest.raises(PermissionError):
        shelf.opened()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="giving a folder away needs root")
def test_another_users_folder_is_refused(shelf, place):
    os.chown(shelf.root, 12345, 12345)
    with pytest.raises(PermissionError):
        shelf.put(IDENTITY, ITEMS, PARTS)


def test_a_new_index_replaces_the_old_one(place):
    index = replace(read_index(place), chance=[3, 4])
    write_index(place, index)
    assert read_index(place).chance == [3, 4]
    assert {path.name for path in place.iterdir()} == {INDEX, CONTENTS}


def test_digests_of_folders(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.py").write_text("x")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x")
    (tmp_path / "submissions").mkdir()
    (tmp_path / "submissions" / "b.py").write_text("y")
    assert files_below(tmp_path, {"submissions"}) == {"deep/a.py": b"x"}
    folder_digest.cache_clear()
    before = folder_digest(tmp_path, "submissions"), folder_digest(tmp_path)
    (tmp_path / "submissions" / "b.py").write_text("z")
    folder_digest.cache_clear()
    after = folder_digest(tmp_path, "submissions"), folder_digest(tmp_path)
    assert before[0] == after[0]
    assert before[1] != after[1]
    assert len(code_digest()) == 24


def test_an_index_says_when_it_was_made():
    assert len(Index(identity=IDENTITY, items=ITEMS, size=1, digest="d").made) == 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the writer is a process that is killed")
@pytest.mark.parametrize(
    "step", ["mkdir", "first part", "second part", "write_bytes", "old away", "new in place", "rmtree"]
)
@pytest.mark.parametrize("replaces", [False, True])
def test_a_killed_writer_leaves_a_whole_recording_or_none(shelf, step, replaces, monkeypatch):
    if replaces:
        shelf.put(IDENTITY, ITEMS, [b"old"])

    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)

    def parts():
        for name, part in (("first part", b"new"), ("second part", b" bytes")):
            if name == step:
                die()
            yield part

    pid = os.fork()
    if pid == 0:
        rename = Path.rename
        if step in ("mkdir", "write_bytes"):
            original = getattr(Path, step)
            monkeypatch.setattr(Path, step, lambda path, *a, **k: (original(path, *a, **k), die()))
        elif step in ("old away", "new in place"):
            away = step == "old away"
            monkeypatch.setattr(
                Path, "rename", lambda path, to: (rename(path, to), die() if away == (path.name[0] != ".") else 0)
            )
        elif step == "rmtree":
            monkeypatch.setattr(shutil, "rmtree", die)
        shelf.put(IDENTITY, ITEMS, parts())
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    killed = os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    assert killed or (step == "old away" and not replaces), "the step was reached"
    place = shelf.place(IDENTITY.name)
    if place.exists():
        assert read_contents(place, read_index(place)) in (b"old", b"new bytes")
    else:
        assert step == "old away" or not replaces, "what was there stays until the new one is whole"
    place = shelf.put(IDENTITY, ITEMS, [b"next"])
    assert read_contents(place, read_index(place)) == b"next"
