# %% [markdown]
# # Homework 4, question 1 – classifying news with a recurrent network written by hand
#
# The letters of the shapes: `B` examples of a batch, `L` tokens of a text, `V` words of the vocabulary, `I` size of an
# embedding, `H` size of the hidden state, `C` classes.
#
# The recurrence is Elman's (Finding Structure in Time, 1990):
#
# h_t = tanh(W_xh x_t + b_xh + W_hh h_{t-1} + b_hh),  p = softmax(W_hy h_last + b_hy)

# %%
import math
from typing import List, Tuple

import matplotlib.pyplot as plt
import torch
import torch.nn as nn
import torch.nn.functional as F  # keep
import torchtext
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter
from torchtext.data.functional import to_map_style_dataset
from torchtext.data.utils import get_tokenizer
from torchtext.vocab import build_vocab_from_iterator
from tqdm.auto import tqdm  # keep

# %%
DEVICE = torch.device("cuda") if torch.cuda.is_available() else torch.device("cpu")
print(f"PyTorch {torch.__version__}, torchtext {torchtext.__version__}, device {DEVICE}")

# %% [markdown]
# ## The data (given)
# AG_NEWS: short news in four classes, numbered 1 to 4.

# %%
train_data, test_data = torchtext.datasets.AG_NEWS(root="./data")

tokenizer = get_tokenizer("basic_english")


def tokens(data_iter):
    """The tokens of every text, for the vocabulary."""
    for _, text in data_iter:
        yield tokenizer(text)


encoder = build_vocab_from_iterator(tokens(train_data), specials=["<unk>"])
encoder.set_default_index(encoder["<unk>"])

text_pipeline = lambda text: encoder(tokenizer(text))  # noqa: E731
label_pipeline = lambda label: int(label) - 1  # noqa: E731

# %% [markdown]
# ## (a) Texts of different lengths in one tensor


