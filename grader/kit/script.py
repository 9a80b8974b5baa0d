"""One failed check as a script that needs PyTorch alone: for office hours, on the student's own machine.

It imports the student's files, gives them the weights and inputs of the case that the report names, and says what
differs from the values that the reference answered. What calls the student's code is the check's own source.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy
import torch

from grader.assignment.assignment import Assignment
from grader.errors import AuthorError, UsageError
from grader.kit.cutting import one_text
from grader.model import CheckResult, Submission
from grader.suite.agreement import DEFAULT_TOLERANCES
from grader.wire.frames import DTYPE_NAMES, WORKER_CAPS, restore, unpacked

ROOM = Path(__file__).with_name("room.py")
INLINE = 4000  # elements of all tensors together, above which those of more than a few lie beside the script
FEW = 64
HEAD = '''"""{title}

{found}

Run it where the submission lies, with PyTorch and nothing else:  python {name} [FOLDER]
"""

from __future__ import annotations
'''
MAIN = """

def show() -> int:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    modules, differs = Modules(folder, FILES, GLOBALS), 0
    for probe, seed, asked, inputs, options, expected in calls():
        start_from(seed)
        modules.asked = list(asked)
        found = dict(values_in("", probe(modules, **inputs, **options)))
        wanted = dict(values_in("", expected))
        names = [name for name in wanted if name in NAMED] or list(wanted)
        for name in names:
            if text := what_differs(found.get(name), wanted[name], NAMED.get(name), TOLERANCES):
                differs += 1
                print(f"{name}: {text}")
        if not wanted:
            print("\\n".join(f"{name}: {value}" for name, value in found.items()))
    print("Everything agrees: this is not what was graded, or not on this machine." if not differs else "")
    return 1 if differs else 0


if __name__ == "__main__":
    sys.exit(show())
