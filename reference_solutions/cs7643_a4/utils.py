"""Given: training, evaluation, seeds, plots, and the reading of sentence pairs. Nothing to do in this file.

The letters of the shapes: N sentences of a batch, T words of a sentence, V words of the target vocabulary.
"""

import random
import re
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

UNK, PAD, SOS, EOS = 0, 1, 2, 3
SPECIALS = ("<unk>", "<pad>", "<sos>", "<eos>")


def set_seed(seed=0):
    """Seed every generator."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def train(model, dataloader, optimizer, criterion, scheduler=None, device="cpu"):
    """One epoch over batches `(source, target)` of shape (T, N). Returns the summed and the mean loss.

    The scheduler, if given, is stepped by the caller's rule on the summed loss.
    """
    model.train()
    total = 0.0
    for source, target in dataloader:
        optimizer.zero_grad()
        loss = _loss(model, source.transpose(0, 1).to(device), target.transpose(0, 1).to(device), criterion)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        total += loss.item()
    if scheduler is not None:
        scheduler.step(total)
    return total, total / len(dataloader)


def evaluate(model, dataloader, criterion, device="cpu"):
    """The summed and the mean loss over batches `(source, target)` of shape (T, N)."""
    model.eval()
    total = 0.0
    with torch.no_grad():
        for source, target in dataloader:
            loss = _loss(model, source.transpose(0, 1).to(device), target.transpose(0, 1).to(device), criterion)
            total += loss.item()
    return total, total / len(dataloader)


def _loss(model, source, target, criterion):
    # Only the full Transformer reads the target; the others predict every word from the source alone.
    teacher_forced = type(model).__name__ == "FullTransformerTranslator"
    scores = model(source, target) if teacher_forced else model(source)  # (N, T, V)
    return criterion(scores.reshape(-1, scores.shape[-1]), target.reshape(-1))


def plot_curves(train_history, valid_history, title):
    """Both perplexities over the epochs."""
    plt.plot(train_history, label="training")
    plt.plot(valid_history, label="validation")
    plt.xlabel("epoch")
    plt.ylabel("perplexity")
    plt.title(title)
    plt.legend()
    plt.show()


class Vocabulary:
    """Words that occur at least `min_count` times, behind the four special ones."""

    def __init__(self, sentences, min_count=2):
        counts = Counter(word for sentence in sentences for word in words_of(sentence))
        kept = sorted(word for word, count in counts.items() if count >= min_count)
        self.words = [*SPECIALS, *kept]
        self.index = {word: index for index, word in enumerate(self.words)}

    def __len__(self):
        return len(self.words)

    def encode(self, sentence, length):
        """Indices of <sos>, the words and <eos>, padded to `length`; None if they do not fit."""
        inside = [self.index.get(word, UNK) for word in words_of(sentence)]
        if len(inside) + 2 > length:
            return None
        return [SOS, *inside, EOS, *[PAD] * (length - len(inside) - 2)]


def words_of(sentence):
    """Lower-cased words and punctuation marks."""
    return re.findall(r"\w+|[^\w\s]", sentence.lower())


def read_lines(path):
    """The lines of a text file."""
    with open(path, encoding="utf-8") as file:
        return file.read().split("\n")[:-1]


def batches(sources, targets, source_words, target_words, batch_size=128, length=20):
    """Batches `(source, target)` of shape (T, N), in the order of the files; pairs that are too long are left out."""
    pairs = [
        (source_words.encode(source, length), target_words.encode(target, length))
        for source, target in zip(sources, targets, strict=True)
    ]
    fitting = [pair for pair in pairs if None not in pair]
    return [
        tuple(torch.tensor(side).t() for side in zip(*fitting[start : start + batch_size], strict=True))
        for start in range(0, len(fitting), batch_size)
    ]
