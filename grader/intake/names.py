"""Names that others chose → paths that are safe to write, keys that are safe everywhere, notes that name nobody."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

from grader.model import Person
from grader.sandbox import scratch
from grader.text import one_line

SOURCE_SUFFIXES = (".py", ".ipynb")
# A second upload may be renamed in the middle of its suffix: `a2.tar-1.gz`, `a2.tar (1).gz`.
_ARCHIVE = re.compile(r"(?:\.tar(?P<mark>-\d{1,2}| ?\(\d{1,3}\))?\.gz|\.tgz|\.tar|\.zip)$", re.IGNORECASE)
FOREIGN_ARCHIVES = (".rar", ".7z", ".tar.xz", ".tar.bz2", ".txz", ".tbz2", ".xz", ".bz2", ".gz", ".zst", ".lzh", ".egg")
PART_DOWNLOADS = (".crdownload", ".part", ".partial", ".download", ".opdownload", ".filepart")
JUNK_FOLDERS = frozenset({
    "__MACOSX", ".git", ".svn", ".hg", "__pycache__", ".ipynb_checkpoints", "venv", ".venv", "virtualenv",
    ".virtualenv", "site-packages", "node_modules", ".idea", ".vscode", ".mypy_cache", ".pytest_cache",
    ".ruff_cache", ".tox", ".Trash", ".Trashes", ".fseventsd", ".Spotlight-V100", "$RECYCLE.BIN", "@eaDir",
    ".AppleDouble", ".TemporaryItems", ".virtual_documents", ".cache",
})  # fmt: skip
JUNK_FILES = frozenset({
    ".ds_store", "thumbs.db", "ehthumbs.db", "desktop.ini", ".gitignore", ".gitattributes", ".gitkeep", ".keep",
    "icon\r", "icon", ".localized", ".directory", ".python-version", ".rhistory", ".metadata_never_index",
})  # fmt: skip
JUNK_SUFFIXES = (".pyc", ".pyo", ".swp", ".swo", "~", ":zone.identifier")
JUNK_PREFIXES = ("._", "~$", ".~lock.", scratch.PREFIX)  # workers have folders named so, and no rule looks into them
# Folders of one submission that nobody would take for a student, whatever lies beside them.
WORK_FOLDERS = frozenset({
    "data", "dataset", "datasets", "checkpoints", "checkpoint", "ckpt", "output", "outputs", "result", "results",
    "figures", "figure", "figs", "plots", "images", "image", "img", "imgs", "pics", "logs", "log", "runs", "models",
    "model", "weights", "saved", "saved_models", "src", "source", "code", "docs", "doc", "report", "reports", "utils",
    "notebooks", "tests", "test", "scripts", "lib", "assets", "media", "tmp", "temp",
})  # fmt: skip
# What people write into the name of a version of their work.
GOOD_VERSIONS = frozenset({"final", "submission", "submit", "submitted", "solution", "fixed", "new", "latest", "done"})
OLD_VERSIONS = frozenset({
    "draft", "old", "backup", "bak", "copy", "original", "template", "starter", "unused", "archive", "wip", "previous",
})  # fmt: skip
_WORDS = re.compile(r"[a-z]+|\d+")
COMPILED_SUFFIXES = frozenset({".so", ".pyd", ".dll", ".dylib", ".exe", ".o", ".a"})
# What arrays and trained weights are stored in.
WEIGHT_SUFFIXES = frozenset(
    {".pt", ".pth", ".ckpt", ".safetensors", ".npy", ".npz", ".pkl", ".pickle", ".joblib", ".h5", ".hdf5", ".onnx"}
)
# What courses keep beside submissions: sheets, lists, instructions.
_CLASS_SUFFIXES = (".csv", ".tsv", ".xlsx", ".xls", ".ods", ".yml", ".yaml")
_CLASS_NAMES = ("readme", "index.htm")
KEY_LENGTH = 80

_MAX_PATH, _MAX_COMPONENT, _MAX_DEPTH = 1000, 240, 24
_DRIVE = re.compile(r"[A-Za-z]:")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_WINDOWS_FORBIDDEN = re.compile(r'[<>:"|?*]')
_UNSAFE_IN_KEY = re.compile(r"[^A-Za-z0-9._-]+")
_LONG_NUMBER = re.compile(r"(?<![A-Za-z0-9])\d[\d-]{4,}(?![A-Za-z0-9])")
_STUDENT_IDS = re.compile(r"(?:_\d{5,12}){1,4}$")
_ONLY_AN_ID = re.compile(r"\d{4,}|\d{4}-\d{4,6}")
_UPLOAD = re.compile(r"(?P<stem>.+)-(?P<number>\d{1,2})")
_HANDLE = re.compile(r"[A-Za-z0-9._-]+")
_COPY = re.compile(
    r"(?:copy of )?(?P<stem>.*?)"
    r"(?: ?\((?P<number>\d{1,3})\)| - copy(?: \(\d+\))?| copy(?: \d+)?|-copy\d*|-(?P<again>\d{1,2}))?",
    re.IGNORECASE,
)


# What is wrong with a name that no attack needs: such a file is left out, and the others are taken.
ODD_NAMES = frozenset({
    "control characters in a name", "an empty name", "a name that is too long", "a name that Windows cannot store",
})  # fmt: skip


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
    if "\0" in name:
        return "a name with a NUL, at which other programs cut it"
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
        if folder in JUNK_FOLDERS or folder.startswith(scratch.PREFIX):
            return folder
    known = name in JUNK_FOLDERS or name.casefold() in JUNK_FILES or name.startswith(JUNK_PREFIXES)
    return name if known or name.casefold().endswith(JUNK_SUFFIXES) else ""


def is_source(path: str) -> bool:
    return path.lower().endswith(SOURCE_SUFFIXES)


def is_archive(path: str) -> bool:
    return _ARCHIVE.search(path) is not None


def is_foreign_archive(path: str) -> bool:
    return path.lower().endswith(FOREIGN_ARCHIVES) and not is_archive(path)


def is_part_download(path: str) -> bool:
    return path.lower().endswith(PART_DOWNLOADS)


def is_class_file(path: str) -> bool:
    """Whether a loose file beside submissions is the course's own and nobody's work."""
    return path.lower().endswith(_CLASS_SUFFIXES) or path.lower().startswith(_CLASS_NAMES)


def is_packed(path: str) -> bool:
    """Whether a whole submission may be in it, so that it has an owner: an archive of any kind, or a part of one."""
    return is_archive(path) or is_foreign_archive(path) or is_part_download(path)


def stem(name: str) -> str:
    """A file name without its suffix; `.tar.gz` counts as one, also where a mark of a second upload stands in it."""
    found = _ARCHIVE.search(name)
    if found:
        return name[: found.start()]
    for suffix in FOREIGN_ARCHIVES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return stem(PurePosixPath(name).stem) if is_part_download(name) else PurePosixPath(name).stem


def upload_mark(name: str) -> tuple[str, int]:
    """`a2.tar-1.gz` → (`a2.tar.gz`, 1), `LSTM-2.py` → (`LSTM.py`, 2): how a platform marks a second upload."""
    inside = _ARCHIVE.search(name)
    if inside and inside["mark"]:
        number = re.sub(r"\D", "", inside["mark"])
        return name[: inside.start()] + inside[0].replace(inside["mark"], ""), int(number)
    base = stem(name)
    found = _UPLOAD.fullmatch(base)
    return (found["stem"] + name[len(base) :], int(found["number"])) if found else (name, 0)


def without_copy_mark(name: str) -> tuple[str, int]:
    """`LSTM (2).py` → (`LSTM.py`, 2): the name before a browser or file manager renamed a second copy."""
    base = stem(name)
    found = _COPY.fullmatch(base)
    if found is None or not found["stem"]:
        return name, 0
    return found["stem"] + name[len(base) :], int(found["number"] or found["again"] or 0)


def version(name: str) -> int:
    """What a name says of the version of the work that it holds: 1 a last one, -1 an old one, 0 nothing."""
    words = set(_WORDS.findall(name.casefold()))
    return bool(words & GOOD_VERSIONS) - bool(words & OLD_VERSIONS)


def without_version(name: str) -> str:
    """What is left of a name without the words for versions: equal for versions of one work."""
    plain = re.sub(r"\bv\d+\b|_v\d+", " ", name.casefold())
    return " ".join(word for word in _WORDS.findall(plain) if word not in GOOD_VERSIONS | OLD_VERSIONS)


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


def private_key(label: str, salt: str, owners: Iterable[str] = ()) -> str:
    """A key that says nothing of the label, which names people (`owners` are ids in it, in any order).

    Slow to make, so that an id of nine digits is not found by trying them all.
    """
    secret = "\0".join(sorted(owners)) or label
    digest = hashlib.pbkdf2_hmac("sha256", secret.encode("utf-8", "surrogatepass"), salt.encode(), 3000)
    return f"submission-{digest.hex()[:10]}"


def tells_people(label: str) -> bool:
    """Whether a name that others chose may name people: it is no plain handle (`ada`, `team-7`), or holds an id."""
    return _HANDLE.fullmatch(label) is None or bool(student_ids(label)) or _LONG_NUMBER.search(label) is not None


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
