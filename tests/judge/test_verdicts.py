"""What a student reads when there are no values, as golden texts; and how much of a disagreement is shown."""

import pytest

from grader.judge.verdicts import KILLED, PROCESS_ENDS, of_disagreement, of_observation
from grader.model import Died, Malformed, NotImplementedYet, OutOfMemory, Raised, TimedOut, Values
from grader.suite.agreement import Disagreement, Mismatch

GOLDEN = [
    (NotImplementedYet(what="Gate.forward"), "not_attempted", "not attempted", "Not attempted: Gate.forward"),
    (
        Raised(kind="ValueError", message="too wide", where="m.py:3", trace=("m.py:9 in f: g()", "m.py:3 in g: raise")),
        "failed", "ValueError", "ValueError: too wide\n  m.py:9 in f: g()\n  m.py:3 in g: raise",
    ),
    (
        Raised(kind="TypeError", message="the result cannot be used: got Friendly"),
        "failed", "TypeError",
        "Your code's result could not be used: TypeError: the result cannot be used: got Friendly",
    ),
    (TimedOut(seconds=10.0), "failed", "timed out",
     "Stopped after 10 s. Is there a loop that does not end, or far too much work?"),
    (TimedOut(seconds=2.5, clock="processor"), "failed", "timed out",
     "Stopped after 2.5 s of processor time. Is there a loop that does not end?"),
    (OutOfMemory(limit_mib=512), "failed", "out of memory",
     "Needed more than the 512 MiB of memory that this check allows. Look at the sizes you allocate."),
    (Died(how="killed by SIGSEGV (segmentation fault)"), "failed", "process died",
     f"The process that ran your code was lost: killed by SIGSEGV (segmentation fault). {PROCESS_ENDS}"),
    (Died(how=KILLED), "failed", "process killed",
     "The process that ran your code was killed by SIGKILL (killed). The system does that when the machine's memory "
     "runs out, and so does code that kills itself."),
    (Died(how=KILLED, starved=False), "failed", "process killed itself",
     "The process that ran your code was killed by SIGKILL (killed) while the machine had memory left. Code that kills "
     "its own process does that, or that goes on when its processor time is up."),
    (Died(how=KILLED, starved=True), "grader_error", "process killed",
     "The machine's memory ran out while your code ran. That is not held against you: the points stay open."),
    (OutOfMemory(limit_mib=512, message="CUDA out of memory.\nTried", trace=("m.py:9 in f: x = g()",)),
     "failed", "out of memory",
     "Needed more than the 512 MiB of memory that this check allows. Look at the sizes you allocate.\n"
     "  CUDA out of memory. Tried\n  m.py:9 in f: x = g()"),
    (Malformed(what="the header is not valid JSON"), "failed", "unusable result",
     "The result cannot be used: the header is not valid JSON."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("observation", "status", "reason", "message"), GOLDEN, ids=[type(o[0]).__name__ for o in GOLDEN]
)
def test_every_observation_has_its_words(observation, status, reason, message):
    verdict = of_observation(observation)
    assert (verdict.status, verdict.reason, verdict.message) == (status, reason, message)


def test_values_have_no_verdict_of_their_own():
    with pytest.raises(ValueError, match="compared"):
        of_observation(Values(values={}))


def test_few_mismatches_are_shown_and_the_rest_is_counted():
    mismatches = [Mismatch(name=str(n), reason=f"reason {n}", lines=(f"line {n}",)) for n in range(7)]
    verdict = of_disagreement(Disagreement(mismatches))
    assert verdict.reason == "reason 0"
    assert verdict.message.splitlines() == ["line 0", "line 1", "line 2", "line 3", "3 more values differ."]
