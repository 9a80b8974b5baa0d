"""The proofs: a template that lost its interface, does not parse, or gives a solution away is found."""

import pytest

from grader.errors import AuthorError
from grader.templates import prove, strip

REFERENCE = '''"""Attention."""

import math

import torch
from torch import nn

HEADS = 2


class Attention(nn.Module):
    """Scores.

    h = f * c + i * g is the cell's equation.
    """

    size: int = 3

    def forward(self, query, key, *, mask=None):
        # BEGIN SOLUTION
        # divide by the square root of the dimension first
        scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
        total = (
            scores
            + mask * torch.finfo(scores.dtype).min
        )
        h = f * c + i * g
        x = self.act(x)
        return total
        # END SOLUTION


def given(query, key):
    return query @ key.transpose(-2, -1)
'''
TEMPLATE = strip(REFERENCE, "attention.py")


def test_the_stripped_reference_is_proven():
    assert prove(REFERENCE, TEMPLATE, "attention.py") == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("key, *, mask=None)", "key, mask=None)", "Attention.forward is"),
        ("self, query, key, *", "self, key, query, *", "Attention.forward is"),
        ("mask=None", "mask=0", "Attention.forward is"),
        ("def forward", "def forwards", "lacks Attention.forward"),
        ("class Attention(nn.Module)", "class Attention", "Attention is 'class Attention()'"),
        ("HEADS = 2", "heads = 2", "lacks HEADS"),
        ("    size: int = 3\n", "", "lacks Attention.size"),
        ("def given(query, key):", "EXTRA = 1\ndef given(query, key):", "EXTRA stands in the template alone"),
        ("def given(query, key):", "@torch.no_grad()\ndef given(query, key):", "given is '@torch.no_grad() def given"),
        ("def given(query, key):", "def given(query, key:", "does not parse"),
    ],
)
def test_a_changed_interface_is_found(old, new, problem):
    assert old in TEMPLATE
    problems = prove(REFERENCE, TEMPLATE.replace(old, new), "attention.py")
    assert any(problem in entry for entry in problems), problems
    assert all("attention.py" in entry for entry in problems)


@pytest.mark.parametrize(
    "leak",
    [
        "scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])\n",
        "scores=query@key.transpose(-2,-1)/math.sqrt(query.shape[-1])\n",
        "# scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])\n",
        "#scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])  # TODO\n",
        'HINT = """\nscores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])\n"""\n',
        "scores = query @ key.transpose(\n    -2, -1) / math.sqrt(\n    query.shape[-1])\n",
        "# Divide, as in: divide by the square root of the dimension first\n",
        "total = (scores + mask * torch.finfo(scores.dtype).min)\n",
    ],
)
def test_a_solution_line_is_found_in_code_comments_and_strings(leak):
    problems = prove(REFERENCE, TEMPLATE + leak, "attention.py")
    assert any("part of a solution" in problem for problem in problems)


def test_the_sentence_names_both_lines():
    template = TEMPLATE + "# total: scores + mask * torch.finfo(scores.dtype).min\n"
    (problem,) = prove(REFERENCE, template, "attention.py")
    assert "line 25 of the reference" in problem
    assert f"line {TEMPLATE.count(chr(10)) + 1} of the template" in problem


@pytest.mark.parametrize("harmless", ["x = self.act(x)\n", "# return total\n", "y = query @ key.transpose(-2, -1)\n"])
def test_short_lines_and_given_code_are_no_leak(harmless):
    assert prove(REFERENCE, TEMPLATE + harmless, "attention.py") == []


def test_an_equation_of_a_docstring_may_equal_the_code():
    assert "h = f * c + i * g" in TEMPLATE
    assert prove(REFERENCE, TEMPLATE, "attention.py") == []


def test_a_solution_commented_out_beside_its_region_is_a_leak():
    line = "    out = self.w * x + self.bias - 3\n"
    text = f"def f(self, x):\n    # {line.strip()}\n    # BEGIN SOLUTION\n{line}    return out\n    # END SOLUTION\n"
    assert len(prove(text, strip(text, "x.py"), "x.py")) == 1


def test_replacement_lines_that_repeat_the_solution_are_a_leak():
    line = "out = self.w * x + self.bias - 3"
    text = f"def f(self, x):\n    # BEGIN SOLUTION\n    # TEMPLATE: {line}\n    {line}\n    # END SOLUTION\n"
    assert len(prove(text, strip(text, "x.py"), "x.py")) == 1


def test_public_names_inside_regions_are_a_problem():
    inside = "def helper(x):\n    return x\n\n\nLIMIT = 3\n\n\ndef _own(x):\n    return x\n"
    text = f"# BEGIN SOLUTION\n{inside}# END SOLUTION\n"
    problems = prove(text, strip(text, "x.py"), "x.py")
    assert [problem for problem in problems if "keep it outside" in problem] == problems
    assert len(problems) == 2


def test_a_broken_reference_is_the_authors_error():
    with pytest.raises(AuthorError):
        prove("x = (", "x = 1", "x.py")
