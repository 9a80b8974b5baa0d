"""The stripper: what it removes, what it leaves, and every author's slip that it must not let through."""

import ast
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.errors import AuthorError
from grader.templates import prove, strip
from grader.templates.markers import near_miss, one_edit


def source(text: str) -> str:
    return textwrap.dedent(text).lstrip("\n")


def slip(text: str) -> AuthorError:
    with pytest.raises(AuthorError) as caught:
        strip(source(text), "models/x.py")
    assert caught.value.path == "models/x.py"
    assert str(caught.value).startswith(f"models/x.py:{caught.value.line}: ")
    return caught.value


METHOD = """
    class Outer:
        class Net:
            def forward(self, x):
                \"\"\"Adds one.\"\"\"
                # BEGIN SOLUTION
                y = x + 1
                return y
                # END SOLUTION

            size = 3  # untouched
    """


def test_region_becomes_a_hole_that_names_its_function():
    assert strip(source(METHOD), "x.py") == source(
        """
        class Outer:
            class Net:
                def forward(self, x):
                    \"\"\"Adds one.\"\"\"
                    raise NotImplementedError("Outer.Net.forward")

                size = 3  # untouched
        """
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("# BEGIN SOLUTION\nx = 1\n# END SOLUTION\n", "lstm"),
        ("class A:\n    # BEGIN SOLUTION\n    x = 1\n    # END SOLUTION\n", "A"),
        ("def f():\n    def g():\n        # BEGIN SOLUTION\n        return 1\n        # END SOLUTION\n", "f.g"),
        ("async def f():\n    # BEGIN SOLUTION\n    return 1\n    # END SOLUTION\n", "f"),
        ("def f():\n    pass\n# BEGIN SOLUTION\nx = f()\n# END SOLUTION\n", "lstm"),
        ('if 1:\n    def f():\n        "Doc."\n        # BEGIN SOLUTION\n        # no\n        # END SOLUTION\n', "f"),
    ],
)
def test_the_hole_is_named_after_the_innermost_scope_or_the_module(text, name):
    assert f'raise NotImplementedError("{name}")' in strip(text, "models/naive/lstm.py")


def test_the_hole_raises_when_it_is_run():
    namespace: dict = {}
    exec(compile(strip(source(METHOD), "x.py"), "x.py", "exec"), namespace)
    with pytest.raises(NotImplementedError, match=r"Outer\.Net\.forward"):
        namespace["Outer"].Net().forward(1)


def test_several_regions_in_one_function_each_become_a_hole():
    region = "    # BEGIN SOLUTION\n    x = x + 1\n    # END SOLUTION\n    x = x * 2\n"
    text = "def f(x):\n" + 2 * region
    assert strip(text, "x.py").count('raise NotImplementedError("f")') == 2


# --- replacement lines -------------------------------------------------------------------------------------------


def test_replacement_lines_keep_their_relative_indentation():
    text = """
        def f(x):
            # BEGIN SOLUTION
            # TEMPLATE: if x:
            # TEMPLATE:     x = None  # your code
            # TEMPLATE:
            # TEMPLATE: out = x
            out = x ** 2
            # END SOLUTION
            return out
        """
    assert strip(source(text), "x.py") == source(
        """
        def f(x):
            if x:
                x = None  # your code

            out = x
            return out
        """
    )


def test_an_empty_replacement_makes_the_region_vanish():
    text = "x = 1\n# BEGIN SOLUTION\n# TEMPLATE:\nx = 2\n# END SOLUTION\ny = x\n"
    assert strip(text, "x.py") == "x = 1\ny = x\n"


def test_an_empty_replacement_becomes_pass_where_a_statement_is_needed():
    text = "def f():\n    # BEGIN SOLUTION\n    # TEMPLATE:\n    return 1\n    # END SOLUTION\n\n\nx = 2\n"
    assert strip(text, "x.py") == "def f():\n    pass\n\n\nx = 2\n"


def test_a_region_inside_brackets_may_be_replaced():
    text = "x = dict(\n    a=1,\n    # BEGIN SOLUTION\n    # TEMPLATE: b=None,\n    b=2,\n    # END SOLUTION\n)\n"
    assert strip(text, "x.py") == "x = dict(\n    a=1,\n    b=None,\n)\n"


