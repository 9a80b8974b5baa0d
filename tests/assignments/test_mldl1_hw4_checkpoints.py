"""A ViT's checkpoint that was handed in with mldl1_hw4: good ones answer, everything else is told in words."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from suite_modules import modules_of

from grader.worker.loading import FileSpec, Modules

ROOT = Path(__file__).resolve().parents[2]
SUITE = ROOT / "test_suites" / "mldl1_hw4"
SIZES = {
    "image_shape": [3, 32, 32], "num_classes": 10, "patch_size": [8, 8], "dim": 8, "depth": 1, "num_heads": 2,
    "mlp_dim": 16,
}  # fmt: skip


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The suite's training probes, imported as a worker imports them."""
    with modules_of(SUITE, monkeypatch) as load:
        yield load("training_probes")


@pytest.fixture
def modules(tmp_path: Path) -> Modules:
    """A submission that holds the reference's hw4_vit."""
    text = (ROOT / "reference_solutions" / "mldl1_hw4" / "hw4_vit.py").read_text(encoding="utf-8")
    (tmp_path / "hw4_vit.py").write_text(text, encoding="utf-8")
    spec = FileSpec(id="vit", path="hw4_vit.py", expected="hw4_vit.ipynb", kind="notebook")
    return Modules(tmp_path, [spec])


def _answer(suite: Any, modules: Modules, path: str) -> Mapping[str, Any]:
    modules.arrange({})
    images = torch.arange(2 * 3 * 32 * 32).reshape(2, 3, 32, 32).remainder(251).to(torch.uint8)
    return suite.predict_checkpoint(modules, images, path=path, sizes=SIZES)


def _model(suite: Any, modules: Modules, **changed: object) -> torch.nn.Module:
    torch.manual_seed(3)
    return suite._vision(modules, {**SIZES, **changed})[1]


