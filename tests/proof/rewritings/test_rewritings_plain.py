"""Rewritings of plain Python: sums of lists and texts, attributes that are counted up, classes in functions."""

import textwrap

import pytest
from changed import rewritten, source_of

from grader.proof.changes.kinds import REWRITING
from grader.proof.changes.making import changes_in
from grader.proof.rewritings.operators import OPERATORS, PLAIN

WORDS = '''
class Word:
    """A text and how often it was seen; nothing here is a tensor, and no torch is imported."""

    def __init__(self, text, count, unit=1):
        self.text = text
        self.count = count
        self.unit = unit
        self.__mark = "|"

    def twice(self):
        return self.text + self.text * self.unit

    def parts(self):
        left, right = list(self.text), [letter for letter in "ab"]
        return left + right

    def spaced(self):
        return "  ".join(self.text)

    def marked(self, *others, sep="-"):
        from string import capwords

        def ends(text):
            return text[::-1]

        return capwords(sep.join([self.text, *others])) + ends(self.text)

    def private(self):
        return self.text + self.__mark


class Longer(Word):
    def __init__(self, text):
        super().__init__(text, 0)
        self.unit = 2


def reader(table, default):
    unknown = default * 2

    class Reader:
        def read(self, keys):
            return "".join(table.get(key, unknown) for key in keys)

    return Reader()


def answers():
    word = Word("ab", 1)
    word.count += 1
    return [word.count, word.twice(), word.parts(), word.spaced(), word.marked("x", sep="+"), word.private(),
            Longer("c").twice(), reader({1: "x"}, "?").read([1, 2])]
'''
MADE = [change for change in changes_in(source_of(WORDS), OPERATORS, REWRITING) if change.operator in PLAIN]


def answers(text):
    space = {"__name__": "words"}
    exec(compile(text, "words.py", "exec"), space)
    return space["answers"]()


@pytest.mark.parametrize("name", ["order", "under", "property", "helped"])
def test_what_a_kind_makes_of_plain_python_computes_the_same(name):
    expected = answers(WORDS)
    made = [change for change in MADE if change.operator == name]
    assert len(made) > 2
    for change in made:
        assert answers(change.text) == expected, change.described()


def in_class(line, above="", bases=""):
    return f"{above}\nclass A{bases}:\n    def f(self, a, b):\n        return {line}"


OF_TORCH = "import torch\n"


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (in_class("a + b"), "__import__('operator').add(a, b)"),
        (in_class("a + b", OF_TORCH, "(torch.nn.Module)"), "torch.add(a, b)"),
        (in_class("a + torch.exp(b)", OF_TORCH), "torch.add(a, torch.exp(b))"),
        (in_class("a + b", OF_TORCH), "__import__('operator').add(a, b)"),
        (in_class("a + list(b)", OF_TORCH, "(torch.nn.Module)"), "__import__('operator').add(a, list(b))"),
        (in_class("a + b + 'x'", OF_TORCH, "(torch.nn.Module)"), "__import__('operator').add(a, b)"),
    ],
)
def test_only_what_may_be_tensors_is_added_by_torch(code, wanted):
    assert any(wanted in text for text in rewritten(code, "order"))
    assert not any("torch.add(" in text for text in rewritten(code, "order")) or "torch.add" in wanted


def test_a_class_stands_under_a_condition_that_its_file_knows():
    assert any("if __name__:" in text for text in rewritten("class A:\n    pass", "under"))
    assert any(
        "if torch.__version__:" in text for text in rewritten("import torch.nn as nn\nclass A:\n    x = 1", "under")
    )


COUNTED = """
class A:
    def __init__(self, count):
        self.count = count
"""


@pytest.mark.parametrize(
    ("more", "has_setter"),
    [
        ("", False),
        ("def f(a):\n    a.count += 1", True),
        ("class B(A):\n    def f(self):\n        self.count = 2", True),
        ("class B:\n    def f(self):\n        self.count = 2", False),
    ],
)
def test_a_property_has_a_setter_where_the_attribute_is_set(more, has_setter):
    (text,) = [text for text in rewritten(COUNTED + more, "property") if "self._count = count" in text][:1]
    assert ("@count.setter" in text) == has_setter


@pytest.mark.parametrize(
    "code",
    [
        COUNTED.replace("A:\n", "A:\n    __slots__ = ('count',)\n"),
        COUNTED.replace("A:\n", "A:\n    count: int = 0\n"),
        COUNTED + "def f(a):\n    del a.count",
        COUNTED + "    def f(self):\n        self._count = 1",
    ],
)
def test_no_property_is_made_where_there_is_no_room_for_it(code):
    assert rewritten(textwrap.dedent(code), "property") == []
