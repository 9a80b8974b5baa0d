"""Task 3: hyper-parameters in their ranges, the model's vocabulary, and what was printed."""

from collections import Counter

from demands import chosen, not_attempted, notebook_of, require_none, require_run, task_3_text
from printed import known_texts, named_values, numbers, printed_model, split_models
from ranges import RANGES, wrong_sizes, wrong_training

from grader.suite import item, partial, require

WORDS = 37


@item("hyper.sizes")
def test_sizes(student, submission):
    """Embedding and hidden size are from 200 to 250, layers and heads from 2 to 4, dropout from 0 to 0.3."""
    require_none(wrong_sizes(chosen(student, submission, WORDS)))


@item("hyper.training")
def test_training(student, submission):
    """Cross-entropy loss; SGD, Adam or RAdam with a rate from 5e-3 to 5; a learning-rate scheduler."""
    values = chosen(student, submission, WORDS)
    require_none(wrong_training(values))
    raised = f" The cells that would make one raised {values['trouble']}." if values["trouble"] else ""
    require(values["scheduler"] is not None, f"There is no scheduler; any of torch.optim.lr_scheduler will do.{raised}")
    require(values["trains_model"] is True, "The optimiser does not hold all parameters of the model.")


@item("hyper.tokens")
def test_tokens(student, submission):
    """The model is built for the number of words in the vocabulary, at its input and at its output."""
    values = chosen(student, submission, WORDS)
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
        partial(1 - len(missing) / len(wanted), f"Not found in the saved output: {told}.")


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
