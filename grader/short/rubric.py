"""The manifest in its long form: files, parts, items and rules in the place of checks and answers, lines kept.

Nodes in, nodes out, so that whatever is wrong is told with the line where the author wrote it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath

import yaml
from yaml.resolver import Resolver

from grader.assignment.assignment import Predictions
from grader.assignment.types import Reading
from grader.assignment.yaml import Many, Node, Scalar, Table
from grader.short.calls import Target
from grader.short.form import KEYS, Predicted, Train
from grader.short.planning import Asked, Fit, Planned

Plain = Mapping[str, object]


@dataclass(frozen=True)
class NamedFile:
    """A file that students hand in, as far as a call must know it. `bare`: the manifest says its path alone."""

    id: str
    path: str
    line: int
    bare: bool


def split(root: Table) -> tuple[Table, Table]:
    """The manifest's short keys, and the others."""
    return tuple(
        Table(
            {key: node for key, node in root.entries.items() if (key in KEYS) is short},
            {key: line for key, line in root.key_lines.items() if (key in KEYS) is short},
            root.line,
        )
        for short in (True, False)
    )  # type: ignore[return-value]


def files_of(long: Table, named: Mapping[str, int]) -> list[NamedFile]:
    """The expected files: those of the list, and those (path: line) that an answer or predictions name."""
    node, found = long.entries.get("files"), list[NamedFile]()
    for entry in node.entries if isinstance(node, Many) else ():
        if isinstance(entry, Scalar):
            found.append(_bare(entry.text, entry.line, found))
        elif isinstance(entry, Table) and isinstance(path := entry.entries.get("path"), Scalar):
            name = entry.entries.get("id")
            found.append(NamedFile(name.text if isinstance(name, Scalar) else "", path.text, entry.line, bare=False))
    known = {file.path for file in found}
    return [*found, *(_bare(path, line, found) for path, line in named.items() if path not in known)]


def _bare(path: str, line: int, others: Sequence[NamedFile]) -> NamedFile:
    stem = "".join(letter if letter.isalnum() else "_" for letter in PurePosixPath(path).stem)
    taken = any(other.id == stem for other in others)
    return NamedFile(f"{stem}_{PurePosixPath(path).suffix.lstrip('.')}" if taken else stem, path, line, bare=True)


def lengthened(
    long: Table,
    files: Sequence[NamedFile],
    checks: Sequence[Planned],
    answers: Sequence[Asked],
    trainings: Sequence[Fit],
    predicted: Mapping[str, Predicted],
    reading: Reading,
) -> Table:
    """The manifest without its short keys, and with what they stand for."""
    question = _question(long)
    extra: dict[str, list[Node]] = {"parts": [], "items": [], "rules": []}
    for plan in checks:
        line = reading.line("checks", plan.id)
        where = plan.check.question or question
        extra["parts"].append(
            _table({"id": plan.id, "title": plan.check.call, "question": where, "file": plan.file}, line)
        )
        extra["items"] += [_item(plan, each.id, each.points, where, line) for each in plan.lines]
        extra["rules"] += [_table(rule, line) for rule in _rules(plan)]
    for asked in answers:
        line, where = reading.line("answers", asked.id), asked.answer.question or question
        part = {"id": asked.id, "title": f"the answer {asked.id}", "question": where, "file": asked.file}
        extra["parts"].append(_table(part, line))
        extra["items"].append(_item_of(asked.id, asked.id, asked.answer.points, where, asked.answer, asked.id, line))
    for fit in trainings:
        line, where = reading.line("train", fit.id), fit.train.question or question
        part = {"id": fit.id, "title": fit.train.model, "question": where, "file": fit.target.file}
        extra["parts"].append(_table(part, line))
        item = _item_of(fit.id, fit.id, fit.train.points, where, fit.train, fit.train.model, line)
        extra["items"].append(_with(item, "training", _node(_training(fit.train), line), line))
    for name, entry in predicted.items():
        line, where = reading.line("predictions", name), entry.question or question
        extra["parts"].append(_table({"id": name, "title": entry.file, "question": where}, line))
        item = _item_of(name, name, entry.points, where, entry, entry.file, line)
        measured = {each.name: getattr(entry, each.name) for each in dataclasses.fields(Predictions)}
        extra["items"].append(_with(item, "predictions", _node(measured, line), line))
    entries = dict(long.entries)
    lines = dict(long.key_lines)
    targets = [target for plan in checks for target in plan.call.targets]
    entries["files"] = _files(long, files, [*targets, *(fit.target for fit in trainings)])
    if "questions" not in entries:
        entries["questions"] = Many((_table({"id": "1", "title": _title(long)}, long.line),), long.line)
    for key, nodes in extra.items():
        own = entries.get(key)
        if nodes:
            entries[key] = Many((*(own.entries if isinstance(own, Many) else ()), *nodes), long.line)
    if "total" not in entries:
        entries["total"] = Scalar(str(_total(entries["items"])) if "items" in entries else "0", True, long.line)
    return Table(entries, {key: lines.get(key, entries[key].line) for key in entries}, long.line)


def _item(plan: Planned, name: str, points: Decimal, question: str, line: int) -> Node:
    return _item_of(name, plan.id, points, question, plan.check, plan.check.call, line)


