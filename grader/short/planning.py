"""The short form, understood: each check with its call, inputs, sizes, results and items; each answer with its file."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from keyword import iskeyword

from grader.assignment.types import Reading, suggestion
from grader.short.calls import RESERVED, Call, Target, Unreadable, parsed, read_call
from grader.short.draws import Input, Size, needed, read_input, read_size
from grader.short.form import Answer, Check, Short, Train

WEIGHTS = ("by name", "by order")
MODES = ("", "train", "eval")
GRADIENTS = "gradients"
# The properties that a check may add, functions of `grader.suite.properties`, with how many arguments each takes.
PROPERTIES = {
    "rows_sum_to_one": (0, 1),
    "causal": (1, 2),
    "equivariant": (1, 2),
    "ignores": (2, 2),
    "restores": (1, 1),
    "steady": (0, 0),
    "drops": (0, 0),
}

Files = Mapping[str, Collection[str]]
Bounds = Mapping[str, float]


@dataclass(frozen=True)
class Line:
    """One item of a check: its id and points, the names of the values that decide it (none: all), and its sentence."""

    id: str
    points: Decimal
    only: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Planned:
    """A check, ready to be written out. `direct` are the sizes that the call itself takes."""

    id: str
    check: Check
    call: Call
    inputs: tuple[Input, ...]
    weights: tuple[Input, ...]
    sizes: tuple[Size, ...]
    direct: tuple[str, ...]
    outputs: tuple[str, ...]
    lines: tuple[Line, ...]
    bounds: Bounds
    properties: tuple[tuple[str, tuple[str, ...]], ...]
    numpy: bool

    @property
    def word(self) -> str:
        """The name of its probe."""
        return word_of(self.id)

    @property
    def has_gradients(self) -> bool:
        """Whether gradients are asked for, in whichever item."""
        return self.check.gradients is not False

    @property
    def file(self) -> str:
        """The file whose definition is graded."""
        return self.call.first.file


@dataclass(frozen=True)
class Asked:
    """A computed answer, ready to be written out."""

    id: str
    answer: Answer
    file: str
    bounds: Bounds

    @property
    def word(self) -> str:
        """The name of its probe."""
        return f"answer_{word_of(self.id)}"


@dataclass(frozen=True)
class Fit:
    """A training, ready to be written out: `made` constructs the model."""

    id: str
    train: Train
    made: str
    classes: bool
    target: Target

    @property
    def word(self) -> str:
        """What its probes are called, behind `train_` and `predict_`."""
        return letters_of(self.id)


def letters_of(name: str) -> str:
    """An id as a part of a name of Python."""
    return re.sub(r"\W", "_", name)


def word_of(name: str) -> str:
    """An id as a name of Python."""
    word = letters_of(name)
    return f"check_{word}" if word[:1].isdigit() or word in RESERVED or iskeyword(word) else word


def planned(short: Short, files: Files, paths: Mapping[str, str], reading: Reading) -> list[Planned]:
    """Every check that can be understood; problems go to `reading`. `paths` maps what `in` may say to file ids."""
    found: list[Planned] = []
    for name, check in short.checks.items():
        place = ("checks", name, "call")
        try:
            own = _file_of(check.file, paths)
            found.append(_planned(name, check, short, files, own))
        except Unreadable as error:
            reading.bad(reading.line(*place), f"checks.{name}: {error}")
    words: dict[str, str] = {}
    for plan in found:
        if (other := words.setdefault(plan.word, plan.id)) != plan.id:
            reading.bad(reading.line("checks", plan.id), f"checks {other} and {plan.id} are too much alike: rename one")
    return found


def asked(short: Short, paths: Mapping[str, str], reading: Reading) -> list[Asked]:
    """Every answer that can be understood; problems go to `reading`."""
    found = []
    for name, answer in short.answers.items():
        try:
            if not name.isidentifier():
                raise Unreadable("expected the name of a variable that students set")
            if answer.notebook and not answer.notebook.endswith(".ipynb"):
                raise Unreadable(f"notebook is {answer.notebook!r}: expected a path, such as {answer.notebook}.ipynb")
            own = _file_of(answer.notebook or answer.file, paths)
            if not own:
                raise Unreadable("say where it stands: `notebook: analysis.ipynb`, or `in: answers.py`")
            found.append(Asked(name, answer, own, _bounds(answer.tolerance)))
        except Unreadable as error:
            reading.bad(reading.line("answers", name), f"answers.{name}: {error}")
    return found


def fits(short: Short, files: Files, paths: Mapping[str, str], reading: Reading) -> list[Fit]:
    """Every training that can be understood; problems go to `reading`."""
    found = []
    for name, train in short.train.items():
        try:
            call = read_call(train.model, files, _file_of(train.file, paths), {"classes": "classes"})
            if call.made:
                raise Unreadable(f"model is {train.model}: expected what constructs it, such as ConvNet(classes)")
            if train.metric not in ("", train.measures):
                raise Unreadable(f"{train.data} is measured by {train.measures}, not by {train.metric}")
            found.append(Fit(name, train, call.code, "classes" in call.names, call.first))
        except Unreadable as error:
            reading.bad(reading.line("train", name, "model"), f"train.{name}: {error}")
    return found


def _planned(name: str, check: Check, short: Short, files: Files, own: str) -> Planned:
    told = {**short.sizes, **check.sizes}
    sizes = {each: read_size(each, value, told) for each, value in told.items()}
    inputs = {each: read_input(each, text, sizes) for each, text in {**short.draw, **check.draw}.items()}
    if both := sorted(sizes.keys() & inputs.keys()):
        raise Unreadable(f"{', '.join(both)} is both an input and a size; rename one")
    hand = "array({})" if short.numpy else "handed({})" if check.gradients is not False else "{}"
    values = {each: hand.format(each) for each in inputs} | {each: each for each in sizes}
    call = read_call(check.call, files, own, values)
    _consistent(check, call, numpy=short.numpy)
    weights = _weights(check, sizes)
    used = tuple(inputs[each] for each in call.names if each in inputs)
    direct = tuple(each for each in call.names if each in sizes)
    wanted = (*direct, *(need for each in (*used, *weights) for need in each.needs))
    outputs = _outputs(check)
    return Planned(
        id=name,
        check=check,
        call=call,
        inputs=used,
        weights=weights,
        sizes=tuple(needed(wanted, sizes)),
        direct=direct,
        outputs=outputs,
        lines=tuple(_lines(name, check, outputs)),
        bounds=_bounds(check.tolerance),
        properties=tuple(_property(text, [each.name for each in used]) for text in check.properties),
        numpy=short.numpy,
    )


def _consistent(check: Check, call: Call, *, numpy: bool) -> None:
    """Raises Unreadable for what cannot go together."""
    if check.gradients is not False and numpy:
        raise Unreadable("arrays have no gradients; check the function that computes them by a call of its own")
    if check.mode not in MODES:
        raise Unreadable(f"mode is {check.mode!r}, expected train or eval{suggestion(check.mode, MODES)}")
    if (check.weights or check.mode) and not call.made:
        raise Unreadable("weights and mode need a module: expected a call such as Affine(width, features)(x)")
    if {"steady", "drops"} & {text.split("(")[0] for text in check.properties} and not call.made:
        raise Unreadable("steady and drops need a module: expected a call such as Block(width)(x)")
    if isinstance(check.weights, str) and check.weights not in ("", *WEIGHTS):
        near = suggestion(check.weights, WEIGHTS)
        raise Unreadable(f"weights are {check.weights!r}, expected 'by name', 'by order', or a draw for each{near}")


def _weights(check: Check, sizes: Mapping[str, Size]) -> tuple[Input, ...]:
    if not isinstance(check.weights, dict):
        return ()
    return tuple(
        Input(str(role), drawn.code, drawn.needs, drawn.differentiable)
        for role, text in check.weights.items()
        for drawn in [read_input("weight", str(text), sizes)]
    )


def _outputs(check: Check) -> tuple[str, ...]:
    if isinstance(check.outputs, (list, tuple, dict)):
        names = tuple(map(str, check.outputs))
        if GRADIENTS in names or len(set(names)) < len(names):
            raise Unreadable("outputs: each result needs a name of its own, and none may be called gradients")
        return names
    raise Unreadable("outputs: expected a list of names, or a name with points for each")


def _lines(name: str, check: Check, outputs: tuple[str, ...]) -> Iterator[Line]:
    """The items of a check."""
    call, title = f"`{check.call}`", check.title
    apart = not isinstance(check.gradients, bool)
    if isinstance(check.outputs, dict):
        if check.points or check.gradients is True:
            raise Unreadable("points stand at the outputs: drop `points`, and give `gradients` points of its own")
        for output, points in check.outputs.items():
            yield Line(
                f"{name}.{output}", _points(points), (str(output),), title or f"{call} returns the right `{output}`."
            )
    else:
        if not check.points:
            raise Unreadable("the key 'points' is missing: expected what it is worth, more than 0")
        also = " and has the right gradients" if check.gradients is True else ""
        only = (outputs or ("out",)) if apart else ()
        yield Line(name, check.points, only, title or f"{call} returns the right values{also}.")
    if apart:
        sentence = f"{title.rstrip('.')}: gradients." if title else f"{call} has the right gradients."
        yield Line(f"{name}.{GRADIENTS}", _points(check.gradients), (GRADIENTS,), sentence)


def _points(value: object) -> Decimal:
    try:
        points = Decimal(str(value))
    except InvalidOperation:
        points = Decimal(0)
    if points <= 0:
        raise Unreadable(f"{value!r} are no points: expected a number above 0")
    return points


def _bounds(value: object) -> Bounds:
    """Keywords of the comparison."""
    if value is None:
        return {}
    told = value if isinstance(value, dict) else {"rtol": value}
    numbers = {name: each for name, each in told.items() if isinstance(each, (int, float)) and each >= 0}
    if not told or set(told) - {"rtol", "atol"} or len(numbers) < len(told):
        raise Unreadable("tolerance: expected a relative bound such as 1e-4, or {rtol: 1e-4, atol: 1e-6}")
    return {str(name): float(each) for name, each in numbers.items()}


def _property(text: str, inputs: list[str]) -> tuple[str, tuple[str, ...]]:
    """A property as the function that demands it, and its further arguments as source."""
    tree = parsed(text)
    call = tree if isinstance(tree, ast.Call) else ast.Call(tree, [], [])
    name = ast.unparse(call.func)
    if name not in PROPERTIES:
        raise Unreadable(f"no property is called {name}: expected one of {', '.join(PROPERTIES)}"
                         + suggestion(name, tuple(PROPERTIES)))  # fmt: skip
    least, most = PROPERTIES[name]
    if not least <= len(call.args) + len(call.keywords) <= most:
        raise Unreadable(f"{text}: {name} takes {least}" + (f" to {most}" if most > least else "") + " arguments")
    arguments = []
    for entry in call.args:
        if isinstance(entry, ast.Name) and entry.id not in inputs:
            raise Unreadable(f"{text}: {entry.id} is no input of the call{suggestion(entry.id, inputs)}")
        arguments.append(repr(entry.id) if isinstance(entry, ast.Name) else repr(_number(entry, text)))
    arguments += [f"{entry.arg}={_number(entry.value, text)!r}" for entry in call.keywords]
    return name, tuple(arguments)


def _number(node: ast.expr, text: str) -> object:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise Unreadable(f"{text}: expected names of inputs and numbers") from None


def _file_of(text: str, paths: Mapping[str, str]) -> str:
    if text and text not in paths:
        raise Unreadable(f"no file is called {text!r}{suggestion(text, list(paths))}; known are {', '.join(paths)}")
    return paths[text] if text else ""