@pytest.mark.parametrize(
    "text",
    [
        "# BEGIN SOLUTION\nx = 1\n# TEMPLATE: x = None\n# END SOLUTION\n",
        "# TEMPLATE: x = None\nx = 1\n",
        "# BEGIN SOLUTION\n# Template: x = None\nx = 1\n# END SOLUTION\n",
        "# BEGIN SOLUTION\n#TEMPLATE: x = None\nx = 1\n# END SOLUTION\n",
        "if 1:\n    # BEGIN SOLUTION\n  # TEMPLATE: x = None\n    x = 1\n    # END SOLUTION\n",
    ],
    ids=["after code", "outside", "case", "no space", "other indentation"],
)
def test_misplaced_replacement_lines_are_errors(text):
    assert "TEMPLATE:" in str(slip(text))


# --- the failures of other tools ---------------------------------------------------------------------------------


def test_end_without_begin_is_an_error():
    error = slip("def f():\n    return 1\n    # END SOLUTION\n")
    assert error.line == 3
    assert "no '# BEGIN SOLUTION'" in str(error)


def test_begin_without_end_is_an_error():
    error = slip("def f():\n    # BEGIN SOLUTION\n    return 1\n")
    assert error.line == 2


def test_second_begin_before_end_is_an_error():
    error = slip("# BEGIN SOLUTION\nx = 1\n# BEGIN SOLUTION\ny = 1\n# END SOLUTION\n")
    assert error.line == 3
    assert "line 1" in str(error)


@pytest.mark.parametrize(
    "marker",
    [
        "# Begin Solution",
        "# begin solution",
        "#BEGIN SOLUTION",
        "#  BEGIN SOLUTION",
        "### BEGIN SOLUTION",
        "# BEGIN SOLUTIONS",
        "# BEGN SOLUTION",
        "# BEIGN SOLUTION",
        "# BEGIN_SOLUTION",
        "# BEGINSOLUTION",
        "# BEGIN SOLUTION:",
        "# BEGIN SOLUTION NO PROMPT",
        "# BEGIN SOLUTION (the loop)",
        "# SOLUTION",
    ],
)
def test_what_looks_like_a_marker_is_an_error(marker):
    error = slip(f"x = 0\n{marker}\nx = 1\n")
    assert error.line == 2
    assert "'# BEGIN SOLUTION'" in str(error)


@pytest.mark.parametrize("marker", ["# End Solution", "# END SOLUTIO", "# END SOLUTION of f", "# ENDS SOLUTION"])
def test_what_looks_like_an_end_is_an_error_inside_a_region(marker):
    error = slip(f"# BEGIN SOLUTION\nx = 1\n{marker}\n# END SOLUTION\n")
    assert error.line == 3
    assert "'# END SOLUTION'" in str(error)


@pytest.mark.parametrize("line", ["x = 1  # BEGIN SOLUTION", "x = 1  # END SOLUTION", "x = (1 +  # SOLUTION\n     2)"])
def test_a_marker_behind_code_is_an_error(line):
    assert slip(line + "\n").line == 1


@pytest.mark.parametrize(
    "comment",
    ["# the solution begins here", "# begin with the solution of x", "# solutions", "# TEMPLATES", "# # Solution"],
)
def test_ordinary_comments_are_no_markers(comment):
    text = f"x = 1  {comment}\n{comment}\n"
    assert strip(text, "x.py") == text


def test_markers_in_strings_are_text():
    text = source(
        '''
        """How to mark.

        # BEGIN SOLUTION
        # Begin Solution
        """
        help_text = "# END SOLUTION"
        block = f"""
        # END SOLUTION {1}
        """
        '''
    )
    assert strip(text, "x.py") == text


def test_a_region_that_covers_if_but_not_its_else_is_an_error():
    error = slip(
        """
        def f(x):
            # BEGIN SOLUTION
            if x:
                return 1
            # END SOLUTION
            else:
                return 2
        """
    )
    assert error.line == 3
    assert "beyond the end of its region" in str(error)


def test_an_else_that_would_change_its_owner_is_an_error():
    text = """
        for i in range(3):
            pass
        # BEGIN SOLUTION
        # TEMPLATE:
        if i:
            x = 1
        # END SOLUTION
        else:
            x = 2
        """
    assert slip(text).line == 5


