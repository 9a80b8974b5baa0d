"""Code written for another machine or an older torch, as it runs here: on a processor alone.

`.cuda()`, `.to("cuda")` and `device="cuda"` mean "the fast device, if there is one"; here there is none, and they do
nothing. Settings that only make code faster (threads, compilers, processes that load data) are ignored. Arguments and
names that newer versions of torch and NumPy have dropped are accepted where they carried no meaning. What was ignored
is said once, in `said`.

The same holds for the reference: both sides run on what `install` has changed. A worker with a GPU undoes most of it.
"""

from __future__ import annotations

import copy
import functools
import inspect
import sys
from collections import OrderedDict
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy
import torch
from torch import nn
from torch.utils.data import DataLoader

ABSENT = frozenset({"cuda", "mps", "xpu", "hip"})
_FACTORIES = (
    "arange asarray as_tensor empty empty_like empty_strided eye from_file full full_like linspace logspace normal "
    "ones ones_like rand rand_like randint randint_like randn randn_like randperm scalar_tensor sparse_coo_tensor "
    "tensor tril_indices triu_indices zeros zeros_like bartlett_window blackman_window hamming_window hann_window "
    "kaiser_window range"
)
_NEW = "new_empty new_empty_strided new_full new_ones new_tensor new_zeros"
_TYPES = "Float Double Half BFloat16 Byte Char Short Int Long Bool"

MOVED = "this process has no GPU: moves to one and `device=` arguments that name one were ignored"
THREADS = "the number of threads was left as it is; the grader sets it"
WORKERS = "data was loaded in this process: nothing that is graded may start others (num_workers=)"
COMPILED = "torch.compile and torch.jit.script were ignored: your code ran as it is written"
VERBOSE = "arguments that this version of torch no longer has were ignored (verbose=)"

LOADING = inspect.signature(DataLoader.__init__)

said: dict[str, None] = {}
_undo: list[Callable[[], None]] = []
_NOTHING = object()


def install() -> None:
    """Change torch and NumPy for this process and its children. Done once, before anything is forked."""
    if _undo:
        return
    _adapt_moves()
    _adapt_factories()
    _adapt_cuda()
    _adapt_speed()
    _adapt_dear_ways()
    _adapt_loading()
    _adapt_schedulers()
    _adapt_names()


def remove() -> None:
    """Put everything back."""
    while _undo:
        _undo.pop()()
    said.clear()


def keep_what_no_worker_may_do() -> None:
    """In a worker that has a GPU: its own device and compilers, and still no further processes."""
    remove()
    _adapt_loading()


def _put(owner: Any, name: str, value: object) -> None:
    before = vars(owner).get(name, _NOTHING)

    def put_back() -> None:
        if vars(owner).get(name) is not value:
            return  # a suite's probes have put something else there since
        if before is _NOTHING:
            delattr(owner, name)
        else:
            setattr(owner, name, before)

    _undo.append(put_back)
    setattr(owner, name, value)


def _say(sentence: str) -> None:
    """Note it, unless a library did it for reasons of its own."""
    if not str(sys._getframe(2).f_globals.get("__name__", "")).startswith(("torch.", "grader.")):
        said.setdefault(sentence)


# --- devices ------------------------------------------------------------------------------------------------------


def here(device: Any) -> Any:
    """The device where a device that is not there is to be: the processor. Everything else is itself."""
    kind = type(device)
    if kind is torch.device:
        name = device.type
    elif kind is str:
        name = device.partition(":")[0]
    elif kind is int:
        name = "cuda"
    else:
        return device
    if name not in ABSENT:
        return device
    _say_moved()
    return torch.device("cpu")


def _say_moved() -> None:
    said.setdefault(MOVED)


