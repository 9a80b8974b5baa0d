"""`grader mark`: a page on this machine on which a person gives points to what awaits one."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from grader import intake
from grader.assignment.assignment import Assignment
from grader.commands.score import slug_of
from grader.commands.shared import open_assignment
from grader.commands.shared import who as user
from grader.course import marks
from grader.errors import EXIT_DONE, UsageError
from grader.marking import work
from grader.marking.keeping import Keeper
from grader.model import Report, Submission, attempt_key
from grader.results.journal import SUBMISSIONS, Contents, read
from grader.run.scores import scores_of
from grader.wording import listed

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


def run(
    folder: Path,
    who: str | None,
    take: int,
    port: int,
    submissions: Sequence[Path],
    show_report: bool,
    assignments: Path | None,
) -> int:
    """Serve the page until it is interrupted, or compare markers. Returns the exit code."""
    _, assignment = open_assignment(slug_of(folder), assignments)
    contents = read(folder)
    reports = {report.key: report for report in scores_of(folder, assignment, unmarked=True).reports}
    waiting = work.awaiting(list(reports.values()), assignment)
    keeper = Keeper(folder, assignment, "" if show_report else _name(who))
    standing = keeper.standing()
    strange = marks.strangers(marks.given(folder, assignment).marks, reports)
    sys.stderr.write("".join(f"note: {sentence}\n" for _, sentence in strange))
    if show_report:
        sys.stdout.write(work.report(waiting, standing))
        return EXIT_DONE
    if not waiting.lines:
        sys.stdout.write(f"Nothing in {folder} waits for a person.\n")
        return EXIT_DONE
    with ExitStack() as stack:
        roots = _roots(folder, contents, reports, submissions, assignment, stack)
        _reserve(keeper, waiting, take)
        _serve(keeper, waiting, reports, roots, contents, port)
    return EXIT_DONE


def _name(who: str | None) -> str:
    """The marker's name. Raises UsageError for one that cannot be a file's."""
    name = user(who or "")
    if not _NAME.fullmatch(name):
        raise UsageError(f"--as {name!r}: expected a short name of a-z, 0-9, '.', '-' and '_', such as --as kim")
    return name


def _roots(
    folder: Path,
    contents: Contents,
    reports: Mapping[str, Report],
    given: Sequence[Path],
    assignment: Assignment,
    stack: ExitStack,
) -> dict[str, Path]:
    """Where each submission lies: kept with the results, else among those given now, by the digest of its files."""
    keys = [attempt_key(report.key, report.attempt) for report in reports.values() if not report.refused]
    stored = {key: path for key in keys if (path := folder / SUBMISSIONS / key).is_dir()}
    if given:
        room = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="grader-mark-"))).resolve()
        taken = [entry for entry in intake.take(given, assignment, room) if isinstance(entry, Submission)]
        here = {entry.digest: entry.root for entry in taken}
        digests = {key: contents.submissions[key].digest for key in keys}
        stored |= {key: here[digests[key]] for key in keys if key not in stored and digests[key] in here}
    missing = sorted(set(keys) - stored.keys())
    if missing and not stored:
        raise UsageError(
            f"{folder} keeps no submissions ({folder / SUBMISSIONS}); name what was graded: --submissions PATH…"
        )
    if missing:
        sys.stderr.write(
            f"note: the files of {listed(missing, 5)} were not found; name what was graded: --submissions PATH…\n"
        )
    return stored


def _reserve(keeper: Keeper, waiting: work.Work, take: int) -> None:
    """Reserve the next submissions, where that was asked for and earlier ones are done."""
    if not take:
        return
    keys = keeper.reserve(lambda standing: work.reserve(waiting, standing, keeper.who, take))
    left = len(work.left(waiting, keeper.standing(), keeper.who))
    if not keys and not left:
        raise UsageError("nothing is left to be taken: everything is reserved or marked; `--report` says by whom")
    told = f"{len(keys)} submissions are reserved for {keeper.who}" if keys else "what was reserved before comes first"
    sys.stderr.write(f"note: {told}; {left} places are to be marked\n")


def _serve(
    keeper: Keeper,
    waiting: work.Work,
    reports: Mapping[str, Report],
    roots: Mapping[str, Path],
    contents: Contents,
    port: int,
) -> None:
    try:
        from grader.marking import serving
        from grader.marking.desk import Desk
    except ImportError as error:
        raise UsageError(
            f"`grader mark` needs {(error.name or '').partition('.')[0]}: pip install 'dl-grader[mark]'"
        ) from None
    with serving.opened(port) as listening:
        desk = Desk(
            assignment=keeper.assignment,
            work=waiting,
            reports=reports,
            keeper=keeper,
            roots=roots,
            files={key: contents.submissions[key].facts["files"] for key in roots},
            port=listening.getsockname()[1],
        )
        with suppress(KeyboardInterrupt):
            sys.stdout.write(f"Mark at {desk.address} as {keeper.who} (stop with Ctrl-C)\n")
            sys.stdout.flush()
            serving.server(desk, listening).serve_forever()
    given = len(keeper.standing().of(keeper.who).marks)
    sys.stdout.write(f"\n{given} marks stand in {keeper.path}; `grader score {keeper.folder}` makes the results.\n")
