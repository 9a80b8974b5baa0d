"""Where data comes from, and how a file under GRADER_DATA is found, read and told apart."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from grader.datasets import VARIABLE
from grader.datasets.known import MD5, PREFIX, SHA256, Known
from grader.errors import GraderError

# A file's part in a set, and the names it may have.
Roles = Mapping[str, tuple[str, ...]]

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".zst", ".parquet")


# What lies under a file's name where fetching it went wrong, and how it begins.
STANDS_FOR_ANOTHER = (
    (b"version https://git-lfs.github.com/spec/", "a pointer of Git LFS"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
)


class MissingData(GraderError):
    """A data set is not there.

    The message says what is missing; `remedy`, for whoever grades, where it was looked for and what to put there.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        self.remedy = remedy
        super().__init__(message)

    def __str__(self) -> str:
        return " ".join(part for part in (super().__str__(), self.remedy) if part)

    @property
    def message(self) -> str:
        """What is missing, without the folders of this machine."""
        return super().__str__()


class DamagedData(GraderError):
    """A data file is cut short or is not what its name says. The message says what was found and expected."""

    def __init__(self, path: Path, found: str, expected: str, remedy: str = "fetch or copy the file again") -> None:
        self.path = path
        super().__init__(f"{path}: {found}; expected {expected}. What to do: {remedy}.")


class LostData(GraderError):
    """A data set that was there when the run began is there no more: a fault of the machine, not of the set-up."""


@dataclass(frozen=True)
class DataSource:
    """Where loaders take their data from: `root` holds the real files; `made` asks for the stand-ins made by code."""

    root: Path | None = None
    made: bool = False

    @property
    def kind(self) -> Literal["made", "real"]:
        """What budgets, thresholds and evidence call it."""
        return "made" if self.made else "real"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> DataSource:
        """Real data under the folder that GRADER_DATA names; without it every set is missing."""
        folder = (os.environ if environment is None else environment).get(VARIABLE, "")
        return cls(root=Path(folder).expanduser() if folder else None)


@dataclass(frozen=True)
class Place:
    """How a set usually lies about: folders below the root, and in words its files, where they are had from, and what
    is used instead where they are not there."""

    title: str
    folders: tuple[str, ...]
    files: str
    obtained: str
    instead: str = ""


@dataclass(frozen=True)
class Content:
    """One file, unpacked. `digest` is the SHA-256 of `data`, so a .gz and the plain file are the same content."""

    path: Path
    data: bytes
    digest: str

    @property
    def known(self) -> Known | None:
        """What this content is, if its checksum is in the table."""
        if self.digest in SHA256:
            return SHA256[self.digest]
        return MD5.get(hashlib.md5(self.data, usedforsecurity=False).hexdigest())

    def text(self) -> str:
        """The content as UTF-8 text; raises DamagedData where it is none."""
        try:
            return self.data.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            raise DamagedData(self.path, f"byte {error.start} is no UTF-8", "UTF-8 text") from None

    def lines(self) -> list[str]:
        """The lines of the text; only a line feed ends a line, as in the distributed files."""
        lines = self.text().split("\n")
        return lines[:-1] if lines[-1] == "" else lines


@dataclass(frozen=True)
class Identity:
    """What a set is called in reports, the SHA-256 over all its contents, and what a reader should know of it."""

    name: str
    digest: str
    notes: tuple[str, ...] = ()


def folders(source: DataSource, place: Place) -> tuple[Path, ...]:
    """The folders in which a set may lie, in the order of looking; raises MissingData without a root."""
    if source.root is None:
        remedy = _remedy(place, Path(f"${VARIABLE}"))
        raise MissingData(f"Not found: {place.title}, because {VARIABLE} is not set.", remedy)
    if not source.root.is_dir():
        why = f"{source.root} is no folder. {_remedy(place, source.root)}"
        raise MissingData(f"Not found: {place.title}.", why)
    return tuple(source.root / folder for folder in place.folders)


def find(folder: Path, names: Iterable[str]) -> Path | None:
    """The first of `names` that is a file in `folder`, plain or with .gz."""
    for name in names:
        for path in (folder / name, folder / f"{name}.gz"):
            if path.is_file():
                return path
    return None


