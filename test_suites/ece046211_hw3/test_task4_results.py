"""Task 4, the saved results: epochs, test data, plots; and whether the outputs still belong to the code."""

import ast

from demands import not_attempted, notebook_of, require_run, text_of
from fresh import doubts
from printed import exponential_pairs, numbers, values

from grader.parsing.following import bound, called
from grader.suite import item, partial, require

LENGTH = 35
PERPLEXITY = ("ppl", "perp")


def _training(student, submission):
    saved = notebook_of(submission)
    cells = [cell for cell in saved.calling("train") if "train" not in cell.defines or "evaluate" in cell.calls]
    if not cells:
        not_attempted(student, "a call of train(model, bptt)")
    require_run(saved, cells)
    return saved, cells


@item("train.bptt")
def test_bptt(student, submission):
    """The model is trained with `bptt = 35`."""
    saved, cells = _training(student, submission)
    lengths = [value for cell in cells for value in _lengths(saved, cell)]
    found = ", ".join(f"{value:g}" for value in lengths) or "an unknown number"
    require(LENGTH in lengths, f"The cell that trains uses {found} as bptt; the handout asks for {LENGTH}.")


def _lengths(saved, cell):
    """What reaches the parameter `bptt` of `train`; without one the last argument, or what `bptt` is outside."""
    nodes = [node for step in cell.running for node in ast.walk(step) if isinstance(node, ast.Call)]
    calls = [node for node in nodes if called(node) == "train"]
    function = saved.function("train")
    given = [bound(function, call).get("bptt") for call in calls] if function is not None else []
    if named := values(saved, [value for value in given if value is not None], cell):
        return named
    last = [value for call in calls for value in (*call.args[-1:], *(entry.value for entry in call.keywords))]
    outside = [ast.Name("bptt", ast.Load())]
    constants = [value for value in last if isinstance(value, ast.Constant)]
    return values(saved, constants, cell) or values(saved, outside, cell) or values(saved, last, cell)


@item("train.validation")
def test_validation(student, submission):
    """Every epoch prints loss and perplexity on the validation data, and the perplexity is exp(loss)."""
    saved, cells = _training(student, submission)
    lines = text_of(saved, cells).splitlines()
    told = [line for line in lines if "val" in line.lower() and numbers(line)]
    require(bool(told), "The saved output of the training shows no loss on the validation data.")
    results = list(_perplexities(lines, "val"))
    if not results:
        partial(0.5, "The validation loss is printed after every epoch, its perplexity is not.")
    for result in results:
        require(bool(exponential_pairs(result)), f"The perplexity is not the exponential of the loss: {result.strip()}")


def _perplexities(lines, about):
    """The lines that tell a perplexity on some data; where the loss stands in the line before, with that line."""
    for before, line in zip(["", *lines], lines, strict=False):
        if not any(word in line.lower() for word in PERPLEXITY):
            continue
        if about in line.lower() and ("loss" in line.lower() or exponential_pairs(line)):
            yield line
        elif about in before.lower() and "loss" not in line.lower():
            yield f"{before}\n{line}"


@item("train.test")
def test_test_data(student, submission):
    """After training, loss and perplexity on the test data are printed."""
    saved, training = _training(student, submission)
    names = {name for cell in saved.cells for name in cell.assigns if "test" in name and cell.calls & {"batchify"}}
    cells = [cell for cell in saved.calling("evaluate") if cell.reads & {"test_data", *names}]
    if not cells:
        not_attempted(student, "a call of evaluate with test_data")
    require_run(saved, cells)
    after = [cell for cell in saved.cells if cell in cells or cell.number > cells[0].number]
    lines = text_of(saved, after).splitlines()
    told = any("test" in line.lower() and numbers(line) for line in lines)
    require(told, "The saved output shows no result on the test data.")
    if not any(exponential_pairs(result) for result in _perplexities(lines, "test")):
        partial(0.5, "Of loss and perplexity on the test data only one is printed, or the perplexity is not exp(loss).")
    require(
        cells[-1].number >= training[0].number,
        "The test data are evaluated before the training; the handout asks for the result after it.",
    )


@item("train.plot")
def test_plot(student, submission):
    """Loss and perplexity are plotted."""
    saved = notebook_of(submission)
    drawing = [cell for cell in saved.cells if any("plot" in name.lower() or "semilog" in name for name in cell.calls)]
    pictures = [cell for cell in saved.cells if cell.cell.has_image]
    if not drawing:
        not_attempted(student, "a call that plots")
    require_run(saved, drawing)
    require(bool(pictures), "No plot stands in the saved outputs.")
    code = "\n".join(cell.code for cell in saved.cells if cell in pictures or "plot(" in cell.code).lower()
    named = ["loss" in code, any(word in code for word in (*PERPLEXITY, "exp("))]
    if not all(named):
        partial(0.5, "The plots show only one of loss and perplexity.")


@item("outputs.fresh")
def test_fresh(student, submission):
    """The saved outputs belong to the code above them. Worth no points: a person looks when this fails."""
    saved = notebook_of(submission)
    if not any(cell.text.strip() or cell.cell.has_image for cell in saved.cells):
        not_attempted(student, "saved outputs")
    found = doubts(saved)
    require(not found, "Please look: " + " ".join(found[:5]))
