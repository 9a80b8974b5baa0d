"""`results.json` as Gradescope reads it.

- Every item with a score is a test with `score`, `max_score` and a status; extra credit has `max_score` 0, so the sum
  of `max_score` is the assignment's total less the points that are still open.
- Open items (not run, grader error, waiting for a person) carry neither score nor `max_score` nor status, and are
  named at the top with the points that they can still bring.
- All text is `text`: nothing that a student's code said is ever rendered.
- Where an item is hidden, the text at the top names no points, because Gradescope itself withholds the total then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from grader.model import Line, Report
from grader.reports import full
from grader.reports.repeated import Said, said_of
from grader.reports.words import (
    HIDDEN,
    STATE_WORDS,
    WRONG,
    advice,
    explanation,
    heading,
    hides_something,
    number,
    open_lines,
    rule_lines,
    staff_points,
    urgent_first,
)
from grader.text import clean, one_line
from grader.wording import points, points_word

FORMAT = 1
OUTPUT_LIMIT = 20_000
UNFINISHED = "Grading was interrupted before it was finished; there is no score yet."
_LEFT_OUT = ("Printed", "Binding")  # they are in report.html


def results(report: Report) -> dict[str, Any]:
    """The content of results.json, valid by `schema()`."""
    return _results(report, _test)


def text(report: Report, said: Mapping[str, Said | None] | None = None) -> str:
    """The text of results.json. `said`: as `said_of` has it, for who has it already."""
    known = said_of(report) if said is None else said

    def test_of(line: Line) -> full.Encoded:
        found = known[line.item]
        return _encoded_test(line) if found is None else found.made(_encoded_test)

    try:
        return full.text(_results(report, test_of))
    except ValueError:  # a number that JSON does not have
        return full.text(results(report))


def _results(report: Report, test_of: Callable[[Line], object]) -> dict[str, Any]:
    decided = {} if report.unfinished else {"score": number(report.score)}
    listed = [line for line in report.lines if line.counted or _was_looked_at(line)]
    return {
        **decided,
        "execution_time": round(report.seconds, 1),
        "output": _head(report),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [test_of(line) for line in urgent_first(listed)],
        "extra_data": {
            "format": FORMAT,
            "assignment": report.slug,
            "submission": report.key,
            "total": number(report.total),
            "open_points": number(report.open_points),
            "seed": report.seed,
            **({"log": report.log} if report.log else {}),
        },
    }


def schema() -> dict[str, Any]:
    """The JSON schema of what `results` returns."""
    content: dict[str, Any] = json.loads(Path(__file__).with_name("gradescope_schema.json").read_text("utf-8"))
    return content


def _was_looked_at(line: Line) -> bool:
    """An item that does not count is listed when its author would look for it: it ran, or a person marked it."""
    return line.state == "marked" or line.result is not None


def _encoded_test(line: Line) -> full.Encoded:
    return full.encoded(_test(line))


def _test(line: Line) -> dict[str, Any]:
    test: dict[str, Any] = {
        "name": heading(line) + (" (extra credit)" if line.extra_credit else ""),
        "name_format": "text",
        "number": line.question,
        "output": _output(line),
        "output_format": "text",
        "visibility": line.visibility,
        "extra_data": {"item": line.item, "state": line.state},
    }
    if line.counted and line.score is not None:
        test["score"] = number(line.score)
        test["max_score"] = 0 if line.extra_credit else number(line.maximum)
        test["status"] = "passed" if _is_pass(line) else "failed"
    return test


def _is_pass(line: Line) -> bool:
    """The check's own verdict; a marked item passes with all its points."""
    return line.earned == line.maximum if line.state == "marked" else line.state == "passed"


def _output(line: Line) -> str:
    blocks = [block for block in explanation(line) if block.label not in _LEFT_OUT]
    texts = [f"{block.label}: {block.text}" if block.label else block.text for block in blocks]
    first = [] if HIDDEN in texts else [f"[{STATE_WORDS[line.state]}]"]
    if line.extra_credit:
        first.append(f"Extra credit, up to {points_word(line.maximum)}.")
    return clean("\n".join([*first, *texts]), OUTPUT_LIMIT)


def _head(report: Report) -> str:
    """The text at the top: score, what went wrong, broken rules, what is open, what intake noticed."""
    told = not hides_something(report)
    lines = [f"{UNFINISHED}"] if report.unfinished else []
    if report.refused:
        lines.append(f"The submission could not be taken in: {one_line(report.refused, 1000)}")
    if told and not report.unfinished:
        lines.append(f"{points(report.score)} of {points_word(report.total)}.")
        if report.would_be != report.score:
            lines.append(f"Without what is taken below it would be {points(report.would_be)}.")
    lines += [one_line(sentence, 500) for sentence in report.handed_in]
    wrong = [line for line in report.lines if line.counted and line.state in WRONG and line.visibility == "visible"]
    if wrong and not report.refused:
        lines += [
            "",
            "To look at:",
            *(f"    {line.question}  {heading(line)}: {STATE_WORDS[line.state]}{_why(line)}" for line in wrong),
        ]
    if report.applied:
        lines += ["", "Rules:", *rule_lines(report.applied, amounts=told)]
    waiting = [line for line in open_lines(report) if line.visibility == "visible" and line.state != "awaiting"]
    if waiting or (told and report.open_points):
        lines += ["", f"Still open, not counted above: {points_word(report.open_points)}" if told else "Still open:"]
        lines += [_waiting(line) for line in waiting]
    if staff_points(report):
        lines.append(f"    {staff_points(report)}" if told else "Some points are graded by staff.")
    if report.notes:
        lines += ["", "Notes:", *(one_line(note, 500) for note in report.notes)]
    return clean("\n".join(lines).strip("\n"), OUTPUT_LIMIT)


def _why(line: Line) -> str:
    said = advice(line)
    return f" – {said}" if said and line.state != "not_attempted" else ""


def _waiting(line: Line) -> str:
    why = one_line(line.message, 200)
    what = f"{line.question}  {heading(line)} ({points(line.maximum)}): {STATE_WORDS[line.state]}"
    return f"    {what} – {why}" if why else f"    {what}"
