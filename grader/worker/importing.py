"""Running a `.py` file as an import does, and going on behind a statement that fails: it costs only itself.

A file that Python cannot read keeps its statements that can be read. What fails only because of where it runs (no
network, no other files, no GPU, a module that is not here) is told apart from what is the student's.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator, Mapping, Sequence
from types import CodeType

from grader.parsing import cheap
from grader.parsing.statements import bound_names, parse_source, split_statements, strip_magics
from grader.worker.absent import is_absent
from grader.worker.clock import LOAD_SECONDS, clock
from grader.worker.definitions import Cell, Definitions, future_flags, note_broken, remember

LEAST_SECONDS = 1.0  # for what stands behind a statement that used the time up
MOST_FAILURES = 20
_GPU_WORDS = ("CUDA", "NVIDIA", "cuda", "MPS", "mps")
DURING = "while it was imported"

Position = tuple[int, int]


def run_file(shown: str, place: str, raw: bytes, namespace: dict[str, object]) -> Definitions:
    """Execute a file's text in `namespace`. `shown` is its name for the student, `place` the one in tracebacks.

    Raises the student's exception when nothing at all is defined afterwards.
    """
    taken = Definitions()
    before = set(namespace)
    started = time.monotonic()
    body = _readable(shown, place, raw, taken)
    first: BaseException | None = taken.broken
    for _ in range(MOST_FAILURES):
        if isinstance(body, list) and not body:
            break
        code: CodeType | None = None
        try:
            code = compiled(body, place, taken)
            with clock(max(LEAST_SECONDS, LOAD_SECONDS - (time.monotonic() - started))):
                exec(code, namespace)
            break
        except (Exception, SystemExit) as error:
            first = first or error
            nodes = body if isinstance(body, list) else parse_source(_text(raw)).body
            body = _go_on(shown, nodes, _position(error, code), error, taken, namespace)
            taken.flags = taken.flags or future_flags(nodes)
    taken.defined = {name for name in namespace if name not in before and not name.startswith("__")}
    if first is not None and not taken.defined:
        raise first
    return taken


def compiled(body: CodeType | list[ast.stmt], place: str, taken: Definitions) -> CodeType:
    """Code of statements."""
    if isinstance(body, CodeType):
        return body
    code: CodeType = compile(ast.Module(body=body, type_ignores=[]), place, "exec", taken.flags, dont_inherit=True)
    return code


def _text(raw: bytes) -> str:
    return raw.decode("utf-8-sig", errors="replace")


def _readable(shown: str, place: str, raw: bytes, taken: Definitions) -> CodeType | list[ast.stmt]:
    """The whole file's code, or the statements of it that can be read. Raises what is no SyntaxError."""
    try:
        # Text, so that what runs is what the rules have read, whatever encoding it declares.
        source = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SyntaxError("this is not UTF-8; save the file as UTF-8", (place, line, 1, "")) from error
    try:
        return compile(source, place, "exec", dont_inherit=True)
    except SyntaxError as error:
        broken = error
    try:
        parse_source(source)
    except SyntaxError as error:
        broken.msg = error.msg  # with what is known about other versions of Python
    stripped = strip_magics(source)
    remember(Cell(number=0, name=place, source=source))
    pieces = split_statements(source)
    for piece in pieces:
        if piece.node is None:
            note_broken(piece, f"{shown}, ", taken)
            taken.broken = broken
    if taken.broken is None:
        count = sum(mine != theirs for mine, theirs in zip(stripped.split("\n"), source.split("\n"), strict=False))
        taken.notes.append(f"{shown}: lines that only a notebook understands (!, %) were left out: {count}")
    for name in taken.failures:
        taken.failures[name] = broken
    nodes = [piece.node for piece in pieces if piece.node is not None]
    taken.flags = future_flags(nodes)
    return [node for node in nodes if not (isinstance(node, ast.ImportFrom) and node.module == "__future__")]


def _position(error: BaseException, code: CodeType | None) -> Position:
    """(line, column) of the statement of the file itself that was running, or compiled, when it failed."""
    if code is None:
        return getattr(error, "lineno", 0) or 0, (getattr(error, "offset", 1) or 1) - 1
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code is not code:
        trace = trace.tb_next
    if trace is None:
        return 0, 0
    line, _, column, _ = list(code.co_positions())[trace.tb_lasti // 2]
    return line or trace.tb_lineno, column or 0


def _go_on(
    shown: str,
    nodes: Sequence[ast.stmt],
    at: Position,
    error: BaseException,
    taken: Definitions,
    namespace: Mapping[str, object],
) -> list[ast.stmt]:
    """Note the statement that failed; what is left to be run behind it."""
    failed, rest = behind(nodes, at)
    where = f"line {at[0]}"
    said = f"{type(error).__name__}: {str(error)[:200]}"
    lacking = [] if failed is None else sorted(n for n in cheap.reads(failed) if is_absent(namespace.get(n)))
    if from_surroundings(error) or (lacking and not isinstance(error, ImportError)):
        taken.notes.append(f"{shown}, {where}: this cannot be done where your code is graded and was left out ({said})")
        reason = f"{where} sets it and could not be run where your code is graded ({said})"
    else:
        taken.notes.append(f"{shown} raised {type(error).__name__} {DURING}: {str(error)[:200]} ({where})")
        reason = f"{where} sets it and raised {said}"
    for name in () if failed is None else bound_names(failed):
        if name not in namespace:
            taken.failures[name] = error
            taken.skipped[name] = reason
    return [node for node in rest if not (isinstance(node, ast.ImportFrom) and node.module == "__future__")]


def behind(nodes: Sequence[ast.stmt], at: Position) -> tuple[ast.stmt | None, list[ast.stmt]]:
    """(the statement at a place, the statements behind it); inside `if`, `try` and `with` too."""
    for index, node in enumerate(nodes):
        if not _holds(node, at):
            continue
        rest = list(nodes[index + 1 :])
        for body in _bodies(node):
            if any(_holds(inner, at) for inner in body):
                failed, inside = behind(body, at)
                return failed, [*inside, *rest]
        return node, rest
    return None, [node for node in nodes if (node.lineno, node.col_offset) > at]


def _bodies(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    if isinstance(node, cheap.Block):
        yield node.body
        yield getattr(node, "orelse", [])
        yield getattr(node, "finalbody", [])
        yield from (handler.body for handler in getattr(node, "handlers", ()))


def _holds(node: ast.stmt, at: Position) -> bool:
    decorators = getattr(node, "decorator_list", ())
    first = min([(node.lineno, node.col_offset), *((entry.lineno, 0) for entry in decorators)])
    return first <= at <= (node.end_lineno or node.lineno, node.end_col_offset or 0)


def from_surroundings(error: BaseException) -> bool:
    """Whether something failed only because of where it ran: files, network, input, a GPU, not in a notebook."""
    if isinstance(error, OSError | EOFError):
        return True
    if isinstance(error, NameError):
        return error.name in ("get_ipython", "display", "In", "Out")
    gpu = isinstance(error, RuntimeError | AssertionError | AttributeError)
    return gpu and any(word in str(error) for word in _GPU_WORDS)
