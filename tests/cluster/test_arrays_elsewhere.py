"""The examples for other engines have the shape that those ask for, and their commands are commands of ours."""

import json
from pathlib import Path

import jsonschema
import pytest
import typer
import yaml

import grader
from grader.cli import app
from grader.commands.grade import Request, results_folder
from grader.results.sharding import Shard

EXAMPLES = Path(grader.__file__).resolve().parents[1] / "docker" / "cluster"
TEXTS = {"type": "array", "items": {"type": "string"}, "minItems": 1}


def closed(required, **more):
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **more},
        "additionalProperties": False,
    }


AMOUNTS = closed({"cpu": {"type": "string"}, "memory": {"pattern": "^[0-9]+[MG]i$"}})
CONTAINER = closed(
    {"name": {"type": "string"}, "image": {"type": "string"}, "args": TEXTS},
    resources=closed({"requests": AMOUNTS, "limits": AMOUNTS}),
    volumeMounts={"items": closed({"name": {"type": "string"}, "mountPath": {"pattern": "^/"}})},
)
POD = closed(
    {"restartPolicy": {"enum": ["Never", "OnFailure"]}, "containers": {"type": "array", "items": CONTAINER}},
    automountServiceAccountToken={"const": False},
    volumes={"items": closed({"name": {"type": "string"}, "persistentVolumeClaim": closed({"claimName": {}})})},
)
KUBERNETES = closed(
    {
        "apiVersion": {"const": "batch/v1"},
        "kind": {"const": "Job"},
        "metadata": closed({"name": {"pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}}),
        "spec": closed(
            {"completions": {"type": "integer"}, "template": closed({"spec": POD})},
            completionMode={"const": "Indexed"},
            parallelism={"type": "integer"},
            backoffLimitPerIndex={"type": "integer"},
            maxFailedIndexes={"type": "integer"},
        ),
    }
)
AWS_BATCH = closed(
    {
        "jobName": {"pattern": "^[A-Za-z0-9_-]{1,128}$"},
        "jobQueue": {"type": "string"},
        "jobDefinition": {"type": "string"},
        "arrayProperties": closed({"size": {"type": "integer", "minimum": 2, "maximum": 10_000}}),
    },
    retryStrategy=closed({"attempts": {"type": "integer", "minimum": 1, "maximum": 10}}),
    timeout=closed({"attemptDurationSeconds": {"type": "integer", "minimum": 60}}),
    containerOverrides=closed(
        {"command": TEXTS},
        resourceRequirements={
            "items": closed({"type": {"enum": ["GPU", "MEMORY", "VCPU"]}, "value": {"type": "string"}})
        },
    ),
)


def kubernetes():
    tree = yaml.safe_load((EXAMPLES / "kubernetes.yaml").read_text("utf-8"))
    jsonschema.validate(tree, KUBERNETES)
    spec = tree["spec"]
    return spec["completions"], spec["template"]["spec"]["containers"][0]["args"], "JOB_COMPLETION_INDEX"


def aws_batch():
    tree = json.loads((EXAMPLES / "aws-batch.json").read_text("utf-8"))
    jsonschema.validate(tree, AWS_BATCH)
    return tree["arrayProperties"]["size"], tree["containerOverrides"]["command"], "AWS_BATCH_JOB_ARRAY_INDEX"


@pytest.mark.parametrize("example", [kubernetes, aws_batch])
def test_an_example_has_the_engines_shape_and_judges_every_part_once(example, monkeypatch):
    size, arguments, variable = example()
    assert arguments[0] == "grade"
    command = typer.main.get_command(app).commands["grade"]
    given = command.make_context("grade", arguments[1:]).params
    folders = set()
    for index in range(size):
        monkeypatch.setenv(variable, str(index))
        names = ("slug", "out", "seed", "shard", "jobs", "device", "resume", "training")
        request = Request(**{name: given[name] for name in names}, paths=tuple(given["paths"]))
        assert Shard.parse(given["shard"]) == Shard(index + 1, size)
        folders.add(results_folder(request))
    assert len(folders) == size
