"""Results say who somebody is in people.csv alone (and intake.csv, which shows the names of files)."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from class_examples import failed, results, write
from tiny_assignment import lay_out_submission, tiny

from grader import intake
from grader.commands import release, settle
from grader.course import people
from grader.model import Refused
from grader.reports import files
from grader.results.journal import Journal

_, TINY = tiny()
NAMED = {"people.csv", "intake.csv"}
METADATA = """\
---
submission_101:
  :submitters:
  - :name: Ada Lovelace
    :sid: '900000001'
    :email: ada@example.edu
  :created_at: 2024-03-22 20:00:00.123456000 -04:00
submission_102:
  :submitters:
  - :name: Grace Hopper
    :sid: '900000002'
    :email: grace@example.edu
  :created_at: 2024-03-22 20:00:00.123456000 -04:00
"""
SECRETS = ("Lovelace", "Hopper", "lovelaceada", "hoppergrace", "900000001", "900000002", "example.edu")


def packed(folder: Path, path: Path) -> Path:
    """The reference as an archive."""
    work = lay_out_submission(folder / "work")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(work.rglob("*")):
            archive.write(file, file.relative_to(work).as_posix())
    return path


def canvas(folder):
    for name in ("lovelaceada_881_9001_hw3_900000001.zip", "hoppergrace_LATE_882_9002_Grace_Hopper_hw3.zip"):
        packed(folder.parent, folder / name)


def moodle(folder):
    for name in ("Ada Lovelace_31_assignsubmission_file_", "Grace Hopper_32_assignsubmission_file_"):
        (folder / name).mkdir()
        packed(folder.parent, folder / name / f"{name.split('_')[0]}.zip")


def gradescope(folder):
    (folder / "submission_metadata.yml").write_text(METADATA)
    for number in ("101", "102"):
        lay_out_submission(folder / f"submission_{number}")


def pairs(folder):
    packed(folder.parent, folder / "hw3_900000001_900000002.zip")
    (folder / "Ada Lovelace 900000001.zip").write_bytes(b"not an archive")


@pytest.mark.parametrize("download", [canvas, moodle, gradescope, pairs])
def test_no_name_id_or_address_is_in_any_other_file(tmp_path, download):
    handed_in, out = tmp_path / "download", tmp_path / "graded"
    handed_in.mkdir()
    download(handed_in)
    with Journal(out, "tiny") as journal:
        workspace = out / "submissions"
        workspace.mkdir()
        taken = intake.take_all([handed_in], TINY, workspace, compare=True)
        journal.start_run("tiny", "seed", {})
        journal.notices(taken.notices)
        for entry in taken.found:
            journal.submission(entry)
            if not isinstance(entry, Refused):
                for result in results(gate_forward=failed("gate.forward", message="differs")):
                    journal.result(entry.key, result, "stamp")
                journal.finished(entry.key, {"level": "strict"}, 1.0)
    people.write([person for entry in taken.found for person in entry.people], out / "people.csv")
    files.write_intake(out, taken.fates)
    write(out)
    settle.run(out, [], "", "kim", "", tiny()[0].suite.parents[1])
    assert release.run(out, "kim", False, True, tiny()[0].suite.parents[1]) == 0
    assert len(taken.found) >= 2
    assert any(secret in (out / "people.csv").read_text() for secret in SECRETS), "the fixture says who they are"
    pattern = re.compile("|".join(SECRETS), re.IGNORECASE)
    told = [path for path in out.rglob("*") if pattern.search(path.relative_to(out).as_posix())]
    told += [path for path in out.rglob("*") if path.is_file() and pattern.search(path.read_text("utf-8", "replace"))]
    assert {path.relative_to(out).as_posix() for path in told} <= NAMED
