"""Times as manifests, courses and platforms write them: ISO 8601 with an offset, or by the clock of a named zone.

Every instant is in UTC, because aware times of one zone are compared and subtracted by their clocks, which are put
forward and back. Hours are hours; a *day* ends when the clock shows the same time again, be it after 23 or 25 hours.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from grader.wording import plural

EXAMPLE = "2024-03-22 23:00 with a zone, or 2024-03-22T23:00:00-04:00"


def moment_of(text: str | None) -> datetime | None:
    """An instant; None for text that is no time or has no offset."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def zone_of(name: str) -> tzinfo | None:
    """The zone of that name; None for "". Raises ValueError, with near names, for one that is not known here."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        from difflib import get_close_matches

        near = get_close_matches(name, sorted(available_timezones()), n=1)
        advice = f"did you mean {near[0]!r}?" if near else "expected one such as Europe/Berlin"
        raise ValueError(f"there is no time zone {name!r}; {advice}") from None


def instant(text: str, zone: tzinfo | None) -> datetime:
    """The instant, in UTC, that a person wrote, with its offset or by the clock of `zone`.

    Raises ValueError, with what is to be written instead, for what is no time or has none of both, and for a time that
    the zone's clock shows twice or never, on the days on which it is changed.
    """
    text = text.strip()
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time, expected one such as {EXAMPLE}") from None
    if len(text) <= len("2024-03-22"):
        raise ValueError(f"{text!r} has no time of day, expected one such as {EXAMPLE}")
    if read.tzinfo is not None:
        return read.astimezone(UTC)
    if zone is None:
        raise ValueError(f"{text!r} has neither an offset nor a zone, expected a time with its offset: {EXAMPLE}")
    first, second = (read.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    if first.astimezone(UTC) > second.astimezone(UTC):
        shown = first.astimezone(UTC).astimezone(zone)
        raise ValueError(
            f"{text!r} is left out by the clocks of {zone}, which are put forward then: {shown.isoformat()}?"
        )
    raise ValueError(
        f"{text!r} comes twice in {zone}, where the clocks are put back: "
        f"write {first.isoformat()} or {second.isoformat()}"
    )


def received(text: str | None, zone: tzinfo | None) -> datetime | None:
    """The instant at which a platform says that something was handed in, in UTC; None where it does not say so.

    A time without an offset is of the zone's clock, and where that shows it twice, the first: in the student's favour.
    """
    try:
        read = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    read = read if read.tzinfo is not None else read.replace(tzinfo=zone)
    return read.astimezone(UTC) if read.tzinfo is not None else None


def days_later(moment: datetime, days: int, zone: tzinfo | None) -> datetime:
    """When the zone's clock shows the same time so many days later; the later of two where it is changed then."""
    wall = moment.astimezone(zone or UTC).replace(tzinfo=None) + timedelta(days=days)
    return max(wall.replace(tzinfo=zone or UTC, fold=fold).astimezone(UTC) for fold in (0, 1))


def days_begun(since: datetime, moment: datetime, zone: tzinfo | None) -> int:
    """How many days have begun between two instants: 1 up to the same time of the next day; 0 for none."""
    days = max(0, (moment - since).days - 1)
    while moment > days_later(since, days, zone):
        days += 1
    return days


def clock_time(moment: datetime, zone: tzinfo | None) -> str:
    """`2024-03-22 23:00 EDT`, with seconds where there are some."""
    local = moment.astimezone(zone or UTC)
    seconds = ":%S" if local.second or local.microsecond else ""
    return local.strftime(f"%Y-%m-%d %H:%M{seconds} ") + (local.tzname() or "")


def duration(since: datetime, moment: datetime, zone: tzinfo | None) -> str:
    """`3 days 2 h`, `1 h 15 min`, `40 s`: the two largest parts, days by the zone's clock."""
    days = max(days_begun(since, moment + timedelta(microseconds=1), zone) - 1, 0)
    rest = max(0, int((moment - days_later(since, days, zone)).total_seconds()))
    parts = [plural(days, "day")] if days else []
    parts += [
        f"{count} {word}" for count, word in ((rest // 3600, "h"), (rest // 60 % 60, "min"), (rest % 60, "s")) if count
    ]
    return " ".join(parts[:2]) or "less than a second"
