"""Make a student's text safe to show: in a terminal, in JSON, in HTML (after escaping) and in a spreadsheet cell.

What a worker says is data of a hostile process: terminal control sequences could repaint a score, direction marks
could reorder a line, lone surrogates could break the writing of a whole results file.
"""

from __future__ import annotations

import re

# A terminated operating-system command (window titles, hyperlinks) goes with its payload; an unterminated one loses
# its introducer only, so that nothing behind it is hidden. No class below can match ESC, so matching is linear.
_TERMINAL_SEQUENCES = re.compile(
    r"(?:\x1b[\]P^_X]|[\x9d\x90\x9e\x9f\x98])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|\x1b[ -/]*[0-~]"
)
_BREAKS = "\u2028\u2029"
_UNENCODABLE = "\ud800-\udfff\ufffe\uffff"
_CONTROLS = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and newline, DEL, C1
    "\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"  # direction marks, overrides, isolates, invisible operators
    "\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f"  # tag characters
)
_LINE_ENDS = re.compile(f"\r\n?|[{_BREAKS}]")
_UNSAFE = re.compile(f"[{_CONTROLS}]")
_UNWRITABLE = re.compile(f"[{_UNENCODABLE}]")
_STRANGE = re.compile(f"[{_CONTROLS}{_BREAKS}{_UNENCODABLE}]")  # what any of these needs
_REPLACEMENT = "\ufffd"
_LOOK_AHEAD = 8  # how many times the limit is cleaned at most; what lies beyond is only counted


def clean(text: str, limit: int = 4000) -> str:
    """`text` without control sequences, with `\\n` line ends, at most `limit` characters long.

    A longer text ends in a note that says how much was cut. Applying it twice changes nothing.
    """
    if len(text) <= limit and _is_plain(text):
        return text
    window = limit * _LOOK_AHEAD
    beyond = max(0, len(text) - window)
    safe = _safe(text[:window])
    if len(safe) <= limit and not beyond:
        return safe
    note = f"\n… ({len(safe) + beyond - limit} more characters were cut)"
    kept = limit - len(note)
    if kept <= 0:
        return safe[:limit]
    note = f"\n… ({len(safe) + beyond - kept} more characters were cut)"
    return safe[: limit - len(note)] + note


def one_line(text: str, limit: int = 200) -> str:
    """`text` cleaned, on one line with single spaces, at most `limit` characters long; `…` shows that it was cut."""
    if len(text) <= limit and _is_plain(text) and not (" " in (text[:1], text[-1:]) or "  " in text):
        return text
    line = " ".join(_safe(text[: limit * _LOOK_AHEAD]).split())
    if len(line) <= limit and len(text) <= limit * _LOOK_AHEAD:
        return line
    return line[: max(0, limit - 1)] + "…" if limit > 0 else ""


def _is_plain(text: str) -> bool:
    """Whether there is nothing but ASCII's letters, signs and spaces: nearly always, and a class has millions."""
    return text.isascii() and text.isprintable()


def _safe(text: str) -> str:
    if not _STRANGE.search(text):
        return text
    text = _TERMINAL_SEQUENCES.sub("", text)
    text = _LINE_ENDS.sub("\n", text)
    text = _UNSAFE.sub("", text)
    return _UNWRITABLE.sub(_REPLACEMENT, text)
