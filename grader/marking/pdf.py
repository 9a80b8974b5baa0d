"""A PDF → pictures and text of its pages, in a process of its own: `python -m grader.marking.pdf FILE`.

PDFium reads what a stranger made, so it does so with little memory and time, and what goes wrong costs the view of this
file. It is built without JavaScript, and pictures of pages carry neither links nor scripts.
"""

from __future__ import annotations

import base64
import functools
import io
import json
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from grader.text import clean, one_line

MAX_PAGES, WIDTH, MAX_PIXELS = 40, 1100, 4_000_000
SECONDS, MEMORY = 15, 3 * 2**30
MAX_TEXT = 20_000  # characters of one page
_ONE = threading.Lock()
_HEADING = re.compile(
    r"(?:(?:question|problem|exercise|task|part|section|appendix)\s+[\dA-Z][\d.]*\b.{0,80}|\d+(?:\.\d+)*[.)]?\s+[A-Z].{2,80})",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Page:
    """One page: a PNG as base64, and its text."""

    picture: str
    text: str


@dataclass(frozen=True)
class Section:
    """A heading of the text, the page where it stands (from 1), and how many words follow it."""

    title: str
    page: int
    words: int


@dataclass(frozen=True)
class Document:
    """A PDF as it is shown. `count` is the number of its pages, `problem` says why there are none."""

    pages: tuple[Page, ...] = ()
    count: int = 0
    problem: str = ""

    @property
    def words(self) -> int:
        """Words of the pages that are shown."""
        return sum(len(page.text.split()) for page in self.pages)

    def sections(self) -> list[Section]:
        """What looks like a heading, with the words below it."""
        found: list[Section] = []
        for number, page in enumerate(self.pages, start=1):
            for line in page.text.split("\n"):
                if _HEADING.fullmatch(line.strip()):
                    found.append(Section(one_line(line, 100), number, 0))
                elif found:
                    last = found[-1]
                    found[-1] = Section(last.title, last.page, last.words + len(line.split()))
        return found


def read(path: Path) -> Document:
    """The pages of a file, in a process that may use little; one at a time, so that nothing is read twice at once."""
    with _ONE:
        return _read(path)


@functools.lru_cache(maxsize=16)
def _read(path: Path) -> Document:
    command = [sys.executable, "-P", "-m", "grader.marking.pdf", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=2 * SECONDS, check=False, stdin=subprocess.DEVNULL)
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return Document(problem=f"it took longer than {2 * SECONDS} seconds to read")
    except ValueError:
        return Document(problem="reading it took too much memory or time, or it is damaged")
    pages = tuple(Page(entry["picture"], clean(entry["text"], MAX_TEXT)) for entry in answer["pages"])
    return Document(pages, answer["count"], one_line(answer["problem"], 200))


def _pages(path: str) -> dict[str, object]:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        return {"pages": [], "count": 0, "problem": f"it cannot be read as a PDF ({error})"}
    pages = [_page(document[number]) for number in range(min(len(document), MAX_PAGES))]
    return {"pages": pages, "count": len(document), "problem": ""}


def _page(page: object) -> dict[str, str]:
    width, height = page.get_size()  # type: ignore[attr-defined]
    scale = min(WIDTH / max(width, 1), (MAX_PIXELS / max(width * height, 1)) ** 0.5)
    out = io.BytesIO()
    page.render(scale=scale).to_pil().save(out, "PNG", compress_level=1)  # type: ignore[attr-defined]
    text = page.get_textpage().get_text_bounded()[: 8 * MAX_TEXT]  # type: ignore[attr-defined]
    return {"picture": base64.b64encode(out.getvalue()).decode(), "text": text.replace("\r\n", "\n")}


def _hold_back() -> None:
    with suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # what it says goes through a pipe


def main(arguments: Sequence[str]) -> None:
    """Write one file's pages to standard output, as JSON."""
    _hold_back()
    sys.stdout.write(json.dumps(_pages(arguments[0])))


if __name__ == "__main__":
    main(sys.argv[1:])
