"""`assignment.yaml`: what is read, and that every mistake is named with its line."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.assignment import manifest
from grader.errors import AuthorError

GOOD = """\
slug: rnn_hw
title: Recurrent networks
course: DL 101
total: 12.5
files:
  - {id: lstm, path: models/LSTM.py, defines: [LSTM], imports: [torch, math]}
  - {id: nb, path: work.ipynb, kind: notebook, required: false}
questions:
  - {id: 1.10, title: An LSTM, points: 6.5}
  - {id: 2, title: Theory, group: theory, points: "6"}
parts:
  - {id: lstm, title: The LSTM, question: 1.10, file: lstm}
items:
  - {id: lstm.forward, question: 1.10, points: 6, part: lstm}
  - id: lstm.gradient
    question: 1.10
    points: .5
    part: lstm
    visibility: after_published
    limits: {wall_seconds: 2.5}
  - {id: review.a, question: 2, points: 2, kind: manual}
  - {id: review.b, question: 2, points: 2, kind: manual}
  - {id: gates, question: 2, points: 4, kind: manual}
  - {id: gates.computed, question: 2, points: 4, part: lstm, replaces: gates, needs: {file: nb}}
  - {id: bonus, question: 2, points: 3, kind: manual, extra_credit: true}
rules:
  - id: no-lstm
    kind: forbidden
    title: nn.LSTM is not allowed
    parts: [lstm]
    names: [torch.nn.LSTM]
    consequence: {action: deduct, scope: question, target: [1.10], amount: 2}
choices:
  - {id: review, items: [review.a, review.b]}
caps:
  - {id: bonus, items: [bonus], points: 2}
tracks:
  - {id: short, title: Without the LSTM, points: 6, without: [lstm.forward, lstm.gradient]}
late: {due: "2024-03-22T23:00:00-04:00", grace_hours: 48, action: zero}
tolerances:
  float32: {rtol: 1e-5, atol: 1.0e-6, evidence: "spread 3e-7"}
