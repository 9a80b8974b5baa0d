"""What a test may read of the files handed in, and how the files of submission and reference are found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from grader.assignment.assignment import Assignment, ExpectedFile
from grader.judge.sides import Ended
from grader.model import NotImplementedYet
from grader.parsing.notebooks import Notebook, read, to_notebook_text
from grader.suite.agreement import Disagreement, Mismatch
from grader.worker.loading import FileSpec


class HandedIn:
    """The submission's files as text. A missing file is a disagreement that says so.

    `edited`: texts that stand in the place of those below `root`, by path.
    """

    def __init__(
        self,
        root: Path,
        files: Mapping[str, str],
        expected: Mapping[str, str],
        edited: Mapping[str, str] | None = None,
    ) -> None:
        self._root = root
        self._files = files
        self._expected = expected
        self._edited = edited or {}
        self._notebooks: dict[str, Notebook] = {}

    def __contains__(self, file_id: str) -> bool:
        return file_id in self._files

    def text(self, file_id: str) -> str:
        """The file's text. Raises Disagreement when it was not handed in."""
        if file_id not in self._files:
            text = f"{self._expected[file_id]} was not handed in."
            raise Disagreement([Mismatch(name=file_id, reason="file missing", lines=(text,))])
        path = self._files[file_id]
        if path in self._edited:
            return self._edited[path]
        return (self._root / path).read_text(encoding="utf-8", errors="replace")

    def content(self, file_id: str) -> bytes:
        """The file as it is. What was not handed in was not attempted."""
        if file_id not in self._files:
            raise Ended(NotImplementedYet(what=f"{self._expected[file_id]} was not handed in"))
        return self._content(self._files[file_id])

    def name(self, file_id: str) -> str:
        """The name under which it was handed in, relative to the submission; "" when it was not."""
        return self._files.get(file_id, "")

    def notebook(self, file_id: str) -> Notebook:
        """The notebook with its saved outputs. Raises Disagreement when it is missing or cannot be read."""
        if file_id not in self._notebooks:
            text = self.text(file_id)
            try:
                self._notebooks[file_id] = self._read(file_id, text)
            except Exception as error:
                mismatch = Mismatch(name=file_id, reason="notebook unreadable", lines=(str(error),))
                raise Disagreement([mismatch]) from error
        return self._notebooks[file_id]

    def _read(self, file_id: str, text: str) -> Notebook:
        path = Path(self._files[file_id])
        if path.suffix != ".py":
            return read(text, self._files[file_id])
        # A reference kept in percent format: its saved outputs lie beside it.
        saved = path.with_suffix(".outputs.json").as_posix()
        there = saved in self._edited or (self._root / saved).exists()
        outputs = json.loads(self._content(saved)) if there else {}
        numbered = {int(number): output for number, output in outputs.items()}
        return read(to_notebook_text(text, numbered), path.with_suffix(".ipynb").name)

    def _content(self, path: str) -> bytes:
        return self._edited[path].encode() if path in self._edited else (self._root / path).read_bytes()


def reference_files(assignment: Assignment) -> dict[str, str]:
    """{file id: path below the reference folder} of the files that the reference has."""
    found = {}
    for file in assignment.files:
        candidates = [file.path]
        if file.kind == "notebook":
            candidates.insert(0, str(Path(file.path).with_suffix(".py")))
        for candidate in candidates:
            if (assignment.reference / candidate).is_file():
                found[file.id] = candidate
                break
    return found


def reference_handed(assignment: Assignment, edited: Mapping[str, str] | None = None) -> HandedIn:
    """The reference's files as a test may read them; `edited` as in `HandedIn`."""
    expected = {file.id: file.path for file in assignment.files}
    return HandedIn(assignment.reference, reference_files(assignment), expected, edited)


def file_specs(assignment: Assignment, files: Mapping[str, str]) -> tuple[FileSpec, ...]:
    """What a worker needs to know about the files of a submission."""
    return tuple(
        FileSpec(id=file.id, path=files.get(file.id), expected=file.path, kind=_kind(file, files.get(file.id, "")))
        for file in assignment.files
        if file.kind != "data"
    )


def _kind(file: ExpectedFile, path: str) -> str:
    """What a file is loaded as: a notebook may have been handed in where a module was asked for."""
    return "notebook" if path.lower().endswith(".ipynb") else file.kind
