"""Times as manifests and platforms write them: ISO 8601 with an offset, without which two cannot be compared."""

from __future__ import annotations

from datetime import datetime


def moment_of(text: str | None) -> datetime | None:
    """An instant; None for text that is no time or has no offset."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
