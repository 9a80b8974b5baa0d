"""One probe run: what is counted as printed, what becomes of exceptions, and what is seen in a trace."""

import sys

import pytest
import torch

from grader.worker.capture import Capture, captured
from grader.worker.loading import FileSpec, Modules
from grader.worker.ownership import StudentFiles
from grader.worker.running import Work, perform

TEXT = """
import pprint
import sys
import warnings

import torch

def once():
    print("hello")

def several():
    print("a", "b", 3, sep=", ")
    for number in range(3):
        print(number)
    sys.stdout.write("written")
    sys.stderr.write("written")
    print()

def through_a_library():
    warnings.warn("from torch, say", stacklevel=1)
    pprint.pprint({"a": 1})

def much():
    print("x" * 100_000)

hoard = []

def wants_memory(error):
    hoard.append("kept")
    raise error

def uses_lstm():
    return torch.nn.LSTM(2, 2)(torch.ones(1, 1, 2))[0]

class Sub(torch.nn.LSTM):
    pass

def uses_subclass():
    return Sub(2, 2)

def uses_sum():
    return torch.ones(3).sum()

def odd_syntax_error():
    error = SyntaxError("mine")
    error.lineno = 3
    raise error

def closes_output():
    sys.stdout.close()
    print("after")
"""


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    root = tmp_path_factory.mktemp("running")
    (root / "m.py").write_text(TEXT)
    modules = Modules(root, [FileSpec(id="m", path="m.py", expected="m.py")])
    files = StudentFiles(str(root))
    capture = Capture(files)

    def run(name, *arguments, **more):
        def probe(modules):
            result = getattr(modules["m"], name)(*arguments)
            return {"out": result if isinstance(result, torch.Tensor) else None}

        return perform(Work(probe="p", arguments={}, **more), {"p": probe}, modules, capture, files)

    return run


@pytest.mark.parametrize(("name", "prints"), [("once", 1), ("several", 6), ("through_a_library", 0), ("uses_sum", 0)])
def test_only_the_students_own_prints_count_and_each_once(student, name, prints):
    notes = student(name)["notes"]
    assert notes["prints"] == prints
    assert len(notes["printing"]) == (prints > 0), "the file that printed is named"


def test_text_is_kept_up_to_a_limit_and_the_rest_is_counted(student):
    text = student("much")["notes"]["print_text"]
    assert len(text) < 5000
    assert "96001 more characters" in text


def test_streams_are_put_back(student):
    before = sys.stdout, sys.stderr
    student("once")
    student("closes_output")
    assert (sys.stdout, sys.stderr) == before


def test_the_graders_own_writes_are_kept_and_not_counted(tmp_path):
    capture = Capture(StudentFiles(str(tmp_path)))
    with captured(capture):
        sys.stdout.write("by the grader\n")
    assert not capture.printing
    assert capture.take() == (0, "by the grader\n")
    assert capture.take() == (0, "")


def test_a_trace_names_operations_and_built_modules(student):
    notes = student("uses_lstm", trace=True)["notes"]
    assert "aten::lstm" in notes["operations"]
    assert "torch.nn.modules.rnn.LSTM" in notes["module_types"]


def test_a_trace_names_the_bases_of_a_subclass(student):
    assert "torch.nn.modules.rnn.LSTM" in student("uses_subclass", trace=True)["notes"]["module_types"]


def test_a_trace_of_honest_code_names_no_layer(student):
    notes = student("uses_sum", trace=True)["notes"]
    assert notes["module_types"] == []
    assert "aten::lstm" not in notes["operations"]
    assert "aten::sum" in notes["operations"]


def test_without_a_trace_there_is_none(student):
    notes = student("uses_lstm")["notes"]
    assert notes["operations"] is None
    assert notes["module_types"] is None


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        torch.AcceleratorError("CUDA error: out of memory", 2),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_a_failed_allocation_is_told_apart_and_says_where(student, error):
    answer = student("wants_memory", error)
    assert (answer["status"], answer["message"]) == ("out_of_memory", str(error))
    assert answer["trace"][-1].endswith("in wants_memory: raise error")


def test_other_errors_of_a_gpu_are_no_want_of_memory(student):
    assert student("wants_memory", RuntimeError("CUDA error: device-side assert triggered"))["status"] == "raised"


def test_a_syntax_error_of_the_students_own_making_is_an_ordinary_exception(student):
    answer = student("odd_syntax_error")
    assert (answer["status"], answer["kind"], answer["message"]) == ("raised", "SyntaxError", "mine")
