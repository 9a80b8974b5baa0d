"""Layers put together otherwise: wrapped, split, fused, one per head, functions in the place of layers."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from grader.proof.changes.calls import attribute_of_self, called, of_module
from grader.proof.changes.source import Edit, Replacement, Source
from grader.proof.rewritings.patterns import above, filled_in

LAYERS = ("Linear", "Embedding", "LayerNorm", "Conv2d", "LSTM", "RNN")


def wrapped(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A layer as the only one of a Sequential, in a ModuleList, in a ModuleDict."""
    for name, call, uses in _layers(source, node, LAYERS[:4]):
        text = source.segment(call)
        if _all_called(source, uses):
            yield source.replace(call, f"torch.nn.Sequential({text})")
            yield _with_uses(source, call, f"torch.nn.ModuleList([{text}])", uses, f"self.{name}[0]")
            yield _with_uses(source, call, f"torch.nn.ModuleDict({{'only': {text}}})", uses, f"self.{name}['only']")


def subclassed(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A layer of a class of the student's own, which adds nothing."""
    for _, call, _ in _layers(source, node, LAYERS):
        kind = source.segment(call.func)
        own = f"Own{called(call)}"
        lines = f'class {own}({kind}):\n    """The layer, under a name of its own."""\n\n'
        yield Edit((above(source, node, lines), Replacement(*source.span(call.func), own)))


def by_function(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A layer's weights used by a function or a product."""
    for name, call, uses in _layers(source, node, ("Linear", "Embedding", "LayerNorm")):
        ways = {
            "Linear": (
                f"torch.nn.functional.linear(_a, self.{name}.weight, self.{name}.bias)",
                f"(_a @ self.{name}.weight.t() + self.{name}.bias)",
                f"self.{name}.forward(_a)",
                f"self.{name}.__call__(_a)",
                f"getattr(self, '{name}')(_a)",
                f"self._modules['{name}'](_a)",
            ),
            "Embedding": (
                f"torch.nn.functional.embedding(_a, self.{name}.weight)",
                f"self.{name}.weight[_a]",
                f"self.{name}(_a.long())",
                f"torch.nn.functional.one_hot(_a, self.{name}.num_embeddings).float() @ self.{name}.weight",
                f"self.{name}(input=_a)",
            ),
            "LayerNorm": (
                f"torch.nn.functional.layer_norm(_a, _a.shape[-1:], self.{name}.weight, self.{name}.bias)",
                f"self.{name}.forward(_a)",
            ),
        }[called(call)]
        if _all_called(source, uses):
            for way in ways:
                yield Edit(tuple(_replaced_call(source, use, way) for use in uses))


def fused(source: Source, node: ast.AST) -> Iterator[Edit]:
    """Neighbours that read the same and are built alike, as one layer whose result is cut."""
    here = list(_layers(source, node, ("Linear",)))
    if not here or not isinstance(node, ast.Assign):
        return
    block = source.siblings(node)
    group = here
    for other in block[block.index(node) + 1 :]:
        following = list(_layers(source, other, ("Linear",)))
        if not following or source.segment(following[0][1]) != source.segment(here[0][1]):
            break
        group = [*group, *following]
    if not 2 <= len(group) <= 3 or len(here[0][1].args) != 2:
        return
    uses = [use for _, _, found in group for use in found]
    if not _all_called(source, uses) or len({ast.dump(_call_of(source, use).args[0]) for use in uses}) != 1:
        return
    count, size = len(group), source.bracketed(here[0][1].args[1])
    parts = [Replacement(*source.span(here[0][1].args[1]), f"{count} * {size}")]
    parts += [Replacement(*source.span(source.statement(call)), "pass") for _, call, _ in group[1:]]
    for place, (_, _, found) in enumerate(group):
        way = f"self.{group[0][0]}(_a).chunk({count}, dim=-1)[{place}]"
        parts += [_replaced_call(source, use, way) for use in found]
    yield Edit(tuple(parts))


def split(source: Source, node: ast.AST) -> Iterator[Edit]:
    """One layer whose result has several parts, as a layer for each part; a projection, as a layer for each head."""
    for name, call, uses in _layers(source, node, ("Linear",)):
        if len(call.args) != 2 or not _all_called(source, uses):
            continue
        inside, outside = (source.segment(argument) for argument in call.args)
        if outside.startswith("3 * "):
            kind, size = source.segment(call.func), outside.removeprefix("3 * ")
            layers = f"torch.nn.ModuleList([{kind}({inside}, {size}) for _ in range(3)])"
            yield _with_calls(source, call, layers, uses, f"torch.cat([part(_a) for part in self.{name}], dim=-1)")
        elif inside == outside and name[-1] in "qkv" and "num_heads" in source.segment(source.class_of(node) or node):
            layers = (
                f"torch.nn.ModuleList([torch.nn.Linear({inside}, ({outside}) // num_heads) for _ in range(num_heads)])"
            )
            yield _with_calls(source, call, layers, uses, f"torch.cat([head(_a) for head in self.{name}], dim=-1)")


def buffered(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A number of the object as a buffer; a buffer that nothing reads."""
    if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not (name := attribute_of_self(node.targets[0])):
        return
    function = source.function(node)
    if function is None or function.name != "__init__" or not _holds_buffers(source.class_of(node)):
        return
    if isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.Pow):
        text = source.segment(node.value)
        yield source.replace(node, f'self.register_buffer("{name}", torch.tensor(float({text})))')
    if node is function.body[-1] or called(node.value) in ("Linear", "Embedding"):
        start = source.span(node)[0]
        indent = " " * node.col_offset
        yield source.inserted(start, f'self.register_buffer("calls", torch.zeros(1))\n{indent}')


def _holds_buffers(owner: ast.ClassDef | None) -> bool:
    """Whether a class is a module, also by way of another class. Data sets are the other classes with a base."""
    bases = [] if owner is None else [ast.unparse(base).rsplit(".", 1)[-1] for base in owner.bases]
    return any(base not in ("object", "Dataset") for base in bases)


# --- layers and their uses ------------------------------------------------------------------------------------


def _layers(
    source: Source, node: ast.AST, kinds: tuple[str, ...]
) -> Iterator[tuple[str, ast.Call, list[ast.Attribute]]]:
    """(name, call, places that read it) of a layer that a student builds in the statement `node` of an `__init__`."""
    if (
        not isinstance(node, ast.Assign)
        or not source.is_asked_for(node)
        or len(node.targets) != 1
        or not isinstance(node.value, ast.Call)
    ):
        return
    name, outer = attribute_of_self(node.targets[0]), source.class_of(node)
    function = source.function(node)
    if not name or outer is None or function is None or function.name != "__init__":
        return
    if called(node.value) in kinds and of_module(node.value):
        reads = [part for part in ast.walk(outer) if attribute_of_self(part) == name and part is not node.targets[0]]
        yield name, node.value, [part for part in reads if isinstance(part, ast.Attribute)]


def _call_of(source: Source, use: ast.Attribute) -> ast.Call:
    call = source.parent(use)
    assert isinstance(call, ast.Call)
    return call


def _all_called(source: Source, uses: list[ast.Attribute]) -> bool:
    """Whether a layer is read, and only to be called with one argument. Uses inside uses have no exact edit."""
    calls = [source.parent(use) for use in uses]
    if not uses or not all(isinstance(c, ast.Call) and c.func is u for c, u in zip(calls, uses, strict=True)):
        return False
    return all(isinstance(call, ast.Call) and len(call.args) == 1 and not call.keywords for call in calls)


def _replaced_call(source: Source, use: ast.Attribute, way: str) -> Replacement:
    call = _call_of(source, use)
    return Replacement(*source.span(call), filled_in(source, way, {"_a": call.args[0]}))


def _with_uses(source: Source, call: ast.Call, built: str, uses: list[ast.Attribute], read: str) -> Edit:
    parts = [Replacement(*source.span(use), read) for use in uses]
    return Edit((Replacement(*source.span(call), built), *parts))


def _with_calls(source: Source, call: ast.Call, built: str, uses: list[ast.Attribute], way: str) -> Edit:
    return Edit((Replacement(*source.span(call), built), *(_replaced_call(source, use, way) for use in uses)))
