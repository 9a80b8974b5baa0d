"""Which functions differ between two versions of a source, and what the code that runs is called."""

import sys

import pytest

from grader.parsing.functions import bodies, changed_functions, name_of

SOURCE = """
import math

SCALE = 2


class Cell:
    \"\"\"A cell.\"\"\"

    size = 3

    def __init__(self, size=3):
        self.size = size

    @staticmethod
    def twice(x):
        def inner(y):
            return y * 2

        return inner(x)

    def all(self):
        return [self.twice(x) for x in range(self.size)]


async def later(x):
    return sorted(x, key=lambda entry: -entry)


class Outer:
    class Inner:
        def call(self):
            return math.pi
"""


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("self.size = size", "self.size = 1 + size", {"Cell.__init__"}),
        ("y * 2", "y * 3", {"Cell.twice.inner"}),
        ("inner(x)", "inner(inner(x))", {"Cell.twice"}),
        ("-entry", "+entry", {"later"}),
        ("math.pi", "math.e", {"Outer.Inner.call"}),
        ("for x in", "for  x  in", set()),  # spaces
        ("return math.pi", "# half a turn\n            return math.pi", set()),
        ("SCALE = 2", "SCALE = 3", None),
        ("size = 3\n", "size = 4\n", None),
        ("size=3", "size=4", None),  # a default is computed outside
        ("@staticmethod\n", "@classmethod\n", None),
        ("def all", "def every", None),
        ("class Inner", "class Other", None),
        ("        return math.pi", "        return (math.pi", None),  # no Python
    ],
)
def test_what_differs(old, new, changed):
    assert SOURCE.count(old) == 1
    assert changed_functions(SOURCE, SOURCE.replace(old, new)) == (None if changed is None else frozenset(changed))


def test_functions_of_one_name_are_one():
    twice = "if True:\n    def f(): return 1\nelse:\n    def f(): return 2\n"
    assert changed_functions(twice, twice.replace("2", "3")) == {"f"}


def test_magics_are_no_python():
    assert changed_functions("%matplotlib inline\ndef f():\n    return 1\n", "!ls\ndef f():\n    return 2\n") == {"f"}


def test_what_runs_has_the_name_that_its_body_has():
    namespace, ran = {}, set()
    exec(compile(SOURCE, "handed in", "exec"), namespace)

    def note(frame, event, _):
        if event == "call" and frame.f_code.co_filename == "handed in":
            ran.add(name_of(frame.f_code))

    sys.setprofile(note)
    try:
        namespace["Cell"]().all()
        namespace["Outer"].Inner().call()
        with pytest.raises(StopIteration):
            namespace["later"]([2, 1]).send(None)
    finally:
        sys.setprofile(None)
    assert ran == bodies(SOURCE).keys() - {""}
