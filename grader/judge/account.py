"""suite.json: pytest-json-report's account of the suite's run on the reference, of the items that a run is about."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath


def account(run: str, tests: Iterable[str]) -> str:
    """The file's text from the account of a whole run and those of the tests that count, all as JSON."""
    whole = json.loads(run)
    entries = [json.loads(text) for text in tests if text]
    outcomes = Counter(entry["outcome"] for entry in entries)
    whole["summary"] = {**outcomes, "total": len(entries), "collected": whole["summary"]["collected"]}
    # The folder's name alone: a recording may come from another machine, or from another clone on this one.
    return json.dumps({**whole, "root": PurePath(whole["root"]).name, "tests": entries})
