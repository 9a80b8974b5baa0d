"""What the short form may say, as frozen data: `checks`, `answers`, `wrong`, and what inputs are drawn from.

A check is one call whose value is compared with the reference's on drawn inputs. It is data: a call is parsed, never
run where the judge is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Literal

from grader.assignment.assignment import Budget, Origin, Predictions, Visibility


@dataclass(frozen=True, kw_only=True)
class Check:
    """A line of the rubric: a call of what students write, with drawn inputs.

    `call`: `relu(x)`, `mse(x, y)`, `Affine(width, features)(x)`, `Stack().push(3).pop()`, `decode(encode(x))[0]`.
    `in`: the file, where it is not plain from the names. `gradients`: true (of inputs and weights, in this item), or
    the points of an item of its own, `<check>.gradients`. `outputs`: the names of several results, or each with the
    points of an item of its own. `weights` of a module: `by name` (the handout fixes the names), `by order` (type and
    order of layers), or a draw for each parameter. `mode`: eval or train. `properties`: what holds
    besides (`causal(x, 1)`). `tolerance`: a relative bound, or {rtol, atol}. `forbidden`, `required`: dotted names.
    """

    call: str
    points: Decimal = Decimal(0)
    title: str = ""
    file: str = field(default="", metadata={"key": "in"})
    gradients: object = False
    outputs: object = ()
    weights: object = ""
    mode: str = ""
    properties: tuple[str, ...] = ()
    tolerance: object = None
    draw: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, object] = field(default_factory=dict)
    question: str = ""
    visibility: Visibility = "visible"
    origin: Origin = "handout"
    extra_credit: bool = False
    forbidden: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A computed answer: the value of a variable of that name in a notebook or a file.

    It is never told, in the self-check either, unless `reveal`. `tolerance` is relative.
    """

    points: Decimal
    title: str = ""
    notebook: str = ""
    file: str = field(default="", metadata={"key": "in"})
    tolerance: object = None
    reveal: bool = False
    question: str = ""
    visibility: Visibility = "visible"
    origin: Origin = "handout"
    extra_credit: bool = False


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A known mistake: one edit of the reference, [text that stands there exactly once, text in its place].

    `fails`: the item that charges it; `follows`: items that differ by the same mistake and charge nothing; `also`:
    items that it takes points from besides, each with the reason; `several`: it holds several mistakes. `hint`: what
    everybody reads whose numbers are the same; `message`: a part of what the test itself says; `equivalent`: why it is
    right after all.
    """

    file: str = field(metadata={"key": "in"})
    replace: tuple[str, ...]
    fails: object = ()
    follows: tuple[str, ...] = ()
    also: dict[str, str] = field(default_factory=dict)
    several: bool = False
    title: str = ""
    hint: str = ""
    message: str = ""
    breaks: tuple[str, ...] = ()
    equivalent: str = ""


@dataclass(frozen=True, kw_only=True)
class Train:
    """A training: the module that `model` constructs is fitted here, and its figure on held-out data must be reached.

    `data`: mnist and cifar10 are pictures (B, C, H, W) from 0 to 1 to be classified (accuracy), wikitext2 is text
    (B, T) whose next words are foreseen (perplexity). `model` may use `classes`, for words the size of the vocabulary.
    `steps`, `seconds` and `threshold` are those of data made by code, `real` the budget on the course's own.
    """

    model: str
    data: Literal["mnist", "cifar10", "wikitext2"]
    steps: int
    threshold: float
    points: Decimal
    metric: Literal["accuracy", "perplexity", ""] = ""
    batch: int = 64
    rate: float = 0.003
    seconds: float = 60.0
    real: Budget | None = None
    title: str = ""
    file: str = field(default="", metadata={"key": "in"})
    question: str = ""
    visibility: Visibility = "visible"
    origin: Origin = "handout"
    extra_credit: bool = False

    @property
    def measures(self) -> str:
        """The metric of the kind of data."""
        return "perplexity" if self.data == "wikitext2" else "accuracy"


@dataclass(frozen=True, kw_only=True)
class Predicted(Predictions):
    """Predictions on given inputs that are handed in as `file`, a CSV or an .npy."""

    file: str
    points: Decimal
    title: str = ""
    question: str = ""
    visibility: Visibility = "visible"
    origin: Origin = "handout"
    extra_credit: bool = False


@dataclass(frozen=True, kw_only=True)
class Short:
    """The short form of a manifest. `numpy`: inputs are float64 arrays. `draw` and `sizes` serve all checks."""

    checks: dict[str, Check] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    wrong: tuple[Wrong, ...] = ()
    draw: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, object] = field(default_factory=dict)
    train: dict[str, Train] = field(default_factory=dict)
    predictions: dict[str, Predicted] = field(default_factory=dict)
    numpy: bool = False


KEYS = tuple(entry.name for entry in fields(Short))
