"""Execute the reference notebook on a small made-up text and keep its outputs; no part of grading.

    python test_suites/ece046211_hw3/make_outputs.py [--wikitext2 FOLDER]

Writes `reference_solutions/ece046211_hw3/ece046211_hw3.outputs.json` ({cell number: {"text", "image"}}), and in
`known_texts.json` the entry of the made-up text. With --wikitext2 (a folder with train.txt or train.txt.gz) the entries
of WikiText-2 are made anew, in the tokenisation of today and in that of the years with `<eos>` marks.

The made-up text comes from a small grammar and a fixed seed; numbers in the outputs may differ in their last digits
between machines.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from grader.parsing.notebooks import percent_cells
from grader.worker import absent

SUITE = Path(__file__).resolve().parent
sys.path.insert(0, str(SUITE))
REFERENCE = SUITE.parents[1] / "reference_solutions" / SUITE.name
SEED = 46211
SUBJECTS = ("the river", "an old tower", "the small engine", "a quiet village", "the third album", "her first novel")
VERBS = ("reached", "described", "followed", "opened", "carried", "crossed", "replaced")
OBJECTS = (
    "the northern coast", "a new bridge", "two short songs", "the winter market", "most of the critics", "one judge",
)  # fmt: skip
ENDINGS = (".", ", and it rained .", "( again ) .", "in 1912 .", "; nobody knew why .", "before the war .")


def made_text(lines: int, seed: int) -> str:
    """Headings and sentences of the grammar, with the empty lines and spaces of WikiText."""
    draw = random.Random(seed)
    text = []
    for number in range(lines):
        if number % 12 == 0:
            text += [" \n", f" = {draw.choice(SUBJECTS).title()} = \n", " \n"]
        words = (draw.choice(SUBJECTS).capitalize(), draw.choice(VERBS), draw.choice(OBJECTS), draw.choice(ENDINGS))
        text.append(f" {' '.join(words)} \n")
    return "".join(text)


def write_data(root: Path) -> None:
    """The three splits below `root`, where the notebook looks for them."""
    folder = root / "data" / "wikitext2"
    folder.mkdir(parents=True)
    for split, lines, seed in (("train", 420, SEED), ("valid", 90, SEED + 1), ("test", 90, SEED + 2)):
        (folder / f"{split}.txt").write_text(made_text(lines, seed), encoding="utf-8")


def execute(source: str) -> tuple[dict[int, dict[str, object]], dict[str, object]]:
    """Run all code cells in order, in the present folder. -> (outputs by cell number, the namespace)"""
    pictures: list[int] = []
    namespace: dict[str, object] = {"__name__": "__main__"}
    outputs: dict[int, dict[str, object]] = {}
    for number, cell in enumerate(percent_cells(source), start=1):
        if cell.kind != "code":
            continue
        pictures.clear()
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(cell.source, f"cell {number}", "exec"), namespace)
            if "plt" in namespace and "plt.show()" in cell.source:
                pictures.append(number)
        if printed.getvalue() or pictures:
            outputs[number] = {"text": printed.getvalue(), "image": bool(pictures)}
    return outputs, namespace


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Change the current folder inside the block."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def known_text(words: list[str], vocabulary: int) -> dict[str, object]:
    """What `printed.KnownText` holds, for the words of a training split."""
    from printed import fingerprint

    rows = len(words) // 20
    columns = [words[column * rows : (column + 1) * rows] for column in range(20)]
    return {
        "shape": [rows, 20],
        "words": vocabulary,
        "heads": [fingerprint(column[:20]) for column in columns],
        "row": fingerprint(column[0] for column in columns),
    }


def wikitext_entries(folder: Path, tokenizer) -> dict[str, object]:
    """WikiText-2 with and without a mark at every end of line (old templates also added two special words)."""
    packed = folder / "train.txt.gz"
    data = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / "train.txt").read_bytes()
    lines = [tokenizer(line) for line in data.decode("utf8").split("\n")]
    plain = [word for line in lines for word in line]
    marked = [word for line in lines for word in [*line, "<eos>"]]
    return {
        "WikiText-2": known_text(plain, len(set(plain))),
        "WikiText-2 with <eos>": known_text(marked, len(set(marked)) + 2),
    }


def main() -> None:
    """Parse the arguments, execute, write both files."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--wikitext2", type=Path, help="folder with train.txt or train.txt.gz")
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    absent.install()  # matplotlib is not needed to know that a plot was shown
    source = (REFERENCE / f"{SUITE.name}.py").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, working_in(Path(folder)):
        write_data(Path(folder))
        outputs, namespace = execute(source)
        words = [word for line in made_text(420, SEED).splitlines() for word in namespace["tokenizer"](line)]
    target = SUITE / "known_texts.json"
    known = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {}
    known["made up"] = known_text(words, len(namespace["vocab"]))
    if wanted.wikitext2 is not None:
        known.update(wikitext_entries(wanted.wikitext2, namespace["tokenizer"]))
    target.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", encoding="utf-8")
    text = json.dumps({str(number): entry for number, entry in outputs.items()}, indent=1, ensure_ascii=False)
    (REFERENCE / f"{SUITE.name}.outputs.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
