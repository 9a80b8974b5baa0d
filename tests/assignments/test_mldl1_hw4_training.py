"""The training tasks of mldl1_hw4: what the worker gets, what stays with the judge, and whose loop trains."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from suite_modules import modules_of

from grader.datasets.source import DataSource
from grader.worker.loading import FileSpec, Modules

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / "test_suites" / "mldl1_hw4"
MADE = DataSource(made=True)
SMALL = {"hidden": 8, "batch": 16, "rate": 1e-2, "dropout": 0.0}


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Tasks, probes and pixels of the suite."""
    with modules_of(SUITE, monkeypatch) as load:
        names = {"pixels": "pixels", "tasks": "tasks", "probes": "training_probes", "logs": "saved_logs"}
        yield SimpleNamespace(**{short: load(name) for short, name in names.items()})


def _draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _notebook(tmp_path: Path, *edits: tuple[str, str]) -> Modules:
    """The reference's hw4_seq2seq with edits."""
    text = (ROOT / "reference_solutions" / "mldl1_hw4" / "hw4_seq2seq.py").read_text(encoding="utf-8")
    for find, replace in edits:
        assert text.count(find) == 1
        text = text.replace(find, replace)
    (tmp_path / "hw4_seq2seq.py").write_text(text, encoding="utf-8")
    spec = FileSpec(id="seq2seq", path="hw4_seq2seq.py", expected="hw4_seq2seq.ipynb", kind="notebook")
    return Modules(tmp_path, [spec])


def test_words_and_classes_are_numbered_anew_for_every_run(suite: Any) -> None:
    first, second = (suite.tasks.news_task(MADE, _draw(seed)) for seed in (1, 2))
    assert first.vocabulary == second.vocabulary
    assert not torch.equal(first.train["tokens"], second.train["tokens"])
    assert not torch.equal(first.test_labels, second.test_labels)
    # One permutation leads from one numbering to the other.
    pairs = set(zip(first.test_labels.tolist(), second.test_labels.tolist(), strict=True))
    assert len(pairs) == first.classes


def test_held_out_batches_hold_no_labels(suite: Any) -> None:
    news, pictures = suite.tasks.news_task(MADE, _draw(1)), suite.tasks.pictures_task(MADE, _draw(1))
    assert {name for batch in news.test_batches() for name in batch} == {"texts", "lengths"}
    assert {name for batch in pictures.test_batches() for name in batch} == {"images"}
    assert sum(len(batch["texts"]) for batch in news.test_batches(64)) == len(news.test_labels)


def test_sentences_begin_and_end_as_in_the_notebook(suite: Any) -> None:
    task = suite.tasks.translation_task(MADE, _draw(1))
    for rows, pad in ((task.train["src"], task.inputs - 1), (task.train["trg"], task.pad)):
        assert rows.shape[1] == task.length
        assert bool((rows[:, 0] == 0).all())
        assert all(_is_filled(row.tolist(), pad) for row in rows)
        assert any(pad in row for row in rows)


def _is_filled(row: list[int], pad: int) -> bool:
    """Words, one EOS, then PAD to the end; a sentence that fills the row may lose its EOS, as in the notebook."""
    if 1 not in row:
        return pad not in row
    end = row.index(1)
    return pad not in row[:end] and set(row[end + 1 :]) <= {pad}


def test_batches_are_cut_to_the_average_length(suite: Any) -> None:
    tokens, offsets = torch.arange(1, 10), torch.tensor([0, 2, 6, 9])
    text, labels, lengths = suite.probes._cut_to_average(
        tokens, offsets, torch.tensor([5, 6, 7]), torch.tensor([1, 0, 2])
    )
    assert text.t().tolist() == [[3, 4, 5], [1, 2, 0], [7, 8, 9]]
    assert labels.tolist() == [6, 5, 7]
    assert lengths.tolist() == [3, 2, 3]


