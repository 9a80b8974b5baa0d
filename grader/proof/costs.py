"""What each known mistake costs: one mistake takes points of one item, or says why it takes more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from grader.assignment.assignment import Assignment
from grader.model import Graded
from grader.proof.kept import Kept
from grader.scoring import score


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one known mistake takes: the points, of how many, in which items (its own first) and by which rules."""

    points: Decimal
    total: Decimal
    items: tuple[str, ...]
    rules: tuple[str, ...]

    @property
    def share(self) -> float:
        """Of the assignment's points."""
        return float(self.points / self.total)


def holds_one_mistake(kept: Kept) -> bool:
    """Whether it is the reference with one mistake: not a submission of its own, and not right after all."""
    return kept.kind == "wrong" and bool(kept.edits) and not (kept.equivalent or kept.several)


def cost_of(kept: Kept, graded: Graded, assignment: Assignment) -> Cost | None:
    """What the mistake costs; None for what holds none, or several."""
    if not holds_one_mistake(kept):
        return None
    report = score(graded, assignment)
    counted = [line for line in report.lines if line.counted and line.score is not None]
    lost = sum((line.maximum - line.score for line in counted if line.score is not None), Decimal(0))
    return Cost(points=lost, total=report.total, items=kept.charged, rules=kept.breaks)


def too_many_charged(kept: Kept, assignment: Assignment) -> list[str]:
    """A mistake that takes points of more items than its own without saying why."""
    paid = [name for name in kept.fails if assignment.item(name).points]
    if not holds_one_mistake(kept) or len(paid) <= 1:
        return []
    advice = "split the items, add a route, or name the further ones under `follows:` or, with the reason, `also:`"
    return [f"one mistake takes points of {len(paid)} items ({', '.join(paid)}); {advice}"]


def cost_lines(slug: str, costs: Sequence[tuple[Kept, Cost]]) -> Iterator[str]:
    """A table in Markdown: the share that each mistake costs, by the item that charges it."""
    yield f"| `{slug}`: item or rule that charges it | share | mistakes |"
    yield "|---|---|---|"
    rows: dict[tuple[str, float], list[str]] = {}
    for kept, cost in costs:
        charged = " and ".join((*cost.items, *(f"rule {name}" for name in cost.rules)))
        why = "; ".join(dict.fromkeys(kept.also.values()))
        rows.setdefault((charged, cost.share), []).append(kept.name + (f" ({why})" if why else ""))
    for (charged, share), names in sorted(rows.items(), key=lambda row: (-row[0][1], row[0][0])):
        yield f"| {charged} | {share:.1%} | {', '.join(names)} |"


def summary(costs: Sequence[tuple[Kept, Cost]]) -> str:
    """One sentence about all of them."""
    if not costs:
        return "no kept submission holds a single mistake"
    shares = sorted(cost.share for _, cost in costs)
    worst, most = max(((kept.name, cost.share) for kept, cost in costs), key=lambda entry: entry[1])
    further = [kept.name for kept, _ in costs if kept.also]
    more = f"; {len(further)} take more than their own item and say why: {', '.join(further)}" if further else ""
    middle = shares[len(shares) // 2]
    return f"{len(costs)} single mistakes cost {middle:.1%} in the middle, {most:.1%} at most ({worst}){more}"
