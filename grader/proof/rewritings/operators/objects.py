"""Classes and functions written otherwise: `super`, calls, properties, helpers, decorators, hints, subclasses."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator

from grader.proof.changes.calls import attribute_of_self, called
from grader.proof.changes.source import Edit, Function, Replacement, Source
from grader.proof.rewritings.patterns import above, first_of, has_torch

WITHOUT_GRADIENTS = ("generate", "evaluate", "prefix_generate", "generate_translation")


def super_spelt(source: Source, node: ast.AST) -> Iterator[Edit]:
    """`super(X, self)`, and the base class by its name."""
    outer = source.class_of(node)
    if isinstance(node, ast.Call) and called(node) == "super" and not node.args and outer is not None:
        yield source.replace(node, f"super({outer.name}, self)")
    if not isinstance(node, ast.Call) or called(node) != "__init__" or node.args or outer is None:
        return
    if isinstance(node.func, ast.Attribute) and called(node.func.value) == "super" and len(outer.bases) == 1:
        yield source.replace(node, f"{source.segment(outer.bases[0])}.__init__(self)")


def call_defined(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A class with a `__call__` of its own; `forward` as the name of another method."""
    for function in _methods(node, "forward"):
        end, indent = source.span(function)[1], " " * function.col_offset
        call = f"\n\n{indent}def __call__(self, *args, **kwargs):\n{indent}    return self.forward(*args, **kwargs)\n"
        yield source.inserted(end, call)
        start = source.text.index("forward", source.span(function)[0])
        renamed = Replacement(start, start + len("forward"), "compute")
        yield Edit((renamed, Replacement(end, end, f"\n\n{indent}forward = compute\n")))
        yield Edit(
            (
                renamed,
                Replacement(
                    end, end, f"\n\n{indent}def forward(self, *a, **k):\n{indent}    return self.compute(*a, **k)\n"
                ),
            )
        )


def property_made(source: Source, node: ast.AST) -> Iterator[Edit]:
    """An attribute of plain value as a property."""
    outer, function = source.class_of(node), source.function(node)
    if not isinstance(node, ast.Assign) or len(node.targets) != 1 or outer is None or function is None:
        return
    name = attribute_of_self(node.targets[0])
    if name and function.name == "__init__" and isinstance(node.value, ast.Name) and node.value.id == name:
        if name in ("dropout", "encoder", "decoder"):
            return  # modules: a property hides what nn.Module stores under the same name
        if not _is_free(source, outer, name):
            return
        end, indent = source.span(function)[1], " " * function.col_offset
        made = f"\n\n{indent}@property\n{indent}def {name}(self):\n{indent}    return self._{name}\n"
        if _is_set_elsewhere(source, outer, node.targets[0]):
            made += f"\n{indent}@{name}.setter\n{indent}def {name}(self, value):\n{indent}    self._{name} = value\n"
        yield Edit((Replacement(*source.span(node.targets[0]), f"self._{name}"), Replacement(end, end, made)))


def _is_free(source: Source, owner: ast.ClassDef, name: str) -> bool:
    """Whether a class has room for a property: nothing in it is so called, no slots, nothing is deleted."""
    attributes = [part for part in ast.walk(source.tree) if isinstance(part, ast.Attribute)]
    if any(part.attr == f"_{name}" or (part.attr == name and isinstance(part.ctx, ast.Del)) for part in attributes):
        return False
    own = {part.name for part in owner.body if isinstance(part, ast.FunctionDef | ast.ClassDef)}
    for part in owner.body:
        if isinstance(part, ast.Assign | ast.AnnAssign):
            targets = part.targets if isinstance(part, ast.Assign) else [part.target]
            own |= {target.id for target in targets if isinstance(target, ast.Name)}
    return own.isdisjoint({name, "__slots__"})


def _is_set_elsewhere(source: Source, owner: ast.ClassDef, target: ast.expr) -> bool:
    """Whether something else than `target` gives an object of the class that attribute: `x.count += 1`."""
    assert isinstance(target, ast.Attribute)
    family = {owner.name}
    for part in ast.walk(source.tree):  # classes stand below what they derive from
        if isinstance(part, ast.ClassDef) and family & {ast.unparse(base).rsplit(".", 1)[-1] for base in part.bases}:
            family.add(part.name)
    for part in ast.walk(source.tree):
        if isinstance(part, ast.Attribute) and part.attr == target.attr and isinstance(part.ctx, ast.Store):
            inside = source.class_of(part)
            of_others = attribute_of_self(part) is not None and inside is not None and inside.name not in family
            if part is not target and not of_others:
                return True
    return False


