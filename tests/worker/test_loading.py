"""Getting at a submission's definitions: each file alone, and never one failure for all."""

import json
import sys
from pathlib import Path

import pytest
import torch

from grader.probing import MAX_CANDIDATES, MAX_CHOICES, MAX_NAME, BindingError
from grader.worker import absent, definitions, importing, loading
from grader.worker.capture import Capture
from grader.worker.clock import clock
from grader.worker.loading import FileSpec, LoadFailure, MissingDefinition, Modules
from grader.worker.ownership import StudentFiles
from grader.worker.running import Work, perform


@pytest.fixture(autouse=True)
def _restored(monkeypatch):
    """Loading adds modules and leaves defaults of torch behind; other tests must not see them."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def load(tmp_path, monkeypatch):
    """load(text) -> Modules whose file "m" has that text; further files by keyword, missing ones as None."""

    def made(text, *, kind="python", globals_=None, **others):
        name = "m.ipynb" if kind == "notebook" else "m.py"
        specs = [FileSpec(id="m", path=name, expected=name, kind=kind)]
        write(tmp_path / name, text)
        for file_id, other in others.items():
            path = f"{file_id}.py"
            specs.append(FileSpec(id=file_id, path=None if other is None else path, expected=path))
            if other is not None:
                write(tmp_path / path, other)
        monkeypatch.syspath_prepend(tmp_path)
        return Modules(tmp_path, specs, globals_)

    return made


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def notebook(*cells):
    kinds = [("markdown", cell[1:]) if cell.startswith("#!") else ("code", cell) for cell in cells]
    made = [{"cell_type": kind, "metadata": {}, "source": source} for kind, source in kinds]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def run(modules, probe, **more):
    """The answer of a worker's one probe run."""
    files = StudentFiles(str(modules._root))
    return perform(Work(probe="p", arguments={}, **more), {"p": probe}, modules, Capture(files), files)


def use(modules):
    return run(modules, lambda m: {"out": m["m"].f()})


GOOD = "def f():\n    return 1\n"


# --- one file -------------------------------------------------------------------------------------------------


def test_a_file_that_was_not_handed_in_is_not_attempted(load):
    modules = load(GOOD, other=None)
    answer = run(modules, lambda m: {"out": m["other"].f()})
    assert (answer["status"], answer["what"]) == ("not_implemented", "other.py was not handed in")
    assert use(modules)["values"] == {"out": 1}
    assert "other" not in modules
    assert "m" in modules


@pytest.mark.parametrize(
    ("text", "kind", "where", "message"),
    [
        ("x = 1\ndef f(:\n    pass\n", "SyntaxError", "m.py:2", "invalid syntax"),
        ("def f():\nreturn 1\n", "IndentationError", "m.py:2", "expected an indented block"),
        ("def f():\n    return '\n", "SyntaxError", "m.py:2", "unterminated string"),
        (b"def f():\n    return 1\x00\n", "SyntaxError", "", "null bytes"),
        ("def f():\n    return 'caf\u00e9'\n".encode("latin-1"), "SyntaxError", "m.py:2", "is not UTF-8"),
        ("(" * 3000 + ")" * 3000, "SyntaxError", "m.py:1", "too many nested parentheses"),
    ],
)
def test_a_file_that_does_not_parse_says_where(load, text, kind, where, message):
    answer = use(load(text))
    assert (answer["status"], answer["kind"]) == ("raised", kind)
    assert answer["where"].startswith(where)
    assert answer["message"].startswith("m.py cannot be imported: ")
    import re

    assert re.search(message, answer["message"])


COOKIE = "# -*- coding: latin-1 -*-\n# é\n".encode()


@pytest.mark.parametrize("text", [b"\xef\xbb\xbf" + GOOD.encode(), COOKIE + GOOD.encode(), GOOD.replace("\n", "\r\n")])
def test_byte_order_marks_cookies_and_line_ends_are_read(load, text):
    assert use(load(text))["values"] == {"out": 1}


