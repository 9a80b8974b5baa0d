"""Part 2 of problem set 3: the given files, the judge's randomizer, and where a submission's files are found."""

from __future__ import annotations

import importlib.util
import shutil
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
import torch

from grader import intake
from grader.assignment.locate import folders_below
from grader.assignment.manifest import load
from grader.model import Submission

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "reference_solutions" / "cs4644_hw3"
PROVIDED = ROOT / "test_suites" / "cs4644_hw3" / "provided"
PART_2 = {"scheduler": "noise_scheduler.py", "diffusion": "diffusion_model.py"}
COLLECTED = ("diffusion_model.py", "noise_prediction_net.py", "noise_scheduler.py", "randomizer.py")


def module(path: Path) -> ModuleType:
    """A file as a module that nobody else sees."""
    spec = importlib.util.spec_from_file_location(f"_alone_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


# --- given files ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nets() -> ModuleType:
    return module(REFERENCE / "noise_prediction_net.py")


@pytest.mark.parametrize("where", [REFERENCE, PROVIDED])
def test_random_numbers_are_the_course_s(where: Path) -> None:
    draw = module(where / "randomizer.py").DL_random
    torch.manual_seed(3)
    expected = torch.randn(2, 3), torch.rand(4), torch.randint(5, 9, (6,))
    torch.manual_seed(3)
    found = draw((2, 3)), draw([4], normal=False), draw(torch.Size([6]), int_range=[5, 9])
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(found, expected, strict=True))
    assert torch.equal(draw((7,), seed=1), draw((7,), seed=1))


@pytest.mark.parametrize("step", [2, torch.tensor(2), torch.tensor([2, 2])])
def test_the_network_for_sequences(nets: ModuleType, step: int | torch.Tensor) -> None:
    net = nets.ConditionalUnet1D(input_dim=5, global_cond_dim=7, widths=(8, 16, 16))
    x, cond = torch.randn(2, 8, 5), torch.randn(2, 7)
    out = net(sample=x, timestep=step, global_cond=cond)
    assert out.shape == x.shape
    assert torch.allclose(out, net(x, torch.tensor([2, 2]), cond))
    assert not torch.allclose(out, net(x, 3, cond))


def test_the_network_for_pictures(nets: ModuleType) -> None:
    net = nets.ConditionalUnet2D(input_dim=16, c_in=3, c_out=2, global_cond_dim=4)
    x, t = torch.randn(2, 3, 16, 16), torch.tensor([1, 5])
    out = net(x, t, torch.tensor([0, 3]))
    assert out.shape == (2, 2, 16, 16)
    assert net.label_emb.weight.shape == (4, 128)
    assert [stage.embed[1].out_features for stage in (*net.down, *net.up)] == [64, 128, 128, 64, 32, 32]
    assert torch.allclose(out[:1], net(x[:1], t[:1], torch.tensor([0])), atol=1e-4)
    assert not torch.allclose(out[:1], net(x[:1], t[:1], torch.tensor([3])), atol=1e-4)


def test_the_network_for_tests(nets: ModuleType) -> None:
    net = nets.TesterModel((3, 4), 5)
    x, c = torch.randn(2, 3, 4), torch.randn(2, 5)
    expected = net.fc1(torch.cat([(x + 0.07).flatten(1), c], dim=1)).view(2, 3, 4)
    assert torch.allclose(net(x, torch.tensor(7), c), expected, atol=1e-6)
    assert torch.allclose(net(x, torch.tensor([7, 7]), c), expected, atol=1e-6)


# --- the judge's stand-ins --------------------------------------------------------------------------------------------


def test_the_judge_hands_out_its_tensors_in_any_order() -> None:
    judge = module(PROVIDED / "randomizer.py")
    first, second, number, t = torch.randn(2, 3), torch.randn(2, 3), torch.tensor([0.5]), torch.tensor([4, 1])
    with judge.handing_out(normal=[first, second], uniform=[number], integers=[t], steps=5) as draws:
        assert torch.equal(judge.DL_random((2, 3)), first)
        assert torch.equal(judge.DL_random((2,), int_range=[0, 5], normal=False), t)
        assert torch.equal(judge.DL_random([3, 2]), second.view(3, 2))
        assert torch.equal(judge.DL_random((1,), normal=False), number)
        assert torch.equal(judge.DL_random((2, 3)), second)
        assert draws.calls == 5
        assert not torch.equal(judge.DL_random((2, 3), seed=1), first)
        assert judge.DL_random((3,)).shape == (3,)
        assert int(judge.DL_random((2,), int_range=[7, 8])[0]) == 7
    assert not torch.equal(judge.DL_random((2, 3)), first)