def helped(source: Source, node: ast.AST) -> Iterator[Edit]:
    """What a method returns, computed by a helper: a static method, a class, a function of the module."""
    function, outer = source.function(node), source.class_of(node)
    if not isinstance(node, ast.Return) or node.value is None or function is None or outer is None:
        return
    if not isinstance(source.parent(function), ast.ClassDef) or not isinstance(node.value, ast.Call | ast.BinOp):
        return
    text = _in_one_line(source, node.value)
    if not text or any(_stays(part) for part in ast.walk(node.value)):
        return
    # What functions around the class bind is handed over as well: the helper stands outside of all of them.
    around = [function, *(part for part in source.around(function) if isinstance(part, Function))]
    bound = {"self", *(name for part in around for name in _bound(part))}
    read = {part.id for part in ast.walk(node.value) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}
    inner = {part.id for part in ast.walk(node.value) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    names = ", ".join(sorted((read & bound) - inner))
    helper = f"def finished({names}):\n    return {text}\n\n"
    yield Edit((above(source, node, helper), Replacement(*source.span(node.value), f"finished({names})")))
    helper = f"class Finish:\n    def __call__(self_, {names}):\n        return {text}\n\n"
    yield Edit((above(source, node, helper), Replacement(*source.span(node.value), f"Finish()({names})")))


def _in_one_line(source: Source, value: ast.expr) -> str:
    """The text of an expression without its line breaks; empty where that says something else."""
    text = " ".join(source.segment(value).split())
    try:
        return text if ast.dump(ast.parse(text, mode="eval").body) == ast.dump(value) else ""
    except SyntaxError:
        return ""


def _stays(part: ast.AST) -> bool:
    """Whether code means something else outside of its method or class: `super()`, `yield`, a private `self.__name`."""
    name = part.attr if isinstance(part, ast.Attribute) else part.id if isinstance(part, ast.Name) else ""
    private = name.startswith("__") and (not name.endswith("__") or name == "__class__")
    return private or called(part) == "super" or isinstance(part, ast.Yield | ast.YieldFrom | ast.Await)


def _bound(function: Function) -> Iterator[str]:
    """The names that a function binds: arguments, variables, and what it defines or imports."""
    for part in ast.walk(function):
        if isinstance(part, ast.arg):
            yield part.arg
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id
        elif isinstance(part, ast.alias):
            yield (part.asname or part.name).split(".")[0]
        elif isinstance(part, Function | ast.ClassDef) and part is not function:
            yield part.name


def decorated(source: Source, node: ast.AST) -> Iterator[Edit]:
    """Decorators that change no number."""
    if not isinstance(node, ast.FunctionDef) or node.decorator_list:
        return
    start, indent = source.span(node)[0], " " * node.col_offset
    if node.name in WITHOUT_GRADIENTS:
        yield source.inserted(start, f"@torch.no_grad()\n{indent}")
        yield source.inserted(start, f"@torch.inference_mode()\n{indent}")
    if node.name == "forward":
        yield source.inserted(start, f"@torch.jit.export\n{indent}")
        yield source.inserted(start, f"@torch.autocast('cpu', enabled=False)\n{indent}")
        counted = (
            "def counted(function):\n    def call(*args, **kwargs):\n        call.count += 1\n"
            "        return function(*args, **kwargs)\n\n    call.__wrapped__ = function\n    call.count = 0\n"
            "    return call\n\n"
        )
        yield Edit((above(source, node, counted), Replacement(start, start, f"@counted\n{indent}")))


def hinted(source: Source, node: ast.AST) -> Iterator[Edit]:
    """Type hints, and an f-string in an assertion."""
    if not isinstance(node, ast.FunctionDef) or node.name != "forward" or len(node.args.args) < 2:
        return
    first = node.args.args[1]
    if first.annotation is None:
        start = source.span(first)[1]
        yield source.inserted(start, ": torch.Tensor")
        yield source.inserted(start, ': "torch.FloatTensor | None"')
    place = source.span(first_of(node))[0]
    indent = " " * node.col_offset + "    "
    yield source.inserted(place, f'assert {first.arg} is not None, f"nothing to read: {{{first.arg}!r:>10}}"\n{indent}')


def under(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A class under `if`, under `try`, made by a function, and under another name first."""
    if not isinstance(node, ast.ClassDef) or source.parent(node) is not source.tree or node.decorator_list:
        return
    start, end = source.span(node)
    text = source.text[start:end]
    if '"""' in text and any(len(line) > 110 for line in text.split("\n")):
        return
    deeper = textwrap.indent(text, "    ")
    yield Edit(
        (Replacement(start, end, f"if {'torch.__version__' if has_torch(source.text) else '__name__'}:\n{deeper}"),)
    )
    yield Edit((Replacement(start, end, f"try:\n{deeper}\nexcept NameError:\n    raise"),))
    yield Edit(
        (
            Replacement(
                start,
                end,
                f"def make_{node.name.lower()}():\n{deeper}\n    return {node.name}\n\n\n"
                f"{node.name} = make_{node.name.lower()}()",
            ),
        )
    )
    name = source.text.index(node.name, start)
    if f"super({node.name}" not in text:
        own = f"My{node.name}"
        inner = text.replace(f"class {node.name}", f"class {own}", 1)
        yield Edit((Replacement(start, end, f"{inner}\n\n\n{node.name} = {own}"),))
        yield Edit((Replacement(start, end, f"{inner}\n\n\nclass {node.name}({own}):\n    pass"),))
    del name
    forward = next((part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "forward"), None)
    if (
        forward is not None
        and not any(called(part) == "super" for part in ast.walk(forward))
        and node.body[-1] is forward
    ):
        first = source.start_of_line(forward.lineno)
        method = textwrap.dedent(source.text[first:end]).replace("def forward", "def run_forward", 1)
        rest = source.text[start:first].rstrip()
        if rest.count("\n") > 0 and len(node.body) > 2:
            yield Edit((Replacement(start, end, f"{rest}\n\n\n{method}\n\n\n{node.name}.forward = run_forward"),))


def _methods(node: ast.AST, name: str) -> Iterator[ast.FunctionDef]:
    if isinstance(node, ast.ClassDef):
        yield from (part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == name)
