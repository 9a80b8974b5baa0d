"""Proofs that a template gives away nothing and keeps what students may rely on."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grader.errors import AuthorError
from grader.templates.interface import interface_of
from grader.templates.markers import Region, find_regions, python_comments, split_lines
from grader.templates.strip import parse

FEW_WORDS = 5
"""Lines of a solution with at most this many words and operators (`h = self.act(x)`) are no secret."""

_PIECES = re.compile(r"\w+|[^\w\s\"'#]")
_PUNCTUATION = frozenset(".,:;()[]{}\\")


def prove(reference: str, template: str, path: str) -> list[str]:
    """What is wrong with `template` as the template of the Python source `reference`; empty if nothing is.

    Each sentence begins with the template's path. Raises AuthorError if the reference itself cannot be read.
    """
    source = _normal(reference)
    try:
        made = parse(_normal(template), path)
    except AuthorError as error:
        return [f"the template does not parse: {error}"]
    return [*_interface_problems(parse(source, path), made, path), *leaks(reference, template, path)]


def leaks(reference: str, text: str, path: str) -> list[str]:
    """Sentences about `leaked`, for authors of templates."""
    return [
        f"{path}: line {line} of the reference is part of a solution, and line {found} of the template has it; "
        "reword it there, or end the region before it"
        for line, found in leaked(reference, text, path)
    ]


def leaked(reference: str, text: str, path: str) -> list[tuple[int, int]]:
    """(line in `reference`, line in `text`) of solution lines that stand anywhere in `text`: code, comments or strings.

    Lines of a few words are no secret, nor is what the reference gives as code or in a docstring outside its regions
    (an equation of the handout). Given in a comment it is a leak: that is what solutions commented out look like.
    """
    source = _normal(reference)
    regions = find_regions(python_comments(source, path), path)
    shown = _Shown.of(_normal(text))
    given, said = _given(source, regions)
    places = []
    for line, words, is_comment in _secrets(source, regions):
        found = shown.line_of(words)
        if found is not None and _run(words) not in (said if is_comment else given):
            places.append((line, found))
    return places


def _interface_problems(reference: ast.Module, template: ast.Module, path: str) -> list[str]:
    expected, found = interface_of(reference), interface_of(template)
    problems = []
    for name, definition in expected.items():
        if name not in found:
            problems.append(f"{path}: the template lacks {name} (line {definition.line}); keep it outside the regions")
        elif definition.exact != found[name].exact:
            both = f"{found[name].exact!r} in the template, {definition.exact!r} in the reference"
            problems.append(f"{path}: {name} is {both}")
    problems.extend(f"{path}: {name} stands in the template alone" for name in found if name not in expected)
    return problems


# --- comparing text by words ------------------------------------------------------------------------------------


def _normal(text: str) -> str:
    return "".join(line + "\n" for line, _ in split_lines(text.removeprefix("\ufeff")))


def _pieces(text: str) -> list[str]:
    """Words, numbers and operators; quotes and `#` fall away, so code in a comment or a string reads like code."""
    return _PIECES.findall(text)


def _run(words: Sequence[str]) -> str:
    return f" {' '.join(words)} "


@dataclass(frozen=True)
class _Shown:
    """The words of a text in one run, with the line of each."""

    run: str
    lines: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> _Shown:
        pairs = [(word, number) for number, line in enumerate(text.split("\n"), 1) for word in _pieces(line)]
        return cls(_run([word for word, _ in pairs]), tuple(number for _, number in pairs))

    def line_of(self, words: Sequence[str]) -> int | None:
        place = self.run.find(_run(words))
        return None if place < 0 else self.lines[self.run.count(" ", 0, place)]


def _secrets(source: str, regions: Sequence[Region]) -> Iterator[tuple[int, list[str], bool]]:
    """(line, words, whether it is a comment) of every line and every whole statement inside a region."""
    seen: set[tuple[int, str]] = set()
    for line, text, is_comment in [*_physical(source), *_logical(source)]:
        if not any(region.begin < line < region.end for region in regions):
            continue
        if is_comment and text.startswith("# TEMPLATE:"):
            continue
        words = _pieces(text)
        key = (line, _run(words))
        if key not in seen and sum(word not in _PUNCTUATION for word in words) > FEW_WORDS:
            seen.add(key)
            yield line, words, is_comment


def _given(source: str, regions: Sequence[Region]) -> tuple[str, str]:
    """What the reference shows outside its regions: its code and strings, and everything, comments included."""
    outside = [not any(region.covers(number) for region in regions) for number in range(1, source.count("\n") + 2)]
    code = [token.string for token in _tokens(source) if token.type != tokenize.COMMENT and outside[token.start[0] - 1]]
    whole = [line for line, shown in zip(source.split("\n"), outside, strict=True) if shown]
    return _run(_pieces(" ".join(code))), _run(_pieces(" ".join(whole)))


def _tokens(source: str) -> list[tokenize.TokenInfo]:
    return list(tokenize.generate_tokens(io.StringIO(source).readline))


def _physical(source: str) -> list[tuple[int, str, bool]]:
    """(line, text, whether it is a comment): the code and the comment of each line. Docstrings are left out."""
    code: dict[int, list[str]] = {}
    comments: list[tuple[int, str, bool]] = []
    for statement in _statements(_tokens(source)):
        if len(statement) == 1 and statement[0].type == tokenize.STRING:
            continue
        for token in statement:
            code.setdefault(token.start[0], []).append(token.string)
    for token in _tokens(source):
        if token.type == tokenize.COMMENT:
            comments.append((token.start[0], token.string, True))
    return [*((line, " ".join(texts), False) for line, texts in code.items()), *comments]


def _logical(source: str) -> list[tuple[int, str, bool]]:
    """Whole statements, so that one spread over short lines is compared as well."""
    statements = [statement for statement in _statements(_tokens(source)) if statement]
    return [(statement[0].start[0], " ".join(token.string for token in statement), False) for statement in statements]


def _statements(tokens: Sequence[tokenize.TokenInfo]) -> Iterator[list[tokenize.TokenInfo]]:
    """The tokens of each logical line, without comments and layout."""
    current: list[tokenize.TokenInfo] = []
    for token in tokens:
        if token.type == tokenize.NEWLINE:
            yield current
            current = []
        elif token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER):
            current.append(token)