# %%
def collate_batch(batch: List[Tuple[int, str]]) -> Tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Question (a): (label, text) pairs → one batch.

    All texts get the same length L: the average number of tokens of the batch. A longer text is cut, a shorter one is
    filled up with zeros.

    batch: list of B pairs (label from 1 to 4, text)
    returns text (L, B) int64, label (B,) int64 from 0 to 3, length (B,) int64
    """
    # Encode every text with text_pipeline and every label with label_pipeline; find the average length; cut or pad.
    # BEGIN SOLUTION
    encoded = [text_pipeline(text) for _, text in batch]
    average = sum(len(numbers) for numbers in encoded) // len(encoded)  # L
    text_list = torch.zeros(average, len(batch), dtype=torch.long)  # (L, B)
    for column, numbers in enumerate(encoded):
        kept = numbers[:average]
        text_list[: len(kept), column] = torch.tensor(kept, dtype=torch.long)
    label_list = torch.tensor([label_pipeline(label) for label, _ in batch])  # (B,)
    len_list = torch.tensor([min(len(numbers), average) for numbers in encoded])  # (B,)
    # END SOLUTION
    assert text_list.size(1) == len(batch)
    return text_list, label_list, len_list


# %%
BATCH_SIZE = 512

train_dataset = to_map_style_dataset(train_data)
test_dataset = to_map_style_dataset(test_data)
train_dataloader = DataLoader(train_dataset, batch_size=BATCH_SIZE, shuffle=True, collate_fn=collate_batch)
valid_dataloader = DataLoader(test_dataset, batch_size=BATCH_SIZE, shuffle=False, collate_fn=collate_batch)

# %%
batch_len = [text.size(0) for text, _, _ in train_dataloader]
plt.hist(batch_len)
plt.show()

# %% [markdown]
# ## (b), (c), (d) The network


# %%
class RNN(nn.Module):
    """One recurrent layer and a classifier, from parameters alone."""

    def __init__(self, vocab_size: int, input_size: int, hidden_size: int, num_class: int, dropout_ratio: float):
        """Question (b): the six sizes below.

        vocab_size V, input_size I (of an embedding), hidden_size H, num_class C; dropout_ratio is the probability
        that an entry is dropped.
        """
        super().__init__()

        # Give each parameter its size, so that the products of forward work; weights need two dimensions.
        # BEGIN SOLUTION
        whh_size = (hidden_size, hidden_size)  # h @ W_hh: (B, H) @ (H, H)
        wxh_size = (input_size, hidden_size)  # x @ W_xh: (B, I) @ (I, H)
        why_size = (hidden_size, num_class)  # h @ W_hy: (B, H) @ (H, C)
        bhh_size = (hidden_size,)
        bxh_size = (hidden_size,)
        bhy_size = (num_class,)
        # END SOLUTION

        kwargs = {"device": DEVICE, "dtype": torch.float}
        self.dropout = dropout_ratio
        self.hidden = hidden_size
        self.num_class = num_class
        self.embedding = nn.Embedding(vocab_size, input_size)
        self.W_hh = nn.parameter.Parameter(torch.empty(whh_size, **kwargs))
        self.W_xh = nn.parameter.Parameter(torch.empty(wxh_size, **kwargs))
        self.W_hy = nn.parameter.Parameter(torch.empty(why_size, **kwargs))
        self.b_hh = nn.parameter.Parameter(torch.empty(bhh_size, **kwargs))
        self.b_xh = nn.parameter.Parameter(torch.empty(bxh_size, **kwargs))
        self.b_hy = nn.parameter.Parameter(torch.empty(bhy_size, **kwargs))
        self.init_parameters()

    def init_parameters(self):
        """Given: uniform within 1/sqrt(fan in), like PyTorch's own layers."""
        for weight, bias in ((self.W_hh, self.b_hh), (self.W_xh, self.b_xh), (self.W_hy, self.b_hy)):
            nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
            fan_in, _ = nn.init._calculate_fan_in_and_fan_out(weight)
            nn.init.uniform_(bias, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def forward(self, inputs: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
        """Question (c): the class probabilities, without predefined layers (no nn.RNN, no nn.Dropout).

        h_0 is drawn at random. While training, entries of the embedded tokens are dropped with probability
        self.dropout and the others scaled up. The classifier sees the state after the last token that is not padding.

        inputs (L, B) int64, length (B,)
        returns (B, C), every row a distribution
        """
        # Embed, drop, step through time, pick the last valid state of each example, classify.
        # BEGIN SOLUTION
        steps, batch = inputs.shape
        embedded = self.embedding(inputs)  # (L, B, I)
        if self.training:
            kept = torch.rand_like(embedded) >= self.dropout
            embedded = embedded * kept / (1 - self.dropout)
        hidden = torch.randn(batch, self.hidden, device=embedded.device)  # (B, H)
        states = []
        for token in embedded:  # (B, I)
            hidden = torch.tanh(token @ self.W_xh + self.b_xh + hidden @ self.W_hh + self.b_hh)
            states.append(hidden)
        last = length.clamp(1, steps) - 1  # collate_batch cuts texts, so a length may exceed L
        final = torch.stack(states)[last, torch.arange(batch, device=last.device)]  # (B, H)
        softmax_probs = F.softmax(final @ self.W_hy + self.b_hy, dim=1)  # (B, C)
        # END SOLUTION
        return softmax_probs

    def compute_loss(self, prediction: torch.Tensor, label: torch.Tensor) -> Tuple[torch.Tensor, int]:
        """Question (d): the mean cross-entropy and how many predictions are right, without the losses of torch.nn.

        prediction (B, C): the probabilities that forward returns; label (B,)
        returns (loss: scalar tensor, correct: int)
        """
        # BEGIN SOLUTION
        chosen = prediction.gather(1, label.unsqueeze(1)).squeeze(1)  # (B,)
        loss = -chosen.clamp_min(1e-12).log().mean()
        correct = int((prediction.argmax(dim=1) == label).sum())
        # END SOLUTION
        return loss, correct


# %% [markdown]
# ## The scheduler (given)


# %%
class ScheduledOptim:
    """An optimiser whose learning rate warms up linearly and then decays geometrically, one `update` at a time."""

    def __init__(self, optimizer, n_warmup_steps, decay_rate):
        self._optimizer = optimizer
        self.n_warmup_steps = n_warmup_steps
        self.decay = decay_rate
        self.n_steps = 0
        self.initial_lr = optimizer.param_groups[0]["lr"]
        self.current_lr = optimizer.param_groups[0]["lr"]

    def zero_grad(self):
        self._optimizer.zero_grad()

    def step(self):
        self._optimizer.step()

    def get_lr(self):
        return self.current_lr

    def update(self):
        if self.n_steps < self.n_warmup_steps:
            self.current_lr = self.n_steps / self.n_warmup_steps * self.initial_lr
        elif self.n_steps == self.n_warmup_steps:
            self.current_lr = self.initial_lr
        else:
            self.current_lr = self.current_lr * self.decay
        for group in self._optimizer.param_groups:
            group["lr"] = self.current_lr
        self.n_steps += 1


# %% [markdown]
# ## (e) Training and evaluation


# %%
def train(model, train_loader, scheduler):
    """Question (e): one epoch. All steps of the optimiser go through the scheduler's methods.

    returns (mean loss over the examples, accuracy in per cent)
    """
    model.train()
    train_loss = 0
    correct = 0
    # For each (text, label, length): predict, compute the loss, step, and add up.
    # BEGIN SOLUTION
    for text, label, length in tqdm(train_loader):
        text, label, length = text.to(DEVICE), label.to(DEVICE), length.to(DEVICE)
        loss, right = model.compute_loss(model(text, length), label)
        scheduler.zero_grad()
        loss.backward()
        scheduler.step()
        train_loss += loss.item() * len(label)
        correct += right
    # END SOLUTION
    train_loss /= len(train_loader.dataset)
    train_acc = 100.0 * correct / len(train_loader.dataset)
    return train_loss, train_acc


def evaluate(model, test_loader):
    """Question (e): the same without learning.

    returns (mean loss over the examples, accuracy in per cent)
    """
    model.eval()
    test_loss = 0
    correct = 0
    # BEGIN SOLUTION
    with torch.no_grad():
        for text, label, length in tqdm(test_loader):
            text, label, length = text.to(DEVICE), label.to(DEVICE), length.to(DEVICE)
            loss, right = model.compute_loss(model(text, length), label)
            test_loss += loss.item() * len(label)
            correct += right
    # END SOLUTION
    test_loss /= len(test_loader.dataset)
    test_acc = 100.0 * correct / len(test_loader.dataset)
    return test_loss, test_acc


# %% [markdown]
# ## (f) Search, training, TensorBoard
# Try sizes, optimisers, learning rates and schedules; log loss and accuracy of both splits. The accuracy on the test
# split should be above 70 %. Leave the log of the training in the output.

# %%
EPOCHS = 8
torch.manual_seed(4)
# Choose the sizes, the optimiser and the schedule; make `model`, `optimizer` and `scheduler`.
# BEGIN SOLUTION
input_size = 64
hidden_size = 128
num_class = 4
dropout_ratio = 0.1
learning_rate = 2e-3
model = RNN(len(encoder), input_size, hidden_size, num_class, dropout_ratio).to(DEVICE)
optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
scheduler = ScheduledOptim(optimizer, n_warmup_steps=0, decay_rate=0.8)
# END SOLUTION

# %%
writer = SummaryWriter(log_dir="./logs")
for epoch in range(1, EPOCHS + 1):
    scheduler.update()
    loss_train, accu_train = train(model, train_dataloader, scheduler)
    loss_val, accu_val = evaluate(model, valid_dataloader)
    lr = scheduler.get_lr()
    writer.add_scalars("loss", {"train": loss_train, "valid": loss_val}, epoch)
    writer.add_scalars("accuracy", {"train": accu_train, "valid": accu_val}, epoch)
    print(
        f"| end of epoch {epoch:2d} | lr: {lr:6.4f} | train loss: {loss_train:6.3f} "
        f"| train accuracy: {accu_train:7.3f} | valid accuracy: {accu_val:7.3f}"
    )
writer.close()

# %%
# %tensorboard --logdir ./logs

# %% [markdown]
# **Report.** Say here which combinations you tried, and what each gave.
