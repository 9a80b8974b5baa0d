"""Reference source → template source.

A region becomes `raise NotImplementedError("<qualified name>")`, or the replacement lines that its author wrote.
An import that only solutions used goes with them, unless its line ends in the comment `# keep` (which is removed).
Everything else stays byte for byte, line endings included. The result is parsed before it is returned.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from grader.errors import AuthorError
from grader.parsing.statements import first_line
from grader.templates.imports import drop_unused
from grader.templates.markers import Region, find_regions, logical_starts, plain_comments, python_comments, split_lines

Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Line:
    """A line of the template and the line of the reference that it comes from."""

    text: str
    end: str
    origin: int
    hole: bool = False


def strip(text: str, path: str) -> str:
    """The template of Python source `text`. Raises AuthorError with `path` and line for every author's slip."""
    return strip_with(text, path, lambda region: region.replacement)


def strip_with(text: str, path: str, replace: Callable[[Region], tuple[str, ...] | None]) -> str:
    """Like `strip`; `replace` says what takes a region's place (None: a hole that raises)."""
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    lines = split_lines(text.removeprefix(mark))
    source = "".join(line + "\n" for line, _ in lines)
    tree = parse(source, path)
    regions = find_regions(python_comments(source, path), path)
    starts = logical_starts(source)
    for region in regions:
        _require_one_indentation(starts, region, path)
        _require_whole_statements(tree, region, path)
    stripped = _without_vanishing(lines, regions, replace, path)
    parsed = _parse_result(stripped, regions, path)
    named = _name_holes(stripped, parsed, path)
    kept = drop_unused([line.text for line in named], parsed, tree, regions)
    result = [(new, line.end) for new, line in zip(kept, named, strict=True) if new is not None]
    return mark + "".join(line + end for line, end in _closed_up(result, len(result) < len(named)))


def strip_plain(text: str, path: str) -> str:
    """The template of a text that is not Python: a region becomes its replacement lines, or nothing."""
    lines = split_lines(text)
    regions = find_regions(plain_comments("\n".join(line for line, _ in lines)), path)
    stripped = _substitute(lines, regions, lambda region: region.replacement or ())
    return "".join(line.text + line.end for line in stripped)


def parse(source: str, path: str) -> ast.Module:
    """The syntax tree of source with LF line ends. Raises AuthorError."""
    try:
        return _compiled(source)
    except SyntaxError as error:
        raise AuthorError(f"this is not Python: {error.msg}", path, error.lineno) from error
    except (ValueError, MemoryError, RecursionError) as error:
        raise AuthorError(f"this cannot be parsed: {error}", path) from error