"""


@dataclass
class _Tensors:
    """Writes values as Python; large tensors go into `beside`, by a name."""

    all_inline: bool
    beside: dict[str, Any] = field(default_factory=dict)

    def text(self, value: object) -> str:
        if isinstance(value, Mapping):
            return "{" + ", ".join(f"{name!r}: {self.text(entry)}" for name, entry in value.items()) + "}"
        if isinstance(value, (list, tuple)):
            return "[" + ", ".join(map(self.text, value)) + "]"
        return self._tensor(value) if isinstance(value, torch.Tensor) else repr(value)

    def _tensor(self, value: torch.Tensor) -> str:
        dtype = f"dtype=torch.{DTYPE_NAMES[value.dtype]}"
        if value.numel() == 0:
            return f"torch.empty({tuple(value.shape)}, {dtype})"
        if self.all_inline or value.numel() <= FEW:
            text = f"torch.tensor({_numbers(value)}, {dtype})"
            return text if len(text) < 100 else "\n" + textwrap.fill(text, 116, break_on_hyphens=False)
        name = f"t{len(self.beside)}"
        self.beside[name] = (value.float() if value.dtype in (torch.bfloat16, torch.float16) else value).numpy()
        return f"torch.from_numpy(BESIDE[{name!r}]).to(torch.{DTYPE_NAMES[value.dtype]})"


def _numbers(value: torch.Tensor) -> str:
    """The shortest numbers that give the tensor again, to the last bit."""
    short: Any = value.tolist()
    if value.dtype == torch.float32:
        short = numpy.vectorize(lambda number: float(str(number)), otypes=[float])(value.numpy()).tolist()
        same = torch.tensor(short, dtype=value.dtype).numpy().tobytes() == value.contiguous().numpy().tobytes()
        short = short if same else value.tolist()
    return repr(short)


def refusal(assignment: Assignment, item_id: str) -> str:
    """Why no script is written of an item; "" when one is."""
    item = assignment.item(item_id)
    if item.visibility != "visible":
        return f"item {item_id!r} is {item.visibility} to students, and a script would show its check and its values"
    if item.training is not None:
        return f"item {item_id!r} is a training: its report has the curve and the figures, and no single case"
    return ""


def write(
    target: Path, frames: Path, assignment: Assignment, submission: Submission, result: CheckResult
) -> tuple[Path, ...]:
    """Write the script, and an .npz beside it where tensors are large; returns what was written.

    `frames` are the calls as the judge keeps them. Raises UsageError when there is nothing that a script could show.
    """
    if result.status == "passed":
        raise UsageError(f"item {result.item!r} is passed; a script shows what is wrong")
    calls = [restore(content, WORKER_CAPS) for content in _frames(frames)]
    if not calls:
        raise UsageError(f"nothing was called in item {result.item!r}: {result.message}")
    try:
        text, tensors = _text(target, calls, assignment, submission, result)
    except AuthorError as error:
        raise UsageError(
            f"no script can be written of item {result.item!r}, its check needs the grader: {error}"
        ) from None
    try:
        target.write_text(text, encoding="utf-8")
        if tensors.beside:
            numpy.savez(target.with_suffix(".npz"), **tensors.beside)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}") from None
    return (target, target.with_suffix(".npz")) if tensors.beside else (target,)


def _text(
    target: Path, calls: list[Any], assignment: Assignment, submission: Submission, result: CheckResult
) -> tuple[str, _Tensors]:
    probes = list(dict.fromkeys(call["request"]["probe"] for call in calls))
    elements = sum(tensor.numel() for tensor in _tensors(calls))
    tensors = _Tensors(all_inline=elements <= INLINE)
    tolerances = {
        name: (bound.rtol, bound.atol) for name, bound in {**DEFAULT_TOLERANCES, **assignment.tolerances}.items()
    }
    named = {name: figures.get("bound") for name, figures in result.figures.items() if isinstance(figures, Mapping)}
    room = ROOM.read_text(encoding="utf-8").split("annotations\n", 1)[1].strip()
    title = f"{assignment.title}, {result.item}: {result.sentence}"
    found = f"{result.message}\n\n{result.hint}".strip()
    parts = [
        HEAD.format(title=_quoted(title), found=_quoted(found), name=target.name).rstrip() + "\n",
        room.replace("from types import ModuleType", "from types import ModuleType, SimpleNamespace"),
        f"\n\n# --- the check ---\n\n{one_text(assignment.suite, probes, ROOM)}\n\n\n# --- the case ---\n",
        f"FILES = {dict(submission.files)!r}\nGLOBALS = {assignment.globals!r}\nTOLERANCES = {tolerances!r}",
        f"# What the report names, with the bound that holds for it.\nNAMED = {named!r}",
        "nan, inf = float('nan'), float('inf')",
        "\n\ndef calls():",
        '    BESIDE = numpy.load(Path(__file__).with_suffix(".npz"))\n' * (not tensors.all_inline) + "    return [",
        *(textwrap.indent(_call(call, tensors), " " * 8) for call in calls),
        "    ]",
    ]
    for name in assignment.stand_in_modules:
        parts.insert(2, f"sys.modules.setdefault({name!r}, ModuleType({name!r}))")
    return "\n".join(parts) + "\n" + MAIN, tensors


def _call(call: Any, tensors: _Tensors) -> str:
    request = call["request"]
    plain = f"{request['probe']}, {request['seed']}, {request['binding']!r}"
    inputs, options, expected = (
        tensors.text(tree) for tree in (request["inputs"], request["options"], call["expected"] or {})
    )
    return f"({plain},\n# inputs\n{inputs},\n{options},\n# expected\n{expected}),"


def _quoted(text: str) -> str:
    return textwrap.indent(text.replace("\\", "\\\\").replace('"""', "'''"), "").strip()


def _frames(path: Path) -> Iterator[Any]:
    raw = memoryview(bytearray(path.read_bytes() if path.is_file() else b""))
    while raw:
        frame, length = unpacked(raw, WORKER_CAPS)
        yield frame.content
        raw = raw[length:]


def _tensors(value: object) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (Mapping, list)):
        for entry in value.values() if isinstance(value, Mapping) else value:
            yield from _tensors(entry)