def test_a_decorator_cannot_be_cut_from_its_function():
    assert slip("# BEGIN SOLUTION\n# TEMPLATE:\n@staticmethod\n# END SOLUTION\ndef f():\n    return 1\n").line == 3


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    x = 1\n# BEGIN SOLUTION\nexcept ValueError:\n    x = 2\n# END SOLUTION\n",
        "x = 1\ny = 2\n# BEGIN SOLUTION\n# TEMPLATE: x = (\nx = 3\n# END SOLUTION\n",
        "x = [\n    1,\n    # BEGIN SOLUTION\n    2,\n    # END SOLUTION\n]\n",
    ],
    ids=["lone try", "broken replacement", "hole inside brackets"],
)
def test_a_template_that_would_not_parse_is_an_error(text):
    error = slip(text)
    assert "would not parse" in str(error)
    assert "region of line 3" in str(error)


# --- indentation and syntax --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    # BEGIN SOLUTION\n    return 1\n# END SOLUTION\n",
        "def f():\n# BEGIN SOLUTION\n    return 1\n# END SOLUTION\n",
        "def f():\n        # BEGIN SOLUTION\n    return 1\n        # END SOLUTION\n",
        "# BEGIN SOLUTION\ndef f():\n    x = 1\n    # END SOLUTION\n    return x\n",
        "def f(x):\n    if x:\n        # BEGIN SOLUTION\n        y = 1\n    z = 2\n        # END SOLUTION\n",
    ],
    ids=["end", "markers left of code", "markers right of code", "begin left of end", "dedent inside"],
)
def test_one_region_has_one_indentation(text):
    slip(text)


def test_a_broken_reference_is_an_error_with_its_line():
    assert slip("x = 1\ny = (\n").line == 2
    assert "return" in str(slip("x = 1\nreturn x\n"))


def test_null_bytes_are_an_error():
    with pytest.raises(AuthorError, match="null bytes"):
        strip("x = 1\0\n", "x.py")


# --- imports -----------------------------------------------------------------------------------------------------


def stripped_imports(imports: str, body: str, outside: str = "") -> str:
    text = f"{imports}\n\n\ndef f(x):\n    # BEGIN SOLUTION\n    {body}\n    # END SOLUTION\n{outside}"
    return strip(text, "x.py").split("\n\n\ndef f")[0]


@pytest.mark.parametrize(
    ("imports", "body", "expected"),
    [
        ("import os\nimport math", "return math.pi", "import os"),
        ("import os\nimport math  # keep", "return math.pi", "import os\nimport math"),
        ("import os, math", "return math.pi", "import os"),
        ("import os\nfrom torch import nn, optim as o", "return o.SGD", "import os\nfrom torch import nn"),
        ("import os\nfrom torch import (\n    nn,\n    optim,\n)", "return optim", "import os\nfrom torch import nn"),
        ("import os\nfrom torch import (\n    nn,\n    optim,  # keep\n)", "return optim", None),
        ("import torch.nn as nn\nimport os", "return nn.Linear(1, 2)", "import os"),
        ("from math import *\nimport os", "return pi", "from math import *\nimport os"),
        ("from __future__ import annotations\nimport os", "return annotations", None),
        ("import os; import math", "return math.pi", None),
    ],
)
def test_imports_that_only_solutions_use_go(imports, body, expected):
    result = stripped_imports(imports, body)
    assert result == (imports.replace("  # keep", "") if expected is None else expected)


@pytest.mark.parametrize(
    "outside",
    ["y = math.pi\n", "def g(a: 'math.X'): ...\n", "__all__ = ['math']\n", "def g():\n    return [math for _ in ()]\n"],
)
def test_imports_that_the_template_uses_stay(outside):
    assert "import math" in stripped_imports("import os\nimport math", "return math.pi", outside)


def test_imports_that_replacement_lines_use_stay():
    body = "# TEMPLATE: return math.e\n    return math.pi"
    assert "import math" in stripped_imports("import os\nimport math", body)


def test_imports_that_nobody_uses_stay():
    assert "import random" in stripped_imports("import random\nimport math", "return math.pi")


def test_a_guarded_import_stays():
    imports = "try:\n    import apex\nexcept ImportError:\n    apex = None\nimport os"
    assert stripped_imports(imports, "return apex") == imports


# --- bytes that must survive -------------------------------------------------------------------------------------


def test_line_ends_survive():
    windows = source(METHOD).replace("\n", "\r\n")
    assert strip(windows, "x.py") == strip(source(METHOD), "x.py").replace("\n", "\r\n")


def test_a_byte_order_mark_survives():
    assert strip("\ufeffx = 1\n", "x.py") == "\ufeffx = 1\n"


