"""Proof that a kit gives nothing away and judges as the suite does.

Nothing of a hidden item may be inside (its id, its sentence, its cases, the reference's answers to them), and no line
of a solution. What is right when it is graded is right with the kit; what is wrong may be seen on other cases only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.assignment.locate import Folders
from grader.assignment.manifest import MANIFEST
from grader.kit.making import WORK, fill
from grader.model import Graded, Submission
from grader.recording.shelf import read_contents, read_index
from grader.run.engine import Engine, Order, Recordings
from grader.run.grading import PUBLIC_SEED, judge_all
from grader.templates.generate import solutions_of, templates_of
from grader.templates.notebook import shown_text
from grader.templates.proofs import leaked

PRINTABLE = re.compile(rb"[ -~\n\t]{12,}")
FRAMES = ".frames"
MOST_MIB = 3  # without the wheel: students download it anew with every change of a test


def problems(
    assignment: Assignment,
    folders: Folders,
    whole: Path,
    present: Sequence[Submission],
    graded: Sequence[Graded],
    scratch: Path,
    jobs: int,
) -> tuple[list[str], str]:
    """Make the kit below `scratch` and prove it. `whole` is the recording of all items under the public seed, `graded`
    what the submissions earned in that run. Returns the problems, and what the kit lets students see."""
    kit = fill(assignment, folders, scratch / "kit")
    place = scratch / "kit"
    found = [*given_away(assignment, place, whole), *solution_lines(assignment, place), *too_large(place)]
    items = tuple(item.id for item in assignment.items if item.id in assignment.kit)
    order = Order(folders=kit, seed=PUBLIC_SEED, items=items, recordings=Recordings(given=kit.recording))
    known = {official.key: official for official in graded}
    telling = [entry for entry in present if _is_telling(known[entry.key], items)]
    judged = {entry.key: tuple(name for name in items if name in known[entry.key].results) for entry in telling}
    with Engine(order) as engine:
        at_home = judge_all(engine, telling, seed=PUBLIC_SEED, items=judged, jobs=jobs)
    pairs = [
        (each.key, name, result.status, known[each.key].results[name].status)
        for each in at_home
        for name, result in each.results.items()
    ]
    found += [
        f"{key}: {name} is {home} with the kit, and {away} when it is graded"
        for key, name, home, away in pairs
        if home != away and (away == "passed" or key == "template")
    ]
    wrong = [home for _, _, home, away in pairs if away == "failed"]
    seen = sum(home == "failed" for home in wrong)
    shown = f"the kit shows {len(items)} items, and {seen} of {len(wrong)} failures of them"
    return [f"kit: {line}" for line in found], shown


def _is_telling(graded: Graded, items: Sequence[str]) -> bool:
    """Whether the kit may judge it its own way: beside a mistake that it does not show is the reference's code."""
    whole = graded.key in ("reference", "template") or graded.key.startswith("correct-")
    return whole or any(name in graded.results and graded.results[name].status != "passed" for name in items)


def given_away(assignment: Assignment, kit: Path, whole: Path) -> Iterator[str]:
    """What the kit holds of the items that it does not show."""
    from grader.recording.contents import outlines

    index = read_index(whole)
    everything = outlines(read_contents(whole, index))
    recording = kit / "recordings" / assignment.slug
    shown = outlines(read_contents(recording, read_index(recording)))
    known = frozenset[str]().union(*shown.values())
    texts = dict(_texts(kit, assignment.slug))
    template = " ".join(_template(assignment).split())
    manifest = texts[f"test_suites/{assignment.slug}/{MANIFEST}"]
    for item in assignment.items:
        if item.id in assignment.kit:
            continue
        alone = re.compile(rf"(?<![\w.]){re.escape(item.id)}(?![\w.])")
        if not alone.search(template):  # an item may be called like the function that the template asks for
            if alone.search(manifest):
                yield f"{MANIFEST} names the hidden item {item.id}"
            yield from (f"{name} names the hidden item {item.id}" for name, text in texts.items()
                        if f'"{item.id}"' in text or f"'{item.id}'" in text)  # fmt: skip
        sentence = index.items[item.id][0] if item.id in index.items else ""
        if sentence and sentence not in template:
            yield from (f"{name} has the sentence of the hidden item {item.id}" for name, text in texts.items()
                        if sentence in " ".join(text.split()))  # fmt: skip
        if both := everything.get(item.id, frozenset()) & known:
            yield f"the recording has {len(both)} case(s) or call(s) of the hidden item {item.id}"


def solution_lines(assignment: Assignment, kit: Path) -> Iterator[str]:
    """Lines of a solution that stand neither in the template, which is proven by itself, nor in what is provided."""
    texts = {name: text for name, text in _texts(kit, assignment.slug) if "/provided/" not in name}
    template = _template(assignment)
    for path, source in solutions_of(assignment).items():
        public = {line for line, _ in leaked(source, template, path)}
        for name, text in texts.items():
            yield from (
                f"line {found} of {name} is line {line} of the solution in {path}; say it otherwise in the suite"
                for line, found in leaked(source, text, path)
                if line not in public
            )


def too_large(kit: Path) -> Iterator[str]:
    """A kit that students should not have to download, with its largest file; the wheel does not count."""
    sizes = {path: path.stat().st_size for path in kit.rglob("*") if path.is_file() and path.suffix != ".whl"}
    if (size := sum(sizes.values()) / (1 << 20)) > MOST_MIB:
        largest = max(sizes, key=lambda path: sizes[path])
        yield (
            f"{size:.1f} MiB beside the wheel, expected at most {MOST_MIB}; the largest file is "
            f"{largest.relative_to(kit).as_posix()}: show fewer items, or smaller cases"
        )


def _template(assignment: Assignment) -> str:
    """What students read in the template."""
    texts = templates_of(assignment)
    return "\n".join(shown_text(text) if name.endswith(".ipynb") else text for name, text in texts.items())


def _texts(kit: Path, slug: str) -> Iterator[tuple[str, str]]:
    """(name, text) of everything that is not template: of recordings, what can be read in them."""
    for path in sorted(kit.rglob("*")):
        name = path.relative_to(kit).as_posix()
        if path.is_file() and path.suffix != ".whl" and not name.startswith((f"{WORK}/", "student_templates/")):
            raw = path.read_bytes()
            yield name, b"\n".join(PRINTABLE.findall(raw)).decode() if path.suffix == FRAMES else raw.decode()
