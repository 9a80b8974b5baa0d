"""Operators over the solution regions → mutants: each compiles, differs from the reference and from every other."""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.proof.mutants.operators import OPERATORS, Operator
from grader.proof.mutants.source import Change, Edit, Source
from grader.templates.markers import BEGIN

CAP = 200  # characters of `before` and `after` that are shown
SHORT = 12  # characters of an expression that is too short to be recognised


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One wrong version of one file of the reference.

    `id` is made of file, scope, operator, and the changed text, so it stays while other lines come and go; `scope` is
    the qualified name of the function or class; `text` is the whole mutated file.
    """

    id: str
    file: str
    line: int
    scope: str
    operator: str
    before: str
    after: str
    text: str

    def described(self) -> str:
        """One line for people: where, what, and how it came about."""
        return f"{self.file}:{self.line} {self.operator}: {self.before} → {self.after}"


def mutants_of(reference: Path, operators: Mapping[str, Operator] = OPERATORS) -> list[Mutant]:
    """All mutants of a reference's Python files, in order of file and line. Raises AuthorError for bad markers."""
    found: list[Mutant] = []
    for path in sorted(reference.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "__pycache__" not in path.parts and BEGIN in text:
            found += mutants_in(Source(path.relative_to(reference).as_posix(), text), operators)
    return found


def mutants_in(source: Source, operators: Mapping[str, Operator] = OPERATORS) -> list[Mutant]:
    """The mutants of one file."""
    seen = {_meaning(source.text)}
    counts: Counter[tuple[str, ...]] = Counter()
    found = []
    for node in source.in_regions():
        for name, operator in operators.items():
            for edit in operator(source, node):
                text = source.applied(edit)
                meaning = _meaning(text) if _inside(source, edit) else None
                if meaning is None or meaning in seen:
                    continue
                seen.add(meaning)
                found.append(_mutant(source, node, name, edit, text, counts))
    return sorted(found, key=lambda mutant: mutant.line)


def _mutant(
    source: Source, node: ast.AST, operator: str, edit: Edit, text: str, counts: Counter[tuple[str, ...]]
) -> Mutant:
    before, after = _shown(source, node, edit)
    scope = source.scope(node)
    key = (source.path, scope, operator, before, after)
    counts[key] += 1
    digest = hashlib.sha256("\0".join((*key, str(counts[key]))).encode()).hexdigest()
    return Mutant(
        id=digest[:10],
        file=source.path,
        line=source.line_of(min(edit.changes).start),
        scope=scope,
        operator=operator,
        before=_line(before),
        after=_line(after),
        text=text,
    )


def _shown(source: Source, node: ast.AST, edit: Edit) -> tuple[str, str]:
    """The changed part before and after, in one line and without comments.

    It is the expression or simple statement that holds every change, or else the lines in which they stand.
    """
    first, last = min(edit.changes).start, max(change.end for change in edit.changes)
    whole = _enclosing(source, node, first, last)
    if whole is not None:
        return _pieces(source, [whole], edit)
    return _pieces(source, [source.lines_around(change.start, change.end) for change in sorted(edit.changes)], edit)


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
    unsaid = [Change(*span, "") for span in source.comments]
    sides = []
    for changes in (unsaid, [*unsaid, *edit.changes]):
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
    lines = [source.line_of(place) for change in edit.changes for place in (change.start, change.end)]
    return all(any(region.covers(line) for region in source.regions) for line in lines)


def _meaning(text: str) -> str | None:
    """The syntax tree of a text; None when it does not compile."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
            compile(tree, "mutant", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _line(text: str) -> str:
    return text if len(text) <= CAP else f"{text[: CAP - 1]}…"
