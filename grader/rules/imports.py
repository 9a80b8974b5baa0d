"""Which modules a file imports, and whether it may."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from grader.assignment.assignment import Assignment, ExpectedFile, Rule
from grader.model import Violation
from grader.rules.files import Place, SourceFile, parse_file, source_file
from grader.rules.resolve import Resolver, module_names
from grader.rules.scopes import Visit, Walked, absolute_module, walk

_IMPORTERS = frozenset({"builtins.__import__", "importlib.import_module", "importlib.__import__"})


@dataclass(frozen=True)
class Imported:
    """One import: the dotted module, "" where its name is computed; `names` are what is taken from it."""

    module: str
    place: Place
    names: tuple[str, ...] = ()

    @property
    def top(self) -> str:
        """The top-level package."""
        return self.module.partition(".")[0]

    @property
    def modules(self) -> tuple[str, ...]:
        """Every module that it may name, what is taken from a package included."""
        return (self.module, self.top, *(f"{self.module}.{name}" for name in self.names))


def imports_of(text: str, path: str = "template.py") -> set[str]:
    """The top-level modules that a Python file (or the notebook text, if `path` ends in `.ipynb`) imports anywhere.

    Relative imports count from the folder of `path`.
    """
    return {imported.top for imported in imports(walk(parse_file(source_file("", path, text))))} - {""}


def imports(walked: Walked) -> list[Imported]:
    """Every import of a file, those inside functions and by `importlib` included."""
    resolver = Resolver([walked])
    return [found for visit in walked.visits for found in _imported(visit, walked.package, resolver)]


def _imported(visit: Visit, package: tuple[str, ...], resolver: Resolver) -> Iterator[Imported]:
    node = visit.node
    if isinstance(node, ast.Import):
        yield from (Imported(alias.name, visit.place) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = absolute_module(node, package)
        names = [module] if module else [alias.name for alias in node.names]
        taken = tuple(alias.name for alias in node.names) if module else ()
        yield from (Imported(name, visit.place, taken) for name in names)
    elif isinstance(node, ast.Call) and resolver.names(node.func, visit.scope) & _IMPORTERS and node.args:
        yield Imported(resolver.text(node.args[0], visit.scope) or "", visit.place)


def check_imports(
    assignment: Assignment,
    rule: Rule,
    files: Mapping[SourceFile, Sequence[Imported]],
    paths: Iterable[str],
    template: Mapping[str, str],
) -> Iterator[Violation]:
    """Imports that neither the manifest nor the template's file has. One sentence per module and file.

    `files`: the rule's files with their imports; `paths`: all files of the submission.
    """
    own = {name: path for path in paths for name in module_names(path)}
    for file, found in files.items():
        expected = next((entry for entry in assignment.files if entry.id == file.id), None)
        allowed = None if expected is None else allowed_imports(expected, template)
        if allowed is None:
            continue
        allowed |= {name.partition(".")[0] for name in rule.allowed} | file.written
        seen: set[str] = set()
        for imported in found:
            if imported.top not in allowed and imported.module not in seen:
                seen.add(imported.module)
                yield imported.place.violation(rule.id, _message(imported, allowed, own), rule.parts)


def allowed_imports(expected: ExpectedFile, template: Mapping[str, str]) -> set[str] | None:
    """The top-level modules that a file may import; None where neither manifest nor template says."""
    if expected.imports is not None:
        return {name.partition(".")[0] for name in expected.imports} | {"__future__"}
    text = template.get(expected.path)
    return None if text is None else imports_of(text, expected.path) | {"__future__"}


def _message(imported: Imported, allowed: Collection[str], own: Mapping[str, str]) -> str:
    known = ", ".join(sorted(set(allowed) - {"__future__"})) or "nothing"
    if not imported.module:
        return f"a module is imported under a computed name; import modules by name (allowed here: {known})"
    if imported.module in own or imported.top in own:
        path = own.get(imported.module) or own[imported.top]
        return f"imports your own file {path}, which the template does not; move what you need into this file"
    return f"imports `{imported.module}`, which the template does not; remove it (allowed here: {known})"
