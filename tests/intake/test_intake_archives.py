"""Every trick of an archive ends in a Refused, or in something harmless, and never touches a neighbour."""

import io
import os
import stat
import struct
import tarfile
import warnings
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from intake_examples import COURSE, GOOD, GOOD_FILES, pack, put, snapshot

from grader.intake import take
from grader.model import Refused, Submission


def entry(name: str, mode: int = 0o100644, **fields: object) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("placeholder")
    info.filename = info.orig_filename = name
    info.external_attr = mode << 16
    info.create_system = 3
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def with_entries(*entries: tuple[zipfile.ZipInfo, bytes]):
    def build(path: Path) -> None:
        with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
            warnings.simplefilter("ignore")
            for name, content in GOOD.items():
                archive.writestr(name, content)
            for info, content in entries:
                archive.writestr(info, content)

    return build


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("models/Transformer.py", "x=1")
        with archive.open("zeros.bin", "w") as stream:
            for _ in range(40):
                stream.write(bytes(1 << 20))


def overlapping(path: Path) -> None:
    """Two hundred directory entries over one compressed kernel."""
    kernel = zlib.compress(bytes(1 << 20), 9)[2:-4]
    crc = zlib.crc32(bytes(1 << 20))
    sizes = struct.pack("<LLL", crc, len(kernel), 1 << 20)
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 8, 0, 33) + sizes + struct.pack("<HH", 4, 0) + b"a.py"
    directory = b"".join(
        b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 33) + sizes
        + struct.pack("<HHHHHLL", 4, 0, 0, 0, 0, 0, 0) + b"%03d." % number
        for number in range(200)
    )  # fmt: skip
    body = local + kernel
    end = b"PK\x05\x06" + struct.pack("<HHHHLLH", 0, 0, 200, 200, len(directory), len(body), 0)
    path.write_bytes(body + directory + end)


def encrypted(path: Path) -> None:
    pack(path, GOOD)
    data = bytearray(path.read_bytes())
    for at in (index for index in range(len(data)) if data[index : index + 4] == b"PK\x01\x02"):
        data[at + 8] |= 1
    path.write_bytes(data)


