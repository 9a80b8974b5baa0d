"""A suite's own modules for a test: all suites name theirs alike, so each test gives the names back."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest


@contextmanager
def modules_of(suite: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Import modules of the suite by name inside the block; their names are free again behind it."""
    monkeypatch.syspath_prepend(str(suite))
    before = set(sys.modules)
    try:
        yield importlib.import_module
    finally:
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(suite)):
                del sys.modules[name]
