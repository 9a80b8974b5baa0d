"""What stands in for the grader in a script that shows one failed check: `modules`, and a comparison.

Its text goes into the script as it is, so that it needs torch alone. Files are imported, not judged: what a file raises
is raised, and of a notebook the definitions are run.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import numpy
import torch


class MissingDefinition(AttributeError):
    """Something that the check needs is not there."""


class StudentFile:
    """One file of the submission: what it defines, as attributes."""

    def __init__(self, module: ModuleType, cells: Sequence[str] = ()) -> None:
        self.module, self.cells = module, cells

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)

    def names(self) -> list[str]:
        return [name for name in vars(self.module) if not name.startswith("__")]

    def provide(self, **values: object) -> None:
        vars(self.module).update(values)

    def provide_missing(self, **values: object) -> None:
        self.provide(**{name: value for name, value in values.items() if not hasattr(self.module, name)})

    @contextmanager
    def replaced(self, **values: object) -> Iterator[None]:
        before = dict(vars(self.module))
        vars(self.module).update(values)
        yield
        vars(self.module).update({name: before[name] for name in values if name in before})

    def run_cell(self, *, assigns: Sequence[str] = (), contains: str = "", keep: Sequence[str] = ()) -> dict[str, Any]:
        fitting = [cell for cell in self.cells if contains in cell]
        if not fitting:
            raise MissingDefinition(f"no cell has {assigns or contains}")
        tree = ast.parse(max(fitting, key=lambda cell: len(set(assigns) & set_in(cell))))
        tree.body = [node for node in tree.body if not (names := set_by(node)) or not names <= set(keep)]
        exec(compile(tree, "cell", "exec"), vars(self.module))
        return {name: vars(self.module)[name] for name in assigns if name in vars(self.module)}

    def run_cells(self, name: str) -> Any:
        for cell in self.cells:
            if name in set_in(cell):
                exec(compile(cell, "cell", "exec"), vars(self.module))
        return vars(self.module).get(name)


class Modules:
    """The files under test, by the names that the check has for them; each is imported on first use."""

    def __init__(self, folder: Path, files: Mapping[str, str], globals_: Mapping[str, object]) -> None:
        self.folder, self.files, self.globals = folder, files, globals_
        self.loaded: dict[str, StudentFile] = {}
        self.kept: dict[str, Any] = {}
        self.asked: list[str] = []
        sys.path[:0] = [str(folder), *(str((folder / path).parent) for path in files.values())]

    def __contains__(self, name: str) -> bool:
        return name in self.files

    def __getitem__(self, name: str) -> StudentFile:
        if name not in self.files:
            raise MissingDefinition(f"{name} was not handed in")
        if name not in self.loaded:
            path = self.folder / self.files[name]
            self.loaded[name] = from_notebook(path, self.globals) if path.suffix == ".ipynb" else self.imported(name)
        return self.loaded[name]

    def imported(self, name: str) -> StudentFile:
        dotted = self.files[name].removesuffix(".py").replace("/", ".")
        if dotted not in sys.modules:
            spec = importlib.util.spec_from_file_location(dotted, self.folder / self.files[name])
            assert spec is not None
            assert spec.loader is not None
            sys.modules[dotted] = importlib.util.module_from_spec(spec)
            vars(sys.modules[dotted]).update(self.globals)
            spec.loader.exec_module(sys.modules[dotted])
        return StudentFile(sys.modules[dotted])

    @contextmanager
    def replaced(self, name: str, **values: object) -> Iterator[None]:
        with self[name].replaced(**values):
            yield

    def path(self, relative: str) -> Path:
        return self.folder / relative

    def cached(self, name: str, make: Callable[[], Any]) -> Any:
        return self.kept[name] if name in self.kept else self.kept.setdefault(name, make())

    def not_attempted(self, what: str) -> NoReturn:
        raise MissingDefinition(what)

    def say_nothing(self) -> None:
        """For the grader's reports only."""

    def report(self, step: int, **values: float) -> None:
        """For the grader's progress only."""

    def choose(self, candidates: Sequence[tuple[str, Any]]) -> Any:
        """What the grader chose, where several readings, or orders of weights, are possible."""
        wanted = self.asked.pop(0) if self.asked else candidates[0][0]
        return next((value for name, value in candidates if name[:111] == wanted[:111]), candidates[0][1])

    choose_binding = choose


