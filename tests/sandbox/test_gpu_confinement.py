"""What a GPU worker may open: more than a CPU worker, and still neither other people's files nor the network.

No GPU is needed: the confinement is applied in a child, which then tries things.
"""

import json
import os
import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")


def attempts(root, outside, port):
    """{what: whether it worked} after the confinement."""

    def works(function):
        try:
            function()
        except OSError:
            return False
        return True

    return {
        "reads the submission": works(lambda: (root / "model.py").read_text()),
        "reads a library": works(lambda: Path("/usr/bin/env").read_bytes()),
        "reads a package of torch's": works((outside / "site-packages" / "nvidia" / "lib.so").read_bytes),
        "reads the driver's library": works((outside / "driver" / "libcuda.so").read_bytes),
        "uses a node of the GPU": works(lambda: os.close(os.open(outside / "dev" / "nvidia0", os.O_RDWR))),
        "uses a part of the GPU": works(lambda: os.close(os.open(outside / "dev/nvidia-caps/nvidia-cap1", os.O_RDWR))),
        "reads /proc": works(lambda: Path("/proc/meminfo").read_text()),
        "reads /sys": works(lambda: list(Path("/sys").iterdir())),
        "writes the submission": works(lambda: (root / "model.py").write_text("")),
        "reads a private file": works((outside / "grades.csv").read_text),
        "reads /etc/passwd": works(lambda: Path("/etc/passwd").read_text()),
        "writes to /tmp": works(lambda: Path("/tmp/left-by-a-gpu-worker").write_text("")),
        "connects": works(lambda: socket.socket().connect(("127.0.0.1", port))),
    }


def in_a_confined_child(root, outside, port, device="cuda"):
    from grader.sandbox import confine, gpu

    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            found = gpu.nodes(outside / "dev")
            gpu.nodes = lambda: found
            os.environ["LD_LIBRARY_PATH"] = f":{outside / 'driver'}:/"
            sys.modules["torch"] = SimpleNamespace(__file__=str(outside / "site-packages" / "torch" / "__init__.py"))
            chosen = {"CUDA_VISIBLE_DEVICES": "3"}
            wanted = confine.Confinement(
                root=str(root),
                number=1,
                uid=1 << 30,
                memory_mib=100,
                cpu_seconds=60,
                output_kib=64,
                device=device,
                gpu=chosen,
            )
            facts = confine.apply(wanted)
            answer = {"facts": facts, "attempts": attempts(root, outside, port), "environment": dict(os.environ)}
            os.write(writing, json.dumps(answer).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = json.loads(pipe.read())
    os.waitpid(pid, 0)
    return answer


@pytest.fixture(scope="module")
def answer(tmp_path_factory):
    root, other = tmp_path_factory.mktemp("submission"), tmp_path_factory.mktemp("other")
    for folder in (root, other, *root.parents):
        # The worker becomes another user, who must be able to reach the submission.
        if folder.stat().st_uid == os.geteuid() and folder != Path("/tmp"):
            folder.chmod(folder.stat().st_mode | 0o055)
    (root / "model.py").write_text("x = 1")
    (other / "grades.csv").write_text("secret")
    made = ("site-packages/nvidia/lib.so", "driver/libcuda.so", "dev/nvidia0", "dev/nvidia-caps/nvidia-cap1")
    for name in made:
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_text("a library, or a device")
        (other / name).chmod(0o666)
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = in_a_confined_child(root, other, server.getsockname()[1])
    if found["facts"]["files"] == "not confined":
        pytest.skip("this kernel has no Landlock")
    return found


def test_what_the_driver_needs_is_there(answer):
    needed = ("reads the submission", "reads a library", "reads a package of torch's", "reads the driver's library",
              "uses a node of the GPU", "uses a part of the GPU", "reads /proc", "reads /sys")  # fmt: skip
    assert {name: answer["attempts"][name] for name in needed} == dict.fromkeys(needed, True)


def test_nothing_else_is(answer):
    refused = ("writes the submission", "reads a private file", "reads /etc/passwd", "writes to /tmp", "connects")
    assert {name: answer["attempts"][name] for name in refused} == dict.fromkeys(refused, False)


def test_the_facts_say_what_is_exposed(answer):
    assert "kernel driver is exposed" in answer["facts"]["files"]
    assert "not limited on the host" in answer["facts"]["memory"]
    assert answer["environment"]["CUDA_VISIBLE_DEVICES"] == "3"
    assert set(answer["environment"]) == {"CUDA_VISIBLE_DEVICES", "CUBLAS_WORKSPACE_CONFIG", "CUDA_CACHE_DISABLE"}


def test_a_worker_without_a_gpu_does_not_see_the_machines(tmp_path):
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidia0").touch()
    root = tmp_path / "submission"
    root.mkdir()
    (root / "model.py").write_text("x = 1")
    found = in_a_confined_child(root, tmp_path, 1, device="cpu")
    assert found["environment"] == {"CUDA_VISIBLE_DEVICES": ""}
