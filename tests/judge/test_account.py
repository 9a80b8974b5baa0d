"""The suite's account of its run on the reference."""

import json

from grader.judge.account import account

WHOLE = {"root": "/home/kim/course/test_suites/hw", "duration": 1.0, "summary": {"passed": 3, "collected": 4}}


def test_it_counts_the_tests_that_a_run_is_about_and_names_no_place_of_the_machine():
    tests = [json.dumps({"nodeid": name, "outcome": outcome}) for name, outcome in (("a", "passed"), ("b", "failed"))]
    made = json.loads(account(json.dumps(WHOLE), [*tests, ""]))
    assert made["root"] == "hw"
    assert made["summary"] == {"passed": 1, "failed": 1, "total": 2, "collected": 4}
    assert [entry["nodeid"] for entry in made["tests"]] == ["a", "b"]
    assert made["duration"] == 1.0
