"""Make `<name>.outputs.json` beside the reference notebooks by running them, cell by cell, on small made data.

    python test_suites/mldl1_hw4/make_outputs.py [rnn] [seq2seq] [vit]

Not part of grading. The modules that the notebooks import and that need a download are replaced by small ones with made
data: four topics with words of their own in place of AG_NEWS, a toy grammar in place of eng-fra.txt, coloured gratings
in place of CIFAR-10. The figures are measured, but on that data; each output says so where the data is loaded.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "reference_solutions" / "mldl1_hw4"
sys.path.insert(0, str(ROOT))

from grader.parsing.notebooks import percent_cells  # noqa: E402 - the project's root is found first

NAMES = {"rnn": "hw4_rnn", "seq2seq": "hw4_seq2seq", "vit": "hw4_vit"}


# --- in place of torchtext --------------------------------------------------------------------------------------


class Vocabulary:
    """Words to numbers, in order of appearance after the special ones."""

    def __init__(self, words: Iterable[str], specials: list[str]) -> None:
        self._numbers = {word: number for number, word in enumerate(dict.fromkeys([*specials, *words]))}
        self._default = 0

    def set_default_index(self, number: int) -> None:
        """The number of unknown words."""
        self._default = number

    def __getitem__(self, word: str) -> int:
        return self._numbers.get(word, self._default)

    def __call__(self, words: list[str]) -> list[int]:
        return [self[word] for word in words]

    def __len__(self) -> int:
        return len(self._numbers)


def made_news(root: str) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """(training, test): texts of 6 to 24 words, of which three in ten belong to their topic."""
    print("(made data: four topics with words of their own, not AG_NEWS; the accuracies below are measured on it)")
    rng = random.Random(11)
    topics = {label: [f"topic{label}word{number}" for number in range(40)] for label in range(1, 5)}
    common = [f"word{number}" for number in range(300)]

    def text(label: int) -> str:
        return " ".join(rng.choice(topics[label] if rng.random() < 0.3 else common) for _ in range(rng.randint(6, 24)))

    both = [(label, text(label)) for label in (rng.randint(1, 4) for _ in range(9000))]
    return both[:8000], both[8000:]


class Writer:
    """In place of TensorBoard's SummaryWriter: keeps nothing."""

    def __init__(self, log_dir: str) -> None:
        self.log_dir = log_dir

    def add_scalars(self, name: str, values: dict[str, float], step: int) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


# --- in place of eng-fra.txt ------------------------------------------------------------------------------------


def made_sentences(count: int) -> str:
    """Lines of English and French in a toy grammar. Nouns have several translations, so no model can be certain."""
    rng = random.Random(12)
    subjects = [("i am", "je suis"), ("he is", "il est"), ("she is", "elle est"), ("you are", "tu es")]
    subjects += [("we are", "nous sommes"), ("they are", "ils sont")]
    adverbs = [("very", "tres"), ("not", "pas"), ("often", "souvent"), ("still", "encore"), ("really", "vraiment")]
    lines = []
    for _ in range(count):
        english, french = rng.choice(subjects)
        for _ in range(rng.randint(1, 2)):
            one, other = rng.choice(adverbs)
            english, french = f"{english} {one}", f"{french} {other}"
        for _ in range(2):
            number = rng.randint(0, 19)
            english, french = (
                f"{english} thing{'abcdefgh'[number % 8]}{'xyz'[rng.randint(0, 2)]}",
                f"{french} chose{chr(97 + number)}",
            )
        lines.append(f"{english}.\t{french}.")
    return "\n".join(lines)


# --- in place of torchvision ------------------------------------------------------------------------------------


class MadeImages:
    """Ten kinds of coloured gratings, shifted and noisy."""

    def __init__(self, root: str, train: bool, download: bool, transform: object) -> None:
        if train:
            print("(made data: ten kinds of gratings, not CIFAR-10; the accuracies below are measured on it)")
        generator = torch.Generator().manual_seed(13 + train)
        count = 1200 if train else 300
        self.labels = torch.randint(0, 10, (count,), generator=generator)
        phases = torch.rand(count, 3, 1, 1, generator=generator) * 6.28
        angle = self.labels.float()[:, None, None] * 0.314
        row, column = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
        waves = (row * angle.cos() + column * angle.sin())[:, None] * 0.7  # (count, 1, 32, 32)
        noise = torch.randn(count, 3, 32, 32, generator=generator)
        self.images = (0.5 + 0.3 * torch.sin(waves + phases) + 0.4 * noise).clamp(0, 1)
        self._transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(self.images[index]), int(self.labels[index])  # type: ignore[operator]


