"""Getting at the code under test: each file once, on first use, and never one failure for all.

`Modules` is what a probe sees: `modules["lstm"].LSTM`. The same class serves the reference in the judge.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import NoReturn, TypeVar

import torch

from grader.errors import SubmissionError
from grader.model import NOT_IMPORTED, NOT_READ
from grader.parsing.notebooks import code_sources
from grader.parsing.statements import is_placeholder
from grader.probing import MAX_CANDIDATES, BindingError, short
from grader.worker import adapting
from grader.worker.definitions import Cell, Definitions, split_percent, take_definitions
from grader.worker.finding import FileFinder, is_handed_in, is_init, submitted_in
from grader.worker.importing import run_file
from grader.worker.namespaces import Namespaces
from grader.worker.training import TrainingRoom

T = TypeVar("T")
Place = tuple[ModuleType, str, object]  # a global and its value


@dataclass(frozen=True, kw_only=True)
class FileSpec:
    """One file of the submission: `path` relative to the root (posix), None when it was not handed in."""

    id: str
    path: str | None
    expected: str
    kind: str = "python"


class MissingDefinition(AttributeError):
    """A file, class, function or cell that the probe needs is not there."""


class LoadFailure(Exception):
    """A file cannot be imported; carries the student's exception."""

    def __init__(self, path: str, error: BaseException) -> None:
        self.path = path
        self.error = error
        self._trace = error.__traceback__
        super().__init__(f"{path}{NOT_IMPORTED}{type(error).__name__}: {error}")

    def again(self) -> LoadFailure:
        """The same failure, to be raised once more: without the frames that it has passed through meanwhile."""
        self.error.__traceback__ = self._trace
        return self


