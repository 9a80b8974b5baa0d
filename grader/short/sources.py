"""Planned checks and answers → the text of their probes, cases and tests, as an author would write the long form."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence

from grader.short.calls import HELPERS
from grader.short.draws import Size, distinct
from grader.short.form import Predicted
from grader.short.planning import GRADIENTS, Asked, Fit, Line, Planned, letters_of

PROBES, CASES, TESTS = "check_probes.py", "check_cases.py", "test_checks.py"
FITTING = ("fitted", "predicted")
WIDTH = 118
STEADY = ("steady", "drops")


def texts(
    checks: Sequence[Planned],
    answers: Sequence[Asked],
    trainings: Sequence[Fit],
    predicted: Sequence[tuple[str, str, Predicted]],
) -> dict[str, str]:
    """{file name: text} of the suite that these checks, answers, trainings and predictions (id, file) stand for."""
    probes = [*map(probe, checks), *map(answer_probe, answers), *map(fit_probes, trainings)]
    tests = [*map(test, checks), *map(answer_test, answers), *map(fit_test, trainings)]
    tests += [predicted_test(*each) for each in predicted]
    written = {PROBES: _joined(_probes_head("\n".join(probes)), probes)}
    if checks:
        written[CASES] = _joined(_cases_head(checks), map(case, checks))
    return {**written, TESTS: _joined(_tests_head("\n".join(tests)), tests)}


def one(plan: Planned) -> str:
    """Everything that one check stands for, to be read or copied."""
    return _joined("", [probe(plan), case(plan), test(plan)]).lstrip()


def one_answer(asked: Asked) -> str:
    """The same of one answer."""
    return _joined("", [answer_probe(asked), answer_test(asked)]).lstrip()


def _joined(head: str, parts: Iterable[str]) -> str:
    return "\n\n\n".join([head, *parts]).rstrip() + "\n"


# --- probes ---------------------------------------------------------------------------------------------------


def _probes_head(body: str) -> str:
    lines = ['"""Probes of the checks: run on the reference in the judge and on submissions in the sandbox."""', ""]
    if "torch." in body:
        lines += ["import torch", ""]
    for module, names in (("calling", HELPERS), ("fitting", FITTING), ("probing", ("handed",))):
        if used := [name for name in names if f"{name}(" in body and not (module == "calling" and name == "handed")]:
            lines.append(f"from grader.{module} import {', '.join(used)}")
    return "\n".join(lines)


def probe(plan: Planned) -> str:
    """The probe of a check."""
    call, arguments = plan.call, ["modules", *(each.name for each in plan.inputs), *plan.direct]
    arguments += (["weights"] if plan.weights else []) + ["seed"]
    mode = plan.check.mode
    if any(name in STEADY for name, _ in plan.properties):
        arguments += [f'mode="{mode or "eval"}"', "again=0"]
    lines = [f"def {plan.word}({', '.join(arguments)}):", *_doc(plan.check.call)]
    if call.made:
        lines.append(f"    net = {call.made}")
        if plan.weights:
            lines.append("    bound = given_weights(modules, net, weights)")
        elif not plan.numpy:
            lines.append(f'    bound = drawn_weights(modules, net, seed, "{plan.check.weights or "by name"}")')
        if "again=0" in arguments:
            lines.append('    net.train(mode == "train")')
        elif mode:
            lines.append(f"    net.{mode}()")
    lines.append(f"    out = {call.code}")
    names = "".join(f', "{name}"' for name in plan.outputs)
    lines.append(f"    return {_returned(plan, names)}")
    return "\n".join(lines)


def _returned(plan: Planned, names: str) -> str:
    if not plan.has_gradients:
        return f"named(out{names})"
    bound = ", bound" if plan.call.made else ""
    inputs = "".join(f", {each.name}={each.name}" for each in plan.inputs if each.differentiable)
    return f'{{**named(out{names}), "{GRADIENTS}": pulled_back(out, seed{bound}{inputs})}}'


def answer_probe(asked: Asked) -> str:
    """The probe of an answer."""
    value = f'answer(modules, "{asked.file}", "{asked.id}")'
    return f'def {asked.word}(modules):\n    """The value of {asked.id}."""\n    return {{"{asked.id}": {value}}}'


# --- cases ----------------------------------------------------------------------------------------------------


def _cases_head(checks: Sequence[Planned]) -> str:
    body = "\n".join(map(case, checks))
    used = [name for name in ("cases", "one_of", "sizes") if f"{name}(" in body.replace("_cases(", "")]
    lines = [
        '"""Cases of the checks: what the probes\' inputs are drawn from."""',
        "",
        "from dataclasses import dataclass",
    ]
    if "torch." in body:
        lines += ["", "import torch"]
    return "\n".join([*lines, "", f"from grader.suite import {', '.join(['Case', *used])}"])


def case(plan: Planned) -> str:
    """The case of a check, and the strategy that draws it."""
    name = _class(plan)
    drawn = [size for size in plan.sizes if size.is_drawn]
    lines = ["@dataclass(frozen=True)", f"class {name}(Case):", *_doc(plan.check.call), ""]
    lines += [f"    {size.name}: {_type(size)}" for size in drawn] + ["    seed: int", "", "    def inputs(self):"]
    lines.append(f"        draw = self.draw({'torch.float64' if plan.numpy else ''})")
    lines += [f"        {size.name} = {size.code or f'self.{size.name}'}" for size in plan.sizes]
    entries = {each.name: each.code for each in plan.inputs} | {each: each for each in plan.direct}
    if plan.weights:
        inner = "".join(f'\n                "{each.name}": {each.code},' for each in plan.weights)
        entries["weights"] = f"{{{inner}\n            }}"
    entries["seed"] = "draw.integer(0, 1 << 31)"
    lines += ["        return {", *(f'            "{key}": {code},' for key, code in entries.items()), "        }"]
    return "\n".join([*lines, "", "", f"def {plan.word}_cases():", f"    return {_strategy(name, drawn)}"])


