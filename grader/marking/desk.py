"""What one marker works on, and the pages that show it."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from markupsafe import Markup

from grader.assignment.assignment import Assignment
from grader.marking import showing
from grader.marking.keeping import Keeper
from grader.marking.work import Place, Standing, Work, digest, kept_comments, left, walk
from grader.model import Line, Mark, Report, attempt_key
from grader.reports.curve import svg
from grader.reports.learning import learning_of
from grader.reports.words import STATE_WORDS, advice, curves, explanation, heading
from grader.wording import points

if TYPE_CHECKING:
    from jinja2 import Template

HOST = "127.0.0.1"
MAX_KEPT, MAX_CLAIMS = 9, 10
_FIGURES = ("Measured", "Beside it", "Reported by the code")


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A class, the work in it, and one marker.

    `roots` are the folders of the submissions that were found, by the key of the attempt that counts; `files` their
    paths by file id.
    """

    assignment: Assignment
    work: Work
    reports: Mapping[str, Report]
    keeper: Keeper
    roots: Mapping[str, Path]
    files: Mapping[str, Mapping[str, str]]
    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def address(self) -> str:
        """Where the work begins."""
        return f"http://{HOST}:{self.port}/{self.token}/"

    def path(self, place: Place) -> str:
        """The path of a place's page, which names nobody."""
        return f"/{self.token}/{quote(place[1], safe='')}/{digest(place[0])}"

    def shown(self, place: Place) -> list[showing.Shown]:
        """The submission's files as they are shown for an item; none where they were not found."""
        report = self.reports[place[0]]
        key = attempt_key(report.key, report.attempt)
        if key not in self.roots:
            return []
        item = self.assignment.item(place[1])
        return showing.files_of(self.roots[key], self.files.get(key, {}), self.assignment, item)

    def claims(self, shown: Sequence[showing.Shown], words: Sequence[str]) -> list[tuple[str, str]]:
        """(where, what) of the figures that a submission claims, without those that the template has."""
        if not words:
            return []
        given = showing.files_of(self.assignment.template, {}, self.assignment, self.assignment.items[0])
        known = {what for _, what in showing.claims(given, words)}
        return [found for found in showing.claims(shown, words) if found[1] not in known][:MAX_CLAIMS]


@dataclass(frozen=True, kw_only=True)
class Attempted:
    """What was typed and not taken, and why."""

    points: str
    comment: str
    problem: str


def page(
    desk: Desk, place: Place, standing: Standing, nonce: str, *, before: Place | None = None, typed: Attempted | None
) -> str:
    """The page of one place; `before` is the one that was marked just now."""
    key, item_id = place
    item, report, line = desk.assignment.item(item_id), desk.reports[key], desk.work.lines[place]
    order, waiting = walk(desk.work, standing, desk.keeper.who), left(desk.work, standing, desk.keeper.who)
    given = standing.of(desk.keeper.who).given
    at, shown = order.index(place), desk.shown(place)
    beside = [_beside(entry) for entry in report.lines
              if entry.question == item.question and entry.item != item_id and entry.result is not None]  # fmt: skip
    metrics = {entry.training.metric for entry in desk.assignment.items
               if entry.training and entry.question == item.question}  # fmt: skip
    return _render(
        nonce,
        title=heading(line),
        who=desk.keeper.who,
        assignment=desk.assignment.title,
        item=item_id,
        question=next((name for number, name in report.questions if number == item.question), ""),
        maximum=points(line.maximum),
        alias=digest(key)[:6],
        key=key,
        where=desk.roots.get(attempt_key(key, report.attempt), ""),
        twice=key in desk.work.doubles,
        mine=given.get(place),
        typed=typed,
        before=None if before is None else (given.get(before), desk.path(before)),
        kept=list(enumerate(kept_comments(desk.work, standing, desk.keeper.who, item_id)[:MAX_KEPT], start=1)),
        left=len(waiting),
        left_here=sum(entry[1] == item_id for entry in waiting),
        done=len(order) - len(waiting),
        previous=desk.path(order[at - 1]) if at else "",
        following=desk.path(order[at + 1]) if at + 1 < len(order) else "",
        evidence=[
            block for block in explanation(line, staff=True) if line.result and block.label not in ("Note", "Run")
        ],
        curves=[Markup(svg(series)) for series in curves(line, staff=True)],
        beside=[cells for cells in beside if any(cells[2:])],
        claims=desk.claims(shown, sorted(metrics)),
        files=shown,
        notes=report.notes,
    )


def _beside(line: Line) -> tuple[str, str, str, str]:
    """What a machine found for the same question: title, state, measured figures, figures that the code reported."""
    facts = dict(learning.facts) if (learning := learning_of(line.result)) else {}
    measured = "; ".join(facts[name].partition(" (")[0] for name in _FIGURES[:2] if name in facts)
    return heading(line), STATE_WORDS[line.state], measured or advice(line, staff=True), facts.get(_FIGURES[2], "")


def message(nonce: str, title: str, sentences: Sequence[str], on: str = "") -> str:
    """A page that says something; `on` is where it leads."""
    return _render(nonce, title=title, sentences=sentences, on=on)


def finished(desk: Desk, standing: Standing, nonce: str) -> str:
    """The page of a marker with nothing left."""
    own = standing.of(desk.keeper.who)
    others = len(desk.work.lines) - sum(
        any(place in sheet.given for sheet in standing.sheets.values()) or place in standing.decided
        for place in desk.work.lines
    )
    sentences = [f"{len(own.marks)} marks stand in {desk.keeper.path}."]
    if others:
        more = "others have reserved them, or you can with --take"
        sentences.append(f"{others} places of the class have no mark yet: {more}.")
    sentences.append("`grader score` makes the results, `grader mark --report` compares markers.")
    order = walk(desk.work, standing, desk.keeper.who)
    return message(nonce, "Nothing is left for you", sentences, desk.path(order[-1]) if order else "")


def mark_said(mark: Mark | None) -> str:
    """`3 points kept`, for the marker to see what was taken."""
    return (
        f"{points(mark.points)} kept" + (f": {mark.comment}" if mark and mark.comment else "") if mark else "taken back"
    )


def _render(nonce: str, **values: object) -> str:
    return _template().render(nonce=nonce, colours=Markup(showing.colours()), mark_said=mark_said, **values)


@functools.cache
def _template() -> Template:
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(Path(__file__).with_name("page.html").read_text("utf-8"))
