"""The trainings of ift6135_a2: what a worker is sent, how a network is called, and what a table of labels is worth."""

import csv
from pathlib import Path

import pytest
import torch
import yaml
from suite_modules import modules_of

from grader.datasets.source import DataSource
from grader.datasets.vocabulary import Vocabulary

SUITE = Path(__file__).parents[2] / "test_suites" / "ift6135_a2"
MADE = DataSource(made=True)


@pytest.fixture
def suite(monkeypatch):
    """Import a module of the suite; its name is free again afterwards, other suites have modules of the same one."""
    with modules_of(SUITE, monkeypatch) as load:
        yield load


def stream(seed):
    return torch.Generator().manual_seed(seed)


def test_every_run_numbers_pieces_and_classes_in_its_own_way(suite):
    tasks = suite("tasks")
    first, second = (tasks.reviews_task(MADE, stream(seed)) for seed in (1, 2))
    assert first.vocabulary == second.vocabulary
    assert sorted(first.held_out["lengths"].tolist()) == sorted(second.held_out["lengths"].tolist())
    known = {tuple(row) for row in first.held_out["tokens"].tolist()}
    assert not known & {tuple(row) for row in second.held_out["tokens"].tolist()}


def test_padding_stands_behind_the_review_and_nowhere_else(suite):
    tasks = suite("tasks")
    task = tasks.reviews_task(MADE, stream(1))
    for rows in (task.train, task.held_out):
        within = torch.arange(tasks.MADE_LENGTH) < rows["lengths"][:, None]
        assert torch.equal(rows["tokens"] != 0, within)
    assert len(task.train["part_labels"]) == tasks.PART
    assert set(task.train["labels"].tolist()) == set(range(task.classes))


def test_a_bert_vocabulary_beside_the_data_is_used(suite, tmp_path):
    (tmp_path / "yelp_polarity").mkdir()
    (tmp_path / "bert").mkdir()
    for split in ("train", "test"):
        with (tmp_path / "yelp_polarity" / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows([(1 + n % 2, "so good") for n in range(320)])
    pieces = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "so", "go", "##od"]
    (tmp_path / "bert" / "vocab.txt").write_text("\n".join(pieces) + "\n")
    task = suite("tasks").reviews_task(DataSource(root=tmp_path), stream(1))
    assert task.vocabulary == len(pieces)
    assert task.held_out["tokens"].shape == (320, 256)
    assert task.held_out["lengths"].tolist() == [5] * 320


class Pooling(torch.nn.Module):
    """A network that runs on masks and sequences of certain lengths only."""

    def __init__(self, takes):
        super().__init__()
        self.takes = takes

    def forward(self, tokens, mask=None):
        if not self.takes(tokens.shape[1], None if mask is None else mask.shape[1]):
            raise RuntimeError("size mismatch")
        return tokens.float().mean(1, keepdim=True)


@pytest.mark.parametrize(
    ("takes", "form", "full"),
    [
        (lambda length, mask: mask == length + 1, "mask with the CLS column", False),
        (lambda length, mask: mask == length, "mask", False),
        (lambda length, mask: mask is None, "no mask", False),
        (lambda length, mask: (length, mask) == (256, 257), "mask with the CLS column", True),
        (lambda length, mask: (length, mask) == (256, 256), "mask", True),
    ],
)
def test_the_network_is_called_in_the_form_that_it_takes(suite, takes, form, full):
    probes = suite("training_probes")
    model = probes.Classifier(Pooling(takes), 1, 2, "mask")
    tokens = torch.ones(2, 12, dtype=torch.long)
    forms = ["mask with the CLS column", "mask", "no mask"]
    tries = [(form, full) for full in (False, True) for form in forms]
    probes.first_that_runs(model, tries, lambda: model(tokens, torch.ones_like(tokens)))
    assert (model.form, model.full_length) == (form, full)


def test_a_network_that_never_runs_tells_its_first_error(suite):
    probes = suite("training_probes")
    model = probes.Classifier(Pooling(lambda *_: False), 1, 2, "mask")
    tokens = torch.ones(2, 12, dtype=torch.long)
    with pytest.raises(RuntimeError, match="size mismatch"):
        probes.first_that_runs(model, [("mask", False), ("no mask", False)], lambda: model(tokens, tokens))


def looked_up(tokens):
    """What the kept submission with a table of labels says of reviews: 1, -1, or 0 where it does not know."""
    text = (SUITE / "submissions" / "wrong" / "labels_looked_up.yaml").read_text()
    table = yaml.safe_load(text)["edits"][0]["replace"]
    space: dict = {"torch": torch}
    exec(table.replace("import torch.nn as nn", ""), space)
    return torch.tensor([space["opinion"](row) for row in tokens.tolist()])


def test_a_table_of_labels_knows_every_review_in_the_public_numbering_and_none_in_a_run(suite, monkeypatch):
    """The kept cheat is a real one: without the numbering of the run it would be right on every held-out review."""
    tasks = suite("tasks")
    task = tasks.reviews_task(MADE, stream(1))
    assert not looked_up(task.held_out["tokens"]).any()
    monkeypatch.setattr(Vocabulary, "relabelled", lambda self, draw: self)
    task = tasks.reviews_task(MADE, stream(1))
    found = looked_up(task.held_out["tokens"]) > 0
    right = (found == task.held_out["labels"].bool()).float().mean().item()
    assert max(right, 1 - right) > 0.99  # the classes may be exchanged, which the classifier learns
