"""Stand-ins: the interface of what students write, weights drawn by the judge, and another computation.

A part that calls another part is checked on these, so that one mistake costs one item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from building import batch_first, flat, leaves, rebuilt
from torch import Tensor, nn

# --- hw4_rnn: a model, a loader and a scheduler for train and evaluate ------------------------------------------


class Count(int):
    """A whole number that also has `item()`, because some loops expect a tensor."""

    def item(self) -> int:
        """The number."""
        return int(self)


class BagClassifier(nn.Module):
    """Stands in for RNN: class scores are summed over the valid tokens. Learns, and behaves otherwise in training."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = nn.Parameter(table)  # (V, C)
        self.num_class = table.shape[1]
        self.modes: list[bool] = []
        self.losses: list[tuple[float, int]] = []

    def forward(self, inputs: Tensor, length: Tensor) -> Tensor:
        """(L, B), (B,) -> (B, C) probabilities"""
        self.modes.append(self.training)
        valid = torch.arange(len(inputs))[:, None] < length  # (L, B)
        # Scores are small and steps are large, so that clipping gradients (some loops do) changes nothing.
        scores = 0.01 * (self.table[inputs] * valid[:, :, None]).sum(0)
        return torch.softmax(scores * (1.5 if self.training else 1.0), dim=1)

    def compute_loss(self, prediction: Tensor, label: Tensor) -> tuple[Tensor, Count]:
        """(mean loss, number of right ones). The loss is a little more than the usual one, so that its use shows."""
        chosen = prediction[torch.arange(len(label)), label]
        loss = (chosen.log().neg() + 0.25 * (1 - chosen) ** 2).mean()
        self.losses.append((loss.item(), len(label)))
        return loss, Count((prediction.argmax(1) == label).sum())


class Batches:
    """Stands in for a DataLoader: the batches, and `dataset` with the number of examples."""

    def __init__(self, batches: Sequence[tuple[Tensor, Tensor, Tensor]]) -> None:
        self._batches = list(batches)
        self.dataset = range(sum(len(label) for _, label, _ in self._batches))
        self.batch_size = len(self._batches[0][1])

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        return iter([(text.clone(), label.clone(), length.clone()) for text, label, length in self._batches])


class Descent:
    """Stands in for an optimiser: plain gradient descent, without the second that importing torch.optim takes."""

    def __init__(self, parameters: Iterator[nn.Parameter], rate: float) -> None:
        self.param_groups: list[dict[str, Any]] = [{"params": list(parameters), "lr": rate}]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for parameter in self.param_groups[0]["params"]:
            parameter.grad = None

    def step(self) -> None:
        """One step down the gradients."""
        with torch.no_grad():
            for parameter in self.param_groups[0]["params"]:
                if parameter.grad is not None:
                    parameter.sub_(self.param_groups[0]["lr"] * parameter.grad)


class Scheduler:
    """Stands in for ScheduledOptim: the same methods; `update` leaves the learning rate as it is and is counted."""

    def __init__(self, optimizer: Descent) -> None:
        self._optimizer = optimizer
        self.optimizer = optimizer
        self.current_lr = self.initial_lr = float(optimizer.param_groups[0]["lr"])
        self.n_steps = self.updates = 0

    def zero_grad(self) -> None:
        """Of the optimiser."""
        self._optimizer.zero_grad()

    def step(self) -> None:
        """Of the optimiser."""
        self._optimizer.step()

    def get_lr(self) -> float:
        """The learning rate."""
        return self.current_lr

    def update(self) -> None:
        """Nothing but counting."""
        self.updates += 1
        self.n_steps += 1


class ProgressBar:
    """Stands in for tqdm: hands on what it is given; every other method exists and does nothing."""

    def __init__(self, iterable: Any = (), *_: object, **__: object) -> None:
        self._iterable = iterable

    def __iter__(self) -> Iterator[Any]:
        return iter(self._iterable)

    def __len__(self) -> int:
        return len(self._iterable)

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


