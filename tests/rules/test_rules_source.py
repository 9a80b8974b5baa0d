"""The other rules over source: imports, demanded names, signatures, file names, files that do not parse."""

import json
from dataclasses import replace

import pytest
from rules_examples import NO_LSTM, assignment, check, python

from grader.assignment.assignment import ExpectedFile, Rule
from grader.errors import AuthorError
from grader.rules import SourceFile, check_sources, imports_of, print_sites, source_file

IMPORTS = Rule(id="imports", kind="imports", title="imports are not changed", files=("lstm",))
TEMPLATE = {"models/lstm.py": "import torch\nimport torch.nn as nn\n"}


def notebook(*sources: str) -> str:
    cells = [{"cell_type": "code", "source": source, "outputs": [], "metadata": {}} for source in sources]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


# --- imports -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import a.b as c, d", {"a", "d"}),
        ("from x.y import *", {"x"}),
        ("def f():\n    import late", {"late"}),
        ("try:\n    import one\nexcept ImportError:\n    import two", {"one", "two"}),
        ("if __name__ == '__main__':\n    import tool", {"tool"}),
        ("__import__('hidden')", {"hidden"}),
        ("import importlib\nimportlib.import_module('deep.er')", {"importlib", "deep"}),
        ("from importlib import import_module as load\nload('a' + 'b')", {"importlib", "ab"}),
        ("'import nothing'\n# import nothing", set()),
        ("x = 1 +", set()),
    ],
)
def test_imports_are_read_wherever_they_stand(code, expected):
    assert imports_of(code) == expected


def test_relative_imports_count_from_the_files_folder():
    assert imports_of("from . import helper\nfrom .more import x\nfrom ..top import y", "models/seq/a.py") == {"models"}
    assert imports_of("from . import helper", "a.py") == {"helper"}


def test_a_notebooks_imports_are_those_of_all_cells():
    text = notebook("%matplotlib inline\nimport math\nx = (", "from torch import nn")
    assert imports_of(text, "hw.ipynb") == {"math", "torch"}


@pytest.mark.parametrize(
    "code",
    [
        "import torch",
        "import torch.optim as optim",
        "from torch import *",
        "from __future__ import annotations\nimport torch.nn.functional as F",
        "def f():\n    import torch",
    ],
)
def test_imports_of_the_template_may_be_varied(code):
    assert check(IMPORTS, python(code), template=TEMPLATE) == ()


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("import numpy as np", "`numpy`"),
        ("from scipy.special import expit", "`scipy.special`"),
        ("def f():\n    import einops", "`einops`"),
        ("__import__('numpy')", "`numpy`"),
        ("import importlib", "`importlib`"),
        ("__import__(chr(110))", "computed name"),
        ("try:\n    import numba\nexcept ImportError:\n    pass", "`numba`"),
    ],
)
def test_added_imports_are_found(code, word):
    violations = check(IMPORTS, python(code), template=TEMPLATE)
    assert len(violations) == 1
    assert word in violations[0].message
    assert violations[0].line


def test_the_message_names_what_is_allowed():
    (violation,) = check(IMPORTS, python("x = 1\nimport numpy\nimport numpy\n"), template=TEMPLATE)
    assert violation.message == ("imports `numpy`, which the template does not; remove it (allowed here: torch)")


def test_the_manifests_list_wins_over_the_template():
    files = (ExpectedFile(id="lstm", path="models/lstm.py", imports=("numpy", "torch.nn")),)
    submitted = {"x": python("import numpy\nimport torch\nimport math")}
    (violation,) = check_sources(assignment(IMPORTS, files=files), submitted, TEMPLATE)
    assert "`math`" in violation.message


def test_a_rule_may_allow_more():
    rule = Rule(id="r", kind="imports", title="t", allowed=("numpy",))
    assert check(rule, python("import numpy.linalg"), template=TEMPLATE) == ()


def test_without_a_template_nothing_is_known():
    assert check(IMPORTS, python("import numpy")) == ()


def test_own_files_are_reported_as_such():
    helper = python("x = 1", "", "models/helper.py")
    (violation,) = check(IMPORTS, python("from models.helper import x"), helper, template=TEMPLATE)
    assert "your own file models/helper.py" in violation.message


def test_own_files_that_the_template_imports_are_allowed():
    template = {"models/lstm.py": "import torch\nfrom models.encoder import Encoder\n"}
    files = [python("from models.encoder import Encoder"), python("", "encoder", "models/encoder.py")]
    assert check(IMPORTS, *files, template=template) == ()


# --- demanded names ----------------------------------------------------------------------------------------------

USES = Rule(
    id="uses", kind="required", title="uses nn.LSTM", files=("lstm",), within=("Encoder",), names=("torch.nn.LSTM",)
)
ENCODER = "from torch import nn\nclass Encoder(nn.Module):\n    def __init__(self):\n        self.rnn = {}\n"


@pytest.mark.parametrize("code", ["nn.LSTM(3, 4)", "getattr(nn, 'LSTM')(3, 4)", "getattr(nn, kind)(3, 4)", "make()"])
def test_a_demanded_name_is_found_however_it_is_spelled(code):
    helper = "def make():\n    return nn.LSTM(3, 4)\n"
    assert check(USES, python(ENCODER.format(code) + helper)) == ()


