"""A journal that somebody else writes, followed while it grows: what is being judged, and what is done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Follower:
    """How far it was followed. Lines that are none are left to whoever reads the whole."""

    path: Path
    followed: int = 0
    going: set[str] = field(default_factory=set)  # started and not finished
    done: set[str] = field(default_factory=set)  # finished
    refused: set[str] = field(default_factory=set)
    shard: Mapping[str, Any] | None = None

    def follow(self) -> bool:
        """Read on; whether another submission was finished. Raises OSError."""
        with self.path.open("rb") as file:
            file.seek(self.followed)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self.followed += len(whole)
        before = len(self.done)
        for line in whole.splitlines():
            self._take(line)
        return len(self.done) > before

    def _take(self, line: bytes) -> None:
        try:
            record = json.loads(line)
            kind, key = str(record["kind"]), str(record.get("key", ""))
            if kind == "submission" and "refused" in record["facts"]:
                self.refused.add(key)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return
        if kind == "run" and isinstance(record.get("shard"), dict):
            self.shard = record["shard"]
        elif kind == "started":
            self.going.add(key)
        elif kind == "finished":
            self.going.discard(key)
            self.done.add(key)
