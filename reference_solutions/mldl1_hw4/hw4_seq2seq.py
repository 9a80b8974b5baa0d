# %% [markdown]
# # Homework 4, question 2 – translation with an LSTM and dot-product attention
#
# French into English. The letters of the shapes: `B` sentences of a batch, `L` tokens of a sentence (10), `E` size of an
# embedding, `H` size of the hidden state (equal to `E` here), `V` words of the target vocabulary.
#
# The attention is that of Luong, Pham and Manning (Effective Approaches to Attention-based Neural Machine Translation,
# 2015, score "dot"), applied before the decoder's LSTM.

# %%
import math
import random

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F  # keep
from torch.utils.data import DataLoader, Dataset, random_split

from data.data import prepareData

# %%
SEED = 1234
DEVICE = torch.device("cuda") if torch.cuda.is_available() else torch.device("cpu")

np.random.seed(SEED)
torch.manual_seed(SEED)
random.seed(SEED)

# %% [markdown]
# ## Tools (given)


# %%
def train(model, iterator, optimizer, loss_fn, clip):
    """One epoch; returns the mean loss of the batches."""
    model.train()
    epoch_loss = 0
    for src, trg in iterator:
        src, trg = src.to(DEVICE), trg.to(DEVICE)
        optimizer.zero_grad()
        loss = loss_fn(model(src, trg), trg)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        epoch_loss += loss.item()
    return epoch_loss / len(iterator)


def evaluate(model, iterator, loss_fn):
    """The mean loss of the batches."""
    model.eval()
    epoch_loss = 0
    with torch.no_grad():
        for src, trg in iterator:
            src, trg = src.to(DEVICE), trg.to(DEVICE)
            epoch_loss += loss_fn(model(src, trg), trg).item()
    return epoch_loss / len(iterator)


def plot_history(history):
    """Perplexities on the left, learning rates on the right."""
    _, (left, right) = plt.subplots(1, 2, figsize=(12, 4))
    left.plot(history["train_PPL"], label="train_PPL")
    left.plot(history["val_PPL"], label="val_PPL")
    left.set_ylabel("perplexity")
    left.legend()
    right.plot(history["lr"], label="learning rate")
    right.set_ylabel("learning rate")
    plt.show()


# %% [markdown]
# ## The data (given)
# Every sentence begins with SOS, ends with EOS and is filled up with PAD to `MAX_LENGTH` tokens.

# %%
MAX_LENGTH = 10
BATCH_SIZE = 64
TRAIN_RATIO = 0.7
VALID_RATIO = 0.8 - TRAIN_RATIO
SOS_token = 0
EOS_token = 1


# %%
class TranslateDataset(Dataset):
    """Pairs of sentences as numbers."""

    def __init__(self, max_length=10, fra2eng=True):
        self.input_lang, self.output_lang, self.pairs = prepareData("eng", "fra", max_length, reverse=fra2eng)
        self.max_length = max_length
        self.input_lang.addWord("PAD")
        self.output_lang.addWord("PAD")
        self.input_lang_pad = self.input_lang.word2index["PAD"]
        self.output_lang_pad = self.output_lang.word2index["PAD"]

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, idx):
        source, target = self.pairs[idx]
        return self._numbers(self.input_lang, source), self._numbers(self.output_lang, target)

    def _numbers(self, lang, sentence):
        words = [lang.word2index[word] for word in sentence.split(" ")]
        filled = [SOS_token, *words, EOS_token] + [lang.word2index["PAD"]] * self.max_length
        return torch.tensor(filled[: self.max_length])

    def collate_fn(self, data):
        """list of (source (L,), target (L,)) → (B, L), (B, L)"""
        return torch.stack([source for source, _ in data]), torch.stack([target for _, target in data])


dataset = TranslateDataset(max_length=MAX_LENGTH)
train_size = int(len(dataset) * TRAIN_RATIO)
valid_size = int(len(dataset) * VALID_RATIO)
parts = random_split(dataset, [train_size, valid_size, len(dataset) - train_size - valid_size])
train_dataloader, valid_dataloader, test_dataloader = (
    DataLoader(part, batch_size=BATCH_SIZE, collate_fn=dataset.collate_fn, shuffle=True) for part in parts
)