class LoadedFile:
    """The definitions of one file as attributes, and what a probe may do with them."""

    def __init__(
        self, path: str, module: ModuleType, namespaces: Namespaces, definitions: Definitions | None = None
    ) -> None:
        self._path = path
        self._module = module
        self._namespaces = namespaces
        self._definitions = definitions

    def __getattr__(self, name: str) -> object:
        try:
            return getattr(self._module, name)
        except AttributeError:
            if self._definitions is not None and self._definitions.compute(name):
                return getattr(self._module, name)
            for module in self._definitions.written if self._definitions else ():
                with suppress(Exception, SystemExit):
                    return getattr(importlib.import_module(module), name)
            raise self._why_missing(name) from None

    def _why_missing(self, name: str) -> Exception:
        taken = self._definitions or Definitions()
        failure = taken.failures.get(name)
        if isinstance(failure, SyntaxError) and (taken.broken is None or is_placeholder(failure.text or "")):
            # An unfilled template cell does not parse: nothing was attempted there.
            said = " is not filled in: " if is_placeholder(failure.text or "") else NOT_READ
            return MissingDefinition(f"{name} in {self._path}{said}{failure.msg}")
        if failure is not None:
            return LoadFailure(self._path, failure)
        if taken.broken is not None:
            return LoadFailure(self._path, taken.broken)
        why = taken.missed(name)
        return MissingDefinition(f"{self._path} defines no {name}" + (f": {why}" if why else ""))

    def missed(self, name: str) -> str:
        """What is known of a name that code of this file looked for in vain; "" for nothing."""
        return self._definitions.missed(name) if self._definitions else ""

    def provide(self, **values: object) -> None:
        """Set globals that the file's functions read (vocabulary sizes, the device, data), until the probe ends.

        Where the file imports another one as a module, the names of that one are meant as well.
        """
        self._set(self._places(values))

    def provide_missing(self, **values: object) -> None:
        """Set those of the globals that the file does not define itself, until the probe ends."""
        self.provide(**{name: value for name, value in values.items() if not hasattr(self._module, name)})

    @contextmanager
    def replaced(self, **values: object) -> Iterator[None]:
        """Globals of the file, exchanged inside the block; see `provide`.

        A class or function of the submission is exchanged under all its names: `MultiHead = Attention`.
        """
        places = self._places(values)
        places += [(*place, value) for name, value in values.items() for place in self._other_names(name, values)]
        before = [(vars(module), name, name in vars(module), vars(module).get(name)) for module, name, _ in places]
        self._set(places)
        try:
            yield
        finally:
            for space, name, was_there, value in before:
                space.pop(name, None)
                if was_there:
                    space[name] = value

    def _other_names(self, name: str, besides: Collection[str]) -> list[tuple[ModuleType, str]]:
        """Where the class or function of that name, written in the submission, has another one."""
        modules = [self._module, *submitted_in(self._module)]
        try:
            meant = getattr(self, name)
        except (Exception, SystemExit):
            return []  # what is not written has no other names
        if not callable(meant) or getattr(meant, "__module__", None) not in [module.__name__ for module in modules]:
            return []
        return [
            (module, other)
            for module in modules
            for other, value in vars(module).items()
            if value is meant and other not in besides
        ]

    def _places(self, values: Mapping[str, object]) -> list[Place]:
        """Each value in this file's module, and in those that its code may ask for the name: `nets.Encoder`."""
        others = submitted_in(self._module)
        return [
            (module, name, value)
            for name, value in values.items()
            for module in (self._module, *(other for other in others if name in vars(other)))
        ]

    def _set(self, places: Sequence[Place]) -> None:
        for module, name, value in places:
            self._namespaces.touch(module)
            setattr(module, name, value)

    def names(self) -> list[str]:
        """The names that the file defines."""
        return [name for name in vars(self._module) if not name.startswith("__")]

    def run_cell(
        self, *, assigns: Sequence[str] = (), contains: str = "", keep: Collection[str] = ()
    ) -> dict[str, object]:
        """Run the one notebook cell that assigns the most of these names, or contains the text.

        Statements that only set names of `keep`, which the probe has provided, are left out.

        Returns the values of the assigned names that exist afterwards; what the cell assigned lasts until the probe
        ends. Raises MissingDefinition when no cell fits.
        """
        if self._definitions is None or self._definitions.cells is None:
            raise MissingDefinition(f"{self._path} is not a notebook")
        cell = self._definitions.find_cell(assigns, contains)
        if cell is None:
            wanted = ", ".join(assigns) if assigns else repr(contains)
            raise MissingDefinition(f"{self._path} has no cell with {wanted}")
        self._namespaces.touch(self._module)
        self._definitions.run(cell, vars(self._module), keep)
        return {name: vars(self._module)[name] for name in assigns if name in vars(self._module)}

    def run_cells(self, name: str) -> object:
        """The value of a name after all notebook cells that assign it, in order. Raises MissingDefinition."""
        taken = self._definitions or Definitions()
        if not (cells := taken.cells_with(name)):
            raise MissingDefinition(f"{self._path} has no cell with {name}")
        self._namespaces.touch(self._module)
        for cell in cells:
            taken.run(cell, vars(self._module))
        return vars(self._module).get(name)


