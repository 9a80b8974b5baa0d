"""The schema takes what the loader takes, and refuses misspelt keys as it does."""

import json

import jsonschema
import pytest
import yaml
from short_examples import MANIFEST

from grader.commands import schema as command
from grader.short.schema import schema

CHECKER = jsonschema.Draft202012Validator(schema())


def test_the_command_prints_it(capsys):
    assert command.run() == 0
    printed = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(printed)
    assert printed == schema()


def test_the_example_is_taken():
    assert CHECKER.is_valid(yaml.safe_load(MANIFEST))


def test_items_may_all_be_predictions():
    predicted = "{test_set: {file: p.csv, labels: l.csv, metric: accuracy, full: 0.9, points: 5}}"
    assert CHECKER.is_valid(yaml.safe_load(f"slug: p\ntitle: P\nfiles: [p.csv]\npredictions: {predicted}"))


@pytest.mark.parametrize(
    ("find", "replace"),
    [
        ("checks:", "cheks:"),
        ("points: 1, gradients", "point: 1, gradients"),
        ("in: f.py", "inn: f.py"),
        ("slug: five\n", ""),
        ("points: 1, gradients: true}\n  mse", "points: one, gradients: true}\n  mse"),
        ("reveal: false", "visibility: seen"),
    ],
)
def test_what_the_loader_refuses_is_refused(find, replace):
    text = MANIFEST.replace(find, replace, 1)
    assert text != MANIFEST
    assert not CHECKER.is_valid(yaml.safe_load(text))
