# %% [markdown]
# # ECE 046211 – Deep Learning – Homework 3
# ## Sequence models and training methods
#
# | | name | campus e-mail | ID |
# |---|---|---|---|
# | Student 1 | fill in | fill in | fill in |
# | Student 2 | fill in | fill in | fill in |
#
# Hand in one notebook `ece046211_hw3_<id1>_<id2>.ipynb`, **saved with its outputs**: a code cell that was not run
# earns nothing. Theory answers are typed, either into this notebook or into a PDF of the same name; then both go into
# one zip.

# %% [markdown]
# # Part 1 – Theory
# Answer questions 1–3 of the handout here or in the PDF. Four of the answers can be computed; if you put them into
# `answers.py`, they are checked by computation.

# %% [markdown]
# # Part 2 – A Transformer language model on WikiText-2
# The notation of the shapes: `N` tokens, `S` rows of the batchified data, `T` tokens of a chunk (`bptt`), `B` columns
# (batch), `V` words of the vocabulary, `E` embedding size.

# %%
import copy
import gzip
import math
import re
import time
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt  # keep
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import TransformerEncoder, TransformerEncoderLayer

seed = 211
np.random.seed(seed)
torch.manual_seed(seed)

# %%
print(f"pytorch: {torch.__version__}")

# %% [markdown]
# ## Task 1 – The data
# Given: the splits are text files in `data/wikitext2/` (`train.txt`, `valid.txt`, `test.txt`, plain or `.gz`).
#
# 1. Run the given cells.
# 2. Make the training, validation and test data with `batchify`.
# 3. Print the shape of `train_data`, and say in a comment what each dimension means.
# 4. Print the first 20 words of one training sample; `itos = vocab.get_itos()` turns numbers into words.


# %%
class WikiText2:
    """The lines of one split. Iterating again starts again."""

    def __init__(self, split: str, root: str = "data/wikitext2") -> None:
        self.path = Path(root) / f"{split}.txt"

    def __iter__(self):
        packed = self.path.with_name(self.path.name + ".gz")
        with gzip.open(packed, "rt", encoding="utf8") if packed.exists() else self.path.open(encoding="utf8") as lines:
            yield from lines


def tokenizer(line: str) -> list[str]:
    """Lower-case words; punctuation stands alone, quotes, colons and semicolons are dropped."""
    line = re.sub(r"<br />|[\";:]", lambda mark: "" if mark[0] == '"' else " ", line.lower())
    return re.sub(r"([.,()!?'])", r" \1 ", line).split()


class Vocabulary:
    """Words by falling frequency (ties by spelling), after the special ones; unknown words get number 0."""

    def __init__(self, lines, specials=("<unk>",)) -> None:
        counts = Counter(word for line in lines for word in tokenizer(line))
        ordered = sorted(counts, key=lambda word: (-counts[word], word))
        self._words = [*specials, *(word for word in ordered if word not in specials)]
        self._numbers = {word: number for number, word in enumerate(self._words)}

    def __len__(self) -> int:
        return len(self._words)

    def __call__(self, words: list[str]) -> list[int]:
        return [self._numbers.get(word, 0) for word in words]

    def get_itos(self) -> list[str]:
        return self._words


# %%
def batchify(data: Tensor, bsz: int) -> Tensor:
    """Cut (N,) into bsz equal stretches and put them side by side: column b is the b-th stretch. -> (N // bsz, bsz)"""
    rows = len(data) // bsz
    columns = data[: rows * bsz].reshape(bsz, rows)  # (B, S)
    return columns.t().contiguous().to(device)  # (S, B)


# %%
def data_process(raw_text_iter) -> Tensor:
    """All words of all lines, as one long row of word numbers. -> (N,) int64"""
    numbers = [number for line in raw_text_iter for number in vocab(tokenizer(line))]
    return torch.tensor(numbers, dtype=torch.long)


# %%
vocab = Vocabulary(WikiText2("train"))

# %%
device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
train_data = data_process(WikiText2("train"))
val_data = data_process(WikiText2("valid"))
test_data = data_process(WikiText2("test"))

# %%
batch_size = 20
eval_batch_size = 10

# %%
# Task 1.2: replace the three rows of numbers by their batchified forms, (N,) -> (S, B).
# BEGIN SOLUTION
train_data = batchify(train_data, batch_size)
val_data = batchify(val_data, eval_batch_size)
test_data = batchify(test_data, eval_batch_size)
# END SOLUTION

# %%
# Task 1.3: print the shape of train_data; a comment says what the dimensions mean.
# BEGIN SOLUTION
print(train_data.shape)  # [position in the stretch of text, which stretch (batch)]
# END SOLUTION

# %%
# Task 1.4: print the first 20 words of one training sample.
# BEGIN SOLUTION
itos = vocab.get_itos()
print(" ".join(itos[number] for number in train_data[:20, 0]))
# END SOLUTION

# %% [markdown]
# ## Task 2 – Inputs and targets
# A language model reads `T` words and predicts, at every position, the next one. Complete `get_batch`, then print a
# sample of `data` and `target`.


