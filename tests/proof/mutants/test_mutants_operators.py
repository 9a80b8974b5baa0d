"""One small source per kind of mistake: exactly which wrong versions it gives, and where it keeps silent."""

import pytest
from changed import after

from grader.proof.mutants.operators import OPERATORS

LINES = [
    # terms and factors
    ("scale-dropped", "s = q @ k / math.sqrt(d)", ["s = (q @ k)"]),
    ("scale-dropped", "s = q * d ** -0.5", ["s = q"]),
    ("scale-dropped", "x = emb(t) * math.sqrt(e)", ["x = emb(t)"]),
    ("scale-dropped", "p = logits / temperature", ["p = logits"]),
    ("scale-dropped", "s = a * b", []),
    ("factor-dropped", "s = a * b", ["s = a", "s = b"]),
    ("factor-dropped", "s = a / b", ["s = a"]),
    ("factor-dropped", "s = q @ k / math.sqrt(d)", []),
    ("bias-dropped", "y = x @ self.W + self.b", ["y = (x @ self.W)"]),
    ("bias-dropped", "y = x @ self.W + self.b_hh", ["y = (x @ self.W)"]),
    ("bias-dropped", "self.fc = nn.Linear(3, 4)", ["self.fc = nn.Linear(3, 4, bias=False)"]),
    ("bias-dropped", "self.fc = nn.Linear(\n    3,\n    4,\n)", ["self.fc = nn.Linear(\n    3,\n    4,\nbias=False)"]),
    ("bias-dropped", "self.fc = nn.Linear(3, 4, bias=False)", []),
    ("epsilon-dropped", "y = x / torch.sqrt(v + self.eps)", ["y = x / torch.sqrt(v)"]),
    ("epsilon-dropped", "y = x / (v + 1e-5)", ["y = x / (v)"]),
    ("epsilon-outside", "y = x / torch.sqrt(v + eps)", ["y = x / (torch.sqrt(v) + eps)"]),
    ("epsilon-outside", "y = x / (v + eps).sqrt()", ["y = x / ((v).sqrt() + eps)"]),
    ("epsilon-outside", "y = torch.sqrt(v + w)", []),
    ("residual-dropped", "y = x + self.mlp(x)", ["y = self.mlp(x)"]),
    ("residual-dropped", "y = self.mlp(x) + x", ["y = self.mlp(x)"]),
    ("residual-dropped", "y = w + self.mlp(x)", []),
    ("term-dropped", "e = words(x) + places(t)", ["e = words(x)", "e = places(t)"]),
    ("term-dropped", "d = x - mean", ["d = x"]),
    ("term-dropped", "y = x + self.b", ["y = self.b"]),
    # axes and order
    ("axis-changed", "p = s.softmax(dim=-1)", ["p = s.softmax(dim=-2)", "p = s.softmax(dim=0)"]),
    ("axis-changed", "p = torch.softmax(s, 1)", ["p = torch.softmax(s, 0)", "p = torch.softmax(s, 2)"]),
    ("axis-changed", "m = x.mean(2)", ["m = x.mean(1)"]),
    ("axis-changed", "n = x.shape[0]", ["n = x.shape[1]"]),
    ("axis-changed", "n = x.size(2)", ["n = x.size(1)"]),
    ("axis-changed", "y = torch.cat([a, b], dim=0)", ["y = torch.cat([a, b], dim=1)"]),
    ("axis-changed", "y = x.transpose(1, 2)", ["y = x.transpose(0, 2)"]),
    ("axis-changed", "y = max(n, 1)", []),
    ("permutation-changed", "y = x.permute(0, 2, 1)", ["y = x.permute(2, 0, 1)", "y = x.permute(0, 1, 2)"]),
    ("transposition-dropped", "s = q @ k.transpose(-2, -1)", ["s = q @ k"]),
    ("transposition-dropped", "s = (a + b).T @ q", ["s = (a + b) @ q"]),
    ("transposition-dropped", "s = torch.transpose(k, 0, 1)", ["s = k"]),
    ("concatenation-exchanged", "y = torch.cat((x, h), dim=1)", ["y = torch.cat((h, x), dim=1)"]),
    ("concatenation-exchanged", "y = torch.stack([a, b])", ["y = torch.stack([b, a])"]),
    ("concatenation-exchanged", "y = torch.cat((a, b, c))", ["y = torch.cat((b, a, c))", "y = torch.cat((a, c, b))"]),
    ("slice-shifted", "y = x[:, :-1]", ["y = x[:, :]", "y = x[:, :-2]", "y = x[:, :0]"]),
    ("slice-shifted", "y = x[1:]", ["y = x[:]", "y = x[2:]", "y = x[0:]"]),
    ("slice-shifted", "y = x[:n]", ["y = x[:]", "y = x[:n - 1]", "y = x[:n + 1]"]),
    ("slice-shifted", "y = x[:, None]", []),
    ("index-changed", "y = x[:, 0]", ["y = x[:, -1]", "y = x[:, 1]"]),
    ("index-changed", "y = x[-1]", ["y = x[0]", "y = x[-2]"]),
    ("index-changed", "n = x.shape[1]", []),
    ("order-reversed", "for t in reversed(range(n)):\n    step(t)", ["for t in range(n):\n    step(t)"]),
    ("order-reversed", "for t in range(n):\n    step(t)", ["for t in reversed(range(n)):\n    step(t)"]),
    ("order-reversed", "for _ in range(n):\n    y, _ = step(n)", []),
    # masks
    ("mask-dropped", "s = s.masked_fill(m == 0, -math.inf)", ["s = s"]),
    ("mask-dropped", "y = self.attn(x, mask)", ["y = self.attn(x, None)"]),
    ("mask-dropped", "y = net(x, tgt_mask=future)", ["y = net(x, tgt_mask=None)"]),
    ("mask-dropped", "m = full.tril()", ["m = full"]),
    ("mask-inverted", "s = s.masked_fill(m, -1e9)", ["s = s.masked_fill(m == 0, -1e9)"]),
    ("mask-inverted", "s = s.masked_fill(m == 0, -1e9)", ["s = s.masked_fill((m == 0) == 0, -1e9)"]),
    ("mask-inverted", "y = net(x, tgt_mask=future)", ["y = net(x, tgt_mask=(future == 0))"]),
    ("mask-after-softmax", "p = s.masked_fill(m, -1e9).softmax(-1)", ["p = s.softmax(-1).masked_fill(m, 0)"]),
    ("mask-after-softmax", "p = torch.softmax(s, dim=-1)", []),
    ("causal-shifted", "m = ones.triu(diagonal=1)", ["m = ones.triu(diagonal=0)", "m = ones.triu(diagonal=2)"]),
    ("causal-shifted", "m = torch.triu(ones, 1)", ["m = torch.triu(ones, 0)", "m = torch.triu(ones, 2)"]),
    ("causal-shifted", "m = ones.tril()", ["m = ones.tril(-1)", "m = ones.tril(1)"]),
    ("causal-turned", "m = ones.triu(diagonal=1)", ["m = ones.tril(diagonal=1)"]),
    # functions
    ("activation-exchanged", "i = torch.sigmoid(a)", ["i = torch.tanh(a)"]),
    ("activation-exchanged", "i = a.tanh()", ["i = a.sigmoid()"]),
    ("activation-exchanged", "y = torch.relu(x)", ["y = torch.nn.functional.gelu(x)"]),
    ("activation-exchanged", "y = F.log_softmax(x, dim=1)", ["y = F.softmax(x, dim=1)"]),
    ("activation-exchanged", "self.act = nn.GELU()", ["self.act = nn.ReLU()"]),
    ("activation-exchanged", "y = self.tanh(x)", []),
    ("activation-dropped", "y = F.relu(x + 1)", ["y = (x + 1)"]),
    ("activation-dropped", "p = s.softmax(dim=1)", ["p = s"]),
    ("activation-dropped", "self.act = nn.GELU()", ["self.act = nn.Identity()"]),
    ("activation-dropped", "self.norm = nn.GroupNorm(1, width)", ["self.norm = nn.Identity()"]),
    ("reduction-changed", "l = loss.mean()", ["l = loss.sum()"]),
    ("reduction-changed", "l = torch.sum(loss)", ["l = torch.mean(loss)"]),
    ("reduction-changed", "n = sum(sizes)", []),
    ("reduction-changed", "l = F.mse_loss(a, b)", ['l = F.mse_loss(a, b, reduction="sum")']),
    ("reduction-changed", 'l = F.mse_loss(a, b, reduction="sum")', ['l = F.mse_loss(a, b, reduction="mean")']),
    ("reduction-changed", "c = nn.CrossEntropyLoss()", ['c = nn.CrossEntropyLoss(reduction="sum")']),
    ("extreme-exchanged", "w = scores.argmax(dim=1)", ["w = scores.argmin(dim=1)"]),
    ("extreme-exchanged", "n = min(a, b)", ["n = max(a, b)"]),
    ("clipping-dropped", "p = p.clamp_min(1e-12).log()", ["p = p.log()"]),
    ("clipping-dropped", "n = min(a, b)", ["n = a", "n = b"]),
    ("function-dropped", "y = beta.sqrt() * x", ["y = beta * x"]),
    ("function-dropped", "y = torch.exp(-x)", ["y = (-x)"]),
    ("variance-estimate-changed", "v = x.var(-1, unbiased=False)", ["v = x.var(-1, unbiased=True)"]),
    ("variance-estimate-changed", "v = torch.var(x, correction=0)", ["v = torch.var(x, correction=1)"]),
    ("variance-estimate-changed", "v = x.std()", ["v = x.std(unbiased=False)"]),
    # layers
    ("norm-moved-before", "y = self.norm(x + self.mlp(x))", ["y = (x + self.mlp(self.norm(x)))"]),
    ("norm-moved-before", "y = self.norm(x + mixed)", ["y = (x + self.norm(mixed))"]),
    ("norm-moved-behind", "y = x + self.mlp(self.ln_2(x))", ["y = self.ln_2(x + self.mlp(x))"]),
    ("norm-moved-behind", "y = w + self.mlp(self.ln_2(x))", []),
    ("norm-dropped", "y = x + self.mlp(self.ln_2(x))", ["y = x + self.mlp(x)"]),
    # training
    ("dropout-always", "y = F.dropout(x, p, self.training)", ["y = F.dropout(x, p, True)"]),
    ("dropout-always", "y = self.dropout(x)", ["y = torch.nn.functional.dropout(x, self.dropout.p, True)"]),
    ("dropout-dropped", "y = self.drop(x)", ["y = x"]),
    ("dropout-dropped", "self.d = nn.Dropout(0.1)", ["self.d = nn.Identity()"]),
    ("dropout-dropped", "self.t = nn.Transformer(8, dropout=p)", ["self.t = nn.Transformer(8, dropout=0.0)"]),
    ("mode-exchanged", "model.eval()", ["model.train()"]),
    ("mode-exchanged", "model.train()", ["model.eval()"]),
    ("gradients-kept", "with torch.no_grad():\n    go()", ["with torch.enable_grad():\n    go()"]),
    # plain slips
    ("operator-exchanged", "y = a - b", ["y = (a + b)"]),
    ("operator-exchanged", "y = a * b / c", ["y = (a / b) / c", "y = ((a * b) * c)"]),
    ("operator-exchanged", "n = d // 2", ["n = (d * 2)"]),
    ("operator-exchanged", "n += 1", ["n -= 1"]),
    ("sign-dropped", "y = -x.log()", ["y = x.log()"]),
    ("sign-dropped", "y = x[-1]", []),
    ("comparison-shifted", "m = a < b", ["m = (a <= b)"]),
    ("comparison-shifted", "m = a == b", ["m = (a != b)"]),
    ("comparison-shifted", "m = a < 1e-6", []),
    ("condition-fixed", "y = a if t > 0 else b", ["y = a if True else b", "y = a if False else b"]),
    ("logic-exchanged", "ok = a and not b", ["ok = (a or (not b))"]),
    ("constant-changed", "n = 3", ["n = 4", "n = 2"]),
    ("constant-changed", "r = 0.25", ["r = 0.5"]),
    ("constant-changed", "r = 1.0 - b", ["r = 2.0 - b"]),
    ("constant-changed", "y = x[0].sum(dim=1).transpose(0, 1).size(2)", []),
    ("constant-changed", "y = c.expand(n, -1)", []),
    ("flag-flipped", "r = nn.LSTM(3, 4, batch_first=True)", ["r = nn.LSTM(3, 4, batch_first=False)"]),
    ("flag-flipped", "flag = True", []),
    ("flag-flipped", "y = zip(a, b, strict=True)", []),
    ("return-exchanged", "def f(h, c):\n    return h, c", ["def f(h, c):\n    return c, h"]),
    ("return-exchanged", "def f(x):\n    return x[0, 1]", []),
    ("statement-deleted", "optimizer.zero_grad()", ["pass"]),
    ("statement-deleted", "nn.utils.clip_grad_norm_(p, 1.0)", ["pass"]),
    ("statement-deleted", "def f(x):\n    x = g(x)", ["def f(x):\n    pass"]),
    ("statement-deleted", "def f(x):\n    y = g(x)\n    return y", []),
    ("statement-deleted", "print(x)", []),
    ("loop-shortened", "for t in range(1, n):\n    step(t)", ["for t in range(1, n - 1):\n    step(t)"]),
]