def test_images_are_disguised_and_can_still_be_mirrored(suite: Any) -> None:
    first, second = (suite.tasks.pictures_task(MADE, _draw(seed)) for seed in (1, 2))
    assert torch.equal(first.plain, second.plain)
    assert not torch.equal(first.images, second.images)
    one, mirrored = suite.tasks.disguised([first.plain, first.plain.flip(3)], _draw(3))
    assert torch.equal(one.flip(3), mirrored)


def test_patches_stay_patches_in_disguise(suite: Any) -> None:
    """Every patch holds the numbers, or their negatives, of one that stood above or below it."""
    plain = torch.arange(3 * 32 * 32).remainder(251).to(torch.uint8).reshape(1, 3, 32, 32)
    (image,) = suite.tasks.disguised([plain], _draw(4))
    negative = not torch.equal(image.flatten().sort().values, plain.flatten().sort().values)
    image = 255 - image if negative else image
    for column in range(0, 32, 4):
        found, known = (
            sorted(sorted(each[0, :, row : row + 4, column : column + 4].flatten().tolist()) for row in range(0, 32, 4))
            for each in (image, plain)
        )
        assert found == known


def test_whitened_patches_are_uncorrelated(suite: Any) -> None:
    task = suite.tasks.pictures_task(MADE, _draw(1))
    rows = suite.pixels._patches(suite.pixels.whitened(task.train["images"], task.whiten)).transpose(1, 2).flatten(0, 1)
    covariance = torch.cov(rows.t())
    off = covariance - torch.diag(covariance.diag())
    assert off.abs().max() < 0.05
    assert covariance.diag().min() > 0.5


def _trained(suite: Any, modules: Modules, steps: int) -> dict[str, object]:
    task = suite.tasks.translation_task(MADE, _draw(1))
    modules._arrived["data"] = {name: tensor[:64] for name, tensor in task.train.items()}
    torch.manual_seed(0)
    sizes = {"inputs": task.inputs, "outputs": task.outputs, "length": task.length}
    return suite.probes.train_seq2seq(modules, steps=steps, **sizes, **SMALL)


def test_the_notebooks_own_loop_trains(suite: Any, tmp_path: Path) -> None:
    """A loop that freezes the classifier leaves its mark on the weights."""
    own = _notebook(
        tmp_path,
        ("        loss.backward()\n", "        loss.backward()\n        model.decoder.fc.weight.grad = None\n"),
    )
    assert _trained(suite, own, 6)["steps"] == 6
    start, end = own._kept["start"], own._kept["weights"]
    assert torch.equal(start["decoder.fc.weight"], end["decoder.fc.weight"])
    assert not torch.equal(start["decoder.fc.bias"], end["decoder.fc.bias"])


LOOP = (
    "    epoch_loss = {}\n    for src, trg in iterator:\n        src, trg = src.to(DEVICE), trg.to(DEVICE)\n        opt"
)


@pytest.mark.parametrize(
    "edit",
    [("def train(model, iterator,", "def trained(model, iterator,"), (LOOP.format(0), LOOP.format("undefined"))],
    ids=["missing", "raises"],
)
def test_the_suites_loop_takes_over(suite: Any, tmp_path: Path, edit: tuple[str, str]) -> None:
    modules = _notebook(tmp_path, edit)
    assert _trained(suite, modules, 6)["steps"] == 6
    assert not torch.equal(modules._kept["start"]["decoder.fc.weight"], modules._kept["weights"]["decoder.fc.weight"])


def test_a_loop_without_steps_ends(suite: Any, tmp_path: Path) -> None:
    modules = _notebook(tmp_path, ("        optimizer.step()\n", ""))
    assert _trained(suite, modules, 6)["steps"] == 0


def test_sizes_are_read_from_the_notebook(suite: Any) -> None:
    import test_training

    source = "dim = 64  # smaller\npatch_size = (8, 4)\ndepth = 0\nnum_heads = heads\nmlp_dim = 0099\n  dim = 3"
    cells = [SimpleNamespace(kind="code", source=source), SimpleNamespace(kind="markdown", source="dim = 5")]
    sizes = test_training._sizes_of(SimpleNamespace(cells=cells))
    assert sizes == {"patch_size": [8, 4], "dim": 64, "depth": 8, "num_heads": 8, "mlp_dim": 256}
