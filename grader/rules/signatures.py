"""Are the definitions that the template gives still callable in the same way?"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping, Sequence

from grader.errors import AuthorError
from grader.model import Violation
from grader.parsing.statements import parse_source
from grader.rules.files import Parsed, Place, SourceFile, parse_file
from grader.templates.interface import Definition, Parameter, interface_of, parameters_of, written

_OWNERS = ("self", "cls")
_WIDER = (("positional", "positional_only"), ("positional", "keyword"))
"""(given, wanted): a parameter that may be passed in either way takes the place of a stricter one."""


def interface(parsed: Parsed) -> dict[str, tuple[Definition, Place]]:
    """The public definitions of a file, over all its cells, with their places."""
    found: dict[str, tuple[Definition, Place]] = {}
    for unit in parsed.units:
        for name, definition in interface_of(unit.tree).items():
            found[name] = (definition, Place(parsed.file.path, definition.line, unit.cell))
    return found


@functools.lru_cache(maxsize=256)
def given_interface(file: SourceFile) -> Mapping[str, Definition]:
    """The public definitions of a template's file: the same for a whole class, and not to be changed."""
    return {name: definition for name, (definition, _) in interface(parse_file(file)).items()}


def check_signatures(
    rule: str,
    parts: tuple[str, ...],
    submitted: Parsed,
    template: Mapping[str, Definition],
    alternatives: Sequence[str],
) -> Iterator[Violation]:
    """Functions and methods whose parameters no longer fit the template's; missing ones are not this rule's business.

    `alternatives` are signatures of neighbouring semesters, `Decoder.forward(self, x, hidden)`. Raises AuthorError for
    one that is no signature.
    """
    others = parse_alternatives(alternatives)
    found = interface(submitted)
    for name, definition in template.items():
        if definition.kind != "function" or name not in found or found[name][0].kind != "function":
            continue
        given, place = found[name]
        problem = difference(given.parameters, definition.parameters)
        if problem and not any(_fits(given.parameters, other) for other in others.get(name, ())):
            message = (
                f"`{name}` {problem}; the template has {name}{written(definition.parameters)} and yours "
                f"{name}{written(given.parameters)}. Further parameters need a default value"
            )
            yield place.violation(rule, message, parts)


def difference(given: Sequence[Parameter], wanted: Sequence[Parameter]) -> str:
    """How `given` breaks calls that `wanted` allows, as a predicate; "" if it breaks none."""
    for place, parameter in enumerate(wanted):
        found = next((other for other in given if other.name == parameter.name), None)
        if found is None or (found.kind != parameter.kind and (found.kind, parameter.kind) not in _WIDER):
            return (
                f"lacks the parameter `{parameter.name}`" if found is None else f"takes `{parameter.name}` differently"
            )
        if parameter.optional and not found.optional:
            return f"has no default for `{parameter.name}` any more"
        if parameter.kind in ("positional", "positional_only") and given[place] is not found:
            return f"has `{parameter.name}` in another place"
    known = {parameter.name for parameter in wanted}
    extra = next((parameter for parameter in given if parameter.name not in known and not parameter.optional), None)
    return f"needs a further parameter `{extra.name}`" if extra else ""


def parse_alternatives(texts: Sequence[str]) -> Mapping[str, list[tuple[Parameter, ...]]]:
    """`Class.method(args...)` → qualified name → signatures. Raises AuthorError."""
    found: dict[str, list[tuple[Parameter, ...]]] = {}
    for text in texts:
        name, bracket, rest = text.partition("(")
        try:
            (node,) = parse_source(f"def f({rest}: pass" if bracket else "").body
        except (SyntaxError, ValueError):
            node = None
        if not isinstance(node, ast.FunctionDef):
            raise AuthorError(f"{text!r} is no signature; expected, say, 'Decoder.forward(self, x, hidden)'")
        found.setdefault(name.strip(), []).append(parameters_of(node.args))
    return found


def _fits(given: Sequence[Parameter], alternative: Sequence[Parameter]) -> bool:
    """An alternative may be written without its leading `self`."""
    plain = given[1:] if given and given[0].name in _OWNERS else given
    bare = alternative[1:] if alternative and alternative[0].name in _OWNERS else alternative
    return not difference(list(plain), list(bare))
