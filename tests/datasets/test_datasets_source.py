"""Finding, reading and naming data files."""

import gzip
import hashlib

import pytest
from dataset_examples import put

from grader.datasets import known, source
from grader.datasets.source import DamagedData, DataSource, MissingData, Place, identify, look, read, require

PLACE = Place("Thing Set", ("thing", "Thing/raw"), "a.txt and b.txt", "the authors of Thing")
ROLES = {"a": ("a.txt", "a.dat"), "b": ("b.txt",)}


def test_without_a_root_the_message_names_the_set_the_variable_and_the_origin():
    with pytest.raises(MissingData) as caught:
        require(DataSource(), PLACE, ROLES)
    message = str(caught.value)
    for words in ("Thing Set", "GRADER_DATA", "a.txt and b.txt", "the authors of Thing"):
        assert words in message


def test_a_substitute_is_mentioned(tmp_path):
    place = Place("Thing Set", ("thing",), "a.txt", "the authors", instead="Other Set")
    with pytest.raises(MissingData, match=r"Used instead where it is there: Other Set\.$"):
        require(DataSource(tmp_path), place, ROLES)


def test_a_root_that_is_no_folder_is_named(tmp_path):
    with pytest.raises(MissingData, match="nowhere is no folder"):
        require(DataSource(tmp_path / "nowhere"), PLACE, ROLES)


def test_a_missing_set_lists_where_it_was_looked_for(tmp_path):
    with pytest.raises(MissingData) as caught:
        require(DataSource(tmp_path), PLACE, ROLES)
    assert str(tmp_path / "thing") in str(caught.value)
    assert str(tmp_path / "Thing" / "raw") in str(caught.value)
    assert "a.txt and b.txt" in str(caught.value)


def test_half_a_set_names_the_file_that_lacks(tmp_path):
    put(tmp_path / "thing" / "a.txt", "x")
    with pytest.raises(MissingData, match=r"thing lacks b\.txt\."):
        require(DataSource(tmp_path), PLACE, ROLES)


def test_a_packed_archive_beside_is_pointed_out(tmp_path):
    put(tmp_path / "thing" / "thing.tar.gz", "x")
    with pytest.raises(MissingData, match=r"holds thing\.tar\.gz, which is not read as it is: unpack"):
        require(DataSource(tmp_path), PLACE, ROLES)


def test_the_first_complete_folder_is_taken(tmp_path):
    put(tmp_path / "thing" / "a.txt", "half")
    put(tmp_path / "Thing" / "raw" / "a.dat", "whole")
    put(tmp_path / "Thing" / "raw" / "b.txt", "whole", packed=True)
    files = look(DataSource(tmp_path), PLACE, ROLES)
    assert {role: path.name for role, path in files.items()} == {"a": "a.dat", "b": "b.txt.gz"}


def test_the_environment_names_the_root(tmp_path):
    assert DataSource.from_environment({"GRADER_DATA": str(tmp_path)}) == DataSource(tmp_path)
    assert DataSource.from_environment({}) == DataSource(None)
    assert DataSource.from_environment({"GRADER_DATA": ""}) == DataSource(None)


def test_packed_and_plain_files_have_one_digest(tmp_path):
    plain, packed = put(tmp_path / "a.txt", "words"), put(tmp_path / "a.txt", "words", packed=True)
    assert read(plain).digest == read(packed).digest == hashlib.sha256(b"words").hexdigest()


@pytest.mark.parametrize("keep", [5, 30, -9, -1])
def test_a_gzip_file_cut_short_is_damaged(tmp_path, keep):
    data = gzip.compress(bytes(range(256)) * 20)
    path = put(tmp_path / "a.gz", data[:keep])
    with pytest.raises(DamagedData, match="cut short or broken") as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "What to do" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.gz", b"no gzip", "cut short or broken"),
        ("a.txt", b"", "empty"),
        ("a.gz", gzip.compress(b"", mtime=0), "empty"),
        ("train.csv", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "a pointer of Git LFS"),
        ("train.csv", b"\n<!DOCTYPE html><html><head><title>Google Drive", "a web page"),
        ("data_batch_1", b"<HTML><body>Not found", "a web page"),
    ],
)
def test_other_broken_files_are_damaged(tmp_path, name, data, words):
    with pytest.raises(DamagedData, match=words):
        read(put(tmp_path / name, data))


def test_a_folder_in_the_place_of_a_file_is_not_taken_for_it(tmp_path):
    (tmp_path / "thing" / "a.txt").mkdir(parents=True)
    put(tmp_path / "thing" / "b.txt", "x")
    assert look(DataSource(tmp_path), PLACE, ROLES) is None


def test_text_that_is_no_utf8_is_damaged(tmp_path):
    with pytest.raises(DamagedData, match="byte 2 is no UTF-8"):
        read(put(tmp_path / "a.txt", b"ab\xff")).text()


def test_only_a_line_feed_ends_a_line(tmp_path):
    content = read(put(tmp_path / "a.txt", "one\u2028still one\x0b\r\ntwo\n\nfour"))
    assert content.lines() == ["one\u2028still one\x0b", "two", "", "four"]


@pytest.fixture
def table(monkeypatch):
    """A table that knows one content, and that content."""
    whole = b"".join(b"line %d\n" % number for number in range(2000))
    entry = known.Known(
        hashlib.sha256(whole).hexdigest(), "Thing a", len(whole), hashlib.sha256(whole[:4096]).hexdigest()[:16]
    )
    monkeypatch.setattr(source, "SHA256", {entry.digest: entry})
    monkeypatch.setattr(source, "PREFIX", {entry.start: entry})
    return whole


def test_known_contents_are_named(tmp_path, table):
    contents = {"a": read(put(tmp_path / "a.txt", table, packed=True))}
    assert identify("Thing", contents).name == "Thing"
    assert identify("Thing", contents).notes == ()


def test_a_known_content_cut_short_is_damaged(tmp_path, table):
    with pytest.raises(DamagedData, match="begins like Thing a but ends after 9,000 bytes; expected 18,890"):
        read(put(tmp_path / "a.txt", table[:9000]))


def test_a_content_with_another_checksum_is_of_unknown_origin(tmp_path, table):
    changed = table[:-2] + b"!\n"
    contents = {"a": read(put(tmp_path / "a.txt", changed)), "b": read(put(tmp_path / "b.txt", table))}
    identity = identify("Thing", contents)
    assert identity.name == "Thing of unknown origin"
    assert identity.notes == ("no known checksum: a.txt",)
    assert identity.digest != identify("Thing", {"a": contents["b"], "b": contents["b"]}).digest


def test_the_table_is_sound():
    assert len(known.SHA256) == len(known.FILES) + len(known.ARRAYS)
    assert all(len(digest) == 64 and int(digest, 16) for digest in known.SHA256)
    assert len(known.MD5) == 6
    assert all(len(digest) == 32 and int(digest, 16) for digest in known.MD5)
    assert len(known.PREFIX) == sum(bool(entry.start) for entry in known.FILES)
    assert all(entry.size > 4096 for entry in known.PREFIX.values())