# %%
def get_batch(source: Tensor, i: int, bptt: int) -> tuple[Tensor, Tensor]:
    """
    Args:
        source: (S, B) word numbers
        i: row at which the chunk starts
        bptt: most rows of a chunk; the last chunk may be shorter, because every position needs a next word
    Returns:
        data (T, B) and target (T * B,): for data flattened row by row, the word that follows in the same column
    """
    seq_len = min(bptt, len(source) - 1 - i)
    data = source[i : i + seq_len]  # (T, B)
    # BEGIN SOLUTION
    target = source[i + 1 : i + 1 + seq_len].reshape(-1)  # (T, B) -> (T * B,)
    # END SOLUTION
    return data, target


# %%
# Task 2: print a sample of data and target.
# BEGIN SOLUTION
data, target = get_batch(train_data, i=0, bptt=5)
print("data  ", [itos[number] for number in data[:, 0]])
print("target", [itos[number] for number in target.reshape(data.shape)[:, 0]])
# END SOLUTION

# %% [markdown]
# ## Task 3 – Hyper-parameters and the model
# | hyper-parameter | choose from |
# |---|---|
# | embedding size, hidden units | 200 … 250 |
# | layers, attention heads | 2 … 4 |
# | dropout | 0.0 … 0.3 |
# | learning rate | 5e-3 … 5.0 |
# | optimiser | SGD, Adam or RAdam |
# | loss | `nn.CrossEntropyLoss()` |
# | scheduler | any, for example `StepLR(optimizer, 1.0, gamma=0.95)` |
# | layer normalisation | after (`norm_first=False`) or before (`norm_first=True`) the sub-layers |
#
# Build a `TransformerModel` for the words of the vocabulary and send it to `device`. Print the number of tokens,
# **all** hyper-parameters, and the model.


# %%
class PositionalEncoding(nn.Module):
    """Adds sin and cos of the position at E / 2 wavelengths (Vaswani et al. 2017, section 3.5). d_model is even."""

    def __init__(self, d_model: int, dropout: float = 0.1, max_len: int = 5000) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        frequency = 10000.0 ** (-torch.arange(0, d_model, 2) / d_model)  # (E / 2,)
        angle = torch.arange(max_len)[:, None] * frequency  # (max_len, E / 2)
        wave = torch.stack([angle.sin(), angle.cos()], dim=-1)  # (max_len, E / 2, 2)
        self.register_buffer("pe", wave.reshape(max_len, 1, d_model))

    def forward(self, x: Tensor) -> Tensor:
        """(T, B, E) -> (T, B, E)"""
        return self.dropout(x + self.pe[: len(x)])


class TransformerModel(nn.Module):
    """Words -> embedding -> Transformer encoder -> logits of the next word. Sequence first everywhere."""

    def __init__(self, ntoken, ninp, nhead, nhid, nlayers, dropout=0.5, norm_first=False):
        super().__init__()
        self.ninp = ninp
        self.encoder = nn.Embedding(ntoken, ninp)
        self.pos_encoder = PositionalEncoding(ninp, dropout)
        layer = TransformerEncoderLayer(ninp, nhead, nhid, dropout, norm_first=norm_first)
        self.transformer_encoder = TransformerEncoder(layer, nlayers, enable_nested_tensor=False)
        self.decoder = nn.Linear(ninp, ntoken)
        self.init_weights()

    def init_weights(self) -> None:
        """Small uniform weights at both ends, no bias."""
        for weight in (self.encoder.weight, self.decoder.weight):
            nn.init.uniform_(weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def generate_square_subsequent_mask(self, sz: int) -> Tensor:
        """The causal mask (T, T): 0 where a position may look, -inf in its future."""
        return torch.full((sz, sz), float("-inf")).triu(diagonal=1)

    def forward(self, src: Tensor, src_mask: Tensor | None) -> Tensor:
        """(T, B) word numbers, (T, T) mask -> (T, B, V) logits"""
        x = self.encoder(src) * math.sqrt(self.ninp)  # (T, B, E)
        return self.decoder(self.transformer_encoder(self.pos_encoder(x), src_mask))


# %%
# Task 3: choose the hyper-parameters; make model, criterion, optimizer and scheduler; print everything.
# BEGIN SOLUTION
ntokens = len(vocab)
emsize = 220
nhid = 210
nlayers = 3
nhead = 4
dropout = 0.2
lr = 2.5
norm_first = False

model = TransformerModel(ntokens, emsize, nhead, nhid, nlayers, dropout, norm_first).to(device)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=lr)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.95)

print("number of tokens:", ntokens)
print("embedding size:", emsize)
print("hidden units:", nhid)
print("layers:", nlayers)
print("attention heads:", nhead)
print("dropout:", dropout)
print("learning rate:", lr)
print("layer normalisation first:", norm_first)
print("criterion:", criterion)
print("optimizer: SGD, scheduler: StepLR(1, gamma=0.95)")
print(model)
# END SOLUTION

