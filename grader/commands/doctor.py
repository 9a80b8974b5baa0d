"""`grader doctor`: what this machine can protect and run, found out by letting a worker attack."""

from __future__ import annotations

import json as json_module
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from grader.assignment.assignment import Limits
from grader.assignment.locate import known_slugs
from grader.commands.shared import open_assignment
from grader.container import examining
from grader.errors import EXIT_DONE, EXIT_NO, GraderError, SandboxError, UsageError
from grader.model import Observation, OutOfMemory, Raised, TimedOut, Values
from grader.platforms.budgets import in_words
from grader.sandbox import gpu
from grader.sandbox.launch import start_zygote
from grader.sandbox.level import ENOUGH, LEVELS, lacking, level_of
from grader.text import one_line

if TYPE_CHECKING:
    from grader.sandbox.base import Site
    from grader.sandbox.linux import LinuxSandbox

LIMITS = Limits(wall_seconds=6.0, cpu_seconds=1.0, memory_mib=256)
STANDARD = ("files", "changes", "network", "signals", "limits", "memory", "left memory", "processes")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One protection: whether it holds, how that was tried, and what follows when it does not."""

    protection: str
    holds: bool
    tried: str
    seen: str
    without: str


def run(as_json: bool, require: str, *, container: bool = False, image: str | None = None) -> int:
    """Examine this machine, or a container as `grade --container` starts it. Returns 1 below the level asked for."""
    if require not in LEVELS:
        raise UsageError(f"--require {require}: expected one of {', '.join(LEVELS)}")
    if container:
        inside = examining.examine(image or "")
        lines, facts = [Line(**line) for line in inside["lines"]], dict(inside["machine"])
        protections: Mapping[str, str] = dict(inside["protections"])
    else:
        (lines, protections), facts = (
            examine(),
            {**machine(), "container engine": examining.engine_in_words(), **_on_platforms()},
        )
    level = attacked_level(lines, protections)
    if as_json:
        found = {
            "level": level,
            "lines": [asdict(line) for line in lines],
            "protections": protections,
            "machine": facts,
        }
        sys.stdout.write(json_module.dumps(found, indent=2) + "\n")
    else:
        _show(lines, facts, level, [] if level == LEVELS[-1] else lacking(protections, LEVELS[-1]))
    return EXIT_DONE if LEVELS.index(level) >= LEVELS.index(require) else EXIT_NO


def _on_platforms() -> dict[str, str]:
    """What each assignment that is found from here needs of Gradescope's containers."""
    found = {}
    for slug in known_slugs(None):
        try:
            _, assignment = open_assignment(slug, None)
        except GraderError as error:
            found[f"{slug} on a platform"] = one_line(str(error), 200)
        else:
            found[f"{slug} on a platform"] = in_words(assignment)
    return found


def attacked_level(lines: list[Line], protections: Mapping[str, str]) -> str:
    """The level of the protections; weak at most where an attack that must fail did not, none where nothing runs."""
    if not any(line.protection == "honest code" and line.holds for line in lines):
        return "none"
    held = {line.protection for line in lines if line.holds}
    level = level_of(protections)
    return level if held.issuperset(STANDARD) else min(level, "weak", key=LEVELS.index)


def machine() -> dict[str, str]:
    """The facts that explain a result."""
    import platform

    import torch

    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "gpu": f"{len(gpu.nodes())} device nodes" if gpu.nodes() else "none",
        "torch for cuda": torch.version.cuda or "none",  # asking whether a GPU is available would start the driver here
        "processors": str(os.cpu_count()),
        "user": "root" if hasattr(os, "geteuid") and os.geteuid() == 0 else "ordinary",
    }


def examine() -> tuple[list[Line], Mapping[str, str]]:
    """Start a zygote and let workers try. Without Linux there is only the portable back end, which protects nothing."""
    if not sys.platform.startswith("linux"):
        text = "only the portable back end runs here"
        return [Line(protection="honest code", holds=True, tried="-", seen=text, without="-")], {}
    suite = Path(__file__).parent.parent / "sandbox" / "attacks"
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryDirectory() as folder:
        zygote = start_zygote(theirs, suite, errors)
        theirs.close()
        try:
            return _try_all(ours, Path(folder))
        finally:
            ours.close()
            zygote.wait(10.0)


def _try_all(control: socket.socket, folder: Path) -> tuple[list[Line], Mapping[str, str]]:
    from grader.sandbox.base import Site, ask, request_tree
    from grader.sandbox.linux import LinuxSandbox

    folder.chmod(0o755)
    (folder / "submission").mkdir()
    secret = folder / "secret.txt"
    secret.write_text("secret", encoding="utf-8")
    sandbox = LinuxSandbox(control)
    sandbox.wait_until_ready()
    site = Site(root=folder / "submission", files=())

    def attempt(probe: str, **inputs: object) -> Observation:
        process = sandbox.start(site, LIMITS)
        request = request_tree(probe=probe, inputs=inputs, options={}, seed=0)
        try:
            return ask(process, "run", request, LIMITS)
        finally:
            process.kill()

    with socket.create_server(("127.0.0.1", 0)) as server:
        lines = _attacks(attempt, secret, server.getsockname()[1])
    identity = sandbox.protections["identity"]
    lines.append(
        Line(
            protection="identity",
            holds=identity == "own user",
            tried="looked at the worker's user",
            seen=identity,
            without="a worker could send signals to the grader; run as root or in a container",
        )
    )
    protections = dict(sandbox.protections)
    if gpu.nodes():
        lines.append(_gpu(sandbox, site))
    return lines, protections


