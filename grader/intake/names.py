"""Names that others chose → paths that are safe to write, keys that are safe everywhere, notes that name nobody."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

from grader.model import Person
from grader.text import one_line

SOURCE_SUFFIXES = (".py", ".ipynb")
ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
FOREIGN_ARCHIVES = (".rar", ".7z", ".tar.xz", ".tar.bz2", ".txz", ".tbz2", ".xz", ".bz2", ".gz", ".zst", ".lzh", ".egg")
JUNK_FOLDERS = frozenset({
    "__MACOSX", ".git", ".svn", ".hg", "__pycache__", ".ipynb_checkpoints", "venv", ".venv", "virtualenv",
    ".virtualenv", "site-packages", "node_modules", ".idea", ".vscode", ".mypy_cache", ".pytest_cache",
    ".ruff_cache", ".tox", ".Trash", ".fseventsd", ".Spotlight-V100", "$RECYCLE.BIN",
})  # fmt: skip
JUNK_FILES = frozenset(
    {".DS_Store", "Thumbs.db", "desktop.ini", ".gitignore", ".gitattributes", "Icon\r", ".localized"}
)
JUNK_SUFFIXES = (".pyc", ".pyo", ".swp")
COMPILED_SUFFIXES = frozenset({".so", ".pyd", ".dll", ".dylib", ".exe", ".o", ".a"})
# What arrays and trained weights are stored in.
WEIGHT_SUFFIXES = frozenset(
    {".pt", ".pth", ".ckpt", ".safetensors", ".npy", ".npz", ".pkl", ".pickle", ".joblib", ".h5", ".hdf5", ".onnx"}
)
KEY_LENGTH = 80

_MAX_PATH, _MAX_COMPONENT, _MAX_DEPTH = 1000, 240, 24
_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_WINDOWS_FORBIDDEN = re.compile(r'[<>:"|?*]')
_UNSAFE_IN_KEY = re.compile(r"[^A-Za-z0-9._-]+")
_LONG_NUMBER = re.compile(r"(?<![A-Za-z0-9])\d[\d-]{4,}(?![A-Za-z0-9])")
_STUDENT_IDS = re.compile(r"(?:_\d{5,12}){1,4}$")
_ONLY_AN_ID = re.compile(r"\d{4,}|\d{4}-\d{4,6}")
_COPY = re.compile(
    r"(?:copy of )?(?P<stem>.*?)"
    r"(?: ?\((?P<number>\d{1,3})\)| - copy(?: \(\d+\))?| copy(?: \d+)?|-copy\d*|-(?P<again>\d{1,2}))?",
    re.IGNORECASE,
)


def checked(raw: str) -> tuple[str, str]:
    """A relative posix path for a name found in an archive or folder, and what is wrong with the name (or "").

    The path is safe to show and to group by even where something is wrong; then nothing may be written under it.
    """
    name = unicodedata.normalize("NFC", raw.replace("\\", "/"))
    parts = [part for part in name.split("/") if part not in ("", ".")]
    problem = _problem(name, parts)
    if problem:
        parts = [one_line(part, _MAX_COMPONENT) for part in parts if part != ".."]
    return "/".join(part for part in parts if part) or "?", problem


def _problem(name: str, parts: list[str]) -> str:
    if _CONTROL.search(name) or any("\ud800" <= mark <= "\udfff" for mark in name):
        return "control characters in a name"
    if not parts:
        return "an empty name"
    if name.startswith("/") or _DRIVE.match(parts[0]):
        return "an absolute path"
    if ".." in parts:
        return "a path that leads out of the folder"
    if len(parts) > _MAX_DEPTH or _too_long(name):
        return "a name that is too long"
    if os.name == "nt" and _WINDOWS_FORBIDDEN.search(name):
        return "a name that Windows cannot store"
    return ""


def _too_long(name: str) -> bool:
    encoded = [part.encode("utf-8", "replace") for part in name.split("/")]
    return sum(map(len, encoded)) > _MAX_PATH or any(len(part) > _MAX_COMPONENT for part in encoded)


def junk(path: str) -> str:
    """The part of the path that makes it no work of the student (`__pycache__`, `.DS_Store`), or ""."""
    *folders, name = path.split("/")
    for folder in folders:
        if folder in JUNK_FOLDERS:
            return folder
    if name in JUNK_FOLDERS or name in JUNK_FILES or name.startswith("._"):
        return name
    return name if name.endswith(JUNK_SUFFIXES) else ""


def is_source(path: str) -> bool:
    return path.lower().endswith(SOURCE_SUFFIXES)


def is_archive(path: str) -> bool:
    return path.lower().endswith(ARCHIVE_SUFFIXES)


def is_foreign_archive(path: str) -> bool:
    return path.lower().endswith(FOREIGN_ARCHIVES) and not is_archive(path)


def stem(name: str) -> str:
    """A file name without its suffix; `.tar.gz` counts as one."""
    for suffix in ARCHIVE_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return PurePosixPath(name).stem


def without_copy_mark(name: str) -> tuple[str, int]:
    """`LSTM (2).py` → (`LSTM.py`, 2): the name before a browser or file manager renamed a second copy."""
    path = PurePosixPath(name)
    found = _COPY.fullmatch(path.stem)
    if found is None or not found["stem"]:
        return name, 0
    return found["stem"] + path.suffix, int(found["number"] or found["again"] or 0)


def safe_key(label: str) -> str:
    """A key of [A-Za-z0-9._-], at most KEY_LENGTH long, that starts with no dot or dash.

    A label that loses letters (a name in another script, a very long one) gets a digest of it, so that its key does
    not depend on who else is graded.
    """
    spelled = unicodedata.normalize("NFKD", label)
    ascii_label = spelled.encode("ascii", "ignore").decode("ascii")
    key = _UNSAFE_IN_KEY.sub("-", ascii_label).strip("-.")
    lost = any(mark.isalnum() and not mark.isascii() for mark in spelled)
    if key and not lost and len(key) <= KEY_LENGTH:
        return key
    digest = hashlib.sha256(label.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{key[: KEY_LENGTH - 9].rstrip('-.') or 'submission'}-{digest}"


def student_ids(name: str) -> tuple[str, ...]:
    """The ids in a name that follows the `…_id1_id2` convention, or that is an id and nothing else."""
    base = stem(name)
    if _ONLY_AN_ID.fullmatch(base):
        return (base,)
    found = _STUDENT_IDS.search(without_copy_mark(f"{base}.x")[0].removesuffix(".x"))
    return tuple(found[0].strip("_").split("_")) if found else ()


def without_ids(path: str) -> str:
    """`hw3_123456_234567.ipynb` → `hw3.ipynb`."""
    pure = PurePosixPath(path)
    plain = _STUDENT_IDS.sub("", without_copy_mark(pure.name)[0].removesuffix(pure.suffix))
    return str(pure.with_name(plain + pure.suffix)) if plain else path


def masked(text: str, people: Iterable[Person] = ()) -> str:
    """`text` for a note: long numbers and what is known of the people are replaced, since notes name nobody."""
    for person in people:
        for secret in (person.email, person.person_id, person.name, *_name_forms(person.name)):
            if len(secret) >= 3:
                text = re.sub(re.escape(secret), "…", text, flags=re.IGNORECASE)
    return _LONG_NUMBER.sub("…", text)


def _name_forms(name: str) -> Iterable[str]:
    words = re.findall(r"\w+", name)
    return [joint.join(order) for joint in ("", "_", "-", ".") for order in (words, words[::-1])] if words else []
