"""What happened to an item → the words that a student reads, and the status."""

from __future__ import annotations

from dataclasses import dataclass

from grader.model import (
    KILLED_REASON,
    SELF_KILLED_REASON,
    UNREADABLE_REASON,
    Died,
    Malformed,
    NotImplementedYet,
    Observation,
    OutOfMemory,
    Raised,
    Status,
    TimedOut,
    Values,
)
from grader.sandbox.base import signal_name
from grader.suite.agreement import Disagreement
from grader.text import one_line
from grader.wording import plural

MAX_MISMATCHES = 4
REASONS = {"UnreadableFile": UNREADABLE_REASON, "UnusableResult": "wrong type"}
KILLED = signal_name(9)
FROM_OUTSIDE = "The system does that when the machine's memory runs out, and so does code that kills itself."
BY_ITSELF = "Code that kills its own process does that, or that goes on when its processor time is up."
NO_MEMORY_LEFT = "The machine's memory ran out while your code ran. That is not held against you: the points stay open."
PROCESS_ENDS = (
    "Look for what ends a process: exit(), endless recursion, an index that crashes a library, too much memory."
)


@dataclass(frozen=True)
class Verdict:
    """Status, the short word for tables, and the message."""

    status: Status
    reason: str
    message: str


def of_observation(observation: Observation) -> Verdict:
    """The verdict on an answer that holds no values."""
    match observation:
        case NotImplementedYet(what=what):
            return Verdict("not_attempted", "not attempted", f"Not attempted: {what}")
        case Raised(kind=kind, message=message, trace=trace):
            return Verdict("failed", REASONS.get(kind, kind), _exception(kind, message, trace))
        case TimedOut(seconds=seconds, clock="wall"):
            text = f"Stopped after {seconds:g} s. Is there a loop that does not end, or far too much work?"
            return Verdict("failed", "timed out", text)
        case TimedOut(seconds=seconds):
            text = f"Stopped after {seconds:g} s of processor time. Is there a loop that does not end?"
            return Verdict("failed", "timed out", text)
        case OutOfMemory(limit_mib=limit, message=message, trace=trace):
            text = f"Needed more than the {limit} MiB of memory that this check allows. Look at the sizes you allocate."
            said = [one_line(message, 300)] if message else []
            return Verdict("failed", "out of memory", "\n".join([text, *(f"  {line}" for line in (*said, *trace))]))
        case Died(how=how, starved=True) if how == KILLED:
            return Verdict("grader_error", KILLED_REASON, NO_MEMORY_LEFT)
        case Died(how=how, starved=False) if how == KILLED:
            text = f"The process that ran your code was {how} while the machine had memory left. {BY_ITSELF}"
            return Verdict("failed", SELF_KILLED_REASON, text)
        case Died(how=how) if how == KILLED:
            return Verdict("failed", KILLED_REASON, f"The process that ran your code was {how}. {FROM_OUTSIDE}")
        case Died(how=how):
            text = f"The process that ran your code was lost: {how}. {PROCESS_ENDS}"
            return Verdict("failed", "process died", text)
        case Malformed(what=what):
            text = f"The result cannot be used: {what}."
            return Verdict("failed", "unusable result", text)
        case Values():
            raise ValueError("values are compared, not judged by themselves")


def of_disagreement(disagreement: Disagreement) -> Verdict:
    """The verdict on values that differ."""
    values = [mismatch for mismatch in disagreement.mismatches if not mismatch.name.startswith("gradients.")]
    followers = len(disagreement.mismatches) - len(values) if values else 0
    shown = values or list(disagreement.mismatches)
    lines = [line for mismatch in shown[:MAX_MISMATCHES] for line in mismatch.told()]
    if (rest := len(shown) - MAX_MISMATCHES) > 0:
        lines.append(f"{plural(rest, 'more value')} {_differ(rest)}.")
    if followers:
        # Wrong values have wrong gradients; repeating them would bury what is to be mended first.
        lines.append(f"{plural(followers, 'gradient')} {_differ(followers)} as well.")
    return Verdict("failed", disagreement.mismatches[0].reason, "\n".join(lines))


def _differ(count: int) -> str:
    return "differs" if count == 1 else "differ"


def _exception(kind: str, message: str, trace: tuple[str, ...]) -> str:
    if kind == "BindingError":
        return f"The grader's weights have no place in your layers: {message}"
    if kind == "UnreadableFile":
        return message
    if kind == "UnusableResult":
        return f"Your code's result could not be used: {message}"
    if not trace:
        return f"Your code's result could not be used: {kind}: {message}"
    return f"{kind}: {message}\n" + "\n".join(f"  {line}" for line in trace)