class Modules(TrainingRoom):
    """The files under test by their manifest id, loaded on first use; also counts and chooses bindings."""

    def __init__(
        self,
        root: Path,
        files: Sequence[FileSpec],
        globals_: Mapping[str, object] | None = None,
        *,
        sources: Mapping[str, str] | None = None,
    ) -> None:
        """`sources` replaces files' texts."""
        super().__init__()
        self._root = root
        self._specs = {spec.id: spec for spec in files}
        self._kinds = {spec.path: spec.kind for spec in files if spec.path is not None}
        self._globals = dict(globals_ or {})
        self._sources = dict(sources or {})
        expected = {spec.expected: spec.path for spec in files if spec.path is not None}
        self._finder = FileFinder(root, expected, self._execute)
        self._namespaces = Namespaces()
        self._loaded: dict[str, LoadedFile] = {}
        self._definitions: dict[str, Definitions] = {}
        self._failures: dict[str, LoadFailure] = {}
        self.scratch = ""  # where files that a notebook writes are put, in a worker
        self.notes: list[str] = []
        self._notes_of: dict[str, list[str]] = {}
        self._used: dict[str, None] = {}
        self._noted = 0  # how many notes there were when the present request began
        self._told = True  # whether they are told
        self.filled: set[str] = set()  # probes whose None is no sign of a hole
        self._asked: tuple[str, ...] = ()
        self.choices: list[tuple[str, tuple[str, ...]]] = []
        self.undeclared = False

    def __getitem__(self, file_id: str) -> LoadedFile:
        spec = self._specs[file_id]
        if spec.path is None:
            raise MissingDefinition(f"{spec.expected} was not handed in")
        self._used.setdefault(spec.path)
        if spec.path in self._failures:
            raise self._failures[spec.path].again()
        if spec.path not in self._loaded:
            self._loaded[spec.path] = self._load(spec.path)
        return self._loaded[spec.path]

    def __contains__(self, file_id: str) -> bool:
        spec = self._specs.get(file_id)
        return spec is not None and spec.path is not None

    def path(self, relative: str) -> Path:
        """Where a file that was handed in, such as a checkpoint, lies for this process."""
        return self._root / relative

    def unread(self, names: Iterable[str]) -> list[str]:
        """Which of these modules are no files that were handed in, so that no rule has looked into them."""
        written = {name for taken in self._definitions.values() for name in taken.written}
        return [name for name in names if name not in written and not is_handed_in(sys.modules[name])]

    @contextmanager
    def replaced(self, file_id: str, **values: object) -> Iterator[None]:
        """Globals of a file, exchanged inside the block: classes that it constructs become stand-ins."""
        with self[file_id].replaced(**values):
            yield

    def not_attempted(self, what: str) -> NoReturn:
        """End the probe as "not attempted", such as for a cell that still holds None; `what` tells the student why."""
        raise MissingDefinition(what)

    def say_nothing(self) -> None:
        """Nothing is to be said of this run: its probe looks at the files for the sake of something else."""
        self._told = False

    def cached(self, name: str, make: Callable[[], T]) -> T:
        """As for every room; the globals that it was built with are kept with it."""

        def made() -> T:
            value = make()
            self._namespaces.keep()
            return value

        return super().cached(name, made)

    def arrange(self, weights: Mapping[str, torch.Tensor]) -> None:
        """As for every room; the globals of what was built before go with it."""
        super().arrange(weights)
        self._namespaces.drop()

    @contextmanager
    def probing(self, binding: Sequence[str] = ()) -> Iterator[None]:
        """One run of a probe, with the choices of these names.

        Inside, imports find the files under test, late ones in functions included; at its end, the files' globals are
        put back.
        """
        self.ask(binding)
        with self._finder.active():
            try:
                yield
            finally:
                self._namespaces.restore()

    def settle(self) -> None:
        """Let imports find the files under test from now on: for a process that knows no others."""
        self._finder.enter()

    def missed(self, name: str) -> str:
        """What is known of a name that the code under test looked for in vain; "" for nothing."""
        return next((why for file in self._loaded.values() if (why := file.missed(name))), "")

    def ask(self, binding: Sequence[str] = ()) -> None:
        """Start a probe run. The n-th choice falls on the candidate of the n-th name, later ones on the first."""
        self._asked = tuple(binding)
        self.choices = []
        self.undeclared = False
        self._used.clear()
        self._noted = len(self.notes)
        self._told = True
        adapting.said.clear()

    def told(self) -> list[str]:
        """What is to be said of this run and of the files that it used: a process may serve several parts."""
        files = [note for path in self._used for note in self._notes_of.get(path, ())]
        return list(dict.fromkeys([*files, *self.notes[self._noted :], *adapting.said])) if self._told else []

    def choose(self, candidates: Sequence[tuple[str, T]]) -> T:
        """The candidate that was asked for, by its name, so that a binding is the same on every case; or the only one.

        Raises BindingError when there are several, and none of that name.
        """
        names = [short(name) for name, _ in candidates]
        place = len(self.choices)
        wanted = self._asked[place] if place < len(self._asked) and len(names) > 1 else names[0]
        self.choices.append((wanted, tuple(names[:MAX_CANDIDATES])))
        if wanted not in names:
            raise BindingError(f"“{wanted}” fitted before and does not here, only “{'”, “'.join(names)}”"[:600])
        return candidates[names.index(wanted)][1]

    def choose_binding(self, candidates: Sequence[tuple[str, T]]) -> T:
        """As `choose`, for weights: any candidate but the first is an order that the student did not declare."""
        chosen = self.choose(candidates)
        self.undeclared = self.undeclared or self.choices[-1][0] != short(candidates[0][0])
        return chosen

    @property
    def binding(self) -> str:
        """The names of what was chosen in the last run, where there was a choice."""
        return "; ".join(name for name, names in self.choices if len(names) > 1)

    def _load(self, path: str) -> LoadedFile:
        noted, said = len(self.notes), set(adapting.said)
        try:
            with defaults_kept():
                module = self._finder.load(path)
        except (Exception, SystemExit) as error:
            failure = self._failures.setdefault(path, LoadFailure(path, error))
            raise failure.again() from failure.error
        finally:
            news = [sentence for sentence in adapting.said if sentence not in said]
            self._notes_of[path] = [*self.notes[noted:], *news]
        return LoadedFile(path, module, self._namespaces, self._definitions.get(path))

    def _execute(self, module: ModuleType, path: str) -> None:
        """Run a file in its module, as an import does. Raises its own exception when it leaves nothing defined."""
        if path in self._failures:
            raise self._failures[path].again().error
        if path in self._kinds:
            vars(module).update(self._globals)
        try:
            if self._kinds.get(path) == "notebook" or path.endswith(".ipynb"):
                self._run_notebook(module, path)
            else:
                self._run_python(module, path)
        except LoadFailure as failure:
            if not is_init(path):
                self._failures[path] = failure
                raise failure.error from None
            # As good as an empty one: the files beside it are still worth grading.
            self.notes.append(f"{path} raised {type(failure.error).__name__}: {str(failure.error)[:200]}")

    def _run_python(self, module: ModuleType, path: str) -> None:
        try:
            taken = run_file(path, str(self._root / path), self._bytes(path), vars(module))
        except (Exception, SystemExit) as error:
            raise LoadFailure(path, error) from error
        self.notes.extend(taken.notes)
        self._definitions[path] = taken

    def _run_notebook(self, module: ModuleType, path: str) -> None:
        cells = read_cells(self._root / path, self._bytes(path))
        taken = take_definitions(cells, vars(module), self.scratch)
        self.notes.extend(taken.notes)
        self._definitions[path] = taken

    def _bytes(self, path: str) -> bytes:
        return self._sources[path].encode() if path in self._sources else (self._root / path).read_bytes()


@contextmanager
def defaults_kept() -> Iterator[None]:
    """What top-level code changes for everybody is as before afterwards: a probe may load a file when it has begun."""
    dtype, gradients, anomalies = torch.get_default_dtype(), torch.is_grad_enabled(), torch.is_anomaly_enabled()
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_default_device(None)
        torch.set_grad_enabled(gradients)
        torch.autograd.set_detect_anomaly(anomalies)


class UnreadableFile(Exception):
    """A file that holds nothing that can be read; its text is a sentence for the student."""


def read_cells(path: Path, raw: bytes) -> list[Cell]:
    """The code cells of a notebook file, or of a reference kept in percent format. Raises LoadFailure."""
    text = raw.decode("utf-8-sig", errors="replace")
    try:
        if path.suffix == ".py":
            return split_percent(text, str(path))
        return [
            Cell(number=number, name=f"{path}[cell {number}]", source=source)
            for number, source in code_sources(text, path.name)
        ]
    except SubmissionError as error:
        raise LoadFailure(path.name, UnreadableFile(str(error))) from error


Probe = Callable[..., Mapping[str, object]]
