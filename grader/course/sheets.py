"""A table that people keep in a spreadsheet → rows with line numbers, in whatever form it was saved; and back.

Read are UTF-8 and UTF-16 with or without byte-order mark, separated by commas, semicolons or tabs, with Excel's `sep=`
line; where it is said, also the encoding of old versions of Windows.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

from grader.errors import UsageError
from grader.wording import first_lines

MAX_BYTES = 16 * 1024 * 1024
MAX_SHOWN = 20
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SEPARATOR_LINE = re.compile(r'"?sep=(?P<mark>[,;\t|])"?', re.IGNORECASE)
_NUMBER_OF_A_SHEET = re.compile(r"(?P<whole>\d+)[.,]0+")

Row = tuple[int, list[str]]


def rows(path: Path, what: str, *, old_windows: bool = False) -> list[Row]:
    """(number of its last line, cells without surrounding space) of every row that is not blank.

    `what` names the file's content in messages. Raises UsageError, with the line where there is one, for a file that
    cannot be read or is no CSV.
    """
    whole = text_of(path, what, old_windows=old_windows)
    delimiter, start = delimiter_of(whole)
    before, text = whole.count("\n", 0, start), whole[start:]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    found: list[Row] = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append((reader.line_num + before, [cell.strip(" \t\r\n\u00a0") for cell in cells]))
    except csv.Error as error:
        raise UsageError(f"{path}: line {reader.line_num + before}: not a CSV line ({error})") from None
    return found


def columns_of(
    path: Path, what: str, columns: Mapping[str, str], needed: Sequence[str]
) -> list[tuple[int, dict[str, str]]]:
    """Line and cells by column of every row below the heading; `columns` are the known headings, in small letters.

    Other columns are left out. Raises UsageError for a heading without one of `needed`, or with one of them twice.
    """
    read = rows(path, what, old_windows=True)
    heading = [columns.get(cell.casefold(), "") for cell in read[0][1]] if read else []
    missing = [name for name in needed if heading.count(name) != 1]
    twice = sorted({name for name in heading if name and heading.count(name) > 1})
    if missing or twice:
        found = ", ".join(read[0][1]) if read else "an empty file"
        wanted = ", ".join(missing or twice)
        raise UsageError(f"{path}:1: expected one column {wanted} (known: {', '.join(columns)}); found {found}")
    return [
        (line, {name: cell for name, cell in zip(heading, cells, strict=False) if name and cell})
        for line, cells in read[1:]
    ]


def delimiter_of(text: str) -> tuple[str, int]:
    """What separates cells, and where the first row begins: behind Excel's `sep=` line, if there is one."""
    first, newline, _ = text.partition("\n")
    named = _SEPARATOR_LINE.fullmatch(first.strip("\ufeff\r ")) if newline else None
    return (named["mark"], len(first) + 1) if named else (max(",;\t", key=first.count), 0)


def text_of(path: Path, what: str, *, old_windows: bool = False) -> str:
    """The file's text. Raises UsageError."""
    return decoded(path, what, old_windows=old_windows)[0].removeprefix("\ufeff")


def decoded(path: Path, what: str, *, old_windows: bool = False) -> tuple[str, str]:
    """The file's text, with its byte-order mark, and the encoding that gives the same bytes back. Raises UsageError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: the {what} cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise UsageError(f"{path}: larger than {MAX_BYTES // 2**20} MiB, expected a few lines per person")
    encoding = _encoding(content)
    try:
        return content.decode(encoding), encoding
    except UnicodeDecodeError as error:
        if old_windows and encoding == "utf-8":
            # Five bytes mean nothing there; latin-1 at least gives them back.
            known = not set(content) & {0x81, 0x8D, 0x8F, 0x90, 0x9D}
            return content.decode("cp1252" if known else "latin-1"), "cp1252" if known else "latin-1"
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}: line {line} is not UTF-8; save the sheet as CSV UTF-8") from None


def _encoding(content: bytes) -> str:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16-le" if content[:1] == b"\xff" else "utf-16-be"
    if b"\0" in content[:200]:
        return "utf-16-be" if content[:1] == b"\0" else "utf-16-le"
    return "utf-8"


def as_id(cell: str) -> str:
    """An id as a platform writes it, from what a spreadsheet made of it: `20101.0` and `'20101` are `20101`."""
    plain = cell.strip().lstrip("'")
    found = _NUMBER_OF_A_SHEET.fullmatch(plain)
    return found["whole"] if found else plain


def table(
    path: Path, what: str, columns: Sequence[str], needed: Sequence[str], *, shown: Sequence[str] = ()
) -> list[tuple[int, dict[str, str]]]:
    """Each line's number (of its end, as editors show it) and cells by column, in whatever order the columns stand.

    `shown` are columns that may be there and say nothing. Raises UsageError.
    """
    found = rows(path, what)
    header = [name.lower() for name in found[0][1]] if found else []
    while header and not header[-1]:
        header.pop()  # what a spreadsheet adds for an empty column
    known = all(name in (*columns, *shown) for name in header) and len(set(header)) == len(header)
    if not known or any(name not in header for name in needed):
        had = ", ".join(header) or "an empty file"
        raise UsageError(f"{path}: line 1: expected the columns {', '.join(columns)}; found {had}")
    long = [
        f"line {line}: {len(cells)} cells, expected {len(header)}"
        for line, cells in found[1:]
        if any(cells[len(header) :])
    ]
    if long:
        advice = "a comment that holds the separator stands in double quotes"
        raise UsageError(listed(path, f"none of the {what} was taken", [*long, advice]))
    return [
        (line, dict(zip_longest(header, map(unescaped, cells[: len(header)]), fillvalue="")))
        for line, cells in found[1:]
    ]


def listed(path: Path, refusal: str, problems: Sequence[str]) -> str:
    """All that is wrong with a file, one problem a line."""
    told = (f"  {problem}" for problem in first_lines(problems, MAX_SHOWN))
    return "\n".join([f"{path}: {refusal}, because", *told])


def near(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or "" when nothing is near."""
    from difflib import get_close_matches

    found = get_close_matches(name, list(known), n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


def escaped(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe before the characters that begin one."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def unescaped(cell: str) -> str:
    """What `escaped` was given."""
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip(" ").startswith(_FORMULA) else cell


def text_in_rows(rows: Iterable[Sequence[str]]) -> str:
    """Rows as CSV, no cell of which a spreadsheet takes for a formula."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([escaped(cell) for cell in row] for row in rows)
    return out.getvalue()


def write_private(path: Path, text: str, encoding: str = "utf-8", mode: int = 0o600) -> None:
    """Replace a file in one step by one that its owner alone can read (or whom `mode` lets): a reader, a crash or a
    `kill -9` finds the old one or the new one, whole."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as stream:
            stream.write(text.encode(encoding))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
