"""Training probes: the student's model learns in one worker and answers in others.

The notebooks' own `train` functions do the work, on loaders that yield batches until the budget of steps is spent.
In hw4_rnn students write `train`; in the other notebooks it is given, so the suite's loop takes over where it is
missing or fails (students had to repair given cells). Sizes, optimiser and rate are the suite's.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from building import constant_randomness
from checkpoints import UnusableCheckpoint, load_into, read_weights
from pixels import normalised, whitened
from recurrent import construct
from stand_ins import ProgressBar, Scheduler
from torch import Tensor, nn
from translation import seq2seq_file

MAX_EPOCHS = 1000


class Shuffled:
    """Stands in for a DataLoader: every pass yields all rows in a new order, in batches made by `batch_of`."""

    def __init__(self, rows: int, batch_size: int, batch_of: Callable[[Tensor], tuple[Tensor, ...]]) -> None:
        self.batch_size = batch_size
        self.dataset = range(rows)
        self._batch_of = batch_of

    def __len__(self) -> int:
        return max(1, len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        order = torch.randperm(len(self.dataset))
        for number in range(len(self)):
            yield self._batch_of(order[number * self.batch_size : (number + 1) * self.batch_size])


def _epochs(modules: Any, steps: int, epoch: Callable[[], object]) -> int:
    """Epochs until the budget is spent, or until one makes no step at all. Returns the number of steps."""
    with modules.counting(limit=steps, every=max(1, steps // 60)) as counter:
        for _ in range(MAX_EPOCHS):
            before = counter.steps
            epoch()
            if counter.steps == before:
                break
    return int(counter.steps)


def _own_or_given(own: Callable[[], object] | None, given: Callable[[], object]) -> Callable[[], object]:
    """The notebook's training function, and the suite's from the first time on that the other one fails."""
    state = {"own": own}

    def epoch() -> None:
        if state["own"] is not None:
            try:
                state["own"]()
                return
            except Exception:
                state["own"] = None
        given()

    return epoch


def _named(file: Any, name: str) -> Any:
    """A function of the notebook, or None where it has none."""
    try:
        return getattr(file, name)
    except Exception:
        return None


def _scheduled(optimiser: torch.optim.Optimizer, steps: int) -> torch.optim.Optimizer:
    """The optimiser with a rate that rises over the first twentieth of the steps and falls along half a cosine."""
    warm = max(1, steps // 20)

    def factor(step: int) -> float:
        share = min(1.0, max(0, step - warm) / max(1, steps - warm))
        return min(1.0, (step + 1) / warm) * (0.05 + 0.475 * (1 + math.cos(math.pi * share)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, factor)
    optimiser.register_step_post_hook(lambda *_: schedule.step())
    return optimiser


def _filled(modules: Any, build: Callable[[], Any]) -> Any:
    """The trained model in evaluation mode, built once for a worker."""

    def filled() -> Any:
        model = build()
        model.load_state_dict(modules.given_weights())
        return model.eval()

    return modules.cached("model", filled)


def _parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


# --- hw4_rnn ----------------------------------------------------------------------------------------------------


def train_rnn(
    modules: Any, *, steps: int, vocabulary: int, classes: int, size: int, hidden: int, batch: int, rate: float
) -> dict[str, object]:
    """The student's RNN by the student's `train`, with Adam behind the scheduler's methods."""
    file, model = _classifier(modules, vocabulary, classes, size, hidden)
    modules.keep_start(model.state_dict())
    given = modules.given
    tokens, offsets, labels = given["tokens"], given["offsets"], given["labels"]

    def batch_of(rows: Tensor) -> tuple[Tensor, ...]:
        return _cut_to_average(tokens, offsets, labels, rows)

    loader = Shuffled(len(labels), batch, batch_of)
    scheduler = Scheduler(_scheduled(torch.optim.Adam(model.parameters(), lr=rate), steps))  # type: ignore[arg-type]
    file.provide(tqdm=ProgressBar)
    file.provide_missing(epoch=1, writer=ProgressBar())
    made = _epochs(modules, steps, lambda: file.train(model, loader, scheduler))
    modules.keep(model.state_dict())
    return {"steps": made, "parameters": _parameters(model)}


