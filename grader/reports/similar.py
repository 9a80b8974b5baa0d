"""Pairs of submissions whose code overlaps: found by copydetect's winnowing, for a person to read. Never a consequence.

One text per submission, notebooks by their code cells; what the course gave to everybody is taken away first.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.errors import SubmissionError, UsageError
from grader.parsing.notebooks import code_sources
from grader.parsing.statements import strip_magics
from grader.reports.html import template
from grader.templates.generate import templates_of

MANY = 300  # pairs on the page; the list has all
CODE = (".py", ".ipynb")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two submissions, the share of each one's own code that the other has too, and both texts as HTML, marked."""

    first: str
    second: str
    share: float
    other_share: float
    text: str
    other_text: str


def code_of(paths: Iterable[Path]) -> str:
    """The code of these files, one after the other; what cannot be read is left out."""
    texts = []
    for path in paths:
        text = path.read_text(encoding="utf-8", errors="replace")
        try:
            if path.suffix.lower() == ".ipynb":
                text = "\n\n".join(strip_magics(source) for _, source in code_sources(text, path.name))
        except SubmissionError:
            continue
        texts.append(f"# ---- {path.name}\n{text}")
    return "\n\n".join(texts)


def given_to_all(assignment: Assignment) -> str:
    """The template, and what the course provides."""
    provided = [path for path in sorted((assignment.suite / "provided").rglob("*")) if path.suffix in CODE]
    return "\n\n".join([*templates_of(assignment).values(), code_of(provided)])


def similar_pairs(
    texts: Mapping[str, str], former: Mapping[str, str], given: str, least: float, same: Callable[[str, str], bool]
) -> list[Pair]:
    """Pairs of which one shares `least` of its own code, most first; those that are the `same` person's are left out.

    `former` are texts of other years, held against this year's and not among themselves. Raises UsageError without
    copydetect.
    """
    try:
        from copydetect import CopyDetector
    except ImportError:
        raise UsageError('similar code is found by copydetect: pip install "dl-grader[similarity]"') from None
    with tempfile.TemporaryDirectory() as scratch:
        places = {name: Path(scratch, name) for name in ("class", "former", "given")}
        names: dict[str, str] = {}
        for place, found in zip(places.values(), (texts, former, {"given": given}), strict=True):
            place.mkdir()
            for number, (name, text) in enumerate(found.items()):
                (file := place / f"{number}.py").write_text(text, encoding="utf-8")
                names[str(file)] = name
        detector = CopyDetector(
            test_dirs=[str(places["class"])],
            ref_dirs=[str(places["class"]), *([str(places["former"])] if former else [])],
            boilerplate_dirs=[str(places["given"])],
            extensions=["py"],
            display_t=0.0,
            silent=True,
        )
        detector.run()
        pairs = [
            Pair(
                first=names[mine],
                second=names[other],
                share=float(share),
                other_share=float(other_share),
                text=text,
                other_text=other_text,
            )
            for share, other_share, mine, other, text, other_text, _ in detector.get_copied_code_list()
            if max(share, other_share) >= least and not same(names[mine], names[other])
        ]
    return sorted(pairs, key=lambda pair: (-max(pair.share, pair.other_share), pair.first, pair.second))


def rows(pairs: Sequence[Pair]) -> list[tuple[str, ...]]:
    """The pairs as a table."""
    heading = ("submission", "other", "share", "share of the other")
    return [heading, *((p.first, p.second, f"{p.share:.2f}", f"{p.other_share:.2f}") for p in pairs)]


def page(title: str, pairs: Sequence[Pair]) -> str:
    """The pairs side by side, as one page without scripts."""
    return template("similar.html").render(title=title, pairs=pairs[:MANY], left=max(0, len(pairs) - MANY))
