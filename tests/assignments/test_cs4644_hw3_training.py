"""The judge's side of the trainings of problem set 3: tasks, pictures and the printed exact match."""

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
from grader.suite import standard

SUITE = Path(__file__).parents[2] / "test_suites" / "cs4644_hw3"
MADE = DataSource(made=True)


@pytest.fixture(scope="module")
def suite() -> Iterator[SimpleNamespace]:
    """Modules of the suite, under their plain names and only here."""
    names = ("tasks", "pictures", "printed", "stand_ins", "parts", "training_probes")
    hidden = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.path[:0] = [str(SUITE), str(SUITE / "provided")]
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    finally:
        del sys.path[:2]
        for name in (*names, "randomizer", "diffusers", "diffusers.training_utils"):
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


def test_pictures_are_disguised_anew_in_every_run(suite: SimpleNamespace) -> None:
    images = torch.randn(2, 3, 4, 4, generator=drawn(5))
    disguised = [suite.pictures.disguised(images, turn) for turn in range(16)]
    assert len({tuple(each.flatten().tolist()) for each in disguised}) == 16
    first, second = (suite.pictures.pictures_task(MADE, drawn(seed)) for seed in (3, 4))
    assert first.train["images"].shape == (1200, 3, 16, 16)
    assert set(first.train["labels"].tolist()) == set(first.labels.tolist()) == {1, 2, 3}
    assert not torch.equal(first.train["images"], second.train["images"])


def test_who_knows_the_noise_has_no_loss(suite: SimpleNamespace) -> None:
    """The judge's noisy pictures are those of equation 4: the picture follows from the noise."""
    task = suite.pictures.pictures_task(MADE, drawn(6))
    x_t, t, noise = standard.noised(task.inputs[:20], task.kept, drawn(7))
    kept = (1.0 - torch.linspace(0.0001, 0.02, task.steps)).cumprod(dim=0)[t].view(-1, 1, 1, 1)
    assert torch.allclose((x_t - (1.0 - kept).sqrt() * noise) / kept.sqrt(), task.inputs[:20], atol=1e-3)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (lambda train: torch.randn(8, 3, 16, 16, generator=drawn(8)), ""),
        (lambda train: None, "no pictures"),
        (lambda train: torch.zeros(8, 1, 16, 16), "no pictures"),
        (lambda train: torch.full((8, 3, 16, 16), torch.nan), "NaN"),
        (lambda train: 0.8 * train[:8] + 0.1, "8 of 8 samples are pictures from the training data"),
        (lambda train: torch.randn(1, 3, 16, 16, generator=drawn(8)).repeat(8, 1, 1, 1), "7 of 8 samples are nearly"),
    ],
)
def test_samples_that_a_person_should_look_at(suite: SimpleNamespace, samples: Any, words: str) -> None:
    train = suite.pictures.pictures_task(MADE, drawn(9)).train["images"]
    doubt = suite.pictures.doubt_about(samples(train), train)
    assert words in doubt
    assert bool(doubt) == bool(words)


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