def _adapt_moves() -> None:
    plain_to, plain_type = torch.Tensor.to, torch.Tensor.type

    @functools.wraps(plain_to)
    def to(self: Any, *args: Any, **options: Any) -> Any:
        if args:
            args = (here(args[0]), *args[1:])
        if "device" in options:
            options["device"] = here(options["device"])
        return plain_to(self, *args, **options)

    def cuda(self: Any, *args: Any, **options: Any) -> Any:
        """The tensor itself: there is no GPU."""
        _say_moved()
        return self

    def xpu(self: Any, *args: Any, **options: Any) -> Any:
        """The tensor itself: there is no such device."""
        _say_moved()
        return self

    def pin_memory(self: Any, *args: Any, **options: Any) -> Any:
        """The tensor itself: there is nothing to be copied to."""
        return self

    @functools.wraps(plain_type)
    def type_(self: Any, dtype: Any = None, *args: Any, **options: Any) -> Any:
        if isinstance(dtype, str):
            dtype = dtype.replace("torch.cuda.", "torch.")
        return plain_type(self, dtype, *args, **options) if dtype is not None else plain_type(self)

    _put(torch.Tensor, "to", to)
    _put(torch.Tensor, "cuda", cuda)
    _put(torch.Tensor, "xpu", xpu)
    _put(torch.Tensor, "pin_memory", pin_memory)
    _put(torch.Tensor, "type", type_)


def _with_device(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def made(*args: Any, **options: Any) -> Any:
        if "device" in options:
            options["device"] = here(options["device"])
        return function(*args, **options)

    return made


def _adapt_factories() -> None:
    for name in _FACTORIES.split():
        _put(torch, name, _with_device(getattr(torch, name)))
    for name in _NEW.split():
        _put(torch.Tensor, name, _with_device(getattr(torch.Tensor, name)))
    plain_load, plain_default, plain_type = torch.load, torch.set_default_device, torch.set_default_tensor_type
    plain_generator = torch.Generator

    @functools.wraps(plain_load)
    def load(file: Any, map_location: Any = "cpu", *args: Any, **options: Any) -> Any:
        where = "cpu" if map_location is None else here(map_location)
        return plain_load(file, where, *args, **options)

    def set_default_device(device: Any) -> None:
        """Every new tensor is made there from now on."""
        plain_default(here(device))

    def set_default_tensor_type(kind: Any) -> None:
        """The type of new tensors."""
        plain_type(kind.replace("torch.cuda.", "torch.") if isinstance(kind, str) else kind)

    class Generators(type):
        """`torch.Generator` cannot be derived from; this stands in its place."""

        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, plain_generator)

        def __call__(cls, device: Any = "cpu") -> torch.Generator:
            return plain_generator(device=here(device))

    _put(torch, "load", load)
    _put(torch, "set_default_device", set_default_device)
    _put(torch, "set_default_tensor_type", set_default_tensor_type)
    _put(torch, "Generator", Generators("Generator", (), {"__doc__": plain_generator.__doc__}))


def _doing_nothing() -> Callable[..., None]:
    """A new function each time: torch's compiler, which optimisers import, keeps a table of torch's functions."""

    def nothing(*args: Any, **options: Any) -> None:
        """There is no GPU to do it with."""

    return nothing


def _adapt_cuda() -> None:
    for name in ("synchronize", "set_device", "reset_peak_memory_stats", "ipc_collect", "empty_cache"):
        _put(torch.cuda, name, _doing_nothing())
    for name in ("synchronize", "empty_cache", "manual_seed"):
        _put(torch.mps, name, _doing_nothing())
    # Until there is a GPU each of these keeps its caller's stack: a seed in a constructor costs more than its layers.
    for module in (torch.cuda, torch.xpu, torch.mtia):
        for name in ("manual_seed", "manual_seed_all"):
            _put(module, name, _doing_nothing())
    _put(torch.cuda, "current_device", lambda: 0)
    for kind in _TYPES.split():
        _put(torch.cuda, f"{kind}Tensor", getattr(torch, f"{kind}Tensor"))


# --- speed --------------------------------------------------------------------------------------------------------