def test_a_missing_demanded_name_is_found():
    other = "class Other(nn.Module):\n    rnn = nn.LSTM\n"
    (violation,) = check(USES, python(ENCODER.format("nn.GRU(3, 4)") + other))
    assert "`torch.nn.LSTM` is not used in Encoder" in violation.message


@pytest.mark.parametrize(
    "code",
    [
        "x = 1",
        ENCODER.format("None") + '    def forward(self, x):\n        raise NotImplementedError("Encoder")\n',
        "x = (",
    ],
    ids=["missing class", "unfilled", "broken"],
)
def test_what_was_not_attempted_is_not_demanded(code):
    assert check(USES, python(code)) == ()


def test_an_unfilled_file_is_not_demanded_of():
    rule = Rule(id="r", kind="required", title="t", files=("lstm",), names=("torch.nn.Parameter",))
    assert check(rule, python("def f():\n    raise NotImplementedError")) == ()
    assert len(check(rule, python("def f():\n    return 1"))) == 1
    assert check(rule, python("from torch.nn.parameter import Parameter\nw = Parameter()")) == ()


# --- signatures --------------------------------------------------------------------------------------------------

SIGNATURE = Rule(id="sig", kind="signature", title="signatures stay", files=("lstm",))
GIVEN = {"models/lstm.py": "class LSTM:\n    def forward(self, x, init=None, *, mask=None):\n        pass\n"}


def lstm(parameters: str) -> SourceFile:
    return python(f"class LSTM:\n    def forward({parameters}):\n        pass\n")


@pytest.mark.parametrize(
    "parameters",
    [
        "self, x, init=None, *, mask=None",
        "self, x: int, init: int = 3, *, mask: bool = True",
        "self, x, init=None, mask=None",
        "self, x, init=None, extra=1, *, mask=None, more=2",
        "self, x=0, init=None, *, mask=None, **rest",
        "self, x, init=None, *rest, mask=None",
    ],
)
def test_compatible_signatures_pass(parameters):
    assert check(SIGNATURE, lstm(parameters), template=GIVEN) == ()


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ("self, inputs, init=None, *, mask=None", "lacks the parameter `x`"),
        ("self, init, x=None, *, mask=None", "has `x` in another place"),
        ("self, x, init, *, mask=None", "has no default for `init`"),
        ("self, x, init=None", "lacks the parameter `mask`"),
        ("self, x, init=None, *, mask=None, size", "needs a further parameter `size`"),
        ("self, size, x, init=None, *, mask=None", "has `x` in another place"),
        ("self, *, x, init=None, mask=None", "takes `x` differently"),
        ("x, init=None, *, mask=None", "lacks the parameter `self`"),
        ("self, *args, **kwargs", "lacks the parameter `x`"),
    ],
)
def test_changed_signatures_are_found(parameters, problem):
    (violation,) = check(SIGNATURE, lstm(parameters), template=GIVEN)
    assert f"`LSTM.forward` {problem}" in violation.message
    assert "LSTM.forward(self, x, init=…, *, mask=…)" in violation.message
    assert violation.line == 2


def test_missing_definitions_are_not_this_rules_business():
    assert check(SIGNATURE, python("x = 1"), template=GIVEN) == ()
    assert check(SIGNATURE, python("class LSTM:\n    pass"), template=GIVEN) == ()


@pytest.mark.parametrize("alternative", ["LSTM.forward(self, x, states)", "LSTM.forward(x, states)"])
def test_neighbouring_semesters_pass(alternative):
    rule = Rule(id="sig", kind="signature", title="t", files=("lstm",), allowed=(alternative,))
    assert check(rule, lstm("self, x, states"), template=GIVEN) == ()
    assert len(check(rule, lstm("self, x, other"), template=GIVEN)) == 1


def test_a_wrong_alternative_is_the_authors_error():
    rule = Rule(id="sig", kind="signature", title="t", files=("lstm",), allowed=("LSTM.forward(self, x",))
    with pytest.raises(AuthorError, match="is no signature"):
        check(rule, lstm("self, x"), template=GIVEN)


def test_signatures_of_notebooks():
    rule = Rule(id="sig", kind="signature", title="t", files=("nb",))
    template = {"hw.ipynb": notebook("x = 1", "def train(model, bptt):\n    raise NotImplementedError")}
    submitted = source_file("nb", "hw.ipynb", notebook("!ls\ny =", "\ndef train(model, length):\n    pass"))
    (violation,) = check(rule, submitted, template=template)
    assert (violation.file, violation.cell, violation.line) == ("hw.ipynb", 2, 2)


# --- files -------------------------------------------------------------------------------------------------------


def test_a_file_that_does_not_parse_is_named_with_its_line():
    rule = Rule(id="runs", kind="runs", title="runs")
    (violation,) = check(rule, python("x = 1\ny = (\n"))
    assert (violation.line, violation.cell) == (2, None)
    assert "Python cannot read this" in violation.message
    assert check(rule, python("x = 1\n")) == ()


