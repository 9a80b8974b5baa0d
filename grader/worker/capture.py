"""What student code writes to `sys.stdout` and `sys.stderr`: counted when its own frames write, capped always."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from grader.worker.ownership import StudentFiles


class Capture(io.TextIOBase):
    """Replaces both streams. A write counts as a print only when the caller's code lies in the student's files."""

    def __init__(self, files: StudentFiles, limit: int = 4000) -> None:
        self._files = files
        self._limit = limit
        self._pieces: list[str] = []
        self._size = 0
        self._place: tuple[int, int] | None = None
        self.prints = 0
        self.printing: dict[str, None] = {}  # the files that printed since the last `take`

    encoding = "utf-8"
    errors = "replace"

    def writable(self) -> bool:
        """True, as for every output stream."""
        return True

    @property
    def buffer(self) -> _Bytes:
        """The same stream for bytes, as a text stream of Python has one."""
        return _Bytes(self)

    def reconfigure(self, **settings: object) -> None:
        """Accepted and of no effect: everything is kept as text."""

    def write(self, text: str) -> int:
        """Keep the text up to the limit; count it when a student's frame wrote it."""
        # Half of a surrogate pair has no place in UTF-8, where this text is to go.
        text = str(text).encode("utf-8", "replace").decode("utf-8")
        frame = sys._getframe(1)
        if self._files.owns(frame.f_code.co_filename):
            # `print` writes its arguments, their separators and the end one by one, all from the same place.
            place = (id(frame), frame.f_lasti)
            if text != "\n" and place != self._place:
                self.prints += 1
                self.printing.setdefault(self._files.relative(frame.f_code.co_filename).partition("[cell ")[0])
            self._place = None if text.endswith("\n") else place
        if self._size < self._limit:
            self._pieces.append(text[: self._limit - self._size])
        self._size += len(text)
        return len(text)

    def take(self) -> tuple[int, str]:
        """The number of prints and the text since the last call."""
        prints, text = self.prints, "".join(self._pieces)
        if self._size > self._limit:
            text += f"\n[… {self._size - self._limit} more characters]"
        self.prints, self._size, self.printing = 0, 0, {}
        self._pieces.clear()
        return prints, text


class _Bytes(io.RawIOBase):
    """Bytes written to a capture."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture

    def writable(self) -> bool:
        """True, as for every output stream."""
        return True

    def write(self, data: object) -> int:
        """Keep the bytes as text."""
        raw = bytes(data)  # type: ignore[call-overload]
        self._capture.write(raw.decode("utf-8", "replace"))
        return len(raw)


@contextmanager
def muted() -> Iterator[None]:
    """Drop what is written: a notebook's assignment that prints has printed for its author, not in the grading."""
    saved = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = io.StringIO()
    try:
        yield
    finally:
        sys.stdout, sys.stderr = saved


@contextmanager
def captured(capture: Capture) -> Iterator[None]:
    """Put the capture in place of both streams."""
    saved = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = capture
    try:
        yield
    finally:
        sys.stdout, sys.stderr = saved
