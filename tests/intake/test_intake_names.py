"""Names from outside are checked, keys are safe, notes name nobody."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.intake.names import checked, masked, safe_key, student_ids, without_copy_mark
from grader.model import Person

ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=60)
PATHS = st.lists(st.sampled_from(["..", ".", "", "a", "C:", "~", "b.py"]) | ANY, max_size=6).flatmap(
    lambda parts: st.sampled_from(["/", "\\"]).map(lambda joint: joint.join(parts))
)


@given(PATHS)
def test_a_path_without_a_problem_stays_below(raw: str) -> None:
    path, problem = checked(raw)
    assert path
    assert not path.startswith("/")
    assert ".." not in path.split("/")
    if not problem:
        path.encode("utf-8")
        assert "" not in path.split("/")
        assert not re.match("[A-Za-z]:", path)
        assert checked(path) == (path, "")


@given(ANY)
def test_keys_are_safe(label: str) -> None:
    key = safe_key(label)
    assert re.fullmatch(r"[A-Za-z0-9._][A-Za-z0-9._-]{0,79}", key)
    assert not key.startswith(".")
    assert safe_key(key) == key


@given(st.lists(ANY, min_size=2, max_size=2, unique=True))
def test_a_key_that_lost_letters_is_still_its_own(labels: list[str]) -> None:
    lossy = [label for label in labels if any(mark.isalpha() and not mark.isascii() for mark in label)]
    keys = [safe_key(label) for label in lossy if "submission-" in safe_key(label)]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("ece046211_hw3_311111111_322222222.ipynb", ("311111111", "322222222")),
        ("hw3_311111111.zip", ("311111111",)),
        ("hw3_311111111_322222222 (1).ipynb", ("311111111", "322222222")),
        ("hw3_311111111_322222222-1.ipynb", ("311111111", "322222222")),
        ("2024-20000.zip", ("2024-20000",)),
        ("311111111", ("311111111",)),
        ("ece046211_hw3.ipynb", ()),
        ("hw3_2024.ipynb", ()),
        ("alice.tar.gz", ()),
    ],
)
def test_ids_in_names(name: str, ids: tuple[str, ...]) -> None:
    assert student_ids(name) == ids


@pytest.mark.parametrize(
    ("name", "original", "number"),
    [
        ("LSTM (1).py", "LSTM.py", 1),
        ("LSTM(12).py", "LSTM.py", 12),
        ("LSTM - Copy.py", "LSTM.py", 0),
        ("LSTM copy 2.py", "LSTM.py", 0),
        ("hw-Copy1.ipynb", "hw.ipynb", 0),
        ("Copy of hw.ipynb", "hw.ipynb", 0),
        ("hw-2.ipynb", "hw.ipynb", 2),
        ("LSTM.py", "LSTM.py", 0),
        ("(1).py", "(1).py", 0),
    ],
)
def test_renamed_copies(name: str, original: str, number: int) -> None:
    assert without_copy_mark(name) == (original, number)


def test_masks() -> None:
    ada = Person(key="1", name="Ada Lovelace", email="ada@x.edu", person_id="9001")
    text = "ada_lovelace, LovelaceAda, ADA LOVELACE <ada@x.edu> 9001 hw_311111111_322222222.py 2024-20000 ece046211"
    assert masked(text, [ada]) == "…, …, … <…> … hw_…_….py … ece046211"