# %% [markdown]
# ## (a) Encoder and decoder


# %%
class LSTMEncoder(nn.Module):
    """Reads a sentence."""

    def __init__(self, in_dim, emb_dim, hid_dim):
        super().__init__()
        self.embedding = nn.Embedding(in_dim, emb_dim)
        self.lstm = nn.LSTM(input_size=emb_dim, hidden_size=hid_dim, num_layers=1, batch_first=True)

    def forward(self, input, hidden, cell):
        """Question 2 (a).

        input (B, L); hidden, cell (1, B, H): the initial states
        Return whatever your LSTMSeq2Seq needs: the hidden states of all steps, the last states.
        """
        # BEGIN SOLUTION
        outputs, (hidden, cell) = self.lstm(self.embedding(input), (hidden, cell))  # (B, L, H), 2 × (1, B, H)
        return outputs, hidden, cell
        # END SOLUTION


class AttnLSTMDecoder(nn.Module):
    """Writes one token, looking back at the encoder's hidden states."""

    def __init__(self, emb_dim, hid_dim, out_dim, dropout, enc_hiddens=None):
        super().__init__()
        self.enc_hiddens = enc_hiddens  # set by LSTMSeq2Seq
        self.dropout = dropout  # a probability
        self.embedding = nn.Embedding(out_dim, emb_dim)
        self.lstm = nn.LSTM(input_size=emb_dim, hidden_size=hid_dim, batch_first=True)
        self.fc = nn.Linear(hid_dim + hid_dim, hid_dim)
        self.tanh = nn.Tanh()
        self.classifier = nn.Linear(hid_dim, out_dim)

    # BEGIN SOLUTION
    # TEMPLATE: # Room for a helper, if you want one.
    def _attend(self, hidden):
        """The encoder's states, averaged with the weights softmax(states · hidden).

        hidden (B, H) → (B, H)
        """
        scores = torch.bmm(self.enc_hiddens, hidden.unsqueeze(2))  # (B, L, H) @ (B, H, 1) -> (B, L, 1)
        weights = F.softmax(scores, dim=1)
        return (weights * self.enc_hiddens).sum(dim=1)

    # END SOLUTION

    def forward(self, input, hidden, cell):
        """Question 2 (a): dot-product attention; fc and tanh bring the concatenation back to H before the LSTM.

        input (B, 1): the token before; hidden (B, H), cell (1, B, H): the states before
        Return whatever your LSTMSeq2Seq needs: scores of the words, the new states.
        """
        # BEGIN SOLUTION
        embedded = self.embedding(input).squeeze(1)  # (B, E)
        embedded = F.dropout(embedded, self.dropout, self.training)
        mixed = self.tanh(self.fc(torch.cat([embedded, self._attend(hidden)], dim=1)))  # (B, E + H) -> (B, H)
        output, (hidden, cell) = self.lstm(mixed.unsqueeze(1), (hidden.unsqueeze(0), cell))  # (B, 1, H)
        return self.classifier(output.squeeze(1)), hidden.squeeze(0), cell  # (B, V), (B, H), (1, B, H)
        # END SOLUTION


# %%
# BEGIN SOLUTION
# TEMPLATE: # (this cell stays empty)
def _forward_mixing_states(decoder, input, hidden, cell):
    """The other reading of the figure: hidden state and context are mixed into the state that the LSTM starts from."""
    embedded = F.dropout(decoder.embedding(input), decoder.dropout, decoder.training)  # (B, 1, E)
    mixed = decoder.tanh(decoder.fc(torch.cat([hidden, decoder._attend(hidden)], dim=1)))  # (B, H + H) -> (B, H)
    output, (hidden, cell) = decoder.lstm(embedded, (mixed.unsqueeze(0), cell))
    return decoder.classifier(output.squeeze(1)), hidden.squeeze(0), cell


# END SOLUTION