@pytest.mark.parametrize(
    "broken",
    [
        "import a_module_that_nobody_has",
        "from a_module_that_nobody_has.deep import thing",
        "raise RuntimeError('no GPU here')",
        "1 / 0",
        "import sys; sys.exit('no GPU here')",
        "exit()",
        "assert False",
    ],
)
@pytest.mark.parametrize("position", ["above", "below"])
def test_a_statement_that_fails_costs_nobody_else(load, broken, position):
    modules = load(f"{broken}\n{GOOD}" if position == "above" else f"{GOOD}{broken}\n")
    answer = use(modules)
    assert answer["values"] == {"out": 1}
    assert any("while it was imported" in note for note in answer["notes"]["loading"])


def test_what_a_failed_import_would_have_defined_names_the_reason(load):
    modules = load("class Base(Missing):\n    pass\ndef f():\n    return 1\n")
    answer = run(modules, lambda m: {"out": m["m"].Base()})
    assert (answer["status"], answer["kind"]) == ("raised", "NameError")
    assert "Missing" in answer["message"]


def test_a_file_without_any_definition_left_raises_its_own_error(load):
    answer = use(load("raise RuntimeError('nothing works')\n"))
    assert (answer["status"], answer["kind"]) == ("raised", "RuntimeError")
    assert "nothing works" in answer["message"]


def test_a_hole_at_the_top_level_is_not_attempted(load):
    answer = use(load("raise NotImplementedError('the whole file')\n"))
    assert (answer["status"], answer["what"]) == ("not_implemented", "the whole file")


def test_a_missing_name_is_not_attempted_and_named(load):
    answer = run(load(GOOD), lambda m: {"out": m["m"].LSTM()})
    assert (answer["status"], answer["what"]) == ("not_implemented", "m.py defines no LSTM")


def test_a_loop_at_the_top_level_is_stopped(load, monkeypatch):
    monkeypatch.setattr(importing, "clock", lambda seconds: clock(0.3))
    answer = use(load("def f():\n    return 1\nwhile True:\n    pass\n"))
    assert answer["values"] == {"out": 1}
    assert "TookTooLong" in answer["notes"]["loading"][0]


def test_files_are_imported_once_and_by_each_other(load):
    counter = "import sys\nsys.loaded = getattr(sys, 'loaded', 0) + 1\ndef g():\n    return 2\n"
    modules = load("from other import g\ndef f():\n    return g()\n", other=counter)
    assert use(modules)["values"] == {"out": 2}
    assert use(modules)["values"] == {"out": 2}
    run(modules, lambda m: {"out": m["m"].f()})
    assert sys.loaded == 1
    del sys.loaded


def test_main_guards_do_not_run(load):
    assert use(load(GOOD + "if __name__ == '__main__':\n    raise SystemExit\n"))["values"] == {"out": 1}


def test_dataclasses_with_postponed_annotations_load(load):
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass C:\n    x: int\n"
    answer = use(load(text + "def f():\n    return C(3).x\n"))
    assert answer["values"] == {"out": 3}


def test_defaults_of_torch_are_put_back(load):
    text = "import torch\ntorch.set_default_dtype(torch.float64)\ntorch.set_grad_enabled(False)\n" + GOOD
    assert use(load(text))["values"] == {"out": 1}
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()


def test_defaults_are_put_back_before_the_probe_that_loads_a_file_goes_on(load):
    changes = ("set_default_dtype(torch.float64)", "set_grad_enabled(False)", "autograd.set_detect_anomaly(True)")
    modules = load("import torch\n" + "".join(f"torch.{change}\n" for change in changes) + GOOD)

    def probe(modules):
        net = modules["m"] and torch.nn.Linear(1, 1)
        gradient = net(torch.ones(1, 1)).requires_grad
        return {"dtype": str(net.weight.dtype), "gradient": gradient, "slow": torch.is_anomaly_enabled()}

    assert run(modules, probe)["values"] == {"dtype": "torch.float32", "gradient": True, "slow": False}


def test_globals_of_the_manifest_are_there_and_may_be_overwritten(load):
    modules = load("def f():\n    return [device, size]\nsize = 2\n", globals_={"device": "cpu", "size": 1})
    assert use(modules)["values"] == {"out": ["cpu", 2]}
    modules["m"].provide(size=5)
    modules["m"].provide_missing(device="cuda", extra=1)
    assert run(modules, lambda m: {"out": m["m"].f(), "extra": m["m"].extra})["values"] == {
        "out": ["cpu", 5],
        "extra": 1,
    }


