"""The tiny assignment for tests: its folders, and submissions made from its reference by edits."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.assignment.locate import Folders, folders_below
from grader.assignment.manifest import load
from grader.intake.layout import digest_of
from grader.model import Submission
from grader.proof.reference import lay_out

ROOT = Path(__file__).parent / "fixtures" / "assignments"
SLUG = "tiny"
FILES = {"layers": "layers.py", "model": "model.py", "nb": "tiny.ipynb"}
ITEMS = ("gate.forward", "gate.gradients", "softmax.values", "softmax.stable", "scorer.forward", "count.right",
         "rates.decrease")  # fmt: skip

Edits = Mapping[str, tuple[str, str]]  # file of the reference → (text to find exactly once, text in its place)


def tiny(root: Path = ROOT) -> tuple[Folders, Assignment]:
    """Folders and manifest."""
    folders = folders_below(root, SLUG)
    return folders, load(folders)


def copy_of_the_assignment(target: Path) -> Path:
    """A copy of all three folders below `target`, to be changed."""
    shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def edit(path: Path, find: str, replace: str) -> None:
    """Change exactly one place of a file."""
    text = path.read_text(encoding="utf-8")
    assert text.count(find) == 1, f"{path.name}: {find!r} occurs {text.count(find)} times"
    path.write_text(text.replace(find, replace), encoding="utf-8")


def lay_out_submission(target: Path, edits: Edits | None = None) -> Path:
    """The reference as a student would hand it in, with edits."""
    _, assignment = tiny()
    sources = {}
    for name, (find, replace) in (edits or {}).items():
        text = (assignment.reference / name).read_text(encoding="utf-8")
        assert text.count(find) == 1, f"{name}: {find!r} occurs {text.count(find)} times"
        sources[name] = text.replace(find, replace)
    lay_out(assignment, target, sources)
    return target


def submission(root: Path, key: str, edits: Edits | None = None, without: tuple[str, ...] = ()) -> Submission:
    """A submission below `root`, readable for the users that workers run as."""
    folder = lay_out_submission(root / key, edits)
    for name in without:
        (folder / FILES[name]).unlink()
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    files = {name: path for name, path in FILES.items() if name not in without}
    return Submission(key=key, root=folder.resolve(), digest=digest_of(folder), files=files)


def open_for_workers(folder: Path) -> Path:
    """Let other users pass through pytest's temporary folders to `folder`."""
    for path in (folder, *folder.parents):
        if path == Path("/tmp") or path == path.parent:
            break
        path.chmod(path.stat().st_mode | 0o055)
    return folder