def test_files_that_are_no_python_are_not_read_as_python():
    rule = Rule(id="runs", kind="runs", title="runs")
    files = (ExpectedFile(id="data", path="answers.yaml", kind="data"),)
    submitted = {
        "data": SourceFile(id="data", path="answers.yaml", text="q1: (3"),
        "notes": SourceFile(id="", path="notes.txt", text="not python"),
    }
    assert check_sources(assignment(rule, files=files), submitted, {}) == ()


def test_a_broken_cell_is_named_with_cell_and_line():
    rule = Rule(id="runs", kind="runs", title="runs")
    cells = ((1, "x = 1"), (4, "%matplotlib inline\nnlayers = \n"))
    (violation,) = check(rule, SourceFile(id="nb", path="hw.ipynb", cells=cells))
    assert (violation.cell, violation.line) == (4, 2)


HEAD = "import torch.nn as nn\n"
MANY = "x = [" + "0, " * 80_000 + "]\n"


@pytest.mark.parametrize("within", [(), ("LSTM",)])
@pytest.mark.parametrize("use", ["from helper import make", "import helper", "from . import helper"])
def test_a_file_nobody_can_look_into_keeps_no_rule_where_it_is_used(use, within):
    user = python(HEAD + f"{use}\n\nclass LSTM(nn.Module):\n    pass\n")
    slow = SourceFile(id="", path="models/helper.py", unread="parsing it took too long")
    (violation,) = check(replace(NO_LSTM, within=within), user, slow)
    assert (violation.file, "parsing it took too long" in violation.message) == ("models/helper.py", True)
    large = SourceFile(id="", path="models/helper.py", text=MANY * 2)
    assert "cannot be checked" in check(NO_LSTM, user, large)[0].message


def test_a_file_nobody_can_look_into_costs_nothing_where_nothing_uses_it():
    strays = [
        SourceFile(id="", path="old.py", unread="parsing it took too long"),
        SourceFile(id="", path="old.ipynb", unread="its JSON is broken"),
        SourceFile(id="", path="data.py", text=MANY * 2),
    ]
    assert check(NO_LSTM, python(HEAD + "class LSTM(nn.Module):\n    pass\n"), *strays) == ()
    assert len(check(NO_LSTM, python(HEAD + "nn.LSTM(3, 4)\n"), *strays)) == 1, "rules hold for what can be read"


@pytest.mark.parametrize("use", ["from tools import helper", "from .tools import helper", "import tools.helper"])
def test_helpers_in_folders_are_looked_into(use):
    helper = SourceFile(id="", path="models/tools/helper.py", text=HEAD + "def make():\n    return nn.LSTM(3, 4)\n")
    (violation,) = check(NO_LSTM, python(f"{use}\n"), helper)
    assert violation.file == "models/tools/helper.py"


@pytest.mark.parametrize(
    ("path", "names", "fine"),
    [
        ("models/lstm.py", (), True),
        ("upload/models/lstm.py", (), True),
        ("lstm.py", (), False),
        ("models/LSTM.py", (), False),
        ("hw3_12_34.ipynb", ("hw3_*_*.ipynb",), True),
        ("hw3_12.ipynb", ("hw3_*_*.ipynb",), False),
        ("hw3_12_34.ipynb", (r"hw3_\d+_\d+\.ipynb",), True),
        ("sub/hw3_12_34.ipynb", (r"hw3_\d+_\d+\.ipynb",), True),
        ("hw3_ab_34.ipynb", (r"hw3_\d+_\d+\.ipynb",), False),
    ],
)
def test_file_names(path, names, fine):
    rule = Rule(id="name", kind="file_name", title="names stay", files=("lstm",), names=names)
    violations = check(rule, python("", path=path))
    assert (violations == ()) == fine
    wanted = "names stay" if names else "models/lstm.py"
    assert fine or (violations[0].file == path and wanted in violations[0].message)


def test_files_nobody_asked_for():
    rule = Rule(id="extra", kind="unexpected_file", title="no others", names=("*.pdf",), allowed=("notes/*",))
    stray = [SourceFile(id="", path=path) for path in ("a.pdf", "notes/x.txt", "model.pth")]
    (violation,) = check(rule, python(""), *stray)
    assert violation.file == "model.pth"


# --- prints ------------------------------------------------------------------------------------------------------


def test_print_sites_are_noted_but_break_nothing():
    file = python(
        """
        import sys
        say = print
        class A:
            def __init__(self):
                print("x")
                say("y")
                sys.stdout.write("z")
        def f(print):
            print("own")
        if __name__ == "__main__":
            print("fine")
        """
    )
    assert [(site.what, site.place.line) for site in print_sites(file)] == [
        ("print", 5),
        ("print", 6),
        ("sys.stdout.write", 7),
    ]
    assert check(Rule(id="p", kind="prints", title="t"), file) == ()


def test_a_print_of_the_template_is_no_print_site():
    given = python("print(f'device {DEVICE}')\n")
    file = python("x = 1\nprint(f'device {DEVICE}')\nprint('mine')\n")
    assert [site.place.line for site in print_sites(file, given)] == [3]
