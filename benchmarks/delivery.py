"""What is handed out, and what it costs where it runs: kits, bundles, and the container. Linux only.

    python -m benchmarks.delivery [--rounds 5] [--image dl-grader:cpu] [slug ...]

For each assignment: the size of its kit (without the wheel) and of its Gradescope bundle, and the kit's self-check of
the reference against `grader check` of the same items in the repository, as a student starts both, in paired rounds.

With `--image` (and an engine that answers at DOCKER_HOST) also: one more submission of a batch in a container against
the host, the time from the container's start to the first result in its journal and what importing torch takes there,
and one submission as Gradescope runs it: root, half a processor, 768 MiB, from the bundle's recording.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.measuring import machine, run, spread
from grader.commands.shared import open_assignment
from grader.proof.reference import lay_out

FIVE = ("cs7643_a4", "ift6135_a2", "mldl1_hw4", "ece046211_hw3", "cs4644_hw3")
GRADER = (sys.executable, "-P", "-m", "grader.cli")
PYTHON = "/opt/venv/bin/python"  # of the image
FEW, MANY = 2, 10
ROOT = Path(__file__).resolve().parents[1]
AT_HOME = {"GRADER_ASSIGNMENTS": str(ROOT)}


def reference(slug: str, folder: Path) -> Path:
    """The reference as a student would hand it in."""
    lay_out(open_assignment(slug, ROOT)[1], folder)
    return folder


def mib(path: Path, but: str = "") -> float:
    """The size of a zip's files as they lie in it."""
    with zipfile.ZipFile(path) as archive:
        return (
            sum(entry.compress_size for entry in archive.infolist() if not but or not entry.filename.endswith(but))
            / 2**20
        )


def kit_row(slug: str, folder: Path, rounds: int) -> str:
    """Sizes of kit and bundle, and the kit's check against the repository's."""
    bundle, kit = folder / "bundle.zip", folder / "kit.zip"
    run([*GRADER, "bundle", slug, "--for", "gradescope", "--out", bundle], more=AT_HOME, cwd=folder)
    run([*GRADER, "kit", slug, "--out", kit], more=AT_HOME, cwd=folder)
    with zipfile.ZipFile(kit) as archive:
        archive.extractall(folder)
    work = reference(slug, folder / "reference")
    check = [sys.executable, folder / f"{slug}-kit" / "check.py", work]
    shown = [item.id for item in open_assignment(slug, ROOT)[1].items if item.id in open_assignment(slug, ROOT)[1].kit]
    at_home = [*GRADER, "check", slug, work, *(word for item in shown for word in ("--only", item))]
    pairs = [(run(check, cwd=folder)[0], run(at_home, more=AT_HOME, cwd=folder)[0]) for _ in range(rounds + 1)][1:]
    wall = spread([kit.wall for kit, _ in pairs])
    ratio = spread([kit.processor / home.processor for kit, home in pairs])
    sizes = f"{mib(kit, '.whl'):.2f} | {mib(bundle):.2f}"
    return f"| `{slug}` | {sizes} | {len(shown)} | {wall.shown(1)} | {ratio.shown()} |"


def batch(
    slug: str, folder: Path, more: Sequence[str], count: int, watch: Callable[[int], None] = lambda pid: None
) -> float:
    """Seconds that grading `count` copies of the reference takes, with a recording at hand."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    paths = [folder / f"student{number}" for number in range(count)]
    command = [
        *GRADER,
        "grade",
        slug,
        *paths,
        "--out",
        out,
        "--seed",
        "delivery",
        "--jobs",
        "1",
        "--training",
        "off",
        *more,
    ]
    return run(command, more=AT_HOME, cwd=folder, watch=watch)[0].wall


def first_result(slug: str, folder: Path, inside: Sequence[str]) -> float:
    """Seconds from the container's start, seen from outside, to the first result in its journal."""
    moments: list[float] = []
    journal = folder / "out" / ".container" / "journal.jsonl"

    def watch(_: int) -> None:
        running = ["docker", "ps", "--quiet", "--filter", "label=dl-grader.run"]
        if not moments:
            seen = bool(subprocess.run(running, capture_output=True, check=True).stdout)
        else:
            seen = len(moments) == 1 and '"kind":"result"' in journal.read_text(encoding="utf-8")
        if seen:
            moments.append(time.perf_counter())

    batch(slug, folder, inside, FEW, watch)
    return moments[1] - moments[0]


