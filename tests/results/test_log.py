"""The log's chain: nothing of it can be changed unseen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.errors import UsageError
from grader.results import log


def write(folder):
    folder.mkdir(exist_ok=True)
    (folder / log.NAME).unlink(missing_ok=True)
    for number in range(3):
        log.append(folder, f"kim {number}", "settled", {"rows": number, "note": "é"})
    return folder / log.NAME


def test_lines_follow_each_other(tmp_path):
    write(tmp_path)
    entries = log.read(tmp_path)
    assert [(entry.number, entry.who, entry.facts["rows"]) for entry in entries] == [
        (1, "kim 0", 0), (2, "kim 1", 1), (3, "kim 2", 2),
    ]  # fmt: skip
    assert log.head(tmp_path) == entries[-1].digest
    assert log.head(tmp_path / "nowhere") == ""


@given(st.data())
def test_no_edit_goes_unseen(tmp_path_factory, data):
    """Whatever bytes are cut, put in or changed: the chain breaks, or it ends in another head."""
    path = write(tmp_path_factory.getbasetemp() / "chain")
    content, head = path.read_bytes(), log.head(path.parent)
    start = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.integers(start, len(content)))
    changed = content[:start] + data.draw(st.binary(max_size=6) | st.just(b"\n")) + content[end:]
    path.write_bytes(changed)
    entries, broken = log.examine(path.parent)
    assert changed == content or broken or not entries or entries[-1].digest != head


def test_two_writers_at_once_are_refused(tmp_path):
    import fcntl

    path = write(tmp_path)
    with path.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="being written by another command"):
            log.append(tmp_path, "kim", "scored", {})
    assert len(log.read(tmp_path)) == 3