# %% [markdown]
# ## (b) The whole model


# %%
class LSTMSeq2Seq(nn.Module):
    """Reads a sentence, then writes one, token by token."""

    def __init__(self, in_dim, out_dim, emb_dim, hid_dim, device, dropout):
        super().__init__()
        self.in_dim = in_dim
        self.out_dim = out_dim
        self.emb_dim = emb_dim
        self.hid_dim = hid_dim
        self.device = device
        self.dropout = nn.Dropout(dropout)
        self.encoder = LSTMEncoder(in_dim, emb_dim, hid_dim)
        self.decoder = AttnLSTMDecoder(emb_dim, hid_dim, out_dim, dropout)

    def forward(self, src, trg):
        """Question 2 (b): the encoder starts from zeros, the decoder from the encoder's last states.

        What stands at position t may depend on trg[:, :t] (the tokens before), never on trg[:, t].

        src, trg (B, L)
        returns (B, V, L); position 0, where SOS stands, may stay zero
        """
        # BEGIN SOLUTION
        start = torch.zeros(1, src.size(0), self.hid_dim, device=src.device)  # (1, B, H)
        states, hidden, cell = self.encoder(src, start, start)
        self.decoder.enc_hiddens = self.dropout(states)  # (B, L, H)
        hidden = hidden.squeeze(0)  # (B, H)
        outputs = [torch.zeros(src.size(0), self.out_dim, device=src.device)]
        for step in range(1, trg.size(1)):
            scores, hidden, cell = self.decoder(trg[:, step - 1 : step], hidden, cell)  # teacher forcing
            outputs.append(scores)
        return torch.stack(outputs, dim=2)  # (B, V, L)
        # END SOLUTION


# %% [markdown]
# ## (c) Training
# Train, plot perplexities and learning rates, and print the perplexity on the test split: it should be below 7. Leave
# everything in the output, and report hyper-parameters and results in a few sentences.

# %%
in_dim = dataset.input_lang.n_words
out_dim = dataset.output_lang.n_words
N_EPOCHS = 30
valid_every = 1
# Choose sizes, dropout, learning rate; make `model`, `optimizer`, `scheduler` and `loss_fn` (PAD does not count).
# BEGIN SOLUTION
hid_dim = emb_dim = 128
dropout = 0.2
learning_rate = 2e-3
model = LSTMSeq2Seq(in_dim, out_dim, emb_dim, hid_dim, DEVICE, dropout).to(DEVICE)
optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.8)
loss_fn = nn.CrossEntropyLoss(ignore_index=dataset.output_lang_pad)
# END SOLUTION

# %%
history = {"train_PPL": [], "val_PPL": [], "lr": []}
best_valid_loss = float("inf")
for epoch in range(N_EPOCHS):
    train_loss = train(model, train_dataloader, optimizer, loss_fn, 1)
    history["lr"].append(optimizer.param_groups[0]["lr"])
    history["train_PPL"].append(math.exp(train_loss))
    print(f"Epoch: {epoch + 1:02}  lr: {history['lr'][-1]:.5f}")
    print(f"\tTrain Loss: {train_loss:.3f} | Train PPL: {math.exp(train_loss):7.3f}")
    if epoch % valid_every == 0:
        valid_loss = evaluate(model, valid_dataloader, loss_fn)
        history["val_PPL"].append(math.exp(valid_loss))
        print(f"\t Val. Loss: {valid_loss:.3f} |  Val. PPL: {math.exp(valid_loss):7.3f}")
        if valid_loss < best_valid_loss:
            best_valid_loss = valid_loss
            torch.save(model.state_dict(), "lstm-attn-model.pt")
    scheduler.step()
plot_history(history)

# %%
model.load_state_dict(torch.load("lstm-attn-model.pt", map_location=DEVICE))
test_loss = evaluate(model, test_dataloader, loss_fn)
print(f"\t Test Loss: {test_loss:.3f} |  Test PPL: {math.exp(test_loss):7.3f}")

# %% [markdown]
# **Report.** Say here which hyper-parameters you chose, and what they gave on the test split.
