"""Numbers and words in saved outputs, and the hyper-parameters that the code says. Judge side only."""

from __future__ import annotations

import ast
import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from saved import CodeCell, Saved

from grader.parsing.following import called

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_MODULE = re.compile(r"\b[A-Z]\w*\($")
OPTIMIZERS = ("SGD", "Adam", "RAdam", "AdamW", "RMSprop", "Adagrad", "NAdam", "Adadelta", "Adamax")


@dataclass(frozen=True)
class Number:
    """A printed number and half a unit of its last printed digit."""

    value: float
    half: float

    def shows(self, value: float) -> bool:
        """Whether this may be how `value` was printed."""
        return abs(self.value - value) <= self.half + 1e-9 * abs(value)


def numbers(text: str) -> list[Number]:
    """All numbers of a text, in order."""
    found = []
    for match in _NUMBER.finditer(text):
        digits, _, exponent = match.group().lower().partition("e")
        decimals = len(digits.partition(".")[2])
        half = 0.5 * 10.0 ** (int(exponent or 0) - decimals) if decimals or exponent else 0.0
        found.append(Number(float(match.group()), half))
    return found


def exponential_pairs(text: str) -> list[tuple[float, float]]:
    """Pairs (loss, perplexity) among the numbers of a text whose perplexity is the exponential of the loss."""
    found = numbers(text)
    pairs = [(loss, ppl) for loss in found for ppl in found if loss is not ppl]
    return [(loss.value, ppl.value) for loss, ppl in pairs if _is_exponential(loss, ppl)]


def _is_exponential(loss: Number, ppl: Number) -> bool:
    # Printing rounds both; 0.002 allows for means over chunks in float32.
    if not 0 < loss.value < 20 or ppl.value <= 1:
        return False
    return abs(math.log(ppl.value) - loss.value) <= loss.half + ppl.half / ppl.value + 0.002


# --- words ------------------------------------------------------------------------------------------------------


def token_runs(text: str) -> Iterator[list[str]]:
    """The words that a text shows, in the ways in which students print them: lists, lines, one word a line."""
    yield from listed(text)
    lines = [line.split() for line in text.splitlines()]
    yield from (line for line in lines if line)
    yield [word for line in lines for word in line]
    yield [word.strip() for line in text.splitlines() for word in line.split(", ")]


def listed(text: str) -> Iterator[list[str]]:
    """Lists of strings, as Python prints them."""
    start = text.find("[")
    while start >= 0:
        found = _one_list(text, start)
        if found is not None:
            yield found[0]
        start = text.find("[", start + 1 if found is None else found[1])


def _one_list(text: str, start: int) -> tuple[list[str], int] | None:
    end = start
    for _ in range(8):  # a word may hold a bracket itself
        end = text.find("]", end + 1)
        if end < 0:
            return None
        try:
            value = ast.literal_eval(text[start : end + 1])
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            continue
        return (value, end) if value and all(isinstance(word, str) for word in value) else None
    return None


def fingerprint(words: Iterable[str]) -> str:
    """A short digest of a sequence of words."""
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class KnownText:
    """What batchifying a known text with 20 columns gives: shape, vocabulary, and digests of heads and of rows."""

    name: str
    shape: tuple[int, int]
    words: int
    heads: frozenset[str]
    row: str


@cache
def known_texts() -> tuple[KnownText, ...]:
    """The texts of known_texts.json: WikiText-2 in both tokenisations that were in use, and the reference's own."""
    entries = json.loads(Path(__file__).with_name("known_texts.json").read_text(encoding="utf-8"))
    return tuple(
        KnownText(name, tuple(entry["shape"]), entry["words"], frozenset(entry["heads"]), entry["row"])
        for name, entry in entries.items()
    )


def shows_words(text: str, wanted: frozenset[str], length: int = 20) -> bool:
    """Whether some `length` words in a row have one of the digests."""
    return any(
        fingerprint(run[start : start + length]) in wanted
        for run in token_runs(text)
        for start in range(len(run) - length + 1)
    )


# --- the model's printed form, and the values that the code names -------------------------------------------------


def split_models(text: str) -> tuple[str, str]:
    """(a text without printed modules, the printed modules): their numbers are no printed hyper-parameters."""
    plain, modules, depth = [], [], 0
    for line in text.splitlines():
        if depth > 0 or _MODULE.search(line.rstrip()):
            modules.append(line)
            depth = max(0, depth + line.count("(") - line.count(")"))
        else:
            plain.append(line)
    return "\n".join(plain), "\n".join(modules)


