"""Mutants: they compile, differ, stay inside the regions, and keep their ids when lines move."""

import ast
import textwrap

import pytest
from changed import mutants, source_of
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.errors import AuthorError
from grader.proof.changes.making import changes_in
from grader.proof.changes.source import Source
from grader.proof.mutants.making import mutants_of
from grader.proof.mutants.operators import OPERATORS
from grader.templates.markers import BEGIN, END

NAMES = st.sampled_from(["x", "h", "mask", "self.w_i", "self.w_f", "self.norm(x)", "self.drop(h)", "n", "eps", "größe"])
NUMBERS = st.sampled_from(["0", "1", "2", "-1", "0.5", "1e-5", "True"])
METHODS = ("softmax", "sum", "mean", "var", "transpose", "permute", "masked_fill", "clamp", "triu", "relu", "sqrt", "t")


def grown(inner):
    pairs = st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "@", "**", "//"]), inner)
    return st.one_of(
        pairs.map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        pairs.map(lambda p: f"({p[0]}\n    {p[1]} {p[2]})"),
        st.tuples(inner, st.sampled_from(METHODS), inner).map(lambda p: f"({p[0]}).{p[1]}({p[2]})"),
        st.tuples(st.sampled_from(METHODS), inner).map(lambda p: f"torch.{p[0]}({p[1]}, dim=-1, keepdim=True)"),
        inner.map(lambda e: f"torch.cat([{e}, x], dim=1)"),
        inner.map(lambda e: f"math.sqrt({e} + eps)"),
        inner.map(lambda e: f"F.dropout({e}, 0.1, self.training)"),
        inner.map(lambda e: f"({e})[:, 1:, 0, :-1]"),
        inner.map(lambda e: f"self.attn({e}, mask, tgt_mask={e})"),
        inner.map(lambda e: f"-{e}"),
        inner.map(lambda e: f"f'{{{e.replace(chr(10), ' ')}}}'" if "'" not in e else e),
        st.tuples(inner, inner).map(lambda p: f"({p[0]} if {p[1]} < 1 else {p[0]})"),
    )


EXPRESSIONS = st.recursive(NAMES | NUMBERS, grown, max_leaves=6)


@st.composite
def methods(draw):
    """A class with a constructor and one method, as a reference has them."""
    expressions = st.lists(EXPRESSIONS, min_size=1, max_size=3)
    lines = ["h = x.new_zeros(2, n)"]
    lines += [f"{draw(st.sampled_from(['h', 'x', 'y']))} = {text}" for text in draw(expressions)]
    lines += ["for x_t in range(n):", f"    h = {draw(EXPRESSIONS)}", "    h += 1"]
    lines += [f"return {draw(EXPRESSIONS)}, h"]
    body = "\n".join(f"        {line}" for text in lines for line in text.split("\n"))
    return (
        "class Net(nn.Module):\n    def __init__(self, n):\n"
        "        self.w_i, self.w_f = weight(n), weight(n)\n        self.norm = nn.LayerNorm(n)\n\n"
        f"    def forward(self, x, mask, n):\n{body}"
    )


@given(methods())
@settings(max_examples=25, deadline=None)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_every_edit_of_every_operator_compiles_and_every_mutant_differs(code):
    source = source_of(code)
    compile(source.text, "reference", "exec")
    for node in source.in_regions():
        for name, operator in OPERATORS.items():
            for edit in operator(source, node):
                try:
                    compile(source.applied(edit), "mutant", "exec")
                except SyntaxError as error:
                    raise AssertionError(f"{name} made\n{source.applied(edit)}") from error
    found = changes_in(source, OPERATORS)
    meanings = {ast.dump(ast.parse(mutant.text)) for mutant in found} | {ast.dump(source.tree)}
    assert len(meanings) == len(found) + 1
    assert len({mutant.id for mutant in found}) == len(found)


TWO = f"""
def given(a, b):
    return a + b


def asked(a, b):
    c = a - b
    {BEGIN}
    d = a * b
    {END}
    return c / d
"""


