"""One submission in each honest form is laid out as the same plain files."""

import json
import os
import stat
import tarfile
from pathlib import Path

import pytest
from intake_examples import (
    COURSE,
    GOOD,
    GOOD_FILES,
    LSTM,
    NOTEBOOK,
    PAIRS,
    TRANSFORMER,
    make_assignment,
    pack,
    put,
    snapshot,
)

from grader.assignment.assignment import ExpectedFile
from grader.errors import UsageError

DONE = "class LSTM:\n    def f(self):\n        return 1\n"
ALL = json.dumps(
    {"cells": [{"cell_type": "code", "source": f"{TRANSFORMER.replace('pass', 'x = 1')}"}], "metadata": {}}
)


def as_folder(root: Path, prefix: str = "") -> Path:
    return put(root / "alice", {prefix + name: content for name, content in GOOD.items()})


def as_zip(root: Path, prefix: str = "") -> Path:
    return pack(root / "alice.zip", {prefix + name: content for name, content in GOOD.items()})


def as_tar(root: Path, suffix: str, mode: str) -> Path:
    with tarfile.open(root / f"alice{suffix}", mode) as archive:
        archive.add(as_folder(root / "source"), "assignment4")
    return root / f"alice{suffix}"


FORMS = {
    "folder": as_folder,
    "folder with an extra folder": lambda root: as_folder(root, "assignment4/"),
    "folder with two extra folders": lambda root: as_folder(root, "hw/assignment4/"),
    "zip": as_zip,
    "zip with an extra folder": lambda root: as_zip(root, "assignment4/"),
    "zip from Windows": lambda root: as_zip(root, "assignment4\\"),
    "zip with dots": lambda root: as_zip(root, "./"),
    "tar": lambda root: as_tar(root, ".tar", "w"),
    "tar.gz": lambda root: as_tar(root, ".tar.gz", "w:gz"),
    "tgz": lambda root: as_tar(root, ".tgz", "w:gz"),
    "folder with one zip": lambda root: as_zip(root / "in").parent,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_every_form_gives_the_same_files(form, tmp_path, one, workspace) -> None:
    result = one(form(tmp_path))
    assert (result.key, result.files, result.root) == ("alice", GOOD_FILES, workspace / "alice")
    assert snapshot(result.root) == {name: content.encode() for name, content in GOOD.items()}
    assert result.digest == one(as_folder(tmp_path / "again")).digest
    assert result.submitted_at is None
    assert result.late is None


@pytest.mark.parametrize("form", [as_folder, as_zip])
def test_modes_do_not_depend_on_the_sender_or_the_umask(form, tmp_path, one) -> None:
    before = os.umask(0o077)
    try:
        path = form(tmp_path)
        for file in tmp_path.rglob("*.py"):
            file.chmod(0o777)
        root = one(path).root
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*") if path.is_file()}
    assert modes == {0o644}
    assert {stat.S_IMODE(path.stat().st_mode) for path in [root, *root.rglob("*")] if path.is_dir()} == {0o755}


def test_single_files(tmp_path, one) -> None:
    course = make_assignment(ExpectedFile(id="lstm", path="lstm.py"))
    put(tmp_path, {"bob.ipynb": NOTEBOOK, "carol/lstm.py": LSTM})
    assert one(tmp_path / "carol" / "lstm.py", assignment=course).files == {"lstm": "lstm.py"}
    notebook = one(tmp_path / "bob.ipynb", assignment=PAIRS)
    assert (notebook.key, notebook.files) == ("bob", {"nb": "bob.ipynb"})


def test_the_digest_sees_names_and_contents(tmp_path, one) -> None:
    digests = {
        one(put(tmp_path / str(number) / "a", {**GOOD, **extra})).digest
        for number, extra in enumerate([{}, {"x.txt": "1"}, {"x.txt": "2"}, {"y.txt": "1"}, {"x.tx": "t1"}])
    }
    assert len(digests) == 5


def test_junk_is_taken_away_and_noted(tmp_path, one) -> None:
    junk = {
        "__MACOSX/models/._LSTM.py": "x", ".DS_Store": "x", "models/__pycache__/LSTM.cpython-311.pyc": "x",
        ".git/config": "x", ".ipynb_checkpoints/Main-checkpoint.ipynb": NOTEBOOK, "myenv/pyvenv.cfg": "x",
        "myenv/lib/torch.py": "x", ".scratch-1/LSTM.py": "x", "models/.scratch-2": "x",
    }  # fmt: skip
    for path in (put(tmp_path / "a", {**GOOD, **junk}), pack(tmp_path / "b.zip", {**GOOD, **junk})):
        result = one(path)
        assert set(snapshot(result.root)) == set(GOOD)
        (note,) = result.notes
        assert note.startswith("left out as no part of the work: ")
        assert "'.git'" in note or "more" in note


def test_thousands_of_files_of_junk_do_not_matter(tmp_path, one) -> None:
    files = {**GOOD, **{f"venv/lib/{number}.py": "" for number in range(3_000)}}
    assert one(pack(tmp_path / "a.zip", files)).files == GOOD_FILES


def test_links_and_pipes_in_a_folder_are_left_out(tmp_path, one) -> None:
    folder = as_folder(tmp_path)
    secret = put(tmp_path / "secret", {"LSTM.py": "secret", "deep/x.py": "secret"})
    (folder / "models" / "naive" / "LSTM.py").unlink()
    (folder / "models" / "naive" / "LSTM.py").symlink_to(secret / "LSTM.py")
    (folder / "data").symlink_to(secret)
    (folder / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "pipe.py")
    result = one(folder)
    assert b"secret" not in b"".join(snapshot(result.root).values())
    assert set(result.files) == {"transformer", "nb"}
    assert any("links are not followed" in note and "'data'" in note for note in result.notes)
    assert any("no ordinary files: 'pipe.py'" in note for note in result.notes)
    assert "not handed in: models/naive/LSTM.py" in result.notes


def test_the_workspace_may_lie_in_the_folder_itself(tmp_path, taken) -> None:
    from grader.intake import take

    folder = as_folder(tmp_path)
    for _ in range(2):
        (result,) = take([folder], COURSE, folder / "grades" / "work", single=True)
        assert set(snapshot(result.root)) == set(GOOD)


def test_an_earlier_layout_is_replaced(tmp_path, one) -> None:
    folder = put(tmp_path / "alice", {**GOOD, "old.txt": "x"})
    one(folder)
    (folder / "old.txt").unlink()
    assert set(snapshot(one(folder).root)) == set(GOOD)


@pytest.mark.parametrize(
    ("files", "expected", "note"),
    [
        ({"models/naive/lstm.py": LSTM}, {"lstm": "models/naive/lstm.py"}, "by its name in other letters"),
        ({"transformer_solution.py": "x=1"}, {"transformer": "transformer_solution.py"}, "under another known name"),
        ({"code/old/LSTM.py": LSTM}, {"lstm": "LSTM.py"}, "in another folder"),
        ({"models/Transformer (1).py": "a=1", "models/Transformer (2).py": "a=2"},
         {"transformer": "models/Transformer (2).py"}, "as a renamed copy"),
        ({"models/Transformer.py": "a=0", "models/Transformer (2).py": "a=2"},
         {"transformer": "models/Transformer.py"}, None),
        ({"models/Transformer-1.py": "a=1"}, {"transformer": "models/Transformer-1.py"}, "as a renamed copy"),
        ({"Copy of Main.ipynb": NOTEBOOK}, {"nb": "Copy of Main.ipynb"}, "as a renamed copy"),
        ({"final version.ipynb": NOTEBOOK}, {"nb": "final version.ipynb"}, "as the only notebook left"),
        ({"model.py": TRANSFORMER, "b.py": "x = 1"}, {"transformer": "model.py"}, "by what it defines"),
        ({"model.py": "def broken(:\nclass LSTM:\n    x = ???"}, {"lstm": "model.py"}, "by what it defines"),
        ({"all.py": LSTM + TRANSFORMER}, {"lstm": "all.py", "transformer": "all.py"}, "by what it defines"),
        ({"model.py": "class Other: pass"}, {}, "no file of this assignment was found; handed in: 'model.py'"),
        ({"LSTM.ipynb": NOTEBOOK}, {"lstm": "LSTM.ipynb"}, "as a notebook"),
        ({"LSTM.py": "class LSTM:\n    def f(self):\n        raise NotImplementedError", "LSTM (1).py": DONE},
         {"lstm": "LSTM (1).py"}, "since LSTM.py is not filled in"),
        ({"models/Transformer.py": "class Transformer:\n    def g(self):\n        self.given = 1\n    def f(self):\n"
          "        y = self.given\n        raise NotImplementedError", "Main.ipynb": ALL},
         {"transformer": "Main.ipynb", "nb": "Main.ipynb"}, "since models/Transformer.py is not filled in"),
        ({"a.py": "class Transformer:\n    x = 1", "b.ipynb": ALL},
         {"transformer": "b.ipynb", "nb": "b.ipynb"}, "'b.ipynb' counts, not 'a.py'"),
    ],
)  # fmt: skip
def test_files_are_found_under_other_names(files, expected, note, tmp_path, one) -> None:
    result = one(put(tmp_path / "alice", files))
    assert dict(result.files) == expected
    assert all((result.root / path).is_file() for path in result.files.values())
    assert note is None or any(note in entry for entry in result.notes), result.notes


CODE = "from .helper import pairs\n\ndef table(text):\n    return pairs(text)\n\ndef back(codes):\n    return codes\n"
HOLES = "def table(text):\n    raise NotImplementedError\n\ndef back(codes):\n    raise NotImplementedError\n"
ADAPTERS = make_assignment(ExpectedFile(id="adapters", path="adapters.py", defines=("table", "back")))


@pytest.mark.parametrize(
    ("adapters", "more", "place"),
    [
        ("from own.code import back, table", {}, "adapters.py"),
        ("from own.code import table as made\ntable = made", {}, "adapters.py"),
        ("import own.code\ntable = own.code.table", {}, "adapters.py"),
        ("try:\n    from own.code import table\nexcept ImportError:\n    pass", {}, "adapters.py"),
        ("from os.path import *\nfrom own.code import *\nfrom re import *", {}, "adapters.py"),
        ("from own import *", {"own/__init__.py": "from .code import table"}, "adapters.py"),
        ("from own import table", {"own/__init__.py": "from .code import table"}, "adapters.py"),
        (HOLES + "from own.code import table", {}, "adapters.py"),
        (HOLES, {}, "own/code.py"),
        ("from own.code import table\n" + HOLES, {}, "own/code.py"),  # the hole comes last
        ("from os.path import *", {}, "own/code.py"),
        ("table = None", {}, "own/code.py"),
        ("from given import table", {"given.py": HOLES}, "own/code.py"),
        ("import own", {}, "own/code.py"),
    ],
)
def test_a_file_that_passes_on_what_another_defines_keeps_its_place(adapters, more, place, tmp_path, one) -> None:
    files = {"adapters.py": adapters, "own/code.py": CODE, "own/helper.py": "def pairs(text):\n    return text\n"}
    result = one(put(tmp_path / "s", files | more), assignment=ADAPTERS)
    assert result.files == {"adapters": place}
    assert any("since adapters.py is not filled in" in note for note in result.notes) == (place != "adapters.py")


def test_a_stricter_reading_takes_its_file_first(tmp_path, one) -> None:
    course = make_assignment(
        ExpectedFile(id="a", path="one.ipynb", kind="notebook", other_names=("*.ipynb",)),
        ExpectedFile(id="b", path="two.ipynb", kind="notebook"),
    )
    result = one(put(tmp_path / "s", {"two.ipynb": NOTEBOOK, "zzz.ipynb": NOTEBOOK}), assignment=course)
    assert result.files == {"a": "zzz.ipynb", "b": "two.ipynb"}


def test_a_module_that_is_asked_for_is_no_notebook_besides(tmp_path, one) -> None:
    course = make_assignment(
        ExpectedFile(id="model", path="model.py", defines=("LSTM",)),
        ExpectedFile(id="nb", path="work.ipynb", kind="notebook", required=False, defines=("LSTM",)),
    )
    result = one(put(tmp_path / "a", {"model.py": DONE}), assignment=course)
    assert result.files == {"model": "model.py"}
    both = one(put(tmp_path / "c", {"model.py": DONE, "work.ipynb": NOTEBOOK}), assignment=course)
    assert both.files == {"model": "model.py", "nb": "work.ipynb"}
    other = one(put(tmp_path / "b", {"mine.py": DONE}), assignment=course)
    assert set(other.files) == {"model", "nb"}


def test_a_name_with_student_ids_gets_the_name_of_the_manifest(tmp_path, one) -> None:
    result = one(put(tmp_path / "s", {"hw3_123456789_987654321.ipynb": NOTEBOOK}), assignment=PAIRS)
    assert result.files == {"nb": "hw3.ipynb"}
    assert list(snapshot(result.root)) == ["hw3.ipynb"]
    assert [person.person_id for person in result.people] == ["123456789", "987654321"]
    assert {person.key for person in result.people} == {"s"}
    assert "123456789" not in "".join(result.notes)


SOURCES = {
    "NUL": (b"x = 1\0\n", "NUL"),
    "UTF-16": ("class LSTM: pass".encode("utf-16"), "UTF-16"),
    "large": (b"#" * 1_000_001, "1.0 MB"),
    "utf-7": (b"# coding: utf-7\nx = 1\n", "declares the encoding utf-7"),
    "utf-7 in the second line": (b"#!/usr/bin/python\r# -*- coding: UTF_7 -*-\rx = 1\n", "encoding utf-7"),
    "utf-7 behind a long line": (b"#" + b"a" * 5000 + b"\n# coding: utf-7\nx = 1\n", "encoding utf-7"),
    "utf-7 behind a form feed": (b"\x0c\n \x0c# coding: utf-7\nx = 1\n", "encoding utf-7"),
    "utf-7 after a mark of UTF-8": (b"\xef\xbb\xbf# coding: utf-7\nx = 1\n", "encoding utf-7"),
    "another encoding after a mark of UTF-8": (b"\xef\xbb\xbf# coding: cp1252\nx = 1\n", "encoding cp1252"),
    "a codec that is no encoding": (b"# coding: rot13\nk = 1\n", "encoding rot13"),
    "escapes": (b"# vim: set fileencoding=unicode_escape :\nx = 1\n", "encoding unicode-escape"),
    "not UTF-8": ("# שלום\n".encode("cp1255"), "is not UTF-8"),
}


@pytest.mark.parametrize(("data", "note"), SOURCES.values(), ids=SOURCES.keys())
def test_what_is_no_readable_source_is_not_taken(data, note, tmp_path, one) -> None:
    result = one(put(tmp_path / "alice", {**GOOD, "models/naive/LSTM.py": data}))
    assert set(result.files) == {"transformer", "nb"}
    assert not (result.root / "models/naive/LSTM.py").exists()
    assert any(note in entry for entry in result.notes), result.notes


@pytest.mark.parametrize(
    "data", [NOTEBOOK.encode("utf-16"), NOTEBOOK.encode("utf-8-sig"), NOTEBOOK.replace(" ", "\r\n").encode()]
)
def test_a_notebook_in_another_form_is_read(data, tmp_path, one) -> None:
    result = one(put(tmp_path / "alice", {**GOOD, "Main.ipynb": data}))
    assert json.loads((result.root / result.files["nb"]).read_text("utf-8")) == json.loads(NOTEBOOK)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"), (b"<!doctype html>", "is a web page"), (NOTEBOOK[:30].encode(), "its JSON is broken"),
        (b'{"cells": [\xff]}', "is not UTF-8"), (b"<<<<<<< a\n>>>>>>> b", "merge marks"), (b"[]", "it has no cells"),
    ],
)  # fmt: skip
def test_a_damaged_notebook_is_left_out_with_its_reason_and_the_rest_is_graded(data, why, tmp_path, one) -> None:
    result = one(put(tmp_path / "alice", {**GOOD, "Main.ipynb": data, "stray.ipynb": data}))
    assert dict(result.files) == {name: path for name, path in GOOD_FILES.items() if name != "nb"}
    assert not list(result.root.rglob("*.ipynb"))
    assert sum(why in note for note in result.notes) == sum(why in look for look in result.attention) == 2
    assert not any("not handed in" in note for note in result.notes)


