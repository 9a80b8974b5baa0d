"""Dropout in other words, and padding that an embedding knows of."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from grader.proof.changes.calls import attribute_of_self, called, keyword, with_argument
from grader.proof.changes.source import Edit, Source
from grader.proof.rewritings.patterns import filled_in, spelt

DROPOUT = re.compile(r"drop")
WAYS = (
    "torch.nn.functional.dropout(_a, _p, self.training)",
    "torch.nn.functional.dropout(_a, p=_p, training=self.training, inplace=False)",
    "torch.nn.Dropout(_p).train(self.training)(_a)",
    "(_a * torch.rand_like(_a).ge(_p) / max(1 - _p, 1e-9) if self.training else _a)",
    "(_a * torch.bernoulli(torch.full_like(_a, 1 - _p)) / max(1 - _p, 1e-9) if self.training else _a)",
    "(_a if _p == 0 or not self.training else torch.dropout(_a, _p, True))",
)


def dropout(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A dropout layer as a function, by hand, made anew in every call, or the other way round."""
    if not isinstance(node, ast.Call) or source.class_of(node) is None or len(node.args) == 0:
        return
    own = attribute_of_self(node.func)
    if own and DROPOUT.search(own):
        for way in WAYS:
            text = way.replace("_p", f"self.{own}.p")
            yield source.replace(node, filled_in(source, text, {"_a": node.args[0]}))
    elif called(node) == "dropout" and len(node.args) == 3:
        for way in WAYS:
            text = way.replace("self.training", source.segment(node.args[2]))
            yield source.replace(node, filled_in(source, text, {"_a": node.args[0], "_p": node.args[1]}))


layer = spelt(
    ("nn.Dropout(_p)", "(torch.nn.Dropout(_p) if _p > 0 else torch.nn.Identity())"),
    ("nn.Dropout(_p)", "torch.nn.Dropout(p=_p, inplace=False)"),
    ("nn.Dropout(_p)", "torch.nn.Sequential(torch.nn.Dropout(_p))"),
    ("nn.Dropout(p=_p)", "torch.nn.Dropout(_p)"),
)


def padding_first(source: Source, node: ast.AST) -> Iterator[Edit]:
    """An embedding of words that knows that word 0 is padding."""
    yield from _with_padding(source, node, "0")


def padding_second(source: Source, node: ast.AST) -> Iterator[Edit]:
    """An embedding of words that knows that word 1 is padding."""
    yield from _with_padding(source, node, "1")


def padding_last(source: Source, node: ast.AST) -> Iterator[Edit]:
    """An embedding of words that knows that the last word is padding."""
    if isinstance(node, ast.Call) and node.args:
        yield from _with_padding(source, node, f"{source.bracketed(node.args[0])} - 1")


def _with_padding(source: Source, node: ast.AST, index: str) -> Iterator[Edit]:
    if not isinstance(node, ast.Call) or called(node) != "Embedding" or keyword(node, "padding_idx") is not None:
        return
    if "pos" not in source.segment(source.statement(node)).split("=")[0]:
        yield with_argument(source, node, f"padding_idx={index}")
