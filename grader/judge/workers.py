"""The worker of a submission: started when it is first needed, replaced when it died or when a virgin one is wanted."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from grader.assignment.assignment import Limits
from grader.errors import SandboxError
from grader.model import Observation
from grader.sandbox.base import Process, Sandbox, Site, ask
from grader.sandbox.missing import missing_module
from grader.wire.frames import Encoded

MISSING_MODULES = 6  # lazily imported modules come in chains; more than this is not an oversight of the zygote
A_RUN = ""  # beside the ids of files in `_Lease.past`


@dataclass
class _Lease:
    """A worker and its past: the files that it was told to load, and whether it ran a probe."""

    process: Process
    past: set[str] = field(default_factory=set)
    written: int = 0  # to its descriptors, when the present item began


class Workers:
    """The present worker of a submission."""

    def __init__(self, sandbox: Sandbox, site: Site, limits: Limits) -> None:
        self._sandbox = sandbox
        self._site = site
        self._limits = limits
        self._lease: _Lease | None = None

    def present(self) -> Process:
        """A living worker. An infrastructure fault is retried once. Raises SandboxError."""
        return self._living().process

    def fresh(self) -> Process:
        """A worker beside the present one."""
        try:
            return self._sandbox.start(self._site, self._limits)
        except SandboxError:
            time.sleep(0.2)
            return self._sandbox.start(self._site, self._limits)

    def renew(self) -> None:
        """Let go of the present worker."""
        if self._lease is not None:
            self._lease.process.kill()
            self._lease = None

    def is_virgin(self, file: str | None = None) -> bool:
        """Whether what comes next finds a worker without a past, but for the loading of `file`."""
        lease = self._lease
        return lease is None or lease.process.dead or lease.past <= {file}

    def move(self, site: Site) -> None:
        """Have the next worker elsewhere, such as on the GPU."""
        if site != self._site:
            self.renew()
            self._site = site

    def load(self, file: str, request: Encoded, limits: Limits) -> Observation:
        """Have a file loaded."""
        return self._ask(file, "load", request, limits, None)

    def run(self, request: Encoded, limits: Limits, wall: float | None = None) -> Observation:
        """Run a probe."""
        return self._ask(A_RUN, "run", request, limits, wall)

    def begin(self) -> None:
        """A new item: what was written to the worker's descriptors before is not its output."""
        if self._lease is not None and not self._lease.process.dead:
            self._lease.written = self._lease.process.written()

    def output(self) -> str:
        """What the present worker's descriptors received since the item began."""
        return "" if self._lease is None else self._lease.process.output(self._lease.written)

    def _living(self) -> _Lease:
        if self._lease is None or self._lease.process.dead:
            self._lease = _Lease(self.fresh())
        return self._lease

    def _ask(self, mark: str, kind: str, request: Encoded, limits: Limits, wall: float | None) -> Observation:
        """Ask the present worker; again in a new one when it missed a module that the zygote had not imported.

        All answers together have the time of one, less what the zygote needs: a submission can claim to miss a module.
        """
        deadline = time.monotonic() + (limits.wall_seconds if wall is None else wall)
        observation = self._ask_once(mark, kind, request, limits, wall)
        for _ in range(MISSING_MODULES):
            name, left = missing_module(observation), deadline + observation.notes.starved - time.monotonic()
            if name is None or left <= 0 or not self._sandbox.preload([name]):
                break
            self.renew()
            deadline = time.monotonic() + left
            observation = self._ask_once(mark, kind, request, limits, left)
        return observation

    def _ask_once(self, mark: str, kind: str, request: Encoded, limits: Limits, wall: float | None) -> Observation:
        lease = self._living()
        lease.past.add(mark)
        return ask(lease.process, kind, request, limits, wall)
