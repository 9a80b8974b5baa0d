"""Counts, points and lists as every sentence has them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal


def plural(count: int, word: str) -> str:
    """`1 item`, `2 items`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def points(value: Decimal | None) -> str:
    """`2`, `0.5`; an en dash where there are none yet."""
    return "–" if value is None else f"{value.normalize():f}" if value else "0"


def points_word(value: Decimal) -> str:
    """`1 point`, `2.5 points`."""
    return f"{points(value)} point" if value == 1 else f"{points(value)} points"


def listed(names: Sequence[str], most: int = 6) -> str:
    """The first of many names: `a, b and 3 more`."""
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def first_lines(lines: Sequence[str], most: int) -> list[str]:
    """The first of many lines, and one that says how many more there are."""
    return [*lines[:most], *([f"… and {len(lines) - most:,} more"] if len(lines) > most else [])]
