"""A slug is found in the documented order; when it is not, the message says what was searched."""

from pathlib import Path

import pytest

from grader.assignment import locate
from grader.errors import UsageError


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No assignments are in reach unless a test makes them."""
    monkeypatch.delenv(locate.ENVIRONMENT, raising=False)
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere" / "deep")
    monkeypatch.setattr(locate, "__file__", str(tmp_path / "checkout" / "grader" / "assignment" / "locate.py"))


def make(root: Path, *slugs: str) -> Path:
    for slug in slugs:
        (root / "test_suites" / slug).mkdir(parents=True)
        (root / "test_suites" / slug / "assignment.yaml").write_text("title: x\n")
    return root


def test_the_order_is_given_environment_upwards_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, named = make(tmp_path / "given", "hw1"), make(tmp_path / "named", "hw1", "hw2")
    above, checkout = make(tmp_path / "elsewhere", "hw1", "hw2", "hw3"), make(tmp_path / "checkout", "hw1", "hw4")
    monkeypatch.setenv(locate.ENVIRONMENT, str(named))
    roots = [locate.assignment_folders(f"hw{n}", given).suite.parent.parent for n in (1, 2, 3, 4)]
    assert roots == [given, named, above, checkout]
    assert locate.known_slugs(given) == ("hw1", "hw2", "hw3", "hw4")


def test_the_three_folders_lie_side_by_side(tmp_path: Path) -> None:
    root = make(tmp_path / "given", "hw1")
    assert locate.assignment_folders("hw1", root) == locate.Folders(
        suite=root / "test_suites" / "hw1",
        reference=root / "reference_solutions" / "hw1",
        template=root / "student_templates" / "hw1",
    )
    assert locate.assignment_folders("hw1", root / "test_suites").suite == root / "test_suites" / "hw1"


def test_not_found_lists_what_was_searched_and_near_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = make(tmp_path / "given", "cs7643_a4")
    monkeypatch.setenv(locate.ENVIRONMENT, str(tmp_path / "missing"))
    with pytest.raises(UsageError) as caught:
        locate.assignment_folders("cs7643_a5", given)
    message = str(caught.value)
    assert str(given / "test_suites") in message
    assert f"{tmp_path / 'missing' / 'test_suites'} (does not exist)" in message
    assert "Did you mean cs7643_a4?" in message


def test_nothing_at_all_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No test_suites/ folder was found"):
        locate.assignment_folders("hw1")
    with pytest.raises(UsageError, match="is not a folder"):
        locate.assignment_folders("hw1", tmp_path / "missing")


@pytest.mark.parametrize("slug", ["../hw1", "/hw1", "", ".", "a/b", "x" * 200, "a\0b"])
def test_a_slug_is_a_name_and_not_a_path(slug: str, tmp_path: Path) -> None:
    make(tmp_path / "given", "hw1")
    with pytest.raises(UsageError):
        locate.assignment_folders(slug, tmp_path / "given" / "test_suites")
