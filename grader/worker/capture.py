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

    def writable(self) -> bool:
        """True, as for every output stream."""
        return True

    def write(self, text: str) -> int:
        """Keep the text up to the limit; count it when a student's frame wrote it."""
        text = str(text)
        frame = sys._getframe(1)
        if self._files.owns(frame.f_code.co_filename):
            # `print` writes its arguments, their separators and the end one by one, all from the same place.
            place = (id(frame), frame.f_lasti)
            if text != "\n" and place != self._place:
                self.prints += 1
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
        self.prints, self._size = 0, 0
        self._pieces.clear()
        return prints, text


@contextmanager
def captured(capture: Capture) -> Iterator[None]:
    """Put the capture in place of both streams."""
    saved = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = capture
    try:
        yield
    finally:
        sys.stdout, sys.stderr = saved