def test_a_module_in_the_place_of_a_notebook_is_read_cell_by_cell(tmp_path, one) -> None:
    export = "# coding: utf-8\n# In[1]:\nimport torch\n# In[ ]:\n!pip install x\n# %%\ny = 2\n"
    result = one(put(tmp_path / "alice", {**GOOD, "Main.ipynb": "", "Main.py": export}))
    cells = json.loads((result.root / result.files["nb"]).read_text("utf-8"))["cells"]
    assert [cell["source"] for cell in cells] == ["# coding: utf-8", "import torch", "!pip install x", "y = 2"]
    assert any("without saved outputs" in look for look in result.attention)


@pytest.mark.parametrize("name", ["LSTM.py.txt", "LSTM.txt", "lstm.docx", "LSTM (1).py.txt"])
def test_a_file_with_another_ending_is_named_where_it_is_missed(name, tmp_path, one) -> None:
    files = {path: content for path, content in GOOD.items() if "LSTM" not in path}
    result = one(put(tmp_path / "alice", {**files, f"models/naive/{name}": LSTM}))
    assert "lstm" not in result.files
    assert any(f"'models/naive/{name}' is there, and does not end in .py" in look for look in result.attention)


@pytest.mark.parametrize(
    "declared", ["latin1", "Latin-1", "iso-8859-15", "windows-1252", "l1", "cp1252", "latin_1-unix"]
)
def test_valid_python_in_any_spelling_of_an_encoding_is_read(declared, tmp_path, one) -> None:
    data = f"# -*- coding: {declared} -*-\r\nclass LSTM:\r\n    'é'\r\n".encode("latin-1")
    result = one(put(tmp_path / "alice", {**GOOD, "models/naive/LSTM.py": data}))
    text = (result.root / "models/naive/LSTM.py").read_bytes().decode("utf-8")
    assert text == "# -*- coding: utf-8 -*-\nclass LSTM:\n    'é'\n"


