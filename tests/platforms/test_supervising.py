"""The supervisor on this machine: what is told in the end, and what when the grading or it itself is stopped."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from jsonschema import validate
from tiny_assignment import SLUG, copy_of_the_assignment, edit, lay_out_submission, tiny

from grader.assignment.assignment import Late
from grader.assignment.locate import folders_below
from grader.assignment.manifest import load
from grader.course.plan import load as load_course
from grader.errors import UsageError
from grader.model import CheckResult, Submission
from grader.platforms.answers import answers_in
from grader.platforms.bundle import Wanted, write
from grader.platforms.feedback import differing_due
from grader.platforms.policy import TOLD_ONLY, policy_of
from grader.reports import gradescope
from grader.results.journal import Journal

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="platforms run Linux")
DUE = 'late: {due: "2026-03-01T00:00:00+01:00", action: zero}\n\nlimits:'
SLOW = {"layers.py": ("    shifted =", "    import time\n    time.sleep(30)\n    shifted =")}


def bundle(folder, *, platform="gradescope", due=False, seconds=None, manifest="", **wanted):
    root = copy_of_the_assignment(folder / "assignments")
    if manifest:
        edit(folders_below(root, SLUG).suite / "assignment.yaml", "limits:", f"{manifest}\nlimits:")
    if due:
        edit(folders_below(root, SLUG).suite / "assignment.yaml", "limits:", DUE)
    folders = folders_below(root, SLUG)
    write(load(folders), folders, Wanted(platform=platform, seed="seed", docker=True, **wanted), folder / "bundle")
    source = folder / "bundle" / "source"
    settings = json.loads((source / "bundle.json").read_text("utf-8"))
    if seconds is not None:
        (source / "bundle.json").write_text(json.dumps({**settings, "seconds": seconds}), encoding="utf-8")
    return source


def started(platform, source, root, *before):
    return subprocess.Popen(
        [*before, sys.executable, "-m", "grader.platforms", platform, str(source), str(root)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def autograder(tmp_path):
    """Gradescope's folder."""
    root = tmp_path / "autograder"
    root.mkdir()
    return root


def run(source, root, code=0, platform="gradescope"):
    process = started(platform, source, root)
    text, _ = process.communicate(timeout=300)
    assert process.returncode == code, text
    return text


def told(root):
    found = json.loads((root / "results" / "results.json").read_text("utf-8"))
    validate(found, gradescope.schema())
    return found


@pytest.mark.parametrize(("created", "score"), [("2026-02-28T23:59:00+01:00", 9), ("2026-03-01T00:01:00+01:00", 0)])
def test_lateness_is_that_of_the_submissions_own_time(tmp_path, autograder, created, score):
    lay_out_submission(autograder / "submission")
    (autograder / "submission_metadata.json").write_text(json.dumps({"created_at": created}), encoding="utf-8")
    run(bundle(tmp_path, due=True), autograder)
    found = told(autograder)
    assert (found["score"], found["extra_data"]["late"]) == (score, score == 0)


COURSE = """\
zone: Europe/Berlin
roster: roster.csv
extensions: extensions.csv
categories: {homework: {late_days: 3}}
assignments:
  tiny: {due: 2026-03-01 00:00, grace_hours: 0.5, per_day: {percent: 10, days: 5}, action: zero CATEGORY}
  exam: {due: 2026-06-01 00:00}
"""


def course(folder, *, late_days):
    """A course that names people, beside the assignment."""
    (folder / "roster.csv").write_text("id,name,e-mail\n20101,Ada Lovelace,ada@example.edu\n")
    (folder / "extensions.csv").write_text("who,assignment,days,reason\n20101,tiny,30,ill\n")
    (folder / "course.yaml").write_text(COURSE.replace(" CATEGORY", ", category: homework" if late_days else ""))
    return load_course(folder / "course.yaml")


def handed_in(autograder, created, extended=None):
    """What Gradescope says of a submission, and of the own deadline of one of its authors."""
    everybodys = {"due_date": "2026-03-01T00:00:00+01:00", "total_points": "10"}
    users = [{"id": 1, "assignment": everybodys}, {"id": 2, "assignment": {"due_date": extended}}]
    said = {"created_at": created, "assignment": everybodys, "users": users}
    (autograder / "submission_metadata.json").write_text(json.dumps(said), encoding="utf-8")


def test_a_courses_deadline_goes_along_and_nobodys_name(tmp_path, autograder):
    lay_out_submission(autograder / "submission")
    policy = policy_of(tiny()[1], course(tmp_path, late_days=False))
    source = bundle(tmp_path, policy=policy)
    assert load_course(source / "assignments" / "course.yaml").applied(tiny()[1]).late == policy.late
    texts = [path.read_bytes() for path in source.rglob("*") if path.is_file() and "package" not in path.parts]
    assert not [word for word in (b"Lovelace", b"20101", b"example.edu", b"exam:") if any(word in t for t in texts)]

    handed_in(autograder, "2026-03-02T12:00:00+01:00")
    run(source, autograder)
    found = told(autograder)
    assert (found["score"], found["extra_data"]["late"]) == (7.2, True)
    assert "2 days begun, 10 % each: it costs 20 % of what was earned." in found["output"]
    assert found["extra_data"]["notes"] == []

    handed_in(autograder, "2026-03-02T12:00:00+01:00", "2026-03-02T11:45:00+01:00")
    run(source, autograder)
    found = told(autograder)
    assert (found["score"], found["extra_data"]["late"]) == (9, False), "the platform's extension, and the grace"


