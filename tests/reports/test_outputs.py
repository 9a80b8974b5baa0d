"""Properties of every output: valid, safe, free of secrets, equal for equal input."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_examples import ADA, ASSIGNMENT, HOSTILE, SECRET, failed, passed, report, reports, write

from grader.errors import GraderError, UsageError
from grader.model import Applied, CheckResult, Graded, Mark, Violation
from grader.reports import difference, files, full, gradescope, html, tables, terminal, words
from grader.scoring import score

AUTOMATIC = [item for item in ASSIGNMENT.items if item.kind == "automatic"]
TEXT = st.text(max_size=60) | st.just(HOSTILE)


@st.composite
def any_report(draw):
    results = {}
    for item in AUTOMATIC:
        status = draw(st.sampled_from(["passed", "failed", "skipped", "grader_error", "not_attempted"]))
        credit = {"passed": 1.0, "failed": draw(st.floats(0, 0.99))}.get(status, 0.0)
        figures = draw(st.dictionaries(st.text(max_size=5), st.floats() | st.integers() | st.none() | TEXT, max_size=2))
        texts = {name: draw(TEXT) for name in ("message", "hint", "case", "route", "binding", "output", "staff")}
        results[item.id] = CheckResult(item=item.id, status=status, credit=credit, figures=figures, **texts)
    notes = (draw(TEXT),)
    graded = Graded(key="k", results=results, notes=notes, violations=ADA.violations, refused=draw(st.just("") | TEXT))
    return score(graded, ASSIGNMENT, lenient=draw(st.booleans()))


# --- Gradescope ---------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(any_report())
def test_results_are_valid_and_consistent(one):
    text = gradescope.text(one)
    results = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    jsonschema.Draft202012Validator(gradescope.schema()).validate(json.loads(text))
    scored = [test for test in results["tests"] if "score" in test]
    assert sum(test["score"] for test in scored) == results["score"] == one.score
    assert sum(test["max_score"] for test in scored) == one.total - sum(
        line.maximum for line in words.open_lines(one) if not line.extra_credit
    )
    assert "\r" not in json.dumps(results, default=str)
    assert not re.search(r"\d\.\d{5,}", re.sub(r'"(?:[^"\\]|\\.)*"', "", text)), "binary noise in a number"


def test_the_schema_refuses_what_gradescope_would():
    good = gradescope.results(report("ada"))
    checker = jsonschema.Draft202012Validator(gradescope.schema())
    for change in (
        {"status": "partial"}, {"visibility": "secret"}, {"output_format": "html"}, {"name": "a\nb"}, {"score": "2"},
        {"output": "a\r\nb"}, {"colour": "red"},
    ):  # fmt: skip
        wrong = {**good, "tests": [{**good["tests"][0], **change}]}
        assert not checker.is_valid(wrong), change


def test_open_items_carry_no_score_and_are_named_at_the_top():
    graded = Graded(key="k", results={"rnn.forward": CheckResult(item="rnn.forward", status="grader_error")})
    results = gradescope.results(score(graded, ASSIGNMENT))
    test = next(entry for entry in results["tests"] if entry["extra_data"]["item"] == "rnn.forward")
    assert not {"score", "max_score", "status"} & set(test)
    assert "1.1  One step of the recurrence (4): grader error" in results["output"]


def test_no_total_is_told_where_gradescope_withholds_it():
    assert "20.5" not in gradescope.results(report("bob"))["output"]
    plain = replace(ASSIGNMENT, items=ASSIGNMENT.items[:2])
    assert "4 of 20.5 points." in gradescope.results(score(ADA_WITHOUT_RULES, plain))["output"]


ADA_WITHOUT_RULES = Graded(
    key="a", results={"rnn.forward": passed("rnn.forward"), "rnn.gradient": failed("rnn.gradient")}
)


def test_a_pass_that_a_rule_took_stays_a_pass_with_its_points_gone():
    rules = Graded(key="a", results={"rnn.forward": passed("rnn.forward")}, violations=(NO_BUILTIN,))
    test = gradescope.results(score(rules, ASSIGNMENT))["tests"][0]
    assert (test["score"], test["max_score"], test["status"]) == (0, 4, "passed")
    assert "4 points by itself, 0 after rules and limits" in test["output"]


NO_BUILTIN = next(iter(report("=eve").applied[0].violations))

# --- secrets and hostile text -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["ada", "=eve"])
def test_what_students_get_holds_no_staff_evidence_and_nothing_of_hidden_items(key):
    one = report(key)
    for text in (
        html.page(one),
        gradescope.text(one),
        terminal.check_text(one),
        rendered(terminal.check_report(one)),
    ):
        assert SECRET not in " ".join(text.split())
        assert "case 3" not in text
    assert SECRET in html.page(one, staff=True)


@settings(max_examples=40)
@given(any_report())
def test_students_never_see_staff_text(one):
    marked = replace(one, lines=tuple(with_marker(line) for line in one.lines))
    for text in (html.page(marked), gradescope.text(marked), terminal.check_text(marked)):
        assert "STAFF-ONLY" not in text
        assert "HIDDEN-ONLY" not in text


def with_marker(line):
    if line.result is None:
        return line
    texts = dict.fromkeys(("message", "hint", "case", "route", "binding", "output", "reason"), "HIDDEN-ONLY")
    told = texts if line.visibility == "hidden" else {}
    said = {name: text for name, text in told.items() if name in ("message", "hint")}
    return replace(line, **said, result=replace(line.result, **told, staff="STAFF-ONLY"))


class Structure(HTMLParser):
    """Balanced tags, and which ones there are."""

    VOID = ("meta", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag, attributes):
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attributes}
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@settings(max_examples=40)
@given(any_report(), st.booleans())
def test_no_text_breaks_out_of_the_page(one, staff):
    parser = Structure()
    parser.feed(html.page(one, staff))
    assert parser.open == []
    assert not parser.seen & {"script", "img", "iframe", "link", "object", "form", "svg"}
    assert not {name for name in parser.attributes if name.startswith("on") or name == "src"}


def test_the_page_needs_nothing_from_elsewhere():
    page = html.page(report("ada"), staff=True)
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|@import|url\(", page)


@settings(max_examples=40)
@given(any_report())
def test_terminal_text_has_no_control_sequences(one):
    for text in (terminal.check_text(one), terminal.class_text([one])):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


def rendered(renderable) -> str:
    from rich.console import Console

    console = Console(width=200, file=io.StringIO(), force_terminal=False)
    console.print(renderable)
    return console.file.getvalue()


def test_rich_shows_students_text_as_text():
    shown = rendered(terminal.check_report(report("=eve")))
    assert "[red]100/100[/red]" in shown
    assert "✗ failed" in shown, "a word and a sign, not only a colour"
    table = rendered(terminal.class_table(reports()))
    assert "Refused: the archive holds a path outside itself" in table
    assert "5 submissions, median 2 of 20.5" in table


def test_a_terminal_shows_the_beginning_of_long_text():
    shown = terminal.check_text(report("ada"))
    assert "epoch 12:" in shown
    assert "epoch 13:" not in shown
    assert "… (28 more lines)" in shown


def test_tables_hold_no_formulas():
    dangerous = ("=", "+", "-", "@", "\t")
    for text in (tables.summary(reports()), tables.items(reports()), tables.attention(reports())):
        rows = list(csv.reader(io.StringIO(text)))
        assert len({len(row) for row in rows}) == 1
        assert not [cell for row in rows for cell in row if cell.startswith(dangerous)]


def test_items_count_every_state_and_the_commonest_reason():
    rows = {row["item"]: row for row in csv.DictReader(io.StringIO(tables.items(reports())))}
    weights = rows["attention.weights"]
    counts = {name: weights[name] for name in ("submissions", "passed", "failed", "not_attempted")}
    assert counts == {"submissions": "4", "passed": "1", "failed": "2", "not_attempted": "1"}
    assert (weights["mean"], weights["reason"], weights["reason_count"]) == ("0.75", "values differ", "2")


# --- full report and differences ----------------------------------------------------------------------------------


@settings(max_examples=40)
@given(any_report())
def test_the_full_report_reads_back(one):
    text = full.dump(one)
    again = full.load(text)
    assert full.dump(again) == text
    assert (again.score, again.lines[0].maximum, again.applied) == (one.score, one.lines[0].maximum, one.applied)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a report"),
        ('{"format": "grader-report", "version": 99}', "format version 99"),
        ('{"format": "grader-report", "version": 1, "key": 3}', "damaged"),
        ('{"format": "grader-report", "version": 1, "colour": 3}', "damaged"),
    ],
)
def test_what_is_no_report(text, said):
    with pytest.raises(UsageError, match=said):
        full.load(text, "x/report.json")


def test_nothing_changed():
    found = difference.compare(reports(), list(reversed(reports())))
    assert (found.changed, found.only_before, found.only_after, found.unchanged) == ((), (), (), 5)


def changed_item(before, after):
    (change,) = difference.compare([before], [after]).changed
    return {entry.item: entry.why for entry in change.items}, change


def test_why_a_score_changed():
    base = score(ADA_WITHOUT_RULES, ASSIGNMENT)
    better = Graded(key="a", results={**ADA_WITHOUT_RULES.results, "rnn.gradient": passed("rnn.gradient")})
    assert changed_item(base, score(better, ASSIGNMENT))[0] == {"rnn.gradient": ("result",)}
    marks = [Mark(submission="a", item="rnn.gradient", points=Decimal(1))]
    assert changed_item(base, score(ADA_WITHOUT_RULES, ASSIGNMENT, marks))[0] == {"rnn.gradient": ("mark",)}
    heavier = tuple(
        type(i)(**{**vars(i), "points": i.points * 2}) if i.id == "rnn.forward" else i for i in ASSIGNMENT.items
    )
    weight = type(ASSIGNMENT)(**{**vars(ASSIGNMENT), "items": heavier[:-1]})
    assert changed_item(base, score(ADA_WITHOUT_RULES, weight))[0] == {
        "rnn.forward": ("weight",),
        "theory.bptt": ("removed",),
    }
    broken = Graded(key="a", results=ADA_WITHOUT_RULES.results, violations=(NO_BUILTIN,))
    why, change = changed_item(base, score(broken, ASSIGNMENT))
    assert why == {"rnn.forward": ("rule",)}
    assert change.rules == ("rule no-builtin: took 0 → 4",)
    assert (change.before, change.after) == (4, 0)


# --- files --------------------------------------------------------------------------------------------------------


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_result_folder(tmp_path):
    out = tmp_path / "grades" / "hw"
    few = [entry for entry in reports() if entry.key in ("ada", "zoe")]
    write(out, few)
    assert sorted(content(out)) == [
        "ada/report.html", "ada/report.json", "ada/results.json", "attention.csv", "items.csv",
        "staff/ada.html", "staff/zoe.html", "summary.csv",
        "zoe/report.html", "zoe/report.json", "zoe/results.json",
    ]  # fmt: skip
    assert {path.stat().st_mode & 0o777 for path in out.rglob("*") if path.is_dir()} | {out.stat().st_mode & 0o777} == {
        0o700
    }
    assert {path.stat().st_mode & 0o777 for path in out.rglob("*") if path.is_file()} == {0o600}


def test_equal_reports_give_equal_bytes_in_any_order(tmp_path):
    write(tmp_path / "a", reports())
    write(tmp_path / "b", list(reversed(reports())))
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    files.write_text(path, "old")

    def stop(self, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        files.write_text(path, "new")
    assert content(tmp_path) == {"results.json": b"old"}


def test_text_that_utf8_cannot_hold_is_written_all_the_same(tmp_path):
    files.write_text(tmp_path / "x", "a\ud800b")
    assert (tmp_path / "x").read_bytes() == b"a?b"


def test_a_disk_that_refuses_is_an_error_with_its_path(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(GraderError, match="cannot be written"):
        files.write_text(tmp_path / "file" / "below.txt", "x")


@pytest.mark.parametrize(
    "keys", [["../x"], ["a/b"], [".a"], [""], ["staff"], ["Summary.csv"], ["a\n"], ["A", "a"], ["a", "a"]]
)
def test_keys_that_would_leave_the_folder_or_meet(keys):
    with pytest.raises(UsageError):
        files.check_keys(keys)


def test_a_private_rule_shows_its_evidence_to_staff_only() -> None:
    found = Violation(rule="r", message="models/RNN.py, line 3: reads the trace", file="models/RNN.py", line=3)
    broken = Applied(rule="r", title="no tricks", action="zero", taken=Decimal(0), violations=(found,), private=True)
    shown = replace(report("ada"), applied=(broken,))
    for text in (html.page(shown), gradescope.text(shown), terminal.check_text(shown)):
        assert "reads the trace" not in text
        assert "no tricks" in text
        assert "with the course staff" in text
    staff = html.page(shown, staff=True)
    assert staff.count("models/RNN.py, line 3") == 1
    assert "nothing had been earned there" in staff


KEPT = ("journal.jsonl", "log.jsonl", "marks.csv", "marks/kim.csv", "released.json", "summary.csv", "Journal.jsonl")


@pytest.mark.parametrize("name", [*KEPT, "ada/report.json", "submissions/ada/x.py"])
def test_what_the_grader_keeps_is_not_a_file_to_write(tmp_path, name):
    (tmp_path / "journal.jsonl").write_text("{}\n")
    (tmp_path / "elsewhere").symlink_to(tmp_path / name)
    for path in (tmp_path / name, tmp_path / "elsewhere", tmp_path / "." / "x" / ".." / name):
        with pytest.raises(UsageError, match="is what the grader keeps in the results folder"):
            files.writable(path)


def test_other_files_may_be_written(tmp_path):
    (tmp_path / "journal.jsonl").write_text("{}\n")
    assert files.writable(tmp_path / "upload.csv") == tmp_path / "upload.csv"
    assert files.writable(tmp_path / "class.html", own="class.html")
    (tmp_path / "elsewhere").mkdir()
    assert files.writable(tmp_path / "elsewhere" / "marks.csv")
    with pytest.raises(UsageError, match="is a folder; name the file"):
        files.writable(tmp_path / "elsewhere")


def test_what_cannot_be_written_is_not_said_to_be_kept(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GraderError, match=r"cannot be written: .*; make room, .* run the same command again"):
        files.write_text(tmp_path / "file" / "voids.csv", "item,how,by,why\n")


@given(any_report(), st.sampled_from(["ab", "", "<b>", "a\nb", "a" * 1000]))
@settings(max_examples=60)
def test_a_text_that_is_kept_for_the_next_line_is_that_of_this_one(made, observation):
    """Lines that differ in nothing but their seconds share a text; each file is what it would be without that."""
    late = [
        replace(line, result=line.result and replace(line.result, seconds=0.25, observation=observation))
        for line in made.lines
    ]
    for report_ in (made, replace(made, lines=tuple(late)), made):
        assert json.loads(full.dump(report_)) == json.loads(json.dumps(full.content(report_)))
        assert json.loads(gradescope.text(report_)) == json.loads(full.text(gradescope.results(report_)))
        nothing_kept = dict.fromkeys(line.item for line in report_.lines)
        for staff in (False, True):
            assert html.page(report_, staff) == html.page(report_, staff, nothing_kept)


def test_equal_numbers_that_are_written_in_two_ways_stay_as_they_are():
    one = report("ada")
    for maximum in ("2", "2.0", "2"):
        changed = replace(one, lines=tuple(replace(line, maximum=Decimal(maximum)) for line in one.lines))
        assert {line["maximum"] for line in json.loads(full.dump(changed))["lines"]} == {maximum}
    for value in (1, 1.0, True, 1):
        result = CheckResult(item="a", status="failed", credit=0.0, figures={"wrong": value}, candidate=value)
        changed = replace(one, lines=(replace(one.lines[0], result=result),))
        [line] = json.loads(full.dump(changed))["lines"]
        assert repr((line["result"]["figures"]["wrong"], line["result"]["candidate"])) == repr((value, value))