def write_safetensors(path: Path, tensors: Mapping[str, torch.Tensor], spoil: Callable[[dict], None] | None = None):
    """The format as it is documented: length, header, data."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, tensor in tensors.items():
        raw = tensor.detach().contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    if spoil:
        spoil(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


@pytest.mark.parametrize("name", ["vit.pt", "vit.pth", "vit.safetensors", "wrapped.pt"])
def test_weights_answer_as_in_the_model(suite: Any, modules: Modules, tmp_path: Path, name: str) -> None:
    import pixels

    model = _model(suite, modules).eval()
    if name == "vit.safetensors":
        write_safetensors(tmp_path / name, model.state_dict())
    else:
        torch.save({"model": model.state_dict()} if name == "wrapped.pt" else model.state_dict(), tmp_path / name)
    answer = _answer(suite, modules, name)
    images = torch.arange(2 * 3 * 32 * 32).reshape(2, 3, 32, 32).remainder(251).to(torch.uint8)
    assert answer["trouble"] == ""
    torch.testing.assert_close(answer["logits"], model(pixels.normalised(images)).detach())


def test_half_precision_is_read(suite: Any, modules: Modules, tmp_path: Path) -> None:
    state = {name: value.half() for name, value in _model(suite, modules).state_dict().items()}
    torch.save(state, tmp_path / "vit.pt")
    assert _answer(suite, modules, "vit.pt")["logits"].dtype == torch.float32


def test_another_model_is_told_by_its_names(suite: Any, modules: Modules, tmp_path: Path) -> None:
    torch.save(_model(suite, modules, depth=2).state_dict(), tmp_path / "vit.pt")
    trouble = _answer(suite, modules, "vit.pt")["trouble"]
    assert "another model" in trouble
    assert "not in the model, such as attention_blocks.1." in trouble


def test_another_size_is_told(suite: Any, modules: Modules, tmp_path: Path) -> None:
    write_safetensors(tmp_path / "vit.safetensors", _model(suite, modules, dim=16).state_dict())
    assert "of another shape" in _answer(suite, modules, "vit.safetensors")["trouble"]


class Hostile:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path("pwned").touch, ())


def test_code_in_a_pickle_is_not_run(
    suite: Any, modules: Modules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Hostile()}, tmp_path / "new.pt")
    (tmp_path / "old.pt").write_bytes(pickle.dumps({"weight": Hostile()}, protocol=2))
    for name in ("new.pt", "old.pt"):
        assert "holds more than weights" in _answer(suite, modules, name)["trouble"]
    assert not (tmp_path / "pwned").exists()


def test_a_whole_model_is_refused(suite: Any, modules: Modules, tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "vit.pt")
    assert "torch.save(model.state_dict()" in _answer(suite, modules, "vit.pt")["trouble"]


@pytest.mark.parametrize("keep", [0, 5, 100, -10])
@pytest.mark.parametrize("name", ["vit.pt", "vit.safetensors"])
def test_cut_files_are_told(suite: Any, modules: Modules, tmp_path: Path, name: str, keep: int) -> None:
    path = tmp_path / name
    state = _model(suite, modules).state_dict()
    write_safetensors(path, state) if name.endswith("safetensors") else torch.save(state, path)
    path.write_bytes(path.read_bytes()[:keep])
    assert name in _answer(suite, modules, name)["trouble"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda header: header["cls_token"].update(data_offsets=[0, 1 << 40]),
        lambda header: header["cls_token"].update(data_offsets=[-32, 0]),
        lambda header: header["cls_token"].update(shape=[1 << 40, 1 << 40]),
        lambda header: header["cls_token"].update(shape="big"),
        lambda header: header["cls_token"].update(dtype="F4"),
        lambda header: header["cls_token"].pop("dtype"),
        lambda header: header.update(cls_token=7),
    ],
)
def test_spoilt_headers_are_told(
    suite: Any, modules: Modules, tmp_path: Path, spoil: Callable[[dict[str, Any]], None]
) -> None:
    write_safetensors(tmp_path / "vit.safetensors", _model(suite, modules).state_dict(), spoil)
    assert "no whole safetensors file" in _answer(suite, modules, "vit.safetensors")["trouble"]


@pytest.mark.parametrize("name", ["vit.pt", "vit.safetensors"])
def test_nan_and_nothing_are_told(suite: Any, modules: Modules, tmp_path: Path, name: str) -> None:
    state = _model(suite, modules).state_dict()
    for spoilt, words in (
        ({**state, "cls_token": state["cls_token"] * float("nan")}, "cls_token holds NaN"),
        ({}, "no tensors"),
    ):
        write_safetensors(tmp_path / name, spoilt) if name.endswith("s") else torch.save(spoilt, tmp_path / name)
        assert words in _answer(suite, modules, name)["trouble"]


def test_a_list_is_no_state_dict(suite: Any, modules: Modules, tmp_path: Path) -> None:
    torch.save([torch.zeros(2)], tmp_path / "vit.pt")
    assert "no state_dict" in _answer(suite, modules, "vit.pt")["trouble"]


def test_a_small_file_that_unfolds_to_much_is_told(suite: Any, modules: Modules, tmp_path: Path) -> None:
    torch.save({"cls_token": torch.zeros(1).expand(1 << 30)}, tmp_path / "vit.pt")
    assert (tmp_path / "vit.pt").stat().st_size < 10_000
    assert "unfolds to 4096 MiB; at most 256 MiB" in _answer(suite, modules, "vit.pt")["trouble"]


def test_sizes_that_build_no_model_are_told(
    suite: Any, modules: Modules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(_model(suite, modules).state_dict(), tmp_path / "vit.pt")
    monkeypatch.setitem(SIZES, "num_heads", 0)
    assert "a ViT of the notebook's sizes cannot be built" in _answer(suite, modules, "vit.pt")["trouble"]


def test_more_than_the_limit_is_not_read(
    suite: Any, modules: Modules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import checkpoints

    monkeypatch.setattr(checkpoints, "MAX_BYTES", 1 << 20)
    (tmp_path / "vit.pt").write_bytes(bytes(2 << 20))
    assert "at most 1 MiB" in _answer(suite, modules, "vit.pt")["trouble"]