def test_where_there_are_late_days_lateness_is_told_and_costs_nothing(tmp_path, autograder):
    lay_out_submission(autograder / "submission")
    source = bundle(tmp_path, policy=policy_of(tiny()[1], course(tmp_path, late_days=True)))
    handed_in(autograder, "2026-03-09T12:00:00+01:00")
    run(source, autograder)
    found = told(autograder)
    assert (found["score"], found["extra_data"]["late"]) == (9, True)
    assert "Handed in on 2026-03-09 12:00" in found["output"]
    assert TOLD_ONLY in found["output"]


@pytest.mark.parametrize(("stated", "zone", "told_of"), [
    ("2026-03-01T00:00:00+01:00", "Europe/Berlin", False), ("2026-02-28T23:00:00+00:00", "Europe/Berlin", False),
    ("2026-03-02T00:00:00+01:00", "Europe/Berlin", True), ("2026-03-01T00:00:00+01:00", "America/New_York", True),
    ("", "Europe/Berlin", False), ("soon", "Europe/Berlin", False),
])  # fmt: skip
def test_two_deadlines_are_told_to_the_staff(stated, zone, told_of):
    said = differing_due(stated, Late(due="2026-03-01 00:00", zone=zone))
    assert bool(said) is told_of
    assert not told_of or "make them equal" in said


def test_when_the_time_is_up_the_part_that_was_judged_is_told_and_nothing_is_left(tmp_path, autograder):
    lay_out_submission(autograder / "submission", SLOW)
    run(bundle(tmp_path, seconds=20.0), autograder, code=3)
    found = told(autograder)
    assert "took too long" in found["output"]
    assert found["extra_data"]["complete"] is False
    assert processes_of(tmp_path) == []


def test_a_grading_that_never_began_is_not_complete(tmp_path, autograder):
    lay_out_submission(autograder / "submission")
    too_little = ("bash", "-c", 'ulimit -v 400000; exec "$@"', "bash")  # KiB: torch does not fit
    process = started("gradescope", bundle(tmp_path), autograder, *too_little)
    text, _ = process.communicate(timeout=300)
    assert process.returncode == 3, text
    found = told(autograder)
    assert found["output"].count("could not judge this submission") == 1
    assert found["extra_data"]["complete"] is False


def processes_of(folder):
    """Command lines that name the folder."""
    done = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if str(folder) in line]


def wait_for(root, seen):
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        if (root / "results" / "results.json").exists() and seen(told(root)):
            return
        time.sleep(0.1)
    raise AssertionError("it was not told in time")


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 3), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_supervisor_that_is_stopped_has_told_what_was_judged(tmp_path, autograder, sent, code):
    lay_out_submission(autograder / "submission", SLOW)
    process = started("gradescope", bundle(tmp_path), autograder)
    wait_for(autograder, lambda found: any(test.get("score") for test in found["tests"]))
    process.send_signal(sent)
    process.communicate(timeout=60)
    assert process.returncode == code
    found = told(autograder)
    assert [test["extra_data"]["item"] for test in found["tests"] if test.get("score")][:1] == ["gate.forward"]
    assert found["extra_data"]["complete"] is False


def test_an_empty_hand_in_and_a_strange_one_are_told(tmp_path, autograder):
    (autograder / "submission").mkdir()
    source = bundle(tmp_path)
    run(source, autograder)
    assert told(autograder)["score"] == 0
    (autograder / "submission" / "notes.txt").write_text("no code", encoding="utf-8")
    run(source, autograder)
    assert told(autograder)["score"] == 0


def test_prairielearn_and_autolab_take_the_same_path(tmp_path):
    lay_out_submission(tmp_path / "grade" / "student", {"model.py": (".mean(dim=1)", ".sum(dim=1)")})
    source = bundle(tmp_path, platform="prairielearn")
    run(source, tmp_path / "grade", platform="prairielearn")
    found = json.loads((tmp_path / "grade" / "results" / "results.json").read_text("utf-8"))
    assert found["score"] == pytest.approx(7 / 9)
    assert found["gradable"] is True
    last = run(source, tmp_path / "grade" / "student", platform="autolab").splitlines()[-1]
    assert json.loads(last) == {"scores": {"Question 1": 5, "Question 2": 0, "Question 3": 2}}


def test_plain_grades_a_class_from_in_to_out(tmp_path):
    for name in ("ada", "bob"):
        lay_out_submission(tmp_path / "in" / name)
    (tmp_path / "out").mkdir()
    run(bundle(tmp_path, platform="plain"), tmp_path, platform="plain")
    assert {path.parent.name for path in (tmp_path / "out").glob("*/results.json")} == {"ada", "bob"}


