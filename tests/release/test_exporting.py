"""Scores reach the course system through its own sheets, of which nothing else changes by a byte."""

from __future__ import annotations

import csv
import html
import io
import os
from pathlib import Path

import pytest
from class_examples import ASSIGNMENTS, PEOPLE, scored
from hypothesis import given
from hypothesis import strategies as st

from grader.commands import audit, export, release, score, settle
from grader.course import gradebooks, people
from grader.errors import UsageError
from grader.model import Person
from grader.reports import gradescope

GOLDEN = Path(__file__).parent / "golden"
SCORES = {"ada": "9", "bob": "7", "cyd": "7", "dan": "0", "eve": "7"}


@pytest.fixture
def released(folder):
    settle.run(folder, [row.id for row in scored(folder).rows if row.must], "accepted", "kim", "seen", ASSIGNMENTS)
    assert release.run(folder, "kim", False, True, ASSIGNMENTS) == 0
    return folder


def run(folder, target, sheet=None, *, out=None, column="", comments="", partial=False, anonymous=False):
    target_file = out or folder.parent / "out.csv"
    code = export.run(
        folder, target, target_file, sheet=sheet, column=column, comments=comments, anonymous=anonymous,
        partial=partial, assignments=ASSIGNMENTS,
    )  # fmt: skip
    return code, target_file.read_bytes() if target_file.exists() else None


def given_sheet(folder, content):
    path = folder.parent / "sheet.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def canvas_text():
    return (GOLDEN / "canvas.csv").read_text("utf-8")


def moodle_text():
    return (GOLDEN / "moodle.csv").read_text("utf-8-sig")


@pytest.mark.parametrize(("name", "target", "column"), [
    ("canvas", "canvas", "4711"), ("canvas_de", "canvas", "A tiny assignment"), ("moodle", "moodle", ""),
])  # fmt: skip
def test_sheets_as_they_are_filled_in(released, name, target, column):
    code, content = run(released, target, GOLDEN / f"{name}.csv", column=column)
    assert code == 0
    path = GOLDEN / f"{name}.filled.csv"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_bytes(content)
    assert content == path.read_bytes()


def table(content, delimiter=",", encoding="utf-8-sig"):
    return list(csv.reader(io.StringIO(content.decode(encoding), newline=""), delimiter=delimiter))


def test_what_was_written_is_read_back_as_canvas_reads_it(released):
    """By the trailing number of the heading, by ID, commas as points; only one column differs."""
    before, (_, after) = table((GOLDEN / "canvas.csv").read_bytes()), run(
        released, "canvas", GOLDEN / "canvas.csv", column="A tiny assignment (4711)"
    )  # fmt: skip
    after = table(after)
    column = next(place for place, name in enumerate(after[0]) if name.endswith("(4711)"))
    got = {row[1]: row[column] for row in after if row[1].isdigit()}
    assert got == {"881": "9", "882": "7", "883": "7", "884": "EX", "885": "7", "999": ""}
    for row, old in zip(after, before, strict=True):
        assert [cell for place, cell in enumerate(row) if place != column] == [
            cell for place, cell in enumerate(old) if place != column
        ]
    assert after[2][column] == "10.00", "the row of points possible is not a student"


def test_what_was_written_is_read_back_as_moodle_reads_it(released):
    _, content = run(released, "moodle", GOLDEN / "moodle.csv")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert {row["Email address"].split("@")[0]: row["Grade"] for row in rows} == SCORES
    assert all(float(row["Grade"]) <= float(row["Maximum grade"]) for row in rows)
    assert rows[1]["Feedback comments"] == '<p>See "notes"</p>', "a person wrote that"


def read_html(text):
    """What a reader sees, line by line."""
    inside = text.removeprefix('<div class="dl-grader">').removesuffix("</div>")
    return [html.unescape(line).replace("\u00a0", " ") for line in inside.split("<br>")]


