"""Scripts that show one failed check: run in an interpreter that has PyTorch and no grader."""

import os
import re
import subprocess
import sys
import sysconfig

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_assignment import open_for_workers, tiny

from grader.commands.shared import open_assignment
from grader.errors import AuthorError, UsageError
from grader.intake.layout import digest_of
from grader.kit import script
from grader.kit.cutting import one_text
from grader.model import CheckResult, Submission
from grader.proof.kept import edited_sources, read_kept
from grader.proof.reference import lay_out
from grader.run.grading import grade_in_memory

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="workers are judged on Linux")
SHOWN = re.compile(r"at (\(.*?\)): (\S+) where")


def run(path, folder):
    """(exit code, output) where `grader` cannot be imported: packages alone are on the path, and no `.pth` is read."""
    settings = {"PYTHONPATH": sysconfig.get_paths()["purelib"], "OMP_NUM_THREADS": "1", "PATH": os.environ["PATH"]}
    command = [sys.executable, "-S", "-B", "-c"]
    absent = "import importlib.util as u, sys, runpy\nassert u.find_spec('grader') is None\n"
    done = subprocess.run(
        [*command, absent + "sys.argv = sys.argv[1:]\nrunpy.run_path(sys.argv[0], run_name='__main__')", path, folder],
        env=settings, capture_output=True, text=True, cwd=path.parent, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@linux
@pytest.mark.parametrize(
    ("slug", "wrong", "item"),
    [
        ("cs7643_a4", "attention_scaled_by_dim_k", "transformer.attention"),  # bound weights, the module built inside
        ("ift6135_a2", "weights_mask_on_queries", "weights.mask"),  # a method
        ("numpy_backprop", None, None),  # functions, in the short form
        ("mldl1_hw4", None, None),  # a notebook
    ],
)
def test_the_script_finds_what_the_judge_found(slug, wrong, item, tmp_path):
    folders, assignment = open_assignment(slug, None)
    visible = {one.id for one in assignment.items if one.visibility == "visible" and one.training is None}
    kept = [
        one for one in read_kept(folders.suite) if one.kind == "wrong" and one.edits and visible.intersection(one.fails)
    ]
    chosen = next((one for one in kept if one.name == wrong), kept[0])
    item = item or next(name for name in chosen.fails if name in visible)
    root = open_for_workers(tmp_path) / "work"
    lay_out(assignment, root, edited_sources(chosen, assignment.reference))
    files = {file.id: file.path for file in assignment.files if (root / file.path).exists()}
    submission = Submission(key="ada", root=root.resolve(), digest=digest_of(root), files=files)
    [graded] = grade_in_memory(
        assignment, folders, [submission], seed="script", items=(item,), show=True, calls=tmp_path
    )
    result = graded.results[item]
    assert result.status == "failed"
    script.write(tmp_path / "show.py", tmp_path / f"ada.{item}", assignment, submission, result)
    code, output = run(tmp_path / "show.py", root)
    assert code == 1
    if found := SHOWN.search(result.message):
        assert f"{found[1]}: {found[2]} where" in output
    elif "Error" in result.message:
        assert result.message.split(" (")[0].splitlines()[0] in output
    if slug == "mldl1_hw4":
        return  # the reading that comes closest to what is wrong need not be the reference's own
    lay_out(assignment, tmp_path / "right")
    code, output = run(tmp_path / "show.py", tmp_path / "right")
    assert (code, "Everything agrees" in output) == (0, True), output


def result(**facts):
    return CheckResult(**{"item": "gate.forward", "status": "failed", "message": 'it says """no"""', **facts})


def test_what_is_not_for_students_is_refused():
    _, assignment = tiny()
    assert script.refusal(assignment, "gate.forward") == ""
    assert "hidden to students" in script.refusal(assignment, "rates.decrease")
    _, trained = open_assignment("conv_net", None)
    item = next(one.id for one in trained.items if one.training is not None)
    assert "is a training" in script.refusal(trained, item)


def test_a_pass_and_a_case_without_calls_are_refused(tmp_path):
    _, assignment = tiny()
    submission = Submission(key="ada", root=tmp_path, digest="d", files={})
    with pytest.raises(UsageError, match="is passed"):
        script.write(tmp_path / "s.py", tmp_path / "none", assignment, submission, result(status="passed"))
    with pytest.raises(UsageError, match=r"nothing was called in item 'gate.forward': it says"):
        script.write(tmp_path / "s.py", tmp_path / "none", assignment, submission, result())
    assert list(tmp_path.iterdir()) == []


@given(
    st.lists(st.floats(width=32), max_size=6),
    st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool]),
)
def test_tensors_are_written_to_the_last_bit(numbers, dtype):
    value = torch.tensor(numbers, dtype=torch.float32)
    value = value.nan_to_num().clamp(-1e6, 1e6).to(dtype) if dtype in (torch.int64, torch.bool) else value.to(dtype)
    names = {"torch": torch, "nan": float("nan"), "inf": float("inf")}
    text = script._Tensors(all_inline=True).text({"x": [value]})
    again = eval("(" + text + ")", names)["x"][0]
    assert again.dtype == value.dtype
    assert torch.equal(again.nan_to_num(), value.nan_to_num())


def test_large_tensors_lie_beside_the_script():
    tensors = script._Tensors(all_inline=False)
    large = torch.randn(script.FEW + 1).to(torch.bfloat16)
    text = tensors.text([large, torch.zeros(0, 3), 2.5, None])
    again = eval(text, {"torch": torch, "BESIDE": tensors.beside})
    assert torch.equal(again[0], large)
    assert again[1].shape == (0, 3)
    assert again[2:] == [2.5, None]


PROBES = """from __future__ import annotations

import helpers
import torch
from grader.probing import handed
from grader.worker.loading import {wanted}
from tools import near as close

LIMIT = {limit}


def probe(modules, x):
    return close(handed(x), helpers.half(LIMIT), {wanted})


def other(modules):
    return helpers.unused()
"""


def test_a_suite_becomes_one_text(tmp_path):
    (tmp_path / "helpers.py").write_text("LIMIT = 3\n\n\ndef half(x):\n    return x / 2\n\n\ndef unused():\n    pass\n")
    (tmp_path / "tools.py").write_text("LIMIT = 3\n\n\ndef near(x, y, z):\n    return x + y + LIMIT\n")
    (tmp_path / "probes.py").write_text(PROBES.format(wanted="MissingDefinition", limit=3))
    text = one_text(tmp_path, ["probe"], script.ROOM)
    assert "unused" not in text
    assert "grader" not in text
    names = {"MissingDefinition": AttributeError}
    exec("from types import SimpleNamespace\n" + text, names)
    assert names["probe"](None, torch.ones(1)).item() == 5.5
    (tmp_path / "probes.py").write_text(PROBES.format(wanted="Modules", limit=4))
    with pytest.raises(AuthorError, match="something else is called LIMIT too"):
        one_text(tmp_path, ["probe"], script.ROOM)
    (tmp_path / "probes.py").write_text(PROBES.format(wanted="LoadFailure", limit=3))
    with pytest.raises(AuthorError, match=r"grader.worker.loading.LoadFailure is for the grader alone"):
        one_text(tmp_path, ["probe"], script.ROOM)