# --- notebooks ------------------------------------------------------------------------------------------------


def test_a_notebook_is_taken_statement_by_statement(load):
    cells = notebook(
        "#! a title",
        "!pip install torch\nimport math\n%matplotlib inline",
        "WIDTH = 3\nfor _ in range(10**15):\n    pass\nprint('not run')",
        "def f():\n    return math.floor(2.5) + WIDTH",
        "data = download()\nmodel.train()",
        "class Net:\n    size = WIDTH",
    )
    modules = load(cells, kind="notebook")
    answer = use(modules)
    assert answer["values"] == {"out": 5}
    assert answer["notes"]["prints"] == 0
    assert modules["m"].Net.size == 3
    assert "data" not in modules["m"].names()


def test_a_broken_cell_costs_only_what_it_defines(load):
    modules = load(
        notebook("def f():\n    return 1", "def broken(:\n    pass", "def g(x):\n    x = # your code"), kind="notebook"
    )
    assert use(modules)["values"] == {"out": 1}
    for name, said in (("broken", "cannot be read"), ("g", "is not filled in")):
        answer = run(modules, lambda m, name=name: {"out": getattr(m["m"], name)(1)})
        assert answer["status"] == "not_implemented"
        assert answer["what"].startswith(f"{name} in m.ipynb {said}: ")
        assert "(cell " in answer["what"]


def test_later_definitions_win_as_in_a_run_notebook(load):
    cells = notebook("def f():\n    return 1", "def f():\n    return 2", "def g(:")
    assert use(load(cells, kind="notebook"))["values"] == {"out": 2}


def test_tracebacks_show_the_lines_of_the_cell(load):
    cells = notebook("import math", "def f():\n    x = 0\n    return 1 / x")
    answer = use(load(cells, kind="notebook"))
    assert answer["trace"] == ["m.ipynb[cell 2]:3 in f: return 1 / x"]


def test_a_name_is_worth_what_the_last_cell_leaves(load):
    cells = notebook("size = None", "step = 2", "size, more = 1, 0", "for k in range(3):\n    size += step")
    modules = load(cells, kind="notebook")
    assert modules["m"].run_cells("size") == 7
    with pytest.raises(MissingDefinition, match="no cell with sizes"):
        modules["m"].run_cells("sizes")


def test_one_cell_is_run_on_demand(load):
    cells = notebook("steps = 2", "steps = 3\nrates = [1 / s for s in range(1, steps)]\nx = rates", "rates = undefined")
    modules = load(cells, kind="notebook")
    assert modules["m"].run_cell(assigns=("steps", "rates", "x")) == {"steps": 3, "rates": [1.0, 0.5], "x": [1.0, 0.5]}
    assert modules["m"].run_cell(contains="range(1") == {}
    with pytest.raises(MissingDefinition, match="no cell with 'softmax'"):
        modules["m"].run_cell(contains="softmax")
    with pytest.raises(MissingDefinition, match="is not a notebook"):
        load(GOOD)["m"].run_cell(assigns=("x",))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 3}', '{"worksheets": []}', '{"cells": [3]}', "[" * 99999])
def test_a_notebook_that_is_none_is_a_load_failure(load, text):
    with pytest.raises(LoadFailure, match=r"m.ipynb cannot be imported"):
        load(text, kind="notebook")["m"]


def test_old_notebooks_are_read(load):
    cell = {"cell_type": "code", "language": "python", "input": ["def f():\n", "    return 7\n"]}
    text = json.dumps({"nbformat": 3, "worksheets": [{"cells": [cell]}]})
    assert use(load(text, kind="notebook"))["values"] == {"out": 7}


# --- choosing bindings ----------------------------------------------------------------------------------------


def test_choices_fall_on_the_names_that_are_asked_for(tmp_path):
    modules = Modules(tmp_path, [])
    first, second = [("a", 0), ("b", 1)], [("x", 0), ("y", 1), ("z", 2)]
    for asked, chosen in (((), (0, 0)), (("b",), (1, 0)), (("a", "z"), (0, 2)), (("b", "y"), (1, 1))):
        modules.ask(asked)
        assert (modules.choose(first), modules.choose(second)) == chosen
        assert modules.choices == [("ab"[chosen[0]], ("a", "b")), ("xyz"[chosen[1]], ("x", "y", "z"))]
    assert modules.binding == "b; y"


