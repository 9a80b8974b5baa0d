"""course.yaml, the roster, extensions and times: what they say, and what is wrong with them, by file and line."""

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_assignment import tiny

from grader.assignment.moments import zone_of
from grader.course.plan import load, read_times
from grader.course.terms import Terms, completed, course_beside, granted, owners_called
from grader.errors import AuthorError, UsageError
from grader.model import Person

COURSE = """\
zone: America/New_York
roster: roster.csv
extensions: extensions.csv
categories:
  homework: {late_days: 4, at_most: 3}
assignments:
  hw1: {due: 2024-03-08 23:59, category: homework, results: grades/hw1}
  hw2: {due: 2024-03-22 23:59, category: homework, grace_hours: 2, steps: [{hours: 24, percent: 20}], action: zero}
  exam: {due: "2024-05-02T12:00:00+02:00"}
"""
ROSTER = "SID,Name,E-mail\n20101,Ada Lovelace,ada@example.edu\n20102,Ben Bitdiddle,ben@example.edu\n"
EXTENSIONS = "who,assignment,due,days,reason\n20101,hw2,,2,ill\nben@example.edu,hw2,2024-03-30 12:00,,\n"
PEOPLE = [
    Person(key="17", name="Ada Lovelace", person_id="20101"),
    Person(key="18", email="BEN@example.edu"),
    Person(key="19", name="Zoe", person_id="999"),
]


