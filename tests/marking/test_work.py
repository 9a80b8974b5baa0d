"""Whose a place is to mark: reserved slices, submissions for two, and what is left."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from marking_examples import assignment

from grader.assignment.assignment import Choice
from grader.course.marks import Sheet
from grader.marking import work
from grader.marking.work import Standing, Work
from grader.model import Graded, Line, Mark
from grader.scoring import score

ESSAY = assignment().item("essay")
WRITING = replace(
    assignment(),
    items=tuple(replace(ESSAY, id=name) for name in ("paper.a", "paper.b", "essay")),
    choices=(Choice(id="paper", items=("paper.a", "paper.b")),),
)


def line(item: str = "essay") -> Line:
    return Line(item=item, title=item, question="1", state="awaiting", maximum=Decimal(4))


def a_work(count: int, *items: str) -> Work:
    keys = [f"key-{number}" for number in range(count)]
    places = [(key, item) for item in items or ("essay",) for key in sorted(keys, key=work.digest)]
    return Work(lines={place: line(place[1]) for place in places}, doubles=work._doubles(keys))


def mark(key: str, item: str = "essay", points: str = "1", comment: str = "", by: str = "") -> Mark:
    return Mark(submission=key, item=item, points=Decimal(points), comment=comment, by=by)


def marked(waiting: Work, standing: Standing, who: str, points: str = "1") -> Standing:
    """After this person marked all that was left for them."""
    new = [mark(key, item, points) for key, item in work.left(waiting, standing, who)]
    own = standing.of(who)
    return Standing(sheets={**standing.sheets, who: Sheet((*own.marks, *new), own.reserved)}, decided=standing.decided)


def reserved(waiting: Work, standing: Standing, who: str, count: int) -> Standing:
    own = standing.of(who)
    keys = work.reserve(waiting, standing, who, count)
    return Standing(sheets={**standing.sheets, who: Sheet(own.marks, own.reserved | keys)})


def test_one_of_two_is_for_two_markers_and_none_of_one():
    assert len(a_work(2).doubles) == 1
    assert a_work(1).doubles == frozenset()
    assert 10 <= len(a_work(400).doubles) <= 32


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 25), st.integers(1, 6))
def test_markers_who_reserve_mark_everything_and_the_doubles_twice(count, slice_size):
    """However large the slices are: in turns, until nothing can be taken, nothing is marked by a third or left out."""
    waiting, standing = a_work(count), Standing(sheets={})
    for turn in range(count + 6):
        who = ("kim", "ada", "lee")[turn % 3]
        standing = marked(waiting, reserved(waiting, standing, who, slice_size), who)
    times = {key: sum((key, "essay") in sheet.given for sheet in standing.sheets.values()) for key in waiting.keys}
    assert times == {key: 2 if key in waiting.doubles else 1 for key in waiting.keys}


def test_eight_markers_at_once_share_nothing_but_doubles():
    waiting, standing = a_work(400, "essay", "proof"), Standing(sheets={})
    for number in range(8):
        standing = reserved(waiting, standing, f"marker{number}", 50)
    sizes = [len(standing.of(f"marker{number}").reserved) for number in range(8)]
    assert sizes == [50] * 8
    times = {key: sum(key in sheet.reserved for sheet in standing.sheets.values()) for key in waiting.keys}
    assert all(times[key] <= (2 if key in waiting.doubles else 1) for key in waiting.keys)
    shared = [sum(times[key] == 2 for key in sheet.reserved) for sheet in standing.sheets.values()]
    assert all(1 <= number <= 5 for number in shared), "everybody is compared with somebody"


def test_what_was_reserved_comes_before_more():
    waiting = a_work(20)
    standing = reserved(waiting, Standing(sheets={}), "kim", 5)
    assert work.reserve(waiting, standing, "kim", 5) == frozenset()
    assert len(work.left(waiting, standing, "kim")) == 5
    assert len(work.left(waiting, standing, "ada")) == 15 + len(standing.of("kim").reserved & waiting.doubles)
    assert len(work.reserve(waiting, marked(waiting, standing, "kim"), "kim", 5)) == 5


def test_without_reserving_what_one_has_marked_is_done_but_for_doubles():
    waiting = a_work(10)
    standing = marked(waiting, Standing(sheets={}), "kim")
    assert {key for key, _ in work.left(waiting, standing, "ada")} == waiting.doubles
    standing = marked(waiting, standing, "ada")
    assert work.left(waiting, standing, "lee") == []
    assert len(work.walk(waiting, standing, "kim")) == 10, "one can go back to one's own"


def test_the_last_word_leaves_nothing_to_mark():
    waiting = a_work(3)
    decided = frozenset(waiting.lines)
    assert work.walk(waiting, Standing(sheets={}, decided=decided), "kim") == []


def test_comments_are_kept_by_item_the_commonest_first():
    sheets = {
        "kim": Sheet((mark("a", comment="short"), mark("b", comment="clear"), mark("c", "proof", comment="other"))),
        "ada": Sheet((mark("d", comment="clear"), mark("e"))),
    }
    waiting = Work(lines={}, doubles=frozenset({"a"}))
    assert work.kept_comments(waiting, Standing(sheets=sheets), "kim", "essay") == ["clear", "short"]
    assert work.kept_comments(waiting, Standing(sheets=sheets), "ada", "essay") == ["clear"], "a is for two markers"


def test_the_report_says_who_marked_what_and_where_two_differ():
    waiting = a_work(3)
    [double] = waiting.doubles
    others = [key for key in waiting.keys if key != double]
    kim = Sheet(tuple(mark(key, points="3", comment="fine") for key in [double, *others[:1]]))
    standing = Standing(sheets={"kim": kim, "ada": Sheet((mark(double, points="2.5"),))})
    assert work.report(waiting, standing) == (
        "2 of 3 places are marked, 1 of them by two people.\n"
        "  ada: 1 mark, 2.5 points on average\n"
        "  kim: 2 marks, 3 points on average\n"
        "Of 1 place with two marks 1 differ, by 0.5 points on average over all of them.\n"
        f"  {double}, essay (4): ada gives 2.5, kim gives 3 (fine)\n"
    )
    alone = work.report(waiting, Standing(sheets={"kim": kim}, decided=frozenset({(double, "essay")})))
    assert alone.endswith("1 place of submissions for two markers still with one mark.\n")


def test_alternatives_are_all_offered_and_what_nobody_can_look_at_is_not():
    reports = [
        score(Graded(key="ann"), WRITING),
        score(Graded(key="bob", refused="a damaged zip"), WRITING),
        score(Graded(key="cid", finished=False), WRITING),
    ]
    assert list(work.awaiting(reports, WRITING).lines) == [("ann", "paper.a"), ("ann", "paper.b"), ("ann", "essay")]
