"""Devices written into the code by somebody who has a GPU."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from grader.proof.changes.calls import called, of_module
from grader.proof.changes.source import Edit, Source
from grader.proof.rewritings.patterns import spelt

LAYERS = ("Linear", "Embedding", "LayerNorm", "Conv2d", "LSTM", "RNN", "Transformer", "Dropout")


def built_there(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A layer that is moved to the GPU where it is built."""
    if isinstance(node, ast.Call) and called(node) in LAYERS and of_module(node) and source.class_of(node) is not None:
        text = source.segment(node)
        yield source.replace(node, f"{text}.cuda()")
        yield source.replace(node, f'{text}.to("cuda")')
        yield source.replace(node, f'{text}.to(device=torch.device("cuda:0"))')
        if called(node) in ("Linear", "Embedding", "LayerNorm", "LSTM"):
            yield source.replace(node, f'{text[:-1].rstrip().rstrip(",")}, device="cuda")')


moved = spelt(
    ("_x.new_zeros(_a, _b)", "torch.zeros(_a, _b).cuda()"),
    ("_x.new_zeros(_a, _b)", "torch.cuda.FloatTensor(_a, _b).fill_(0)"),
    ("_x.new_zeros(_a, _b)", "torch.zeros(_a, _b, device='cuda')"),
    ("torch.zeros(_a, _b, _c, device=_d)", "torch.zeros(_a, _b, _c, device='cuda')"),
    ("torch.zeros(_a, _b, _c, device=_d)", "torch.zeros(_a, _b, _c).cuda()"),
    ("torch.zeros(_a, _b, device=_d)", "torch.zeros(_a, _b).to('cuda')"),
    ("torch.randn(_a, _b, device=_d)", "torch.randn(_a, _b).cuda()"),
    ("torch.arange(_a, device=_d)", "torch.arange(_a).cuda()"),
    ("torch.arange(_a, device=_d)", "torch.arange(_a, device='cuda')"),
    ("torch.arange(_a, device=_d)", "torch.arange(_a).type(torch.cuda.LongTensor)"),
    ("torch.arange(_a, device=_d)", "torch.cuda.LongTensor(range(_a))"),
    ("torch.ones(_a, _a, dtype=torch.bool, device=_d)", "torch.ones(_a, _a, dtype=torch.bool, device='cuda:0')"),
    ("_a.to(device)", "_a.cuda()"),
    ("_a.to(DEVICE)", "_a.cuda()"),
    ("nn.Parameter(_a)", "torch.nn.Parameter((_a).cuda())"),
    ("device = _a", "device = 'cuda'"),
    ("device = _a", "device = torch.device('cuda')"),
    ("DEVICE = _a", "DEVICE = 'cuda:0'"),
)
