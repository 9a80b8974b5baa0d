"""A class of the tiny assignment after grading: essays that wait, a figure in doubt, and files to look at."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

from PIL import Image, ImageDraw
from tiny_assignment import tiny

from grader.model import DOUBT_REASON, CheckResult, Submission
from grader.results.journal import Journal

KEYS = tuple(f"student-{number:02}" for number in range(1, 11))
PASSED = ("gate.forward", "gate.gradients", "softmax.values", "softmax.stable", "count.right", "rates.decrease")


def png(text: str = "loss", size: tuple[int, int] = (420, 180)) -> str:
    """A picture with a word on it, as base64."""
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    draw.line([(20, 20), (80, 120), (200, 150), (size[0] - 20, 160)], fill=(36, 86, 166), width=3)
    draw.text((size[0] // 2, 20), text, fill="black")
    out = io.BytesIO()
    picture.save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def cell(source: str, *outputs: dict[str, object], count: int | None = 1) -> dict[str, object]:
    """A code cell."""
    return {"cell_type": "code", "metadata": {}, "execution_count": count, "source": source, "outputs": list(outputs)}


def text_cell(source: str, **attachments: str) -> dict[str, object]:
    """A markdown cell with pictures attached to it."""
    found = {name: {"image/png": data} for name, data in attachments.items()}
    return {"cell_type": "markdown", "metadata": {}, "source": source, **({"attachments": found} if found else {})}


def output(**data: str) -> dict[str, object]:
    """A saved output; `image_png` stands for image/png."""
    forms = {name.replace("_", "/", 1).replace("svg", "svg+xml"): content for name, content in data.items()}
    return {"output_type": "display_data", "metadata": {}, "data": forms}


def notebook(*cells: dict[str, object]) -> str:
    """The text of a notebook."""
    return json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def pdf(*pages: str) -> bytes:
    """A PDF that shows these texts, a page each, written by hand as simply as one can be."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(pages):
        lines = " T* ".join(f"({line}) Tj" for line in text.split("\n"))
        content = f"BT /F1 12 Tf 16 TL 60 780 Td {lines} ET"
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> "
            f"/Contents {5 + 2 * number} 0 R >>"
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{offset:010} 00000 n \n".encode() for offset in offsets)
    return out + f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF".encode()


NOTEBOOK = notebook(
    text_cell("# What did you learn?\nThat **gates** help:\n\n- first\n- second\n\n| a | b |\n|---|---|\n| 1 | 2 |"),
    cell(
        "import torch\n\nfor epoch in range(3):\n    print(epoch)  # the loss falls\n",
        {"output_type": "stream", "name": "stdout", "text": "epoch 0 loss 2.31\nepoch 1 loss 1.1\n"},
        output(image_png=png(), text_plain="<Figure size 640x480>"),
    ),
    text_cell("## Something else\nNot about the essay."),
    cell("x = 1", count=None),
)
REPORT = pdf(
    "1 What did you learn?\nA gate lets the network forget, which is why the state stays bounded.\n"
    "The accuracy on the test split is 0.87 after three epochs.",
    "2 What was difficult\nThe softmax overflowed until the maximum was taken away.",
)


def a_class(folder: Path, keys: tuple[str, ...] = KEYS, *, doubts: bool = True, report: bool = True) -> Path:
    """A results folder; every essay waits, and with `doubts` scorer.forward too. With `report` each has a PDF."""
    with Journal(folder, "tiny") as journal:
        journal.start_run("tiny", "seed", {"torch": "2.13"})
        for key in keys:
            root = folder / "submissions" / key
            root.mkdir(parents=True)
            for name, content in (("model.py", MODEL), ("tiny.ipynb", NOTEBOOK)):
                (root / name).write_text(content, encoding="utf-8")
            if report:
                (root / "report.pdf").write_bytes(REPORT)
            files = {"model": "model.py", "nb": "tiny.ipynb"}
            journal.submission(Submission(key=key, root=root, digest=f"digest of {key}", files=files))
            journal.started(key)
            for item in PASSED:
                journal.result(key, CheckResult(item=item, status="passed", credit=1.0), "stamp")
            reason = {"reason": DOUBT_REASON, "notes": ("The figure is better than can be.",)} if doubts else {}
            journal.result(key, CheckResult(item="scorer.forward", status="passed", credit=1.0, **reason), "stamp")
            journal.finished(key, {}, 1.0)
    return folder


MODEL = '''"""The scorer."""
import torch
from torch import nn

from layers import Gate, softmax


class Scorer(nn.Module):
    """Scores a sequence."""

    def forward(self, x):
        return softmax(self.gate(x)).mean(dim=1)  # over time
'''


def assignment():
    """The manifest of the tiny assignment."""
    return tiny()[1]
