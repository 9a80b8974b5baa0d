"""The rules of a submission's text: a child finds what would be found here, and hostile text ends with the child."""

import shutil
import sys
from pathlib import Path

import pytest
from tiny_assignment import tiny

from grader.commands.shared import open_assignment
from grader.judge import source_rules
from grader.judge.source_rules import source_violations, template_texts
from grader.proof.kept import edited_sources, read_kept
from grader.proof.reference import lay_out
from grader.sandbox.expendable import View

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="children are forked on Linux")
ROOT = Path(__file__).parents[2]
SLUGS = sorted(path.parent.name for path in (ROOT / "test_suites").glob("*/submissions"))


@pytest.mark.parametrize("slug", SLUGS)
def test_a_child_finds_what_is_found_here(slug, tmp_path):
    _, assignment = open_assignment(slug, ROOT)
    template = template_texts(assignment)
    kept = [one for one in read_kept(assignment.suite) if one.breaks or one.kind == "hostile"]
    broken = set()
    for one in kept[:: max(1, len(kept) // 8)] or read_kept(assignment.suite)[:1]:
        place = tmp_path / one.name
        if one.path.is_dir():
            shutil.copytree(one.path, place)
        else:
            lay_out(assignment, place, edited_sources(one, assignment.reference))
        files = {file.id: file.path for file in assignment.files if (place / file.path).is_file()}
        here, there = (source_violations(assignment, place, files, template, forks=forks) for forks in (False, True))
        assert here == there
        broken |= {violation.rule for violation in here}
    assert broken or not kept


def test_text_that_takes_too_much_memory_cannot_be_looked_into(tmp_path, monkeypatch):
    _, assignment = tiny()
    lay_out(assignment, tmp_path)
    (tmp_path / "layers.py").write_text("x = [" + "0," * 499_000 + "]\n")
    monkeypatch.setattr(source_rules, "View", lambda **view: View(**{**view, "memory_mib": 64}))
    arguments = (assignment, tmp_path, {"layers": "layers.py"}, template_texts(assignment))
    assert source_violations(*arguments, forks=True) != source_violations(*arguments, forks=False)
