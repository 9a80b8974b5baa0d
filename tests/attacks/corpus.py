"""Runs the corpus of attacks in workers of this machine, as whoever runs it: `corpus.py FOLDER [NAME…]` prints JSON.

Each attack has a worker of its own. It succeeds when it says that it reached its goal, or when something outside has
changed: the results file, the secret, the submission, another process, the zygote, the folder for temporary files.
"""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from grader.assignment.assignment import Limits
from grader.errors import SandboxError
from grader.model import Raised, Values
from grader.sandbox.base import Process, Site, ask, request_tree
from grader.sandbox.launch import start_zygote
from grader.sandbox.linux import LinuxSandbox
from grader.worker.loading import FileSpec

HERE = Path(__file__).parent
HOSTILE = Limits(wall_seconds=2.0, cpu_seconds=0.6, memory_mib=256, output_kib=64)
HONEST = Limits(wall_seconds=60.0, cpu_seconds=10.0, memory_mib=256, output_kib=64)
NEEDLE = "held out and never sent"
MODULES = ["concurrent.futures.thread", "subprocess", "socket", "multiprocessing.synchronize"]


@dataclass(frozen=True)
class Attack:
    """One entry of snippets.txt."""

    name: str
    family: str
    title: str
    code: str


def attacks() -> list[Attack]:
    """The corpus, in the order of the file."""
    text = (HERE / "snippets.txt").read_text(encoding="utf-8")
    heads = list(re.finditer(r"^### (\w+) \| (\w+) \| (.+)$", text, re.MULTILINE))
    ends = [*(head.start() for head in heads[1:]), len(text)]
    return [Attack(*head.groups(), text[head.end() : end].strip()) for head, end in zip(heads, ends, strict=True)]


class World:
    """What attacks aim at, and whether it is still as it was."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "submission"
        self.root.mkdir(parents=True)
        for name, mode, text in (("secret", 0o600, NEEDLE), ("public", 0o644, NEEDLE), ("results.json", 0o644, "[]")):
            (folder / name).write_text(text)
            (folder / name).chmod(mode)
        (self.root / "m.py").write_text("")
        (self.root / "never read").write_bytes(bytes(1 << 16))
        os.sync()  # else nothing takes its pages out of memory
        for path, mode in ((folder, 0o755), (self.root, 0o755), *((path, 0o644) for path in self.root.iterdir())):
            path.chmod(mode)
        self.victim = subprocess.Popen(["sleep", "3600"])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.abstract = socket.socket(socket.AF_UNIX)
        self.abstract.bind("\0dl-grader-" + folder.name)
        self.abstract.listen()
        self.before = self.state()

    def told(self, zygote: int) -> dict[str, object]:
        """What an attack is told."""
        folder = str(self.folder)
        return {
            "folder": folder,
            "secret": f"{folder}/secret",
            "public": f"{folder}/public",
            "results": f"{folder}/results.json",
            "code": __file__,
            "needle": NEEDLE[::-1],
            "grader": os.getpid(),
            "zygote": zygote,
            "victim": self.victim.pid,
            "port": self.listener.getsockname()[1],
            "abstract": "dl-grader-" + self.folder.name,
        }

    def state(self) -> dict[str, object]:
        """Everything that must stay as it is."""
        pid = self.victim.pid
        files = {
            str(path.relative_to(self.folder)): (path.stat().st_mode, path.stat().st_mtime, path.read_bytes())
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and ".scratch-" not in str(path)
        }
        return {
            "files": files,
            "folders": [self.folder.stat().st_mode, self.root.stat().st_mode],
            "victim": self.victim.poll(),
            "limits": resource.prlimit(pid, resource.RLIMIT_CPU) if self.victim.poll() is None else None,
            "priority": os.getpriority(os.PRIO_PROCESS, pid),
            "scheduler": (os.sched_getscheduler(pid), sorted(os.sched_getaffinity(pid))),
        }

    def damage(self) -> str:
        """What has changed; "" for nothing."""
        before, self.before = self.before, self.state()
        return ", ".join(name for name, value in before.items() if self.before[name] != value)

    def close(self) -> None:
        self.victim.kill()
        self.victim.wait()
        self.listener.close()
        self.abstract.close()


class Range:
    """Where attacks take place: a zygote, a world, and the judge's side of the conversation."""

    def __init__(self, world: World) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the range
        self.zygote = start_zygote(theirs, HERE / "suite", self._errors)
        theirs.close()
        self.world, self.sandbox = world, LinuxSandbox(ours)
        self.sandbox.wait_until_ready()
        self.sandbox.preload(MODULES)
        self.site = Site(root=world.root, files=(FileSpec(id="m", path="m.py", expected="m.py"),))
        self.last: Process | None = None  # held like one that has predicted, while another examines

    def attempt(self, attack: Attack) -> dict[str, str]:
        """What came of it: `reached` (a goal, or damage), and `how` it ended."""
        limits = HONEST if attack.family == "control" else HOSTILE
        inputs = {"code": attack.code, "world": self.world.told(self.zygote.pid)}
        request = request_tree(probe="attempt", inputs=inputs, options={}, seed=0)
        try:
            process = self.sandbox.start(self.site, limits)
        except SandboxError as error:
            return {"reached": "no worker could be had any more", "how": str(error)[-300:]}
        found = ask(process, "run", request, limits)
        process.kill()
        process.ending()
        self.last = process
        goal = str(found.values.get("goal", "")) if isinstance(found, Values) else ""
        return {"reached": goal or self.world.damage(), "how": _how(found)}

    def leftovers(self) -> int:
        """Processes that the zygote has beside the worker that waits, when it had time to clear away."""
        deadline = time.monotonic() + 30.0
        while (count := len(_children(self.zygote.pid))) > 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        return count - 1

    def close(self) -> None:
        self.last = None
        self.sandbox.close()
        self.zygote.wait(30)
        self._errors.close()


def _how(found: object) -> str:
    if isinstance(found, Raised):
        code = re.match(r"\[Errno (\d+)\]", found.message)
        return f"{found.kind} {errno.errorcode.get(int(code[1]), '')}".strip() if code else found.kind
    return f"{type(found).__name__} {getattr(found, 'how', '') or getattr(found, 'what', '')}".strip()[:100]


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def main(folder: Path, names: Sequence[str]) -> None:
    """Run everything, or what is named, and print what came of it."""
    world = World(folder)
    place = Range(world)
    try:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        outcomes = {
            attack.name: place.attempt(attack) for attack in attacks() if attack.name in (names or {attack.name})
        }
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
        left = sorted(path.name for path in folder.rglob(".scratch-*"))
        told = {"outcomes": outcomes, "leftovers": place.leftovers(), "grown_mib": grown, "folders": left}
        json.dump({**told, "protections": dict(place.sandbox.protections)}, sys.stdout)
    finally:
        place.close()
        world.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
