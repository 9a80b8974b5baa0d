"""The page of thirty minutes: how short what authors write is. What it does is seen in tests/test_package.py."""

from tutorial import BLOCKS


def test_a_complete_assignment_of_five_checks_is_short():
    (manifest,) = [block["text"] for block in BLOCKS if block["kind"] == "yaml"]
    assert manifest.count("{call:") == 5
    assert len(manifest.splitlines()) <= 25
