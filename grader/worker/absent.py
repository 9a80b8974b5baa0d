"""Stand-ins for modules that a course's files import but grading does not need and does not have.

A course notebook imports `google.colab`, `torchtext`, plotting and progress libraries. Where such a module is missing
here, importing it gives an object on which every attribute exists and every call returns another such object, so that
the definitions below the import still load. Values computed with it are useless, and that shows in the comparison.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from dis import opmap
from types import FrameType, ModuleType
from typing import Any

USUAL = (
    "IPython",
    "datasets",
    "google",
    "huggingface_hub",
    "ipywidgets",
    "matplotlib",
    "nltk",
    "pandas",
    "plotly",
    "portalocker",
    "sacrebleu",
    "seaborn",
    "sklearn",
    "spacy",
    "tensorboard",
    "tensorboardX",
    "tokenizers",
    "torchdata",
    "torchinfo",
    "torchsummary",
    "torchtext",
    "torchvision",
    "tqdm",
    "transformers",
    "wandb",
)
# Parts of torch that need packages which are not installed beside it.
WITHIN = ("torch.utils.tensorboard",)


class Absent:
    """Stands for anything from a missing module: any attribute, any call, any entry, no value.

    It has no length and no truth of its own, and it takes part in no arithmetic: a number made from it would be wrong.
    """

    def __new__(cls, *args: object, **kwargs: object) -> Any:
        # A name of a missing module used as a decorator; a student's own subclass is a class like any other.
        if "stands_for" in vars(cls) and len(args) == 1 and not kwargs and callable(args[0]):
            return args[0]
        return super().__new__(cls)

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __getattr__(self, name: str) -> Absent:
        if name.startswith("__"):
            raise AttributeError(name)
        return Absent()

    def __call__(self, *args: object, **kwargs: object) -> object:
        # A decorator or a progress bar hands back what it was given; everything else is another stand-in.
        return args[0] if len(args) == 1 and not kwargs and callable(args[0]) else Absent()

    def __getitem__(self, key: object) -> Absent:
        return Absent()

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def __iter__(self) -> Iterator[object]:
        """Nothing to go through; as many stand-ins as there are names in `fig, axes = plt.subplots()`."""
        return iter([Absent() for _ in range(_names_to_unpack(sys._getframe(1)))])

    def __enter__(self) -> Absent:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


def _names_to_unpack(frame: FrameType) -> int:
    """How many values the instruction that a frame executes takes apart; 0 when it does not take anything apart."""
    code = frame.f_code.co_code
    operation, argument = code[frame.f_lasti], code[frame.f_lasti + 1]
    return argument if operation == opmap["UNPACK_SEQUENCE"] else 0


def is_absent(value: object) -> bool:
    """Whether a value stands for something from a missing module, or is such a module."""
    if isinstance(value, type):
        return "stands_for" in vars(value)
    return type(value) is Absent or "stands_for" in vars(type(value)) or isinstance(value, _AbsentModule)


class ProgressBar(Absent):
    """What `tqdm(...)` gives: it goes through its argument, may stand in a `with`, and whatever it is told is lost."""

    def __init__(self, iterable: Iterable[object] | None = (), *args: object, **kwargs: object) -> None:
        self._iterable = () if iterable is None else iterable

    def __iter__(self) -> Iterator[object]:
        return iter(self._iterable)

    def __len__(self) -> int:
        return len(self._iterable)  # type: ignore[arg-type]

    @staticmethod
    def write(*args: object, **kwargs: object) -> None:
        """What is written past the bar is lost too."""


class _AbsentModule(ModuleType):
    __path__: list[str] = []  # noqa: RUF012 - the import system wants a plain attribute

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        if self.__name__.split(".")[0] == "tqdm" and name in ("tqdm", "trange", "tqdm_notebook"):
            return (lambda *sizes, **_: ProgressBar(range(*sizes))) if name == "trange" else ProgressBar
        return type(name, (Absent,), {"stands_for": f"{self.__name__}.{name}"})


class AbsentFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Comes last on `sys.meta_path`: answers only for the listed modules, and only when nothing else found them."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self.names = frozenset((*USUAL, *(name for name in names if "." not in name)))
        self.within = (*WITHIN, *(name for name in names if "." in name))
        self.used: list[str] = []

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """A spec for a listed module that nobody else has."""
        if fullname.split(".")[0] in self.names or any(
            fullname == name or fullname.startswith(name + ".") for name in self.within
        ):
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """An empty module on which every attribute exists."""
        self.used.append(spec.name)
        return _AbsentModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run."""


def install(names: Sequence[str] = ()) -> AbsentFinder:
    """Put one finder at the end of `sys.meta_path`."""
    finder = AbsentFinder(names)
    sys.meta_path.append(finder)
    return finder