def test_a_missing_last_line_end_stays_missing():
    assert strip("x = 1\n# BEGIN SOLUTION\ny = 2\n# END SOLUTION", "x.py") == 'x = 1\nraise NotImplementedError("x")'


def test_form_feeds_and_unicode_separators_are_no_line_ends():
    text = "x = 'a\u2028b'\n\x0c\n# BEGIN SOLUTION\ny = 2\n# END SOLUTION\nz = 1\n"
    assert strip(text, "x.py") == "x = 'a\u2028b'\n\x0c\nraise NotImplementedError(\"x\")\nz = 1\n"


# --- generated modules -------------------------------------------------------------------------------------------

names = st.sampled_from(["query", "key", "value", "scores", "hidden", "cell", "gate", "mask"])
lines = st.lists(
    st.builds("{} = {} @ {} + torch.tanh({}) * {}".format, names, names, names, names, st.integers(100, 999)),
    min_size=1,
    max_size=4,
    unique=True,
)


@st.composite
def modules(draw):
    """(module text, the lines of its regions, its lines outside), with code, comments and nested blocks."""
    chunks, secret, given_lines = ["import torch  # keep\n"], [], []
    for number in range(draw(st.integers(1, 4))):
        outside, solution = draw(lines), draw(lines)
        given_lines.extend(outside)
        secret.extend(solution)
        deep = draw(st.booleans())
        indent = "        " if deep else "    "
        chunks.append(f"\n\ndef f{number}({', '.join(draw(st.lists(names, unique=True)))}, *, flag=None):\n")
        chunks.append(f'    """Docs {number} with # BEGIN SOLUTION inside."""\n')
        chunks.extend(f"    {line}\n" for line in outside)
        chunks.append("    if flag:\n" if deep else "")
        chunks.append(f"{indent}# BEGIN SOLUTION\n")
        chunks.extend(f"{indent}{line}  # shape\n" for line in solution)
        chunks.append(f"{indent}# END SOLUTION\n")
    return "".join(chunks).replace("(, *", "(*"), secret, given_lines


@settings(deadline=None, max_examples=60, database=None)
@given(modules())
def test_generated_templates_are_proven(module):
    text, secret, given_lines = module
    template = strip(text, "m.py")
    assert prove(text, template, "m.py") == []
    ast.parse(template)
    assert all(line not in template for line in secret if line not in given_lines)
    assert all(line in template for line in given_lines)
    assert strip(template, "m.py") == template
    assert strip(text.replace("\n", "\r\n"), "m.py") == template.replace("\n", "\r\n")


@settings(deadline=None, max_examples=60, database=None)
@given(modules(), st.data())
def test_a_solution_line_put_back_anywhere_is_found(module, data):
    text, secret, given_lines = module
    template = strip(text, "m.py")
    line = data.draw(st.sampled_from(secret))
    form = data.draw(st.sampled_from(["{}\n", "# {}\n", "note = '''\n{}\n'''\n", "if 0: {}\n", "#   {}  # shape\n"]))
    problems = prove(text, template + form.format(line), "m.py")
    assert any("part of a solution" in problem for problem in problems) == (line not in given_lines)


@settings(deadline=None, max_examples=100, database=None)
@given(st.sampled_from(["# BEGIN SOLUTION", "# END SOLUTION"]), st.data())
def test_every_single_edit_of_a_marker_is_noticed(marker, data):
    place = data.draw(st.integers(2, len(marker) - 1))
    edited = data.draw(
        st.sampled_from(
            [
                marker[:place] + marker[place + 1 :],
                marker[:place] + "X" + marker[place:],
                marker[:place] + "X" + marker[place + 1 :],
                marker.swapcase(),
            ]
        )
    )
    assert edited == marker or near_miss(edited) is not None


@settings(deadline=None, max_examples=200, database=None)
@given(st.text("abc", max_size=5), st.text("abc", max_size=5))
def test_one_edit_agrees_with_trying_all_edits(left, right):
    def edits(word):
        yield word
        for i in range(len(word) + 1):
            yield word[:i] + word[i + 1 :]
            yield word[:i] + word[i + 1 : i + 2] + word[i : i + 1] + word[i + 2 :]
            for letter in "abc":
                yield word[:i] + letter + word[i:]
                yield word[:i] + letter + word[i + 1 :]

    assert one_edit(left, right) == (left in set(edits(right)))
