"""Data copied onto a node: once, whole, and again only what changed."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from grader.datasets import staging
from grader.datasets.staging import stage
from grader.errors import GraderError

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="nodes run Linux")


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data" / "multi30k").mkdir(parents=True)
    (tmp_path / "data" / "multi30k" / "train.de").write_text("eins\n" * 1000)
    (tmp_path / "data" / "vocab.txt").write_text("a\n")
    return tmp_path / "data"


@pytest.fixture
def copies(monkeypatch):
    """The names of the files that were copied."""
    made, copied = [], staging._copied
    monkeypatch.setattr(staging, "_copied", lambda path, copy: made.append(path.name) or copied(path, copy))
    return made


def test_what_is_there_is_not_copied_again(data, tmp_path, copies):
    place = stage(data, tmp_path / "node")
    assert (place / "multi30k" / "train.de").read_text() == "eins\n" * 1000
    assert (place / "vocab.txt").stat().st_mode & 0o777 == 0o444
    assert stage(data, tmp_path / "node") == place
    assert sorted(copies) == ["train.de", "vocab.txt"]


def test_what_changed_is_copied_again_on_either_side(data, tmp_path, copies):
    place = stage(data, tmp_path / "node")
    (data / "vocab.txt").write_text("b\n")
    os.utime(data / "vocab.txt", ns=(1, 1))
    (place / "multi30k" / "train.de").chmod(0o644)
    (place / "multi30k" / "train.de").write_text("damaged")
    stage(data, tmp_path / "node")
    assert (place / "vocab.txt").read_text() == "b\n"
    assert (place / "multi30k" / "train.de").read_text() == "eins\n" * 1000
    assert len(copies) == 4


def test_what_the_source_no_longer_has_is_removed(data, tmp_path):
    """A loader would take the old text before a new file of the set under another name."""
    place = stage(data, tmp_path / "node")
    (data / "vocab.txt").rename(data / "vocab.txt.gz")
    assert stage(data, tmp_path / "node") == place
    assert {path.name for path in place.iterdir() if not path.name.startswith(".")} == {"multi30k", "vocab.txt.gz"}


def test_a_source_that_is_not_mounted_removes_nothing(data, tmp_path):
    place = stage(data, tmp_path / "node")
    data.rename(tmp_path / "elsewhere")
    data.mkdir()
    with pytest.raises(GraderError, match=r"holds no file; is its disk mounted on this machine\?"):
        stage(data, tmp_path / "node")
    assert (place / "multi30k" / "train.de").exists()


def test_several_at_once_copy_once(data, tmp_path, copies):
    with ThreadPoolExecutor(8) as pool:
        places = set(pool.map(lambda _: stage(data, tmp_path / "node"), range(8)))
    assert len(places) == 1
    assert sorted(copies) == ["train.de", "vocab.txt"]


def test_a_disk_that_refuses_is_named(data, tmp_path):
    (tmp_path / "node").write_text("a file")
    with pytest.raises(GraderError, match=r"--stage .*node.*; make room there"):
        stage(data, tmp_path / "node")
