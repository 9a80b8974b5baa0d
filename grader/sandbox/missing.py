"""Modules that a confined worker could not import although they are installed: the grader's fault, not the student's.

A worker sees no file outside the submission, so everything must have been imported before it was forked. What torch
imports lazily on rare paths cannot all be known; when a worker misses such a module it is imported by the zygote, and
the question is asked again.
"""

from __future__ import annotations

import importlib.util
import re
import sys

from grader.model import Observation, Raised

_MISSING = re.compile(r"No module named '([A-Za-z_][\w.]*)'")
_PACKAGES = ("torch", "numpy", "sympy", "mpmath", "typing_extensions", "jinja2", "networkx", "fsspec", "filelock")
# Modules that start threads or compilers, open windows or browsers, print, or change torch for all when imported.
_REFUSED = ("torch._inductor", "torch.distributed.rpc", "torch.testing._internal", "antigravity", "this", "idlelib",
            "turtle", "tkinter", "turtledemo", "test", "lib2to3", "ensurepip", "pip", "venv", "webbrowser")  # fmt: skip


def missing_module(observation: Observation) -> str | None:
    """The module that a worker missed and that the zygote may import for it, or None."""
    texts = list(observation.notes.loading)
    if isinstance(observation, Raised) and observation.kind in ("ModuleNotFoundError", "ImportError"):
        texts.append(observation.message)
    for text in texts:
        for name in _MISSING.findall(text):
            if may_preload(name):
                return str(name)
    return None


def may_preload(name: str) -> bool:
    """Whether a module belongs to the standard library or to torch and its needs, is installed, and is harmless."""
    top = name.split(".")[0]
    # A program would run, and end the process that forks all workers; tests set up what they like.
    if {"__main__", "conftest", "tests"} & set(name.split(".")):
        return False
    if any(name == refused or name.startswith(refused + ".") for refused in _REFUSED):
        return False
    if top not in _PACKAGES and top not in sys.stdlib_module_names:
        return False
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def torch_modules(before: set[str]) -> list[str]:
    """The modules of torch that were imported since `before` (a copy of the keys of sys.modules)."""
    return sorted(name for name in set(sys.modules) - before if name.startswith("torch.") and may_preload(name))
