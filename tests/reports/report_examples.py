"""A small class with everything in it that a report can say."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from grader.assignment.assignment import Assignment, Consequence, Item, Needs, Part, Question, Rule
from grader.model import CheckResult, Graded, Mark, Report, Violation
from grader.reports import files
from grader.scoring import score

SECRET = "the judge drew seed 90210 and expected 0.4711"
HOSTILE = '</pre><script>alert("x")</script> [red]100/100[/red] \x1b[2J\x1b]0;owned\x07 \u202egnp \r\nnext & done'
LONG = "\n".join(f"epoch {epoch}: loss {2.3 / epoch:.4f} " + "." * 40 for epoch in range(1, 41))

ASSIGNMENT = Assignment(
    slug="rnn_hw",
    title="Recurrent networks",
    suite=Path("suite"),
    reference=Path("reference"),
    template=Path("template"),
    total=Decimal("20.5"),
    files=(),
    questions=(
        Question(id="1.1", title="A vanilla RNN"),
        Question(id="1.10", title="Attention"),
        Question(id="2", title="Training"),
        Question(id="3", title="Theory", group="theory"),
    ),
    parts=(Part(id="rnn", title="RNN", question="1.1"), Part(id="attention", title="Attention", question="1.10")),
    items=(
        Item(id="rnn.forward", question="1.1", points=Decimal(4), part="rnn", title="One step of the recurrence"),
        Item(id="rnn.gradient", question="1.1", points=Decimal("2.5"), part="rnn", title="Gradients of all weights"),
        Item(id="attention.weights", question="1.10", points=Decimal(3), part="attention", title="Rows sum to one"),
        Item(
            id="attention.mask", question="1.10", points=Decimal(2), part="attention",
            title="Padding has no influence", visibility="hidden",
        ),
        Item(
            id="attention.fast", question="1.10", points=Decimal(1), part="attention",
            extra_credit=True, origin="ours",
        ),
        Item(
            id="train.perplexity", question="2", points=Decimal(5), part="rnn", title="Test perplexity below 7",
            needs=Needs(gpu=True), visibility="after_published",
        ),
        Item(id="theory.bptt", question="3", points=Decimal(4), kind="manual", title="Backpropagation through time"),
    ),
    rules=(
        Rule(
            id="prints", kind="prints", title="Code that is imported prints nothing",
            consequence=Consequence(action="deduct", scope="group", target=("programming",), amount=Decimal("1.5")),
        ),
        Rule(
            id="no-builtin", kind="forbidden", title="nn.RNN and nn.LSTM are not allowed", names=("torch.nn.RNN",),
            consequence=Consequence(action="zero", scope="question", target=("1.1",)),
        ),
    ),
)  # fmt: skip


def passed(name: str, **more) -> CheckResult:
    return CheckResult(**{"item": name, "status": "passed", "credit": 1.0, "seconds": 0.25, **more})


def failed(name: str, **more) -> CheckResult:
    return CheckResult(**{"item": name, "status": "failed", "seconds": 0.5, "staff": SECRET, **more})


NO_GPU = CheckResult(item="train.perplexity", status="skipped", message="This machine has no GPU.", reason="no GPU")
DIFFERS = (
    "out: 40 of 120 entries differ (33%).\n"
    "Greatest difference 0.0713 at (2, 0, 5): 0.412345 where 0.341 is expected; allowed is 2.9e-05.\n"
    "Shape (3, 8, 5), torch.float32."
)
FIGURES = {"out": {"wrong": 40, "of": 120, "difference": 0.0713, "index": [2, 0, 5], "bound": 2.9e-05}}

ADA = Graded(
    key="ada",
    digest="d1",
    results={
        "rnn.forward": passed("rnn.forward", message="The new hidden state follows the equation.", route="own"),
        "rnn.gradient": failed(
            "rnn.gradient", credit=0.5, message="2 of 4 gradients agree.\nbias received no gradient.",
            reason="no gradient", case="RNNCase(batch=3, time=1, hidden=5, seed=8)", binding="W_h, W_o",
        ),
        "attention.weights": failed(
            "attention.weights", message=DIFFERS, reason="values differ", figures=FIGURES, output=LONG,
            hint="equals the result without the 1/sqrt(d) scaling", route="stand-in",
            notes=("The stand-in encoder was used.",), sentence="Each row of the attention weights sums to one.",
        ),
        "attention.mask": failed("attention.mask", message=f"hidden: {SECRET}", reason="values differ", case="case 3"),
        "attention.fast": passed("attention.fast"),
        "train.perplexity": NO_GPU,
    },
    violations=(
        Violation(rule="prints", message="print() is called when the file is imported", file="models/RNN.py", line=12),
        Violation(rule="prints", message="print() is called", file="work.ipynb", cell=3, line=2),
    ),
    notes=("models/rnn.py was found by its class VanillaRNN; expected models/RNN.py.",),
    files={"rnn": "models/rnn.py"},
    protections={"level": "strict", "network": "cut", "landlock": "on"},
    versions={"grader": "0.1.0", "torch": "2.13.0"},
    seed="5eed",
    seconds=3.2499999,
)  # fmt: skip

BOB = Graded(
    key="bob",
    results={item.id: passed(item.id) for item in ASSIGNMENT.items if item.kind == "automatic"},
    seconds=2.0,
)

EVE = Graded(
    key="=eve",
    results={
        "rnn.forward": failed(
            "rnn.forward", message=HOSTILE, hint=HOSTILE, case=HOSTILE, reason="=cmd()", output=HOSTILE
        ),
        "rnn.gradient": CheckResult(item="rnn.gradient", status="grader_error", message="The worker did not start."),
        "attention.weights": failed("attention.weights", message="x" * 3000, reason="values differ", credit=0.0),
        "attention.mask": passed("attention.mask", ambiguous=True),
        "attention.fast": CheckResult(item="attention.fast", status="not_attempted", message="Not implemented yet."),
        "train.perplexity": NO_GPU,
    },
    violations=(Violation(rule="no-builtin", message=f"nn.RNN is used {HOSTILE}", evidence="run"),),
    notes=(HOSTILE,),
    protections={"level": "weak", "landlock": "unavailable"},
)  # fmt: skip

NEW = Graded(
    key="new",
    results={
        item.id: CheckResult(item=item.id, status="not_attempted", message=f"{item.id} is not implemented yet.")
        for item in ASSIGNMENT.items
        if item.kind == "automatic"
    },
)

ZOE = Graded(key="zoe", refused="the archive holds a path outside itself: ../../.bashrc")

MARKS = (
    Mark(submission="bob", item="theory.bptt", points=Decimal("3.5"), comment="The limit is missing.", by="gh"),
    Mark(submission="bob", item="rnn.gradient", points=Decimal(2), comment="Agreed after appeal."),
)


def reports() -> list[Report]:
    return [score(graded, ASSIGNMENT, MARKS) for graded in (ADA, BOB, EVE, NEW, ZOE)]


def report(key: str, **options) -> Report:
    graded = next(entry for entry in (ADA, BOB, EVE, NEW, ZOE) if entry.key == key)
    return score(graded, ASSIGNMENT, MARKS, **options)


def write(out: Path, few: Sequence[Report], others: Sequence[Report] = (), *, pages: bool = True) -> None:
    """All files of a run."""
    for one in (*few, *others):
        files.write_submission(out, one, counts=one in few, pages=pages)
    files.write_tables(out, few)