def _classifier(modules: Any, vocabulary: int, classes: int, size: int, hidden: int) -> tuple[Any, Any]:
    file, device = modules["rnn"], torch.device(modules.device)
    file.provide(DEVICE=device, device=device)
    sizes = {"vocab": vocabulary, "input": size, "hidden": hidden, "classes": classes}
    return file, construct(file.RNN, sizes, 0.1).to(device)


def _cut_to_average(tokens: Tensor, offsets: Tensor, labels: Tensor, rows: Tensor) -> tuple[Tensor, ...]:
    """(text (L, B), label (B,), length (B,)) as collate_batch makes them, L being the average length."""
    starts, lengths = offsets[rows], offsets[rows + 1] - offsets[rows]
    steps = max(1, int(lengths.sum()) // len(rows))
    places = torch.arange(steps)[:, None]
    text = tokens[(starts + places).clamp_max(len(tokens) - 1)] * (places < lengths)
    return text, labels[rows], lengths.clamp(1, steps)


def predict_rnn(
    modules: Any,
    texts: Tensor,
    lengths: Tensor,
    *,
    vocabulary: int,
    classes: int,
    size: int,
    hidden: int,
) -> dict[str, object]:
    """The probabilities of the classes. The first state, drawn at random in training, is zero: calls can be compared.

    What counts and what is examined must be asked for alike, or a model could behave where it is examined.
    """
    model = _filled(modules, lambda: _classifier(modules, vocabulary, classes, size, hidden)[1])
    device = torch.device(modules.device)
    with torch.no_grad(), constant_randomness():
        out = model(texts.t().to(device), lengths.to(device))
    return {"logits": out.cpu()}


# --- hw4_seq2seq ------------------------------------------------------------------------------------------------


def train_seq2seq(
    modules: Any,
    *,
    steps: int,
    inputs: int,
    outputs: int,
    length: int,
    hidden: int,
    batch: int,
    rate: float,
    dropout: float,
) -> dict[str, object]:
    """The student's three classes by the notebook's `train`: cross-entropy over all but PAD, gradients clipped at 1."""
    file, model = _translator(modules, inputs, outputs, length, hidden, dropout)
    modules.keep_start(model.state_dict())
    src, trg = (modules.given[name].to(modules.device) for name in ("src", "trg"))
    loader = Shuffled(len(src), batch, lambda rows: (src[rows], trg[rows]))
    optimiser = _scheduled(torch.optim.AdamW(model.parameters(), lr=rate), steps)
    loss_of = nn.CrossEntropyLoss(ignore_index=outputs - 1)

    def given() -> None:
        model.train()
        for source, target in loader:
            optimiser.zero_grad()
            loss_of(model(source, target), target).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1)
            optimiser.step()

    own = _named(file, "train")
    epoch = _own_or_given(own and (lambda: own(model, loader, optimiser, loss_of, 1)), given)
    made = _epochs(modules, steps, epoch)
    modules.keep(model.state_dict())
    return {"steps": made, "parameters": _parameters(model)}


def _translator(modules: Any, inputs: int, outputs: int, length: int, hidden: int, dropout: float) -> tuple[Any, Any]:
    file, device = seq2seq_file(modules, outputs, length, hidden), torch.device(modules.device)
    dataset = file.dataset
    dataset.input_lang = type("Lang", (), {"n_words": inputs})()
    dataset.input_lang_pad = inputs - 1
    file.provide(DEVICE=device, device=device, in_dim=inputs, dropout=dropout, tqdm=ProgressBar)
    return file, file.LSTMSeq2Seq(inputs, outputs, hidden, hidden, device, dropout).to(device)


