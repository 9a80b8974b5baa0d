"""Archive → entries, with every trick that an archive can play found before anything is written.

Sizes and names are judged from the directory of the archive; contents are read later, entry by entry, against the
declared size. Only zip (stored or deflated), tar and tar.gz are opened: other formats unpack with too much memory or
need programs that a course machine lacks, and students can always make a zip.
"""

from __future__ import annotations

import gzip
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import IO

from grader.errors import SubmissionError
from grader.intake.names import ODD_NAMES, checked, junk
from grader.intake.tree import LISTED_FILES, MIB, Entry, empty_folder, parents_of, without_environments

UNREADABLE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, struct.error, EOFError, ValueError, KeyError, IndexError,
    NotImplementedError, RuntimeError, OverflowError, OSError,
)  # fmt: skip
_BOMB_SIZE, _BOMB_RATIO = 16 * MIB, 100
_LOCAL_HEADER = 30
_ENCRYPTED, _UTF8 = 0x1, 0x800
_MSDOS_FOLDER = 0x10
_FORMATS = {
    b"Rar!": "a RAR archive", b"7z\xbc\xaf": "a 7z archive", b"\xfd7zX": "an xz archive",
    b"BZh": "a bzip2 archive", b"%PDF": "a PDF", b"<!DO": "a web page", b"<htm": "a web page",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ArchiveCaps:
    """How large an archive's list of contents, and a tar's unpacked stream, may be."""

    directory_bytes: int
    unpacked_bytes: int


BULK = ArchiveCaps(directory_bytes=24 * MIB, unpacked_bytes=8 << 30)
ONE = ArchiveCaps(directory_bytes=8 * MIB, unpacked_bytes=1 << 30)


def archive_entries(file: IO[bytes], name: str, caps: ArchiveCaps, stack: ExitStack) -> tuple[Entry, ...]:
    """The entries of the zip, tar or tar.gz in `file` (seekable), which `stack` keeps open.

    Raises SubmissionError if it is none of these, damaged, or too large to be listed.
    """
    try:
        start = file.read(512)
        file.seek(0)
        if start[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
            return without_environments(_zip_entries(file, name, caps, stack))
        if start[:2] == b"\x1f\x8b":
            return without_environments(_tar_entries(_unpacked(file, name, caps, stack), name, stack))
        if start[257:262] == b"ustar":
            return without_environments(_tar_entries(file, name, stack))
    except UNREADABLE as error:
        raise SubmissionError(f"the archive {name} is damaged and cannot be opened; make it again") from error
    kind = next(
        (words for magic, words in _FORMATS.items() if start.startswith(magic)), "no archive that can be opened"
    )
    raise SubmissionError(
        f"{name} is {kind}; hand in an ordinary .zip file" if start else f"the archive {name} is empty"
    )


def _zip_entries(file: IO[bytes], name: str, caps: ArchiveCaps, stack: ExitStack) -> tuple[Entry, ...]:
    if _directory_size(file) > caps.directory_bytes:
        raise SubmissionError(f"the archive {name} lists far too many files; hand in the requested files only")
    archive = stack.enter_context(zipfile.ZipFile(file))
    overlapping = _overlapping(archive)
    infos = archive.infolist()
    folders = [info.orig_filename for info in infos if _is_folder(info)]
    files = [info for info in infos if not _is_folder(info) or checked(info.orig_filename)[1]]
    return _listed((_zip_entry(archive, info, info.header_offset in overlapping) for info in files), folders)


def _is_folder(info: zipfile.ZipInfo) -> bool:
    """Some programs of Windows end a folder's name in a backslash, or mark it by an attribute only."""
    marked = info.is_dir() or info.orig_filename.endswith("\\") or bool(info.external_attr & _MSDOS_FOLDER)
    return marked and not info.file_size


def _directory_size(file: IO[bytes]) -> int:
    """The size of a zip's central directory in bytes, read before it is loaded: each entry of it costs memory."""
    end = file.seek(0, 2)
    tail_start = max(0, end - 22 - 0xFFFF - 76)
    file.seek(tail_start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise zipfile.BadZipFile("no end record")
    size = int(struct.unpack_from("<L", tail, at + 12)[0])
    large = tail.rfind(b"PK\x06\x06", 0, at)
    if large >= 0 and len(tail) >= large + 56:
        size = max(size if size != 0xFFFFFFFF else 0, int(struct.unpack_from("<Q", tail, large + 40)[0]))
    file.seek(0)
    return size


def _overlapping(archive: zipfile.ZipFile) -> frozenset[int]:
    """Offsets of entries that share bytes with the next one: how a small archive holds petabytes."""
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    ends = [info.header_offset for info in infos[1:]] + [archive.start_dir]
    return frozenset(
        info.header_offset
        for info, end in zip(infos, ends, strict=True)
        if info.header_offset + _LOCAL_HEADER + info.compress_size > end
    )


def _zip_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, overlaps: bool) -> Entry:
    raw, note = _zip_name(info)
    path, problem = checked(raw)
    mode = info.external_attr >> 16
    left_out = "junk" if junk(path) else ""
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        left_out = "link" if stat.S_ISLNK(mode) else "special"
    if problem in ODD_NAMES:
        left_out, problem = left_out or "odd", ""
    problem = problem or _zip_problem(info, overlaps)
    return Entry(
        path=path,
        size=info.file_size,
        open=lambda: archive.open(info),
        problem=problem if left_out != "junk" or overlaps else "",
        left_out=left_out,
        note=note,
        modified=_moment(info.date_time),
    )


def _moment(when: tuple[int, int, int, int, int, int]) -> float | None:
    try:
        return datetime(*when).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _listed(files: Iterable[Entry], folders: Sequence[str]) -> tuple[Entry, ...]:
    """The files and the empty folders, in an order that does not depend on the program that packed them.

    An empty file that bears the name of a folder is that folder, as old programs write it.
    """
    found = list(files)
    paths = {checked(name)[0] for name in folders}
    parents = {parent for entry in found for parent in parents_of(entry.path)}
    parents |= {parent for path in paths for parent in parents_of(path)}
    found = [entry for entry in found if entry.size or entry.problem or entry.path not in parents]
    empty = (empty_folder(path, "junk" if junk(path) else "empty") for path in paths - parents)
    return tuple(sorted((*found, *empty), key=lambda entry: entry.path))


def _zip_name(info: zipfile.ZipInfo) -> tuple[str, str]:
    """The entry's name. Old tools write bytes without saying in which encoding; UTF-8 is tried first."""
    name = info.orig_filename
    if info.flag_bits & _UTF8 or name.isascii():
        return name, ""
    try:
        return name.encode("cp437").decode("utf-8"), ""
    except (UnicodeEncodeError, UnicodeDecodeError):
        return name, "the archive was made by an old program: names with special letters may read differently"


def _zip_problem(info: zipfile.ZipInfo, overlaps: bool) -> str:
    if overlaps:
        return "files that share the same bytes, as no ordinary program packs them"
    if info.flag_bits & _ENCRYPTED:
        return "a file that is protected by a password"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "a file packed with an unusual method (choose ordinary zip compression)"
    if info.file_size > _BOMB_SIZE and info.file_size > _BOMB_RATIO * info.compress_size:
        return "a file that grows more than a hundredfold when unpacked"
    return ""


def _unpacked(file: IO[bytes], name: str, caps: ArchiveCaps, stack: ExitStack) -> IO[bytes]:
    """The gzip's content in an unnamed file, so that entries can be read in any order; capped while it grows."""
    packed = file.seek(0, 2)
    file.seek(0)
    plain: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  # the stack closes it
    with gzip.GzipFile(fileobj=file) as stream:
        while block := stream.read(MIB):
            plain.write(block)
            size = plain.tell()
            if size > caps.unpacked_bytes or (size > 4 * _BOMB_SIZE and size > _BOMB_RATIO * packed):
                raise SubmissionError(f"the archive {name} grows far too large when unpacked; hand in a smaller one")
    plain.seek(0)
    return plain


def _tar_entries(file: IO[bytes], name: str, stack: ExitStack) -> tuple[Entry, ...]:
    archive = stack.enter_context(tarfile.TarFile(fileobj=file))
    entries: list[Entry] = []
    folders: list[str] = []
    for member in archive:
        if len(entries) + len(folders) > LISTED_FILES:
            raise SubmissionError(f"the archive {name} lists far too many files; hand in the requested files only")
        if member.isdir() and not checked(member.name)[1]:
            folders.append(member.name)
        elif not member.isdir() or member.name != ".":  # of `tar czf work.tgz .`
            entries.append(_tar_entry(archive, member))
    return _listed(entries, folders)


def _tar_entry(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
    path, problem = checked(member.name)
    left_out = "junk" if junk(path) else ""
    if member.issym() or member.islnk():
        left_out = "link"
    elif not (member.isreg() or member.isdir()):
        left_out = "special"
    if problem in ODD_NAMES:
        left_out, problem = left_out or "odd", ""
    if member.issparse():
        problem = problem or "a file with holes (a sparse file)"
    return Entry(
        path=path,
        size=member.size,
        open=lambda: _tar_open(archive, member),
        problem="" if left_out == "junk" else problem,
        left_out=left_out,
        modified=float(member.mtime),
    )


def _tar_open(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(member)
    if stream is None:
        raise tarfile.TarError(f"{member.name} is no regular file")
    return stream