def test_with_a_seed_equal_calls_are_equal_and_calls_without_it_differ() -> None:
    judge = module(PROVIDED / "randomizer.py")
    first, second = torch.randn(2), torch.randn(2)
    with judge.handing_out(normal=[first, second], seed=9):
        assert torch.equal(judge.DL_random((2,), seed=9), first)
        assert torch.equal(judge.DL_random((2,), seed=9), first)
        assert not torch.equal(judge.DL_random((2,)), first)


@pytest.mark.parametrize("old", [True, False])
def test_the_running_average_in_its_old_and_new_form(old: bool) -> None:
    average = module(PROVIDED / "diffusers" / "training_utils.py").EMAModel
    net, copy = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    before = net.weight.detach().clone()
    ema = average(model=net, power=0.75) if old else average(parameters=net.parameters(), power=0.75)
    torch.nn.init.constant_(net.weight, 5.0)
    ema.step(net if old else net.parameters())
    ema.copy_to(copy.parameters())
    share = 2.0**-0.75
    assert torch.allclose(copy.weight, (1 - share) * before + share * 5.0)
    assert hasattr(ema, "averaged_model") == old


def test_the_learning_rate_rises_and_falls() -> None:
    schedule = module(PROVIDED / "diffusers" / "optimization.py").get_scheduler
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    scheduler, rates = schedule("cosine", optimizer=optimiser, num_warmup_steps=500, num_training_steps=80), []
    for _ in range(80):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    assert rates[:11] == pytest.approx([step / 10 for step in range(11)])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.01


# --- what is handed in ------------------------------------------------------------------------------------------------


def handed_in(folder: Path, *names: str, below: str = "") -> None:
    for name in names:
        goal = folder / below / name
        goal.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REFERENCE / name, goal)


def found(path: Path, work: Path) -> dict[str, str]:
    """File id → path of the one submission there."""
    assignment = load(folders_below(ROOT, "cs4644_hw3"))
    (taken,) = intake.take([path], assignment, work, single=True)
    assert isinstance(taken, Submission)
    return dict(taken.files)


def test_the_zip_that_collect_submission_makes(tmp_path: Path) -> None:
    archive = tmp_path / "assignment3_part2_submission.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name in COLLECTED:
            packed.write(REFERENCE / name, name)
    assert found(archive, tmp_path / "work").items() >= PART_2.items()


def test_the_four_files_alone(tmp_path: Path) -> None:
    handed_in(tmp_path / "sent", *COLLECTED)
    assert found(tmp_path / "sent", tmp_path / "work").items() >= PART_2.items()


def test_the_whole_folder(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "student_templates" / "cs4644_hw3", tmp_path / "sent" / "part2_DiffusionModels")
    for name in ("my_llm_implementation.py", "Transformer_Architectures.ipynb", "answers.py"):
        (tmp_path / "sent" / "part2_DiffusionModels" / name).unlink()
    (tmp_path / "sent" / "part2_DiffusionModels" / "__init__.py").touch()
    (tmp_path / "sent" / "part2_DiffusionModels" / "tests.py").write_text("import unittest\n")
    files = found(tmp_path / "sent", tmp_path / "work")
    assert files == {**PART_2, "image_gen": "computer_vision/image_gen.py", "diffusion_notebook": "Diffusion_CV.ipynb"}


@pytest.mark.parametrize("part_1", [("my_llm_implementation.py",), ("my_llm_implementation.py", "answers.py")])
def test_the_folder_beside_part_1(tmp_path: Path, part_1: tuple[str, ...]) -> None:
    handed_in(tmp_path / "sent", *part_1, below="part1")
    handed_in(tmp_path / "sent", *COLLECTED, "computer_vision/image_gen.py", below="part2_DiffusionModels")
    files = found(tmp_path / "sent", tmp_path / "work")
    assert files.items() >= PART_2.items()
    assert files["image_gen"] == "computer_vision/image_gen.py"
    assert files["llm"].endswith("my_llm_implementation.py")


def test_a_notebook_with_the_classes_in_its_cells(tmp_path: Path) -> None:
    kept = ROOT / "test_suites" / "cs4644_hw3" / "submissions" / "correct" / "notebook_only" / "Diffusion_CV.ipynb"
    (tmp_path / "sent").mkdir()
    shutil.copy(kept, tmp_path / "sent" / "my_diffusion.ipynb")
    assert set(found(tmp_path / "sent", tmp_path / "work").values()) == {"my_diffusion.ipynb"}
