"""What the first GPU that is at hand is asked, in one go and at most eight minutes: `make gpu`.

    python -m benchmarks.gpu [--json figures.json] [--only agreement] [slug ...]

doctor; every probe of every suite on the GPU against the processor's values, gradients included; trainings on made
data; one on real data where GRADER_DATA is set; eight submissions side by side against one at a time; what a process
takes on the GPU before it holds a tensor. A part that fails is told and the others go on. Prints the table for
docs/measurements.md.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measuring import THREADS, machine
from grader.assignment.assignment import Assignment, Item
from grader.assignment.locate import Folders, known_slugs
from grader.commands.shared import open_assignment
from grader.intake.layout import digest_of
from grader.model import Submission
from grader.proof.reference import lay_out
from grader.run.engine import Engine, Order, Source, Trainings
from grader.run.grading import judge_all, trainings_of
from grader.sandbox import gpu
from grader.thresholds import FIGURES

SECONDS = 480.0
SUITE_SECONDS = 90.0
PACKED = 8
SOURCES: tuple[Source, ...] = ("made", "real")
Figures = dict[str, Any]
Elsewhere = Callable[[], AbstractContextManager[str]]


# --- agreement: in a process for each suite, because all suites name their modules alike --------------------------


@contextmanager
def on_the_gpu() -> Iterator[str]:
    """The device's name; made-up devices have a context of their own."""
    yield "cuda"


def agreement(folders: Folders, elsewhere: Elsewhere = on_the_gpu) -> Figures:
    """Run every recorded call of a suite on the device, and hold it against what the processor answered."""
    from benchmarks.in_process import with_trial
    from grader.assignment.manifest import load

    return with_trial(folders, load(folders), partial(_compared, elsewhere=elsewhere))


def _compared(trial: Any, elsewhere: Elsewhere) -> Figures:
    from grader.suite.agreement import Disagreement, assert_agrees

    calls = list(trial.book.calls.values())
    agree, differ, cannot = 0, {}, {}
    for call in calls:
        name = call.key.probe
        try:
            assert_agrees(_there(trial.reference, call, elsewhere), call.expected)
            agree += 1
        except Disagreement as disagreement:
            differ.setdefault(name, str(disagreement)[:300])
        except Exception as error:  # a probe that cannot run there is what is looked for
            cannot.setdefault(name, f"{type(error).__name__}: {error}"[:300])
    return {"calls": len(calls), "agree": agree, "differ": differ, "cannot": cannot}


def _there(reference: Any, call: Any, elsewhere: Elsewhere) -> object:
    import torch

    from grader.worker.running import seed_everything

    inputs, options = call.inputs_and_options()
    seed_everything(call.key.seed)
    with elsewhere() as device, torch.device(device), reference._modules.probing():
        values = reference.probe(call.key.probe)(reference._modules, **_moved(inputs, device), **options)
        return _on_the_processor(values)


def _moved(tree: Any, device: str) -> Any:
    """The tree with its tensors on the device, leaves as before."""
    import torch

    if isinstance(tree, torch.Tensor):
        return tree.detach().to(device).requires_grad_(tree.requires_grad)
    if isinstance(tree, Mapping):
        return {name: _moved(value, device) for name, value in tree.items()}
    return [_moved(value, device) for value in tree] if isinstance(tree, list) else tree


def _on_the_processor(tree: Any) -> Any:
    import torch

    from grader.judge.calls import detached

    if isinstance(tree, torch.Tensor):
        return tree.detach().cpu()
    if isinstance(tree, Mapping):
        return {name: _on_the_processor(value) for name, value in tree.items()}
    return [_on_the_processor(value) for value in tree] if isinstance(tree, list | tuple) else detached(tree)


