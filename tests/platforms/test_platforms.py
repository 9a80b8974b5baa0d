"""What each platform is told: of a class that shows everything a report can say, of nothing, and of a part."""

import json

import pytest
from jsonschema import validate
from reports.report_examples import SECRET, report, reports

from grader.errors import UsageError
from grader.platforms import autolab, prairielearn
from grader.platforms.autolab import Autolab
from grader.platforms.base import SETTINGS, Outcome, Settings, read_settings
from grader.platforms.gradescope import Gradescope, content
from grader.platforms.plain import Plain
from grader.platforms.prairielearn import PrairieLearn
from grader.reports import gradescope

SETTINGS_OF = Settings(
    platform="gradescope", slug="rnn_hw", seed="very secret", seconds=540.0, memory_mib=2816, training="off",
    grader="0.2", suite="abc",
)  # fmt: skip
KEYS = [entry.key for entry in reports()]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("trouble", ["", "it took too long"])
def test_gradescope_reads_every_report_and_never_the_seed(key, trouble):
    found = content(Outcome(settings=SETTINGS_OF, report=report(key), trouble=trouble))
    validate(found, gradescope.schema())
    text = json.dumps(found)
    assert "very secret" not in text
    assert SECRET not in text
    assert "seed" not in found["extra_data"]
    assert found["extra_data"]["seed_id"] == SETTINGS_OF.seed_id != SETTINGS_OF.seed
    assert found["extra_data"]["complete"] is not bool(trouble)
    assert trouble in found["output"]


@pytest.mark.parametrize("outcome", [Outcome(trouble="the set-up is broken"), Outcome(settings=SETTINGS_OF)])
def test_without_a_report_every_platform_gets_something_valid(outcome):
    validate(content(outcome), gradescope.schema())
    found = prairielearn.content(outcome)
    assert (found["gradable"], found["score"]) == (False, 0)
    assert json.loads(autolab.text(outcome).splitlines()[-1]) == {"scores": {}}


@pytest.mark.parametrize("key", KEYS)
def test_prairielearn_gets_a_share_of_what_was_judged(key):
    found = prairielearn.content(Outcome(settings=SETTINGS_OF, report=report(key)))
    assert 0 <= found["score"] <= 1
    broken = any(line.counted and line.state == "grader_error" for line in report(key).lines)
    assert found["gradable"] is not (broken or bool(report(key).refused))
    assert SECRET not in json.dumps(found)


def test_a_hidden_item_tells_prairielearn_its_points_alone():
    shown = [prairielearn.content(Outcome(report=report(key))) for key in KEYS if not report(key).refused]
    hidden = [test for found in shown for test in found["tests"] if test["name"] == "Padding has no influence"]
    assert hidden
    assert {test["output"] for test in hidden} == {""}


def test_what_prairielearn_gets_stays_below_its_limit(monkeypatch):
    whole = Outcome(settings=SETTINGS_OF, report=report(KEYS[1]))
    full = len(prairielearn.text(whole).encode())
    monkeypatch.setattr(prairielearn, "LIMIT", full - 1)
    assert len(prairielearn.text(whole).encode()) < full
    monkeypatch.setattr(prairielearn, "LIMIT", 10)
    assert json.loads(prairielearn.text(whole))["tests"] == []


@pytest.mark.parametrize("key", KEYS)
def test_autolabs_problems_add_up_to_the_score(key):
    graded = report(key)
    last = autolab.text(Outcome(report=graded)).splitlines()[-1]
    scores = json.loads(last)["scores"]
    assert sum(scores.values()) == pytest.approx(float(graded.score))
    assert set(scores) <= {"Question 1.1", "Question 1.10", "Question 2", "Question 3", "Rules"}


def test_results_are_replaced_as_a_whole_and_readable(tmp_path):
    platform = Gradescope(tmp_path)
    platform.write(Outcome(trouble="first"))
    platform.write(Outcome(trouble="second"))
    (path,) = (tmp_path / "results").iterdir()
    assert "second" in path.read_text("utf-8")
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("platform", [Gradescope, PrairieLearn, Plain, lambda root: Autolab(root / "handin.zip")])
def test_a_submission_that_is_not_where_it_should_be_is_named(platform, tmp_path):
    with pytest.raises(UsageError, match=str(tmp_path)):
        platform(tmp_path).task()


def test_gradescopes_time_is_the_submissions_own(tmp_path):
    (tmp_path / "submission").mkdir()
    platform = Gradescope(tmp_path)
    assert platform.task().submitted_at is None
    assert "could not be read" in platform.task().notes[0]
    (tmp_path / "submission_metadata.json").write_text('{"created_at": "2026-01-01T00:00:00+01:00"}', "utf-8")
    assert platform.task().submitted_at == "2026-01-01T00:00:00+01:00"
    assert platform.task().notes == ()


@pytest.mark.parametrize("change", [{"format": 2}, {"seconds": "long"}, {"wish": 1}, {"seed": 3}, {"memory_mib": None}])
def test_settings_that_are_not_ours_are_refused(tmp_path, change):
    (tmp_path / SETTINGS).write_text(SETTINGS_OF.dump(), encoding="utf-8")
    assert read_settings(tmp_path) == SETTINGS_OF
    (tmp_path / SETTINGS).write_text(json.dumps({**json.loads(SETTINGS_OF.dump()), **change}), encoding="utf-8")
    with pytest.raises(UsageError, match="grader bundle"):
        read_settings(tmp_path)
