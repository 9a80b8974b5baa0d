"""Every page of docs/ is in the site's navigation, links lead somewhere, and generated pages are those of the code."""

import ast
import dataclasses
import importlib.util
import inspect
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from grader.assignment.assignment import Assignment
from grader.assignment.types import Reading, build
from grader.assignment.yaml import read
from grader.proof.kept import Kept
from grader.short.schema import schema

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
ABOVE = {ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")}
PAGES = sorted({*DOCS.rglob("*.md"), *ABOVE})
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def named(entry):
    """The pages of a part of the navigation."""
    if isinstance(entry, str):
        return [entry]
    return [page for part in (entry.values() if isinstance(entry, dict) else entry) for page in named(part)]


def anchors(page):
    """Of a page's headings, as both GitHub and the site call them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.lower())) for heading in headings}


def test_the_navigation_names_every_page_once():
    navigation = named(yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"])
    pages = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")]
    assert sorted(navigation) == sorted([*pages, "index.md", "CHANGELOG.md", "CONTRIBUTING.md"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_link_is_broken(page):
    for path, anchor in LINK.findall(FENCED.sub("", page.read_text("utf-8"))):
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target in PAGES, f"{path} is no page of the site"
        assert not anchor or anchor in anchors(target), f"{path} has no heading {anchor}"


def generator():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "site" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGE = generator()
EXAMPLES = DOCS / "site" / "examples.yaml"
RECORDS = {record.__name__: record for _, found in PAGE.files() for record in found}
OFFERED = [
    pytest.param(value, id=f"{module}.{name}")
    for modules in PAGE.MODULES.values()
    for module in modules
    for name, value in PAGE.public(module)
]


@pytest.mark.parametrize("name", PAGE.PAGES)
def test_a_generated_page_is_that_of_the_code(name):
    assert (DOCS / name).read_text("utf-8") == PAGE.text_of(PAGE.PAGES[name]), "run python docs/site/generate.py"


def test_there_is_an_example_of_every_table_and_of_no_other():
    assert set(yaml.safe_load(EXAMPLES.read_text("utf-8"))) == set(RECORDS)


@pytest.mark.parametrize("name", RECORDS)
def test_an_example_has_every_key_and_is_read(name):
    record, node, reading = RECORDS[name], read(EXAMPLES).entries[name], Reading()
    assert set(node.entries) == {PAGE.key(entry) for entry in PAGE.written(record)}
    if record is Assignment:
        jsonschema.Draft202012Validator(schema()).validate(yaml.safe_load(EXAMPLES.read_text("utf-8"))[name])
    elif record is not Kept:  # which is read by its own module, from a folder
        build(record, node, (), reading)
    assert reading.problems == []


@pytest.mark.parametrize("value", OFFERED)
def test_a_function_of_a_suite_has_an_example_with_arguments_that_it_takes(value):
    shown = PAGE.calls()
    home = value.__module__.rpartition(".")[2]
    line = shown.get((home, value.__name__)) or shown.get(("", value.__name__))
    if inspect.isclass(value) and (not line or not dataclasses.is_dataclass(value)):
        return  # handed to a test or a probe, or an error, or a base for cases
    assert line, "add a call to docs/site/calls.txt"
    called = ast.parse(line, mode="eval").body
    if not line.startswith("training.data("):
        inspect.signature(value).bind(*called.args, **{word.arg: word for word in called.keywords})


def test_no_example_is_of_something_that_is_gone():
    names = {parameter.values[0].__name__ for parameter in OFFERED}
    assert {name for _, name in PAGE.calls()} <= names