@pytest.mark.parametrize("declared", ["utf-8-unix", "UTF8", "utf_8", "us-ascii", "utf-8-sig"])
def test_utf_8_by_other_names_is_read(declared, tmp_path, one) -> None:
    data = f"\ufeff# vim: set fileencoding={declared} :\nclass LSTM: pass\n".encode()
    result = one(put(tmp_path / "alice", {**GOOD, "models/naive/LSTM.py": data}))
    assert (result.root / "models/naive/LSTM.py").read_bytes().startswith(b"# vim")


def test_of_two_versions_the_most_complete_and_newest_counts(tmp_path, one) -> None:
    def version(folder: str, text: str) -> dict[str, str]:
        return {f"{folder}/{name}": text for name in ("models/naive/LSTM.py", "models/Transformer.py")}

    holes = "raise NotImplementedError"
    for number, (files, chosen, newer) in enumerate(
        [
            ({**version("draft", "x = 1"), **version("final", "x = 2")}, b"x = 2", ""),
            ({**version("a", holes), **version("b", "x = 2")}, b"x = 2", ""),
            ({**version("a", "x = 1"), **version("b", holes)}, b"x = 1", "b"),
            ({**version("a", "x = 1"), **version("b", "x = 2")}, b"x = 2", "b"),
            ({**version("a", "x = 1"), **version("b", "x = 2")}, b"x = 1", "a"),
            ({**version("a_final", "x = 1"), "b/models/Transformer.py": "x = 2"}, b"x = 1", "b"),
        ]
    ):
        folder = put(tmp_path / str(number) / "alice", files)
        for path in folder.rglob("*.py"):
            os.utime(path, (1e9, 2e9 if newer and path.is_relative_to(folder / newer) else 1e9))
        result = one(folder, single=True)
        assert (result.root / "models/Transformer.py").read_bytes() == chosen, number
        assert any("more than one version of the work" in look for look in result.attention)