def _class(plan: Planned) -> str:
    return "".join(part.capitalize() for part in plan.word.split("_")) + "Case"


def _type(size: Size) -> str:
    return "int" if size.kind == "range" else " | ".join(dict.fromkeys(type(value).__name__ for value in size.values))


def _strategy(name: str, drawn: Sequence[Size]) -> str:
    apart = distinct(drawn)
    arguments = [name]
    if apart:
        arguments.append("distinct={" + ", ".join(f'"{size.name}": ({size.low}, {size.high})' for size in apart) + "}")
    for size in drawn:
        if size in apart:
            continue
        values = f"sizes({size.low}, {size.high})" if size.kind == "range" else f"one_of({_listed(size)})"
        arguments.append(f"{size.name}={values}")
    return f"cases({', '.join(arguments)})"


def _listed(size: Size) -> str:
    return ", ".join(map(repr, size.values))


# --- tests ----------------------------------------------------------------------------------------------------


def _tests_head(body: str) -> str:
    lines = [
        '"""Tests of the checks: run in the judge. Each decides one item; its docstring is what the student reads."""',
        "",
    ]
    lines += ["import check_cases as cases"] if "cases." in body else []
    lines += ["import check_probes as probes"] if "probes." in body else []
    lines += ["from hypothesis import given"] if "@given(" in body else []
    used = [name for name in ("assert_agrees(", "item(", "predictions.", "properties.", "standard.") if name in body]
    return "\n".join([*lines, "", f"from grader.suite import {', '.join(name.rstrip('(.') for name in used)}"])


def test(plan: Planned) -> str:
    """The tests of a check, one for each of its items."""
    return "\n\n\n".join(_test(plan, line, first=place == 0) for place, line in enumerate(plan.lines))


def _test(plan: Planned, line: Line, *, first: bool) -> str:
    call = f"run(probes.{plan.word}, case)"
    rest = _keywords({"only": list(line.only)} if line.only else {}) + _keywords(plan.bounds)
    lines = [f'@item("{line.id}")', f"@given(case=cases.{plan.word}_cases())"]
    lines += [f"def test_{letters_of(line.id)}(student, reference, case):", *_doc(line.sentence)]
    lines += [f"    values = student.{call}", f"    assert_agrees(values, reference.{call}{rest})"]
    for name, arguments in plan.properties if first else ():
        given = "".join(f", {each}" for each in arguments)
        lines.append(f"    properties.{name}(student, probes.{plan.word}, case, values{given})")
    return "\n".join(lines)


def answer_test(asked: Asked) -> str:
    """The test of an answer."""
    call = f"run(probes.{asked.word}, {{}})"
    rest = f"{_keywords(asked.bounds)}, reveal={asked.answer.reveal}"
    sentence = asked.answer.title or f"The answer `{asked.id}` is right."
    lines = [f'@item("{asked.id}")', f"def test_{asked.word}(student, reference):", *_doc(sentence)]
    lines += [f"    values = student.{call}", f"    assert_agrees(values, reference.{call}{rest})"]
    return "\n".join(lines)


# --- trainings --------------------------------------------------------------------------------------------------


def fit_probes(fit: Fit) -> str:
    """The two probes of a training."""
    classes = ", classes" if fit.classes else ""
    doc = _doc(fit.train.model)
    settings = f"batch={fit.train.batch}, rate={fit.train.rate}"
    train = [f"def train_{fit.word}(modules, steps{classes}):", *doc]
    train.append(f"    return fitted(modules, {fit.made}, steps=steps, {settings})")
    ask = [f"def predict_{fit.word}(modules, inputs{classes}):", *doc]
    ask.append(f"    return predicted(modules, lambda: {fit.made}, inputs)")
    return "\n".join([*train, "", "", *ask])


def fit_test(fit: Fit) -> str:
    """The test of a training."""
    kind = "language_model" if fit.train.measures == "perplexity" else "classification"
    sentence = (
        fit.train.title or f"Trained here, `{fit.target.name}` reaches the {fit.train.measures} on held-out data."
    )
    lines = [f'@item("{fit.id}")', f"def test_{fit.word}(training):", *_doc(sentence)]
    lines.append(f"    task = training.data(standard.{fit.train.data})")
    classes = ", classes=task.classes" if fit.classes else ""
    call = f"standard.{kind}(training, probes.train_{fit.word}, probes.predict_{fit.word}, task{classes})"
    return "\n".join([*lines, f"    {call}"])


def predicted_test(name: str, file: str, entry: Predicted) -> str:
    """The test of predictions that are handed in."""
    sentence = entry.title or f"The predictions in {entry.file} reach the {entry.metric.replace('_', ' ')}."
    wanted = f'labels="{entry.labels}", metric="{entry.metric}", full={entry.full!r}, credit={entry.credit!r}'
    lines = [f'@item("{name}")', f"def test_{letters_of(name)}(submission):", *_doc(sentence)]
    lines.append(f"    wanted = predictions.Predictions({wanted})")
    labels = f'predictions.Path(__file__).with_name("{entry.labels}")'
    return "\n".join([*lines, f'    predictions.measured(submission, "{file}", {labels}, wanted)'])


def _keywords(values: Mapping[str, object]) -> str:
    return "".join(f", {name}={json.dumps(value)}" for name, value in values.items())


def _doc(text: str) -> list[str]:
    plain = text.replace("\\", "\\\\").replace('"""', "'''").rstrip('"')
    return textwrap.wrap(f'"""{plain}"""', WIDTH, initial_indent="    ", subsequent_indent="    ")