@pytest.mark.parametrize(("operator", "code", "expected"), LINES, ids=lambda value: str(value)[:40])
def test_line(operator, code, expected):
    assert after(code, operator) == expected


NUMPY_LINES = [
    ("copy-dropped", "y = x.copy()", ["y = x"]),
    ("copy-dropped", "y = np.array(x + 1)", ["y = (x + 1)"]),
    ("copy-dropped", "y = np.array([1, 2])", []),
    ("dtype-changed", "y = np.zeros_like(x)", ["y = np.zeros_like(x, dtype=int)"]),
    ("dtype-changed", "y = np.full(n, 0.5, dtype=np.float64)", ["y = np.full(n, 0.5, dtype=int)"]),
    ("dtype-changed", "y = x.astype(float)", ["y = x"]),
    ("variance-estimate-changed", "v = x.var(axis=0)", ["v = x.var(axis=0, ddof=1)"]),
    ("variance-estimate-changed", "v = np.std(x, ddof=1)", ["v = np.std(x, ddof=0)"]),
]


@pytest.mark.parametrize(("operator", "line", "expected"), NUMPY_LINES, ids=lambda value: str(value)[:40])
def test_line_of_numpy_code(operator, line, expected):
    assert after(f"import numpy as np\n{line}", operator) == [f"import numpy as np\n{one}" for one in expected]
    if operator != "variance-estimate-changed":
        assert after(line, operator) == [], "torch has other words for it"