def _compiled(source: str) -> ast.Module:
    """Parsed and compiled: the compiler alone sees a `return` outside a function."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source)
        compile(source, "<template>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    return tree


# --- regions hold whole statements -------------------------------------------------------------------------------


def _require_whole_statements(tree: ast.Module, region: Region, path: str) -> None:
    for node in (node for node in ast.walk(tree) if isinstance(node, ast.stmt)):
        first, last = first_line(node), node.end_lineno or node.lineno
        if region.covers(first) and last > region.end:
            raise AuthorError(
                f"this statement goes on to line {last}, beyond the end of its region in line {region.end}; "
                "put all of it (an `else`, the body under a decorator) inside or outside",
                path,
                first,
            )


def _require_one_indentation(starts: Sequence[tuple[int, int]], region: Region, path: str) -> None:
    inside = [(line, column) for line, column in starts if region.covers(line)]
    for place, (line, column) in enumerate(inside):
        if column < len(region.indent) or (place == 0 and column != len(region.indent)):
            raise AuthorError(
                f"this is indented by {column} and the markers of its region (line {region.begin}) by "
                f"{len(region.indent)}; indent the markers like the statements between them",
                path,
                line,
            )


# --- putting the template together -------------------------------------------------------------------------------


def _substitute(
    lines: Sequence[tuple[str, str]], regions: Sequence[Region], replace: Callable[[Region], tuple[str, ...] | None]
) -> list[Line]:
    result: list[Line] = []
    by_begin = {region.begin: region for region in regions}
    covered_to = 0
    for number, (text, end) in enumerate(lines, 1):
        region = by_begin.get(number)
        if region is not None:
            covered_to = region.end
            ending = end if region.end < len(lines) else lines[-1][1]
            result.extend(_hole(region, replace(region), end, ending))
        elif number > covered_to:
            result.append(Line(text, end, number))
    return result


def _hole(region: Region, replacement: tuple[str, ...] | None, end: str, last_end: str) -> list[Line]:
    """The lines that take a region's place; the last one ends as the region's last line did."""
    if replacement is None:
        return [Line(region.indent + "raise NotImplementedError()", last_end, region.begin, hole=True)]
    texts = [(region.indent + line) if line else "" for line in replacement]
    ends = [end] * (len(texts) - 1) + [last_end]
    return [Line(text, ending, region.begin) for text, ending in zip(texts, ends, strict=False)]


def _without_vanishing(
    lines: Sequence[tuple[str, str]],
    regions: Sequence[Region],
    replace: Callable[[Region], tuple[str, ...] | None],
    path: str,
) -> list[Line]:
    """Regions whose replacement is one empty line vanish where the rest still parses, else they become `pass`."""
    vanishing = {region: ("pass",) for region in regions if replace(region) == ("",)}
    chosen: dict[Region, tuple[str, ...]] = dict(vanishing)

    def built() -> list[Line]:
        return _substitute(lines, regions, lambda region: chosen[region] if region in chosen else replace(region))

    for region in vanishing:
        chosen[region] = ()
        try:
            _compiled(_joined(built()))
        except SyntaxError:
            chosen[region] = ("pass",)
    return built()


def _joined(lines: Sequence[Line]) -> str:
    return "".join(line.text + "\n" for line in lines)


def _parse_result(lines: Sequence[Line], regions: Sequence[Region], path: str) -> ast.Module:
    try:
        return _compiled(_joined(lines))
    except SyntaxError as error:
        at = lines[min(max(error.lineno or 1, 1), len(lines)) - 1].origin if lines else 1
        nearest = min(regions, key=lambda region: abs(region.begin - at), default=None)
        hint = "" if nearest is None else f"; see the region of line {nearest.begin}: it must cover whole statements"
        raise AuthorError(f"the template would not parse here: {error.msg}{hint}", path, at) from error


# --- naming the holes --------------------------------------------------------------------------------------------


def _name_holes(lines: Sequence[Line], tree: ast.Module, path: str) -> list[Line]:
    scopes = list(_scopes(tree, ""))
    named = []
    for number, line in enumerate(lines, 1):
        text = line.text
        if line.hole:
            text = text.replace("()", f'("{_scope_name(number, scopes) or PurePosixPath(path).stem}")')
        named.append(Line(text, line.end, line.origin, line.hole))
    return named


def _scopes(node: ast.AST, prefix: str) -> Iterator[tuple[Scope, str]]:
    """Functions and classes with their qualified names, outer before inner."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Scope):
            yield child, prefix + child.name
            yield from _scopes(child, f"{prefix}{child.name}.")
        else:
            yield from _scopes(child, prefix)


def _scope_name(line: int, scopes: Sequence[tuple[Scope, str]]) -> str:
    around = [name for scope, name in scopes if scope.lineno <= line <= (scope.end_lineno or scope.lineno)]
    return around[-1] if around else ""


def _closed_up(lines: Sequence[tuple[str, str]], dropped: bool) -> Iterator[tuple[str, str]]:
    """The lines, without a third blank line in a row where dropped imports would leave one."""
    blank = 0
    for text, end in lines:
        blank = blank + 1 if not text.strip() else 0
        if not (dropped and blank > 2):
            yield text, end