def in_a_child(slug: str, made_up: str = "") -> Figures:
    """As `agreement`, in a process of its own. Raises RuntimeError with its last words."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--child", slug, "--made-up", made_up]
    done = subprocess.run(
        command, env={**os.environ, **THREADS}, capture_output=True, text=True, timeout=SUITE_SECONDS, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-600:])
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    return found


# --- trainings ----------------------------------------------------------------------------------------------------


def trained(
    folders: Folders, assignment: Assignment, trainings: Trainings, items: Sequence[str], copies: int, jobs: int
) -> Figures:
    """Grade the reference's own files `copies` times, `jobs` side by side: seconds, and each item's figures."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        found = [_handed_in(assignment, Path(place) / f"copy{number}") for number in range(copies)]
        with Engine(Order(folders=folders, seed="1", items=tuple(items), trainings=trainings)) as engine:
            started = time.perf_counter()
            graded = judge_all(engine, found, seed="1", items=tuple(items), jobs=jobs)
            seconds = time.perf_counter() - started
            seats = engine.seats
    results = {
        name: {
            "status": sorted({one.results[name].status for one in graded}),
            "message": next((one.results[name].message for one in graded if one.results[name].status != "passed"), ""),
            "seconds": max(one.results[name].seconds for one in graded),
            **_told(graded[0].results[name].figures.get(FIGURES, {})),
        }
        for name in items
    }
    return {"seconds": seconds, "seats": seats, "copies": copies, "jobs": jobs, "items": results}


def _told(figures: Any) -> Figures:
    names = ("value", "device", "gpu", "gpu_peak_mib", "gpu_steady_mib", "peak_mib", "steps_per_second")
    return {name: figures[name] for name in names if name in figures}


def _handed_in(assignment: Assignment, root: Path) -> Submission:
    lay_out(assignment, root)
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    files = {file.id: file.path for file in assignment.files if (root / file.path).is_file()}
    return Submission(key=root.name, root=root.resolve(), digest=digest_of(root), files=files)


def on(assignment: Assignment, source: Source, visible: Mapping[str, str]) -> Trainings:
    """Trainings on the GPU that these variables name."""
    data = Path(os.environ["GRADER_DATA"]) if source == "real" else None
    return replace(trainings_of(assignment, source, data, "cuda"), gpu=visible)


def training_items(assignment: Assignment, source: Source) -> list[Item]:
    """Those that can be trained on this source, the quickest first."""
    known = [item for item in assignment.items if item.training and item.training.budget(source) is not None]

    def seconds(item: Item) -> float:
        assert item.training is not None
        budget = item.training.budget(source)
        assert budget is not None
        evidence = assignment.evidence.get(item.id, {}).get(source)
        return evidence.seconds if evidence is not None else budget.seconds

    return sorted(known, key=seconds)


# --- what a process takes -----------------------------------------------------------------------------------------

HOLD = "import sys, torch; torch.ones(1, device='cuda').sum().item(); print('here', flush=True); sys.stdin.read()"


def context() -> Figures:
    """MiB on the GPU that a process takes for driver and libraries, seen from a process that has them already."""
    import torch

    torch.ones(1, device="cuda").sum().item()
    before = torch.cuda.mem_get_info()[0]
    child = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        if child.stdout.readline().strip() != "here":
            raise RuntimeError("a second process cannot use the GPU")
        taken = (before - torch.cuda.mem_get_info()[0]) / (1 << 20)
    finally:
        child.communicate()
    properties = torch.cuda.get_device_properties(0)
    total = properties.total_memory >> 20
    return {"context_mib": taken, "assumed_mib": gpu.CONTEXT_MIB, "gpu": properties.name, "total_mib": total}


