"""The ways to run the grader on a machine of this kind, and the corpus of attacks under each.

`profiles.py [NAME…]` runs the corpus, or what is named, and prints what came of it.

As root all four can be had on one machine. A default container's root is root with fewer capabilities, a hardened
container's user is a user without privileges or name spaces; the engines add to that, and take nothing away.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import grader

HERE = Path(__file__).parent
USER = 54_321
CAPABILITIES = (
    "chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw sys_chroot mknod audit_write"
)
PROFILES = ("root", "user", "root in a container", "user in a container")
# What is not defended, and why: without mounts a folder has no size, only its files have.
NOT_DEFENDED: Mapping[str, tuple[str, ...]] = {
    "fills_its_folder": ("root in a container", "user in a container"),
    "makes_many_files": ("root in a container", "user in a container"),
}


class Unavailable(Exception):
    """The profile cannot be had here; says why."""


def prefix(profile: str, home: Path) -> list[str]:
    """The command that runs Python, with arguments to follow, under a profile. Raises Unavailable.

    `home` is an empty folder where another user can find this interpreter.
    """
    if os.geteuid() != 0:
        if profile != "user":
            raise Unavailable("needs root to be set up")
        return [sys.executable]
    if profile == "root":
        return [sys.executable]
    for tool in ("unshare", "setpriv", "mount"):
        if shutil.which(tool) is None:
            raise Unavailable(f"needs {tool}")
    if profile == "root in a container":
        capabilities = ",".join(["-all", *(f"+{name}" for name in CAPABILITIES.split())])
        return ["setpriv", f"--bounding-set={capabilities}", sys.executable]
    return as_user(home, () if profile == "user" else (str(HERE / "without_namespaces.py"),))


def as_user(home: Path, first: tuple[str, ...] = ()) -> list[str]:
    """The command that runs Python as an ordinary user who can read this interpreter. Raises Unavailable."""
    home.chmod(0o755)
    base = Path(sys.base_prefix)
    python = home / Path(os.path.realpath(sys.executable)).relative_to(base)
    probe = subprocess.run(["unshare", "-m", "mount", "--bind", str(base), str(home)], check=False, capture_output=True)
    if probe.returncode:
        raise Unavailable("cannot mount this interpreter where another user could read it")
    ids = f"--reuid {USER} --regid {USER} --clear-groups"
    script = f'mount --bind {base} {home} && cd / && exec setpriv {ids} {python} "$@"'
    return ["unshare", "-m", "sh", "-c", script, "sh", *first]


def environment() -> dict[str, str]:
    """Where the grader, torch and this folder lie, for any interpreter."""
    torch = importlib.util.find_spec("torch")
    assert torch is not None
    paths = [Path(grader.__file__).parent.parent, Path(str(torch.origin)).parent.parent]
    settings = {"PYTHONPATH": os.pathsep.join(map(str, paths)), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    return {**settings, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}


def attacked(profile: str, names: Sequence[str] = ()) -> dict[str, object]:
    """What came of the corpus, or of some of it, under a profile (see `corpus.main`). Raises Unavailable."""
    with tempfile.TemporaryDirectory(prefix="attacks-") as place:
        folder, home = Path(place, "world"), Path(place, "python")
        for path in (folder, home, Path(place)):
            path.mkdir(exist_ok=True)
            path.chmod(0o755)
        command = prefix(profile, home)
        if os.geteuid() == 0 and profile.startswith("user"):
            os.chown(folder, USER, USER)
        command = [*command, str(HERE / "corpus.py"), str(folder), *names]
        done = subprocess.run(
            command, env=environment(), capture_output=True, text=True, timeout=1200, check=False, cwd="/"
        )
        if done.returncode:
            raise RuntimeError(f"the corpus cannot be run as {profile}:\n{done.stderr[-3000:]}")
        return json.loads(done.stdout)  # type: ignore[no-any-return]


def successes(profile: str, told: Mapping[str, object]) -> dict[str, str]:
    """The attacks that reached something and are not named as not defended, with what they reached."""
    outcomes: Mapping[str, Mapping[str, str]] = told["outcomes"]  # type: ignore[assignment]
    return {
        name: outcome["reached"]
        for name, outcome in outcomes.items()
        if outcome["reached"] and not name.startswith("control_") and profile not in NOT_DEFENDED.get(name, ())
    }


def main(names: Sequence[str]) -> int:
    """Run the corpus, or what is named, under every profile that can be had here, and print what came of it.

    1 when an attack succeeds or something is left.
    """
    from corpus import attacks

    told = {}
    for profile in PROFILES:
        try:
            told[profile] = attacked(profile, names)
        except Unavailable as why:
            sys.stdout.write(f"{profile}: not run, {why}\n")
    for attack in attacks():
        if attack.name not in (names or {attack.name}):
            continue
        ends = [told[profile]["outcomes"][attack.name] for profile in told]  # type: ignore[index]
        cells = [f"REACHED {end['reached']}" if end["reached"] else end["how"] for end in ends]
        sys.stdout.write(" | ".join([attack.family, attack.name, *(f"{cell:.40}" for cell in cells)]) + "\n")
    for profile, found in told.items():
        sys.stdout.write(
            f"{profile}: {len(successes(profile, found))} reached, {found['leftovers']} processes and "
            f"{len(found['folders'])} folders left, {found['protections']}\n"
        )
    left = any(found["leftovers"] or found["folders"] for found in told.values())
    return int(left or any(successes(profile, found) for profile, found in told.items()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