def _training(train: Train) -> Plain:
    """The keys of a training item."""
    words = {"accuracy": "top-1 on the test split", "perplexity": "of the next word, 32 words a stretch, test split"}
    made = {"steps": train.steps, "seconds": train.seconds, "full": train.threshold}
    plain = {"metric": train.measures, "counted": words[train.measures], "data": train.data, "made": made}
    if train.real is None:
        return plain
    told = {key: value for key, value in dataclasses.asdict(train.real).items() if value not in (None, "", ())}
    return {**plain, "real": told}


def _with(table: Table, key: str, node: Node, line: int) -> Table:
    return Table({**table.entries, key: node}, {**table.key_lines, key: line}, table.line)


def _item_of(name: str, part: str, points: Decimal, question: str, source: object, made_from: str, line: int) -> Table:
    plain = {"id": name, "part": part, "question": question, "points": str(points), "made_from": made_from}
    title, visibility = str(getattr(source, "title", "")), str(getattr(source, "visibility", "visible"))
    origin = str(getattr(source, "origin", "handout"))
    plain |= {"title": title} if title else {}
    plain |= {"visibility": visibility} if visibility != "visible" else {}
    plain |= {"origin": origin} if origin != "handout" else {}
    plain |= {"extra_credit": "true"} if getattr(source, "extra_credit", False) else {}
    return _table(plain, line)


def _rules(plan: Planned) -> Iterable[dict[str, object]]:
    target = plan.call.first
    common = {"files": [target.file], "within": [target.name]}
    consequence = {"action": "zero", "scope": "item", "target": [line.id for line in plan.lines]}
    if names := list(plan.check.forbidden):
        title = f"{target.name} does without {', '.join(names)}"
        rule = {"id": f"{plan.id}.forbidden", "kind": "forbidden", "title": title, **common, "parts": [plan.id]}
        yield {**rule, "names": names, "consequence": consequence}
    if names := list(plan.check.required):
        title = f"{target.name} uses {', '.join(names)}"
        rule = {"id": f"{plan.id}.required", "kind": "required", "title": title, **common, "names": names}
        yield {**rule, "consequence": consequence}


def _files(long: Table, files: Sequence[NamedFile], targets: Sequence[Target]) -> Node:
    node = long.entries.get("files")
    told = {
        path.text: entry
        for entry in (node.entries if isinstance(node, Many) else ())
        if isinstance(entry, Table) and isinstance(path := entry.entries.get("path"), Scalar)
    }
    nodes = []
    for file in files:
        names = list(dict.fromkeys(target.name for target in targets if target.file == file.id))
        plain: dict[str, object] = {"id": file.id, "path": file.path}
        kind = {".ipynb": "notebook", ".csv": "data", ".npy": "data"}.get(PurePosixPath(file.path).suffix)
        plain |= {"kind": kind} if kind else {}
        plain |= {"defines": names} if names else {}
        nodes.append(_table(plain, file.line) if file.bare else told[file.path])
    return Many(tuple(nodes), long.key_lines.get("files", long.line))


def _question(long: Table) -> str:
    """The question of what names none: the first, or the one that is made."""
    node = long.entries.get("questions")
    first = node.entries[0] if isinstance(node, Many) and node.entries else None
    name = first.entries.get("id") if isinstance(first, Table) else None
    return name.text if isinstance(name, Scalar) else "1"


def _title(long: Table) -> str:
    node = long.entries.get("title")
    return node.text if isinstance(node, Scalar) else "Checks"


def _total(items: Node) -> Decimal:
    """What the items add up to; what cannot be read is told elsewhere."""
    total = Decimal(0)
    for entry in items.entries if isinstance(items, Many) else ():
        if isinstance(entry, Table) and not {"extra_credit", "replaces"} & set(entry.entries):
            points = entry.entries.get("points")
            text = points.text if isinstance(points, Scalar) else ""
            total += Decimal(text) if text.replace(".", "", 1).isdigit() else 0
    return total


def _table(plain: Plain, line: int) -> Table:
    return Table({key: _node(value, line) for key, value in plain.items()}, dict.fromkeys(plain, line), line)


def _node(value: object, line: int) -> Node:
    if isinstance(value, Mapping):
        return _table(value, line)
    if isinstance(value, (list, tuple)):
        return Many(tuple(_node(entry, line) for entry in value), line)
    return Scalar(str(value), False, line)


# --- nodes → text -----------------------------------------------------------------------------------------------


def written(root: Table) -> str:
    """The manifest as YAML, scalars as they were written."""
    return yaml.serialize(_yaml(root, 0), Dumper=yaml.SafeDumper, width=120, allow_unicode=True)


def _yaml(node: Node, depth: int) -> yaml.Node:

    text = "tag:yaml.org,2002:str"
    if isinstance(node, Table):
        pairs = [(yaml.ScalarNode(text, key), _yaml(entry, depth + 1)) for key, entry in node.entries.items()]
        return yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=depth > 1)
    if isinstance(node, Many):
        entries = [_yaml(entry, depth + 1) for entry in node.entries]
        return yaml.SequenceNode("tag:yaml.org,2002:seq", entries, flow_style=depth > 1)
    if not node.plain:
        return yaml.ScalarNode(text, node.text)
    return yaml.ScalarNode(Resolver().resolve(yaml.ScalarNode, node.text, (True, False)), node.text)  # type: ignore[no-untyped-call]