@pytest.fixture
def write(tmp_path):
    def files(course=COURSE, roster=ROSTER, extensions=EXTENSIONS):
        for name, text in (("course.yaml", course), ("roster.csv", roster), ("extensions.csv", extensions)):
            (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path / "course.yaml"

    return files


def results(folder: Path, days: dict[str, int], people: str = "") -> None:
    folder.mkdir(parents=True)
    rows = "".join(f"{key},{count or ''}\n" for key, count in days.items())
    (folder / "summary.csv").write_text("submission,late_days\n" + rows)
    if people:
        (folder / "people.csv").write_text("key,name,email,id\n" + people)


def test_what_holds_for_whom(write, tmp_path):
    results(
        tmp_path / "grades/hw1", {"5": 3, "6": 0}, "5,Ada,,20101\n6,,ben@example.edu,\n"
    )  # keys of a platform differ
    found = granted(load(write()), "hw2", PEOPLE, ["17", "18", "19"])
    assert found.terms == {
        "17": Terms(due="2024-03-25T03:59:00+00:00", reason="ill", days=1, left=1),
        "18": Terms(due="2024-03-30T16:00:00+00:00", days=3, left=4),
        "19": Terms(days=3, left=4),
    }
    assert found.notices == (("19", "1 of 1 behind 19 not on the roster (roster.csv); see people.csv."),)


def test_a_group_has_the_late_days_of_its_poorest_member_and_the_latest_extension(write, tmp_path):
    results(tmp_path / "grades/hw1", {"20101": 3})
    both = [Person(key="7", person_id="20101"), Person(key="7", email="ben@example.edu")]
    assert granted(load(write()), "hw2", both, ["7"]).terms == {
        "7": Terms(due="2024-03-30T16:00:00+00:00", reason="ill", days=1, left=1)
    }


@pytest.mark.parametrize("known", [(), (Person(key="20102", person_id="20102"),)])
def test_the_roster_says_whose_address_an_id_is(write, tmp_path, known):
    results(tmp_path / "grades/hw1", {"7": 1}, "7,,ben@example.edu,\n")
    assert granted(load(write()), "hw2", known, ["20102"]).terms == {
        "20102": Terms(due="2024-03-30T16:00:00+00:00", days=3, left=3)
    }
    assert completed(known, load(write()).roster, ["20102"]) == (
        Person(key="20102", name="Ben Bitdiddle", email="ben@example.edu", person_id="20102"),
    )


def test_nobody_is_told_by_a_name_that_two_have(write):
    roster = load(write(roster=ROSTER + "20103,Lovelace Ada,ada3@example.edu\n")).roster
    ada, ben = Person(key="1", name="Ada Lovelace"), Person(key="2", name="Ben Bitdiddle")
    assert [person.person_id for person in completed([ada, ben], roster)] == ["", "20102"]


def test_two_extensions_of_one_person_without_a_roster(write):
    extensions = "who,assignment,due,days\n20101,hw2,,3\nada@example.edu,hw2,,9\n"
    course = load(write(COURSE.replace("roster: roster.csv\n", ""), extensions=extensions))
    ada = Person(key="17", person_id="20101", email="ada@example.edu")
    with pytest.raises(UsageError, match=r"extensions\.csv:3: 17 has an extension in line 2 already"):
        granted(course, "hw2", [ada], ["17"])
    two = [Person(key="17", person_id="20101"), Person(key="17", email="ada@example.edu")]
    assert granted(course, "hw2", two, ["17"]).terms["17"].due == "2024-04-01T03:59:00+00:00"


def test_late_days_that_cannot_be_known_are_told(write):
    found = granted(load(write()), "hw2", PEOPLE[:2], ["17"])
    assert [text for _, text in found.notices if "hw1" in text and "summary.csv" in text]
    assert found.terms["17"].left == 4


def test_the_courses_deadline_takes_the_place_of_the_manifests(write):
    course = load(write())
    assert course.says.assignments["hw2"].zone == "America/New_York"
    assert granted(course, "hw9", [], []).notices == (
        ("", "course.yaml has no deadline for hw9; it has hw1, hw2, exam."),
    )


def test_a_course_is_found_beside_the_assignment(write, tmp_path):
    path = write()
    assert course_beside(tmp_path / "test_suites" / "hw1") == path
    assert course_beside(tmp_path / "hw1") == path
    assert course_beside(tmp_path / "a" / "test_suites" / "hw1") is None


@pytest.mark.parametrize(
    "roster",
    [
        ROSTER.replace(",", ";").encode("utf-8-sig"),
        ROSTER.replace("20101", "20101.0").encode("utf-16"),
        ("sep=;\r\n" + ROSTER.replace("20101", "20101,0").replace("SID,Name,E-mail", "SID;Name;E-mail")
         .replace(",Ada Lovelace,", ";Ada Lovelace;").replace("20102,Ben Bitdiddle,", "20102;Ben Bitdiddle;")),
    ],
)  # fmt: skip
def test_a_roster_comes_from_any_spreadsheet(write, roster):
    assert [person.person_id for person in load(write(roster=roster)).roster] == ["20101", "20102"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"roster": ROSTER + "20101,Ada Twice,a2@example.edu\n"}, "roster.csv:4: the id 20101 stands in line 2"),
        ({"roster": ROSTER + "20103,X,ADA@example.edu\n"}, "roster.csv:4: the e-mail ADA@example.edu stands in line 2"),
        ({"roster": ROSTER + ",Nameless,\n"}, "roster.csv:4: neither id nor e-mail"),
        ({"roster": "id,id\n1,2\n"}, "roster.csv:1: expected one column person_id"),
        ({"extensions": EXTENSIONS + "20111,hw2,,1,\n"}, "csv:4: nobody on the roster is called '20111'; did"),
        ({"extensions": EXTENSIONS + "fay,hw2,,1,\n"},
         "csv:4: nobody on the roster is called 'fay'; correct it, or add them to roster.csv"),
        ({"extensions": EXTENSIONS + "20101,hw2,,1,\n"}, "extensions.csv:4: 20101 has an extension of hw2 in line 2"),
        ({"extensions": EXTENSIONS + "ADA@example.edu,hw2,,9,\n"}, "csv:4: ADA@example.edu has an extension of hw2 in"),
        ({"extensions": EXTENSIONS + "20102,hw1,2024-03-08 12:00,,\n"},
         "csv:4: the new due time 2024-03-08 12:00 is before the deadline 2024-03-08 23:59"),
        ({"extensions": EXTENSIONS + "20102,hw3,,1,\n"},
         "extensions.csv:4: unknown assignment 'hw3'; course.yaml has hw1, hw2, exam: write one of them"),
        ({"extensions": EXTENSIONS + "20102,HW-1,,1,\n"}, "csv:4: unknown assignment 'HW-1'; did you mean 'hw1'?"),
        ({"extensions": EXTENSIONS + "20102,,,1,\n"}, "extensions.csv:4: unknown assignment ''; course.yaml has hw1"),
        ({"extensions": EXTENSIONS + "20102,hw1,,1.5,\n"}, "extensions.csv:4: the days are '1.5', expected a whole"),
        ({"extensions": EXTENSIONS + "20102,hw1,2024-03-31,1,\n"}, "extensions.csv:4: expected either a new due time"),
        ({"extensions": EXTENSIONS + "20102,hw1,2024-03-10 02:30,,\n"}, "csv:4: '2024-03-10 02:30' is left out"),
        ({"extensions": "who,slug\n"}, "extensions.csv:1: expected one column assignment"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_list(write, more, words):
    with pytest.raises(UsageError) as error:
        load(write(**more))
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("zone: America/New_York\n", "", ":6: due: '2024-03-08 23:59' has neither an offset nor a zone"),
        ("America/New_York", "America/NewYork", "course.yaml:1: there is no time zone 'America/NewYork'; did you mean"),
        ("category: homework, results", "category: homwork, results", "unknown category 'homwork'; did you mean"),
        ("2024-03-08 23:59", "2024-11-03 01:30", "course.yaml:7: due: '2024-11-03 01:30' comes twice"),
        ("{due: 2024-03-08", "{dew: 1, due: 2024-03-08", "unknown key 'dew', expected one of due, zone"),
        ("roster.csv", "rooster.csv", "course.yaml:2: roster: there is no file"),
        ("percent: 20", "percent: 20, points: 2", "either a percent from 0 to 100 or points"),
        ("{hours: 24, percent: 20}", "{hours: 24, percent: 20}, {hours: 12, percent: 30}", "growing hours"),
        ("action: zero", "action: zero, per_day: {percent: 1, days: 1}", "keep one"),
        ('due: "2024-05-02T12:00:00+02:00"', "grace_hours: 1, action: zero", "course.yaml:9: a late policy needs a"),
        ('+02:00"', '+02:00", late_days: 1', "late_days are of a category's budget"),
        ('+02:00"', '+02:00", early: [{due: 2024-05-02 12:00, points: 1}]', "is not before the deadline"),
        (
            "roster: roster.csv",
            "rooster: roster.csv",
            "course.yaml:2: course.yaml: unknown key 'rooster', expected one of",
        ),
        ("assignments:", "assignment:", "course.yaml:6: unknown key 'assignment'; did you mean 'assignments'?"),
        ("late_days: 4", "late_days: -4", "course.yaml:5: homework: expected 0 late days or more"),
    ],
)
def test_what_is_wrong_with_the_course(write, old, new, words):
    assert old in COURSE
    with pytest.raises(AuthorError) as error:
        load(write(COURSE.replace(old, new, 1)))
    assert words in str(error.value)