class Vocabulary:
    """Stands in for a torchtext vocabulary over the words w1, w2, …; `<unk>`, and whatever is unknown, is 0."""

    def __call__(self, words: Sequence[str]) -> list[int]:
        return [self[word] for word in words]

    def __getitem__(self, word: str) -> int:
        return int(word[1:]) if word[:1] == "w" and word[1:].isdigit() else 0

    def __contains__(self, word: str) -> bool:
        return self[word] > 0

    def __len__(self) -> int:
        return 1000

    def get_stoi(self) -> Mapping[str, int]:
        """Words to numbers."""
        return {"<unk>": 0} | {f"w{number}": number for number in range(1, 1000)}

    @property
    def stoi(self) -> Mapping[str, int]:
        """As vocabularies before torchtext 0.9 had it; so with `itos`."""
        return self.get_stoi()

    @property
    def itos(self) -> list[str]:
        return list(self.get_stoi())

    def get_itos(self) -> list[str]:
        """The words in the order of their numbers."""
        return list(self.get_stoi())

    def lookup_indices(self, words: Sequence[str]) -> list[int]:
        """Words to numbers."""
        return self(words)


# --- hw4_seq2seq: encoder and decoder ---------------------------------------------------------------------------


class StandInEncoder(nn.Module):
    """Stands in for LSTMEncoder and returns its results in the form in which the student's own encoder returns them."""

    def __init__(self, table: Tensor, own: nn.Module, nested: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(*table.shape)
        self.embedding.weight = nn.Parameter(table)  # (V, H)
        self.__dict__["_own"] = own
        self._nested = nested

    def forward(self, input: Tensor, hidden: Tensor, cell: Tensor) -> object:
        """(B, L), (1, B, H), (1, B, H) -> the states of all steps and the last ones"""
        batch, length = input.shape
        size = self.embedding.weight.shape[1]
        ramp = torch.linspace(0.5, 1.5, length)[:, None]
        states = torch.sin(self.embedding(input) * ramp + hidden.reshape(batch, 1, size))  # (B, L, H)
        last = states.mean(1)[None]  # (1, B, H)
        other = torch.cos(states.sum(1))[None] + cell.reshape(1, batch, size)
        form = _result_of(self._own, (input, hidden, cell))
        if form is None:
            return (states, (last, other)) if self._nested else (states, last, other)
        small = iter((last, other, *[last] * 8))

        def fill(leaf: Tensor) -> object:
            if batch_first(leaf, batch, length, size) is not None and (length > 1 or leaf.shape[0] == batch != 1):
                return _like(states, leaf, batch, length, size)
            return next(small).reshape(leaf.shape) if leaf.numel() == last.numel() else leaf

        return rebuilt(form, fill)


class StandInDecoder(nn.Module):
    """Stands in for AttnLSTMDecoder; `enc_hiddens` may have any order of dimensions."""

    def __init__(self, weights: Mapping[str, Tensor], own: nn.Module, nested: bool) -> None:
        super().__init__()
        self.enc_hiddens: Tensor | None = None
        self.dropout = 0.0
        self.t = 0
        table, mix = weights["table"], weights["mix"]
        self.embedding = nn.Embedding(*table.shape)
        self.embedding.weight = nn.Parameter(table)  # (V, H)
        self.mix = nn.Parameter(mix)  # (H, H)
        self.classifier = nn.Linear(mix.shape[0], len(table), bias=False)
        self.classifier.weight = nn.Parameter(weights["classifier"])  # (V, H)
        self.__dict__["_own"] = own
        self._nested = nested

    def forward(self, input: Tensor, hidden: Tensor, cell: Tensor) -> object:
        """(B, 1), (B, H), (1, B, H) -> scores, hidden, cell"""
        size = len(self.mix)
        token = input.reshape(-1)
        batch = len(token)
        before = hidden.reshape(batch, size)
        assert self.enc_hiddens is not None, "LSTMSeq2Seq has to set decoder.enc_hiddens before it calls the decoder"
        length = self.enc_hiddens.numel() // (batch * size)
        seen = batch_first(self.enc_hiddens, batch, length, size)
        assert seen is not None, f"decoder.enc_hiddens has shape {tuple(self.enc_hiddens.shape)}, expected (B, L, H)"
        ramp = torch.linspace(1.0, -0.6, length)[None, :, None]
        state = torch.tanh(self.embedding(token) + before @ self.mix + (seen * ramp).sum(1))  # (B, H)
        other = torch.sin(0.5 * cell.reshape(batch, size) + state)
        scores = self.classifier(state)  # (B, V)
        self._own.enc_hiddens = self.enc_hiddens
        form = _result_of(self._own, (input, hidden, cell))
        if form is None:
            states = (state.reshape(hidden.shape), other.reshape(cell.shape))
            return (scores, states) if self._nested else (scores, *states)
        return rebuilt(form, _decoder_filler(leaves(form), scores, state, other))


def _decoder_filler(form: Sequence[Tensor], scores: Tensor, state: Tensor, other: Tensor) -> Callable[[Tensor], Tensor]:
    """What each tensor of the student's own result stands for: scores by their size, then output, hidden, cell."""
    batch, size = state.shape
    count = sum(flat(leaf, batch, size) is not None for leaf in form)
    states = iter((state, other) if count < 3 else (state, state, other, *[state] * count))

    def fill(leaf: Tensor) -> Tensor:
        if flat(leaf, batch, scores.shape[1]) is not None:
            return scores.reshape(leaf.shape)
        return next(states).reshape(leaf.shape) if flat(leaf, batch, size) is not None else leaf

    return fill


def _result_of(own: nn.Module, arguments: Sequence[Tensor]) -> object | None:
    """The form of what the student's own module returns; None when it fails or returns no tensor."""
    try:
        with torch.no_grad():
            result = own(*arguments)
    except Exception:
        return None
    return result if leaves(result) else None


def _like(states: Tensor, leaf: Tensor, batch: int, length: int, size: int) -> Tensor:
    if tuple(leaf.shape) == (batch, length, size):
        return states
    return states.transpose(0, 1) if tuple(leaf.shape) == (length, batch, size) else states.transpose(1, 2)


# --- hw4_vit: patches, attention and block ----------------------------------------------------------------------


def stand_in_attention(mix: Tensor) -> type[nn.Module]:
    """A class in place of Attention: every token looks at itself and at the mean of all."""

    class StandInAttention(nn.Module):
        def __init__(self, dim: int, num_heads: int = 1, dropout: float = 0.0, *_: object, **__: object) -> None:
            super().__init__()
            self.dim, self.num_heads = dim, num_heads

        def forward(self, x: Tensor) -> Tensor:
            return torch.tanh(x @ mix) + 0.5 * x.mean(1, keepdim=True)

    return StandInAttention


def stand_in_patches(mix: Tensor) -> type[nn.Module]:
    """A class in place of Patchification: a sine of each patch's pixels, mixed."""

    class StandInPatches(nn.Module):
        def __init__(self, in_channels: int, patch_size: Sequence[int], embedding_dim: int, *_: object) -> None:
            super().__init__()
            self.patch_size = tuple(patch_size)

        def forward(self, x: Tensor) -> Tensor:
            (rows, columns), (height, width) = self.patch_size, x.shape[2:]
            cut = x.reshape(len(x), x.shape[1], height // rows, rows, width // columns, columns)
            return torch.sin(cut.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)) @ mix

    return StandInPatches


def stand_in_blocks(mixes: Sequence[Tensor]) -> type[nn.Module]:
    """A class in place of Block; the first one that is made uses the first matrix, and so on."""
    made: list[nn.Module] = []

    class StandInBlock(nn.Module):
        def __init__(self, *_: object, **__: object) -> None:
            super().__init__()
            made.append(self)
            self.__dict__["mix"] = mixes[(len(made) - 1) % len(mixes)]

        def forward(self, x: Tensor) -> Tensor:
            return x + torch.tanh(x @ self.mix) + 0.3 * x.flip(1).cumsum(1)

    return StandInBlock
