"""The structure and run layers: what was really built, run and printed, as a traced worker says.

The names are claims of a hostile process: they can break a rule, never show that one is kept.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from grader.assignment.assignment import Assignment, Rule
from grader.model import UNREAD, Violation
from grader.rules.names import canonical, matching
from grader.rules.operations import LAYERS, Layer, built_on, layers_of, short
from grader.rules.source import PrintSite

_SHOWN = 80
_SITES = 5


def check_trace(
    assignment: Assignment, part_id: str, module_types: Sequence[str], operations: Sequence[str]
) -> tuple[Violation, ...]:
    """The rules that a part's run breaks; looked at are the rules that name the part.

    `module_types`: dotted class names, bases included, of every module that was built. `operations`: names of calls
    and operators (`torch.lstm`, `aten::lstm`).
    """
    found: list[Violation] = []
    for rule in assignment.rules:
        if part_id in rule.parts and rule.kind == "forbidden":
            found.extend(_built(rule, part_id, module_types))
            found.extend(_ran(rule, part_id, operations))
            found.extend(_unread(rule, part_id, operations))
        elif part_id in rule.parts and rule.kind == "required":
            found.extend(_missing(rule, part_id, module_types, operations))
    return tuple(dict.fromkeys(found))


def check_prints(
    assignment: Assignment,
    prints: int,
    text: str,
    sites: Sequence[PrintSite] = (),
    printing: Mapping[str, str] | None = None,
) -> tuple[Violation, ...]:
    """The rules of kind `prints` that are broken by `prints` calls that printed `text`.

    `allowed` of a rule are patterns of lines that the handout asks for (`*Perplexity*`). `sites` are the places where
    the files print (`print_sites`), to show the student; `printing` are the files that did, path by id (none: unknown).
    """
    found = []
    for rule in assignment.rules:
        concerned = {path for name, path in (printing or {}).items() if not rule.files or name in rule.files}
        if printing and not concerned:
            continue
        unasked = [line for line in text.splitlines() if line.strip() and not _asked_for(line, rule.allowed)]
        if rule.kind == "prints" and prints > 0 and (unasked or not text.strip()):
            places = [site for site in sites if not concerned or site.place.path in concerned]
            found.append(_print_violation(rule, prints, unasked, places))
    return tuple(found)


# --- structure ---------------------------------------------------------------------------------------------------


def _built(rule: Rule, part_id: str, module_types: Sequence[str]) -> Iterator[Violation]:
    for kind in dict.fromkeys(map(canonical, module_types)):
        pattern = matching(kind, rule.names)
        if pattern is None or matching(kind, rule.allowed) is not None:
            continue
        if pattern.endswith(".*") and _is_foundation(kind, rule.allowed):
            continue
        message = f"a `{kind}` (or a subclass) is built, which “{rule.title}” forbids. Write this part yourself"
        yield Violation(rule=rule.id, message=message, evidence="structure", parts=(part_id,))


def _is_foundation(kind: str, allowed: Sequence[str]) -> bool:
    """Classes that every layer is built on: `nn.Module`, torch's private bases, bases of layers that are allowed."""
    return kind == "torch.nn.Module" or kind.rpartition(".")[2].startswith("_") or built_on(kind, allowed)


# --- run ---------------------------------------------------------------------------------------------------------


def _ran(rule: Rule, part_id: str, operations: Sequence[str]) -> Iterator[Violation]:
    betraying = _betraying(rule)
    reported: set[int] = set()
    for operation in dict.fromkeys(operations):
        name = short(operation)
        layer = betraying.get(name)
        named = any(fnmatchcase(name, short(pattern)) for pattern in rule.operations)
        if not (layer or named) or id(layer) in reported or matching(operation, rule.allowed) is not None:
            continue
        if layer is not None:
            reported.add(id(layer))
        what = f", the inside of `{(layer.classes or layer.functions)[0]}`," if layer else ""
        message = f"the operation `{operation}`{what} runs, which “{rule.title}” forbids. Write this part yourself"
        yield Violation(rule=rule.id, message=message, evidence="run", parts=(part_id,))


def _unread(rule: Rule, part_id: str, operations: Sequence[str]) -> Iterator[Violation]:
    for name in (operation.removeprefix(UNREAD) for operation in operations if operation.startswith(UNREAD)):
        what = f"the module `{name}` is imported, which is no file that was handed in: “{rule.title}” cannot be checked"
        yield Violation(
            rule=rule.id, message=f"{what} in it. Hand in what your code imports", evidence="run", parts=(part_id,)
        )


@functools.cache
def _betraying(rule: Rule) -> Mapping[str, Layer]:
    """{operation: the layer that a rule means and that it is the inside of}."""
    return {name: layer for layer in LAYERS if _forbids(rule, layer) for name in layer.operations}


def _forbids(rule: Rule, layer: Layer) -> bool:
    """Whether a rule means everything that ends in a layer's operations."""
    everything = [*layer.classes, *layer.functions]
    if any(matching(name, rule.allowed) for name in everything):
        return False
    exact = [canonical(name) for name in rule.names if not name.endswith(".*")]
    if any(name in exact for name in layer.functions):
        return True
    if layer.classes and all(matching(name, exact) for name in layer.classes):
        return True
    return layer.whole and all(matching(name, rule.names) for name in layer.classes or layer.functions)


def _missing(rule: Rule, part_id: str, module_types: Sequence[str], operations: Sequence[str]) -> Iterator[Violation]:
    ran = {short(operation) for operation in operations}
    if not ran and not module_types:
        return
    wanted = [(name, {run for layer in layers_of(canonical(name)) for run in layer.operations}) for name in rule.names]
    wanted += [(pattern, {short(pattern)}) for pattern in rule.operations]
    for name, betraying in wanted:
        built = any(matching(kind, [name]) for kind in module_types)
        if not built and not ran & (betraying or {short(name)}):
            message = f"`{name}` was neither built nor called when this ran, and “{rule.title}” demands it"
            yield Violation(rule=rule.id, message=message, evidence="run", parts=(part_id,))


# --- prints ------------------------------------------------------------------------------------------------------


def _asked_for(line: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(line.strip(), pattern) for pattern in patterns)


def _print_violation(rule: Rule, prints: int, unasked: Sequence[str], sites: Sequence[PrintSite]) -> Violation:
    times = "once" if prints == 1 else f"{prints} times"
    shown = f", first “{unasked[0].strip()[:_SHOWN]}”" if unasked else ""
    places = "; ".join(f"`{site.what}` in {site.place}" for site in sites[:_SITES])
    where = f" Look at {places}." if places else ""
    first = sites[0].place if len({site.place for site in sites}) == 1 else None
    what = f"your code printed {times} while it was graded{shown}"
    return Violation(
        rule=rule.id,
        message=f"{what}. Remove what the handout does not ask for.{where}",
        evidence="run",
        file=first.path if first else None,
        line=first.line if first else None,
        cell=first.cell if first else None,
        parts=rule.parts,
    )
