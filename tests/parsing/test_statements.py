"""Cells are cut into statements whose fates are separate, whatever else stands in them."""

import ast
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.parsing.statements import definition_kind, parse_source, split_statements, strip_magics

CELL = '''%matplotlib inline
!pip install torchtext \\
    --quiet
import torch
ratio = (7
  % 4)
help_text = """
!ls is not run
%time neither
"""
files = !ls
model = Transformer(
    # YOUR CODE HERE

class Attention(nn.Module):
    def forward(self, x):
        return x

@torch.no_grad()
def evaluate(model):
    return 0.0
nhid =
emsize = nlayers = 2 * 100
a = 1; b = "é"; train(model)
if torch.cuda.is_available():
    !nvidia-smi
'''


def test_a_cell_with_magics_and_holes_keeps_what_parses() -> None:
    found = [(piece.first_line, piece.last_line, piece.kind, piece.names) for piece in split_statements(CELL)]
    assert found == [
        (4, 4, "import", ("torch",)),
        (5, 6, "literal", ("ratio",)),
        (7, 10, "literal", ("help_text",)),
        (12, 13, None, ()),
        (15, 17, "class", ("Attention",)),
        (19, 21, "function", ("evaluate",)),
        (22, 22, None, ()),
        (23, 23, "literal", ("emsize", "nlayers")),
        (24, 24, "literal", ("a",)),
        (24, 24, "literal", ("b",)),
        (24, 24, None, ()),
        (25, 26, None, ()),
    ]


def test_broken_pieces_say_where() -> None:
    broken = [piece for piece in split_statements(CELL) if piece.error]
    assert [(piece.error_line, piece.error) for piece in broken] == [
        (12, "SyntaxError: '(' was never closed"),
        (22, "SyntaxError: invalid syntax"),
    ]
    assert all(piece.node is None for piece in broken)


def test_a_broken_class_is_named_and_the_next_one_survives() -> None:
    broken, whole = split_statements("class A:\n    def f(self):\n        return ???\n\nclass B:\n    pass\n")
    assert (broken.names, broken.error_line, broken.kind) == (("A",), 3, None)
    assert (whole.names, whole.kind, whole.first_line) == (("B",), "class", 5)


def test_an_unclosed_string_does_not_swallow_the_definitions_below_it() -> None:
    pieces = split_statements('note = """never closed\ntext\ndef f():\n    return 1\n')
    assert [(piece.error is None, piece.names) for piece in pieces] == [(False, ()), (True, ("f",))]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("%%bash\nrm -rf data\nls", "# %%bash\n# rm -rf data\n# ls"),
        ("%%time\nx = 1", "pass  # %%time\nx = 1"),
        ("\n%%writefile a.py\nimport os", "\n# %%writefile a.py\n# import os"),
        ("if a:\n    !ls\nb = 1", "if a:\n    pass  # !ls\nb = 1"),
        ("?print\nprint??\nx = 1", "pass  # ?print\npass  # print??\nx = 1"),
        ("x = f(a,\n%b\n)", "x = f(a,\n%b\n)"),
        ("x = 'a' \\\n% b", "x = 'a' \\\n% b"),
        ("y = %env HOME\n# %comment", "pass  # y = %env HOME\n# %comment"),
        ("s = '''\n!kept'''\n!gone", "s = '''\n!kept'''\npass  # !gone"),
        ("class A:\n    x = (\n%ls\n", "class A:\n    x = (\n%ls\n"),
    ],
)
def test_magics_become_comments(source: str, expected: str) -> None:
    assert strip_magics(source) == expected


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("import a.b as c", "import"),
        ("from a import *", "import"),
        ("async def f(): pass", "function"),
        ("class A: pass", "class"),
        ("x = -1", "literal"),
        ("x, y = 1, 2", "literal"),
        ("x = {'a': [1, 2.0, None], **{}}", None),
        ("x = {'a': [1, 2.0, None]}", "literal"),
        ("x: int = 3", "literal"),
        ("x: int", None),
        ("x = y", None),
        ("x = [f()]", None),
        ("x = 'a' * 10**9", None),
        ("x = f'{a}'", None),
        ("torch.nn.LSTM = 3", None),
        ("x[0] = 3", None),
        ("try:\n    import a\nexcept ImportError:\n    a = None", "import"),
        ("try:\n    import a\nexcept ImportError:\n    install()", None),
        ("if True:\n    import a", None),
        ("'a docstring'", None),
        ("x += 1", None),
        ("del x", None),
    ],
)
def test_only_definitions_are_definitions(source: str, kind: str | None) -> None:
    assert definition_kind(ast.parse(source).body[0]) == kind


HOSTILE = {
    "deep brackets": "(" * 100_000,
    "deep minus": "-" * 100_000 + "1",
    "long chain": "x" + ".a" * 200_000,
    "long sum": "1" + "+1" * 200_000,
    "NUL": "a = 1\0",
    "surrogate": "x = '\ud800'",
    "huge integer": "x = " + "9" * 100_000,
    "deep indent": "\n".join(" " * depth + "if 1:" for depth in range(300)),
    "lambdas": "lambda:" * 50_000 + "1",
    "open definitions": "def f(\n" * 5_000,
    "open strings": "x = '''\nclass A:\n" * 5_000,
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_source_is_an_error_and_not_a_crash(source: str) -> None:
    with pytest.raises(SyntaxError):
        parse_source(source)
    assert any(piece.error for piece in split_statements(source))


@given(
    st.lists(
        st.sampled_from(
            [
                "import os",
                "x = 1",
                "def f():\n    return '''\n!a\n'''",
                "class A:\n    y = (1,\n2)",
                "for i in x:\n    print(i)\nelse:\n    pass",
                "@d\nclass B: z = 3",
                "# note",
                "",
            ]
        )
    )
)
def test_whole_cells_are_cut_without_loss(pieces: list[str]) -> None:
    source = "\n".join(pieces)
    cut = split_statements(source)
    assert ast.dump(ast.parse("\n".join(piece.source for piece in cut))) == ast.dump(ast.parse(source))
    lines = source.split("\n")
    assert all("\n".join(lines[piece.first_line - 1 : piece.last_line]).endswith(piece.source) for piece in cut)


@given(st.text(st.sampled_from("ab=(['\"\\\n #%!:?\t)]1"), max_size=80))
def test_cutting_never_fails_and_keeps_the_lines(source: str) -> None:
    assert strip_magics(source).count("\n") == source.count("\n")
    for piece in split_statements(source):
        assert 1 <= piece.first_line <= piece.last_line <= source.count("\n") + 1
        assert (piece.error is None) == (piece.node is not None)
        assert piece.error_line is None or piece.first_line <= piece.error_line <= piece.last_line


def test_the_sandboxed_worker_can_use_it_with_the_standard_library_alone() -> None:
    code = (
        "import sys; before = set(sys.modules); import grader.parsing.statements; "
        "print([m for m in set(sys.modules) - before if m.split('.')[0] not in sys.stdlib_module_names | {'grader'}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
