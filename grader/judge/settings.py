"""The first message of a run: which assignment, which items, which seed, and where it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.datasets.source import DataSource


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The first message: which assignment, which items, which seed, and what to write about the suite.

    `for_kit`: what is recorded is for students.
    """

    suite: Path
    reference: Path
    template: Path
    seed: str
    items: tuple[str, ...] | None
    suite_report: Path | None
    seconds_per_submission: float
    source: DataSource | None
    device: str
    gpu: Mapping[str, str]
    cache: Path | None
    recording: Path | None
    hidden_anywhere: bool
    for_kit: bool = False

    @property
    def conditions(self) -> str:
        """What trainings depend on beside their items."""
        return "off" if self.source is None else f"{self.source.kind} {self.device}"

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Settings:
        """From the message's form."""
        return cls(
            suite=Path(message["suite"]),
            reference=Path(message["reference"]),
            template=Path(message["template"]),
            seed=message["seed"],
            items=None if message["items"] is None else tuple(message["items"]),
            suite_report=_path(message["suite_report"]),
            seconds_per_submission=float(message["seconds_per_submission"]),
            source=source_of(message),
            device=message["device"],
            gpu=message["gpu"],
            cache=_path(message["cache"]),
            recording=_path(message["recording"]),
            hidden_anywhere=message["hidden_anywhere"],
            for_kit=message["for_kit"],
        )


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def source_of(message: Mapping[str, Any]) -> DataSource | None:
    """Where training data comes from; None when nothing is trained."""
    if message["training"] == "off":
        return None
    made = message["training"] == "made"
    return DataSource(root=_path(message["data"]), made=made)
