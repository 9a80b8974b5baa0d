"""What a probe run really used: operations and module types, however they were reached.

Two views are needed, because each misses what the other sees. A `TorchFunctionMode` sees Python-level calls
(`torch.lstm`, `multi_head_attention_forward`); kineto's record functions see C++ operations (`aten::lstm`) also from
TorchScript. Module types are read where every module is born, so that an unused forbidden layer shows as well.
Never run in a process that forks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import nn
from torch._C._autograd import _disable_profiler, _enable_profiler, _prepare_profiler
from torch._C._profiler import ProfilerActivity, ProfilerConfig, ProfilerState, _ExperimentalConfig
from torch.overrides import TorchFunctionMode, resolve_name

from grader.worker.ownership import StudentFiles

MAX_NAMES = 400


@dataclass
class Trace:
    """Names seen so far, each once, in order of appearance."""

    operations: dict[str, None] = field(default_factory=dict)
    module_types: dict[str, None] = field(default_factory=dict)

    def lists(self) -> tuple[list[str], list[str]]:
        """(operations, module types), capped."""
        return list(self.operations)[:MAX_NAMES], list(self.module_types)[:MAX_NAMES]


class _Functions(TorchFunctionMode):
    def __init__(self, trace: Trace, files: StudentFiles) -> None:
        super().__init__()
        self._trace = trace
        self._files = files

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if from_students_code(self._files):
            name = resolve_name(func) or f"{getattr(func, '__module__', '')}.{getattr(func, '__name__', func)}"
            self._trace.operations.setdefault(str(name)[:120])
        return func(*args, **(kwargs or {}))


def from_students_code(files: StudentFiles, depth: int = 40) -> bool:
    """Whether one of the calling frames lies in the student's files."""
    frame = sys._getframe(1)
    for _ in range(depth):
        if files.owns(frame.f_code.co_filename):
            return True
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return False


@contextmanager
def traced(files: StudentFiles) -> Iterator[Trace]:
    """Record what runs inside and was reached from the student's files."""
    trace = Trace()
    plain_init = nn.Module.__init__

    def recording_init(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        if from_students_code(files):
            for kind in type(self).__mro__:
                if kind is nn.Module:
                    break
                trace.module_types.setdefault(f"{kind.__module__}.{kind.__qualname__}"[:120])
        plain_init(self, *args, **kwargs)

    nn.Module.__init__ = recording_init  # type: ignore[method-assign]
    everywhere = _ExperimentalConfig(profile_all_threads=True)
    config = ProfilerConfig(ProfilerState.KINETO, False, False, False, False, False, everywhere)
    activities = {ProfilerActivity.CPU}
    _prepare_profiler(config, activities)
    _enable_profiler(config, activities)
    try:
        with _Functions(trace, files):
            yield trace
    finally:
        result = _disable_profiler()
        nn.Module.__init__ = plain_init  # type: ignore[method-assign]
        for event in result.events():
            trace.operations.setdefault(event.name()[:120])
