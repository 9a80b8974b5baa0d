"""A student's LaTeX → MathML, which browsers draw without a script; its text where that is not understood.

The library that reads LaTeX passes on whatever stands in it (HTML in `\\text`, addresses in `\\href`), so only its tree
is taken: known elements, a few attributes that say how they look, and texts that are escaped here.
"""

from __future__ import annotations

import re
from html import unescape
from xml.etree import ElementTree

from latex2mathml.converter import convert_to_element
from markupsafe import Markup

MAX_FORMULA = 2000
_ELEMENTS = re.compile(
    "math|m(row|i|o|n|text|space|frac|sqrt|root|sub|sup|subsup|under|over|underover|table|tr|td|style|padded|phantom)"
)
_LOOKS = re.compile(
    "display|displaystyle|mathvariant|stretchy|fence|form|separator|accent|accentunder|movablelimits|columnalign|"
    "rowspacing|columnspacing|linethickness|scriptlevel|minsize|maxsize|lspace|rspace|width"
)


def drawn(latex: str, display: bool) -> Markup:
    """One formula, on a line of its own with `display`. Safe to insert."""
    if len(latex) > MAX_FORMULA:
        return Markup("<code>{}</code>").format(latex)
    try:
        tree = convert_to_element(latex, display="block" if display else "inline")
    except Exception:  # of many kinds: half a formula, a command of a package, braces too deep
        return Markup("<code>{}</code>").format(latex)
    for element in tree.iter():
        element.tag = element.tag if _ELEMENTS.fullmatch(element.tag) else "mrow"
        element.attrib = {name: value for name, value in element.attrib.items() if _LOOKS.fullmatch(name)}
        element.text, element.tail = unescape(element.text or ""), None
    return Markup(ElementTree.tostring(tree, encoding="unicode"))
