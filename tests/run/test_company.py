"""A judge serves many submissions; what one of them did changes nothing for the next, and nothing piles up."""

import dataclasses
import sys

import pytest
from tiny_assignment import ITEMS, open_for_workers, submission, tiny

from grader.judge.sides import Book
from grader.run.engine import Engine, Order
from grader.run.grading import judge_all

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="judges are forked on Linux only")

SHIFTED = "    shifted ="
EDITS = {
    "right": {},
    "scorer_sums": {"model.py": (".mean(dim=1)", ".sum(dim=1)")},
    "without_tanh": {"layers.py": ("torch.tanh(self.content(x))", "self.content(x)")},
    "patches_torch": {
        "layers.py": (SHIFTED, "    torch.tanh = torch.sigmoid\n    torch.Tensor.max = None\n" + SHIFTED)
    },
    "dies": {"layers.py": (SHIFTED, "    import os\n    os._exit(0)\n" + SHIFTED)},
    "never_imports": {"layers.py": ("import torch\n", "import torch\nraise RuntimeError('no')\n")},
    "keeps_everything": {"layers.py": (SHIFTED, "    vars(torch).setdefault('kept', []).append(scores)\n" + SHIFTED)},
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    root = open_for_workers(tmp_path_factory.mktemp("company"))
    return [submission(root, key, edits) for key, edits in EDITS.items()]


@pytest.fixture(scope="module")
def engine():
    with Engine(Order(folders=tiny()[0], seed="company")) as made:
        yield made


def judged(engine, found, jobs):
    """{key: all that was found out, times left out}."""
    graded = judge_all(engine, found, seed="company", items=ITEMS, jobs=jobs)
    return {
        entry.key: (
            {name: dataclasses.replace(result, seconds=0.0) for name, result in entry.results.items()},
            sorted(map(repr, entry.violations)),
        )
        for entry in graded
    }


@pytest.fixture(scope="module")
def alone(engine, found):
    """Each as the first that judges of its own see."""
    results = {}
    for entry in found:
        with Engine(Order(folders=tiny()[0], seed="company")) as fresh:
            results |= judged(fresh, [entry], 1)
    return results


@pytest.mark.parametrize("jobs", [1, 2])
def test_neither_the_order_nor_the_number_of_judges_matters(engine, found, alone, jobs):
    assert judged(engine, found, jobs) == alone
    assert judged(engine, found[::-1], jobs) == alone


def test_what_an_item_does_to_torch_costs_no_other_item(alone):
    results, _ = alone["patches_torch"]
    assert {name for name, result in results.items() if result.status != "passed"} <= {
        "softmax.values",
        "softmax.stable",
    }


def test_what_one_submission_added_is_dropped():
    book = Book()
    kept = [book.call(lambda modules: {}, {"x": number}, {}).key for number in (1, 2)]
    book.keep()
    book.call(lambda modules: {}, {"x": 3}, {})
    book.forget()
    assert list(book.calls) == kept
