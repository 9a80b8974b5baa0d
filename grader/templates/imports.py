"""Imports that only solutions need, taken out of a template."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from grader.templates.markers import Region

_KEEP = re.compile(r"\s*#\s*keep\s*$")
_Import = ast.Import | ast.ImportFrom


def drop_unused(
    lines: Sequence[str], template: ast.Module, reference: ast.Module, regions: Sequence[Region]
) -> list[str | None]:
    """The template's lines, None for those that fall away.

    An imported name falls away when the reference uses it inside a region and the template does not use it at all.
    Kept are names on a line that ends in `# keep` (the comment itself goes), star and `__future__` imports, imports
    that share a line with another statement, and one that is the only statement of its block.
    """
    solved = set(_used(reference, regions))
    used = set(_used(template, ()))
    result: list[str | None] = list(lines)
    for block in _blocks(template):
        _drop_in(block, lines, result, solved - used)
    return result


def _drop_in(block: Sequence[ast.stmt], lines: Sequence[str], result: list[str | None], gone: set[str]) -> None:
    remaining = len(block)
    for statement in block:
        if not isinstance(statement, _Import) or _shares_lines(statement, block):
            continue
        first, last = statement.lineno, statement.end_lineno or statement.lineno
        kept = [alias for alias in statement.names if _stays(alias, statement, lines, gone)]
        if not kept and remaining > 1:
            remaining -= 1
            result[first - 1 : last] = [None] * (last - first + 1)
        elif kept and len(kept) < len(statement.names):
            indent = lines[first - 1][: statement.col_offset]
            result[first - 1 : last] = [indent + _rendered(statement, kept), *([None] * (last - first))]
        else:
            for number in range(first - 1, last):
                result[number] = _KEEP.sub("", lines[number])


def _stays(alias: ast.alias, statement: _Import, lines: Sequence[str], gone: set[str]) -> bool:
    if alias.name == "*" or getattr(statement, "module", None) == "__future__":
        return True
    around = {alias.lineno, statement.lineno, statement.end_lineno or statement.lineno}
    marked = any(_KEEP.search(lines[number - 1]) for number in around)
    return marked or (alias.asname or alias.name).partition(".")[0] not in gone


def _rendered(statement: _Import, kept: Sequence[ast.alias]) -> str:
    names = list(kept)
    if isinstance(statement, ast.Import):
        return ast.unparse(ast.Import(names=names))
    return ast.unparse(ast.ImportFrom(module=statement.module, names=names, level=statement.level))


def _shares_lines(statement: ast.stmt, block: Sequence[ast.stmt]) -> bool:
    lines = range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
    return any(other is not statement and (other.lineno in lines or other.end_lineno in lines) for other in block)


def _blocks(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and not isinstance(node, ast.Try):
                yield block


def _used(tree: ast.Module, regions: Sequence[Region]) -> Iterator[str]:
    """Names that are read (inside the regions, if there are any); quoted annotations and `__all__` count as well."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if regions and not any(region.covers(line) for region in regions):
            continue
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 200:
            yield from _quoted(node.value)


def _quoted(text: str) -> Iterator[str]:
    """The names in a string that is an expression: `"torch.Tensor"`; prose is none."""
    try:
        expression = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return
    yield from (node.id for node in ast.walk(expression) if isinstance(node, ast.Name))
