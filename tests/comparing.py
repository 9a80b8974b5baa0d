"""Results folders compared byte for byte, times aside."""

import json
import re

TIMES = ("seconds", "execution_time", "created", "duration")


def timeless(value):
    if isinstance(value, dict):
        return {name: timeless(entry) for name, entry in value.items() if name not in TIMES}
    return [timeless(entry) for entry in value] if isinstance(value, list) else value


def files_of(out):
    """{path: text} of what people and platforms read, without what differs from run to run."""
    found = {}
    for path in sorted(out.rglob("*")):
        place = path.relative_to(out).as_posix()
        if path.is_file() and path.name != "journal.jsonl" and not place.startswith("."):
            text = path.read_text()
            text = json.dumps(timeless(json.loads(text))) if path.suffix == ".json" else text
            found[place] = re.sub(r"Seconds</th><td>[\d.]+|\d+\.\d+ s, observation", "", text)
    return found
