"""Operators over a file → changes: each compiles, differs from what it changes and from every other."""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from grader.proof.changes.kinds import MUTANT, Kind, KindName
from grader.proof.changes.source import Edit, Replacement, Source

CAP = 200  # characters of `before` and `after` that are shown
SHORT = 12  # characters of an expression that is too short to be recognised


Operator = Callable[[Source, ast.AST], Iterator[Edit]]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One other version of one file of a base.

    `id` is made of base, file, scope, operator, and the changed text, so it stays while other lines come and go;
    `scope` is the qualified name of the function or class; `text` is the whole changed file. A change of the form in
    which a file is handed in has no text: `files` are the contents below the submission, None for one that is gone.
    """

    id: str
    file: str
    line: int
    scope: str
    operator: str
    before: str
    after: str
    text: str
    kind: KindName = "mutant"
    base: str = ""
    files: Mapping[str, bytes | None] = field(default_factory=dict, hash=False)

    @property
    def of_reference(self) -> bool:
        """Whether it is the reference with another text in one file."""
        return not self.base and bool(self.text)

    def described(self) -> str:
        """One line for people: where, what, and how it came about."""
        base = f"{self.base}: " if self.base else ""
        return f"{base}{self.file}:{self.line} {self.operator}: {self.before} → {self.after}"


def changes_in(source: Source, operators: Mapping[str, Operator], kind: Kind = MUTANT, base: str = "") -> list[Change]:
    """The changes of one file by some operators, in order of line.

    What makes code wrong stands in solution regions, for the rest is given; right code may stand anywhere.
    """
    nodes: Iterable[ast.AST] = source.anywhere() if kind.right else source.in_regions()
    said = _compiled if kind.right else _meaning
    seen = {said(source.text)}
    counts: Counter[tuple[str, ...]] = Counter()
    found = []
    for node in nodes:
        for name, operator in operators.items():
            for edit in operator(source, node):
                text = source.applied(edit)
                meaning = said(text) if kind.right or _inside(source, edit) else None
                if meaning is None or meaning in seen:
                    continue
                seen.add(meaning)
                found.append(_change(source, node, name, edit, text, counts, kind, base))
    return sorted(found, key=lambda change: change.line)


def identity(*parts: str) -> str:
    """The id of a change, from what it is made of."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]


def _change(
    source: Source,
    node: ast.AST,
    operator: str,
    edit: Edit,
    text: str,
    counts: Counter[tuple[str, ...]],
    kind: Kind,
    base: str,
) -> Change:
    before, after = _shown(source, node, edit)
    scope = source.scope(node)
    key = (*((base,) if base else ()), source.path, scope, operator, before, after)
    counts[key] += 1
    return Change(
        kind=kind.name,
        base=base,
        id=identity(*key, str(counts[key])),
        file=source.path,
        line=source.line_of(min(edit.replacements).start),
        scope=scope,
        operator=operator,
        before=_line(before),
        after=_line(after),
        text=text,
    )


def _shown(source: Source, node: ast.AST, edit: Edit) -> tuple[str, str]:
    """The changed part before and after, in one line and without comments.

    It is the expression or simple statement that holds every replacement, or else the lines in which they stand.
    """
    first, last = min(edit.replacements).start, max(change.end for change in edit.replacements)
    whole = _enclosing(source, node, first, last)
    if whole is not None:
        return _pieces(source, [whole], edit)
    return _pieces(
        source, [source.lines_around(change.start, change.end) for change in sorted(edit.replacements)], edit
    )


def _enclosing(source: Source, node: ast.AST, first: int, last: int) -> tuple[int, int] | None:
    for candidate in (node, *source.around(node)):
        if not isinstance(candidate, ast.expr | ast.stmt):
            continue
        if isinstance(candidate, ast.stmt) and hasattr(candidate, "body"):
            return None
        start, end = source.span(candidate)
        # A lone number or name says nothing: its surroundings are shown.
        if start <= first and last <= end and (end - start > SHORT or isinstance(candidate, ast.stmt)):
            return None if "\n" in source.text[start:end] else (start, end)
    return None


def _pieces(source: Source, spans: list[tuple[int, int]], edit: Edit) -> tuple[str, str]:
    unsaid = [Replacement(*span, "") for span in source.comments]
    sides = []
    for changes in (unsaid, [*unsaid, *edit.replacements]):
        texts = []
        for start, end in dict.fromkeys(spans):
            text = source.text[start:end]
            inside = [change for change in changes if start <= change.start and change.end <= end]
            for change in sorted(inside, reverse=True):
                text = text[: change.start - start] + change.text + text[change.end - start :]
            texts.append(" ".join(text.split()))
        sides.append(" … ".join(texts))
    return sides[0], sides[1]


def _inside(source: Source, edit: Edit) -> bool:
    """Whether all changes stand inside solution regions."""
    lines = [source.line_of(place) for change in edit.replacements for place in (change.start, change.end)]
    return all(any(region.covers(line) for region in source.regions) for line in lines)


def _meaning(text: str) -> str | None:
    """The syntax tree of a text; None when it does not compile."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
            compile(tree, "changed", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _compiled(text: str) -> str | None:
    """A text that compiles; None for another. Much cheaper than its meaning, and other spellings are other code."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "changed", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    return hashlib.sha256(text.encode()).hexdigest()


def _line(text: str) -> str:
    return text if len(text) <= CAP else f"{text[: CAP - 1]}…"