def from_notebook(path: Path, globals_: Mapping[str, object]) -> StudentFile:
    """A notebook's definitions: imports, functions, classes, and the assignments that these read."""
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in found if cell["cell_type"] == "code"]
    cells = ["\n".join("" if line.lstrip()[:1] in ("%", "!") else line for line in text.split("\n")) for text in texts]
    module = ModuleType(path.stem)
    sys.modules[path.stem] = module
    vars(module).update(globals_)
    nodes = list[ast.stmt]()
    for cell in cells:
        with suppress(SyntaxError):
            nodes += ast.parse(cell).body
    defined = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    read = {name.id for node in nodes if isinstance(node, defined) for name in ast.walk(node) if type(name) is ast.Name}
    for node in nodes:
        plain = isinstance(node, ast.Assign) and not any(type(inner) is ast.Call for inner in ast.walk(node))
        if isinstance(node, defined) or plain or (isinstance(node, ast.Assign) and set_by(node) & read):
            with suppress(Exception):  # such as a file that is not here; what is then missing says so itself
                exec(compile(ast.Module([node], []), str(path), "exec"), vars(module))
    return StudentFile(module, cells)


def set_in(cell: str) -> set[str]:
    """The names that a cell sets."""
    with suppress(SyntaxError):
        return set[str]().union(*(set_by(node) for node in ast.parse(cell).body))
    return set()


def set_by(node: ast.stmt) -> set[str]:
    """The names that a statement sets."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}


def values_in(path: str, value: object) -> Iterator[tuple[str, Any]]:
    """(name, value) of everything in a tree of dicts and lists."""
    if isinstance(value, Mapping):
        for name, entry in value.items():
            yield from values_in(f"{path}.{name}" if path else str(name), entry)
    elif isinstance(value, (list, tuple)):
        for number, entry in enumerate(value):
            yield from values_in(f"{path}[{number}]", entry)
    else:
        yield path, torch.from_numpy(value) if isinstance(value, numpy.ndarray) else value


def what_differs(found: Any, expected: Any, bound: float | None, tolerances: Mapping[str, Sequence[float]]) -> str:
    """What differs between two values, in words; "" when they agree."""
    if not isinstance(expected, torch.Tensor):
        close = isinstance(expected, float) and isinstance(found, (int, float))
        if close:
            rtol, atol = tolerances["float32"]
            allowed = atol + rtol * abs(expected) if bound is None else bound
            return (
                "" if abs(found - expected) <= allowed or found == expected else f"{found} where {expected} is expected"
            )
        return "" if found == expected else f"{found!r} where {expected!r} is expected"
    if not isinstance(found, torch.Tensor):
        return f"{type(found).__name__} where a tensor of shape {tuple(expected.shape)} is expected"
    if found.shape != expected.shape or found.dtype != expected.dtype:
        here, there = ((tuple(each.shape), each.dtype) for each in (found, expected))
        return f"shape and dtype {here} where {there} is expected"
    if expected.numel() == 0:
        return ""
    a, b = found.detach().double(), expected.double()
    rtol, atol = tolerances.get(str(expected.dtype).removeprefix("torch."), (0.0, 0.0))
    scale = b[b.isfinite()].abs().max().item() if bool(b.isfinite().any()) else 0.0
    allowed = atol + rtol * scale if bound is None else bound
    wrong = ~((a == b) | ((a - b).abs() <= allowed) | (a.isnan() & b.isnan()))
    if not bool(wrong.any()):
        return ""
    flat = int(torch.where(wrong, (a - b).abs().nan_to_num(torch.inf, torch.inf), -torch.ones(())).argmax())
    place = tuple(int(index) for index in numpy.unravel_index(flat, tuple(a.shape)))
    return (
        f"{int(wrong.sum())} of {wrong.numel()} entries differ, most at {place}: {a[place].item():.6g} where "
        f"{b[place].item():.6g} is expected; allowed is {allowed:.1e}"
    )


def start_from(seed: int) -> None:
    """The random numbers of the check."""
    torch.manual_seed(seed)
    numpy.random.seed(seed % 2**32)
    random.seed(seed)
