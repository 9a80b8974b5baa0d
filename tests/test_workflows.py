"""The workflows of a course's own repository run the same commands, and the command line knows them."""

import re

import typer
import yaml

from grader.cli import app
from grader.commands.new import SCAFFOLD

WORKFLOWS = SCAFFOLD / "course"


def commands(name):
    content = yaml.safe_load((WORKFLOWS / name).read_text("utf-8"))
    if name == "gitlab.yml":
        return content["prove"]["script"]
    return [step["run"] for step in content["jobs"]["prove"]["steps"] if "run" in step]


def artefacts(name):
    content = yaml.safe_load((WORKFLOWS / name).read_text("utf-8"))
    if name == "gitlab.yml":
        return content["prove"]["artifacts"]["paths"]
    steps = content["jobs"]["prove"]["steps"]
    return [step["with"]["path"] for step in steps if "upload-artifact" in step.get("uses", "")]


def test_both_run_the_same_commands():
    assert commands("github.yml") == commands("gitlab.yml")
    assert sorted(artefacts("github.yml")) == sorted(artefacts("gitlab.yml"))


def test_the_command_line_knows_what_they_call():
    called = {name for command in commands("github.yml") for name in re.findall(r"\bgrader (\w+)", command)}
    assert called == {"template", "verify", "bundle", "kit"}
    assert called <= set(typer.main.get_command(app).commands)