def test_comments_go_with_the_points_and_come_back(released, capsys):
    """As Moodle reads them: HTML in the column of its plug-in, on the row of the participant."""
    (released / "marks.csv").write_text('submission,item,points,comment\neve,essay,0.5,"a < b & ""so""\non"\n')
    release.run(released, "kim", False, True, ASSIGNMENTS)
    _, content = run(released, "moodle", GOLDEN / "moodle.csv")
    assert "note: bob: the comment that stands there stays (line 3)" in capsys.readouterr().err
    rows = {row["Identifier"][-2:]: row for row in csv.DictReader(io.StringIO(content.decode("utf-8-sig")))}
    reports = {report.key: report for report in scored(released).reports}
    told = read_html(rows["33"]["Feedback comments"])
    assert told == gradescope.results(reports["cyd"])["output"].split("\n")
    assert "To look at:" in told
    assert read_html(rows["35"]["Feedback comments"])[-3:] == [
        "Comments:",
        '4  What did you learn?: a < b & "so"',
        "on",
    ]
    assert "could not be taken in" in rows["34"]["Feedback comments"]

    (released / "marks.csv").write_text("submission,item,points,comment\neve,essay,1,better\n")
    release.run(released, "kim", False, True, ASSIGNMENTS)
    code, again = run(released, "moodle", given_sheet(released, content))
    assert code == 0
    changed = [row for row, old in zip(table(again), table(content), strict=True) if row != old]
    assert [(row[0], row[4]) for row in changed] == [("Participant 35", "8")]
    assert read_html(changed[0][8])[-1].endswith(": better")


def test_points_alone_where_there_is_no_column_of_comments_or_none_are_wanted(released):
    _, with_them = run(released, "moodle", GOLDEN / "moodle.csv")
    _, without = run(released, "moodle", GOLDEN / "moodle.csv", comments=None)
    assert [row[:8] for row in table(with_them)] == [row[:8] for row in table(without)]
    assert [row[8] for row in table(without)] == [row[8] for row in table((GOLDEN / "moodle.csv").read_bytes())]
    unknown = moodle_text().replace("Feedback comments", "Tagasiside")
    _, found = run(released, "moodle", given_sheet(released, unknown))
    assert [row[8] for row in table(found)][1:] == [row[8] for row in table(without)][1:]
    _, named = run(released, "moodle", given_sheet(released, unknown), comments="Tagasiside")
    assert table(named)[1:] == table(with_them)[1:]
    with pytest.raises(UsageError, match=r"no column 'Tagasisid'; did you mean 'Tagasiside'\?; say --comments with"):
        run(released, "moodle", given_sheet(released, unknown), comments="Tagasisid")
    with pytest.raises(UsageError, match="--comments names a column of Moodle's grading worksheet"):
        run(released, "canvas", GOLDEN / "canvas.csv", column="4711", comments="Notes")


def test_an_old_encoding_has_every_letter_of_a_comment(released):
    code, content = run(released, "moodle", given_sheet(released, moodle_text().encode("cp1252")))
    assert code == 0
    told = table(content, encoding="cp1252")[3][8]
    report = next(report for report in scored(released).reports if report.key == "cyd")
    assert read_html(told) == gradescope.results(report)["output"].split("\n")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_encoding_comes_back_as_it_was(released, encoding, newline):
    text = canvas_text().replace("\n", newline)
    code, content = run(released, "canvas", given_sheet(released, text.encode(encoding)), column="777")
    assert code == 1
    assert content is None, "100 points there, 10 here"
    assert run(released, "canvas", given_sheet(released, text.encode(encoding)), column="777", partial=True) == (
        1,
        None,
    )
    code, content = run(released, "canvas", given_sheet(released, text.encode(encoding)), column="4711")
    assert code == 0
    expected = (GOLDEN / "canvas.filled.csv").read_text("utf-8").replace("\n", newline)
    assert content == expected.encode(encoding)


@pytest.mark.parametrize("sep", ["sep=;\r\n", ""])
def test_excels_separator_line_and_decimal_commas(released, sep):
    (released / "marks.csv").write_text("submission,item,points\nbob,gate.forward,0.5\n")
    release.run(released, "kim", False, True, ASSIGNMENTS)
    text = (GOLDEN / "canvas_de.csv").read_text("utf-8-sig").replace("88,50", "").replace("99,1", "")
    code, content = run(released, "canvas", given_sheet(released, sep + text), column="4711")
    assert code == 0
    assert content.decode().startswith(sep)
    [bob] = [row for row in table(content, ";") if "Bob" in row[0]]
    assert bob[6] == "7,5"