def test_a_damaged_archive_beside_the_work_costs_nothing(tmp_path, one) -> None:
    result = one(put(tmp_path / "alice", {**GOOD, "old.zip": "PK\x03\x04 no zip"}))
    assert result.files == GOOD_FILES
    assert any("'old.zip' could not be opened" in look for look in result.attention)


def test_old_encodings_become_utf_8(tmp_path, one) -> None:
    data = "# -*- coding: cp1255 -*-\nclass LSTM:\n    'שלום'\n".encode("cp1255")
    result = one(put(tmp_path / "alice", {**GOOD, "models/naive/LSTM.py": data}))
    text = (result.root / "models/naive/LSTM.py").read_text(encoding="utf-8")
    assert text == "# -*- coding: utf-8 -*-\nclass LSTM:\n    'שלום'\n"
    assert "'models/naive/LSTM.py' was converted to UTF-8" in result.notes


def test_a_declaration_behind_code_declares_nothing(tmp_path, one) -> None:
    data = b"x = 1\n# coding: utf-7\n"
    result = one(put(tmp_path / "alice", {**GOOD, "models/naive/LSTM.py": data}))
    assert set(result.files) == set(GOOD_FILES)


def test_compiled_and_oversized_extras_are_left_out(tmp_path, one) -> None:
    folder = put(tmp_path / "alice", {**GOOD, "fast.so": b"\x7fELF", "data.csv": "1,2"})
    with (folder / "best_model.pt").open("wb") as stream:
        stream.truncate(65 << 20)
    result = one(folder)
    assert set(snapshot(result.root)) == {*GOOD, "data.csv"}
    assert any("compiled code" in note for note in result.notes)
    assert any("'best_model.pt' was left out: 65 MB" in note for note in result.notes)