def test_a_name_is_the_same_candidate_wherever_it_stands(tmp_path):
    modules = Modules(tmp_path, [])
    modules.ask(("y",))
    assert modules.choose([("y", 5), ("x", 6)]) == 5
    modules.ask(("y",))
    assert modules.choose([("w", 4), ("x", 6), ("y", 7)]) == 7


def test_a_choice_that_is_not_to_be_had_says_which_are(tmp_path):
    modules = Modules(tmp_path, [])
    modules.ask(("y",))
    with pytest.raises(BindingError, match="“y” fitted before and does not here, only “w”, “x”"):
        modules.choose([("w", 4), ("x", 6)])
    assert modules.choices == [("y", ("w", "x"))]


def test_a_single_candidate_is_no_choice(tmp_path):
    modules = Modules(tmp_path, [])
    for asked in ((), ("another",)):
        modules.ask(asked)
        assert modules.choose([("only", 5)]) == 5
        assert (modules.binding, modules.choices) == ("", [("only", ("only",))])


def test_what_is_said_of_choices_is_capped_and_long_names_stay_apart(load):
    names = ["x" * 200 + "a", "x" * 200 + "b"]
    modules = load(GOOD)

    def probe(m):
        many = [(str(number), number) for number in range(100)]
        found = [m.choose([(name, name) for name in names])] + [m.choose(many) for _ in range(40)]
        return {"last": found[0][-1]}

    answer = run(modules, probe)
    choices = answer["notes"]["choices"]
    assert len(choices) == MAX_CHOICES
    assert max(len(names) for names in choices) == MAX_CANDIDATES + 1
    assert max(len(name) for names in choices for name in names) <= MAX_NAME
    assert run(modules, probe, binding=(choices[0][2],))["values"] == {"last": "b"}


# --- modules that are absent ------------------------------------------------------------------------------------


@pytest.fixture
def without():
    finder = absent.install(["nobody_has_this", "torch.nobody_has_this"])
    yield finder
    sys.meta_path.remove(finder)


def test_listed_modules_that_are_missing_get_a_stand_in(load, without):
    text = (
        "from nobody_has_this.deep import Thing, other\n"
        "import nobody_has_this.more as more\n"
        "from torch.nobody_has_this import Writer\n"
        "@more.decorator\n"
        "def f():\n"
        "    with Thing(1) as thing:\n"
        "        thing.anything.at(all)\n"
        "    return [list(other()), sum(1 for _ in more.loop(3))]\n"
        "class Sub(Thing):\n"
        "    x = 2\n"
    )
    modules = load(text)
    assert use(modules)["values"] == {"out": [[], 0]}
    assert modules["m"].Sub.x == 2
    assert "nobody_has_this" in without.used


def test_a_progress_bar_goes_through_its_argument(load, without, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "tqdm"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [without, *sys.meta_path])
    text = "from tqdm.auto import tqdm, trange\ndef f():\n    return [list(tqdm([1, 2], desc='x')), len(trange(3))]\n"
    assert use(load(text))["values"] == {"out": [[1, 2], 3]}


def test_a_progress_bar_may_be_opened_and_told_things(load, without, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "tqdm"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [without, *sys.meta_path])
    text = (
        "from tqdm import tqdm\n"
        "def f():\n"
        "    with tqdm([1, 2], desc='epoch') as bar:\n"
        "        seen = [number for number in bar]\n"
        "        bar.set_postfix(loss=0.1)\n"
        "    with tqdm(total=9) as bar:\n"
        "        bar.update(1)\n"
        "    tqdm.write('done')\n"
        "    return seen\n"
    )
    assert use(load(text))["values"] == {"out": [1, 2]}


def test_installed_modules_are_never_replaced(load, without):
    assert use(load("import json\ndef f():\n    return json.loads('3')\n"))["values"] == {"out": 3}


def test_other_missing_modules_are_still_missing(load, without):
    answer = use(load("def f():\n    import a_module_that_nobody_has\n"))
    assert answer["kind"] == "ModuleNotFoundError"


def test_the_finder_comes_last(without):
    assert sys.meta_path[-1] is without
    assert without.find_spec("json") is None
    assert without.find_spec("torch.nn") is None


