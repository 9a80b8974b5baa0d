"""Dotted names: one spelling for everything that can be reached in several ways, and how rules match them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from grader.rules.operations import functions_behind

_DEFINING_MODULE = re.compile(r"^torch\.nn\.modules(\.[a-z_]+)?\.(?=[A-Z_])")
_TORCH_MODULES = frozenset({"torch", "torch.nn", "torch.nn.functional", "torch.functional", "torch.nn.modules"})
_TORCH_MODULE = re.compile(r"^torch\.nn\.modules\.[a-z_]+$")


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
    for pattern in patterns:
        if pattern.startswith("torch.") and (is_torch_module(spelled) or spelled.startswith("torch._")):
            return True
        if pattern.startswith(spelled + "."):
            return True
    return False
