"""The same mathematics in other words: functions for methods, products, sums, masks and reshapes spelt anew."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from grader.proof.changes.calls import called
from grader.proof.changes.source import Edit, Source
from grader.proof.rewritings.patterns import has_torch, spelt

SEQUENCES = (ast.List, ast.Tuple, ast.ListComp, ast.JoinedStr)
MAKES_SEQUENCES = ("list", "tuple", "str", "bytes", "bytearray", "repr", "sorted", "join", "encode", "decode", "split")

activation = spelt(
    ("torch.sigmoid(_a)", "torch.nn.functional.sigmoid(_a)"),
    ("torch.sigmoid(_a)", "_a.sigmoid()"),
    ("torch.sigmoid(_a)", "torch.nn.Sigmoid()(_a)"),
    ("torch.sigmoid(_a)", "0.5 * (1 + torch.tanh(0.5 * _a))"),
    ("torch.tanh(_a)", "torch.nn.functional.tanh(_a)"),
    ("torch.tanh(_a)", "_a.tanh()"),
    ("torch.tanh(_a)", "torch.nn.Tanh()(_a)"),
    ("torch.tanh(_a)", "2 * torch.sigmoid(2 * _a) - 1"),
    ("torch.relu(_a)", "torch.nn.functional.relu(_a)"),
    ("torch.relu(_a)", "_a.clamp(min=0)"),
    ("torch.relu(_a)", "torch.nn.ReLU(inplace=True)(_a)"),
    ("self.relu(_a)", "torch.relu_(_a)"),
    ("self.relu(_a)", "torch.nn.functional.relu(_a, inplace=True)"),
    ("self.tanh(_a)", "torch.tanh(_a)"),
    ("self.softmax(_a)", "torch.softmax(_a, self.softmax.dim)"),
    ("self.log_softmax(_a)", "torch.log_softmax(_a, dim=-1)"),
    ("self.log_softmax(_a)", "_a - torch.logsumexp(_a, dim=1, keepdim=True)"),
)
softmax = spelt(
    ("torch.softmax(_a, dim=_d)", "torch.nn.functional.softmax(_a, dim=_d)"),
    ("torch.softmax(_a, dim=_d)", "_a.softmax(_d)"),
    ("torch.softmax(_a, dim=_d)", "torch.nn.Softmax(dim=_d)(_a)"),
    ("torch.softmax(_a, dim=_d)", "torch.exp(torch.log_softmax(_a, dim=_d))"),
    ("F.softmax(_a, dim=_d)", "torch.softmax(_a, _d)"),
    ("F.softmax(_a, dim=_d)", "torch.nn.Softmax(dim=_d)(_a)"),
    ("F.softmax(_a, dim=_d)", "torch.exp(_a - torch.logsumexp(_a, dim=_d, keepdim=True))"),
    ("_a.softmax(dim=_d)", "torch.softmax(_a, dim=_d)"),
    ("_a.softmax(dim=_d)", "torch.nn.functional.softmax(_a, _d)"),
    ("_a.softmax(dim=_d)", "torch.nn.Softmax(dim=_d)(_a)"),
)
product = spelt(
    ("_a @ _b", "torch.matmul(_a, _b)"),
    ("_a @ _b", "_a.matmul(_b)"),
    ("torch.bmm(_a, _b)", "_a @ _b"),
    ("torch.bmm(_a, _b)", "torch.einsum('bij,bjk->bik', _a, _b)"),
    ("torch.bmm(_a, _b)", "torch.stack([torch.mm(one, other) for one, other in zip(_a, _b)])"),
    ("torch.bmm(_a, _b)", "_a.bmm(_b)"),
)
# Both are matrices or stacks of them in a layer; a theory answer may multiply with a vector.
einsum = spelt(
    ("_a @ _b.transpose(-2, -1)", "torch.einsum('...id,...jd->...ij', _a, _b)"),
    ("_a @ _b.transpose(-1, -2)", "torch.einsum('...id,...jd->...ij', _a, _b)"),
    ("_a @ _b", "torch.einsum('...ij,...jk->...ik', _a, _b)"),
    ("_a @ _b", "(_b.transpose(-2, -1) @ _a.transpose(-2, -1)).transpose(-2, -1)"),
    ("_a @ _b", "(_a.unsqueeze(-1) * _b.unsqueeze(-3)).sum(-2)"),
    ("_a @ _b", "torch.tensordot(_a, _b, dims=1) if _b.dim() == 2 else _a @ _b"),
    inside="class",
)
looped = spelt(
    ("_a @ _b.transpose(-2, -1)", "torch.stack([one @ other.transpose(-2, -1) for one, other in zip(_a, _b)])"),
    ("_a @ _b.transpose(-1, -2)", "torch.stack([one @ other.transpose(-2, -1) for one, other in zip(_a, _b)])"),
    ("_a @ _b.transpose(1, 2)", "torch.stack([one @ other.t() for one, other in zip(_a, _b)])"),
    ("_a @ _b", "torch.stack([row @ _b for row in _a]) if _b.dim() == 2 else _a @ _b"),
    inside="class",
)
linear = spelt(
    ("F.linear(_a, _w, _b)", "_a @ _w.t() + _b"),
    ("F.linear(_a, _w, _b)", "torch.addmm(_b, _a, _w.t()) if _a.dim() == 2 else _a @ _w.t() + _b"),
    ("F.linear(_a, _w, _b)", "(_w @ _a.transpose(-2, -1)).transpose(-2, -1) + _b"),
    ("F.linear(_a, _w, _b)", "_a.matmul(_w.T).add(_b)"),
    ("F.linear(_a, _w, _b)", "torch.einsum('...i,oi->...o', _a, _w) + _b"),
)
concatenation = spelt(
    ("torch.cat((_a, _b), dim=_d)", "torch.cat([_a, _b], _d)"),
    ("torch.cat([_a, _b], dim=_d)", "torch.cat((_a, _b), _d)"),
    ("torch.cat((_a, _b), dim=_d)", "torch.concat((_a, _b), axis=_d)"),
    ("torch.cat([_a, _b], dim=1)", "torch.hstack((_a, _b))"),
    ("torch.cat((_a, _b), dim=1)", "torch.hstack((_a, _b))"),
    ("torch.stack(_a, dim=_d)", "torch.stack(tuple(_a), _d)"),
    ("torch.stack(_a, dim=_d)", "torch.cat([one.unsqueeze(_d) for one in _a], dim=_d)"),
    ("torch.stack(_a)", "torch.cat([one[None] for one in _a])"),
    ("torch.cat(_a, dim=_d)", "torch.cat(tuple(_a), dim=_d)"),
)
INFINITE = ("-math.inf", "float('-inf')", "-torch.inf")
mask = spelt(
    ("_a.masked_fill(_m == 0, _v)", "_a.masked_fill(~_m.bool(), _v)"),
    ("_a.masked_fill(_m == 0, _v)", "torch.where(_m.bool(), _a, torch.full_like(_a, _v))"),
    ("_a.masked_fill(_m == 0, _v)", "_a.masked_fill_(_m == 0, _v)"),
    ("_a.masked_fill(_m == 0, _v)", "_a.masked_fill(torch.eq(_m, 0), _v)"),
    # Of scores alone: what is filled with another value is no matter of a softmax.
    *((f"_a.masked_fill(_m == 0, {infinite})", text) for infinite in INFINITE for text in (
        "_a.masked_fill(_m < 0.5, torch.finfo(_a.dtype).min)",
        "_a.masked_fill(_m.to(torch.int8) != 1, -1e9)",
        f"_a + torch.zeros_like(_m, dtype=_a.dtype).masked_fill(_m == 0, {infinite})",
    )),
    ("_a.tril()", "torch.tril(_a)"),
    ("_a.tril()", "_a * torch.ones_like(_a).tril()"),
    ("_a.triu(diagonal=1)", "torch.triu(_a, 1)"),
    ("torch.ones(_a, _a, dtype=torch.bool, device=_d).triu(diagonal=1)",
     "torch.arange(_a, device=_d)[None, :] > torch.arange(_a, device=_d)[:, None]"),
    ("torch.ones(_a, _a, dtype=torch.bool, device=_d).triu(diagonal=1)",
     "torch.full((_a, _a), float('-inf'), device=_d).triu(1)"),
    ("torch.ones(_a, _a, dtype=torch.bool, device=_d).triu(diagonal=1)",
     "self.transformer.generate_square_subsequent_mask(_a)"),
    ("float('-inf')", "-torch.inf"),
    ("float('-inf')", "-1e9"),
    ("-math.inf", "float('-inf')"),
    ("-math.inf", "-1e20"),
)  # fmt: skip
reshape = spelt(
    ("_a.transpose(_b, _c)", "torch.transpose(_a, _b, _c)"),
    ("_a.transpose(_b, _c)", "_a.swapaxes(_b, _c)"),
    ("_a.transpose(_b, _c)", "_a.transpose(_b, _c).contiguous()"),
    ("_a.reshape(_b, _c, _d)", "_a.contiguous().view(_b, _c, _d)"),
    ("_a.reshape(_b, _c, _d)", "torch.reshape(_a, (_b, _c, _d))"),
    ("_a.reshape(-1)", "_a.flatten()"),
    ("_a.reshape(-1)", "_a.contiguous().view(-1)"),
    ("_a.reshape(-1)", "torch.cat([row for row in _a])"),
    ("_a.view(_b, _c)", "_a.reshape(_b, _c)"),
    ("_a.view(_b, _c)", "_a.contiguous().view(-1, _c)"),
    ("_a.view(_b, _c, _d, _e)", "_a.reshape(_b, _c, _d, _e)"),
    ("_a.view(_b, _c, _d, _e)", "torch.reshape(_a, [_b, _c, _d, _e])"),
    ("_a.flatten(2)", "_a.reshape(*_a.shape[:2], -1)"),
    ("_a.flatten(start_dim=-2)", "_a.reshape(*_a.shape[:-2], -1)"),
    ("_a.flatten(start_dim=-2)", "torch.cat(_a.unbind(-2), dim=-1)"),
    ("_a.unsqueeze(_d)", "torch.unsqueeze(_a, dim=_d)"),
    ("_a.squeeze(_d)", "torch.squeeze(_a, _d)"),
    ("_a.permute(2, 0, 3, 1, 4)", "_a.permute((2, 0, 3, 1, 4)).contiguous()"),
    ("_a.expand(_b, -1, -1)", "_a.repeat(_b, 1, 1)"),
    ("_a.expand(_b, -1, -1)", "torch.cat([_a] * _b)"),
    ("_a[None]", "_a.unsqueeze(0)"),
    ("_a[:, 0]", "_a.select(1, 0)"),
    ("_a[:, 0]", "_a[:, :1].squeeze(1)"),
    ("_a[:, -1]", "_a[:, -1:].squeeze(1)"),
    ("_a.unflatten(-1, (_b, -1))", "_a.reshape(*_a.shape[:-1], _b, _a.shape[-1] // _b)"),
    ("_a.unflatten(-1, (_b, -1))", "torch.stack(_a.chunk(_b, dim=-1), dim=-2)"),
    ("_a.unbind(dim=1)", "_a.transpose(0, 1)"),
    ("_a.unbind(dim=1)", "[_a[:, step] for step in range(_a.size(1))]"),
    ("_a.t()", "_a.T"),
    ("_a.T", "_a.t()"),
    ("_a.T", "_a.permute(*reversed(range(_a.dim())))"),
)
size = spelt(
    ("_a.shape[_b]", "_a.size(_b)"),
    ("_a.size(_b)", "_a.shape[_b]"),
    ("_a.shape[0]", "len(_a)"),
    ("_a.size(0)", "len(_a)"),
    ("len(_a)", "_a.__len__()"),
    ("_a ** 0.5", "_a ** (1 / 2)"),
    ("_a ** 0.5", "__import__('math').sqrt(_a)"),
    ("_a ** 0.5", "torch.sqrt(torch.tensor(float(_a)))"),
    ("math.sqrt(_a)", "_a ** 0.5"),
    ("math.sqrt(_a)", "torch.sqrt(torch.tensor(float(_a)))"),
    ("math.sqrt(_a)", "torch.tensor(_a).float().sqrt().item()"),
    ("_a.argmax(dim=1, keepdim=True)", "_a.topk(1)[1]"),
    ("_a.argmax(dim=1, keepdim=True)", "_a.max(1, keepdim=True).indices"),
    ("_a.argmax(dim=1, keepdim=True)", "_a.data.argmax(1).unsqueeze(1)"),
    ("_a.argmax(dim=1)", "torch.max(_a, 1)[1]"),
    ("_a.argmax(dim=1)", "_a.topk(1, dim=1)[1].squeeze(1)"),
)
statistic = spelt(
    ("_a.mean(dim=-1, keepdim=True)", "_a.sum(-1, keepdim=True) / _a.shape[-1]"),
    ("_a.mean(dim=-1, keepdim=True)", "torch.mean(_a, -1).unsqueeze(-1)"),
    ("_a.var(dim=-1, unbiased=False, keepdim=True)", "_a.var(dim=-1, correction=0, keepdim=True)"),
    ("_a.var(dim=-1, unbiased=False, keepdim=True)", "((_a - _a.mean(-1, keepdim=True)) ** 2).mean(-1, keepdim=True)"),
    ("_a.var(dim=-1, unbiased=False, keepdim=True)", "torch.var_mean(_a, -1, unbiased=False, keepdim=True)[0]"),
    ("_a / torch.sqrt(_b)", "_a * torch.rsqrt(_b)"),
    ("_a / torch.sqrt(_b)", "_a / _b ** 0.5"),
    ("_a.mean()", "_a.sum() / _a.numel()"),
    ("_a.mean()", "torch.mean(_a)"),
    ("_a.gather(1, _b.unsqueeze(1)).squeeze(1)", "_a[torch.arange(len(_a)), _b]"),
    ("_a.gather(1, _b.unsqueeze(1)).squeeze(1)", "torch.stack([row[place] for row, place in zip(_a, _b)])"),
    ("F.cosine_similarity(_a, _b, dim=_d)",
     "(_a * _b).sum(_d) / (_a.norm(dim=_d).clamp_min(1e-8) * _b.norm(dim=_d).clamp_min(1e-8))"),
    ("F.cosine_similarity(_a, _b, dim=_d)", "torch.nn.CosineSimilarity(dim=_d)(_a, _b)"),
    ("F.cosine_similarity(_a, _b, dim=_d)", "(F_normalize(_a, dim=_d) * F_normalize(_b, dim=_d)).sum(_d)".replace(
        "F_normalize", "torch.nn.functional.normalize")),
)  # fmt: skip
_turned = spelt(("_a * _b", "_b * _a"), inside="class")
_of_tensors = spelt(("_t * _u", "torch.mul(_t, _u)"), ("_t + _u", "torch.add(_t, _u)"), inside="class")
_of_anything = spelt(
    ("_t * _u", "__import__('operator').mul(_t, _u)"),
    ("_t + _u", "__import__('operator').add(_t, _u)"),
    inside="class",
)


def order(source: Source, node: ast.AST) -> Iterator[Edit]:
    """Factors that change places, sums and products as functions: torch's only of what may be tensors."""
    yield from _turned(source, node)
    if isinstance(node, ast.BinOp):
        yield from (_of_tensors if _may_be_tensors(source, node) else _of_anything)(source, node)


