"""Solution markers: whole-line comments that bound what a template must not contain.

    # BEGIN SOLUTION
    # TEMPLATE: out = None          optional: what the template gets instead, one line each
    out = x @ self.weight.T
    # END SOLUTION

A marker is a comment *token*, never text inside a string. Whatever looks like a marker and is not one is an error,
because a marker that is silently ignored hands the solution to the students.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from grader.errors import AuthorError

BEGIN = "# BEGIN SOLUTION"
END = "# END SOLUTION"
TEMPLATE = "# TEMPLATE:"

_WORDS = ("BEGIN SOLUTION", "END SOLUTION")
_OTHER_TOOLS = ("SOLUTION", "SOLUTION NO PROMPT", "BEGIN PROMPT", "END PROMPT")
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class Region:
    """One marked region. Lines count from 1; `replacement` is None where the template gets a hole."""

    begin: int
    end: int
    indent: str
    replacement: tuple[str, ...] | None = None

    def covers(self, line: int) -> bool:
        """Whether the line belongs to the region, its markers included."""
        return self.begin <= line <= self.end


@dataclass(frozen=True)
class Comment:
    """A comment: `indent` is what stands before it when it has its line to itself, else None."""

    line: int
    text: str
    indent: str | None


def split_lines(text: str) -> list[tuple[str, str]]:
    """(line, line ending) pairs. Splits at CR, LF and CRLF alone, as Python's own reader does."""
    pairs: list[tuple[str, str]] = []
    start = 0
    for match in _LINE_END.finditer(text):
        pairs.append((text[start : match.start()], match.group()))
        start = match.end()
    if start < len(text):
        pairs.append((text[start:], ""))
    return pairs


def python_comments(source: str, path: str) -> list[Comment]:
    """Every comment of Python source whose lines end in LF. Raises AuthorError where it cannot be tokenized."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except tokenize.TokenError as error:
        raise AuthorError(f"this is not Python: {error.args[0]}", path, error.args[1][0]) from error
    except SyntaxError as error:
        raise AuthorError(f"this is not Python: {error.msg}", path, error.lineno) from error
    return [_comment(token) for token in tokens if token.type == tokenize.COMMENT]


def logical_starts(source: str) -> list[tuple[int, int]]:
    """(line, column) where each statement or clause (`else:`) of Python source begins; inside brackets none does."""
    layout = (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    starts: list[tuple[int, int]] = []
    fresh = True
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if fresh and token.type not in layout:
            starts.append(token.start)
        fresh = token.type == tokenize.NEWLINE or (fresh and token.type in layout)
    return starts


def plain_comments(source: str) -> list[Comment]:
    """The whole-line `#` comments of a text that is not Python (YAML, Markdown, plain text)."""
    lines = ((number, line) for number, line in enumerate(source.split("\n"), 1) if line.lstrip().startswith("#"))
    return [Comment(number, line.strip(), line[: len(line) - len(line.lstrip())]) for number, line in lines]


def find_regions(comments: Iterable[Comment], path: str) -> list[Region]:
    """The balanced regions among the comments, in order. Raises AuthorError with the line of a slip."""
    regions: list[Region] = []
    opened: Comment | None = None
    inside: list[Comment] = []
    for comment in comments:
        kind = _kind(comment, path)
        if kind == BEGIN:
            if opened is not None:
                raise AuthorError(
                    f"a second {BEGIN!r} before the end of the region of line {opened.line}; regions do not nest, "
                    f"so close that one with {END!r} first",
                    path,
                    comment.line,
                )
            opened, inside = comment, []
        elif kind == END:
            regions.append(_close(opened, comment, inside, path))
            opened = None
        elif opened is not None:
            inside.append(comment)
        elif kind == TEMPLATE:
            raise AuthorError(f"{TEMPLATE!r} stands outside a region; put it after {BEGIN!r}", path, comment.line)
    if opened is not None:
        raise AuthorError(f"{BEGIN!r} has no {END!r}; add one where the solution ends", path, opened.line)
    return regions


def _close(opened: Comment | None, closed: Comment, inside: Sequence[Comment], path: str) -> Region:
    if opened is None:
        raise AuthorError(f"{END!r} has no {BEGIN!r}; add one where the solution begins", path, closed.line)
    if opened.indent != closed.indent:
        raise AuthorError(
            f"{END!r} is indented by {len(closed.indent or '')} and its {BEGIN!r} in line {opened.line} by "
            f"{len(opened.indent or '')}; one region has one indentation",
            path,
            closed.line,
        )
    return Region(opened.line, closed.line, opened.indent or "", _replacement(opened, inside, path))


def _replacement(opened: Comment, inside: Sequence[Comment], path: str) -> tuple[str, ...] | None:
    lines: list[str] = []
    expected = opened.line + 1
    for comment in inside:
        if not comment.text.startswith(TEMPLATE):
            continue
        if comment.line != expected or comment.indent != opened.indent:
            raise AuthorError(
                f"{TEMPLATE!r} lines directly follow {BEGIN!r} (line {opened.line}) at its indentation",
                path,
                comment.line,
            )
        lines.append(comment.text[len(TEMPLATE) :].removeprefix(" ").rstrip())
        expected += 1
    return tuple(lines) if lines else None


def _comment(token: tokenize.TokenInfo) -> Comment:
    before = token.line[: token.start[1]]
    return Comment(token.start[0], token.string.rstrip(), before if not before.strip() else None)


def _kind(comment: Comment, path: str) -> str | None:
    """BEGIN, END, TEMPLATE or None. Raises AuthorError for a comment that is almost a marker."""
    if comment.text in (BEGIN, END):
        if comment.indent is None:
            raise AuthorError(f"{comment.text!r} must have its line to itself", path, comment.line)
        return comment.text
    slip = near_miss(comment.text)
    if slip is not None:
        raise AuthorError(
            f"{comment.text!r} looks like a marker and is none; write exactly {slip!r} on a line of its own, "
            "or reword the comment",
            path,
            comment.line,
        )
    return TEMPLATE if comment.text.startswith(TEMPLATE) and comment.indent is not None else None


def near_miss(comment: str) -> str | None:
    """The marker that a comment was probably meant to be: another case, one edit off, or with text after it."""
    words = " ".join(re.sub(r"[^A-Z]+", " ", comment.upper()).split())
    if words in _OTHER_TOOLS and comment.upper() == comment:
        return BEGIN
    for meant in _WORDS:
        if words.startswith(meant + " ") or one_edit(words, meant):
            return f"# {meant}"
    if re.match(r"#+\s*TEMPLATE\s*:", comment, re.IGNORECASE) and not comment.startswith(TEMPLATE):
        return TEMPLATE
    return None


def one_edit(left: str, right: str) -> bool:
    """Whether two strings are equal or one insertion, deletion, substitution or swap of neighbours apart."""
    return left == right or any(left == variant for variant in _shorter_or_swapped(left, right))


def _shorter_or_swapped(left: str, right: str) -> Iterator[str]:
    """Candidates for `left` made from `right` at the first place where they differ."""
    start = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    head, tail = right[:start], right[start:]
    letter = left[start : start + 1]
    yield head + tail[1:]
    yield head + letter + tail
    yield head + letter + tail[1:]
    yield head + tail[1:2] + tail[:1] + tail[2:]
