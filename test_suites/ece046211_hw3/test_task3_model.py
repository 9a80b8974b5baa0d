"""Task 3: hyper-parameters in their ranges, the model's vocabulary, and what was printed."""

from collections import Counter

from demands import model_cells, not_attempted, notebook_of, require_run, sources, task_3_text
from printed import known_texts, named_values, numbers, printed_model, split_models
from probes import hyper_parameters

from grader.suite import item, partial, require

WORDS = 37
RANGES = {
    "embedding": ("embedding size", 200, 250),
    "hidden": ("number of hidden units", 200, 250),
    "layers": ("number of layers", 2, 4),
    "heads": ("number of attention heads", 2, 4),
    "dropout": ("dropout", 0.0, 0.3),
}
RATE = (5e-3, 5.0)
NAMES = (*RANGES, "words_in", "words_out", "criterion", "reduction", "optimizer", "rate", "scheduler", "trains_model")
OPTIMIZERS = ("SGD", "Adam", "RAdam")


def _chosen(student, submission):
    saved = notebook_of(submission)
    if not saved.calling("TransformerModel"):
        not_attempted(student, "a call of TransformerModel")
    cells = model_cells(saved)
    values = student.run(hyper_parameters, {"words": WORDS}, cells=sources(cells))
    require_run(saved, cells)
    return {name: values.get(name) for name in NAMES}


def _number(values, name):
    return isinstance(values[name], int | float) and not isinstance(values[name], bool)


@item("hyper.sizes")
def test_sizes(student, submission):
    """Embedding and hidden size are from 200 to 250, layers and heads from 2 to 4, dropout from 0 to 0.3."""
    values = _chosen(student, submission)
    for name, (words, low, high) in RANGES.items():
        require(_number(values, name), f"The {words} cannot be read: no TransformerModel was built.")
        require(low <= values[name] <= high, f"The {words} is {values[name]:g}; choose from [{low:g}, {high:g}].")


@item("hyper.training")
def test_training(student, submission):
    """Cross-entropy loss; SGD, Adam or RAdam with a rate from 5e-3 to 5; a learning-rate scheduler."""
    values = _chosen(student, submission)
    require(
        values["criterion"] == "CrossEntropyLoss" and values["reduction"] == "mean",
        f"The criterion is {values['criterion']} (reduction {values['reduction']}), expected nn.CrossEntropyLoss().",
    )
    require(
        values["optimizer"] in OPTIMIZERS,
        f"The optimiser is {values['optimizer']}; choose from {', '.join(OPTIMIZERS)}.",
    )
    require(_number(values, "rate"), "The learning rate cannot be read from the optimiser.")
    require(RATE[0] <= values["rate"] <= RATE[1], f"The learning rate is {values['rate']:g}; choose from [5e-3, 5.0].")
    require(values["scheduler"] is not None, "There is no scheduler; any of torch.optim.lr_scheduler will do.")
    require(values["trains_model"] is True, "The optimiser does not hold the parameters of the model.")


@item("hyper.tokens")
def test_tokens(student, submission):
    """The model is built for the number of words in the vocabulary, at its input and at its output."""
    values = _chosen(student, submission)
    known = {WORDS, *(text.words for text in known_texts())}
    require(
        values["words_in"] == values["words_out"] and values["words_in"] in known,
        f"For {WORDS} words in the vocabulary the model reads {values['words_in']} and predicts {values['words_out']}.",
    )


@item("hyper.printed_tokens")
def test_printed_tokens(student, submission):
    """The number of tokens is printed, and is that of the printed model and of the vocabulary."""
    plain, modules = _task_3(student, submission)
    counts = {text.words for text in known_texts()} | {printed_model(modules).get("words")}
    require(
        any(number.value in counts for number in numbers(plain)),
        "The number of tokens (28782 for WikiText-2) does not stand in the saved output.",
    )


@item("hyper.printed_values")
def test_printed_values(student, submission):
    """All chosen hyper-parameters are printed: sizes, layers, heads, dropout and learning rate."""
    plain, modules = _task_3(student, submission)
    saved = notebook_of(submission)
    wanted = {**printed_model(modules), **named_values(saved)}
    wanted.pop("words", None)
    open_ones = Counter(wanted.values())
    for number in numbers(plain):
        shown = next((value for value in open_ones if open_ones[value] and number.shows(value)), None)
        open_ones.subtract([shown] if shown is not None else [])
    missing = [name for name, value in wanted.items() if open_ones[value] > 0]
    if len(missing) == len(wanted):
        require(False, "None of the hyper-parameters stands in the saved output (the printed model apart).")
    if missing:
        words = {name: entry[0] for name, entry in RANGES.items()} | {"rate": "learning rate"}
        told = ", ".join(f"{words[name]} ({wanted[name]:g})" for name in missing)
        partial(1 - len(missing) / len(wanted), f"These hyper-parameters do not stand in the saved output: {told}.")


@item("hyper.printed_model")
def test_printed_model(student, submission):
    """The model is printed."""
    _, modules = _task_3(student, submission)
    require(
        {"words", "layers"} <= printed_model(modules).keys(),
        "The printed TransformerModel does not stand in the saved output: print(model).",
    )


def _task_3(student, submission):
    saved = notebook_of(submission)
    cells = saved.calling("TransformerModel")
    if not cells:
        not_attempted(student, "a call of TransformerModel")
    require_run(saved, cells)
    return split_models(task_3_text(saved))