stand_in_modules: [google.colab, torchtext]
globals: {vocab_size: 13, rate: 1e-3, device: cpu, flag: true, text: "7", nothing: null, sizes: [1, 2]}
"""


@dataclass(frozen=True)
class Folders:
    suite: Path
    reference: Path = Path("reference")
    template: Path = Path("template")


def load(tmp_path: Path, text: str | bytes):
    path = tmp_path / "assignment.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return manifest.load(Folders(tmp_path))


def problems(tmp_path: Path, text: str | bytes) -> list[str]:
    with pytest.raises(AuthorError) as caught:
        load(tmp_path, text)
    return [line.replace(f"{tmp_path}/", "") for line in str(caught.value).splitlines()]


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, f"{old!r} has to stand once in the example"
    return GOOD.replace(old, new)


def line_of(text: str, piece: str) -> int:
    return text[: text.index(piece)].count("\n") + 1


def test_a_complete_manifest(tmp_path):
    read = load(tmp_path, GOOD)
    assert (read.slug, read.title, read.course, read.total) == (
        "rnn_hw",
        "Recurrent networks",
        "DL 101",
        Decimal("12.5"),
    )
    assert read.suite == tmp_path
    assert read.questions[0].id == "1.10", "an id keeps its last zero"
    assert read.item("lstm.gradient").points == Decimal("0.5")
    assert read.item("lstm.gradient").visibility == "after_published"
    assert read.limits_of(read.item("lstm.gradient")).wall_seconds == 2.5
    assert read.limits_of(read.item("lstm.forward")).wall_seconds == 10
    assert read.item("gates.computed").needs.file == "nb"
    assert read.files[0].imports == ("torch", "math")
    assert read.files[1].imports is None
    assert read.rules[0].consequence.target == ("1.10",)
    assert read.tolerances["float32"].rtol == 1e-5, "YAML 1.1 would read 1e-5 as text"
    assert read.late.grace_hours == 48
    assert read.globals == {
        "vocab_size": 13, "rate": 1e-3, "device": "cpu", "flag": True, "text": "7", "nothing": None, "sizes": [1, 2],
    }  # fmt: skip


def test_points_never_pass_through_binary_floats(tmp_path):
    text = changed("points: 6, part", "points: 6.1, part").replace("points: .5", "points: 0.4")
    assert load(tmp_path, text).item("lstm.forward").points == Decimal("6.1")


def test_empty_values_mean_the_default(tmp_path):
    read = load(tmp_path, GOOD.replace("course: DL 101", "course:\nlimits:"))
    assert (read.course, read.limits.wall_seconds) == ("", 10)


def test_a_byte_order_mark_and_windows_line_ends(tmp_path):
    assert load(tmp_path, b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()).slug == "rnn_hw"


@pytest.mark.parametrize(
    ("old", "new", "at", "said"),
    [
        ("title: Recurrent networks", "titel: x", "titel", "unknown key 'titel'"),
        ("title: Recurrent networks", "titel: x", "titel", "did you mean 'title'?"),
        ("visibility: after_published", "visibility: visable", "visable", "did you mean 'visible'?"),
        ("visibility: after_published", "visibility: visable", "visable", "hidden, after_due_date, after_published"),
        ("total: 12.5", "total: twelve", "total", "total is 'twelve', expected a number such as 2 or 0.5"),
        ("total: 12.5", "total: .nan", "total", "expected a number"),
        ("total: 12.5", "total: 1_2.5", "total", "expected a number"),
        ("total: 12.5", "total: 12.50001", "total", "at most 4 decimals"),
        ("total: 12.5", "total:", "total", "total is empty, expected a number"),
        ("points: 6, part: lstm", "points: -6, part: lstm", "points: -6", "points are -6, expected 0 or more"),
        ("required: false", "required: maybe", "maybe", "expected true or false"),
        ("defines: [LSTM]", "defines: LSTM", "defines: LSTM", "expected a list, such as [a, b]"),
        ("wall_seconds: 2.5", "wall_seconds: .inf", "wall", "items[2].limits.wall_seconds is '.inf'"),
        ("wall_seconds: 2.5", "wall_seconds: 0", "wall", "wall_seconds is 0.0, expected more than 0"),
        ("    part: lstm\n", "    part: lstn\n", "lstn", "unknown part 'lstn', known are: lstm; did you mean 'lstm'?"),
        ("    part: lstm\n", "", "lstm.gradient", "lstm.gradient is automatic and needs a part"),
        ("id: gates, question: 2", "id: gates, part: lstm, question: 2", "gates", "graded by a person"),
        ("    question: 1.10", "    question: 1.1", "question: 1.1\n", "unknown question '1.1'"),
        ("file: lstm}", "file: lstx}", "lstx", "unknown file 'lstx'"),
        ("replaces: gates,", "replaces: gate,", "gate,", "unknown item 'gate'"),
        ("replaces: gates,", "replaces: lstm.forward,", "replaces: lstm", "a computed item in place of a manual one"),
        (", needs: {file: nb}", "", "replaces", "name it in needs.file"),
        ("points: 4, part: lstm", "points: 3, part: lstm", "replaces", "is worth 4, but what replaces it adds up to 3"),
        ("parts: [lstm]", "parts: [lstm, x]", "parts: [lstm", "unknown part 'x'"),
        ("    names: [torch.nn.LSTM]\n", "", "no-lstm", "it needs names or operations"),
        ("target: [1.10]", "target: [3]", "target", "unknown question '3'"),
        ("scope: question", "scope: everything", "consequence", "drop the target"),
        ("action: deduct", "action: zero", "consequence", "the action zero has no amount"),
        (", amount: 2", "", "consequence", "expected an amount above 0"),
        ("items: [review.a, review.b]", "items: [review.a, review.c]", "review.c", "unknown item 'review.c'"),
        ("items: [review.a, review.b]", "items: [review.a]", "items: [review.a]", "counts 1, expected at least 1"),
        ("items: [review.a, review.b]", "items: [review.a, review.a]", "items: [", "review.a is listed twice"),
        ("items: [bonus]", "items: [bonus, x]", "items: [bonus", "unknown item 'x'"),
        ("without: [lstm.forward", "without: [lstm.fwd", "without", "unknown item 'lstm.fwd'"),
        ("23:00:00-04:00", "23:00:00", "due", "expected a time with its offset"),
        ("float32:", "fp32:", "fp32", "unknown dtype 'fp32'"),
        ("[google.colab,", "[google colab,", "stand_in", "is not a module's name"),
        ("vocab_size: 13", "vocab-size: 13", "globals", "cannot be the name of a variable"),
        ("path: models/LSTM.py", "path: ../LSTM.py", "../", "expected a path below the submission"),
        ("path: work.ipynb", "path: models/LSTM.py", "id: nb", "belongs to the file 'lstm' already"),
        ("id: review.b,", "id: gates,", "{id: gates, question: 2, points: 4, kind", "'gates' is used twice"),
        ("slug: rnn_hw", "slug: rnn hw", "slug", "expected letters, digits, _ and - only"),
        ("course: DL 101", "slug: again", "slug: again", "'slug' stands here twice (first in line 1)"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(tmp_path, old, new, at, said):
    text = changed(old, new)
    found = problems(tmp_path, text)
    line = line_of(text, at)
    assert [entry for entry in found if entry.startswith(f"assignment.yaml:{line}: ") and said in entry], found


def test_all_mistakes_at_once(tmp_path):
    found = problems(tmp_path, changed("total: 12.5", "total: x").replace("defines: [LSTM]", "definse: [LSTM]"))
    assert [entry.split(": ")[0] for entry in found] == ["assignment.yaml:4", "assignment.yaml:6"]


def test_a_missing_key(tmp_path):
    found = problems(tmp_path, changed("total: 12.5\n", ""))
    assert found == ["assignment.yaml:1: the manifest: the key 'total' is missing"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("total: 12.5", "total: 14", "14 points are declared, but the items add up to 12.5 = 6.5 (1.10) + 6 (2)"),
        ("points: 6.5}", "points: 7}", "7 points are declared, but the items add up to 6.5 = 6 (lstm.forward) + 0.5"),
        ('points: "6"}', "points: 8}", "+ 4 (gates) + -2 (choices and caps)"),
        ("points: 6, without", "points: 5, without", "track short: 5 points are declared, but the items add up to 6"),
    ],
)
def test_totals_that_do_not_add_up(tmp_path, old, new, said):
    (message,) = problems(tmp_path, changed(old, new))
    assert said in message


def test_extra_credit_alternatives_and_replacements_count_as_they_should(tmp_path):
    text = (
        changed("total: 12.5", "total: 15.5").replace('points: "6"}', "points: 9}").replace(", extra_credit: true", "")
    )
    text = text.replace("points: 6, without", "points: 9, without").replace("points: 2}\ntracks", "points: 3}\ntracks")
    assert load(tmp_path, text).total == Decimal("15.5"), "a cap of regular items at their sum takes nothing"
    assert problems(tmp_path, text.replace("points: 3}\ntracks", "points: 1}\ntracks"))[0].endswith(
        "add up to 13.5 = 6.5 (1.10) + 7 (2)"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "the key 'slug' is missing"),
        (b"- a\n- b\n", "expected keys and values"),
        (b"a: [1, 2\n", "not valid YAML"),
        (b"a: \x00\n", "not valid YAML"),
        (b"slug: caf\xe9\n", "not UTF-8"),
        (b"a: &x [1]\nb: *x\n", "assignment.yaml:1: anchors and aliases"),
        (b"a: !!python/object:os.system x\n", "tag"),
        (b"a: 1\n---\nb: 2\n", "second YAML document"),
        (b"? [a]\n: b\n", "a key has to be a plain word"),
        (b"a: " + b"[" * 100, "nested more than"),
        (b"a: " + b"[" * 50_000, "nest"),  # some versions of libyaml have a limit of their own
        (b"x" * (2 * 1024 * 1024), "larger than 1024 KiB"),
    ],
)
def test_what_is_no_manifest(tmp_path, text, said):
    assert said in "\n".join(problems(tmp_path, text))


def test_an_alias_bomb_is_refused_at_its_first_anchor(tmp_path):
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert problems(tmp_path, bomb)[0].startswith("assignment.yaml:1: anchors and aliases")


def test_a_missing_manifest(tmp_path):
    with pytest.raises(AuthorError, match="grader new"):
        manifest.load(Folders(tmp_path))


def test_the_slug_is_the_folder_below_test_suites(tmp_path):
    folder = tmp_path / "test_suites" / "other"
    folder.mkdir(parents=True)
    assert "expected 'other' like the folder" in problems(folder, GOOD)[0]


# --- trainings ----------------------------------------------------------------------------------------------------

TRAININGS = """\
slug: hw
title: Trainings
total: 6
files: [{id: m, path: m.py}]
questions: [{id: 1, title: Learning, points: 6}]
parts: [{id: m, title: The model, question: 1, file: m}]
items:
  - {id: drawn, question: 1, points: 2, kind: manual}
  - id: first
    question: 1
    points: 2
    part: m
    replaces: drawn
    training:
      metric: accuracy
      counted: top-1
      data: points
      possible: [0, 1]
      made: {steps: 60, seconds: 3, full: 0.9, credit: [[0.6, 0.5], [0.5, 0]]}
      real: {steps: 90, seconds: 7.5, memory_mib: 600, full: 0.8, origin: handout, substitute: drawn points}
  - id: second
    question: 1
    points: 2
    part: m
    training: {metric: perplexity, counted: words, beats: third, made: {steps: 5, seconds: 1, full: 2}}
  - id: third
    question: 1
    points: 2
    part: m
    training: {metric: perplexity, counted: pixels, made: {steps: 5, seconds: 1, full: 7, credit: [[9, 0.5]]}}
