"""One job from its message to the messages that it leads to."""

from __future__ import annotations

import dataclasses
import json
import time
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from grader.judge.submissions import Job, SubmissionJudge, Trial
from grader.model import CheckResult, Violation
from grader.sandbox.base import Sandbox
from grader.text import clean, one_line
from grader.wire.messages import MAX_MESSAGE, Port

ROOM = MAX_MESSAGE - 4096  # beside a result, a message holds the submission's key
LEAVES_OUT: Mapping[str, object] = {"output": "", "staff": "", "notes": (), "observation": "", "hint": ""}


def judge(trial: Trial, sandbox: Sandbox, job: Job, port: Port, last: Port) -> bool:
    """Judge one submission and send everything that is found out; that it is finished, or broken, over `last`.

    Returns whether it was finished.
    """

    def emit(found: CheckResult | Violation) -> None:
        kind = "result" if isinstance(found, CheckResult) else "violation"
        found = fitting(found) if isinstance(found, CheckResult) else found
        port.send({"say": kind, "key": job.key, kind: dataclasses.asdict(found)})

    started = time.perf_counter()
    try:
        protections = SubmissionJudge(trial, sandbox, job, emit).run()
        seconds = time.perf_counter() - started
        last.send({"say": "finished", "key": job.key, "protections": dict(protections), "seconds": seconds})
    except Exception:
        last.send({"say": "broken", "key": job.key, "text": clean(traceback.format_exc(), 8000)})
        return False
    trial.forget()
    return True


def job_of(message: Mapping[str, Any]) -> Job:
    """From the message's form."""
    return Job(
        key=message["key"],
        root=Path(message["root"]),
        files=message["files"],
        items=tuple(message["items"]),
        first_failure=message["first_failure"],
        show=message["show"],
        calls=Path(message["calls"]) if message["calls"] else None,
    )


def fitting(result: CheckResult) -> CheckResult:
    """The result without what does not fit into a message; how long that is, the submission has a say in."""
    for name, empty in LEAVES_OUT.items():
        if _length(result) <= ROOM:
            return result
        result = replace(result, **{name: empty})  # type: ignore[arg-type]
    result = replace(result, message=one_line(result.message, 500))
    if _length(result) <= ROOM:
        return result
    message = "The result cannot be used: what was reported during it is too long."
    return CheckResult(item=result.item, status="failed", reason="unusable result", message=message)


def _length(result: CheckResult) -> int:
    return len(json.dumps(dataclasses.asdict(result)))
