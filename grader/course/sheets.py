"""A table that people keep in a spreadsheet → rows with line numbers, in whatever form the spreadsheet saved it.

Read are UTF-8 and UTF-16 with or without byte-order mark, separated by commas, semicolons or tabs, with Excel's `sep=`
line; where it is said, also the encoding of old versions of Windows.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from grader.errors import UsageError

MAX_BYTES = 16 * 1024 * 1024
_SEPARATOR_LINE = re.compile(r'"?sep=(?P<mark>[,;\t|])"?', re.IGNORECASE)
_NUMBER_OF_A_SHEET = re.compile(r"(?P<whole>\d+)[.,]0+")

Row = tuple[int, list[str]]


def rows(path: Path, what: str, *, old_windows: bool = False) -> list[Row]:
    """(number of its last line, cells without surrounding space) of every row that is not blank.

    `what` names the file's content in messages. Raises UsageError, with the line where there is one, for a file that
    cannot be read or is no CSV.
    """
    lines = text_of(path, what, old_windows=old_windows).split("\n", 1)
    named = _SEPARATOR_LINE.fullmatch(lines[0].strip("\r ")) if len(lines) > 1 else None
    before = 0 if named is None else 1
    text = "\n".join(lines[before:])
    first = text.partition("\n")[0]
    delimiter = named["mark"] if named else max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    found: list[Row] = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append((reader.line_num + before, [cell.strip(" \t\r\n\u00a0") for cell in cells]))
    except csv.Error as error:
        raise UsageError(f"{path}: line {reader.line_num + before}: not a CSV line ({error})") from None
    return found


def text_of(path: Path, what: str, *, old_windows: bool = False) -> str:
    """The file's text. Raises UsageError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: the {what} cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path}: larger than {MAX_BYTES // 2**20} MiB, expected a few lines per person")
    encoding = _encoding(content)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        if old_windows and encoding == "utf-8-sig":
            return content.decode("cp1252", "replace")
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}: line {line} is not UTF-8; save the sheet as CSV UTF-8") from None


def _encoding(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if b"\0" in content[:200]:
        return "utf-16-be" if content[:1] == b"\0" else "utf-16-le"
    return "utf-8-sig"


def as_id(cell: str) -> str:
    """An id as a platform writes it, from what a spreadsheet made of it: `20101.0` and `'20101` are `20101`."""
    plain = cell.strip().lstrip("'")
    found = _NUMBER_OF_A_SHEET.fullmatch(plain)
    return found["whole"] if found else plain
