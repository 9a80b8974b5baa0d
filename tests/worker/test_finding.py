"""Imports between a submission's files: one module per file, whoever asks first and by whatever name."""

import json
import signal
import sys

import pytest

from grader.worker.clock import LOAD_SECONDS, clock
from grader.worker.finding import module_name
from grader.worker.loading import FileSpec, LoadFailure, Modules

A = "class A:\n    made_in = __name__\n"


@pytest.fixture
def made(tmp_path):
    """made({path: text}, {id: expected path or (expected path, path handed in)}) -> Modules."""

    def make(files, expected, **more):
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        pairs = {name: place if isinstance(place, tuple) else (place, place) for name, place in expected.items()}
        specs = [
            FileSpec(id=name, path=path, expected=place, kind="notebook" if place.endswith(".ipynb") else "python")
            for name, (place, path) in pairs.items()
        ]
        return Modules(tmp_path, specs, **more)

    return make


@pytest.fixture(autouse=True)
def _nothing_stays(tmp_path):
    before, finders, path = dict(sys.modules), list(sys.meta_path), list(sys.path)
    yield
    files = [str(getattr(module, "__file__", "")) for module in sys.modules.values()]
    assert not [name for name in files if name.startswith(str(tmp_path))]
    assert {name: sys.modules.get(name) for name in before} == before
    assert sys.meta_path == finders
    sys.path[:] = path


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_files_that_import_each_other_share_one_module(made, order):
    modules = made({"a.py": A, "b.py": "from a import A\nimport a\n"}, {"a": "a.py", "b": "b.py"})
    for name in order:
        modules[name].names()
    assert modules["b"].A is modules["a"].A
    assert modules["b"].a.A is modules["a"].A


LSTM = "models/naive/LSTM.py"


@pytest.mark.parametrize("inits", [(), ("models/__init__.py",), ("models/__init__.py", "models/naive/__init__.py")])
@pytest.mark.parametrize(
    "text",
    [
        "from models.naive.LSTM import A",
        "import models.naive.LSTM as m\nA = m.A",
        "import models.naive.LSTM\nA = models.naive.LSTM.A",
        "from models.naive import LSTM\nA = LSTM.A",
        "from .naive.LSTM import A",
        "from .naive import LSTM as m\nA = m.A",
        "from naive.LSTM import A",
        "import importlib\nA = importlib.import_module('models.naive.LSTM').A",
        "import importlib\nA = importlib.import_module('.naive.LSTM', __package__).A",
        "from models.again import A",
        "import sys\nsys.path.append('ROOT/models/naive')\nfrom LSTM import A",
        "import os, sys\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), 'naive'))\nimport LSTM\nA = LSTM.A",
        "def late():\n    from models.naive.LSTM import A\n    return A\nA = late()",
    ],
)
def test_every_way_to_name_a_file_leads_to_the_same_module(made, tmp_path, text, inits):
    files = {
        LSTM: A,
        "models/b.py": text.replace("ROOT", str(tmp_path)),
        "models/again.py": "from .naive.LSTM import *",
    }
    modules = made(files | dict.fromkeys(inits, ""), {"lstm": LSTM, "b": "models/b.py"})
    assert modules["b"].A is modules["lstm"].A
    assert modules["lstm"].A.made_in == "models.naive.LSTM"


def test_siblings_are_found_by_their_bare_names(made):
    files = {LSTM: "from RNN import A\nfrom helper import x", "models/naive/RNN.py": A, "models/helper.py": "x = 3"}
    modules = made(files, {"lstm": LSTM, "rnn": "models/naive/RNN.py"})
    assert modules["lstm"].A is modules["rnn"].A
    assert modules["lstm"].x == 3


def test_the_root_comes_before_the_folder_of_the_importer(made):
    files = {LSTM: "from helper import x", "models/naive/helper.py": "x = 'near'", "helper.py": "x = 'root'"}
    assert made(files, {"lstm": LSTM})["lstm"].x == "root"


def test_a_package_runs_its_own_file_first_and_hands_on(made):
    files = {
        "models/__init__.py": "from .Transformer import *\nfrom .naive import A as Again",
        "models/Transformer.py": "class Net:\n    pass",
        "models/naive/__init__.py": "from .LSTM import A",
        LSTM: A,
        "notes.py": "from models import Net, Again",
    }
    modules = made(files, {"transformer": "models/Transformer.py", "lstm": LSTM, "notes": "notes.py"})
    assert modules["notes"].Again is modules["lstm"].A
    assert modules["notes"].Net is modules["transformer"].Net


@pytest.mark.parametrize("text", ["from .missing import x", "1 / 0", "def (", "raise NotImplementedError"])
def test_a_package_file_that_fails_costs_no_file_beside_it(made, text):
    modules = made({"models/__init__.py": text, LSTM: A}, {"lstm": LSTM})
    assert modules["lstm"].A.made_in == "models.naive.LSTM"
    assert modules.notes


def test_cycles_are_as_in_python(made):
    a = "import b\nclass A:\n    pass\ndef other():\n    return b.B\n"
    b = "import a\nclass B:\n    pass\ndef other():\n    return a.A\n"
    modules = made({"a.py": a, "b.py": b}, {"a": "a.py", "b": "b.py"})
    assert modules["b"].other() is modules["a"].A
    assert modules["a"].other() is modules["b"].B


