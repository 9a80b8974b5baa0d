"""Scoring and looking at a class that never was: time, memory and size of what works on stored results alone.

    python -m benchmarks.course [SUBMISSIONS] [--assignment SLUG] [--without-trainings] [--rounds N]

The results are drawn, not judged: every item of the assignment, known mistakes, trainings with their curves. Each
figure is that of the call, in a process of its own, that took the least processor time.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measuring import THREADS
from grader.assignment.assignment import Assignment, Item
from grader.assignment.locate import assignment_folders
from grader.assignment.manifest import load
from grader.course import people
from grader.model import CheckResult, Person, Submission, Violation
from grader.reports.files import SCORED
from grader.results.journal import Journal

FIRST = ("Ada", "Ben", "Chidi", "Dana", "Elif", "Farid", "Grace", "Hana", "Ivo", "Jun")
LAST = ("Abebe", "Berg", "Chen", "Diaz", "Eriksen", "Fischer", "Gupta", "Haddad", "Ito", "Jansen", "Kim")
HINTS = ("the scores are dot products: the division by the norms is missing", "the gates are in another order", "")


def simulate(folder: Path, assignment: Assignment, count: int, *, trainings: bool = True) -> None:
    """A results folder of `count` submissions, and course.yaml with a roster that is a little longer beside it."""
    draw = random.Random(7)
    everybody = [
        Person(
            key=str(20000 + number),
            name=f"{draw.choice(FIRST)} {draw.choice(LAST)} {number}",
            email=f"s{number}@example.edu",
            person_id=str(900000 + number),
        )
        for number in range(count + count // 40 + 1)
    ]
    folder.mkdir(parents=True)
    due = "2024-04-01T08:00:00-04:00"
    rows = [f"{one.person_id},{one.name},{one.email}" for one in everybody]
    (folder.parent / "roster.csv").write_text("\n".join(["id,name,email", *rows]) + "\n")
    (folder.parent / "course.yaml").write_text(
        f'roster: roster.csv\nassignments:\n  {assignment.slug}:\n    due: "{due}"\n    per_day: {{percent: 10}}\n'
    )
    people.write(everybody[:count], folder / "people.csv")
    items = [item for item in assignment.items if item.kind == "automatic" and (trainings or item.training is None)]
    hard = {item.id: draw.uniform(0.02, 0.5) for item in items}
    with Journal(folder, assignment.slug) as journal:
        journal.start_run(assignment.slug, "5eed", {"grader": "0.1.0", "torch": "2.13.0"})
        for one in everybody[:count]:
            able = draw.uniform(0, 1)
            when = f"2024-0{draw.choice(('3-31', '3-31', '3-31', '4-01', '4-02'))}T{draw.randrange(10, 24)}:15:00-04:00"
            digest, files = f"{one.key:0>64}", {file.id: file.path for file in assignment.files}
            journal.submission(
                Submission(key=one.key, root=folder, digest=digest, files=files, people=(one,), submitted_at=when)
            )
            for item in items:
                journal.result(one.key, result_of(item, hard[item.id], able, draw, items.index(item) == 3), "stamp")
            if assignment.rules and draw.random() < 0.05:
                rule = draw.choice(assignment.rules)
                journal.violation(one.key, Violation(rule=rule.id, message="it is used", file="a.py", line=3))
            journal.finished(one.key, {"level": "standard"}, draw.uniform(0.5, 2))


def result_of(item: Item, hard: float, able: float, draw: random.Random, ours: bool) -> CheckResult:
    """One drawn result; `ours`: most fail in one way, as they would if the check were wrong."""
    if item.training is not None:
        return training_of(item, able, draw)
    seconds = draw.uniform(0.005, 0.05)
    if able < 0.05 and draw.random() < 0.6:
        return CheckResult(item=item.id, status="not_attempted", message="Not implemented yet.", seconds=seconds)
    if draw.random() > (0.8 if ours else hard * (1.4 - able)):
        return CheckResult(item=item.id, status="passed", credit=1.0, seconds=seconds)
    kind = 0 if ours else draw.choice((0, 1, 2, 2))
    value = draw.uniform(0, 1) if kind == 2 else 0.398849
    message = (
        f"out differs in 40 of 120 entries (33%).\nGreatest difference 0.0713 at (2, 0, 5): {value:.6g} where 0.341 is "
        "expected; allowed is 2.9e-05.\nShape (3, 8, 5), torch.float32."
    )
    return CheckResult(
        item=item.id, status="failed", reason="values differ", message=message, hint="" if ours else HINTS[kind],
        seconds=seconds, case="Case(batch=2, time=3, seed=0)",
    )  # fmt: skip


def training_of(item: Item, able: float, draw: random.Random) -> CheckResult:
    """A training with its curve and a figure around the threshold."""
    training = item.training
    assert training is not None
    goal = training.made.full or 0.5
    steps = range(1, 201)
    value = goal * (draw.gauss(1.1, 0.05) if training.higher_is_better else draw.gauss(0.9, 0.1))
    shape = [math.exp(-step / 40) * (1 + 0.05 * draw.random()) for step in steps]
    curve = [
        [step, {"loss": (math.log(max(value, 1.01)) if value > 1 else 0.3) + 3 * part}]
        for step, part in zip(steps, shape, strict=True)
    ]
    figures = {
        "counts": True, "source": "made", "metric": training.metric, "counted": training.counted, "value": value,
        "runs": [value], "way": "retrained", "device": "cpu", "steps": 200, "budget": 200, "seconds": 20 + 10 * able,
        "evaluation_seconds": 0.5, "peak_mib": draw.uniform(300, 600), "steady_mib": 290.0, "curve": curve,
    }  # fmt: skip
    return CheckResult(item=item.id, status="passed", credit=1.0, figures={"training": figures}, seconds=20 + 10 * able)


SCORES = (
    "import sys, time; from pathlib import Path; from grader.commands.shared import open_assignment; "
    "from grader.run.scores import scores_of; assignment = open_assignment(sys.argv[2], None)[1]; "
    "begin = time.process_time(); scores_of(Path(sys.argv[1]), assignment); print(time.process_time() - begin)"
)


def measured(rounds: int, folder: Path, *command: str) -> tuple[float, float, float]:
    """Seconds by the clock and of processor time, and MiB: of the best of several calls of Python.

    Before each every file of results has another text, and nothing is kept, as after a changed weight: what a scoring
    keeps is of other points then, and a file that has its own text would stay.
    """
    found = []
    for _ in range(rounds):
        (folder / SCORED).unlink(missing_ok=True)
        for path in (*folder.glob("*/*.json"), *folder.rglob("*.html")):
            path.write_text("another text")
        begin = time.perf_counter()
        process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{command} ended with {status}")
        found.append((time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024))
    return min(found, key=lambda entry: entry[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("submissions", type=int, nargs="?", default=400)
    parser.add_argument("--assignment", default="cs7643_a4")
    parser.add_argument("--without-trainings", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    os.environ.update(THREADS)
    assignment = load(assignment_folders(given.assignment))
    with tempfile.TemporaryDirectory(prefix="grader-class-") as place:
        folder, course = Path(place) / "grades", Path(place) / "course.yaml"
        simulate(folder, assignment, given.submissions, trainings=not given.without_trainings)
        size = (folder / "journal.jsonl").stat().st_size / 2**20
        what = f"{given.submissions} submissions, {len(assignment.items)} items of {assignment.slug}"
        print(f"{what}, {size:.1f} MiB of journal", flush=True)
        grader = ("-m", "grader.cli")
        score = ("score", str(folder), "--course", str(course))
        for name, words in (
            ("score --no-pages", (*score, "--no-pages")),
            ("score", score),
            ("class", ("class", str(folder))),
        ):
            wall, processor, memory = measured(given.rounds, folder, *grader, *words)
            print(f"grader {name}: {wall:.1f} s, {processor:.2f} s of processor time, {memory:.0f} MiB", flush=True)
        scores = [
            float(subprocess.check_output([sys.executable, "-c", SCORES, str(folder), assignment.slug]))
            for _ in range(given.rounds)
        ]
        print(f"the scores alone: {min(scores):.2f} s of processor time")
        print(f"class.html: {(folder / 'class.html').stat().st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