"""


def altered(old: str, new: str) -> str:
    assert TRAININGS.count(old) == 1, f"{old!r} has to stand once in the example"
    return TRAININGS.replace(old, new)


def test_training_items(tmp_path):
    read = load(tmp_path, TRAININGS)
    first, second = read.item("first").training, read.item("second").training
    assert (first.metric, first.possible, first.way, first.beats) == ("accuracy", (0, 1), "retrained", None)
    assert first.made.credit == ((0.6, 0.5), (0.5, 0.0))
    assert (first.budget("made").memory_mib, first.budget("real").memory_mib) == (2048, 600)
    assert (first.real.origin, first.made.origin) == ("handout", "ours")
    assert (second.real, second.budget("real"), second.beats) == (None, None, "third")
    assert (first.higher_is_better, second.higher_is_better) == (True, False)
    assert read.evidence == {}


@pytest.mark.parametrize(
    ("old", "new", "at", "said"),
    [
        ("steps: 60", "steps: 0", "made: {steps: 0", "steps is 0, expected more than 0"),
        ("seconds: 7.5", "seconds: -1", "real: {", "seconds is -1.0, expected more than 0"),
        ("memory_mib: 600", "memory_mib: 0", "real: {", "memory_mib is 0, expected more than 0"),
        ("steps: 60, ", "", "made: {sec", "the key 'steps' is missing"),
        ("full: 0.9", "full: .nan", "made: {steps: 60", "expected a number"),
        ("full: 0.9, ", "", "made: {steps: 60", "credit needs `full`"),
        (", full: 7, credit: [[9, 0.5]]", "", "counted: pixels", "made: the threshold is missing: give `full`"),
        ("full: 0.9, ", "full: 90, ", "made: {steps: 60", "full is 90, expected a figure from 0 to 1; shares are"),
        ("full: 7, ", "full: -1, ", "counted: pixels", "full is -1, expected a figure from 0 to inf"),
        ("[0.6, 0.5]", "[0.6]", "made: {steps: 60", "credit: expected pairs"),
        ("[0.6, 0.5]", "[0.6, 1.5]", "made: {steps: 60", "credit: expected pairs"),
        ("[0.6, 0.5]", "[0.95, 0.5]", "made: {steps: 60", "from the best figure to the worst"),
        ("[0.6, 0.5]", "[0.4, 0.5]", "made: {steps: 60", "from the best figure to the worst"),
        ("[0.5, 0]", "[0.5, 0.7]", "made: {steps: 60", "with falling credit"),
        ("[[9, 0.5]]", "[[6, 0.5]]", "counted: pixels", "from the best figure to the worst"),
        ("possible: [0, 1]", "possible: [1, 0]", "possible", "the least and the greatest figure"),
        ("possible: [0, 1]", "possible: [1]", "possible", "the least and the greatest figure"),
        ("      data: points\n", "", "training:\n", "name the set in `data`"),
        ("metric: accuracy", "metric: acuracy", "acuracy", "did you mean 'accuracy'?"),
        ("beats: third", "beats: thrid", "beats", "beats 'thrid': expected a training item (first, third)"),
        ("beats: third", "beats: second", "beats", "beats 'second': expected a training item (first, third)"),
        ("beats: third", "beats: drawn", "beats", "beats 'drawn': expected a training item (first, third)"),
        ("counted: pixels", "beats: second, counted: pixels", "beats: third", "second beats third, which must"),
        ("counted: pixels", "beats: second, counted: pixels", "beats: second", "third beats second, which must"),
        ("perplexity, counted: pixels", "accuracy, counted: pixels", "beats: third", "different metrics"),
        ("points: 2, kind: manual", "points: 3, kind: manual", "replaces", "what replaces it adds up to 2"),
        ("replaces: drawn", "replaces: second", "replaces", "which is itself measured or a replacement"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_training_is_named_with_its_line(tmp_path, old, new, at, said):
    text = altered(old, new)
    found = problems(tmp_path, text)
    line = line_of(text, at)
    assert [entry for entry in found if entry.startswith(f"assignment.yaml:{line}: ") and said in entry], found


def test_a_chain_that_runs_into_a_circle_blames_those_in_it(tmp_path):
    text = altered("counted: pixels", "beats: second, counted: pixels")
    text = text.replace("metric: accuracy", "metric: accuracy\n      beats: second")
    found = problems(tmp_path, text)
    assert len([entry for entry in found if "which must beat it" in entry]) == 2
    assert not any("first beats" in entry for entry in found)


def test_an_empty_training_is_no_item_without_one(tmp_path):
    text = altered(TRAININGS[TRAININGS.rindex(" {metric") :], "\n")
    line = len(text.splitlines())
    expected = f"assignment.yaml:{line}: third: training is empty: expected metric, counted and made"
    assert expected in problems(tmp_path, text)


def test_nothing_is_trained_for_a_person(tmp_path):
    text = altered("kind: manual}", "kind: manual, training: {metric: loss, counted: x, made: {steps: 1, seconds: 1}}}")
    assert any("drawn is graded by a person, so nothing is trained" in entry for entry in problems(tmp_path, text))


def test_a_training_may_take_the_place_of_an_automatic_item(tmp_path):
    """Of one that looks at saved outputs, say: no file has to be handed in for it."""
    text = altered("kind: manual}", "part: m}")
    assert load(tmp_path, text).item("first").replaces == "drawn"
    plain = problems(tmp_path, text[: text.index("    training:\n")] + text[text.index("  - id: second") :])
    assert any("expected a computed item in place of a manual one" in entry for entry in plain)


def test_the_evidence_stands_beside_the_manifest(tmp_path):
    (tmp_path / "evidence.yaml").write_text(
        "first:\n  made: {figures: [0.9, 1], seeds: [a, b], mean: 0.95, spread: 0.07, false_fail: 1e-4, steps: 60, "
        "seconds: 2, device: cpu, data: made by code, versions: torch 2}\n"
    )
    found = load(tmp_path, TRAININGS).evidence["first"]["made"]
    assert (found.figures, found.false_fail, found.memory_mib) == ((0.9, 1.0), 1e-4, 0.0)
    written = TRAININGS + "evidence: {}\n"
    assert "unknown key 'evidence'" in problems(tmp_path, written)[0]


def test_the_schema_accepts_trainings():
    import jsonschema
    import yaml

    checker = jsonschema.Draft202012Validator(manifest.schema())
    checker.validate(yaml.safe_load(TRAININGS))
    wrong = yaml.safe_load(altered("steps: 60", "step: 60"))
    assert [error.validator for error in checker.iter_errors(wrong)]
    assert [error.validator for error in checker.iter_errors({**yaml.safe_load(TRAININGS), "evidence": {}})]


# --- what is no manifest ------------------------------------------------------------------------------------------


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(tmp_path_factory, content):
    with pytest.raises(AuthorError):
        load(tmp_path_factory.mktemp("m"), content)


@given(st.integers(0, len(GOOD)), st.text(max_size=5), st.integers(0, 20))
def test_no_edit_breaks_the_reader(tmp_path_factory, at, text, cut):
    edited = (GOOD[:at] + text + GOOD[at + cut :]).encode("utf-8", "surrogatepass")
    with suppress(AuthorError):
        assert load(tmp_path_factory.mktemp("m"), edited).items


def test_the_schema_accepts_the_example_and_refuses_unknown_keys():
    import jsonschema
    import yaml

    schema = manifest.schema()
    json.dumps(schema)
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator(schema)
    checker.validate(yaml.safe_load(GOOD.replace("rtol: 1e-5", "rtol: 1.0e-5")))
    wrong = yaml.safe_load(GOOD.replace("visibility: after_published", "visibility: visable"))
    assert [error.json_path for error in checker.iter_errors(wrong)] == ["$.items[1].visibility"]
    extra = {**yaml.safe_load(GOOD.replace("rtol: 1e-5", "rtol: 1.0e-5")), "suite": "x"}
    assert [error.validator for error in checker.iter_errors(extra)] == ["additionalProperties"]
