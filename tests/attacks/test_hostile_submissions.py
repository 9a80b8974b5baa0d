"""Hostile submissions between honest ones: each loses what it breaks, and nobody else notices that it was there."""

import subprocess
import sys

import pytest
from tiny_assignment import ITEMS, open_for_workers, submission, tiny

from grader.run.engine import Engine, Order
from grader.run.grading import judge_all

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the Linux back end")
FIRST_LINE = '"""A gated layer and a softmax."""'
# Sent under the id of the request that is being answered, which the worker's own frames hold.
SENDS = """
import json, os, struct, sys
def send(tree, kind="answer"):
    frame = sys._getframe()
    while not hasattr(frame.f_locals.get("frame"), "kind"):
        frame = frame.f_back
    raw = json.dumps({"id": frame.f_locals["frame"].id, "kind": kind, "tree": tree, "tensors": []}).encode()
    os.write(3, struct.pack("<4sIQ", b"GRD1", len(raw), 0) + raw)
"""
HOSTILE = {
    "sends_a_float_alone": SENDS + 'send({"$f": "0x0p+0"})',
    "says_that_it_passed": SENDS + 'send({"status": "passed", "credit": 1, "notes": {}})',
    "claims_to_miss_a_module": "raise ModuleNotFoundError(\"No module named 'colorsys'\")",
    "ends_its_process": "import os; os._exit(0)",
    "kills_everybody": "import os; os.kill(-1, 9)",
    "leaves_a_process": "import os, time; os.fork() or time.sleep(600)",
    "hangs_up": "import os, time; os.close(3); time.sleep(600)",
    "moves_where_it_prints": "import os; os.lseek(1, (1 << 63) - 1, 0)",
    "pins_itself_and_spins": """import os, threading
def spin():
    while True: pass
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
[threading.Thread(target=spin, daemon=True).start() for _ in range(20)]""",
    "claims_steps_without_end": SENDS + 'send({"step": 10**400, "values": {"loss": {"$f": "0x1p0"}}}, "progress")',
    "takes_all_memory": "import torch; torch.ones(1 << 29)",
}
HONEST = {
    "writes_a_log": 'open("log.txt", "w").write("imported")',
    "imports_late": "import colorsys",
    "loads_data": "from torch.utils.data import DataLoader\nlist(DataLoader(range(4), 2, num_workers=2))",
}
# The others are refused with an exception, which costs only the statement: the rest of their code is right.
BREAKS = ("sends_a_float_alone", "says_that_it_passed", "ends_its_process", "hangs_up", "claims_steps_without_end")
LAYERS = {item for item in ITEMS if item.startswith(("gate", "softmax"))}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """{key: results} of all, an honest one after each hostile one; and a process of ours that must survive."""
    root = open_for_workers(tmp_path_factory.mktemp("class"))
    found = []
    for key, code in {**HOSTILE, **HONEST}.items():
        found.append(submission(root, key, {"layers.py": (FIRST_LINE, f"{FIRST_LINE}\n{code}\n")}))
        if key in HOSTILE:
            found.append(submission(root, f"after_{key}"))
    bystander = subprocess.Popen(["sleep", "600"])
    with Engine(Order(folders=tiny()[0], seed="hostile")) as engine:
        results = {entry.key: entry.results for entry in judge_all(engine, found, seed="hostile", items=ITEMS)}
    alive = bystander.poll() is None
    bystander.kill()
    bystander.wait()
    assert alive
    return results


def test_honest_submissions_earn_everything_wherever_they_stand(graded):
    honest = {key: found for key, found in graded.items() if key not in HOSTILE}
    assert len(honest) == len(HOSTILE) + len(HONEST)
    assert {key: {name: result.status for name, result in found.items()} for key, found in honest.items()} == {
        key: dict.fromkeys(ITEMS, "passed") for key in honest
    }


@pytest.mark.parametrize("key", HOSTILE)
def test_a_hostile_one_loses_what_it_breaks_and_is_no_fault_of_the_grader(graded, key):
    statuses = {name: result.status for name, result in graded[key].items()}
    assert set(statuses) == set(ITEMS)
    assert "grader_error" not in statuses.values()
    passed = {name for name in LAYERS if statuses[name] == "passed"}
    assert passed == (set() if key in BREAKS else LAYERS)
