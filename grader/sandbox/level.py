"""How well a worker was held back, from the facts that its confinement reported. No side effects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

LEVELS = ("none", "weak", "standard", "strict")
ENOUGH = "standard"  # for what students must not learn: see `allows_hidden`


@dataclass(frozen=True)
class Demand:
    """What a level demands of a fact, and how to get it where it is missing."""

    level: str
    fact: str
    holds: Callable[[str], bool]
    remedy: str


# What a worker says that nothing holds back.
UNPROTECTED = {
    "back end": "plain process",
    "files": "not confined",
    "network": "not cut",
    "identity": "the grader's own user",
    "memory": "not limited",
    "processes": "not limited",
    "note": "No sandbox: this runs your own code as you.",
}
DEMANDS = (
    Demand("weak", "back end", lambda word: word == "confined process",
           "grade on Linux, or with `--container`"),
    Demand("standard", "system calls", lambda word: word.startswith("a list"),
           "needs filters of system calls in the kernel, on x86-64 or aarch64"),
    Demand("standard", "files", lambda word: word not in ("", "not confined"),
           "run as root; or use a kernel with Landlock (from 5.13, `landlock` in /sys/kernel/security/lsm); or allow "
           "user name spaces (Ubuntu: an AppArmor profile for this interpreter, or "
           "kernel.apparmor_restrict_unprivileged_userns=0)"),
    Demand("standard", "memory", bool, "limits of address space"),
    Demand("strict", "system calls", lambda word: word.startswith("a list of what is allowed"),
           "a worker with a GPU has a list of what is refused"),
    Demand("strict", "identity", lambda word: word == "own user",
           "run as root, on a host or in a container that keeps SETUID and SETGID: each worker then has its own user"),
)  # fmt: skip


def level_of(facts: Mapping[str, str]) -> str:
    """The highest level whose demands, and those of the levels below it, hold."""
    missing = {demand.level for demand in DEMANDS if not demand.holds(facts.get(demand.fact, ""))}
    reached = "none"
    for level in LEVELS[1:]:
        if level in missing:
            break
        reached = level
    return reached


def lacking(facts: Mapping[str, str], level: str) -> list[str]:
    """What keeps these facts from a level, and how to get it: a sentence each."""
    wanted = LEVELS[: LEVELS.index(level) + 1]
    return [
        f"{demand.fact} ({facts.get(demand.fact) or 'none'}): {demand.remedy}"
        for demand in DEMANDS
        if demand.level in wanted and not demand.holds(facts.get(demand.fact, ""))
    ]


def allows_hidden(facts: Mapping[str, str]) -> bool:
    """Whether items that students must not see may be run without having been asked for by name."""
    return LEVELS.index(level_of(facts)) >= LEVELS.index(ENOUGH)