def doctor() -> Figures:
    """What `grader doctor` says of this machine."""
    done = subprocess.run(
        [sys.executable, "-m", "grader.cli", "doctor", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found: Figures = json.loads(done.stdout)
    return found


# --- all of it ----------------------------------------------------------------------------------------------------


class Account:
    """What was found, part by part, and how long there still is."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.figures: Figures = {}
        self._end = time.monotonic() + seconds

    def take(self, part: str, name: str, find: Callable[[], Figures]) -> None:
        """One figure; what goes wrong with it is one as well."""
        place = self.figures.setdefault(part, {})
        if time.monotonic() > self._end:
            place[name] = {"error": "no time was left", "took": 0.0}
            return
        started = time.monotonic()
        try:
            place[name] = find()
        except Exception as error:  # the others go on
            place[name] = {"error": f"{type(error).__name__}: {error}"[:600]}
        place[name]["took"] = round(time.monotonic() - started, 1)
        print(f"{part} {name}: {place[name].get('error') or 'done'} ({place[name]['took']} s)", file=sys.stderr)


Opened = Mapping[str, tuple[Folders, Assignment]]


def examine(
    account: Account, opened: Opened, visible: Mapping[str, str], only: Sequence[str], made_up: str = ""
) -> None:
    """Everything, what says most first."""
    wanted = set(only) or {"doctor", "agreement", "context", "made", "packed", "real"}
    if "doctor" in wanted:
        account.take("doctor", "machine", doctor)
    if "context" in wanted:
        account.take("context", "process", context)
    if "agreement" in wanted:
        for slug in opened:
            account.take("agreement", slug, partial(in_a_child, slug, made_up))
    for source in SOURCES:
        if source not in wanted or (source == "real" and not os.environ.get("GRADER_DATA")):
            continue
        for slug, (folders, assignment) in opened.items():
            # One on real data is enough to see that it arrives.
            if chosen := training_items(assignment, source)[: None if source == "made" else 1]:
                names = [item.id for item in chosen]
                trainings = on(assignment, source, visible)
                account.take(source, slug, partial(trained, folders, assignment, trainings, names, 1, 1))
                if source == "real":
                    break
    if "packed" in wanted:
        slug, (folders, assignment) = next((s, o) for s, o in opened.items() if training_items(o[1], "made"))
        quickest = [training_items(assignment, "made")[0].id]
        packed = partial(trained, folders, assignment, on(assignment, "made", visible), quickest, PACKED)
        for jobs in (1, PACKED):
            account.take("packed", f"{slug}, {jobs} at a time", partial(packed, jobs))


def table(figures: Figures) -> list[str]:
    """The rows for docs/measurements.md."""
    rows = ["| part | what | found | seconds |", "|---|---|---|---|"]
    for part, found in figures.items():
        rows += [f"| {part} | {name} | {_words(part, figure)} | {figure['took']} |" for name, figure in found.items()]
    return rows


def _words(part: str, figure: Figures) -> str:
    if "error" in figure:
        return f"**{figure['error'].splitlines()[-1] if figure['error'] else 'failed'}**"
    if part == "agreement":
        apart = "".join(f"; {word}: {', '.join(figure[word])}" for word in ("differ", "cannot") if figure[word])
        return f"{figure['agree']} of {figure['calls']} calls agree{apart}"
    if part == "context":
        return f"{figure['context_mib']:.0f} MiB ({figure['assumed_mib']} assumed) on {figure['gpu']}"
    if part == "doctor":
        return str(figure.get("level", "told"))
    told = ", ".join(
        f"{name} {'/'.join(item['status'])}, {item.get('gpu_peak_mib', 0):.0f} MiB"
        for name, item in figure["items"].items()
    )
    took = f"{figure['copies']} in {figure['seconds']:.1f} s, {figure['jobs']} at a time"
    return f"{took} (room for {figure['seats']}): {told}"


def _child(slug: str, made_up: str) -> None:
    elsewhere = importlib.import_module(made_up).pretending if made_up else on_the_gpu
    print("\n" + json.dumps(agreement(open_assignment(slug, None)[0], elsewhere)))


def main() -> None:
    """Examine the GPU of this machine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slugs", nargs="*")
    parser.add_argument("--json", type=Path, default=Path("gpu.json"))
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--child", default="")
    parser.add_argument("--made-up", default="")
    asked = parser.parse_args()
    if asked.child:
        _child(asked.child, asked.made_up)
        return
    visible = gpu.chosen(os.environ) if gpu.nodes() else {}
    if not visible:
        sys.exit("there is no NVIDIA GPU here (/dev/nvidia0), or CUDA_VISIBLE_DEVICES hides it: nothing to measure")
    account = Account()
    try:
        examine(
            account, {slug: open_assignment(slug, None) for slug in asked.slugs or known_slugs()}, visible, asked.only
        )
    finally:
        asked.json.write_text(json.dumps({"machine": machine(["torch"]), **account.figures}, indent=1) + "\n")
    print("\n".join([*machine(["torch"]), *table(account.figures)]))


if __name__ == "__main__":
    main()
