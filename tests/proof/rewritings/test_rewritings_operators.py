"""Rewritings of small sources: what each kind gives, and that what it gives computes the same."""

import textwrap

import pytest
import torch
from changed import rewritten, source_of

from grader.proof.changes.kinds import REWRITING
from grader.proof.changes.making import changes_in
from grader.proof.rewritings.operators import OPERATORS

LINES = [
    ("softmax", "p = torch.softmax(s + 1, dim=1)", "p = (s + 1).softmax(1)"),
    ("softmax", "p = F.softmax(s, dim=1)", "p = torch.nn.Softmax(dim=1)(s)"),
    ("product", "y = torch.bmm(a, b)", "y = (a @ b)"),
    ("concatenation", "y = torch.cat((a, b), dim=1)", "y = torch.cat([a, b], 1)"),
    ("mask", "s = s.masked_fill(m == 0, v)", "s = s.masked_fill_(m == 0, v)"),
    ("number", "n = int(x.max())", "n = x.max()"),
    ("older", "loss = nn.CrossEntropyLoss()", "loss = torch.nn.CrossEntropyLoss(size_average=True)"),
    ("in-place", "x = x + f(x)", "x = x.add(f(x))"),
    ("import", "import torch.nn as nn", "from torch import nn"),
    (
        "padding-index-last",
        "self.e = nn.Embedding(n + 1, d)",
        "self.e = nn.Embedding(n + 1, d, padding_idx=(n + 1) - 1)",
    ),
    ("moved", "x = x.to(device)", "x = x.cuda()"),
]


@pytest.mark.parametrize(("operator", "code", "wanted"), LINES)
def test_one_line_of_each_kind(operator, code, wanted):
    assert wanted in rewritten(code, operator)


TWO = "class A:\n    pass\n\n\nclass B:\n    def f(self):\n        return A()"


def test_a_class_has_a_second_name():
    before, after = rewritten(TWO, "class-aliased")
    uses = TWO.replace("A()", "OwnA()")
    assert before == uses.replace("class A", "class OwnA").replace("    pass\n", "    pass\n\n\nA = OwnA\n")
    assert after == uses.replace("    pass\n", "    pass\n\n\nOwnA = A\n")


OBJECT = "class Memory:\n    pass\n\n\nclass Net:\n    def forward(self, x):\n        "
SILENT = [
    ("strided", f"{OBJECT}return Memory(x)"),
    ("strided", f"{OBJECT}memory = Memory(x)\n        return memory"),
    ("strided", f"{OBJECT}size = len(x)\n        return size"),
    ("padding-index-first", "self.position_embedding = nn.Embedding(n, d)"),
    ("padding-index-first", "self.e = nn.Embedding(n, d, padding_idx=1)"),
    ("einsum", "y = a @ b"),
    ("super", "y = self.net(config)"),
]


@pytest.mark.parametrize(("operator", "code"), SILENT)
def test_where_a_kind_keeps_silent(operator, code):
    assert rewritten(code, operator) == []


NET = '''
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    """Two heads, a mask, dropout and a recurrence."""

    def __init__(self, dim, num_heads, dropout=0.0):
        super().__init__()
        self.dim = dim
        self.num_heads = num_heads
        self.scale = (dim // num_heads) ** 0.5
        self.w_q = nn.Linear(dim, dim)
        self.w_k = nn.Linear(dim, dim)
        self.w_v = nn.Linear(dim, dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.norm = nn.LayerNorm(dim)
        self.words = nn.Embedding(7, dim)
        self.dropout = nn.Dropout(dropout)

    def _split(self, x):
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

    def forward(self, tokens, mask):
        x = self.words(tokens)
        places = torch.arange(x.shape[1], device=x.device)
        x = x + torch.sin(places[None, :, None] / self.dim)
        batch, steps, _ = x.shape
        query, key, value = self._split(self.w_q(x)), self._split(self.w_k(x)), self._split(self.w_v(x))
        scores = query @ key.transpose(-2, -1) / self.scale
        scores = scores.masked_fill(mask[:, None, None, :] == 0, float("-inf"))
        weights = self.dropout(torch.softmax(scores, dim=-1))
        mixed = (weights @ value).transpose(1, 2).reshape(batch, steps, self.dim)
        hidden = mixed.new_zeros(batch, self.dim)
        outputs = []
        for step in range(steps):
            hidden = torch.tanh(mixed[:, step] + hidden * torch.sigmoid(hidden))
            outputs.append(hidden)
        states = torch.stack(outputs, dim=1)
        first, _, last = self.qkv(states).chunk(3, dim=-1)
        return self.norm(torch.cat([first, last], dim=1)), hidden
'''
# Of these the weights are others by intent, or they need a device or a program around them.
OTHERWISE = {"initial-values", "built-there", "moved", "split", "fused", "script"}


def answers(text):
    """What a source's net gives, with the same weights by name."""
    space = {"__name__": "net"}
    exec(compile(text, "net.py", "exec"), space)
    torch.manual_seed(1)
    net = space["Net"](6, 2)
    generator = torch.Generator().manual_seed(3)
    for parameter in net.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    tokens = torch.tensor([[1, 2, 3, 0], [4, 5, 0, 0]])
    out, hidden = net(tokens, (tokens != 0).int())
    out.sum().backward(retain_graph=True)
    return [out.detach(), hidden.detach()]


MADE = [
    (f"{change.operator} {change.before} → {change.after}", change)
    for change in changes_in(source_of(textwrap.dedent(NET)), OPERATORS, REWRITING)
    if change.operator not in OTHERWISE
]


@pytest.mark.parametrize("name", [operator for operator in OPERATORS if operator not in OTHERWISE])
@pytest.mark.filterwarnings("ignore")
def test_what_a_kind_gives_computes_the_same(name):
    expected = answers(NET)
    for title, change in MADE:
        if change.operator == name:
            for mine, theirs in zip(answers(change.text), expected, strict=True):
                assert torch.allclose(mine, theirs, atol=1e-4), title


def test_there_are_many_of_them():
    assert len(MADE) > 150
    assert len({change.operator for _, change in MADE}) > 25