def test_weights_that_nobody_asked_for_are_left_out(tmp_path, one) -> None:
    """They would lie beside the code while it trains; text stays, since code may read its own settings."""
    result = one(put(tmp_path / "alice", {**GOOD, "models/net.PTH": b"x", "table.npy": b"x", "notes.txt": "x"}))
    assert set(snapshot(result.root)) == {*GOOD, "notes.txt"}
    assert sum("asks for no such weights" in note for note in result.notes) == 2


def test_a_data_set_in_the_folder_leaves_the_work(tmp_path, one) -> None:
    folder = put(tmp_path / "alice", {**GOOD, **{f"data/{number}.png": b"x" for number in range(2_500)}})
    result = one(folder)
    assert dict(result.files) == GOOD_FILES
    assert len(snapshot(result.root)) == 2_000
    assert any("503 other files were left out" in note for note in result.notes)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "the submission is empty"),
        ({"__MACOSX/x": "x", ".DS_Store": "x"}, "the submission is empty"),
        ({"report.pdf": "x"}, "no Python file and no notebook, only 'report.pdf'. None of the 3 files was found here"),
        ({"work.rar": "Rar!"}, "'work.rar' cannot be opened here"),
        ({"LSTM.py": b"\0"}, "'LSTM.py' was not taken as source"),
        ({f"m{number}.py": "" for number in range(2_001)}, "2,001 source files"),
        ({"A.py": "1", "a.py": "2"}, "upper and lower case only: 'A.py' and 'a.py'"),
    ],
)
def test_what_cannot_be_graded_is_refused_with_advice(files, reason, tmp_path, refused, workspace) -> None:
    folder = put(tmp_path / "alice", files)
    folder.mkdir(exist_ok=True)
    result = refused(folder)
    assert result.key == "alice"
    assert reason in result.reason
    assert not (workspace / "alice").exists()