def test_a_comma_as_decimal_sign_between_commas_is_quoted(released):
    (released / "marks.csv").write_text("submission,item,points\nada,gate.forward,1.5\n")
    release.run(released, "kim", False, True, ASSIGNMENTS)
    text = moodle_text().replace("10.00", '"10,00"').replace("4.50", '"4,50"')
    code, content = run(released, "moodle", given_sheet(released, text))
    assert code == 0
    assert ',"8,5","10,00",' in content.decode()


def test_names_in_two_columns_and_a_test_student_in_another_language(released):
    rows = table((GOLDEN / "canvas.csv").read_bytes())
    split = [["LastName", "FirstName", *rows[0][1:]], ["", *rows[1]], [rows[2][0], "", *rows[2][1:]]]
    split += [[*row[0].split(", "), *row[1:]] if ", " in row[0] else [row[0], "", *row[1:]] for row in rows[3:]]
    for last, first, login in (
        ("Student", "Test", "x"),
        ("Teststudent", "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    ):
        split[-1][:2], split[-1][4] = [last, first], login
        out = io.StringIO()
        csv.writer(out).writerows(split)
        code, content = run(released, "canvas", given_sheet(released, out.getvalue()), column="4711")
        assert code == 0
        assert {row[2]: row[7] for row in table(content)[3:]}["881"] == "9"


def test_who_is_excused_or_not_given_the_assignment_is_told_and_left(released, capsys):
    text = canvas_text().replace('"CS 7643, A",EX,3.50,', '"CS 7643, A",EX,N/A,')
    code, content = run(released, "canvas", given_sheet(released, text), column="4711")
    assert code == 0
    said = capsys.readouterr().err
    assert "note: dan is excused there, and stays so (line 7)" in said
    assert "note: bob is not given this assignment there (line 5)" in said
    got = {row[1]: row[6] for row in table(content)[3:]}
    assert (got["882"], got["884"]) == ("N/A", "EX")


def test_columns_in_another_order_and_new_ones(released):
    rows = table((GOLDEN / "canvas.csv").read_bytes())
    moved = [[*row[:4], "new", row[4], row[6], row[5], *row[7:]] for row in rows]
    moved[0][4], moved[2][4] = "Integration ID", ""
    out = io.StringIO()
    csv.writer(out).writerows(moved)
    code, content = run(released, "canvas", given_sheet(released, out.getvalue().encode("utf-8")), column="4711")
    assert code == 1, "the row of posting looks like a student now"
    code, content = run(
        released, "canvas", given_sheet(released, out.getvalue().replace(",,,,new,", ",,,,,").encode()), column="4711"
    )
    assert code == 0
    assert {row[1]: row[6] for row in table(content)[3:]}["881"] == "9"


@pytest.mark.parametrize("word", ["Bewertung", "Note", "Calificación", "ציון", "评分"])
def test_a_worksheet_in_another_language(released, word):
    text = moodle_text().replace("Grade,", f"{word},").replace("Maximum grade", "Bestwertung")
    text = text.replace("Identifier", "Kennung").replace("Participant ", "Teilnehmer/in").replace("Full name", "X")
    code, content = run(released, "moodle", given_sheet(released, text))
    assert code == 0
    assert content.decode().splitlines()[0] == text.splitlines()[0]
    assert ",9,10.00," in content.decode()


def test_a_language_that_is_not_known_asks_for_the_column(released):
    text = moodle_text().replace("Grade,", "Hinde,")
    with pytest.raises(UsageError, match=r"sheet\.csv:1: not one column; say --column with one of: Identifier; Full"):
        run(released, "moodle", given_sheet(released, text))
    assert run(released, "moodle", given_sheet(released, text), column="hinde")[0] == 0


def test_participants_are_known_by_their_number(folder):
    people.write(
        [Person(key=key, person_id=str(31 + place)) for place, key in enumerate(SCORES)], folder / "people.csv"
    )
    settle.run(folder, [row.id for row in scored(folder).rows if row.must], "accepted", "kim", "seen", ASSIGNMENTS)
    release.run(folder, "kim", False, True, ASSIGNMENTS)
    text = moodle_text().replace("@example.edu", "@elsewhere").replace("Participant ", "Teilnehmer/in")
    code, content = run(folder, "moodle", given_sheet(folder, text))
    assert code == 0
    assert [row[4] for row in table(content)[1:]] == list(SCORES.values())


def test_who_is_missing_on_either_side_is_named_and_nothing_is_written(released, capsys):
    text = canvas_text().replace("20102,bob@example.edu", "20112,bob2@example.edu").replace("020103", "20103")
    code, content = run(released, "canvas", given_sheet(released, text), column="4711")
    assert (code, content) == (1, None)
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("note: ")]
    assert said[:2] == ["bob is not there (sheet.csv)", "sheet.csv, line 5: nobody was graded as 882"]
    assert "--partial writes the others" in said[-1]
    code, content = run(released, "canvas", given_sheet(released, text), column="4711", partial=True)
    assert code == 0
    got = {row[1]: row[6] for row in table(content)[3:]}
    assert (got["881"], got["882"], got["883"]) == ("9", "3.50", "7"), "cyd by e-mail; 882 as it was"


def test_ids_are_matched_exactly(folder):
    """A shorter id, one without its zero, and another system's number are other people."""
    ids = {"ada": "2010", "cyd": "20103", "bob": "20102", "eve": "20105"}
    people.write([Person(key=key, person_id=number) for key, number in ids.items()], folder / "people.csv")
    settle.run(folder, [row.id for row in scored(folder).rows if row.must], "accepted", "kim", "seen", ASSIGNMENTS)
    release.run(folder, "kim", False, True, ASSIGNMENTS)
    _, content = run(folder, "canvas", GOLDEN / "canvas.csv", column="4711", partial=True)
    got = {row[1]: row[6] for row in table(content)[3:]}
    assert got == {"881": "", "882": "7", "883": "", "884": "EX", "885": "7", "999": ""}


def test_every_member_of_a_group_has_its_points(folder):
    members = [Person(key="ada", person_id="20101"), Person(key="ada", person_id="20102")]
    people.write([*members, *(person for person in PEOPLE if person.key not in ("ada", "bob"))], folder / "people.csv")
    settle.run(folder, [row.id for row in scored(folder).rows if row.must], "accepted", "kim", "seen", ASSIGNMENTS)
    release.run(folder, "kim", False, True, ASSIGNMENTS)
    _, content = run(folder, "canvas", GOLDEN / "canvas.csv", column="4711", partial=True)
    got = {row[1]: row[6] for row in table(content)[3:]}
    assert (got["881"], got["882"]) == ("9", "9")


def test_a_number_behind_letters_is_no_id(folder):
    """Canvas's ID column knows most: a SIS id `u20102` is nobody, and neither is one that is another's ID."""
    persons = [Person(key=p.key, person_id=str(int(p.person_id) - 19220)) for p in PEOPLE]  # 881 to 885
    people.write(persons, folder / "people.csv")
    settle.run(folder, [row.id for row in scored(folder).rows if row.must], "accepted", "kim", "seen", ASSIGNMENTS)
    release.run(folder, "kim", False, True, ASSIGNMENTS)
    text = canvas_text().replace('Bobby""",882,20102', 'Bobby""",881,u882').replace("885,20105.0", "905,885")
    for name in ("881", "882", "883", "884"):
        text = text.replace(f",20{int(name) - 780},", f",u{name},").replace(f",020{int(name) - 780},", f",u{name},")
    assert run(folder, "canvas", given_sheet(folder, text), column="4711") == (1, None)
    _, content = run(folder, "canvas", given_sheet(folder, text), column="4711", partial=True)
    assert [row[6] for row in table(content)[3:]] == ["", "3.50", "7", "EX", "-", ""]


def test_an_id_of_another_column_is_nobody(folder):
    """881 is one student's Canvas number; a person of that SIS id is somebody else."""
    persons = [Person(key="ada", person_id="881"), *(person for person in PEOPLE if person.key != "ada")]
    people.write([Person(key=p.key, person_id=p.person_id) for p in persons], folder / "people.csv")
    settle.run(folder, [row.id for row in scored(folder).rows if row.must], "accepted", "kim", "seen", ASSIGNMENTS)
    release.run(folder, "kim", False, True, ASSIGNMENTS)
    _, content = run(folder, "canvas", GOLDEN / "canvas.csv", column="4711", partial=True)
    assert {row[1]: row[6] for row in table(content)[3:]}["881"] == ""


@pytest.mark.parametrize(("change", "column", "said"), [
    (lambda text: text, "", "not one column; say --column with one of: Homework 3 (777); A tiny assignment (4711)"),
    (lambda text: text, "A tiny assigment", "no column 'A tiny assigment'; did you mean 'A tiny assignment (4711)'?"),
    (lambda text: text, "Final Score (read only)", "no column 'Final Score (read only)'"),
    (lambda text: text.replace("Homework 3 (777)", "A tiny assignment (778)"), "A tiny assignment", "not one column"),
    (lambda text: "Name,Points\nAda,3\n", "", "expected Canvas's own export"),
    (lambda text: "", "4711", "an empty file"),
    (lambda text: text.replace('"Ng, Eve"', '"Ng, Eve'), "4711", "line 8: a quote is not closed"),
    (lambda text: text.replace("881,20101,ada@example.edu", "881,20101,bob@example.edu"), "4711",
     "sheet.csv:4: this row is of different people, ada (by 20101) and bob (by bob@example.edu)"),
    (lambda text: text.replace("885,20105.0,eve", "885,,bob"), "4711", None),
    (lambda text: text.replace('"Test, Cyd",883,020103,cyd@example.edu,"CS 7643, A",,"",,,', "Cyd,883,020103"),
     "4711", "sheet.csv:6: 3 cells, expected 10"),
])  # fmt: skip
def test_sheets_that_cannot_be_filled_in(released, change, column, said, capsys):
    sheet = given_sheet(released, change(canvas_text()))
    if said is None:
        assert run(released, "canvas", sheet, column=column) == (1, None)
        assert "bob fits the lines 5, 9" in capsys.readouterr().err
        return
    with pytest.raises(UsageError) as caught:
        run(released, "canvas", sheet, column=column)
    assert said in str(caught.value)
    assert not (released.parent / "out.csv").exists()


def test_more_points_than_moodle_takes_stop_the_export(released):
    with pytest.raises(UsageError, match=r"sheet\.csv:2: ada has 9 points, and Moodle refuses more than 8"):
        run(released, "moodle", given_sheet(released, moodle_text().replace("10.00", "8.00")))


def test_only_what_was_released_leaves(folder, released):
    (released / "marks.csv").write_text("submission,item,points\nbob,gate.forward,2\n")
    with pytest.raises(UsageError, match=r"(?s)not those of release 1; release them first:.*bob: 7 → 9"):
        run(released, "csv")


def test_nothing_is_exported_before_a_release(folder):
    with pytest.raises(UsageError, match="was not released"):
        run(folder, "csv")


def test_a_plain_table_runs_no_formula(released):
    code, content = run(released, "csv")
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    assert code == 0
    assert {row["key"]: row["score"] for row in rows} == SCORES
    assert [row["name"] for row in rows if row["key"] == "dan"] == ["'=Dan()"]
    assert [row["state"] for row in rows] == ["graded", "graded", "graded", "refused", "graded"]


def test_an_anonymous_table_names_nobody(released):
    code, content = run(released, "csv", anonymous=True)
    assert code == 0
    words = {word for person in PEOPLE for word in (person.name, person.email, person.person_id, person.key)}
    # Whole cells: a digest may well end in "ada".
    assert not words & {cell for row in table(content) for cell in row}
    assert not [word for word in words if set(word) & set(" @") and word in content.decode()]
    assert sorted(row[1] for row in table(content)[1:]) == sorted(SCORES.values())


def test_a_table_for_mails_leads_to_each_feedback(released):
    _, content = run(released, "mail")
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    for row in rows:
        key = row["email"].split("@")[0]
        assert row["score"] == SCORES[key]
        assert f">{key}<" in Path(row["path"]).read_text()
    assert len(rows) == 5


def test_the_roster_gives_the_addresses_that_a_download_lacks(folder):
    people.write([Person(key=p.key, person_id=p.person_id) for p in PEOPLE], folder / "people.csv")
    rows = "".join(f"{p.person_id},{p.key},{p.email}\n" for p in PEOPLE)
    (folder.parent / "roster.csv").write_text("id,name,e-mail\n" + rows)
    (folder.parent / "course.yaml").write_text("roster: roster.csv\nassignments: {tiny: {}}\n")
    (folder / "course.txt").write_text(f"{folder.parent / 'course.yaml'}\n")
    settle.run(folder, [row.id for row in scored(folder).rows if row.must], "accepted", "kim", "seen", ASSIGNMENTS)
    release.run(folder, "kim", False, True, ASSIGNMENTS)
    code, content = run(folder, "mail")
    assert code == 0
    assert {row[0].split("@")[0]: row[3] for row in table(content)[1:]} == SCORES
    assert "@" not in (folder / "people.csv").read_text()


def test_moodles_gradebook_import(released):
    _, content = run(released, "moodle")
    rows = table(content)
    assert rows[0] == ["Email address", "ID number", "A tiny assignment"]
    assert {row[0].split("@")[0]: row[2] for row in rows[1:]} == SCORES


def test_wrong_calls(released):
    sheet = GOLDEN / "canvas.csv"
    for arguments, said in [
        (("canvsa", sheet), "did you mean 'canvas'"),
        (("canvas", None), "name it with --sheet"),
        (("csv", sheet), "name it with --sheet"),
    ]:
        with pytest.raises(UsageError, match=said):
            run(released, *arguments)
    with pytest.raises(UsageError, match="give --out another name"):
        run(released, "canvas", sheet, out=sheet)
    with pytest.raises(UsageError, match="must say who is who"):
        run(released, "mail", anonymous=True)


cells = st.text(st.sampled_from('ab1",;\t\n \u00e9') | st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)


@given(st.lists(st.lists(cells, min_size=2, max_size=5), min_size=1, max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_cells_are_where_the_csv_module_sees_them(tmp_path_factory, rows, newline):
    out = io.StringIO()
    csv.writer(out, lineterminator=newline).writerows(rows)
    path = tmp_path_factory.getbasetemp() / "cells.csv"
    path.write_bytes(out.getvalue().encode())
    try:
        sheet = gradebooks.read(path)
    except UsageError:
        assert max(",;\t", key=out.getvalue().split("\n")[0].count) != ",", "text behind a quote, by another separator"
        return
    seen = list(csv.reader(io.StringIO(sheet.text, newline=""), delimiter=sheet.delimiter))
    assert [[cell.text for cell in row] for row in sheet.rows] == [row or [""] for row in seen]
    if sheet.delimiter == ",":
        assert seen == rows
    layout = gradebooks.Layout(column=1, who=(0,), students=tuple(range(len(rows))))
    if sheet.delimiter == ",":
        path.write_text(gradebooks.filled(sheet, layout, dict.fromkeys(layout.students, "7")), newline="")
        assert [[cell.text for cell in row] for row in gradebooks.read(path).rows] == [
            [row[0], "7", *row[2:]] for row in rows
        ]


def test_no_mail_leads_to_a_page_that_nobody_wrote(released):
    assert score.run(released, False, False, ASSIGNMENTS, pages=False) == 0
    with pytest.raises(UsageError, match=r"report\.html is missing; `grader score"):
        run(released, "mail")
    assert audit.run(released, "", ASSIGNMENTS) == 0
    assert score.run(released, False, False, ASSIGNMENTS) == 0
    assert run(released, "mail")[0] == 0