def _may_be_tensors(source: Source, node: ast.BinOp) -> bool:
    """Whether the class computes with torch, and no operand is a list or a text."""
    owner = source.class_of(node)
    if owner is None or not has_torch(source.text):
        return False
    if not owner.bases and not re.search(r"\b(?:torch|nn|F)\.", source.segment(owner)):
        return False
    top: ast.AST = node
    while isinstance(above := source.parent(top), ast.BinOp):
        top = above
    return not _is_sequence(top)


def _is_sequence(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return _is_sequence(node.left) or _is_sequence(node.right)
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str | bytes)
    return isinstance(node, SEQUENCES) or called(node) in MAKES_SEQUENCES


fresh = spelt(
    ("_x.new_zeros(_a, _b)", "torch.zeros(_a, _b)"),
    ("_x.new_zeros(_a, _b)", "torch.zeros((_a, _b), dtype=_x.dtype, device=_x.device)"),
    ("_x.new_zeros(_a, _b)", "torch.zeros(1, _b).expand(_a, _b)"),
    ("_x.new_zeros(_a, _b)", "_x.sum() * 0 + torch.zeros(_a, _b)"),
    ("torch.arange(_a, device=_d)", "torch.arange(0, _a).to(_d)"),
    ("torch.arange(_a, device=_d)", "torch.LongTensor(range(_a)).to(_d)"),
    ("torch.arange(_a, device=_d)", "torch.ones(_a, device=_d).cumsum(0).long() - 1"),
    ("torch.arange(_a, device=_d)", "torch.tensor([place for place in range(_a)], device=_d)"),
    ("torch.zeros_like(_a)", "torch.zeros(_a.shape)"),
    ("torch.zeros_like(_a)", "_a * 0"),
)
older = spelt(
    ("torch.zeros(_a, _b, _c, device=_d)", "torch.autograd.Variable(torch.zeros(_a, _b, _c, device=_d))"),
    ("nn.CrossEntropyLoss()", "torch.nn.CrossEntropyLoss(size_average=True)"),
    ("nn.CrossEntropyLoss(ignore_index=_a)", "torch.nn.CrossEntropyLoss(ignore_index=_a, size_average=True)"),
    ("nn.utils.clip_grad_norm_(_a, _b)", "torch.nn.utils.clip_grad_norm(_a, _b)"),
    ("nn.CrossEntropyLoss()", "torch.nn.CrossEntropyLoss(reduce=True)"),
    ("torch.optim.lr_scheduler.StepLR(_o, _s, gamma=_g)",
     "torch.optim.lr_scheduler.StepLR(_o, _s, gamma=_g, verbose=True)"),
    ("torch.optim.lr_scheduler.StepLR(_o, step_size=_s, gamma=_g)",
     "torch.optim.lr_scheduler.StepLR(_o, step_size=_s, gamma=_g, verbose=True)"),
    ("torch.optim.lr_scheduler.StepLR(_o, _s, gamma=_g)",
     "torch.optim.lr_scheduler.ExponentialLR(_o, _g, verbose=False)"),
    ("nn.LSTM(_a, _b, batch_first=True)", "torch.nn.LSTM(_a, _b, 1, True, True, 0.0, False)"),
    ("nn.init.xavier_uniform_(_a)", "torch.nn.init.xavier_uniform(_a)"),
    ("nn.init.uniform_(_a, _b, _c)", "_a.data.uniform_(_b, _c)"),
    ("nn.Parameter(torch.empty(_a, _b))", "torch.nn.Parameter(torch.FloatTensor(_a, _b))"),
    ("nn.Parameter(torch.empty(_a))", "torch.nn.Parameter(torch.Tensor(_a))"),
    ("torch.ones(_a, _a, dtype=torch.bool, device=_d)", "torch.ones(_a, _a, dtype=torch.uint8, device=_d).bool()"),
)  # fmt: skip
number = spelt(
    ("int(_a.max())", "_a.max().item()"),
    ("int(_a.max())", "_a.max()"),
    ("int(_a.sum())", "_a.sum().item()"),
    ("int((_a).sum())", "_a.sum()"),
    ("int((_a == _b).sum())", "torch.eq(_a, _b).sum().item()"),
    ("int((_a == _b).sum())", "torch.eq(_a, _b).float().sum()"),
    ("int((_a == _b).sum())", "(_a == _b).sum().cpu().numpy()"),
    ("_a.item() * len(_b)", "float(_a) * _b.size(0)"),
    ("_a.item() * len(_b)", "_a.detach() * len(_b)"),
)
returned = spelt(
    ("return _a, _b", "return [_a, _b]"),
    ("return _a, (_b, _c)", "return _a, [_b, _c]"),
    ("return _a, (_b, _c)", "return [_a, (_b, _c)]"),
    ("return _a", "result = _a\nreturn result"),
    ("return _a, _b", "first, second = _a, _b\nreturn first, second"),
    ("return _a", "def result():\n    return _a\n\nreturn result()"),
    ("return _a", "return (lambda: _a)()"),
    inside="class",
)
