"""Which GPU a run uses, how many submissions fit on it, and that no process that forks ever asks its driver."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from grader.sandbox.gpu import Gpu, chosen, nodes, seats
from grader.sandbox.launch import ZYGOTE_ENVIRONMENT


def test_the_nodes_of_a_divided_gpu_are_found(tmp_path):
    for name in ("null", "nvidia0", "nvidia-uvm", "nvidiactl", "nvidia-caps/nvidia-cap1", "nvidia-caps/nvidia-cap2"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [str(path.relative_to(tmp_path)) for path in nodes(tmp_path)]
    assert found == ["nvidia-caps/nvidia-cap1", "nvidia-caps/nvidia-cap2", "nvidia-uvm", "nvidia0", "nvidiactl"]


def test_a_driver_without_a_gpu_has_no_nodes(tmp_path):
    (tmp_path / "nvidiactl").touch()
    assert nodes(tmp_path) == []


@pytest.mark.parametrize(
    ("visible", "first"), [("3", "3"), ("2,0", "2"), (" 1 , 0", "1"), ("GPU-8932f937,GPU-1", "GPU-8932f937")]
)
def test_the_first_gpu_that_may_be_seen_is_used(visible, first):
    assert chosen({"CUDA_VISIBLE_DEVICES": visible, "HOME": "/root"}) == {"CUDA_VISIBLE_DEVICES": first}


def test_numbers_are_counted_in_the_same_order():
    given = {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert chosen(given) == given
    assert chosen({}) == {"CUDA_VISIBLE_DEVICES": "0"}


@pytest.mark.parametrize("hidden", ["", "-1", ",0"])
def test_all_may_be_hidden(hidden):
    assert chosen({"CUDA_VISIBLE_DEVICES": hidden}) == {}


@pytest.mark.parametrize(("free", "room"), [(80_000, 9), (24_000, 2), (8_000, 1), (500, 1)])
def test_as_many_train_as_the_free_memory_has_room_for(free, room):
    assert seats(Gpu(name="a GPU", total_mib=80_000, free_mib=free), 2048) == room


# torch for CUDA on a machine with a GPU, as far as the question whether there is one goes.
ASKS = """
import torch
from grader.sandbox.preload import warm_up, warm_up_training
warm_up_training()  # imports what a torch without CUDA must not take for one with it
def asked():
    print("the driver was asked")
    return 0
torch._C._cuda_getDeviceCount = asked
torch._C._accelerator_getAccelerator = lambda *_: torch.device("cuda")
warm_up()
warm_up_training()
torch.accelerator.is_available()
"""


@pytest.mark.parametrize("left_out", ["", "PYTORCH_NVML_BASED_CUDA_CHECK"])
def test_the_zygote_does_not_ask_the_driver(left_out):
    environment = {name: value for name, value in ZYGOTE_ENVIRONMENT.items() if name != left_out}
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", ASKS], env={**environment, **path}, capture_output=True, text=True, check=True
    )
    assert bool(run.stdout) == bool(left_out), "without the variable an optimiser's step asks"