def container_rows(slug: str, image: str, folder: Path, rounds: int) -> list[str]:
    """One more submission in a warm container over the host's."""
    first = reference(slug, folder / "student0")
    for number in range(1, MANY):
        shutil.copytree(first, folder / f"student{number}")
    inside = ["--container", "--image", image]
    batch(slug, folder, [], FEW)  # the recording is at hand afterwards
    found = []
    firsts = spread([first_result(slug, folder, inside) for _ in range(rounds)])
    torch = "import time; began = time.perf_counter(); import torch; print(time.perf_counter() - began)"
    command = ["docker", "run", "--rm", "--network", "none", "--entrypoint", PYTHON, image, "-c", torch]
    torches = spread([float(run(command, cwd=folder)[1]) for _ in range(rounds)])
    for _ in range(rounds):
        seconds = {
            (where, count): batch(slug, folder, more, count)
            for where, more in (("host", []), ("container", inside))
            for count in (FEW, MANY)
        }
        more_of = {where: seconds[where, MANY] - seconds[where, FEW] for where in ("host", "container")}
        found.append((more_of["container"] / more_of["host"], seconds["container", FEW] - seconds["host", FEW]))
    ratio, longer = spread([ratio for ratio, _ in found]), spread([extra for _, extra in found])
    return [
        f"one more submission of `{slug}` in a warm container, over the host: {ratio.shown()}",
        f"a whole run of {FEW} in a container, beyond the host's: {longer.shown(1)} s",
        f"container's start to first result: {firsts.shown(1)} s, importing torch there: {torches.shown(1)} s",
    ]


def gradescope_rows(slug: str, image: str, folder: Path, rounds: int) -> list[str]:
    """One submission from the bundle, as the platform's smallest container runs it."""
    bundle, source = folder / "bundle.zip", folder / "source"
    run([*GRADER, "bundle", slug, "--for", "gradescope", "--out", bundle], more=AT_HOME, cwd=folder)
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(source)
    submission = reference(slug, folder / "submission")
    mounts = [f"{source}:/autograder/source:ro", f"{submission}:/autograder/submission:ro"]
    script = f"mkdir -p /autograder/results; {PYTHON} -P -m grader.platforms gradescope /autograder/source; "
    script += "cat /sys/fs/cgroup/memory.peak /sys/fs/cgroup/memory/memory.max_usage_in_bytes 2>/dev/null; "
    script += "sed -n 's/usage_usec //p' /sys/fs/cgroup/cpu.stat 2>/dev/null || "
    script += "expr $(cat /sys/fs/cgroup/cpuacct/cpuacct.usage) / 1000; "
    script += f'{PYTHON} -c \'import json; print(json.load(open("/autograder/results/results.json"))["score"])\''
    command = ["docker", "run", "--rm", "--network", "none", "--user", "0", "--memory", "768m", "--cpus", "0.5"]
    command += [word for mount in mounts for word in ("--volume", mount)]
    told = [run([*command, "--entrypoint", "/bin/sh", image, "-c", script], cwd=folder) for _ in range(rounds + 1)][1:]
    torch = [*command, "--entrypoint", PYTHON, image, "-c", "import torch"]
    bare = [run(torch, cwd=folder)[0].wall for _ in range(rounds)]
    last = [text.split()[-3:] for _, text in told]
    used = spread([int(micros) / 1e6 for _, micros, _ in last])
    peak, _, score = last[-1]
    memory = f", {int(peak) / 2**20:.0f} MiB at most" if peak.isdigit() else ""
    seconds = spread([cost.wall for cost, _ in told]).shown(1)
    return [
        f"one submission of `{slug}` at half a processor and 768 MiB: {seconds} s{memory}, score {score}; "
        f"{used.shown(1)} s of a processor; "
        f"of that, starting the container and importing torch: {spread(bare).shown(1)} s"
    ]


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slugs", nargs="*", default=FIVE)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--image")
    arguments = parser.parse_args()
    print("\n".join(machine(("torch", "numpy"))))
    print("| assignment | kit, MiB | bundle, MiB | items in the kit | kit's check, s | processor, over `check` |")
    print("|---|---|---|---|---|---|")
    for slug in arguments.slugs:
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            print(kit_row(slug, Path(folder).resolve(), arguments.rounds), flush=True)
    if arguments.image:
        for rows in (container_rows, gradescope_rows):
            with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
                folder = Path(name).resolve()
                folder.chmod(0o755)
                print("\n".join(rows(arguments.slugs[0], arguments.image, folder, arguments.rounds)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
