"""Last year's reference: it fails what was changed, and whoever hands it in is shown to staff alone."""

import pytest
from tiny_assignment import copy_of_the_assignment, lay_out_submission, tiny

from grader.errors import AuthorError
from grader.intake import take_all
from grader.model import CheckResult, Graded
from grader.proof.demands import Claim, judge_claim
from grader.proof.kept import FORMER, former_of


@pytest.fixture
def kept(tmp_path):
    root = copy_of_the_assignment(tmp_path / "assignments")
    folder = root / "test_suites" / "tiny" / FORMER
    lay_out_submission(folder, {"layers.py": ("shifted = scores -", "shifted = 0 * scores -")})
    _, assignment = tiny(root)
    return assignment


@pytest.mark.parametrize(("credit", "problems"), [(1.0, 1), (0.8, 0), (0.0, 0)])
def test_it_must_not_earn_what_was_changed(kept, credit, problems):
    [former] = former_of(kept.suite, ["gate.forward"])
    status = "passed" if credit == 1 else "failed"
    results = {"gate.forward": CheckResult(item="gate.forward", status=status, credit=credit)}
    found = judge_claim(Claim(key="former", title="", kept=former), Graded(key="former", results=results), kept)
    assert len(found.problems) == problems
    assert all("last year's reference passes it" in text for text in found.problems)


def test_what_was_changed_needs_what_was_before(tmp_path):
    assert former_of(tmp_path, ()) == ()
    with pytest.raises(AuthorError, match="put last year's reference into submissions/former"):
        former_of(tmp_path, ["gate.forward"])


def test_who_hands_it_in_is_shown_to_staff_alone(kept, tmp_path):
    inbox = tmp_path / "class"
    lay_out_submission(
        inbox / "old", {"layers.py": ("shifted = scores -", "shifted  =  0 * scores -  # mine\n    0 -")}
    )
    text = (kept.suite / FORMER / "layers.py").read_text()
    (inbox / "old" / "layers.py").write_text(f"# my own work\n{text}")
    lay_out_submission(inbox / "own", {"layers.py": ("shifted = scores -", "shifted = 1 * scores -")})
    found = take_all([inbox], kept, tmp_path / "work", compare=True).found
    told = {entry.key: " ".join(entry.attention) for entry in found}
    assert "layers.py" in told["old"]
    assert "is that of last year's reference" in told["old"]
    assert "last year" not in told["own"].replace("model.py", "")
    assert not any("last year" in note for entry in found for note in entry.notes)
