"""Modules that a confined worker lacks: imported by the zygote for the next worker when they are harmless."""

import shutil
import sys

import pytest
from benches import FIXTURES, LIMITS, Bench

from grader.judge.workers import Workers
from grader.model import Raised, Values
from grader.sandbox.base import request_tree
from grader.sandbox.missing import may_preload, missing_module

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the Linux back end preloads")


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    root = tmp_path_factory.mktemp("late")
    for folder in (root, root.parent):
        folder.chmod(0o755)
    shutil.copy(FIXTURES / "behaviours" / "m.py", root / "m.py")
    made = Bench("linux", root)
    yield made
    made.close()


def ask(bench, name):
    workers = Workers(bench.sandbox, bench.site, LIMITS)
    inputs = {"name": name, "arguments": []}
    request = request_tree(probe="call", inputs=inputs, options={}, seed=0)
    return workers.run(request, LIMITS)


def test_a_module_of_the_standard_library_is_fetched_and_the_question_asked_again(bench):
    assert isinstance(bench.run("imports_late"), Raised), "otherwise this test shows nothing"
    found = ask(bench, "imports_late")
    assert isinstance(found, Values), found
    assert found.values["out"] == 1.0


@pytest.mark.parametrize("name", ["imports_refused", "imports_unknown"])
def test_harmful_and_unknown_modules_stay_missing(bench, name):
    found = ask(bench, name)
    assert isinstance(found, Raised)
    assert found.kind == "ModuleNotFoundError"


def test_a_claim_cannot_make_the_zygote_run_a_program(bench):
    found = ask(bench, "imports_a_program")
    assert isinstance(found, Raised)
    bench.sandbox.preload(["unittest.__main__"])
    assert isinstance(bench.run("counts", fresh=True), Values), "the zygote lives"


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("statistics", True),
        ("torch.nn.utils.prune", True),
        ("turtle", False),
        ("tkinter.ttk", False),
        ("torch._inductor", False),
        ("torch._inductor.codecache", False),
        ("antigravity", False),
        ("torch.testing", True),
        ("torch.testing._internal.common_utils", False),
        ("numpy.conftest", False),
        ("mpmath.tests.torture", False),
        ("pytest", False),
        ("grader.judge.main", False),
        ("numpy.f2py.__main__", False),
        ("json.nothing_like_it", False),
    ],
)
def test_which_modules_are_fetched(name, may):
    assert may_preload(name) is may


def test_a_note_of_an_import_that_failed_counts_too(bench):
    found = bench.run("counts")
    assert missing_module(found) is None
    note = "m.py raised ModuleNotFoundError while it was imported: No module named 'colorsys'"
    from dataclasses import replace

    assert missing_module(replace(found, notes=replace(found.notes, loading=(note,)))) == "colorsys"