CELL = """
class LSTM(nn.Module):
    def __init__(self, d, h):
        self.w_i, self.w_f, self.fc = weight(d), weight(d), nn.Linear(h, h)

    def forward(self, x):
        h = x.new_zeros(2, 3)
        for x_t in x.unbind(1):
            i = torch.sigmoid(x_t @ self.w_i)
            f = torch.sigmoid(x_t @ self.w_f)
            h = f * h + i
        return self.fc(h), h
"""


def changed_lines(code, operator):
    """Per mutant, the lines that are not in the original."""
    return [
        [line.strip() for line in mutated.splitlines() if line not in code.splitlines()]
        for mutated in after(code, operator)
    ]


def test_weights_that_are_built_alike_are_exchanged_and_others_not():
    assert changed_lines(CELL, "weight-exchanged") == [
        ["i = torch.sigmoid(x_t @ self.w_f)"],
        ["f = torch.sigmoid(x_t @ self.w_i)"],
    ]


def test_gates_are_exchanged_and_the_state_is_none():
    assert changed_lines(CELL, "gate-exchanged") == [["h = i * h + i"], ["h = f * h + f"]]


def test_a_state_is_kept_between_calls():
    assert changed_lines(CELL, "state-kept") == [
        ['h = getattr(self, "kept_h", x.new_zeros(2, 3))', "self.kept_h = h.detach(); return self.fc(h), h"]
    ]


