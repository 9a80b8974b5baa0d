"""The trainings of cs7643_a4: the sentences as the notebook prepares them, and the loop of its training."""

from pathlib import Path

import pytest
import torch
from suite_modules import modules_of

from grader.datasets.source import DataSource, MissingData
from grader.wire.pieces import batches
from grader.worker.loading import FileSpec, Modules

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / "test_suites" / "cs7643_a4"
MADE = DataSource(made=True)
SMALL = {"source_words": 9, "target_words": 9, "length": 6, "width": 8, "feedforward": 8}
KINDS = ("rnn", "lstm_attention", "encoder", "full")
PAD = 1


@pytest.fixture
def suite(monkeypatch):
    """Import a module of the suite; its name is free again afterwards, other suites have modules of the same one."""
    with modules_of(SUITE, monkeypatch) as load:
        yield load


def stream(seed):
    return torch.Generator().manual_seed(seed)


def multi30k_below(folder, german, english):
    """A tiny Multi30k: the same sentences in every split."""
    place = folder / "multi30k"
    place.mkdir()
    for split in ("train", "val", "test_2016_flickr"):
        for language, lines in (("de", german), ("en", english)):
            (place / f"{split}.{language}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return DataSource(root=folder)


def test_sentences_are_framed_padded_and_filtered(suite, tmp_path):
    tasks = suite("tasks")
    long = " ".join(["und"] * 19)
    german, english = ["Ein Hund.", "Ein Hund rennt.", long], ["A dog.", "A dog runs.", "and"]
    task = tasks.translation_task(multi30k_below(tmp_path, german, english), stream(3))
    assert task.length == 2 + 4
    assert len(task.train["source"]) == len(task.inputs) == 2
    assert set(task.inputs[:, 0].tolist()) == {tasks.START}
    # "ein", "hund", "." are seen twice and "und" nineteen times; "rennt" is seen once.
    assert task.source_words == len(tasks.SPECIALS) + 4
    second = task.inputs[1].tolist()
    assert second[3] == tasks.UNKNOWN
    assert second[5] == tasks.END
    assert task.inputs[0].tolist()[4:] == [tasks.END, tasks.PAD]
    assert task.labels[0, 3] == task.labels[1, 4]


def test_every_run_numbers_the_words_in_its_own_way(suite):
    tasks = suite("tasks")
    first, second = (tasks.translation_task(MADE, stream(seed)) for seed in (1, 2))
    assert first.classes == second.classes
    assert not torch.equal(first.labels, second.labels)
    assert torch.equal(first.labels == tasks.PAD, second.labels == tasks.PAD)


def test_no_made_sentence_is_both_learnt_and_measured(suite):
    learnt, unseen = suite("tasks").made_sentences()
    assert not {tuple(source) for source, _ in learnt} & {tuple(source) for source, _ in unseen}
    assert len(unseen) == suite("tasks").UNSEEN


def test_missing_data_is_said(suite, tmp_path):
    with pytest.raises(MissingData, match="Multi30k"):
        suite("tasks").translation_task(DataSource(root=tmp_path), stream(1))


@pytest.fixture
def modules():
    """The reference as a submission."""
    paths = {
        "encoder": "models/seq2seq/Encoder.py",
        "decoder": "models/seq2seq/Decoder.py",
        "seq2seq": "models/seq2seq/Seq2Seq.py",
        "transformer": "models/Transformer.py",
    }
    files = [FileSpec(id=name, path=path, expected=path) for name, path in paths.items()]
    return Modules(ROOT / "reference_solutions" / "cs7643_a4", files)


def hand_over(modules, place, tensors):
    pieces = list(batches(tensors))
    for number, batch in enumerate(pieces, 1):
        modules.give(place, batch, number == len(pieces))


def given(rows):
    source = torch.randint(4, 9, (rows, 6))
    source[:, 0] = 2
    source[::2, 4:] = 1
    return {"source": source, "target": source.flip(0)}


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_counts_the_start_and_not_the_padding(suite, modules, kind):
    """The first loss, computed by hand: target word t at position t, the mean over all words that are no padding."""
    probes = suite("training_probes")
    data = given(4)
    hand_over(modules, "data", data)
    losses = []
    modules.on_progress = lambda step, values: losses.append((step, values["loss"]))
    torch.manual_seed(5)
    answer = probes.train_translator(modules, kind=kind, steps=3, batch=4, rate=1e-3, **SMALL)
    torch.manual_seed(5)
    net = probes.build_translator(modules, kind=kind, **SMALL).train()
    scores = net(data["source"], data["target"]) if kind == "full" else net(data["source"])
    chosen = scores.log_softmax(dim=2).gather(2, data["target"].unsqueeze(2)).squeeze(2)
    assert losses[0] == (1, pytest.approx(-chosen[data["target"] != PAD].mean().item(), rel=1e-5))
    assert [step for step, _ in losses] == [1, 2, 3]
    assert answer == {"steps": 3, "parameters": sum(parameter.numel() for parameter in net.parameters())}


def test_batches_go_round_and_round(suite, modules):
    """Three batches of two from three sentences are those of the double set, in order."""
    probes = suite("training_probes")
    data = given(3)
    kept = []
    for rows in (data, {name: torch.cat((tensor, tensor)) for name, tensor in data.items()}):
        hand_over(modules, "data", rows)
        torch.manual_seed(5)
        probes.train_translator(modules, kind="encoder", steps=3, batch=2, rate=1e-2, **SMALL)
        kept.append(modules._kept["weights"]["embeddingL.weight"])
    assert torch.equal(*kept)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("kind", KINDS)
def test_predictions_are_those_of_the_kept_weights(suite, modules, kind):
    probes = suite("training_probes")
    net = probes.build_translator(modules, kind=kind, **SMALL).eval()
    hand_over(modules, "weights", net.state_dict())
    data = given(4)
    inputs = data if kind == "full" else {"source": data["source"]}
    with torch.no_grad():
        expected = net(*inputs.values())
    logits = probes.predict_translator(modules, kind=kind, **SMALL, **inputs)["logits"]
    assert torch.allclose(logits, expected, atol=1e-6)