# %% [markdown]
# ## Task 4 – Training and evaluation
# Complete `train`, then train with `bptt = 35`. Evaluate on the validation data after every epoch and on the test data
# after training. **Print and plot** loss and perplexity.


# %%
def evaluate(model: nn.Module, eval_data: Tensor) -> float:
    """Mean loss per predicted word, in nats. Perplexity is its exponential."""
    model.eval()
    summed = 0.0
    with torch.no_grad():
        for i in range(0, len(eval_data) - 1, bptt):
            data, targets = get_batch(eval_data, i, bptt)  # (T, B), (T * B,)
            mask = model.generate_square_subsequent_mask(len(data)).to(device)
            logits = model(data, mask).reshape(-1, ntokens)
            summed += len(data) * criterion(logits, targets).item()  # the last chunk is shorter: weigh by length
    return summed / (len(eval_data) - 1)


# %%
def train(model: nn.Module, bptt: int) -> None:
    """One epoch over train_data: one step of the optimiser for every chunk, gradients clipped to norm 0.5."""
    model.train()
    log_interval = 200
    num_batches = len(train_data) // bptt
    total_loss, start_time = 0.0, time.time()
    full_mask = model.generate_square_subsequent_mask(bptt).to(device)  # (bptt, bptt)
    for batch, i in enumerate(range(0, len(train_data) - 1, bptt)):
        data, targets = get_batch(train_data, i, bptt)  # (T, B), (T * B,)
        src_mask = full_mask[: len(data), : len(data)]  # the last chunk is shorter
        # output: logits of the model for this chunk; loss: criterion over all its positions
        # BEGIN SOLUTION
        output = model(data, src_mask)  # (T, B, V)
        loss = criterion(output.view(-1, ntokens), targets)
        # END SOLUTION
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()

        total_loss += loss.item()
        if batch > 0 and batch % log_interval == 0:
            mean, pace = total_loss / log_interval, 1000 * (time.time() - start_time) / log_interval
            print(
                f"| epoch {epoch:3d} | {batch:5d}/{num_batches:5d} batches | lr {scheduler.get_last_lr()[0]:.3g} | "
                f"ms/batch {pace:.2f} | loss {mean:.2f} | ppl {math.exp(mean):.2f}"
            )
            total_loss, start_time = 0.0, time.time()


# %%
bptt = 35
best_val_loss, best_state = float("inf"), None
val_losses = []
# Task 4: epochs and the call of train; keep the validation losses for the plot.
# BEGIN SOLUTION
# TEMPLATE: epochs = 1  # choose the number of epochs
epochs = 12
# END SOLUTION

for epoch in range(1, epochs + 1):
    epoch_start_time = time.time()
    # BEGIN SOLUTION
    train(model, bptt)
    # END SOLUTION
    val_loss = evaluate(model, val_data)
    val_losses.append(val_loss)
    print(
        f"| end of epoch {epoch:3d} | time: {time.time() - epoch_start_time:5.2f}s | "
        f"valid loss {val_loss:5.2f} | valid ppl {math.exp(val_loss):8.2f}"
    )
    if val_loss < best_val_loss:
        best_val_loss, best_state = val_loss, copy.deepcopy(model.state_dict())
    scheduler.step()

# %%
# Task 4: evaluate the best model on the test data and print loss and perplexity.
# BEGIN SOLUTION
model.load_state_dict(best_state)
test_loss = evaluate(model, test_data)
print(f"| end of training | test loss {test_loss:5.2f} | test ppl {math.exp(test_loss):8.2f}")
# END SOLUTION

# %%
# Task 4: plot loss and perplexity over the epochs.
# BEGIN SOLUTION
plt.figure(figsize=(9, 3))
curves = [("loss (nats per word)", val_losses), ("perplexity", np.exp(val_losses))]
for place, (name, values) in enumerate(curves, start=1):
    plt.subplot(1, 2, place)
    plt.plot(range(1, epochs + 1), values)
    plt.xlabel("epoch")
    plt.ylabel(f"validation {name}")
plt.show()
# END SOLUTION

# %% [markdown]
# ## Task 5 – Sentences
# Generate three sentences of 20 words with the given function and print them. Do they make sense? Answer in a cell.


# %%
def generate(model: nn.Module, vocab: Vocabulary, nwords: int = 100, temp: float = 1.0) -> list[str]:
    """Start from a random word and sample nwords further ones, each from the model's next-word distribution."""
    model.eval()
    itos, words = vocab.get_itos(), []
    history = torch.randint(len(vocab), (1, 1)).to(device)  # (1, 1)
    with torch.no_grad():
        for _ in range(nwords):
            mask = model.generate_square_subsequent_mask(len(history)).to(device)
            probabilities = torch.softmax(model(history, mask)[-1, 0] / temp, dim=-1)  # (V,)
            choice = torch.multinomial(probabilities, 1)  # (1,)
            history = torch.cat([history, choice[None]])
            words.append(itos[choice])
    return words


# %%
# Task 5: three sentences of 20 words.
# BEGIN SOLUTION
for _ in range(3):
    print(" ".join(generate(model, vocab, nwords=20)))
# END SOLUTION