def test_paths_of_the_grader_never_show(load, tmp_path):
    answer = use(load("def f():\n    raise ValueError('x')\n"))
    assert str(tmp_path) not in json.dumps(answer)
    assert str(Path(loading.__file__).parent) not in json.dumps(answer)


# --- what a probe changes ---------------------------------------------------------------------------------------

READS = "def f():\n    return [size, helper()]\nsize = 1\ndef helper():\n    return 'own'\n"


def test_what_a_probe_provides_is_gone_after_it(load):
    modules = load(READS)

    def probe(m):
        m["m"].provide(size=5, fresh=1)
        m["m"].provide_missing(size=6, helper=None, other=2)
        return {"out": m["m"].f(), "names": [name for name in m["m"].names() if name in ("fresh", "other")]}

    for _ in range(2):
        assert run(modules, probe)["values"] == {"out": [5, "own"], "names": ["fresh", "other"]}
        plain = run(
            modules, lambda m: {"out": m["m"].f(), "left": [n for n in ("fresh", "other") if n in m["m"].names()]}
        )
        assert plain["values"] == {"out": [1, "own"], "left": []}


def test_what_a_cell_or_a_function_assigns_is_gone_after_the_probe(load):
    cells = notebook("rate = 1", "def f():\n    global rate\n    rate += 1\n    return rate", "rate = 7\nx = undefined")
    modules = load(cells, kind="notebook")

    def probe(m):
        with pytest.raises(NameError):
            m["m"].run_cell(contains="undefined")
        return {"out": m["m"].f()}

    for _ in range(2):
        assert run(modules, probe)["values"] == {"out": 8}
    assert "x" not in modules["m"].names()


def test_globals_are_put_back_even_when_the_probe_fails(load):
    modules = load(READS)

    def probe(m):
        m["m"].provide(size=5)
        raise ValueError

    assert run(modules, probe)["status"] == "raised"
    assert use(modules)["values"] == {"out": [1, "own"]}


def test_a_name_is_replaced_inside_a_block(load):
    modules = load(READS)

    def probe(m):
        with m.replaced("m", helper=lambda: "stand-in", fresh=1):
            inside = [m["m"].f(), "fresh" in m["m"].names()]
        return {"inside": inside, "after": [m["m"].f(), "fresh" in m["m"].names()]}

    answer = {"inside": [[1, "stand-in"], True], "after": [[1, "own"], False]}
    assert run(modules, probe)["values"] == answer


@pytest.mark.parametrize("way", ["import nets as other", "import parts.nets as other", "import nets\nother = nets"])
def test_a_name_is_replaced_in_the_file_that_is_asked_for_it(load, tmp_path, way):
    folder = tmp_path / "parts" if "parts" in way else tmp_path
    folder.mkdir(exist_ok=True)
    write(folder / "nets.py", "def Net():\n    return 'own'\n")
    modules = load(f"import torch.nn as nn\n{way}\ndef f():\n    return [other.Net(), nn.Linear.__name__]\n")

    def probe(m):
        with m.replaced("m", Net=lambda: "stand-in", Linear=int):
            inside = m["m"].f()
        before = m["m"].f()
        m["m"].provide(Net=lambda: "provided")
        return {"out": [inside, before, m["m"].f()]}

    for _ in range(2):
        out = [["stand-in", "Linear"], ["own", "Linear"], ["provided", "Linear"]]
        assert run(modules, probe)["values"] == {"out": out}


@pytest.mark.parametrize("way", ["class Net:\n    pass\nOther = Net", "class Other:\n    pass\nNet = Other"])
def test_a_class_is_replaced_under_all_its_names(load, way):
    text = f"{way}\nclass Third(Net):\n    pass\ndef f():\n    return [kind.__name__ for kind in (Other, Third)]\n"
    modules = load(notebook(text), kind="notebook")

    def probe(m):
        with m.replaced("m", Net=int):
            inside = m["m"].f()
        return {"inside": inside, "after": m["m"].f()}

    own = "Net" if "Other = " in way else "Other"
    assert run(modules, probe)["values"] == {"inside": ["int", "Third"], "after": [own, "Third"]}


