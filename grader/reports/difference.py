"""What changed between two runs: whose score, by which item, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from grader.model import Line, Report
from grader.reports.words import STATE_WORDS
from grader.scoring.entries import TAKEN_OUT, VOIDED
from grader.wording import points

Why = Literal["result", "weight", "void", "mark", "rule", "counted", "added", "removed"]
WHY_WORDS: dict[Why, str] = {
    "result": "the check ended otherwise",
    "weight": "the item's points changed",
    "void": "the item was voided, or a void was taken back",
    "mark": "a person's mark changed",
    "rule": "rules or limits took something else",
    "counted": "it counts now, or no longer",
    "added": "the item is new",
    "removed": "the item is gone",
}


@dataclass(frozen=True, kw_only=True)
class ItemChange:
    """One item of one submission. A score of None is open, or the item is missing on that side."""

    item: str
    before: Decimal | None
    after: Decimal | None
    state_before: str
    state_after: str
    why: tuple[Why, ...]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One submission whose score, open points, total or items changed. `rules` are those applied on one side only."""

    key: str
    before: Decimal
    after: Decimal
    open_before: Decimal
    open_after: Decimal
    items: tuple[ItemChange, ...]
    rules: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Two runs compared, submissions by key."""

    changed: tuple[Change, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    unchanged: int

    @property
    def nothing(self) -> bool:
        """Whether there is no difference."""
        return not (self.changed or self.only_before or self.only_after)


def compare(before: Sequence[Report], after: Sequence[Report]) -> Difference:
    """What changed from one run to the other. Texts, times and states do not count as changes, points do."""
    old, new = {report.key: report for report in before}, {report.key: report for report in after}
    both = sorted(old.keys() & new.keys())
    changes = [change for key in both if (change := _change(old[key], new[key])) is not None]
    return Difference(
        changed=tuple(changes),
        only_before=tuple(sorted(old.keys() - new.keys())),
        only_after=tuple(sorted(new.keys() - old.keys())),
        unchanged=len(both) - len(changes),
    )


def text(difference: Difference) -> str:
    """The difference for a terminal or a log."""
    lines = []
    for change in difference.changed:
        lines.append(f"{change.key}: {points(change.before)} → {points(change.after)}{_opened(change)}")
        lines += [_item_text(entry) for entry in change.items]
        lines += [f"    {note}" for note in (*change.rules, *change.notes)]
    for label, keys in (("only before", difference.only_before), ("only after", difference.only_after)):
        if keys:
            lines.append(f"{label}: {', '.join(keys)}")
    same = sum(change.before == change.after and not _opened(change) for change in difference.changed)
    lines.append(f"{len(difference.changed) - same} changed, {difference.unchanged + same} unchanged")
    return "\n".join(lines) + "\n"


def _opened(change: Change) -> str:
    if change.open_before == change.open_after:
        return ""
    return f" (open {points(change.open_before)} → {points(change.open_after)})"


def _item_text(entry: ItemChange) -> str:
    states = (
        f"{entry.state_before} → {entry.state_after}" if entry.state_before != entry.state_after else entry.state_after
    )
    why = "; ".join(WHY_WORDS[word] for word in entry.why)
    return f"    {entry.item}: {points(entry.before)} → {points(entry.after)} ({states}): {why}"


def _change(old: Report, new: Report) -> Change | None:
    items = _item_changes(old, new)
    rules = _rule_changes(old, new)
    notes = _notes(old, new)
    if not (items or rules or notes) and (old.score, old.open_points) == (new.score, new.open_points):
        return None
    return Change(
        key=old.key,
        before=old.score,
        after=new.score,
        open_before=old.open_points,
        open_after=new.open_points,
        items=items,
        rules=rules,
        notes=notes,
    )


def _item_changes(old: Report, new: Report) -> tuple[ItemChange, ...]:
    before, after = {line.item: line for line in old.lines}, {line.item: line for line in new.lines}
    changes = []
    for name in dict.fromkeys([*before, *after]):
        why = _why(before.get(name), after.get(name))
        if why:
            changes.append(_item_change(name, before.get(name), after.get(name), why))
    return tuple(changes)


def _item_change(name: str, old: Line | None, new: Line | None, why: tuple[Why, ...]) -> ItemChange:
    return ItemChange(
        item=name,
        before=old.score if old else None,
        after=new.score if new else None,
        state_before=STATE_WORDS[old.state] if old else "missing",
        state_after=STATE_WORDS[new.state] if new else "missing",
        why=why,
    )


def _why(old: Line | None, new: Line | None) -> tuple[Why, ...]:
    """All reasons, the deepest first; empty when the points are what they were."""
    if old is None or new is None:
        return ("added",) if old is None else ("removed",)
    if (old.score, old.maximum, old.counted) == (new.score, new.maximum, new.counted):
        return ()
    if _void(old) != _void(new):
        return ("void",)
    why: list[Why] = []
    if _verdict(old) != _verdict(new):
        why.append("result")
    if old.maximum != new.maximum:
        why.append("weight")
    if _mark(old) != _mark(new):
        why.append("mark")
    if old.counted != new.counted:
        why.append("counted")
    if old.score != new.score and (not why or _is_cut(old) != _is_cut(new)):
        why.append("rule")
    return tuple(why)


def _is_cut(line: Line) -> bool:
    return line.score is not None and line.earned is not None and line.score < line.earned


def _void(line: Line) -> str:
    return VOIDED if line.comment.endswith(VOIDED) else TAKEN_OUT if line.message == TAKEN_OUT else ""


def _verdict(line: Line) -> tuple[str, float] | None:
    return (line.result.status, line.result.credit) if line.result else None


def _mark(line: Line) -> Decimal | None:
    return line.earned if line.state == "marked" else None


def _rule_changes(old: Report, new: Report) -> tuple[str, ...]:
    before = {entry.rule: entry.taken for entry in old.applied if not entry.lenient}
    after = {entry.rule: entry.taken for entry in new.applied if not entry.lenient}
    return tuple(
        f"rule {name}: took {points(before.get(name, Decimal(0)))} → {points(after.get(name, Decimal(0)))}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def _notes(old: Report, new: Report) -> tuple[str, ...]:
    notes = []
    if old.total != new.total:
        notes.append(f"total {points(old.total)} → {points(new.total)}")
    if bool(old.refused) != bool(new.refused):
        notes.append("refused now" if new.refused else "no longer refused")
    if old.track != new.track:
        notes.append(f"track {old.track or 'none'} → {new.track or 'none'}")
    return tuple(notes)
