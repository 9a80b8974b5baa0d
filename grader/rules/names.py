"""Dotted names: one spelling for everything that can be reached in several ways, and how rules match them."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from functools import lru_cache

from grader.rules.operations import functions_behind

_DEFINING_MODULE = re.compile(r"^torch\.nn\.modules(\.[a-z_]+)?\.(?=[A-Z_])")
_TORCH_MODULES = frozenset({"torch", "torch.nn", "torch.nn.functional", "torch.functional", "torch.nn.modules"})
_TORCH_MODULE = re.compile(r"^torch\.nn\.modules\.[a-z_]+$")
DOORS = frozenset({"builtins", "ctypes", "gc", "importlib", "inspect", "operator", "os", "pickle", "sys", "types"})
"""Modules from which any other can be reached."""
_OUTSIDE = DOORS | {"_thread", "asyncio", "concurrent", "functools", "multiprocessing", "numpy", "threading", "torch"}
_BUILT_ON_TORCH = frozenset({"torchaudio", "torchtext", "torchvision", "timm", "transformers", "lightning"})


@lru_cache(maxsize=20_000)
def settled(dotted: str) -> str:
    """Where a dotted name really leads: `torch.serialization.pickle.loads` is `pickle.loads`, `os.sys` is `sys`.

    Modules are followed as they are in this process; nothing is imported. In a module that is not here the names of
    modules tell it.
    """
    name, *rest = dotted.split(".")
    for place, part in enumerate(rest):
        inside = getattr(sys.modules.get(name), "__dict__", None)
        if inside is None and (part in _OUTSIDE or (part == "nn" and name.partition(".")[0] in _BUILT_ON_TORCH)):
            name = "torch.nn" if part == "nn" else part
            continue
        value = (inside or {}).get(part)
        home = getattr(value, "__module__", None)
        if isinstance(value, type(sys)) and (name, part) != ("os", "path"):
            name = str(vars(value).get("__name__", f"{name}.{part}"))
        elif place == len(rest) - 1 and isinstance(home, str) and home.partition(".")[0] in _OUTSIDE - {"torch"}:
            called = str(getattr(value, "__name__", ""))
            known = getattr(sys.modules.get(home), "__dict__", {}).get(called)
            name = f"{home}.{called}" if value is known and known is not None else f"{name}.{part}"
        else:
            name = f"{name}.{part}"
    return name


def canonical(name: str) -> str:
    """The public spelling: `torch.nn.modules.rnn.LSTM` and `torch.nn.functional.torch.nn.LSTM` are `torch.nn.LSTM`."""
    parts = name.split(".")
    if "torch" in parts[1:] and parts[0] == "torch":
        name = ".".join(parts[len(parts) - 1 - parts[::-1].index("torch") :])
    name = re.sub(r"^torch\.nn\.modules\.[a-z_]+\.F(?=\.|$)", "torch.nn.functional", name)
    name = re.sub(r"^torch\.nn\.modules\.[a-z_]+\.init(?=\.|$)", "torch.nn.init", name)
    return _DEFINING_MODULE.sub("torch.nn.", name)


def matching(name: str, patterns: Sequence[str]) -> str | None:
    """The first pattern that `name` (a dotted name) is or lies below; None if there is none.

    A pattern is a dotted name or a prefix (`torch.nn.*`). A class of torch is matched wherever torch keeps it
    (`torch.ao.nn.quantized.LSTM` is an LSTM), a prefix does not match the modules themselves (`torch.nn.functional`).
    """
    spelled = canonical(name)
    return next((pattern for pattern in patterns if _matches(spelled, pattern)), None)


def _matches(name: str, pattern: str) -> bool:
    if pattern.endswith(".*"):
        return name.startswith(pattern[:-1]) and not is_torch_module(name)
    wanted = canonical(pattern)
    if name == wanted or name.startswith(wanted + "."):
        return True
    last = wanted.rpartition(".")[2]
    return last[:1].isupper() and wanted.startswith("torch.") and name.startswith("torch.") and last in name.split(".")


def forbidden_name(name: str, names: Sequence[str], allowed: Sequence[str]) -> str | None:
    """What a dotted name stands for if a rule forbids it: a pattern of the rule, or the class it is the inside of."""
    found = matching(name, names)
    if found is None:
        spelled = canonical(name)
        found = next((wanted for wanted in names if spelled in functions_behind(canonical(wanted))), None)
    return None if found is None or matching(name, allowed) is not None else found


def is_torch_module(name: str) -> bool:
    """Whether a canonical name is a module of torch from which layers and functions can be taken."""
    return name in _TORCH_MODULES or bool(_TORCH_MODULE.match(name))


def leads_to(name: str, patterns: Sequence[str]) -> bool:
    """Whether a forbidden name can be reached from the object `name` by attribute access."""
    spelled = canonical(name)
    if spelled in DOORS and patterns:
        return True
    for pattern in patterns:
        if pattern.startswith("torch.") and (is_torch_module(spelled) or spelled.startswith("torch._")):
            return True
        if pattern.startswith(spelled + "."):
            return True
    return False
