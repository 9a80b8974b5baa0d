"""What the student's functions gave back, asked when a probe could not use it: only then, and by running it once more.

An error in the probe names what the probe tried ("cannot unpack"), not what it was given. The second run goes under a
profiler, which is slow and sees every return.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import CodeType, FrameType, TracebackType

import numpy
import torch
from torch import nn

from grader.parsing.statements import parse_source
from grader.worker.ownership import StudentFiles

SHOWN = 4  # entries of a list that are described
DEPTH = 60


@dataclass
class Returned:
    """The last thing that the student's code gave to somebody else, and the functions that gave back None."""

    files: StudentFiles
    last: tuple[CodeType, object] | None = None
    nothing: dict[CodeType, None] = field(default_factory=dict)

    def watch(self, frame: FrameType, event: str, value: object) -> None:
        """The profiler's hook."""
        code = frame.f_code
        if event != "return" or code.co_name == "<module>" or not self.files.owns(code.co_filename):
            return
        if value is None:
            self.nothing.setdefault(code)
        if code.co_name != "__init__" and not self._inside(frame.f_back):
            self.last = (code, value)

    def _inside(self, frame: FrameType | None) -> bool:
        """Whether the student's own code called."""
        for _ in range(DEPTH):
            if frame is None:
                return False
            if self.files.owns(frame.f_code.co_filename):
                return True
            frame = frame.f_back
        return False

    def unfilled(self) -> str:
        """The name of a function that gave back None and holds nothing but a template's text; "" for none."""
        return next((code.co_qualname for code in self.nothing if is_unfilled(code)), "")

    def sentence(self) -> str:
        """What came back last, and what to do about it; "" when nothing did."""
        if self.last is None:
            return ""
        code, value = self.last
        return f"`{code.co_qualname}` returned {described(value)}.{advice(value)}"


def watched(run: Callable[[], object], files: StudentFiles) -> Returned:
    """Call `run` and see what comes back; its own exceptions are dropped."""
    seen = Returned(files)
    sys.setprofile(seen.watch)
    try:
        with suppress(BaseException):
            run()
    finally:
        sys.setprofile(None)
    return seen


def described(value: object, inner: bool = False) -> str:
    """What a value is, in a student's words."""
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, numpy.ndarray):
        return f"a NumPy array of shape {value.shape}"
    if isinstance(value, tuple | list):
        kind = "tuple" if isinstance(value, tuple) else "list"
        parts = [] if inner else [described(entry, True) for entry in value[:SHOWN]]
        return f"a {kind} of {len(value)}" + (f" ({', '.join(parts)})" if parts else "")
    if isinstance(value, nn.Module):
        return f"a module ({type(value).__name__})"
    words = {bool: "a truth value", int: "a whole number", float: "a number", str: "a text", dict: "a dict"}
    return "None" if value is None else words.get(type(value), f"an object of type {type(value).__name__}")


def advice(value: object) -> str:
    """What to do about a value that could not be used, where that can be said."""
    if value is None:
        return " Is a `return` missing?"
    parts = list(value) if isinstance(value, tuple | list) else [value]
    if any(isinstance(part, numpy.ndarray) for part in parts):
        return " Return torch tensors, not NumPy arrays."
    if any(isinstance(part, list) for part in parts) or isinstance(value, list):
        return " Return tensors, not lists of numbers."
    return " Compare that with what the handout says the function returns."


# --- holes --------------------------------------------------------------------------------------------------------

_MARK = re.compile(r"#.*\b(?:TODO|YOUR CODE|FILL (?:THIS )?IN|START OF|BEGIN|COMPLETE|IMPLEMENT)", re.IGNORECASE)
_END = re.compile(r"#.*\bEND\b", re.IGNORECASE)
_IDLE = re.compile(
    r"(?:[\w., ]+=\s*(?:None|\.\.\.|\[\]|\{\}|0|''|\"\")|pass|\.\.\.|return\b[\w., ]*|raise NotImpl.*)\s*(?:#.*)?$"
)