def test_a_zip_in_a_zip_is_not_opened(tmp_path, refused) -> None:
    inner = pack(tmp_path / "inner.zip", GOOD).read_bytes()
    assert "packed twice" in refused(pack(tmp_path / "outer.zip", {"inner.zip": inner})).reason


def test_a_pdf_is_refused_and_a_missing_path_is_a_usage_error(tmp_path, refused, taken) -> None:
    assert "only 'hw.pdf'" in refused(put(tmp_path, {"hw.pdf": "%PDF"}) / "hw.pdf").reason
    with pytest.raises(UsageError, match="nothing at"):
        taken(tmp_path / "nowhere")


def test_single_never_splits(tmp_path, one) -> None:
    folder = put(tmp_path / "submission", {"a/models/Transformer.py": "x=1", "b/models/Transformer.py": "x=1"})
    result = one(folder, single=True)
    assert result.key == "submission"
    assert result.files["transformer"] == "models/Transformer.py"


def test_notebooks_are_told_apart_by_what_they_define(tmp_path, one) -> None:
    course = make_assignment(
        ExpectedFile(id="rnn", path="hw4_rnn.ipynb", kind="notebook", defines=("RNN", "train")),
        ExpectedFile(id="vit", path="hw4_vit.ipynb", kind="notebook", defines=("ViT",)),
    )

    def cells(*sources: str) -> str:
        return json.dumps({"cells": [{"cell_type": "code", "source": source} for source in sources], "metadata": {}})

    files = {
        "a.ipynb": cells("!pip install x\nif True:\n    class ViT: pass"),
        "b.ipynb": cells("lr = ???\nclass RNN:\n    x = ("),
        "c.ipynb": "no notebook",
    }
    assert one(put(tmp_path / "s", files), assignment=course).files == {"rnn": "b.ipynb", "vit": "a.ipynb"}


def test_definitions_are_found_in_slow_or_broken_files_within_a_budget(tmp_path, one) -> None:
    slow = "x = " + "1+" * 400_000 + "1\n"
    files = {
        "a_broken.py": "def f(:\nasync def g(): pass\nclass LSTM (object):\n",
        **{f"m{n}.py": slow for n in range(9)},
    }
    assert one(put(tmp_path / "s", files)).files == {"lstm": "a_broken.py"}


def test_a_file_in_the_way_of_a_key_is_replaced(tmp_path, one, workspace) -> None:
    folder = put(tmp_path / "alice", GOOD)
    put(workspace, {"alice": "in the way"})
    assert one(folder).root.is_dir()
