# %% [markdown]
# # Assignment 4: machine translation
#
# Fill in the files below `models/` first, and check them with `grader check cs7643_a4`. This notebook then trains the
# models on German-English sentence pairs (Multi30k, task 1). Put `train.de`, `train.en`, `val.de` and `val.en`, one
# sentence per line, into the folder `data/`.
#
# Hand in this notebook, with its outputs, together with the folder `models/`.

# %%
import math

import torch
from models.seq2seq.Decoder import Decoder
from models.seq2seq.Encoder import Encoder
from models.seq2seq.Seq2Seq import Seq2Seq
from models.Transformer import FullTransformerTranslator, TransformerTranslator
from torch import nn, optim
from utils import PAD, Vocabulary, batches, evaluate, plot_curves, read_lines, set_seed, train

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

# %% [markdown]
# ## Data

# %%
MAX_LEN = 20
german, english = read_lines("data/train.de"), read_lines("data/train.en")
source_words, target_words = Vocabulary(german), Vocabulary(english)
train_loader = batches(german, english, source_words, target_words, length=MAX_LEN)
valid_loader = batches(read_lines("data/val.de"), read_lines("data/val.en"), source_words, target_words, length=MAX_LEN)
print(f"{len(source_words)} German words, {len(target_words)} English words, {len(train_loader)} batches")


# %%
def train_and_plot(model, epochs, learning_rate, title):
    """Train, print loss and perplexity of every epoch, and plot the perplexities."""
    optimizer = optim.Adam(model.parameters(), lr=learning_rate)
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    criterion = nn.CrossEntropyLoss(ignore_index=PAD)
    history = []
    for epoch in range(epochs):
        _, train_loss = train(model, train_loader, optimizer, criterion, scheduler, device)
        _, valid_loss = evaluate(model, valid_loader, criterion, device)
        history.append((math.exp(train_loss), math.exp(valid_loss)))
        print(f"Epoch {epoch + 1}")
        print(f"Training Loss: {train_loss:.4f}. Validation Loss: {valid_loss:.4f}.")
        print(f"Training Perplexity: {history[-1][0]:.4f}. Validation Perplexity: {history[-1][1]:.4f}.")
    plot_curves(*zip(*history, strict=True), title)


# %% [markdown]
# ## Question 3.2: seq2seq
#
# Train with these values first, then tune and explain what you tried. More epochs, or an LSTM in place of the RNN, are
# not enough.

# %%
emb_size = hidden_size = 128
dropout = 0.2
model_type = "RNN"

# %%
for attention in (False, True):
    set_seed()
    encoder = Encoder(len(source_words), emb_size, hidden_size, hidden_size, dropout, model_type)
    decoder = Decoder(emb_size, hidden_size, hidden_size, len(target_words), dropout, model_type)
    model = Seq2Seq(encoder, decoder, device, attention=attention).to(device)
    train_and_plot(model, 20, 1e-3, f"seq2seq, attention {attention}")

# %% [markdown]
# ## Question 4.6: Transformer encoder
#
# With these values its perplexity should be better than that of seq2seq.

# %%
set_seed()
model = TransformerTranslator(len(source_words), len(target_words), device, max_length=MAX_LEN).to(device)
train_and_plot(model, 10, 1e-3, "Transformer encoder")

# %% [markdown]
# ## Question 4.7: full Transformer
#
# Train, tune, and compare the models in your report.

# %%
set_seed()
model = FullTransformerTranslator(len(source_words), len(target_words), device, max_length=MAX_LEN).to(device)
train_and_plot(model, 10, 1e-3, "full Transformer")
