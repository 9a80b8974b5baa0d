"""Imports between a submission's files: one module per file, as in Python, whoever asks first and by whatever name.

A file has one proper name: the one that the assignment expects, or where it is no expected file the one that its place
gives it. Every other name that leads to it – the name it was handed in under, its bare name in a file of the same
folder, a folder that the student put on `sys.path` – is an alias of the same module object. So `from a import A` and
`modules["a"].A` are one class.

A process may hold several sets of files: the judge has the reference and known mistakes of it. A finder is therefore
on `sys.meta_path`, and its modules in `sys.modules`, only inside `active()`.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

# What the worker itself runs on: a student's file of such a name never takes its place.
GROUND = frozenset({"torch", "numpy", "grader"})
PROTECTED = GROUND | sys.stdlib_module_names

Execute = Callable[[ModuleType, str], None]


class FileFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds and loads what lies below one root.

    `expected` maps the path at which the assignment expects a file to the path at which it lies; both are relative to
    the root. `execute` runs the text of a file in its module.
    """

    def __init__(self, root: Path, expected: Mapping[str, str], execute: Execute) -> None:
        self._root = os.path.abspath(root)  # noqa: PTH100 - a link in a root is the caller's affair
        self._execute = execute
        self._paths: dict[str, str] = {}  # proper name -> path
        self._names: dict[str, str] = {}  # path -> proper name
        self._folders: dict[str, dict[str, None]] = {}  # package -> folders whose files belong to it
        self._found: set[str] = set()  # every name under which one of our modules may be known
        self._kept: dict[str, ModuleType] = {}  # ours, while we are not active
        self._aside: dict[str, ModuleType] = {}  # others' of the same names, while we are
        self._path_before = frozenset(sys.path)
        for place, path in expected.items():
            self._register(path, module_name(place))

    # --- for Modules ------------------------------------------------------------------------------------------

    def load(self, path: str) -> ModuleType:
        """The module of a file, imported on first use. Raises whatever its import raises."""
        with self.active():
            return importlib.import_module(self.name_of(path))

    def name_of(self, path: str) -> str:
        """The proper name of a file's module."""
        return self._names.get(path) or self._register(path, module_name(path))

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let imports inside the block find these files, and no other set's."""
        if self in sys.meta_path:
            yield
            return
        self.enter()
        try:
            yield
        finally:
            self._leave()

    def enter(self) -> None:
        """Become active for good, as in a worker, which knows one submission only."""
        self._aside = {name: sys.modules.pop(name) for name in self._others()}
        sys.modules.update(self._kept)
        places = [
            index
            for index, finder in enumerate(sys.meta_path)
            if finder is PathFinder or isinstance(finder, FileFinder)
        ]
        sys.meta_path.insert(places[0] if places else len(sys.meta_path), self)

    def _leave(self) -> None:
        sys.meta_path.remove(self)
        self._kept = {name: sys.modules.pop(name) for name in self._found if name in sys.modules}
        sys.modules.update(self._aside)

    def _others(self) -> list[str]:
        """The names in `sys.modules` that this set's own files have as well."""
        known = {top for top in self._tops if top in sys.modules}
        # Only if there is one: looking at every name writes to the memory that a worker shares with its parent.
        return [name for name in list(sys.modules) if name.split(".")[0] in known] if known else []

    @cached_property
    def _tops(self) -> frozenset[str]:
        """The first parts of all names that files and folders here may have, bare names of siblings included."""
        tops = {name.split(".")[0] for name in self._paths}
        for folder in {"", *(folder for path in self._names for folder in folders_above(path))}:
            entries = [entry for entry in self._listing(folder) if entry.split(".")[0] in sys.modules]
            tops.update(entry.split(".")[0] for entry in entries if self._has_files(joined(folder, entry)))
        return frozenset(tops - PROTECTED)

    # --- the protocol of the import system --------------------------------------------------------------------

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a name leads among these files: to a module of that name, to an alias of one, to a bare folder."""
        if fullname.split(".")[0] in GROUND:
            return None
        folders = self._beside_importer() if path is None else self._below_root(path)
        file = self._paths.get(fullname) or self._file(fullname.rpartition(".")[2], folders)
        if file is None and path is None:
            file = self._expected_sibling(fullname)
        if file is None:
            spec = self._bare_package(fullname, folders)
        elif self.name_of(file) == fullname:
            spec = self._spec(fullname, file)
        else:
            spec = ModuleSpec(fullname, _Alias(self.name_of(file)))
        if spec is not None:
            self._found.add(fullname)
        return spec

    def exec_module(self, module: ModuleType) -> None:
        """Run a file in its module."""
        self._execute(module, self._paths[module.__name__])

    def _spec(self, name: str, path: str) -> ModuleSpec:
        place = self._absolute(path)
        inside = [self._absolute(folder) for folder in self._belonging(name, [path.rpartition("/")[0]])]
        locations = inside if is_init(path) else None
        spec = importlib.util.spec_from_file_location(name, place, loader=self, submodule_search_locations=locations)
        assert spec is not None
        return spec

    def _bare_package(self, fullname: str, folders: Sequence[str]) -> ModuleSpec | None:
        """A folder of Python files without `__init__.py`, or the place of expected files that lie elsewhere."""
        last = fullname.rpartition(".")[2]
        inner = [joined(folder, last) for folder in folders]
        with_files = [folder for folder in inner if self._has_files(folder)]
        locations = self._belonging(fullname, with_files)
        if not locations and fullname not in self._folders:
            return None
        spec = ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = [self._absolute(folder) for folder in locations]
        return spec

    # --- where to look ----------------------------------------------------------------------------------------

    def _register(self, path: str, wanted: str) -> str:
        top, dot, rest = wanted.partition(".")
        name = f"{top}_{dot}{rest}" if top in PROTECTED else wanted
        while name in self._paths:
            name += "_"
        self._paths[name], self._names[path] = path, name
        folder, package = path.rpartition("/")[0], name if is_init(path) else name.rpartition(".")[0]
        aligned = True
        while package:
            known = self._folders.setdefault(package, {})
            if aligned:
                known[folder] = None
            aligned = aligned and folder.rpartition("/")[2] == package.rpartition(".")[2]
            folder, package = folder.rpartition("/")[0], package.rpartition(".")[0]
        return name

    def _belonging(self, package: str, folders: Sequence[str]) -> list[str]:
        return list(dict.fromkeys([*folders, *self._folders.get(package, ())]))

    def _file(self, last: str, folders: Sequence[str]) -> str | None:
        for folder in folders:
            stem = joined(folder, last)
            for path in (f"{stem}/__init__.py", f"{stem}.py"):
                if Path(self._absolute(path)).is_file():
                    return path
            if f"{stem}.ipynb" in self._names:
                return f"{stem}.ipynb"
        return None

    def _beside_importer(self) -> list[str]:
        """The folders in which a bare name is looked for: the root, what was put on the path, and the importer's."""
        added = [entry for entry in sys.path if entry not in self._path_before]
        importer = self._paths.get(importing_module(), "")
        return list(dict.fromkeys(["", *self._below_root(added), *folders_above(importer)]))

    def _expected_sibling(self, name: str) -> str | None:
        package = importing_module().rpartition(".")[0]
        return self._paths.get(f"{package}.{name}") if package else None

    def _below_root(self, places: Sequence[str]) -> list[str]:
        inside = self._root.rstrip(os.sep) + os.sep
        absolute = [os.path.abspath(place) + os.sep for place in places]  # noqa: PTH100 - relative to where it runs
        found = [place[len(inside) :].strip(os.sep) for place in absolute if place.startswith(inside)]
        return [place.replace(os.sep, "/") for place in found]

    def _absolute(self, folder: str) -> str:
        return f"{self._root.rstrip(os.sep)}/{folder}" if folder else self._root

    def _listing(self, folder: str) -> list[str]:
        """The Python files of a folder, and the folders in it."""
        try:
            with os.scandir(self._absolute(folder)) as entries:
                return [entry.name for entry in entries if entry.name.endswith(".py") or entry.is_dir()]
        except OSError:
            return []

    def _has_files(self, place: str, depth: int = 3) -> bool:
        """Whether a place is a Python file, or a folder with one in it or a little below it."""
        if place.endswith(".py"):
            return True
        inside = self._listing(place) if depth else []
        return any(self._has_files(joined(place, name), depth - 1) for name in inside)


