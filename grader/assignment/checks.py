"""What a manifest's parts say about each other: references, duplicates, and values that cannot mean anything."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from grader.assignment.assignment import Assignment, Consequence, Item, Rule
from grader.assignment.deadlines import check_late
from grader.assignment.moments import moment_of
from grader.assignment.training import check_predictions, check_training
from grader.assignment.types import Reading, Where, suggestion

MAX_SELECTIONS = 1000
DTYPES = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128", "int32", "int64", "bool")

MOMENT = "expected a time with its offset, such as 2024-03-22T23:00:00-04:00"

_ID = re.compile(r"\w[\w.\-]*")
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]*")
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def check_references(assignment: Assignment, reading: Reading) -> None:
    """Note every reference to nothing, every duplicate and every impossible value."""
    _slug(assignment, reading)
    for name in ("files", "questions", "parts", "items", "rules", "choices", "caps", "tracks"):
        _unique([entry.id for entry in getattr(assignment, name)], name, reading)
    _files(assignment, reading)
    _parts(assignment, reading)
    for index, item in enumerate(assignment.items):
        _item(assignment, item, ("items", index), reading)
    for index, rule in enumerate(assignment.rules):
        _rule(assignment, rule, ("rules", index), reading)
    _item_lists(assignment, reading)
    _kit(assignment, reading)
    _limits_and_late(assignment, reading)
    _feedback(assignment, reading)
    _tolerances_and_names(assignment, reading)


def _slug(assignment: Assignment, reading: Reading) -> None:
    line = reading.line("slug")
    if not _SLUG.fullmatch(assignment.slug):
        reading.bad(line, f"slug is {assignment.slug!r}, expected letters, digits, _ and - only")
    folder = assignment.suite
    if folder.parent.name == "test_suites" and folder.name != assignment.slug:
        reading.bad(line, f"slug is {assignment.slug!r}, expected {folder.name!r} like the folder it stands in")
    if not assignment.items:
        reading.bad(reading.line("items"), "items is empty, expected at least one line of the rubric")


def _unique(ids: Sequence[str], name: str, reading: Reading) -> None:
    for index, entry in enumerate(ids):
        line = reading.line(name, index, "id")
        if not _ID.fullmatch(entry):
            reading.bad(line, f"{name}: the id {entry!r} may hold only letters, digits, _, - and dots")
        elif entry in ids[:index]:
            first = reading.line(name, ids.index(entry), "id")
            reading.bad(line, f"{name}: the id {entry!r} is used twice (first in line {first})")


def _known(wanted: str, known: Iterable[str], kind: str, where: Where, reading: Reading) -> None:
    names = list(known)
    if wanted not in names:
        listed = ", ".join(names) or "none"
        reading.bad(reading.line(*where), f"unknown {kind} {wanted!r}, known are: {listed}{suggestion(wanted, names)}")


def _files(assignment: Assignment, reading: Reading) -> None:
    paths = [file.path for file in assignment.files]
    for index, file in enumerate(assignment.files):
        path, line = PurePosixPath(file.path), reading.line("files", index, "path")
        if path.is_absolute() or ".." in path.parts or "\\" in file.path or not path.parts:
            reading.bad(line, f"path is {file.path!r}, expected a path below the submission, with /")
        elif file.path in paths[:index]:
            owner = assignment.files[paths.index(file.path)].id
            reading.bad(line, f"the path {file.path!r} belongs to the file {owner!r} already")


def _parts(assignment: Assignment, reading: Reading) -> None:
    for index, part in enumerate(assignment.parts):
        _known(part.question, _ids(assignment.questions), "question", ("parts", index, "question"), reading)
        if part.file is not None:
            _known(part.file, _ids(assignment.files), "file", ("parts", index, "file"), reading)


def _ids(entries: Iterable[object]) -> list[str]:
    return [entry.id for entry in entries]  # type: ignore[attr-defined]


def _item(assignment: Assignment, item: Item, where: Where, reading: Reading) -> None:
    _known(item.question, _ids(assignment.questions), "question", (*where, "question"), reading)
    if item.points < 0:
        reading.bad(reading.line(*where, "points"), f"{item.id}: points are {item.points}, expected 0 or more")
    if item.kind == "manual" and item.part is not None:
        line = reading.line(*where, "part")
        reading.bad(line, f"{item.id} is graded by a person, so no part runs for it: drop the part or the kind")
    if item.kind == "automatic" and item.part is None:
        line = reading.line(*where, "id")
        reading.bad(line, f"{item.id} is automatic and needs a part; write `kind: manual` if a person grades it")
    if item.part is not None:
        _known(item.part, _ids(assignment.parts), "part", (*where, "part"), reading)
    if item.needs.file is not None:
        _known(item.needs.file, _ids(assignment.files), "file", (*where, "needs", "file"), reading)
    if item.needs.minutes < 0:
        reading.bad(reading.line(*where, "needs", "minutes"), f"{item.id}: minutes cannot be negative")
    check_training(assignment, item, where, reading)
    check_predictions(assignment, item, where, reading)
    if item.replaces is not None:
        _replacement(assignment, item, item.replaces, where, reading)
    for name in item.doubted_by:
        _known(name, _ids(assignment.items), "item", (*where, "doubted_by"), reading)


def _replacement(assignment: Assignment, item: Item, replaced: str, where: Where, reading: Reading) -> None:
    line = reading.line(*where, "replaces")
    _known(replaced, _ids(assignment.items), "item", (*where, "replaces"), reading)
    manual = next((entry for entry in assignment.items if entry.id == replaced), None)
    if manual is None:
        return
    if item.kind == "manual" or (manual.kind == "automatic" and item.training is None):
        reading.bad(line, f"{item.id} replaces {replaced}: expected a computed item in place of a manual one")
    if item.needs.file is None and item.training is None:
        reading.bad(line, f"{item.id} replaces {replaced} when a file was handed in: name it in needs.file")
    if manual.replaces is not None or manual.training is not None:
        reading.bad(line, f"{item.id} replaces {replaced}, which is itself measured or a replacement")
    if item.question != manual.question or item.extra_credit != manual.extra_credit:
        reading.bad(line, f"{item.id} and {replaced} must agree in question and extra_credit")
    rivals = [entry for entry in assignment.items if entry.replaces == replaced]
    if rivals[0] is not item:
        return
    if len({(entry.needs.file, entry.training is None) for entry in rivals}) > 1:
        reading.bad(line, f"{', '.join(_ids(rivals))} replace {replaced} together: they must need the same file")
    worth = sum(entry.points for entry in rivals)
    if worth != manual.points:
        reading.bad(line, f"{replaced} is worth {manual.points}, but what replaces it adds up to {worth}")


def _rule(assignment: Assignment, rule: Rule, where: Where, reading: Reading) -> None:
    for name, known in (("files", assignment.files), ("parts", assignment.parts)):
        for index, entry in enumerate(getattr(rule, name)):
            _known(entry, _ids(known), name[:-1], (*where, name, index), reading)
    if rule.kind in ("forbidden", "required") and not rule.names and not rule.operations:
        line = reading.line(*where, "id")
        reading.bad(line, f"rule {rule.id!r} is of kind {rule.kind}: it needs names or operations")
    _consequence(assignment, rule, rule.consequence, where, reading)


def _consequence(assignment: Assignment, rule: Rule, what: Consequence, where: Where, reading: Reading) -> None:
    line = reading.line(*where, "consequence")
    if what.action == "deduct" and what.amount <= 0:
        reading.bad(line, f"rule {rule.id!r} deducts points: expected an amount above 0")
    if what.amount < 0:
        reading.bad(line, f"rule {rule.id!r}: the amount is {what.amount}, expected 0 or more")
    if what.action in ("report", "zero") and what.amount != 0:
        reading.bad(line, f"rule {rule.id!r}: the action {what.action} has no amount")
    known = {
        "item": _ids(assignment.items),
        "question": _ids(assignment.questions),
        "group": sorted({question.group for question in assignment.questions}),
        "everything": [],
    }[what.scope]
    if what.scope == "everything" and what.target:
        reading.bad(line, f"rule {rule.id!r} hits everything: drop the target, or name another scope")
        return
    for index, target in enumerate(what.target):
        _known(target, known, what.scope, (*where, "consequence", "target", index), reading)
    aimless = what.scope != "everything" and what.action != "report" and not what.target
    if aimless and not rule.parts and not any(part.file in rule.files for part in assignment.parts):
        reading.bad(line, f"rule {rule.id!r}: name what is hit in target, or the rule's parts")


def _item_lists(assignment: Assignment, reading: Reading) -> None:
    items = _ids(assignment.items)
    lists: list[tuple[Where, tuple[str, ...]]] = []
    lists += [(("choices", i, "items"), choice.items) for i, choice in enumerate(assignment.choices)]
    lists += [(("caps", i, "items"), cap.items) for i, cap in enumerate(assignment.caps)]
    lists += [(("tracks", i, "without"), track.without) for i, track in enumerate(assignment.tracks)]
    lists += [(("tracks", i, "extra_credit"), track.extra_credit) for i, track in enumerate(assignment.tracks)]
    for where, names in lists:
        for index, name in enumerate(names):
            _known(name, items, "item", (*where, index), reading)
            if name in names[:index]:
                reading.bad(reading.line(*where, index), f"{name} is listed twice")
    for name in ("choices", "caps"):
        _disjoint([entry.items for entry in getattr(assignment, name)], name, reading)
    _choices(assignment, reading)


def _kit(assignment: Assignment, reading: Reading) -> None:
    """A kit shows what may be public: nothing hidden, no answer that is a number, nothing that is trained."""
    for index, name in enumerate(assignment.kit):
        _known(name, _ids(assignment.items), "item", ("kit", index), reading)
        item = next((entry for entry in assignment.items if entry.id == name), None)
        reasons = {
            "is listed twice": name in assignment.kit[:index],
            "is graded by a person": item is not None and item.kind == "manual",
            f"is {item.visibility if item else ''}": item is not None and item.visibility != "visible",
            "is trained": item is not None and item.training is not None,
            "would show the labels": item is not None and item.predictions is not None,
            "asks for an answer, which a kit would give": item is not None and item.needs.file is not None,
        }
        for why in (why for why, holds in reasons.items() if holds):
            reading.bad(reading.line("kit", index), f"kit: {name} {why}; leave it out")


def _disjoint(lists: Sequence[tuple[str, ...]], name: str, reading: Reading) -> None:
    for index, names in enumerate(lists):
        taken = {entry for earlier in lists[:index] for entry in earlier}
        for place, entry in enumerate(names):
            if entry in taken:
                reading.bad(reading.line(name, index, "items", place), f"{entry} stands in two of the {name}")


def _choices(assignment: Assignment, reading: Reading) -> None:
    selections = 1
    for index, choice in enumerate(assignment.choices):
        line = reading.line("choices", index, "count")
        if not 0 < choice.count < len(choice.items):
            expected = f"at least 1 and fewer than its {len(choice.items)} items"
            reading.bad(line, f"choice {choice.id!r} counts {choice.count}, expected {expected}")
            continue
        selections *= math.comb(len(choice.items), choice.count)
        for place, name in enumerate(choice.items):
            item = next((entry for entry in assignment.items if entry.id == name), None)
            if item is not None and item.replaces is not None:
                here = reading.line("choices", index, "items", place)
                reading.bad(here, f"{name} takes the place of {item.replaces}: list that item in the choice")
    if selections > MAX_SELECTIONS:
        line = reading.line("choices")
        reading.bad(line, f"the choices allow {selections} selections, expected at most {MAX_SELECTIONS}")


def _feedback(assignment: Assignment, reading: Reading) -> None:
    told = assignment.feedback
    for name in ("tries", "hours", "messages"):
        if getattr(told, name) < 0 or (name == "hours" and not 0 < told.hours < math.inf):
            reading.bad(reading.line("feedback", name), f"{name} is {getattr(told, name)}, expected a positive number")
    if told.messages_until is not None and moment_of(told.messages_until) is None:
        reading.bad(reading.line("feedback", "messages_until"), f"messages_until is {told.messages_until!r}, {MOMENT}")
    measured = [item.id for item in assignment.items if item.training or item.predictions]
    for index, name in enumerate(assignment.former.changed):
        _known(name, _ids(assignment.items), "item", ("former", "changed", index), reading)
    for index, name in enumerate(assignment.leaderboard):
        _known(name, measured, "training or predicted item", ("leaderboard", index), reading)


def _limits_and_late(assignment: Assignment, reading: Reading) -> None:
    limits = [(("limits",), assignment.limits)]
    limits += [(("items", i, "limits"), item.limits) for i, item in enumerate(assignment.items) if item.limits]  # type: ignore[misc]
    for where, entry in limits:
        for name in ("wall_seconds", "cpu_seconds", "memory_mib", "output_kib"):
            if getattr(entry, name) <= 0:
                reading.bad(reading.line(*where, name), f"{name} is {getattr(entry, name)}, expected more than 0")
    automatic = [item.id for item in assignment.items if item.kind == "automatic"]
    check_late(assignment.late, ("late",), reading, automatic)


def _tolerances_and_names(assignment: Assignment, reading: Reading) -> None:
    for dtype, tolerance in assignment.tolerances.items():
        _known(dtype, DTYPES, "dtype", ("tolerances", dtype), reading)
        if tolerance.rtol < 0 or tolerance.atol < 0:
            reading.bad(reading.line("tolerances", dtype), f"{dtype}: rtol and atol must not be negative")
    for index, name in enumerate(assignment.stand_in_modules):
        if not _DOTTED.fullmatch(name):
            line = reading.line("stand_in_modules", index)
            reading.bad(line, f"{name!r} is not a module's name, expected one such as google.colab")
    for name in assignment.globals:
        if not name.isidentifier():
            reading.bad(reading.line("globals", name), f"{name!r} cannot be the name of a variable")
