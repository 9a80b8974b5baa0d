"""What a probe changes in a file's globals lasts as long as the probe.

`provide`, `replaced` and `run_cell` touch a file; when the probe ends, each touched file is put back as it was before,
whatever else was assigned there meanwhile. What an object that is kept for later probes was built with stays with it.
"""

from __future__ import annotations

from types import ModuleType


class Namespaces:
    """The files that were touched, with their globals of before."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[ModuleType, dict[str, object]]] = {}
        self._before_kept: dict[str, tuple[ModuleType, dict[str, object]]] = {}

    def touch(self, module: ModuleType) -> None:
        """Note a file's globals before they are changed for the first time."""
        self._before.setdefault(module.__name__, (module, dict(vars(module))))

    def restore(self) -> None:
        """Put every touched file back."""
        for module, values in self._before.values():
            _put_back(module, values)
        self._before.clear()

    def keep(self) -> None:
        """Let what has been changed until now outlast the probe."""
        for name, (module, values) in self._before.items():
            self._before_kept.setdefault(name, (module, values))
        self._before.clear()

    def drop(self) -> None:
        """Put back what was kept, too."""
        for module, values in self._before_kept.values():
            _put_back(module, values)
        self._before_kept.clear()


def _put_back(module: ModuleType, values: dict[str, object]) -> None:
    space = vars(module)
    # A package's modules are its attributes from the moment that they are imported, and stay imported.
    imported = {name: value for name, value in space.items() if isinstance(value, ModuleType)}
    space.clear()
    space.update({**imported, **values})