def test_a_file_handed_in_under_another_name_is_found_by_both_names(made):
    files = {
        "lstm_v2.py": A + "from .RNN import R\n",
        "my rnn (1).py": "class R:\n    pass",
        "b.py": "from models.naive.LSTM import A\nfrom lstm_v2 import A as B\nfrom LSTM import A as C",
        "src/s.py": "import RNN\nR = RNN.R",
    }
    names = {"lstm": (LSTM, "lstm_v2.py"), "rnn": ("models/naive/RNN.py", "my rnn (1).py"), "b": "b.py"}
    modules = made(files, {**names, "s": ("models/naive/s.py", "src/s.py")})
    assert modules["b"].A is modules["b"].B is modules["lstm"].A
    assert modules["lstm"].R is modules["rnn"].R is modules["s"].R
    with pytest.raises(LoadFailure, match="No module named 'LSTM'"):
        modules["b"].C  # noqa: B018 - no file of this folder is called so


def test_a_folder_too_deep_is_no_obstacle(made):
    files = {f"hw/{LSTM}": A, "hw/utils.py": "x = 1", "hw/main.py": f"from {LSTM[:-3].replace('/', '.')} import A"}
    files["hw/models/naive/RNN.py"] = "from utils import x\nfrom models.naive.LSTM import A"
    names = {"lstm": (LSTM, f"hw/{LSTM}"), "rnn": ("models/naive/RNN.py", "hw/models/naive/RNN.py")}
    modules = made(files, {**names, "main": ("main.py", "hw/main.py")})
    assert modules["rnn"].A is modules["main"].A is modules["lstm"].A
    assert modules["rnn"].x == 1


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_failing_statement_costs_only_itself_across_files(made, order):
    files = {"a.py": f"import nothing_like_it\n{A}", "b.py": "from a import A, missing\nfrom a import A as B\n"}
    modules = made(files, {"a": "a.py", "b": "b.py"})
    for name in order:
        modules[name].names()
    assert modules["b"].B is modules["a"].A


def test_a_file_that_cannot_be_imported_says_so_under_its_own_name(made):
    modules = made(
        {"a.py": "def f(:\n", "b.py": "from a import f\ndef g():\n    return 1\n"}, {"a": "a.py", "b": "b.py"}
    )
    assert modules["b"].g() == 1
    for _ in range(2):
        with pytest.raises(LoadFailure, match=r"^a.py cannot be imported: SyntaxError") as caught:
            modules["a"].f()
        frames = []
        trace = caught.value.error.__traceback__
        while trace is not None:
            frames.append(trace.tb_frame.f_code.co_filename)
            trace = trace.tb_next
        assert not any(name.endswith("b.py") for name in frames), "the failure is not that of the file that imports it"


def test_the_clock_of_an_importing_file_stands_still(made):
    left = "import signal\nleft = signal.getitimer(signal.ITIMER_REAL)[0]\n"
    modules = made({"a.py": f"{left}{A}", "b.py": f"import a\n{left}x = 1\n"}, {"a": "a.py", "b": "b.py"})
    assert modules["b"].x == 1
    assert 0 < modules["a"].left <= LOAD_SECONDS
    assert 0 < modules["b"].left <= LOAD_SECONDS, "the clock of b runs on when a's is over"
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_a_clock_within_a_clock_has_its_own_time():
    with clock(1000):
        with clock(5):
            assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 5
        assert 900 < signal.getitimer(signal.ITIMER_REAL)[0] <= 1000
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_two_sets_of_files_do_not_see_each_other(made, tmp_path):
    files = {
        "a.py": "def value():\n    return 1",
        "b.py": "from a import value\ndef late():\n    import a\n    return a",
    }
    names = {"a": "a.py", "b": "b.py"}
    reference = made(files, names)
    variant = Modules(tmp_path, list(reference._specs.values()), sources={"a.py": "def value():\n    return 2"})
    assert reference["b"].value() == 1
    assert variant["b"].value() == 2
    assert reference["a"].value() == 1
    for modules, number in ((variant, 2), (reference, 1)):
        with modules.probing():
            assert modules["b"].late().value() == number
    assert "a" not in sys.modules


def test_a_module_of_the_suite_is_not_taken_for_a_students_file(made, monkeypatch):
    stranger = type(sys)("building")
    monkeypatch.setitem(sys.modules, "building", stranger)
    modules = made({"building.py": A, "b.py": "from building import A"}, {"b": "b.py"})
    assert modules["b"].A.made_in == "building"
    assert sys.modules["building"] is stranger


@pytest.mark.parametrize("name", ["json", "code", "torch", "types"])
def test_a_file_that_is_called_like_pythons_own(made, name):
    modules = made(
        {f"{name}.py": A, "b.py": "import json, types, torch\nx = torch.ones(1)"}, {"m": f"{name}.py", "b": "b.py"}
    )
    assert modules["m"].A.made_in == f"{name}_"
    assert modules["b"].x == 1


def test_a_folder_of_data_is_no_package(made):
    import yaml

    modules = made({"yaml/x.txt": "", "b.py": "import yaml\nload = yaml.safe_load"}, {"b": "b.py"})
    assert modules["b"].load is yaml.safe_load


def test_a_notebook_can_be_imported_by_its_stem(made):
    cells = [{"cell_type": "code", "metadata": {}, "source": A}]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    modules = made({"nb.ipynb": text, "b.py": "from nb import A"}, {"nb": "nb.ipynb", "b": "b.py"})
    assert modules["b"].A is modules["nb"].A


def test_only_expected_files_get_the_globals_of_the_manifest(made):
    modules = made({"b.py": "import helper\n", "helper.py": "x = 1"}, {"b": "b.py"}, globals_={"device": "cpu"})
    assert modules["b"].device == "cpu"
    assert not hasattr(modules["b"].helper, "device")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("models/naive/LSTM.py", "models.naive.LSTM"),
        ("models/__init__.py", "models"),
        ("my file (1).py", "my_file__1_"),
        ("4_gan.ipynb", "_4_gan"),
        ("a.b.py", "a_b"),
    ],
)
def test_module_names(path, name):
    assert module_name(path) == name