def is_unfilled(code: CodeType, *, lacking: bool = False) -> bool:
    """Whether a function holds a template's text alone: nothing but `pass`, `return None`, names set to None, TODO
    marks with nothing between them, or a `pass` behind given lines. A constructor that makes something is written.

    `lacking`: a name is not there that it reads, which may have been asked for where a `pass` stands.
    """
    try:
        source = textwrap.dedent(inspect.getsource(code))
        tree = parse_source(source)
    except (OSError, TypeError, SyntaxError, IndexError):
        return False
    node = tree.body[0] if tree.body else None
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    holes = node.body if lacking else node.body[-1:]
    left = (len(node.body) > 1 and any(isinstance(part, ast.Pass) for part in holes)) or _has_empty_marks(
        source.split("\n")
    )
    if node.name == "__init__":  # one that makes nothing may be all that a layer without weights needs
        return left and not any(isinstance(part, ast.Assign) and _makes(part.value) for part in node.body)
    return left or all(map(_is_idle, node.body))


def _makes(value: ast.expr) -> bool:
    """Whether something is called by a name with a capital, as layers and parameters are."""
    calls = (ast.unparse(node.func) for node in ast.walk(value) if isinstance(node, ast.Call))
    return any(name.rsplit(".", 1)[-1][:1].isupper() for name in calls)


def _is_idle(node: ast.stmt) -> bool:
    if isinstance(node, ast.Pass):
        return True
    if isinstance(node, ast.Raise):
        return node.exc is not None and "NotImplemented" in ast.unparse(node.exc)
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) or ast.unparse(node.value).startswith("super(")
    if isinstance(node, ast.Return):
        return node.value is None or _says_nothing(node.value)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return node.value is None or isinstance(node.value, ast.Constant)
    if isinstance(node, ast.For | ast.While | ast.If | ast.With):
        return all(map(_is_idle, [*node.body, *getattr(node, "orelse", [])]))
    return False


def _says_nothing(value: ast.expr) -> bool:
    if isinstance(value, ast.Tuple | ast.List):
        return all(map(_says_nothing, value.elts))
    return isinstance(value, ast.Name) or (isinstance(value, ast.Constant) and value.value in (None, ...))


def _has_empty_marks(lines: Sequence[str]) -> bool:
    """Whether there are marks for the student's code, and no code behind any of them."""
    marked = behind = False
    for line in lines:
        if _END.search(line):
            behind = False
        elif _MARK.search(line):
            marked = behind = True
        text = line.strip()
        if behind and text and not text.startswith(("#", '"""', "'''")) and not _IDLE.match(text):
            return False
    return marked


# --- shapes -------------------------------------------------------------------------------------------------------


def frames_of(trace: TracebackType | None) -> Iterator[FrameType]:
    """The frames of a traceback, outermost first."""
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def shapes(trace: TracebackType | None, files: StudentFiles) -> str:
    """The shapes of the tensors that the innermost function of the student's was given, and the layer within it."""
    own = layer = ""
    for frame in frames_of(trace):
        given = _tensors(frame)
        if files.owns(frame.f_code.co_filename):
            own = f"{frame.f_code.co_qualname} was given {given}" if given else own
            layer = ""
        elif frame.f_code.co_name == "forward" and isinstance(frame.f_locals.get("self"), nn.Module) and given:
            layer = f"{type(frame.f_locals['self']).__name__} in it {given}"
    return "; ".join(part for part in (own, layer) if part)


def _tensors(frame: FrameType) -> str:
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    given: Mapping[str, object] = frame.f_locals
    found = []
    for name in names:
        value = given.get(name)
        if isinstance(value, torch.Tensor):
            found.append(f"{name} {tuple(value.shape)}")
        elif isinstance(value, tuple | list) and value and all(isinstance(part, torch.Tensor) for part in value):
            found.append(f"{name} {', '.join(str(tuple(part.shape)) for part in value[:SHOWN])}")
    return ", ".join(found[:6])