def predict_seq2seq(
    modules: Any,
    src: Tensor,
    words: Tensor,
    *,
    inputs: int,
    outputs: int,
    length: int,
    hidden: int,
    dropout: float,
) -> dict[str, object]:
    """The scores (N, L - 1, V) of `words` (N, L - 1), and "first" (N, 1, V), where SOS stands.

    Coins are constant, so that two calls can be compared and whoever tosses one feeds the targets.
    """
    model = _filled(modules, lambda: _translator(modules, inputs, outputs, length, hidden, dropout)[1])
    device = modules.device
    target = torch.cat([torch.zeros_like(words[:, :1]), words], dim=1)  # SOS is 0
    with torch.no_grad(), constant_randomness():
        out = model(src.to(device), target.to(device)).transpose(1, 2)
    return {"first": out[:, :1].contiguous().cpu(), "logits": out[:, 1:].contiguous().cpu()}


# --- hw4_vit ----------------------------------------------------------------------------------------------------


def train_vit(
    modules: Any,
    *,
    steps: int,
    batch: int,
    rate: float,
    sizes: Mapping[str, Any],
    whiten: Mapping[str, Tensor],
    mirror: bool,
) -> dict[str, object]:
    """The student's ViT by the notebook's `train`; images are whitened, and mirrored where that keeps classes."""
    file, model = _vision(modules, sizes)
    modules.keep_start(model.state_dict())
    images, labels = (modules.given[name].to(modules.device) for name in ("images", "labels"))

    def batch_of(rows: Tensor) -> tuple[Tensor, ...]:
        chosen = images[rows]
        mirrored = (torch.rand(len(rows), 1, 1, 1, device=chosen.device) < 0.5) & mirror
        return whitened(torch.where(mirrored, chosen.flip(3), chosen), whiten), labels[rows]

    loader = Shuffled(len(labels), batch, batch_of)
    optimiser = _scheduled(torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.05), steps)
    loss_of = nn.CrossEntropyLoss()

    def given() -> None:
        model.train()
        for image, label in loader:
            optimiser.zero_grad()
            loss_of(model(image), label).backward()
            optimiser.step()

    own, device = _named(file, "train"), torch.device(modules.device)
    arguments = (model, loader, optimiser, loss_of, device)
    epoch = _own_or_given(own and (lambda: own(*arguments[: len(inspect.signature(own).parameters)])), given)
    made = _epochs(modules, steps, epoch)
    modules.keep(model.state_dict())
    return {"steps": made, "parameters": _parameters(model)}


def _vision(modules: Any, sizes: Mapping[str, Any]) -> tuple[Any, Any]:
    file, device = modules["vit"], torch.device(modules.device)
    file.provide(DEVICE=device, device=device, tqdm=ProgressBar)
    sizes = {name: tuple(value) if isinstance(value, list) else value for name, value in sizes.items()}
    return file, file.ViT(**sizes).to(device)


def predict_vit(
    modules: Any, images: Tensor, *, sizes: Mapping[str, Any], whiten: Mapping[str, Tensor]
) -> dict[str, object]:
    """The scores of the classes."""
    model = _filled(modules, lambda: _vision(modules, sizes)[1])
    with torch.no_grad():
        return {"logits": model(whitened(images.to(modules.device), whiten)).cpu()}


def predict_checkpoint(modules: Any, images: Tensor, *, path: str, sizes: Mapping[str, Any]) -> dict[str, object]:
    """The scores of the notebook's ViT with the weights handed in at `path`; or in words why they cannot be used."""

    def filled() -> Any:
        weights = read_weights(modules.path(path))
        model = _for_weights(modules, sizes)
        load_into(model, weights, path)
        return model.eval()

    try:
        model = modules.cached("model", filled)
    except UnusableCheckpoint as trouble:
        return {"trouble": str(trouble)}
    with torch.no_grad():
        scores = model(normalised(images.to(modules.device)))
    return {"logits": scores.cpu(), "trouble": ""}


def _for_weights(modules: Any, sizes: Mapping[str, Any]) -> Any:
    """The ViT of the notebook's own sizes. Raises UnusableCheckpoint: a training here takes others, and may succeed."""
    try:
        return _vision(modules, sizes)[1]
    except ImportError:
        raise  # of the worker, not of the sizes
    except Exception as error:
        text = f"{type(error).__name__}: {error}".split("\n")[0][:200]
        raise UnusableCheckpoint(f"a ViT of the notebook's sizes cannot be built ({text})") from error