class _Alias(importlib.abc.Loader):
    """Another name of a module."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module itself, imported if it is not yet."""
        module = importlib.import_module(self._name)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run; the import system has put the alias's own spec on the module, which goes again."""
        module.__spec__ = self._spec


def submitted_in(module: ModuleType) -> list[ModuleType]:
    """The submission's modules that a file has imported as such, and those inside its packages; itself left out."""
    found: dict[int, ModuleType] = {}
    left = [module]
    while left:
        for value in list(vars(left.pop()).values()):
            if isinstance(value, ModuleType) and value is not module and id(value) not in found and is_handed_in(value):
                found[id(value)] = value
                left += [value] if hasattr(value, "__path__") else []
    return list(found.values())


def is_handed_in(module: ModuleType) -> bool:
    """Whether a finder of ours loaded it, or it is a folder without `__init__.py`, which nothing loads."""
    spec = getattr(module, "__spec__", None)
    return spec is not None and (spec.loader is None or isinstance(spec.loader, FileFinder))


def importing_module() -> str:
    """The `__name__` of the code that is importing something now."""
    frame = sys._getframe(1)
    while frame.f_back is not None and (frame.f_globals is globals() or "importlib" in frame.f_code.co_filename):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", ""))


def module_name(path: str) -> str:
    """The dotted name under which a file is imported: "models/naive/LSTM.py" is "models.naive.LSTM"."""
    stems = (path.removesuffix("/__init__.py") + ".py" if is_init(path) else path).rsplit(".", 1)[0].split("/")
    parts = [part if part.isidentifier() else "".join(c if c.isalnum() else "_" for c in part) for part in stems]
    return ".".join(part if not part[:1].isdigit() else f"_{part}" for part in parts)


def is_init(path: str) -> bool:
    """Whether a file is a package's own."""
    return path.endswith("/__init__.py")


def folders_above(path: str) -> list[str]:
    """The folder of a file and those around it, the innermost first, the root ("") left out."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]


def joined(folder: str, name: str) -> str:
    """A path in a folder; the root is ""."""
    return f"{folder}/{name}" if folder else name
