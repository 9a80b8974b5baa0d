"""Reports written by several processes: every one once, what fails in one is told, and the bytes are those of one."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from report_examples import reports, write

from grader.errors import GraderError
from grader.run import processes
from grader.run.processes import in_processes

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="processes are forked on Linux only")


@pytest.fixture(autouse=True)
def four_processors(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.setattr(processes, "ENOUGH", 2)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 9, 41])
def test_every_entry_is_worked_on_once(tmp_path, count):
    def task(share: slice) -> list[int]:
        for number in range(count)[share]:
            with (tmp_path / str(number)).open("a") as file:
                file.write(f"{os.getpid()}\n")
        return [number * number for number in range(count)[share]]

    assert in_processes(task, count) == [number * number for number in range(count)]
    lines = {int(path.name): path.read_text().splitlines() for path in tmp_path.iterdir()}
    assert sorted(lines) == list(range(count))
    assert all(len(found) == 1 for found in lines.values())
    others = {found[0] for found in lines.values()} - {str(os.getpid())}
    assert len(others) <= count // 2  # a quick process may take two shares
    assert bool(others) == (count >= 4)


def test_what_one_process_could_not_write_is_told():
    def task(share: slice) -> list[int]:
        if share.start == 1:
            raise GraderError("disk full")
        return [0] * 5

    with pytest.raises(GraderError, match="disk full"):
        in_processes(task, 20)


def test_a_killed_process_is_told_not_taken_for_done():
    def task(share: slice) -> list[int]:
        if share.start == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return [0] * 5

    with pytest.raises(GraderError, match="killed; run the same command again"):
        in_processes(task, 20)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_without_pages_no_older_page_tells_of_other_scores(tmp_path):
    write(tmp_path, reports(), [replace(reports()[0], key="earlier~2")])
    whole = content(tmp_path)
    write(tmp_path, reports(), [replace(reports()[0], key="earlier~2")], pages=False)
    assert content(tmp_path) == {name: text for name, text in whole.items() if not name.endswith(".html")}
    assert any(name.endswith("results.json") for name in whole)