DOUBLED = {"model.py": (".mean(dim=1)", ".mean(dim=1) * 2")}
TRIES = "feedback: {tries: 1, messages: 1}\n"


def metadata(root, **more):
    facts = {"id": 77, "created_at": "2026-02-28T12:00:00+01:00", "assignment": {"total_points": "9.0"}, **more}
    (root / "submission_metadata.json").write_text(json.dumps(facts), encoding="utf-8")


def test_a_try_too_many_gets_the_last_result_and_later_attempts_get_verdicts(tmp_path, autograder):
    lay_out_submission(autograder / "submission", DOUBLED)
    metadata(autograder)
    source = bundle(tmp_path, manifest=TRIES, profile="submission")
    run(source, autograder)
    first = told(autograder)
    [wrong] = [test for test in first["tests"] if test["extra_data"]["item"] == "scorer.forward"]
    assert "differ" in wrong["output"]

    earlier = {"submission_time": "2026-02-28T11:00:00+01:00", "autograder_error": False, "results": first}
    lay_out_submission(tmp_path / "right")
    (tmp_path / "right").rename(autograder / "submission" / "unused")
    metadata(autograder, previous_submissions=[earlier])
    run(source, autograder)
    again = told(autograder)
    assert (again["score"], again["tests"]) == (first["score"], first["tests"])
    assert again["output"].startswith("This was submission number 2 within 24 hours; 1 are judged.")
    assert again["output"].endswith(first["output"])

    metadata(autograder, previous_submissions=[{**earlier, "submission_time": "2026-02-27T11:00:00+01:00"}])
    (autograder / "submission" / "unused").rename(tmp_path / "right")
    run(source, autograder)
    brief = told(autograder)
    assert brief["score"] == first["score"]
    assert {test["output"] for test in brief["tests"] if test.get("status") == "failed"} == {
        "What differs is not shown for this attempt."
    }


def test_results_and_marks_from_elsewhere_are_handed_back_for_the_very_same_files(tmp_path, autograder):
    class_folder = tmp_path / "class"
    lay_out_submission(class_folder / "77", DOUBLED)
    command = [
        sys.executable,
        "-m",
        "grader.cli",
        "grade",
        SLUG,
        str(class_folder / "77"),
        "--out",
        str(tmp_path / "out"),
    ]
    command += ["--seed", "another", "--assignments", str(copy_of_the_assignment(tmp_path / "there"))]
    assert subprocess.run(command, capture_output=True, text=True, check=False).returncode == 0
    journal = tmp_path / "out" / "journal.jsonl"
    text = journal.read_text("utf-8")
    assert text.count('"item":"scorer.forward","status":"failed"') == 1
    # What only the other machine can have found.
    journal.write_text(
        text.replace(
            '"item":"scorer.forward","status":"failed","credit":0.0',
            '"item":"scorer.forward","status":"passed","credit":1.0',
        ),
        "utf-8",
    )
    (tmp_path / "out" / "marks.csv").write_text("submission,item,points,comment,by\n77,gate.forward,0.5,by hand,gh\n")
    lay_out_submission(autograder / "submission", DOUBLED)
    metadata(autograder)
    source = bundle(tmp_path, answers=tmp_path / "out")
    run(source, autograder)
    found = {test["extra_data"]["item"]: test.get("score") for test in told(autograder)["tests"]}
    assert found["gate.forward"] == 0.5
    assert found["scorer.forward"] > 0

    lay_out_submission(tmp_path / "changed", {"model.py": (".mean(dim=1)", ".mean(dim=1) * 3")})
    shutil.copy2(tmp_path / "changed" / "model.py", autograder / "submission" / "model.py")
    run(source, autograder)
    found = {test["extra_data"]["item"]: test.get("score") for test in told(autograder)["tests"]}
    assert found["scorer.forward"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("passed", "splendid"), "impossible result"),
        (('"credit":1.0', '"credit":NaN'), "impossible result"),
        (('"credit":1.0', '"credit":2.0'), "impossible result"),
        (("gate.forward", "gate.backward"), "no item of this assignment"),
        (('"slug":"tiny"', '"slug":"huge"'), "results of huge"),
    ],
)
def test_answers_that_do_not_fit_are_refused(tmp_path, change, message):
    with Journal(tmp_path, SLUG) as journal:
        journal.start_run(SLUG, "seed", {})
        journal.submission(Submission(key="77", root=tmp_path, digest="d", files={}))
        journal.started("77")
        journal.result("77", CheckResult(item="gate.forward", status="passed", credit=1.0), "stamp")
        journal.finished("77", {}, 1.0)
    path = tmp_path / "journal.jsonl"
    path.write_text(path.read_text("utf-8").replace(*change), "utf-8")
    with pytest.raises(UsageError, match=message):
        answers_in(tmp_path, tiny()[1])
