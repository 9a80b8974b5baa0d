"""The ways to run the grader on a machine of this kind, and the corpus of attacks under each.

`profiles.py [NAME…]` runs the corpus, or what is named, and prints what came of it.

As root the first four can be had on one machine: a default container's root is root with fewer capabilities, a
container's user is one without privileges or name spaces. The others are an engine's containers with the grader's
image in them, where one answers or can be started: as a platform starts them, and as `grade --container` does.
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
from typing import Any

import grader

HERE = Path(__file__).parent
USER = 54_321
CAPABILITIES = (
    "chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw sys_chroot mknod audit_write"
)
PROFILES = ("root", "user", "root in a container", "user in a container")
DEFAULT, HARDENED = IN_AN_ENGINE = ("an engine's default container", "an engine's hardened container")
# What is not defended, and why: without mounts a folder has no size, only its files have.
NOT_DEFENDED: Mapping[str, tuple[str, ...]] = {
    "fills_its_folder": (*PROFILES[2:], *IN_AN_ENGINE),
    "makes_many_files": (*PROFILES[2:], *IN_AN_ENGINE),
}
PYTHON = ["/opt/venv/bin/python", "-P"]  # of the grader's image
INSIDE = "/attacks"
SECONDS = 1200


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


def attacked(profile: str, names: Sequence[str] = ()) -> dict[str, Any]:
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
            command, env=environment(), capture_output=True, text=True, timeout=SECONDS, check=False, cwd="/"
        )
        if done.returncode:
            raise RuntimeError(f"the corpus cannot be run as {profile}:\n{done.stderr[-3000:]}")
        return json.loads(done.stdout)


def attacked_in(host: str, image: str, profile: str, names: Sequence[str] = ()) -> dict[str, Any]:
    """As `attacked`, in a container that the engine at this address makes of the grader's image."""
    import docker

    client = docker.DockerClient(base_url=host, timeout=SECONDS)
    try:
        wanted = {**_container(profile, image, names), "entrypoint": PYTHON}
        container = client.containers.create(**wanted)
        try:
            container.start()
            code = container.wait()["StatusCode"]
            said, errors = (container.logs(stdout=out, stderr=not out).decode() for out in (True, False))
        finally:
            container.remove(force=True, v=True)
    finally:
        client.close()
    if code:
        raise RuntimeError(f"the corpus cannot be run in {profile}:\n{errors[-3000:]}")
    return json.loads(said)


def _container(profile: str, image: str, names: Sequence[str]) -> dict[str, Any]:
    """The arguments that create it."""
    from grader.container.box import OUT, Box, create_arguments

    if profile == HARDENED:
        box = Box(
            image=image,
            command=(f"{INSIDE}/corpus.py", f"{OUT}/world", *names),
            reads={INSIDE: HERE},
            writes={},
            memory_mib=2560,
            jobs=1,
            processors=1,
            files_mib=512,
        )
        return create_arguments(box)
    command = [f"{INSIDE}/corpus.py", "/autograder/world", *names]
    mounts = {str(HERE): {"bind": INSIDE, "mode": "ro"}}
    return {"image": image, "command": command, "user": "0", "volumes": mounts}


def successes(profile: str, told: Mapping[str, Any]) -> dict[str, str]:
    """The attacks that reached something and are not named as not defended, with what they reached."""
    outcomes: Mapping[str, Mapping[str, str]] = told["outcomes"]
    return {
        name: outcome["reached"]
        for name, outcome in outcomes.items()
        if outcome["reached"] and not name.startswith("control_") and profile not in NOT_DEFENDED.get(name, ())
    }


def everywhere(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What came of it under every profile that can be had here; of the others, it is said why they cannot."""
    told: dict[str, dict[str, Any]] = {}
    for profile in PROFILES:
        try:
            told[profile] = attacked(profile, names)
        except Unavailable as why:
            sys.stdout.write(f"{profile}: not run, {why}\n")
    sys.path.append(str(HERE.parent / "containers"))
    from engines import Missing, an_engine, image_of_the_grader

    try:
        with an_engine() as engine:
            image = image_of_the_grader(engine)
            told |= {profile: attacked_in(engine.host, image, profile, names) for profile in IN_AN_ENGINE}
    except Missing as why:
        sys.stdout.write(f"{', '.join(IN_AN_ENGINE)}: not run, {why}\n")
    return told


def main(names: Sequence[str]) -> int:
    """Run the corpus, or what is named, under every profile that can be had here, and print what came of it.

    1 when an attack succeeds or something is left.
    """
    from corpus import attacks

    told = everywhere(names)
    for attack in attacks():
        if attack.name not in (names or {attack.name}):
            continue
        ends = [found["outcomes"][attack.name] for found in told.values()]
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