def lying_about_sizes(path: Path) -> None:
    """The directory says 10 bytes, the stream holds a megabyte."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("models/Transformer.py", bytes(1 << 20))
    data = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<L", data, data.find(magic) + offset, 10)
    path.write_bytes(data)


def million_entries(path: Path) -> None:
    """A directory as large as that of a million entries; what stands in it is not even looked at."""
    directory = bytes(25 << 20)
    end = b"PK\x05\x06" + struct.pack("<HHHHLLH", 0, 0, 0xFFFF, 0xFFFF, len(directory), 4, 0)
    path.write_bytes(b"PK\x03\x04" + directory + end)


def truncated(path: Path) -> None:
    pack(path, GOOD)
    path.write_bytes(path.read_bytes()[:-40])


def damaged(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("models/Transformer.py", "x = 1" * 100)
    data = bytearray(path.read_bytes())
    data[120] ^= 0xFF
    path.write_bytes(data)


REFUSED = {
    "up and out": (with_entries((entry("../evil.py"), b"x")), "leads out of the folder"),
    "up from inside": (with_entries((entry("models/../../../evil.py"), b"x")), "leads out of the folder"),
    "up with backslashes": (with_entries((entry("..\\..\\evil.py"), b"x")), "leads out of the folder"),
    "absolute": (with_entries((entry("/tmp/evil.py"), b"x")), "an absolute path"),
    "drive letter": (with_entries((entry("C:\\evil.py"), b"x")), "an absolute path"),
    "drive relative": (with_entries((entry("c:evil.py"), b"x")), "an absolute path"),
    "share": (with_entries((entry("\\\\host\\share\\evil.py"), b"x")), "an absolute path"),
    "folder out": (with_entries((entry("../../evil/", 0o40755), b"")), "leads out of the folder"),
    "twice": (with_entries((entry("models/Transformer.py"), b"x")), "have the same name"),
    "case twins": (with_entries((entry("models/TRANSFORMER.py"), b"x")), "upper and lower case"),
    "unicode twins": (with_entries((entry("é.py"), b"1"), (entry("e\u0301.py"), b"2")), "have the same name"),
    "file and folder": (with_entries((entry("models"), b"x")), "both a file and a folder"),
    "link out": (with_entries((entry("../x", 0o120777), b"/etc/passwd")), "leads out of the folder"),
    "bomb": (bomb, "a hundredfold"),
    "overlapping": (overlapping, "share the same bytes"),
    "encrypted": (encrypted, "protected by a password"),
    "lying": (lying_about_sizes, "damaged"),
    "million entries": (million_entries, "far too many files"),
    "truncated": (truncated, "damaged"),
    "damaged": (damaged, "damaged"),
    "unusual method": (lambda path: zipfile_with(path, zipfile.ZIP_LZMA), "an unusual method"),
    "rar": (lambda path: path.write_bytes(b"Rar!\x1a\x07"), "is a RAR archive"),
    "7z": (lambda path: path.write_bytes(b"7z\xbc\xaf'\x1c"), "is a 7z archive"),
    "web page": (lambda path: path.write_bytes(b"<!DOCTYPE html>"), "is a web page"),
    "nothing": (lambda path: path.write_bytes(b""), "is empty"),
    "rubbish": (lambda path: path.write_bytes(os.urandom(3000)), "no archive"),
}  # fmt: skip


def zipfile_with(path: Path, method: int) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("models/Transformer.py", "x=1")


@pytest.mark.parametrize(("build", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_attacks_are_refused_and_neighbours_are_graded(build, reason, tmp_path, taken, workspace) -> None:
    folder = put(tmp_path / "class", {f"alice/{name}": content for name, content in GOOD.items()})
    build(folder / "mallory.zip")
    pack(folder / "zoe.zip", GOOD)
    alice, mallory, zoe = taken(folder)
    assert isinstance(mallory, Refused)
    assert reason in mallory.reason
    assert not [mark for mark in mallory.reason if ord(mark) < 32]
    assert alice.files == zoe.files == GOOD_FILES
    assert sorted(path.name for path in workspace.iterdir()) == ["alice", "zoe"]


@pytest.mark.parametrize(("build", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_the_same_attacks_alone(build, reason, tmp_path, refused) -> None:
    build(tmp_path / "mallory.zip")
    assert reason in refused(tmp_path / "mallory.zip").reason


@pytest.mark.parametrize("name", ["a\nb.py", "a\x1b[2Jb.py", "a" * 300 + ".py", "a/" * 60 + "x.py", "Icon\r"])
@pytest.mark.parametrize("form", ["zip", "tar"])
def test_what_has_an_odd_name_is_left_out_and_the_rest_is_graded(name, form, tmp_path, one) -> None:
    if form == "zip":
        with_entries((entry(name), b"x"))(tmp_path / "m.zip")
    else:
        tar_of(tmp_path / "m.tar", tarfile.TarInfo(name), mode="w")
    result = one(tmp_path / f"m.{form}")
    assert result.files == GOOD_FILES
    assert set(snapshot(result.root)) == set(GOOD)
    assert any("left out" in note for note in result.notes)
    assert not [mark for note in result.notes for mark in note if ord(mark) < 32]


def test_folders_in_every_spelling_are_folders(tmp_path, one) -> None:
    """Programs of Windows end them in a backslash, others mark them by an attribute, or leave an empty file."""
    marked = entry("models", 0)
    marked.create_system, marked.external_attr = 0, 0x10
    folders = (entry("models\\naive\\", 0), marked, entry("data\\", 0), entry("models/naive", 0o100644))
    with_entries(*((folder, b"") for folder in folders))(tmp_path / "m.zip")
    assert one(tmp_path / "m.zip").files == GOOD_FILES


def test_a_tar_of_the_present_folder(tmp_path, one) -> None:
    root = tarfile.TarInfo("./")
    root.type = tarfile.DIRTYPE
    assert one(tar_of(tmp_path / "m.tgz", root)).files == GOOD_FILES


def test_a_name_cut_by_nul_is_seen_whole(tmp_path, refused) -> None:
    pack(tmp_path / "m.zip", {**GOOD, "evil.pyXtxt": "x"})
    data = (tmp_path / "m.zip").read_bytes().replace(b"evil.pyXtxt", b"evil.py\0txt")
    (tmp_path / "m.zip").write_bytes(data)
    assert "a NUL" in refused(tmp_path / "m.zip").reason


@pytest.mark.parametrize(
    ("mode", "note"),
    [(stat.S_IFLNK, "links are not followed"), (stat.S_IFIFO, "no ordinary"), (stat.S_IFCHR, "no ordinary"),
     (stat.S_IFBLK, "no ordinary"), (stat.S_IFSOCK, "no ordinary")],
)  # fmt: skip
def test_links_and_devices_in_a_zip_are_left_out(mode, note, tmp_path, one) -> None:
    with_entries((entry("odd.py", mode | 0o777), b"/etc/passwd"))(tmp_path / "m.zip")
    result = one(tmp_path / "m.zip")
    assert result.files == GOOD_FILES
    assert any(note in text and "'odd.py'" in text for text in result.notes)


def tar_of(path: Path, *members: tarfile.TarInfo, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in GOOD.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content.encode()))
        for member in members:
            archive.addfile(member)
    return path


def member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "odd",
    [
        member("odd", tarfile.SYMTYPE, "/etc/passwd"),
        member("odd", tarfile.LNKTYPE, "../../../etc/passwd"),
        member("odd", tarfile.CHRTYPE),
        member("odd", tarfile.BLKTYPE),
        member("odd", tarfile.FIFOTYPE),
    ],
)
def test_links_and_devices_in_a_tar_are_left_out(odd, tmp_path, one) -> None:
    result = one(tar_of(tmp_path / "m.tgz", odd))
    assert result.files == GOOD_FILES
    assert any("'odd'" in note for note in result.notes)


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
def test_bad_names_in_a_tar_are_refused(name, tmp_path, refused) -> None:
    assert "contains" in refused(tar_of(tmp_path / "m.tgz", tarfile.TarInfo(name))).reason


def test_a_gzip_bomb_is_stopped_while_it_grows(tmp_path, refused) -> None:
    huge = tarfile.TarInfo("zeros")
    huge.size = 80 << 20
    with tarfile.open(tmp_path / "m.tar.gz", "w:gz") as archive:
        archive.addfile(huge, io.BytesIO(bytes(80 << 20)))
    assert "far too large" in refused(tmp_path / "m.tar.gz").reason


def test_names_in_old_encodings(tmp_path, one) -> None:
    """A zip that says nothing of its encoding holds UTF-8 bytes, as macOS writes them."""
    path = pack(tmp_path / "m.zip", {**GOOD, "bericht_grün.md": "x"})
    data = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for at in [index for index in range(len(data)) if data[index : index + 4] == magic]:
            data[at + offset + 1] &= ~0x08
    path.write_bytes(data)
    result = one(path)
    assert (result.root / "bericht_grün.md").is_file()
    assert not result.notes


names = st.lists(
    st.sampled_from(["..", ".", "", "a", "A", "models", "LSTM.py", "é", "e\u0301", "C:", "x.py", "\u202e", "venv",
                     "con", "a" * 250, " ", "~", "$(id)", ";rm -rf", "-rf", "'", "\t", "x.zip", "__MACOSX"])
    | st.text(max_size=5), min_size=1, max_size=4,
).map("/".join)  # fmt: skip


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(names, st.booleans()), max_size=6))
def test_no_name_writes_outside_its_folder(tmp_path_factory, wanted) -> None:
    yard = tmp_path_factory.mktemp("yard")
    with warnings.catch_warnings(), zipfile.ZipFile(yard / "m.zip", "w") as archive:
        warnings.simplefilter("ignore")
        for name, link in wanted:
            try:
                archive.writestr(entry(name, 0o120777 if link else 0o100644), b"/etc")
            except UnicodeEncodeError:
                continue
        archive.writestr("x.py", "x = 1")
    for result in take([yard / "m.zip"], COURSE, yard / "deep" / "work"):
        assert isinstance(result, Submission | Refused)
        if isinstance(result, Submission):
            assert result.root.parent == yard / "deep" / "work"
            for path in result.root.rglob("*"):
                assert stat.S_ISDIR(path.lstat().st_mode) or stat.S_ISREG(path.lstat().st_mode)
    assert sorted(path.name for path in yard.iterdir()) == ["deep", "m.zip"]
    assert [path.name for path in (yard / "deep").iterdir()] == ["work"]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_archives_never_stop_the_run(tmp_path_factory, data) -> None:
    yard = tmp_path_factory.mktemp("yard")
    if data.draw(st.booleans()):
        path = pack(yard / "m.zip", {"models/Transformer.py": "x = 1\n" * 50, "a.txt": "a"})
    else:
        path = tar_of(yard / "m.tar", mode="w")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    (result,) = take([path], COURSE, yard / "work")
    assert isinstance(result, Submission | Refused)
