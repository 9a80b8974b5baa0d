"""Formulas as a browser draws them; nothing that a student writes into one becomes anything else."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.marking import formulas, showing

PARTS = [
    "\\frac", "{", "}", "^", "_", "x", "\\text{<b onclick=x>}", "\\href{javascript:x}", "\\style{color:red}", "&",
    "\\\\", "\\begin{align}", "\\end{align}", "\\sum", "\\left(", "\\right)", "<script>", "\\class{a}", "'", '"', " ",
    "&#60;", "\\color{red}", "\\mathbf",
]  # fmt: skip


def looked_at(html: str) -> ElementTree.Element:
    """The tree of what was drawn; fails at what is no formula."""
    tree = ElementTree.fromstring(html)
    for element in tree.iter():
        assert element.tag == "code" or formulas._ELEMENTS.fullmatch(element.tag)
        assert all(formulas._LOOKS.fullmatch(name) for name in element.attrib)
        assert not any(":" in value for value in element.attrib.values())
    return tree


def test_a_formula_is_drawn():
    tree = looked_at(formulas.drawn(r"\frac{\partial L}{\partial b} < \sum_t h_t", display=True))
    assert tree.tag == "math"
    assert tree.attrib == {"display": "block"}
    assert "".join(tree.itertext()) == "∂L∂b<∑tht"


@pytest.mark.parametrize("latex", ["\\frac{", "\\left( x", "x^x^x", "{" * 3000, "\\sqrt" * 300, "<script>" * 400])
def test_what_is_not_understood_stays_text(latex):
    tree = looked_at(formulas.drawn(latex, display=False))
    assert (tree.tag, tree.text) == ("code", latex)


@pytest.mark.parametrize(
    "latex", [r"\text{<script>alert(1)</script>}", r"\href{javascript:alert(1)}{x}", r"\style{background:url(//e)}{x}"]
)
def test_what_a_formula_smuggles_is_not_passed_on(latex):
    html = formulas.drawn(latex, display=False)
    looked_at(html)
    assert "<script" not in html
    assert "javascript" not in html
    assert "url(" not in html


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PARTS) | st.text(max_size=3), max_size=14), st.booleans())
def test_any_formula_is_inert(parts, display):
    latex = showing.clean("".join(parts), 4000)
    looked_at(formulas.drawn(latex, display))


def test_formulas_stand_in_the_text_around_them():
    html = showing.rendered("Because $a_1 * b_2 * c$ holds,\n\n$$\n\\sum_t h_t\n$$\n\nit costs $5 or $6.")
    assert html.count("<math") == 2
    assert "<em>" not in html
    assert "$5 or $6" in html
