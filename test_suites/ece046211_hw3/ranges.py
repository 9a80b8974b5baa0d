"""The ranges from which the handout lets students choose. Judge side only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

RANGES = {
    "embedding": ("embedding size", 200, 250),
    "hidden": ("number of hidden units", 200, 250),
    "layers": ("number of layers", 2, 4),
    "heads": ("number of attention heads", 2, 4),
    "dropout": ("dropout", 0.0, 0.3),
}
RATE = (5e-3, 5.0)
OPTIMIZERS = ("SGD", "Adam", "RAdam")

Chosen = Mapping[str, object]


def wrong_sizes(values: Chosen) -> Iterator[str]:
    """A sentence for every size of the model that is out of its range."""
    for name, (words, low, high) in RANGES.items():
        value = values[name]
        if not is_number(value):
            yield f"The {words} cannot be read: no TransformerModel was built."
        elif not low <= value <= high:
            yield f"The model is built with {words} {value:g}; choose from [{low:g}, {high:g}]."


def other_sizes(values: Chosen, weights: Mapping[str, Tensor]) -> Iterator[str]:
    """A sentence for every size in which the trained model differs from the one that was shown (heads have none)."""
    layers = {name.split(".layers.")[1].split(".")[0] for name in weights if ".layers." in name}
    embedding = next((each.shape[1] for name, each in weights.items() if name == "encoder.weight"), None)
    hidden = {each.shape[0] for name, each in weights.items() if name.endswith(".linear1.weight")}
    trained = {"embedding": embedding, "hidden": hidden.pop() if len(hidden) == 1 else None, "layers": len(layers)}
    for name, found in trained.items():
        if found != values[name]:
            shown = RANGES[name][0]
            yield f"The model that was trained has {shown} {found}, the one that your cells build {values[name]}."


def wrong_training(values: Chosen) -> Iterator[str]:
    """A sentence for every choice of criterion, optimiser and rate that the handout does not offer."""
    criterion, reduction = values["criterion"], values["reduction"]
    if criterion != "CrossEntropyLoss" or reduction != "mean":
        yield f"The criterion is {criterion} (reduction {reduction}), expected nn.CrossEntropyLoss()."
    if values["optimizer"] not in OPTIMIZERS:
        yield f"The optimiser is {values['optimizer']}; choose from {', '.join(OPTIMIZERS)}."
    rates = values["rates"]
    if not isinstance(rates, list) or not rates or not all(map(is_number, rates)):
        yield "The learning rate cannot be read from the optimiser."
    else:
        yield from (
            f"The learning rate is {rate:g}; choose from [5e-3, 5.0]."
            for rate in rates
            if not RATE[0] <= rate <= RATE[1]
        )


def is_number(value: object) -> bool:
    """Whether a worker's value is a plain number."""
    return isinstance(value, int | float) and not isinstance(value, bool)
