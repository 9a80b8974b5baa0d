"""What students with a known mistake read, word for word. After a change on purpose, read what differs and write anew:

WRITE_GOLDEN=1 python -m pytest tests/assignments/test_diagnosis_golden.py && git diff tests/assignments/golden

Numbers of drawn cases stand as #: another version of Hypothesis draws other cases, another processor rounds otherwise.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_assignment import open_for_workers

from grader import intake
from grader.assignment.locate import Folders, folders_below
from grader.assignment.manifest import load
from grader.model import CheckResult
from grader.proof.kept import Kept, edited_sources, read_kept
from grader.proof.reference import lay_out
from grader.reports import terminal
from grader.run.engine import Engine, Order
from grader.run.grading import PUBLIC_SEED, ungraded
from grader.scoring import score

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="grading a class needs Linux")

GOLDEN = Path(__file__).with_name("golden") / "diagnosis"
ROOT = Path(__file__).parents[2]
MISTAKES = {
    "cs4644_hw3": ("attention_unscaled", "decoder_upper", "generate_greedy", "add_noise_no_root_of_noise"),
    "cs7643_a4": ("attention_not_scaled", "lstm_cell_gate_sigmoid", "rnn_softmax_over_batch", "seq2seq_reads_source"),
    "ece046211_hw3": (
        "answers_row_not_scaled", "get_batch_same_words", "train_logits_column_by_column", "train_no_mask",
    ),
    "ift6135_a2": ("decoder_ignores_the_mask", "heads_interleaved", "layernorm_unbiased", "weights_mask_on_queries"),
    "mldl1_hw4": (
        "attention_multiplied_by_the_scale", "loss_on_log_probabilities", "patches_column_by_column",
        "rnn_reads_the_end",
    ),
}  # fmt: skip
CASES = [(slug, name) for slug, names in MISTAKES.items() for name in names]
NUMBER = re.compile(r"(?<![\w.])-?\d+(\.\d+)?(e[+-]?\d+)?")


def known(folders: Folders, names: tuple[str, ...]) -> dict[str, Kept]:
    return {entry.name: entry for entry in read_kept(folders.suite) if entry.kind == "wrong" and entry.name in names}


def without_what_was_drawn(result: CheckResult) -> CheckResult:
    if not result.case:
        return result
    return replace(result, message=NUMBER.sub("#", result.message), case=f"{result.case.split('(')[0]}(…)")


def diagnoses(slug: str, work: Path) -> dict[str, str]:
    """{mistake: what its author reads about the items that it fails}, all from one engine."""
    folders = folders_below(ROOT, slug)
    assignment = load(folders)
    mistakes = known(folders, MISTAKES[slug])
    for name, kept in mistakes.items():
        lay_out(assignment, work / "handed_in" / name, edited_sources(kept, assignment.reference))
    found = intake.take([work / "handed_in" / name for name in mistakes], assignment, work / "taken", single=True)
    items = tuple(sorted({item for kept in mistakes.values() for item in kept.fails}))
    results: dict[str, dict[str, CheckResult]] = {name: {} for name in mistakes}
    with Engine(Order(folders=folders, seed=PUBLIC_SEED, items=items)) as engine:
        for name, event in engine.grade([(entry, mistakes[entry.key].fails) for entry in found], jobs=1):
            if isinstance(event, CheckResult):
                results[name][event.item] = without_what_was_drawn(event)
    texts = {}
    for entry in found:
        graded = replace(ungraded(entry, PUBLIC_SEED, {}), results=results[entry.key])
        report = score(graded, assignment)
        told = tuple(line for line in report.lines if line.item in mistakes[entry.key].fails)
        texts[entry.key] = terminal.check_text(replace(report, lines=told))
    return texts


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Diagnoses by assignment, made when the first of its mistakes is looked at."""
    made: dict[str, dict[str, str]] = {}

    def of(slug: str) -> dict[str, str]:
        if slug not in made:
            made[slug] = diagnoses(slug, open_for_workers(tmp_path_factory.mktemp(slug)))
        return made[slug]

    return of


@pytest.mark.parametrize(("slug", "name"), CASES)
def test_the_diagnosis_word_for_word(told, slug, name):
    path, text = GOLDEN / f"{slug}.{name}.txt", told(slug)[name]
    if os.environ.get("WRITE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    assert text.encode() == path.read_bytes()


@pytest.mark.parametrize(("slug", "name"), CASES)
def test_the_mistake_is_named(slug, name):
    """The golden file holds the hint of the kept mistake, not only that something differs."""
    hint = known(folders_below(ROOT, slug), (name,))[name].hint
    assert hint
    assert hint in (GOLDEN / f"{slug}.{name}.txt").read_text(encoding="utf-8")


def test_no_golden_file_is_left_over():
    assert {path.name for path in GOLDEN.iterdir()} == {f"{slug}.{name}.txt" for slug, name in CASES}
