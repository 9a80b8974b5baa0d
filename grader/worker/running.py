"""One probe run: seed, call, and turn whatever happens into an answer that can be sent.

The answer is a tree with `status` (values, raised, not_implemented, out_of_memory), and `notes`. It is a claim.
"""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from dis import opmap
from types import TracebackType

import numpy
import torch

from grader.text import clean
from grader.worker.capture import Capture, captured
from grader.worker.loading import LoadFailure, MissingDefinition, Modules, Probe
from grader.worker.ownership import StudentFiles
from grader.worker.trace import traced

RAISE = opmap["RAISE_VARARGS"]
MEMORY_WORDS = (
    "can't allocate memory",
    "not enough memory",
    "DefaultCPUAllocator",
    "out of memory",
    "bad_alloc",
    "STATUS_ALLOC_FAILED",  # of the GPU's libraries, such as CUBLAS_STATUS_ALLOC_FAILED
)


@dataclass(frozen=True, kw_only=True)
class Work:
    """What the judge asks for: a probe with its arguments, the number of the binding, a seed, and whether to trace."""

    probe: str
    arguments: Mapping[str, object]
    binding: int = 0
    seed: int = 0
    trace: bool = False


def perform(
    work: Work, probes: Mapping[str, Probe], modules: Modules, capture: Capture, files: StudentFiles
) -> dict[str, object]:
    """Run one probe; never raises an `Exception`."""
    started = time.perf_counter()
    operations: list[str] | None = None
    module_types: list[str] | None = None
    seed_everything(work.seed)
    with captured(capture), modules.probing(work.binding):
        if work.trace:
            with traced(files) as trace:
                answer = attempt(probes[work.probe], modules, work.arguments, files)
            operations, module_types = trace.lists()
        else:
            answer = attempt(probes[work.probe], modules, work.arguments, files)
    reset_defaults()
    prints, text = capture.take()
    name, count = modules.binding
    notes = {
        "binding": name[:300],
        "binding_count": count,
        "undeclared": modules.undeclared,
        "prints": prints,
        "print_text": text,
        "loading": [note[:300] for note in modules.notes[:20]],
        "seconds": time.perf_counter() - started,
        "operations": operations,
        "module_types": module_types,
    }
    return {**answer, "notes": notes}


def seed_everything(seed: int) -> None:
    """Equal random numbers on both sides: torch, numpy and random."""
    # What torch.manual_seed does, without the stack trace that it keeps for a GPU that is not in use.
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)
    numpy.random.seed(seed % 2**32)
    random.seed(seed)


def reset_defaults() -> None:
    """Undo what top-level student code likes to change for everybody."""
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_grad_enabled(True)


def attempt(probe: Probe, modules: Modules, arguments: Mapping[str, object], files: StudentFiles) -> dict[str, object]:
    """The probe's values, or what kept it from returning some."""
    try:
        values = probe(modules, **arguments)
        if not isinstance(values, Mapping):
            raise TypeError(f"the probe returned {type(values).__name__}, not a dict")
        return {"status": "values", "values": values}
    except MissingDefinition as missing:
        return {"status": "not_implemented", "what": clean(str(missing), 300)}
    except LoadFailure as failure:
        if isinstance(failure.error, NotImplementedError):
            return {"status": "not_implemented", "what": clean(str(failure.error), 300)}
        return raised(failure.error, files, prefix=f"{failure.path} cannot be imported: ")
    except NotImplementedError as error:
        if is_a_hole(error, files):
            return {"status": "not_implemented", "what": clean(_text_of(error), 300)}
        return raised(error, files)
    except BaseException as error:
        return want_of_memory(error, files) if is_want_of_memory(error) else raised(error, files)


def is_want_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on the CPU or on a GPU; torch has several exceptions for it, and no common one."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in _text_of(error) for word in MEMORY_WORDS)


def want_of_memory(error: BaseException, files: StudentFiles) -> dict[str, object]:
    """The answer for an allocation that failed; what the code holds is let go of first, or this might fail as well."""
    traceback.clear_frames(error.__traceback__)
    try:
        return {**raised(error, files), "status": "out_of_memory"}
    except MemoryError:
        return {"status": "out_of_memory", "message": "", "trace": []}


def is_a_hole(error: BaseException, files: StudentFiles) -> bool:
    """Whether a NotImplementedError is the template's own hole, or a class without `forward`, not a missing kernel."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None:
        return False
    code = last.tb_frame.f_code
    # An operation without a kernel raises from C++: its last frame is the student's too, but no `raise` stands there.
    own_raise = files.owns(code.co_filename) and code.co_code[last.tb_lasti] == RAISE
    return own_raise or code.co_name == "_forward_unimplemented"


def raised(error: BaseException, files: StudentFiles, prefix: str = "") -> dict[str, object]:
    """The answer for an exception, with the student's own frames only."""
    lines = student_frames(error.__traceback__, files)
    if isinstance(error, SyntaxError) and error.lineno is not None:
        where = f"{files.relative(error.filename or '')}:{error.lineno}"
        lines.append(f"{where}: {(error.text or '').strip()[:200]}")
        message = error.msg
    else:
        where = lines[-1].split(" in ")[0] if lines else ""
        message = _text_of(error)
    return {
        "status": "raised",
        "kind": clean(type(error).__name__, 80),
        "message": clean(prefix + message, 1000),
        "where": clean(where, 200),
        "trace": [clean(line, 300) for line in lines[-8:]],
    }


def student_frames(trace: TracebackType | None, files: StudentFiles) -> list[str]:
    """ "file:line in function: source line" for every frame of the student's files, outermost first."""
    result = []
    for frame in traceback.extract_tb(trace, limit=200):
        if files.owns(frame.filename):
            where = f"{files.relative(frame.filename)}:{frame.lineno}"
            result.append(f"{where} in {frame.name}: {(frame.line or '').strip()[:200]}")
    return result


def _text_of(error: BaseException) -> str:
    # The student's own exception class may misbehave when it is shown.
    try:
        return str(error)[:2000]
    except Exception:
        return "(the exception cannot be shown)"