def test_a_state_is_reset_in_every_step():
    (text,) = after(CELL, "state-reset")
    assert "for x_t in x.unbind(1):\n            h = x.new_zeros(2, 3)\n            i = " in text


def test_detach_goes_to_tensors_outside_the_constructor():
    assert changed_lines(CELL, "detached") == [
        ["i = torch.sigmoid(x_t @ self.w_i).detach()"],
        ["f = torch.sigmoid(x_t @ self.w_f).detach()"],
        ["h = (f * h + i).detach()"],
        ["return self.fc(h).detach(), h"],
    ]


def test_nothing_is_detached_where_no_gradient_is_kept():
    code = "class A:\n    def f(self, x):\n        with torch.no_grad():\n            y = g(x)\n        return 1"
    assert after(code, "detached") == []


def test_the_halves_of_two_directions_are_exchanged():
    code = """
    class Encoder:
        def __init__(self):
            self.rnn = nn.LSTM(3, 4, bidirectional=True)
            self.one = nn.LSTM(3, 4)

        def forward(self, x):
            return self.rnn(self.one(x))
    """
    (text,) = after(code, "halves-exchanged")
    assert "(*self.rnn(self.one(x)))" in text
    assert "[::-1], dim=-1), state))" in text


def test_an_earlier_fill_moves_behind_the_softmax_with_its_condition():
    code = """
    def f(s, mask):
        if mask is not None:
            s = s.masked_fill(mask == 0, -1e9)
        return torch.softmax(s, dim=-1)
    """
    (text,) = after(code, "mask-after-softmax")
    assert "if mask is not None:\n        pass\n" in text
    masked = "torch.softmax(s, dim=-1).masked_fill(mask == 0, 0)"
    assert f"return ({masked} if mask is not None else torch.softmax(s, dim=-1))" in text


def test_a_residual_sum_may_have_its_branch_in_the_line_before():
    code = "def f(self, inputs):\n    mixed = self.attn(inputs)\n    return self.norm(inputs + mixed)"
    assert changed_lines(code, "residual-dropped") == [["return self.norm(mixed)"]]


def test_training_flag_in_a_condition_is_dropout_too():
    code = "if self.training:\n    x = x * kept"
    assert after(code, "dropout-always") == ["if True:\n    x = x * kept"]
    assert after(code, "dropout-dropped") == ["if False:\n    x = x * kept"]


def test_every_operator_has_a_test_that_makes_it_speak():
    silent = {"weight-exchanged", "gate-exchanged", "state-kept", "state-reset", "detached", "halves-exchanged"}
    assert {name for name, _, expected in LINES + NUMPY_LINES if expected} | silent == set(OPERATORS)