def test_what_the_submission_did_not_write_is_replaced_under_its_one_name(load):
    modules = load("from torch.nn import Linear\nNet, Size = Linear, None\ndef f():\n    return [Net, Linear, Size]\n")

    def probe(m):
        with m.replaced("m", Net=int, Other=str):
            return {"out": [str(value) for value in m["m"].f()]}

    linear = "<class 'torch.nn.modules.linear.Linear'>"
    assert run(modules, probe)["values"] == {"out": ["<class 'int'>", linear, "None"]}


def test_a_computed_name_that_only_a_probe_reads_is_there(load):
    text = notebook(
        "def make():\n    class A:\n        rate = 3\n    return A\nbase = make()",
        "class B(make()):\n    pass",
        "A = base\nraised = make()[0]",
        "B = make() and 1\ncalls = []",
    )
    modules = load(text, kind="notebook")
    assert "A" not in modules["m"].names()

    def probe(m):
        m["m"].provide(fresh=1)
        with pytest.raises(MissingDefinition, match="raised"):
            _ = m["m"].raised
        return {"rate": m["m"].A.rate, "b": isinstance(m["m"].B, type)}

    for _ in range(2):
        assert run(modules, probe)["values"] == {"rate": 3, "b": True}


def test_a_probe_says_itself_that_nothing_was_attempted(load):
    answer = run(load("cell = None\n"), lambda m: m.not_attempted("cell 3 still holds None"))
    assert (answer["status"], answer["what"]) == ("not_implemented", "cell 3 still holds None")


def test_what_is_cached_keeps_the_globals_that_it_was_built_with(load):
    modules = load(READS)

    def build(m):
        m["m"].provide(size=5)
        return m["m"].f

    def probe(m, size=None):
        if size:
            m["m"].provide(size=size)
        return {"out": m.cached("model", lambda: build(m))()}

    for size, out in ((None, 5), (None, 5), (9, 9), (None, 5)):
        assert run(modules, lambda m, size=size: probe(m, size))["values"] == {"out": [out, "own"]}
    modules.arrange({})
    assert use(modules)["values"] == {"out": [1, "own"]}


# --- one reading of a file's text -----------------------------------------------------------------------------

HIDDEN = "+AGQAZQBmACAAZgAoACkAOgAgAHIAZQB0AHUAcgBuACAAJwB1AHQAZgAtADcAJw-"  # in UTF-7: def f(): return 'utf-7'
PLAIN = "def f():\n    return 'read'\n"


@pytest.mark.parametrize("above", ["", "#\n", "#" + "a" * 5000 + "\n", "\f", "\ufeff", "\ufeff#\n"])
def test_what_runs_is_the_text_that_was_analysed_whatever_it_declares(load, above):
    text = f"{above}# coding: utf-7\n{PLAIN}# {HIDDEN}\n"
    assert use(load(text))["values"]["out"] == "read"


def test_a_file_that_is_not_utf_8_is_not_guessed_at(load):
    answer = use(load(f"# coding: latin-1\n{PLAIN}# \xe9\n".encode("latin-1")))
    assert answer["status"] == "raised"
    assert "this is not UTF-8" in answer["message"]


@pytest.mark.parametrize("above", ["", "#\n"])
def test_files_that_cells_write_are_read_as_they_were_analysed(tmp_path, above):
    assert definitions.write_below(str(tmp_path), "made.py", f"{above}# coding: utf-7\n{PLAIN}# {HIDDEN}\n")
    space = {}
    exec(compile((tmp_path / "made.py").read_bytes(), "made.py", "exec"), space)
    assert space["f"]() == "read"


def test_what_an_exported_notebook_asks_of_ipython_is_left_out(load):
    modules = load("get_ipython().system('pip install einops')\n" + READS)
    assert use(modules)["values"] == {"out": [1, "own"]}
    assert "cannot be done where your code is graded" in " ".join(modules.notes)


def test_a_probe_that_grades_something_else_says_nothing_of_the_files(load):
    modules = load(notebook("x = 1", "def broken(:"), kind="notebook")

    def quiet(modules):
        modules.say_nothing()
        return {"x": modules["m"].x}

    assert run(modules, quiet)["notes"]["loading"] == []
    assert run(modules, lambda modules: {"x": modules["m"].x})["notes"]["loading"]
