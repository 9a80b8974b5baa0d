"""docs/tutorial.md as what it has its readers write and run."""

import re
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "tutorial.md"
_BLOCK = re.compile(r"^```(?P<kind>\w+)(?: (?P<name>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = list(_BLOCK.finditer(PAGE.read_text(encoding="utf-8")))


def follow(folder, run):
    """Write the page's files below a folder, and give its command lines to `run` with the exit code that it names.

    Returns what each printed.
    """
    outputs = {}
    for block in BLOCKS:
        if block["name"]:
            path = folder / block["name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block["text"], encoding="utf-8")
            continue
        for line in block["text"].splitlines():
            command, _, remark = line.partition("#")
            outputs[command.strip()] = run(command.strip(), int("exit 1" in remark))
    return outputs
