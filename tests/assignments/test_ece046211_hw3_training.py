"""The data of ece046211_hw3's training: what the worker is given, and what the judge keeps."""

import importlib
import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from grader.datasets.source import DataSource, MissingData
from grader.parsing.notebooks import read, to_notebook_text
from grader.wire.pieces import batches
from grader.worker.loading import FileSpec, Modules

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / "test_suites" / "ece046211_hw3"
REFERENCE = ROOT / "reference_solutions" / "ece046211_hw3"
STEPS = 8


@pytest.fixture(scope="module")
def tasks():
    spec = importlib.util.spec_from_file_location("ece046211_tasks", SUITE / "tasks.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def built(tasks, seed):
    return tasks.language_task(DataSource(made=True), torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def task(tasks):
    return built(tasks, 1)


def test_an_epoch_has_the_budgets_chunks(task):
    text = task.given(STEPS)["text"]
    assert text.shape == (STEPS * 35 + 1, 20)
    assert torch.equal(text, task.text[: len(text)])


def test_columns_are_stretches_of_the_text(task, tasks):
    rows = torch.arange(47)
    columns = tasks._columns(rows, 4)
    assert columns.shape == (11, 4)
    assert columns[:, 1].tolist() == list(range(11, 22))


def test_the_validation_part_is_no_part_of_the_training_text(tasks):
    text, held = tasks._columns(torch.arange(2000)[:-710], 20), tasks._columns(torch.arange(2000)[-710:], 10)
    assert held.shape == (71, 10)
    assert not set(text.flatten().tolist()) & set(held.flatten().tolist())


def test_targets_are_the_next_words(task):
    inputs = torch.cat([batch["tokens"] for batch, _ in task.batches()])
    targets = torch.cat([targets for _, targets in task.batches()])
    assert inputs.shape == targets.shape == (len(task.pieces), 35)
    assert torch.equal(inputs[:, 1:], targets[:, :-1])


def test_where_pieces_begin_is_drawn(tasks):
    numbers = torch.arange(2000)
    starts = {int(tasks._pieces(numbers, torch.Generator().manual_seed(seed))[0, 0]) % 35 for seed in range(30)}
    assert len(starts) > 15


def test_answers_stay_below_the_limit_of_a_frame(task, tasks):
    large = tasks.LanguageTask(task.name, task.text, task.validation, task.pieces, 10_000, 1.0)
    assert all(4 * batch["tokens"].numel() * 10_000 <= 60 << 20 for batch, _ in large.batches())


def test_words_are_numbered_anew_in_every_run(tasks, task):
    other = built(tasks, 2)
    assert other.vocabulary == task.vocabulary
    assert not torch.equal(other.text[:50], task.text[:50])
    assert sorted(torch.bincount(other.text.flatten()).tolist()) == sorted(torch.bincount(task.text.flatten()).tolist())


def test_the_same_stream_gives_the_same_task(tasks, task):
    again = built(tasks, 1)
    assert torch.equal(again.text, task.text)
    assert torch.equal(again.pieces, task.pieces)


def test_word_frequencies_alone_are_worse_than_the_language_allows(task):
    assert 20 < task.frequencies < task.vocabulary


def test_missing_data_say_what_to_put_where(tasks, tmp_path):
    with pytest.raises(MissingData, match=r"wiki\.train\.tokens"):
        tasks.language_task(DataSource(root=tmp_path), torch.Generator())


# --- the training probe, on the reference with edits ------------------------------------------------------------------

WORDS = 23
STEP = "        optimizer.step()\n"
BUILT = "print(model)\n"
PLAIN = "torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.95)"


@pytest.fixture
def trained(monkeypatch):
    """Train the reference, edited, for some steps on a tiny text: (modules, what the probe returned)."""
    monkeypatch.syspath_prepend(str(SUITE))
    before = set(sys.modules)
    demands, saved = importlib.import_module("demands"), importlib.import_module("saved")
    probe = importlib.import_module("training_probes").train_language_model

    def train(steps, *edits):
        text = (REFERENCE / "ece046211_hw3.py").read_text(encoding="utf-8")
        for find, replacement in edits:
            assert text.count(find) == 1
            text = text.replace(find, replacement)
        spec = FileSpec(id="notebook", path="ece046211_hw3.py", expected="ece046211_hw3.ipynb", kind="notebook")
        modules = Modules(REFERENCE, [spec], sources={spec.path: text})
        draw = torch.Generator().manual_seed(3)
        given = {"text": torch.randint(WORDS, (71, 20), generator=draw), "validation": torch.arange(710).view(71, 10)}
        for batch in batches({**given, "validation": given["validation"] % WORDS}):
            modules.give("data", batch, last=False)
        modules.give("data", [], last=True)
        cells = demands.sources(demands.model_cells(saved.Saved(read(to_notebook_text(text), "x.ipynb"))))
        return modules, probe(modules, steps=steps, words=WORDS, cells=cells)

    yield train
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(SUITE)):
            del sys.modules[name]


def moved(modules):
    start, weights = modules._kept["start"], modules._kept["weights"]
    return not torch.equal(start["decoder.weight"], weights["decoder.weight"])


def test_epochs_go_on_until_the_budget_is_spent(trained):
    modules, found = trained(5)
    assert (found["steps"], found["epochs"]) == (5, 3), "an epoch of this text has two chunks"
    assert moved(modules)


def test_a_train_that_makes_no_step_comes_to_an_end(trained):
    modules, found = trained(5, (STEP, ""))
    assert (found["steps"], found["epochs"]) == (0, 1)
    assert not moved(modules)


def test_a_cell_that_builds_the_model_and_trains_it_is_stopped(trained):
    """Its own training would take the whole time; the budget is for the training that is counted."""
    loop = BUILT + "while True:\n    optimizer.step()\n"
    assert trained(3, (BUILT, loop))[1]["steps"] == 3


def test_a_scheduler_may_ask_for_the_validation_loss(trained):
    plateau = "torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)"
    assert trained(3, (PLAIN, plateau))[1]["epochs"] == 2


def test_the_students_own_rate_is_used(trained):
    slow, _ = trained(1, ("lr = 2.5", "lr = 5e-3"))
    fast, _ = trained(1, ("lr = 2.5", "lr = 5.0"))
    changes = [(m._kept["weights"]["decoder.weight"] - m._kept["start"]["decoder.weight"]).norm() for m in (slow, fast)]
    assert changes[1] > 100 * changes[0] > 0


def test_the_size_of_the_vocabulary_may_be_written_down(trained):
    modules, found = trained(2, ("ntokens = len(vocab)", "ntokens = 40"))
    assert found["steps"] == 2
    assert modules._kept["weights"]["decoder.weight"].shape[0] == 40
