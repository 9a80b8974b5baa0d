"""`grader status`: how far a run is, on a cluster or on this machine."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from grader.cluster import showing
from grader.cluster.following import Following
from grader.cluster.task import is_open, load
from grader.commands.score import NOT_BEGUN, slug_of
from grader.errors import EXIT_DONE, EXIT_GRADER
from grader.results.journal import NAME as JOURNAL
from grader.results.journal import Contents, in_use, read
from grader.wording import plural


def run(folder: Path) -> int:
    """Print it. Returns 0, or 3 where something needs somebody."""
    task = load(folder)
    if not is_open(folder):
        return _of_journal(folder)
    if task is None:
        sys.stdout.write(f"{folder}: no job was sent yet, since the recording is not made; the same command makes it\n")
        return EXIT_DONE
    following = Following(folder.resolve(), task)
    shards = following.look() if shutil.which("squeue") else None
    sys.stdout.write(showing.table(task.slug, shards) + "\n")
    if shards is None:
        return EXIT_GRADER
    sys.stdout.write("".join(f"note: {note}\n" for note in showing.notes(shards)))
    states = {shard.state for shard in shards}
    if states == {"done"}:
        sys.stdout.write("All shards are done: the same `grade` command with --resume brings them together.\n")
    elif states & {"lost", "failed", "new"}:
        sys.stdout.write("The same `grade` command with --resume sends again what was lost or failed.\n")
    return EXIT_GRADER if states & {"lost", "failed"} else EXIT_DONE


def _of_journal(folder: Path) -> int:
    contents = read(folder)
    if not contents.slug and (folder / JOURNAL).exists():
        sys.stdout.write(f"{NOT_BEGUN.format(folder)}\n")
        return EXIT_DONE
    slug_of(folder)
    writing = in_use(folder)
    sys.stdout.write("\n".join(_lines(contents, writing)) + "\n")
    return EXIT_DONE


def _lines(contents: Contents, writing: bool) -> list[str]:
    stored = contents.submissions.values()
    refused = sum("refused" in entry.facts for entry in stored)
    finished = sum(entry.finished for entry in stored)
    open_ones = [
        key for key, entry in sorted(contents.submissions.items()) if not _is_done(entry.facts, entry.finished)
    ]
    broken = sum(result.status == "grader_error" for entry in stored for result in entry.results.values())
    shard = contents.shard
    part = f" (shard {shard['number']}/{shard['of']})" if shard else ""
    counted = [f"{plural(len(stored), 'submission')}", f"{finished} judged"]
    counted += [f"{refused} refused"] if refused else []
    counted += [f"{len(open_ones)} open"] if open_ones else []
    lines = [f"{contents.slug}{part}: {', '.join(counted)}; {'a run is writing' if writing else 'no run is writing'}"]
    if open_ones:
        lines.append(f"open: {', '.join(open_ones[:20])}{' …' if len(open_ones) > 20 else ''}")
    if open_ones and not writing:
        lines.append("The same `grade` command goes on with them.")
    if broken:
        lines.append(f"{plural(broken, 'item')} the grader could not judge: see attention.csv")
    return lines


def _is_done(facts: dict[str, object], finished: bool) -> bool:
    return finished or "refused" in facts
