"""docs/manifest.md names every key and every word that a manifest may hold, and no check of the form that is gone."""

import dataclasses
import re
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from grader.assignment import assignment
from grader.course import plan
from grader.short import form
from grader.short.draws import DRAWS
from grader.short.planning import PROPERTIES

PAGE = (Path(__file__).parent.parent / "docs" / "manifest.md").read_text(encoding="utf-8")
WORDS = set(re.findall(r"[\w.]+", " ".join(re.findall(r"`([^`]+)`", PAGE))))
NOT_WRITTEN = {"suite", "reference", "template", "evidence"}
RECORDS = [
    record
    for module in (assignment, form, plan)
    for record in vars(module).values()
    if dataclasses.is_dataclass(record)
    and record.__module__ == module.__name__
    and record not in (assignment.Evidence, plan.Extension, plan.Course)
]


def literals(hint):
    if get_origin(hint) is Literal:
        return set(get_args(hint))
    return set().union(*map(literals, get_args(hint)), set())


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_key_and_value_is_named(record):
    keys = {field.metadata.get("key", field.name) for field in dataclasses.fields(record)}
    keys -= NOT_WRITTEN if record is assignment.Assignment else set()
    values = set().union(*(literals(hint) for hint in get_type_hints(record).values()), set()) - {""}
    assert keys | values <= WORDS


@pytest.mark.parametrize("name", [*DRAWS, *PROPERTIES])
def test_every_draw_and_property_is_named(name):
    assert name in WORDS
