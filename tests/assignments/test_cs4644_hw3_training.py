"""The judge's side of the trainings of problem set 3: tasks, images and the printed exact match."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from grader.datasets.source import DataSource
from grader.parsing.notebooks import Cell, Notebook

SUITE = Path(__file__).parents[2] / "test_suites" / "cs4644_hw3"
MADE = DataSource(made=True)


@pytest.fixture(scope="module")
def suite() -> Iterator[SimpleNamespace]:
    """Modules of the suite, under their plain names and only here."""
    names = ("tasks", "digits", "printed", "stand_ins", "parts", "training_probes")
    hidden = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.path.insert(0, str(SUITE))
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    finally:
        sys.path.remove(str(SUITE))
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(hidden)


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_sorting_uses_one_secret_order_and_unseen_sequences(suite: SimpleNamespace) -> None:
    task = suite.tasks.sorting_task(MADE, drawn(1))
    again = suite.tasks.sorting_task(MADE, drawn(2))
    seen = set(map(tuple, task.train["prefix"].tolist()))
    assert len(task.prefixes) == suite.tasks.SORTING_TESTS
    assert not seen & set(map(tuple, task.prefixes.tolist()))
    assert all(sorted(a) == sorted(b) for a, b in zip(task.prefixes.tolist(), task.in_order.tolist(), strict=True))
    assert order_of(task.in_order) != order_of(again.in_order)
    order = order_of(torch.cat([task.in_order, task.train["targets"]]))
    assert len(order) == suite.tasks.SYMBOLS


def order_of(rows: torch.Tensor) -> tuple[int, ...]:
    """The symbols in the order that sorted rows follow; fails when they follow none."""
    before = {(a, b) for row in rows.tolist() for i, a in enumerate(row) for b in row[i + 1 :] if a != b}
    assert not any((b, a) in before for a, b in before)
    symbols = set(rows.flatten().tolist())
    return tuple(sorted(symbols, key=lambda symbol: sum((symbol, other) in before for other in symbols), reverse=True))


def test_pig_latin_rows_say_what_follows_the_separator(suite: SimpleNamespace) -> None:
    tasks = suite.tasks
    task = tasks.pig_latin_task(MADE, drawn(3))
    for row, targets in zip(task.train["rows"].tolist(), task.train["targets"].tolist(), strict=True):
        first, last = row.index(tasks.SEPARATOR), row.index(tasks.END)
        assert targets[:first] == [-1] * first
        assert targets[first:last] == row[first + 1 : last + 1]
        assert targets[last:] == [-1] * (task.longest - last)
    lengths = task.train["lengths"].tolist()
    assert lengths == sorted(lengths)
    assert all(len(prompt) + len(answer) <= task.longest for prompt, answer in task.tests)
    assert sum(len(answers) for _, answers in tasks.batches_of_equal_length(task.tests)) == len(task.tests)


def test_bytes_are_renumbered(suite: SimpleNamespace) -> None:
    first, second = (suite.tasks.pig_latin_task(MADE, drawn(seed)) for seed in (3, 4))
    assert not torch.equal(first.train["rows"], second.train["rows"])


def test_answers_end_at_the_first_end(suite: SimpleNamespace) -> None:
    end = suite.tasks.END
    assert suite.tasks.until_end([1, end, 2, end]) == [1, end]
    assert suite.tasks.until_end([1, 2]) == [1, 2]


def test_the_other_reading_normalises_behind_every_block(suite: SimpleNamespace) -> None:
    class Block(torch.nn.Linear):
        def forward(self, x, attention_mask):
            return x + super().forward(x) * attention_mask

    norm = torch.nn.LayerNorm(4)
    layers = torch.nn.ModuleDict({"h": torch.nn.ModuleList([Block(4, 4) for _ in range(3)]), "ln_f": norm})
    x = expected = torch.randn(2, 4, generator=drawn(9))
    for block in layers["h"]:
        expected = norm(block(expected, 0.5))
    for _ in range(2):  # the second time nothing is left to change
        suite.training_probes._normalise_every_block(layers)
    for block in layers["h"]:
        x = block(x, 0.5)
    assert torch.equal(norm(x), expected)


def test_turned_images_come_back(suite: SimpleNamespace) -> None:
    images = torch.randn(2, 1, 4, 4, generator=drawn(5))
    turned = [suite.digits.turned(images, turn) for turn in range(suite.digits.TURNS)]
    for turn, image in enumerate(turned):
        assert torch.equal(suite.digits.turned_back(image, turn), images)
    assert len({tuple(image.flatten().tolist()) for image in turned}) == suite.digits.TURNS


def test_the_recogniser_knows_digits_from_what_is_none(suite: SimpleNamespace) -> None:
    digits = suite.digits
    images, model = digits.upright(MADE), digits.recogniser(MADE)
    assert digits.recognised(images.test, model).value > 0.8
    torch.manual_seed(0)
    assert digits.recognised(digits.no_digits(images.test), model).value < 0.05
    assert digits.recognised(torch.randn(200, 1, 16, 16), model).value < 0.05


def test_one_digit_again_and_again_earns_an_eighth(suite: SimpleNamespace) -> None:
    digits = suite.digits
    images = digits.upright(MADE)
    ones = images.test[images.test_labels == 1][:10]
    assert digits.recognised(ones.repeat(16, 1, 1, 1), digits.recogniser(MADE)).value == pytest.approx(0.125)


def test_training_images_are_copies_and_others_are_not(suite: SimpleNamespace) -> None:
    images = suite.digits.upright(MADE)
    moved = 0.8 * images.train[:20].roll(1, dims=3) + 0.05 * torch.randn(20, 1, 16, 16, generator=drawn(6))
    assert suite.digits.copies(images.train[:20] + 0.01, images.train) == 1
    assert suite.digits.copies(moved, images.train) > 0.9
    assert suite.digits.copies(images.test[:100], images.train) < 0.25


def test_images_that_come_again_are_counted(suite: SimpleNamespace) -> None:
    images = suite.digits.upright(MADE).test[:60]
    assert suite.digits.repeats(images) < 0.1
    assert suite.digits.repeats(torch.cat([images[:4]] * 10)) == pytest.approx(0.9)
    assert suite.digits.repeats(torch.zeros(5, 1, 16, 16)) == 0


def test_the_judge_samples_what_the_noise_says(suite: SimpleNamespace) -> None:
    """A model that knows the one image there is leads every sample to it."""
    digits = suite.digits
    image = digits.upright(MADE).test[:1]
    kept = (1.0 - digits.BETAS).cumprod(dim=0)

    def predict(batch):
        share = kept[batch["t"]].view(-1, 1, 1, 1)
        return {"noise": (batch["x_t"] - share.sqrt() * image) / (1.0 - share).sqrt()}

    found = digits.drawn_by(predict, torch.randn(3, 1, 16, 16, generator=drawn(7)), drawn(8))
    assert torch.allclose(found, image.expand(3, -1, -1, -1), atol=1e-3)


def notebook_of(*outputs: str, source: str = "evaluate()") -> Notebook:
    cells = [Cell(number=n, kind="code", source=source, outputs=text) for n, text in enumerate(outputs, start=1)]
    return Notebook(cells=tuple(cells))


@pytest.mark.parametrize(
    ("text", "right", "asked", "possible"),
    [
        ("Exact Match: 86/100 = 86.0% correct", 86, 100, True),
        ("exact match 2 / 3 = 66.7 %", 2, 3, True),
        ("Exact Match: 86/100 = 96.0% correct", 86, 100, False),
        ("Exact Match: 101/100 = 101.0% correct", 101, 100, False),
        ("Exact Match: 0/0 = 0% correct", 0, 0, False),
    ],
)
def test_the_printed_line_is_read(suite: SimpleNamespace, text: str, right: int, asked: int, possible: bool) -> None:
    (printed,) = suite.printed.exact_matches(notebook_of("epoch 1\n" + text))
    assert (printed.right, printed.asked, printed.possible) == (right, asked, possible)


def test_a_typed_line_is_told(suite: SimpleNamespace) -> None:
    line = "Exact Match: 86/100 = 86.0% correct"
    computed, written = notebook_of(line), notebook_of(line, source=f"print('{line}')")
    read: Any = suite.printed.exact_matches
    typed: Any = suite.printed.typed
    assert not typed(computed, read(computed)[0])
    assert typed(written, read(written)[0])