def test_only_regions_are_mutated():
    found = changes_in(Source("net.py", TWO), OPERATORS)
    assert {mutant.line for mutant in found} == {9}
    assert {(mutant.before, mutant.after) for mutant in found} == {
        ("d = a * b", "d = a"),
        ("d = a * b", "d = b"),
        ("d = a * b", "d = (a / b)"),
    }
    assert {mutant.scope for mutant in found} == {"asked"}
    given_part = TWO.split("    c = ")[0]
    assert all(mutant.text.startswith(given_part) for mutant in found)


def test_an_edit_that_reaches_out_of_its_region_is_left_out():
    code = f"""
    def f(self, x):
        {BEGIN}
        h = x.new_zeros(3)
        {END}
        for t in x:
            h = h + t
        return h
    """
    found = changes_in(Source("net.py", textwrap.dedent(code)), {"state-reset": OPERATORS["state-reset"]})
    assert found == []


def test_ids_outlive_new_lines_and_comments_elsewhere():
    before = changes_in(Source("net.py", TWO), OPERATORS)
    moved = changes_in(
        Source("net.py", "# one line more\nimport torch\n" + TWO.replace("d = a * b", "d = a * b  # d")), OPERATORS
    )
    assert [mutant.id for mutant in moved] == [mutant.id for mutant in before]
    assert [mutant.line for mutant in moved] == [mutant.line + 2 for mutant in before]


@pytest.mark.parametrize(
    ("path", "text"),
    [("other.py", TWO), ("net.py", TWO.replace("def asked", "def other")), ("net.py", TWO.replace("a * b", "a * a"))],
    ids=["file", "function", "code"],
)
def test_ids_change_with_file_function_and_code(path, text):
    before = {mutant.id for mutant in changes_in(Source("net.py", TWO), OPERATORS)}
    assert not before & {mutant.id for mutant in changes_in(Source(path, text), OPERATORS)}


def test_what_is_shown_is_one_line_without_comments():
    code = """
    def f(s, mask, n):
        for t in range(n):  # every step
            s = s.masked_fill(  # padding
                mask == 0, -1e9
            )
        return torch.softmax(s, dim=-1)
    """
    (shortened,) = mutants(code, "loop-shortened")
    assert (shortened.before, shortened.after) == ("for t in range(n):", "for t in range(n - 1):")
    (dropped,) = mutants(code, "mask-dropped")
    assert (dropped.before, dropped.after) == ("s = s.masked_fill( mask == 0, -1e9 )", "s = s")
    (behind,) = mutants(code, "mask-after-softmax")
    assert behind.after == "pass … return torch.softmax(s, dim=-1).masked_fill(mask == 0, 0)"


def test_equal_edits_at_two_places_have_two_ids():
    found = mutants("def f(a, b):\n    y = a * b\n    z = 1\n    y = a * b\n    return y", "factor-dropped")
    assert [mutant.line for mutant in found] == [3, 3, 5, 5]
    assert len({mutant.id for mutant in found}) == 4


def test_text_in_f_strings_and_annotations_stays():
    assert mutants('def f(a: int = None) -> list[1 + 1]:\n    b: x[0 + 1]\n    print(f"{a * 2 + 1}")') == []


def test_what_is_only_shown_is_in_saved_outputs_and_not_in_the_code():
    assert mutants("print(x[0] + 1)\nfor n in range(3):\n    plt.plot(n + 1)") == []
    assert len(mutants("def f(x):\n    print(x[0])\n    return x", "index-changed")) == 2
    assert len(mutants("steps = 3\nprint(steps)", "constant-changed")) == 2


def test_positions_count_characters_and_not_bytes():
    (mutant,) = mutants('w = "größer · als"; y = x @ k.T', "transposition-dropped")
    assert mutant.text.split("\n")[1] == 'w = "größer · als"; y = x @ k'


def test_a_region_without_end_is_an_authors_error(tmp_path):
    (tmp_path / "net.py").write_text(f"def f():\n    {BEGIN}\n    return 1\n", encoding="utf-8")
    with pytest.raises(AuthorError, match=r"net.py:2: .*has no"):
        mutants_of(tmp_path)


def test_a_reference_has_the_mutants_of_all_its_files_below_their_paths(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "net.py").write_text(TWO, encoding="utf-8")
    (tmp_path / "given.py").write_text("x = 1 + 1\n", encoding="utf-8")
    assert {mutant.file for mutant in mutants_of(tmp_path)} == {"models/net.py"}