def _gpu(sandbox: LinuxSandbox, site: Site) -> Line:
    """Whether a confined worker can train on the GPU; a driver that answers proves nothing."""
    from grader.sandbox.base import ask, request_tree

    limits = Limits(wall_seconds=120.0, cpu_seconds=120.0, memory_mib=1024)
    try:
        process = sandbox.start(replace(site, device="cuda", gpu=gpu.chosen(os.environ)), limits)
        request = request_tree(probe="train_on_the_gpu", inputs={}, options={}, seed=0)
        observation = ask(process, "run", request, limits)
        found, holds = process.gpu, isinstance(observation, Values)
        process.kill()
    except SandboxError as error:
        return _gpu_line(False, str(error))
    seen = observation.values["detail"] if isinstance(observation, Values) else _told(observation)
    told = f"{found.name}, {found.free_mib} of {found.total_mib} MiB free" if found is not None else ""
    return _gpu_line(holds, f"{seen}; {told}; {sandbox.protections['files']}")


def _gpu_line(holds: bool, seen: str) -> Line:
    return Line(
        protection="gpu",
        holds=holds,
        tried="train a recurrent layer and a convolution in a confined worker",
        seen=seen,
        without="--device cuda cannot be used",
    )


def _attacks(attempt: Callable[..., Observation], secret: Path, port: int) -> list[Line]:
    def refused(protection: str, observation: Observation, tried: str, without: str) -> Line:
        values = observation.values if isinstance(observation, Values) else {}
        holds = values.get("reached") is False
        seen = str(values.get("detail") or ("refused" if holds else type(observation).__name__))
        return Line(protection=protection, holds=holds, tried=tried, seen=seen, without=without)

    honest = attempt("train_a_little")
    memory = attempt("allocate", mib=2 * LIMITS.memory_mib)
    clock = attempt("spin")
    return [
        Line(
            protection="honest code",
            holds=isinstance(honest, Values),
            tried="a forward and a backward pass",
            seen=str(honest.values["detail"]) if isinstance(honest, Values) else _told(honest),
            without="nothing can be graded",
        ),
        refused("files", attempt("read_outside", path=str(secret)), "read a file beside the submission",
                "hidden tests and references could be read"),
        refused("changes", attempt("empty", path=str(secret)), "empty a file beside the submission",
                "files of the grader's user could be destroyed"),
        refused("limits", attempt("limit_others", pid=os.getpid()), "set limits of the grader",
                "the grader could be ended"),
        refused("left memory", attempt("leave_memory"), "make memory that outlives the worker",
                "submissions could talk to each other"),
        refused("submission", attempt("write_inside"), "write into the submission's folder",
                "files could be left for a later part"),
        refused("network", attempt("connect", port=port), "connect to a listener on 127.0.0.1",
                "hidden inputs could be sent away"),
        refused("signals", attempt("kill_grader", pid=os.getpid()), "send a signal to the grader",
                "the grader could be killed"),
        refused("environment", attempt("environment"), "list environment variables", "secrets could be read"),
        refused("descriptors", attempt("descriptors"), "look for open descriptors", "other channels could be reached"),
        refused("processes", attempt("fork_many"), "start 500 processes", "a fork bomb could stop the machine"),
        Line(
            protection="memory",
            holds=isinstance(memory, OutOfMemory),
            tried=f"allocate {2 * LIMITS.memory_mib} MiB with {LIMITS.memory_mib} allowed",
            seen="refused" if isinstance(memory, OutOfMemory) else _told(memory),
            without="one submission could use all memory",
        ),
        Line(
            protection="clock",
            holds=isinstance(clock, TimedOut),
            tried=f"loop for ever with {LIMITS.cpu_seconds:g} s allowed",
            seen="stopped" if isinstance(clock, TimedOut) else _told(clock),
            without="one submission could stop the run",
        ),
    ]  # fmt: skip


def _told(observation: Observation) -> str:
    if isinstance(observation, Raised):
        return f"{observation.kind}: {observation.message}"[:120]
    return type(observation).__name__


def _show(lines: list[Line], facts: Mapping[str, str], level: str, missing: Sequence[str]) -> None:
    console = Console()
    table = Table("protection", "holds", "tried", "seen", "without it")
    for line in lines:
        table.add_row(line.protection, "yes" if line.holds else "NO", line.tried, line.seen,
                      "" if line.holds else line.without)  # fmt: skip
    console.print(table)
    for name, value in facts.items():
        console.print(f"{name}: {value}", highlight=False)
    for sentence in missing:
        console.print(f"missing for {LEVELS[-1]}: {sentence}", highlight=False)
    if LEVELS.index(level) < LEVELS.index(ENOUGH):
        console.print(f"below {ENOUGH}, hidden items are graded only when --only names them", highlight=False)
    console.print(f"level: {level}", highlight=False)