def _adapt_speed() -> None:
    def threads() -> Callable[[int], None]:
        def ignored(number: int) -> None:
            """Ignored: results must not depend on it."""
            _say(THREADS)

        return ignored

    def compile_(model: Any = None, *args: Any, **options: Any) -> Any:
        """The model or function itself, or a decorator that gives it back."""
        _say(COMPILED)
        return (lambda function: function) if model is None else model

    def script(obj: Any, *args: Any, **options: Any) -> Any:
        """The model or function itself."""
        _say(COMPILED)
        return obj

    def compile_module(self: Any, *args: Any, **options: Any) -> None:
        """Ignored: the model runs as it is written."""
        _say(COMPILED)

    _put(torch, "set_num_threads", threads())
    _put(torch, "set_num_interop_threads", threads())
    _put(torch, "compile", compile_)
    _put(torch.jit, "script", script)
    _put(nn.Module, "compile", compile_module)


def _adapt_dear_ways() -> None:
    """Two things that torch's modules do all the time, done in fewer steps and with the same outcome."""
    plain_check, plain_copies = torch._check_with, dict(copy._deepcopy_dispatch)  # type: ignore[attr-defined]

    @functools.wraps(plain_check)
    def check_with(error_type: type[Exception], cond: Any, message: Any) -> None:
        # torch asks its symbolic shapes about plain conditions too, and imports a library of algebra for that.
        if cond is True:
            return
        if cond is False and callable(message):
            raise error_type(str(message()))
        plain_check(error_type, cond, message)

    def copied(plain: Any, memo: dict[int, Any]) -> Any:
        # A module has a dozen of these, for hooks, and nearly all are empty: `nn.Transformer` copies its layers.
        if plain or getattr(plain, "__dict__", None):
            return copy._reconstruct(plain, memo, *plain.__reduce_ex__(4))  # type: ignore[attr-defined]
        return type(plain)()

    _put(torch, "_check_with", check_with)
    added = {kind: copied for kind in (OrderedDict, set) if kind not in plain_copies}
    _put(copy, "_deepcopy_dispatch", plain_copies | added)


def _adapt_loading() -> None:
    plain = DataLoader.__init__

    @functools.wraps(plain)
    def init(self: Any, *args: Any, **options: Any) -> None:
        given = LOADING.bind_partial(self, *args, **options)
        if given.arguments.get("num_workers"):
            _say(WORKERS)
            # The settings of such processes are refused where there are none.
            for name in ("num_workers", "timeout", "prefetch_factor", "persistent_workers", "multiprocessing_context"):
                given.arguments.pop(name, None)
        plain(*given.args, **given.kwargs)

    _put(DataLoader, "__init__", init)


# --- older versions -----------------------------------------------------------------------------------------------


def _adapt_schedulers() -> None:
    schedulers = sys.modules.get("torch.optim.lr_scheduler")
    for kind in list(vars(schedulers).values()) if isinstance(schedulers, ModuleType) else ():
        if isinstance(kind, type) and issubclass(kind, schedulers.LRScheduler) and "__init__" in vars(kind):  # type: ignore[union-attr]
            _put(kind, "__init__", _without_verbose(vars(kind)["__init__"]))


def _without_verbose(plain: Callable[..., None]) -> Callable[..., None]:
    most = plain.__code__.co_argcount
    takes = "verbose" in plain.__code__.co_varnames[:most]

    @functools.wraps(plain)
    def init(self: Any, *args: Any, **options: Any) -> None:
        # It was the last argument everywhere, and only had the rate printed.
        if not takes and "verbose" in options:
            del options["verbose"]
            _say(VERBOSE)
        plain(self, *(args[: most - 1] if len(args) == most else args), **options)

    return init


def _adapt_names() -> None:
    old: dict[str, object] = {
        **{kind.__name__: kind for kind in (float, int, object, complex, str)},
        "float_": numpy.float64,
        "complex_": numpy.complex128,
        "unicode_": numpy.str_,
        "Inf": numpy.inf,
        "infty": numpy.inf,
        "PINF": numpy.inf,
        "NINF": -numpy.inf,
        "NaN": numpy.nan,
        "product": numpy.prod,
        "cumproduct": numpy.cumprod,
        "alltrue": numpy.all,
        "sometrue": numpy.any,
        "in1d": numpy.isin,
        "trapz": numpy.trapezoid,
        "round_": numpy.round,
        "asscalar": lambda array: array.item(),
    }
    for name, value in old.items():
        if name not in vars(numpy):
            _put(numpy, name, value)
