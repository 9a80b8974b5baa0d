"""What a kit's source is cut from, and what must not be in it."""

import pytest

from grader.errors import AuthorError
from grader.kit.cutting import cut

TEST = '''"""Tests; the hidden one is secret."""

from __future__ import annotations

import torch
from cases import SECRET, shown_cases, secret_cases
from hypothesis import given, reject
from probes import public, secret

import tools
from grader.suite import assert_agrees, item, require

# The secret check looks at gradients.
BOUND: float = 1e-3
HARD = {"top": 7}


@item("shown")
@given(case=shown_cases())
def test_shown(student, reference, case, scores):
    """Shown."""
    values = [BOUND for hidden in (1, 2)]  # `hidden` is its own, not the helper
    agrees(student.run(public, case), reference.run(public, case), values)


def agrees(actual: torch.Tensor, expected, values):
    assert_agrees(actual, expected, rtol=values[0])


def hidden():
    return HARD


@item("secret")
@given(case=secret_cases())
def test_secret(student, case):
    """Nobody may read this."""
    require(tools.near(student.run(secret, case)), SECRET + str(hidden()))
    reject()
'''
CASES = '''"""Cases."""

import pathlib

from grader.suite import cases

TABLE = {}
TABLE["wide"] = 3
SECRET = "under the stone"
KNOWN = pathlib.Path(__file__).with_name("words.txt")


def shown_cases():
    return cases(TABLE["wide"], KNOWN)


def secret_cases():
    return cases(SECRET, "other.txt")
'''
PROBES = """from stand_ins import A, B


def public(modules):
    return A(modules)


def secret(modules):
    return B(modules)
"""


@pytest.fixture
def suite(tmp_path):
    """A suite of two items, one of them for the kit."""
    files = {"test_it.py": TEST, "cases.py": CASES, "probes.py": PROBES, "stand_ins.py": "A = 1\nB = 2\n",
             "tools.py": "def near(x):\n    return x\n\n\ndef far():\n    pass\n", "words.txt": "a b", "other.txt": "c",
             "assignment.yaml": "x",
             "evidence.yaml": "x", "provided/given.py": "G = 1\n"}  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_only_what_the_kept_tests_use_is_there(suite):
    made = {name: content.decode() for name, content in cut(suite, {"shown"}).items()}
    assert set(made) == {"test_it.py", "cases.py", "probes.py", "stand_ins.py", "words.txt", "provided/given.py"}
    everything = "\n".join(made.values())
    for word in ("secret", "SECRET", "stone", "Nobody", "HARD", "def hidden", "gradients", "reject", "require", "near"):
        assert word not in everything, word
    assert made["stand_ins.py"] == "A = 1\n"
    assert made["test_it.py"].startswith("from __future__ import annotations\n")
    assert "from cases import shown_cases\n" in made["test_it.py"]
    assert "import torch\n" in made["test_it.py"], "an annotation needs it"
    assert 'TABLE["wide"] = 3' in made["cases.py"], "what changes a kept value is kept"
    for name, text in made.items():
        if name.endswith(".py"):
            compile(text, name, "exec")


def test_the_kept_source_is_as_it_was_written(suite):
    made = cut(suite, {"shown"})["test_it.py"].decode()
    begin, end = TEST.index('@item("shown")'), TEST.index("\n\n\ndef hidden")
    assert TEST[begin:end] in made


def test_a_fixture_is_found_by_the_arguments_name(suite):
    text = "import pytest\n" + TEST + "\n\n@pytest.fixture\ndef scores():\n    return hidden()\n"
    (suite / "test_it.py").write_text(text, encoding="utf-8")
    made = cut(suite, {"shown"})["test_it.py"].decode()
    assert "def scores" in made
    assert 'HARD = {"top": 7}' in made


@pytest.mark.parametrize(("line", "words"), [("from tools import *", "name what is used"), ("def (", "read as Python")])
def test_what_cannot_be_followed_is_the_authors_error(suite, line, words):
    (suite / "cases.py").write_text(f"{CASES}\n{line}\n", encoding="utf-8")
    with pytest.raises(AuthorError, match=words):
        cut(suite, {"shown"})


def test_of_an_imported_module_only_what_is_named_is_kept(suite):
    assert cut(suite, {"secret"})["tools.py"] == b"def near(x):\n    return x\n"