class Compose:
    """One transformation after the other."""

    def __init__(self, steps: list[object]) -> None:
        self._steps = steps

    def __call__(self, image: Tensor) -> Tensor:
        for step in self._steps:
            image = step(image)  # type: ignore[operator]
        return image


def normalise(mean: tuple[float, ...], deviation: tuple[float, ...]) -> object:
    """(image - mean) / deviation, channel by channel."""
    m, d = torch.tensor(mean)[:, None, None], torch.tensor(deviation)[:, None, None]
    return lambda image: (image - m) / d


# --- the modules that the notebooks import ----------------------------------------------------------------------


def install(plots: list[bool]) -> None:
    """Put the replacements where imports find them; `plots` gets an entry for every figure that is shown."""
    axis = SimpleNamespace(plot=_nothing, set_ylabel=_nothing, legend=_nothing)
    show = {"show": lambda: plots.append(True), "hist": _nothing, "subplots": lambda *_, **__: (None, (axis, axis))}
    _module("matplotlib.pyplot", **show)
    _module("tqdm.auto", tqdm=lambda iterable: iterable)
    _module("torch.utils.tensorboard", SummaryWriter=Writer)
    _module("torchtext", __version__="made", datasets=SimpleNamespace(AG_NEWS=made_news))
    _module("torchtext.data.functional", to_map_style_dataset=list)
    _module("torchtext.data.utils", get_tokenizer=lambda name: str.split)
    _module("torchtext.vocab", build_vocab_from_iterator=_vocabulary)
    transforms = SimpleNamespace(
        Compose=Compose, ToTensor=lambda: _same, RandomHorizontalFlip=lambda: _same, Normalize=normalise
    )
    _module("torchvision", datasets=SimpleNamespace(CIFAR10=MadeImages), transforms=transforms)


def _vocabulary(texts: Iterable[list[str]], specials: list[str]) -> Vocabulary:
    return Vocabulary((word for text in texts for word in text), specials)


def _same(image: Tensor) -> Tensor:
    return image


def _nothing(*_: object, **__: object) -> None:
    pass


def _module(name: str, **values: object) -> None:
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        path = ".".join(parts[:end])
        if path not in sys.modules:
            sys.modules[path] = ModuleType(path)
            sys.modules[path].__spec__ = ModuleSpec(path, None)  # torch asks for it
        if end > 1:
            setattr(sys.modules[".".join(parts[: end - 1])], parts[end - 1], sys.modules[path])
    vars(sys.modules[name]).update(values)


# --- running ----------------------------------------------------------------------------------------------------


def run(name: str, plots: list[bool]) -> dict[str, dict[str, object]]:
    """Execute a reference notebook; {cell number: what it printed, and whether it showed a figure}."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    outputs: dict[str, dict[str, object]] = {}
    cells = percent_cells((REFERENCE / f"{name}.py").read_text(encoding="utf-8"))
    for number, cell in enumerate(cells, start=1):
        if cell.kind != "code":
            continue
        plots.clear()
        printed = io.StringIO()
        source = "\n".join(f"# {line}" if line.startswith(("%", "!")) else line for line in cell.source.split("\n"))
        with contextlib.redirect_stdout(printed):
            exec(compile(source, f"{name}[cell {number}]", "exec"), namespace)
        text = printed.getvalue()
        print(text, end="", flush=True)
        if text or plots:
            outputs[str(number)] = {"text": text} if not plots else {"text": text, "image": True}
    return outputs


@contextlib.contextmanager
def in_a_folder_with_sentences() -> Iterator[None]:
    """A working directory with the given data folder and a made eng-fra.txt."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(REFERENCE / "data", Path(folder) / "data")
        (Path(folder) / "data" / "eng-fra.txt").write_text(made_sentences(1500), encoding="utf-8")
        sys.path.insert(0, folder)
        os.chdir(folder)
        try:
            print("(made data: a toy grammar, not eng-fra.txt)")
            yield
        finally:
            os.chdir(before)
            sys.path.remove(folder)


def main() -> None:
    """Run the notebooks that are named on the command line, or all."""
    plots: list[bool] = []
    install(plots)
    for wanted in sys.argv[1:] or list(NAMES):
        with in_a_folder_with_sentences():
            outputs = run(NAMES[wanted], plots)
        path = REFERENCE / f"{NAMES[wanted]}.outputs.json"
        path.write_text(json.dumps(outputs, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