def printed_model(modules: str) -> dict[str, float]:
    """Sizes that a printed `TransformerModel` tells; those that it does not show are left out."""
    patterns = {
        "words": r"\(encoder\): Embedding\((\d+),",
        "embedding": r"\(encoder\): Embedding\(\d+, (\d+)\)",
        "hidden": r"\(linear1\): \w+\(in_features=\d+, out_features=(\d+)",
        "dropout": r"\(dropout1?\): Dropout\(p=([\d.]+)",
    }
    found = {name: re.search(pattern, modules) for name, pattern in patterns.items()}
    sizes = {name: float(match[1]) for name, match in found.items() if match}
    layers = re.search(r"\(\d+(?:-\d+)?\): (?:(\d+) x )?TransformerEncoderLayer", modules)
    if layers:
        sizes["layers"] = float(layers[1] or len(re.findall(r"\(\d+\): TransformerEncoderLayer", modules)))
    return sizes


def named_values(saved: Saved) -> dict[str, float]:
    """Hyper-parameters that the calls of `TransformerModel` and of the optimiser name as numbers."""
    cells = saved.calling("TransformerModel", *OPTIMIZERS, *(f".{name}" for name in OPTIMIZERS))
    literals = {name: value for name, value in _literals(saved).items() if not name.startswith(".")}
    found: dict[str, float] = {}
    nodes = [node for cell in cells for step in cell.running for node in ast.walk(step)]
    for node in (node for node in nodes if isinstance(node, ast.Call)):
        name = called(node).removeprefix(".")
        if name == "TransformerModel":
            found.update(_arguments(node, ("words", "embedding", "heads", "hidden", "layers", "dropout"), literals))
        elif name in OPTIMIZERS:
            rate = _arguments(node, ("parameters", "rate"), literals)
            found.update({"rate": rate["rate"]} if "rate" in rate else {})
    return found


_KEYWORDS = {
    "ntoken": "words", "ninp": "embedding", "nhead": "heads", "nhid": "hidden", "nlayers": "layers",
    "dropout": "dropout", "lr": "rate",
}  # fmt: skip


def _arguments(node: ast.Call, order: tuple[str, ...], literals: dict[str, float]) -> dict[str, float]:
    given = dict(zip(order, node.args, strict=False))
    given.update({_KEYWORDS[entry.arg]: entry.value for entry in node.keywords if entry.arg in _KEYWORDS})
    values = {name: _value(argument, literals) for name, argument in given.items()}
    return {name: value for name, value in values.items() if value is not None}


def _value(node: ast.expr, literals: dict[str, float]) -> float | None:
    """The number that an expression is: a literal, a name, `names.name`, `names["name"]`, a sum or a difference."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        left, right = _value(node.left, literals), _value(node.right, literals)
        if left is None or right is None:
            return None
        return left + right if isinstance(node.op, ast.Add) else left - right
    return literals.get(_key(node)) if _key(node) else _number(node)


def _key(node: ast.AST) -> str:
    """What `_literals` keeps a value under: the name, `.name` for an attribute or a key of a dict, or nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f".{node.attr}"
    key = node.slice if isinstance(node, ast.Subscript) else node
    return f".{key.value}" if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""


def _number(node: ast.expr) -> float | None:
    try:
        value = ast.literal_eval(node)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _literals(saved: Saved) -> dict[str, float]:
    """Numbers that names stand for, the last assignment counting; fields and keys of a configuration as `.name`."""
    found: dict[str, float] = {}
    for cell in saved.cells:
        fields = [(f".{_key(name)}", value) for step in cell.fields for name, value in _assigned(step)]
        others = [(_key(name), value) for step in cell.running for name, value in _assigned(step)]
        numbered = ((name, _number(value)) for name, value in (*fields, *others))
        found.update({name: number for name, number in numbered if name and number is not None})
    return found


def _assigned(step: ast.stmt) -> Iterator[tuple[ast.AST, ast.expr]]:
    """(what is set, to what), the entries of a dict and the keywords of a call among them."""
    if isinstance(step, ast.AnnAssign) and step.value is not None:
        yield step.target, step.value
    for target in step.targets if isinstance(step, ast.Assign) else ():
        if isinstance(target, ast.Tuple) and isinstance(step.value, ast.Tuple):
            yield from zip(target.elts, step.value.elts, strict=False)
        else:
            yield target, step.value
    value = getattr(step, "value", None)
    if isinstance(value, ast.Dict):
        yield from ((key, entry) for key, entry in zip(value.keys, value.values, strict=True) if key is not None)
    elif isinstance(value, ast.Call):
        yield from ((ast.Constant(entry.arg), entry.value) for entry in value.keywords)


def values(saved: Saved, expressions: Iterable[ast.expr], upto: CodeCell) -> list[float]:
    """The numbers among the expressions when cell `upto` has been run, as far as assignments of literals tell."""
    literals = _literals(Saved(_cut(saved, upto)))
    found = [_value(expression, literals) for expression in expressions]
    return [value for value in found if value is not None]


def _cut(saved: Saved, upto: CodeCell):
    notebook = saved.notebook
    return type(notebook)(cells=tuple(cell for cell in notebook.cells if cell.number <= upto.number))