@pytest.mark.parametrize(("entry", "other", "said"), [
    ("tiney", "", "course.yaml:9: unknown assignment 'tiney'; did you mean 'tiny', which has no deadline here?"),
    ("tiny2", "", ""), ("tin", "tin", ""), ("rnn", "", ""),
])  # fmt: skip
def test_the_assignment_that_is_graded_is_not_misspelt(write, tmp_path, entry, other, said):
    """Though extensions.csv writes it rightly. Another assignment's name is no misspelling, nor another number."""
    for slug in ("tiny", *filter(None, [other])):
        (tmp_path / "suites" / slug).mkdir(parents=True)
        (tmp_path / "suites" / slug / "assignment.yaml").write_text("")
    graded = replace(tiny()[1], suite=tmp_path / "suites" / "tiny")
    path = write(COURSE.replace("exam:", f"{entry}:"), extensions="who,assignment,days\n20101,hw2,2\n")
    if not said:
        assert entry in load(path, graded).says.assignments
        return
    write(path.read_text(), extensions="who,assignment,days\n20101,tiny,2\n")
    with pytest.raises(AuthorError) as error:
        load(path, graded)
    assert said in str(error.value)


@pytest.mark.parametrize(("suites", "named", "said"), [
    ({"exam_b"}, "exam_b", "{course}:9: unknown assignment 'exam'; did you mean 'exam_b', as {list}:4 writes it?"),
    ({"exam_b", "exam"}, "exam_b",
     "{list}:4: course.yaml has no deadline for 'exam_b'; give it one there, or correct the name here"),
    ({"exam"}, "exam_b", "{list}:4: unknown assignment 'exam_b'; did you mean 'exam'?"),
    ({"hw3", "hw1", "hw2"}, "hw3", "{list}:4: course.yaml has no deadline for 'hw3'; give it one there"),
])  # fmt: skip
@pytest.mark.parametrize("graded", [None, tiny()[1]])
def test_another_assignments_name_is_corrected_where_it_is_wrong(write, tmp_path, graded, suites, named, said):
    """What exists is written rightly; what stands in neither file's assignments is the list's own slip."""
    for slug in suites:
        (tmp_path / "test_suites" / slug).mkdir(parents=True)
        (tmp_path / "test_suites" / slug / "assignment.yaml").write_text("")
    with pytest.raises(UsageError) as error:
        load(write(extensions=EXTENSIONS + f"20102,{named},,1,\n"), graded)
    files = {"course": tmp_path / "course.yaml", "list": tmp_path / "extensions.csv"}
    assert str(error.value).startswith(said.format(**files))


# --- times ------------------------------------------------------------------------------------------------------------

KEYS = {"ada": "ada", "ben": "ben", "ben~2": "ben"}


def times(tmp_path, *lines, zone="Europe/Berlin"):
    (tmp_path / "times.csv").write_text("\n".join(["who,time", *lines]) + "\n")
    people = [Person(key="ada", email="ada@example.edu")]
    return read_times(tmp_path / "times.csv", zone_of(zone), KEYS, owners_called(people, KEYS.values()))


def test_times_are_of_the_zone_or_of_their_offset(tmp_path):
    found = times(tmp_path, "ada@example.edu,2024-03-01 12:00", "ben~2,2024-03-01T12:00:00-05:00")
    assert found == {"ada": "2024-03-01T11:00:00+00:00", "ben~2": "2024-03-01T17:00:00+00:00"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("adda,2024-03-01 12:00", "times.csv:2: there is no submission of 'adda'; did you mean 'ada'?"),
        ("ben,2024-03-01 12:00", "times.csv:2: ben has the attempts ben, ben~2: expected one of them"),
        ("ada,2024-03-31 02:30", "times.csv:2: '2024-03-31 02:30' is left out by the clocks of Europe/Berlin"),
        ("ada,", "times.csv:2: '' is no time"),
    ],
)
def test_what_is_wrong_with_a_time(tmp_path, line, words):
    with pytest.raises(UsageError) as error:
        times(tmp_path, line)
    assert words in str(error.value)
