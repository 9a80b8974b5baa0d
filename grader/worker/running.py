"""One probe run: seed, call, and turn whatever happens into an answer that can be sent.

The answer is a tree with `status` (values, raised, not_implemented, out_of_memory), and `notes`. It is a claim.
"""

from __future__ import annotations

import errno
import random
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dis import opmap
from types import TracebackType

import numpy
import torch

from grader.model import NOT_IMPORTED, UNREAD
from grader.parsing.statements import is_placeholder
from grader.probing import MAX_CHOICES
from grader.text import clean
from grader.worker.capture import Capture, captured, muted
from grader.worker.loading import LoadFailure, MissingDefinition, Modules, Probe, UnreadableFile
from grader.worker.ownership import StudentFiles
from grader.worker.returned import frames_of, is_unfilled, shapes, watched
from grader.worker.trace import traced
from grader.worker.words import in_words

RAISE = opmap["RAISE_VARARGS"]
RERUN_SECONDS = 2.0  # what took longer is not run a second time to find out what it gave back
UNUSABLE = "UnusableResult"
IN_PLACE = "modified by an inplace operation"
CHANGED = (
    "a tensor that its gradient needs was changed in place, as `x += …`, `x[…] = …` and functions with a final _ do; "
    "make a new one, as `x = x + …` does"
)
REFUSED = " (code that is graded may not start processes, open connections, lock files or change its own limits)"
MISSING = (TypeError, AttributeError, NameError, ValueError)  # what code raises that meets None, or an unset name
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
    """What the judge asks for: a probe with its arguments, the names of choices, a seed, and whether to trace."""

    probe: str
    arguments: Mapping[str, object]
    binding: tuple[str, ...] = ()
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
                answer = attempt(work, probes[work.probe], modules, files)
            operations, module_types = trace.lists()
            operations += [f"{UNREAD}{name}"[:120] for name in modules.unread(list(files.imported()))]
        else:
            answer = attempt(work, probes[work.probe], modules, files)
    reset_defaults()
    printing = list(capture.printing)
    prints, text = capture.take()
    notes = {
        "binding": modules.binding[:300],
        "choices": [[name, *names] for name, names in modules.choices[:MAX_CHOICES]],
        "undeclared": modules.undeclared,
        "prints": prints,
        "print_text": text,
        "printing": [clean(path, 300) for path in printing[:24]],
        "loading": [clean(note, 300) for note in modules.told()[:24]],
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
    torch.autograd.set_detect_anomaly(False)  # which makes a backward five times slower


def attempt(work: Work, probe: Probe, modules: Modules, files: StudentFiles) -> dict[str, object]:
    """The probe's values, or what kept it from returning some."""
    started = time.perf_counter()

    def again() -> None:
        seed_everything(work.seed)
        with muted(), modules.probing(work.binding):
            probe(modules, **work.arguments)

    try:
        values = probe(modules, **work.arguments)
        if not isinstance(values, Mapping):
            raise TypeError(f"the probe returned {type(values).__name__}, not a dict")
        nothing = any(value is None for name, value in values.items() if "grad" not in str(name))
        if nothing and work.probe not in modules.filled and time.perf_counter() - started < RERUN_SECONDS:
            if hole := watched(again, files).unfilled():
                return not_filled_in(hole)
            modules.filled.add(work.probe)  # None is one of its values
        return {"status": "values", "values": values}
    except MissingDefinition as missing:
        return {"status": "not_implemented", "what": clean(str(missing), 300)}
    except LoadFailure as failure:
        if isinstance(failure.error, NotImplementedError):
            return {"status": "not_implemented", "what": clean(str(failure.error), 300)}
        if isinstance(failure.error, SyntaxError) and is_placeholder(failure.error.text or ""):
            return not_filled_in(f"line {failure.error.lineno} of {failure.path}")
        if isinstance(failure.error, UnreadableFile):
            return raised(failure.error, files)
        return raised(
            failure.error,
            files,
            prefix=f"{failure.path}{NOT_IMPORTED}",
            suffix=said_besides(failure.error, modules, files),
        )
    except NotImplementedError as error:
        if is_a_hole(error, files):
            return {"status": "not_implemented", "what": clean(_text_of(error), 300)}
        return raised(error, files)
    except BaseException as error:
        if is_want_of_memory(error):
            return want_of_memory(error, files)
        answer = raised(error, files, suffix=said_besides(error, modules, files))
        if not isinstance(error, Exception) or time.perf_counter() - started > RERUN_SECONDS:
            return answer
        explained = isinstance(error, NameError) and bool(why_unknown(error, modules))
        return answer if explained else looked_into(answer, error, again, files)


def looked_into(
    answer: dict[str, object], error: Exception, again: Callable[[], None], files: StudentFiles
) -> dict[str, object]:
    """The answer for an exception after a second look: what did the code give back, and was it written at all?"""
    frames = [frame for frame in frames_of(error.__traceback__) if files.owns(frame.f_code.co_filename)]
    if isinstance(error, MISSING) and frames and is_unfilled(frames[-1].f_code, lacking=True):
        return not_filled_in(frames[-1].f_code.co_qualname)
    if not isinstance(error, MISSING) and frames:
        return answer
    seen = watched(again, files)
    if hole := seen.unfilled():
        return not_filled_in(hole)
    if frames or type(error).__name__ == "BindingError" or not (said := seen.sentence()):
        return answer
    if IN_PLACE in str(error):
        said = CHANGED
    detail = "" if seen.last is not None and seen.last[1] is None else f" ({type(error).__name__}: {_text_of(error)})"
    return {**answer, "kind": UNUSABLE, "message": clean(said + detail, 1000)}


def not_filled_in(name: str) -> dict[str, object]:
    """The answer for a template's function that nobody has written."""
    return {"status": "not_implemented", "what": clean(f"{name} is not filled in", 300)}


def said_besides(error: BaseException, modules: Modules, files: StudentFiles) -> str:
    """What is to be put behind an exception's message: why a name is unknown, which shapes a layer was given."""
    if isinstance(error, NameError):
        return why_unknown(error, modules)
    if was_refused(error):
        return REFUSED
    if words := in_words(error, _text_of(error)):
        return f" ({words})" if _text_of(error) else words
    if isinstance(error, RuntimeError | ValueError | IndexError) and not isinstance(error, NotImplementedError):
        given = shapes(error.__traceback__, files)
        return f" ({given})" if given else ""
    return ""


def was_refused(error: BaseException) -> bool:
    """Whether the sandbox refused a system call, as libraries say it: each has words of its own for that."""
    if isinstance(error, OSError):
        names = [str(frame.f_globals.get("__name__", "")) for frame in frames_of(error.__traceback__)]
        return error.errno == errno.EPERM or any(name.split(".")[0] == "multiprocessing" for name in names)
    return type(error).__module__ == "sqlite3" or "shared memory object" in _text_of(error)


def why_unknown(error: NameError, modules: Modules) -> str:
    """What is known of the name that code looked for in vain, to be put behind the message."""
    why = modules.missed(str(getattr(error, "name", "") or ""))
    return f" ({why})" if why else ""


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


def raised(error: BaseException, files: StudentFiles, prefix: str = "", suffix: str = "") -> dict[str, object]:
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
        "message": clean(prefix + message + suffix, 1000),
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
