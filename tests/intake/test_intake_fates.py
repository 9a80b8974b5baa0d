"""Nothing that is handed in vanishes: every file and folder has a fate, and every submission has its files."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from intake_examples import COURSE, GOOD, LSTM, NOTEBOOK, PAIRS, pack, put, zipped

from grader.intake import Earlier, take_all
from grader.model import Refused, Submission

NAMES = ("LSTM.py", "Transformer.py", "Main.ipynb", "LSTM (1).py", "lstm.py.txt", "report.pdf", "notes.txt", "best.pt",
         "Icon\r", ".DS_Store", "x.pyc", "fast.so", "data.csv", "Main.py", "odd\x07name.py", "work.zip",
         "old.rar")  # fmt: skip
CONTENTS = {".ipynb": [NOTEBOOK, "broken", "\ufeff" + NOTEBOOK], ".py": [LSTM, "x = (", "raise NotImplementedError"]}
TOPS = ("ada", "bob", "Ada Lovelace", "hw3_111111_222222", "ada (1)", "draft", "final", "models", "__pycache__", "data",
        "hopper_LATE_501_9001_", "turing_502_9002_", "A B_7_assignsubmission_file_",
        "x_ab_attempt_2024-01-01-10-00-00_")  # fmt: skip


@st.composite
def class_folders(draw) -> dict[str, str | None]:
    """Path → content, None for an empty folder: students, dumps, strays and junk as they come."""
    files: dict[str, str | None] = {}
    for top in draw(st.lists(st.sampled_from(TOPS), max_size=5, unique=True)):
        inside = draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True))
        joint = "" if top.endswith("_") and draw(st.booleans()) else "/"
        deeper = draw(st.sampled_from(["", "models/", "a/b/"])) if joint else ""
        for name in inside:
            content = draw(st.sampled_from(CONTENTS.get(Path(name).suffix, ["x"])))
            files[f"{top}{joint}{deeper}{name}"] = content
        if not inside and joint:
            files[top] = None
    for name in draw(st.lists(st.sampled_from((*NAMES, "gina.zip.crdownload", "roster.csv", "kim.7z")), max_size=3)):
        files[name] = draw(st.sampled_from(CONTENTS.get(Path(name).suffix, ["x"])))
    return files


def made(root: Path, files: dict[str, str | None]) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = root / name
        if content is None:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8", newline="")
    return root


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(files=class_folders(), course=st.sampled_from([COURSE, PAIRS]), form=st.sampled_from(["folder", "zip"]))
def test_everything_handed_in_has_one_fate(tmp_path_factory, files, course, form) -> None:
    yard = tmp_path_factory.mktemp("yard")
    folder = made(yard / "class", files)
    if form == "zip":
        contents = {f"{name}/" if content is None else name: content or "" for name, content in files.items()}
        folder = pack(yard / "class.zip", contents)
    taken = take_all([folder], course, yard / "work")
    paths = [fate.path for fate in taken.fates]
    assert max(Counter(paths).values(), default=1) == 1
    for name, content in files.items():
        whole = f"{folder.name}/{name}".replace("\r", "").replace("\x07", "")
        covering = [path for path in paths if path == whole or (path.endswith("/") and f"{whole}/".startswith(path))]
        assert covering, (name, content, paths)
    keys = {entry.key: entry for entry in taken.found}
    for fate in taken.fates:
        assert fate.why or fate.fate == "graded"
        assert not fate.submission or fate.submission in keys
        if fate.fate == "graded" and fate.submission:
            assert isinstance(keys[fate.submission], Submission), fate
        if fate.fate == "refused":
            assert isinstance(keys[fate.submission], Refused), fate
    for entry in taken.found:
        kept = {fate.path for fate in taken.fates if fate.submission == entry.key}
        assert kept or not files
        if isinstance(entry, Submission):
            assert sum(fate.fate == "graded" for fate in taken.fates if fate.submission == entry.key)
            assert entry.root.is_dir()


def test_the_account_of_a_class(tmp_path) -> None:
    inner = zipped({"LSTM.py": LSTM, "__MACOSX/._LSTM.py": "x"}, tmp_path)
    files = {"alice/LSTM.py": LSTM, "alice/fast.so": "x", "bob.zip": inner, "carol.rar": "x", "roster.csv": "x"}
    folder = put(tmp_path / "class", files)
    (folder / "dave").mkdir()
    fates = take_all([folder], COURSE, tmp_path / "work").fates
    assert [(fate.path, fate.fate, fate.submission) for fate in fates] == [
        ("class/alice/LSTM.py", "graded", "alice"),
        ("class/alice/fast.so", "left out", "alice"),
        ("class/bob.zip", "graded", "bob"),
        ("class/bob.zip/LSTM.py", "graded", "bob"),
        ("class/bob.zip/__MACOSX/._LSTM.py", "left out", "bob"),
        ("class/carol.rar", "refused", "carol"),
        ("class/dave/", "refused", "dave"),
        ("class/roster.csv", "left out", ""),
    ]


def test_attempts_get_keys_of_their_own_and_known_ones_keep_theirs(tmp_path) -> None:
    folder, work = put(tmp_path / "alice", GOOD), tmp_path / "work"
    (first,) = take_all([folder], COURSE, work).found
    put(folder, {"LSTM.py": "x = 2"})
    earlier = Earlier(attempts={"alice": [first.digest]})
    (second,) = take_all([folder], COURSE, work, earlier=earlier).found
    assert (second.key, second.owner, second.attempt) == ("alice~2", "alice", 2)
    assert isinstance(first, Submission)
    assert first.root.is_dir()
    both = Earlier(attempts={"alice": [first.digest, second.digest]})
    (again,) = take_all([folder], COURSE, work, earlier=both).found
    assert again.key == "alice~2"
    for path in folder.rglob("*.*"):
        path.unlink()
    refused = [take_all([folder], COURSE, work, earlier=both).found[0] for _ in range(2)]
    assert [entry.key for entry in refused] == ["alice~3"] * 2
    assert refused[0].digest == refused[1].digest


@pytest.mark.parametrize("number", ["2", "9"])
def test_a_platform_gives_a_person_a_new_number_each_time_and_the_key_stays(number, tmp_path) -> None:
    def export(key: str) -> Path:
        record = f"submission_{key}:\n  :submitters:\n  - :name: A\n    :email: a@x.edu\n"
        files = {"submission_metadata.yml": record, f"submission_{key}/LSTM.py": f"x = {key}"}
        return put(tmp_path / key, files)

    (first,) = take_all([export("5")], COURSE, tmp_path / "work").found
    earlier = Earlier(people=first.people, attempts={"5": [first.digest]})
    (second,) = take_all([export(number)], COURSE, tmp_path / "work", earlier=earlier).found
    assert (second.key, second.owner, second.active) == ("5~2", "5", True)
