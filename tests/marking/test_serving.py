"""The page over HTTP: who may ask, what is taken and what is refused, with which words."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from marking_examples import KEYS, a_class, assignment
from werkzeug.test import Client, TestResponse

from grader.errors import UsageError
from grader.marking import serving, work
from grader.marking.desk import Desk
from grader.marking.keeping import Keeper
from grader.results.journal import read
from grader.scoring import score_class

PORT = 8123
ORIGIN = {"Origin": f"http://127.0.0.1:{PORT}"}


class Person:
    """Somebody at the page."""

    def __init__(self, folder: Path, who: str = "kim") -> None:
        contents = read(folder)
        reports = {report.key: report for report in score_class(contents.graded(), assignment())}
        self.desk = Desk(
            assignment=assignment(),
            work=work.awaiting(list(reports.values()), assignment()),
            reports=reports,
            keeper=Keeper(folder, assignment(), who),
            roots={key: folder / "submissions" / key for key in reports},
            files={key: contents.submissions[key].facts["files"] for key in reports},
            port=PORT,
        )
        self.client = Client(serving.Marking(self.desk))

    def get(self, path: str = "", host: str = f"127.0.0.1:{PORT}", **options: object) -> TestResponse:
        options = {"follow_redirects": True, **options}
        return self.client.get(path or f"/{self.desk.token}/", headers={"Host": host}, **options)

    def post(self, place: work.Place, headers: dict[str, str] = ORIGIN, **form: str) -> TestResponse:
        headers = {"Host": f"127.0.0.1:{PORT}", **headers}
        return self.client.post(self.desk.path(place), data=form, headers=headers)

    @property
    def places(self) -> list[work.Place]:
        return list(self.desk.work.lines)

    @property
    def marks(self) -> dict[work.Place, tuple[str, str]]:
        given = self.desk.keeper.standing().of(self.desk.keeper.who).given
        return {place: (str(mark.points), mark.comment) for place, mark in given.items()}


@pytest.fixture
def kim(tmp_path: Path) -> Person:
    return Person(a_class(tmp_path / "results", KEYS[:4]))


def said(response: TestResponse) -> str:
    """The text of a page."""
    text = re.sub(r"<style.*?</style>|<[^>]+>", " ", response.text, flags=re.DOTALL)
    return " ".join(text.replace("&#39;", "'").replace("&#34;", '"').split())


def test_the_page_shows_the_item_and_the_files_and_names_nobody(kim):
    page = kim.get()
    assert page.status_code == 200
    for part in ("scorer.forward", "of 2", "better than can be", "4 left of this item, 8 of all, 0 done", "report.pdf"):
        assert part in said(page)
    assert page.text.index("model.py") < page.text.index("report.pdf")
    before, asked_for = page.text.split("<summary>Which submission is this?</summary>")
    assert not any(key in before for key in KEYS)
    assert sum(key in asked_for for key in KEYS) == 1


def test_no_page_may_run_fetch_or_be_framed(kim):
    first, second = kim.get(), kim.get("/nothing")
    for page in (first, second, kim.get("/", host="evil.example")):
        policy = page.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'nonce-")
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert "<script" not in page.text
    assert first.headers["Content-Security-Policy"] != second.headers["Content-Security-Policy"]


def test_marks_are_taken_one_by_one_and_lead_on(kim):
    first, second = kim.places[:2]
    answer = kim.post(first, points="1.5", comment="short")
    assert (answer.status_code, answer.location) == (
        303,
        f"{kim.desk.path(second)}?after={kim.desk.path(first).split('/', 2)[2]}",
    )
    assert kim.marks == {first: ("1.5", "short")}
    page = kim.get(answer.location)
    assert "Before: 1.5 kept: short" in said(page)
    assert "3 left of this item, 7 of all, 1 done" in said(page)
    kim.post(first, points="2", comment="")
    assert kim.marks == {first: ("2", "")}
    assert 'value="2"' in kim.get(kim.desk.path(first)).text
    kim.post(first, action="take back")
    assert kim.marks == {}


def test_numbers_alone_are_comments_to_use_again(kim):
    one, two, three, four = kim.places[:4]
    kim.post(one, points="1", comment="clear")
    kim.post(two, points="1", comment="too short")
    kim.post(three, points="2", comment="2 1")
    assert kim.marks[three] == ("2", "too short clear")
    refused = kim.post(four, points="2", comment="7")
    assert "Not taken: there is no comment 7 to use again (3 are kept)." in said(refused)
    essay = next(place for place in kim.places if place[1] == "essay")
    assert "there is no comment 1" in said(kim.post(essay, points="1", comment="1")), "comments are kept by item"


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ("", "no points were given, expected a number from 0 to 2"),
        ("2.01", "2.01 points for scorer.forward, expected 0 to 2"),
        ("-1", "the points are '-1', expected a number from 0 to 2"),
        ("nan", "the points are 'nan'"),
        ("inf", "the points are 'inf'"),
        ("1e0", "the points are '1e0'"),
        ("<b>", "the points are '&lt;b&gt;'"),
        ("\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "the points are"),
    ],
)
def test_what_is_no_mark_is_refused_and_what_was_typed_stays(kim, points, words):
    answer = kim.post(kim.places[0], points=points, comment="a long thought")
    assert answer.status_code == 422
    assert words in said(answer).replace("&amp;", "&")
    assert 'value="a long thought"' in answer.text
    assert kim.marks == {}


def test_a_comma_is_a_decimal_point(kim):
    kim.post(kim.places[0], points="0,5", comment="=1+1")
    assert kim.marks == {kim.places[0]: ("0.5", "=1+1")}
    assert ",'=1+1," in kim.desk.keeper.path.read_text(), "no spreadsheet takes it for a formula"


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "null"}, {"Origin": "https://evil.example"}, {"Origin": "http://127.0.0.1:1"}]
)
def test_no_other_page_can_send_a_mark(kim, headers):
    answer = kim.post(kim.places[0], headers=headers, points="1")
    assert answer.status_code == 403
    assert "was not taken" in said(answer)
    assert kim.marks == {}


def test_no_other_host_and_no_address_without_the_token_is_answered(kim):
    for host in ("evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:80", ""):
        assert kim.get(host=host).status_code == 400
    assert kim.get(host=f"localhost:{PORT}").status_code == 200
    for path in ("/", "/favicon.ico", "/" + "x" * 32 + "/", f"/{kim.desk.token[:-1]}/", f"//{kim.desk.token}/"):
        page = kim.get(path)
        assert page.status_code == 403
        assert kim.desk.token not in page.text


def test_addresses_that_are_none_say_why(kim):
    alias = work.digest(KEYS[0])
    for path, code, words in (
        (f"essay/{alias[:-1]}x", 404, "There is no submission"),
        (f"esay/{alias}", 404, "There is no item 'esay' in tiny; did you mean 'essay'?"),
        (f"gate.forward/{alias}", 404, "gate.forward of this submission (passed) waits for nobody"),
        ("essay", 404, "There is no submission ''"),
        ("../../etc/passwd", 404, "There is no submission"),
    ):
        page = kim.get(f"/{kim.desk.token}/{path}")
        assert page.status_code == code
        assert words in said(page)
    assert kim.client.put(f"/{kim.desk.token}/", headers={"Host": f"127.0.0.1:{PORT}"}).status_code == 405


def test_a_mark_for_what_waits_for_nobody_is_refused(kim):
    answer = kim.post((KEYS[0], "gate.forward"), points="1")
    assert answer.status_code == 404
    assert kim.marks == {}


def test_a_form_that_is_far_too_large_is_refused(kim):
    assert kim.post(kim.places[0], points="1", comment="x" * 200_000).status_code == 413
    assert kim.marks == {}


def test_two_people_share_the_class_and_neither_sees_what_the_other_gave(kim, tmp_path):
    ada = Person(tmp_path / "results", "ada")
    doubles = kim.desk.work.doubles
    for place in kim.places:
        kim.post(place, points="1", comment=f"kim on {place[0]}")
    mine = [place for place in ada.places if place[0] in doubles]
    page = ada.get()
    assert f"{len(mine)} of all, 0 done" in said(page)
    assert not any(f"kim on {key}" in page.text for key in doubles)
    assert 'type="number" inputmode="decimal" min="0" max="2" step="0.5" autofocus\n        value=""' in page.text
    other = next(place for place in ada.places if place[0] not in doubles)
    answer = ada.post(other, points="1")
    assert answer.status_code == 409
    assert "Somebody else has this one, or has marked it." in said(answer)
    for place in mine:
        answer = ada.post(place, points="0.5")
    assert "Nothing is left for you" in said(ada.get(answer.location))


def test_a_broken_file_of_marks_is_told_and_nothing_is_taken(kim):
    other = kim.desk.keeper.path.with_name("ada.csv")
    other.parent.mkdir()
    other.write_text("submission,item,points\nstudent-01,essay,nine\n")
    for answer in (kim.get(), kim.post(kim.places[0], points="1")):
        assert answer.status_code == 409
        assert "line 2: the points are 'nine', expected a number from 0 to 1" in said(answer)
    other.unlink()
    assert kim.get().status_code == 200


def test_a_port_in_use_is_told():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(UsageError, match=r"--port \d+: Address already in use; give another one, or none"):
            serving.opened(other.getsockname()[1])