def find_all(folder: Path, roles: Roles) -> dict[str, Path] | None:
    """One file for every role, or None where any is not there."""
    found = {role: path for role, names in roles.items() if (path := find(folder, names))}
    return found if len(found) == len(roles) else None


def look(source: DataSource, place: Place, roles: Roles) -> dict[str, Path] | None:
    """The files of the first folder that holds one for every role; None where no folder does."""
    return next((files for folder in folders(source, place) if (files := find_all(folder, roles))), None)


def require(source: DataSource, place: Place, roles: Roles) -> dict[str, Path]:
    """As `look`; raises MissingData where no folder holds the set."""
    files = look(source, place, roles)
    if files is None:
        raise missing(source, place, roles)
    return files


def missing(source: DataSource, place: Place, roles: Roles) -> MissingData:
    """The error for a set that none of its folders holds completely; it names what is there and what is not."""
    looked = folders(source, place)
    assert source.root is not None
    lines = [f"Looked in: {', '.join(map(str, looked))}."]
    for folder in looked:
        there = {role for role, names in roles.items() if find(folder, names)}
        if there:
            absent = [names[0] for role, names in roles.items() if role not in there]
            lines.append(f"{folder} lacks {', '.join(absent)}.")
        packed = (
            sorted(path.name for path in folder.glob("*") if path.name.endswith(ARCHIVES)) if folder.is_dir() else []
        )
        if packed:
            lines.append(f"{folder} holds {', '.join(packed[:4])}, which is not read as it is: unpack or convert it.")
    return MissingData(f"Not found: {place.title}.", " ".join([*lines, _remedy(place, source.root)]))


def _remedy(place: Place, root: Path) -> str:
    remedy = f"Put {place.files} into {root / place.folders[0]} (plain or .gz). Obtained from: {place.obtained}."
    return f"{remedy} Used instead where it is there: {place.instead}." if place.instead else remedy


def read(path: Path) -> Content:
    """The file's content, unpacked where it is gzip; raises DamagedData where it is cut short or unreadable."""
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DamagedData(path, f"the gzip stream is cut short or broken ({error})", "a complete gzip file") from None
    except OSError as error:
        raise DamagedData(path, f"it cannot be read ({error.strerror})", "a readable file", "check it") from None
    if not data:
        raise DamagedData(path, "the file is empty", "data")
    for beginning, what in STANDS_FOR_ANOTHER:
        if data[:64].lstrip().lower().startswith(beginning):
            raise DamagedData(path, f"it is {what}", "the file itself")
    content = Content(path, data, hashlib.sha256(data).hexdigest())
    _refuse_cut(content)
    return content


def _refuse_cut(content: Content) -> None:
    """A file that begins like a known one and ends too early is that file, cut short."""
    whole = PREFIX.get(hashlib.sha256(content.data[:4096]).hexdigest()[:16])
    if whole is not None and whole.size and len(content.data) < whole.size:
        raise DamagedData(
            content.path,
            f"it begins like {whole.title} but ends after {len(content.data):,} bytes",
            f"{whole.size:,} bytes",
        )


def identify(title: str, contents: Mapping[str, Content], notes: Iterable[str] = ()) -> Identity:
    """Name a set by the checksums of its contents, given by role in a fixed order."""
    known = {role: content.known for role, content in contents.items()}
    strange = [content.path.name for role, content in contents.items() if known[role] is None]
    said = list(notes)
    said += [f"{entry.title}: {entry.note}" for entry in known.values() if entry is not None and entry.note]
    if strange:
        said.append(f"no known checksum: {', '.join(strange)}")
    short = dict.fromkeys(entry.short for entry in known.values() if entry is not None and entry.short)
    name = " ".join([title, *(f"({words})" for words in short), *(["of unknown origin"] if strange else [])])
    return Identity(name, digest_of(contents), tuple(dict.fromkeys(said)))


def digest_of(contents: Mapping[str, Content]) -> str:
    """One SHA-256 for several contents."""
    lines = "".join(f"{role} {content.digest}\n" for role, content in contents.items())
    return hashlib.sha256(lines.encode()).hexdigest()


def digest_of_made(values: object) -> str:
    """The digest of a made set: of the representation of plain strings, numbers and tuples."""
    return hashlib.sha256(repr(values).encode()).hexdigest()
