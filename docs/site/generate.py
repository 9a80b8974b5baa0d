"""docs/keys.md and docs/suite.md, from the code: python docs/site/generate.py. A test holds them to it."""

import dataclasses
import importlib
import inspect
import re
import textwrap
import types
from decimal import Decimal
from pathlib import Path
from typing import Literal, Union, get_args, get_origin, get_type_hints

from grader.assignment.assignment import Assignment
from grader.course.plan import CourseFile
from grader.model import STATUSES
from grader.proof import kept
from grader.proof.changes import explained
from grader.short.form import Short

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = dict(
    re.findall(r"^(\w+):\n((?:  .*\n|\n)+)", (Path(__file__).parent / "examples.yaml").read_text("utf-8"), re.M)
)
NOT_WRITTEN = {"suite", "reference", "template", "evidence"}  # of an assignment: where it lies, and what is measured
WORDS = {
    str: "text",
    bool: "`true`, `false`",
    int: "a whole number",
    float: "a number",
    Decimal: "a number",
    object: "a value",
}

# --- keys.md ------------------------------------------------------------------------------------------------------


def key(entry):
    """How a field is written."""
    return entry.metadata.get("key", entry.name)


def written(record):
    """The fields of a record that stand in a file."""
    left_out = NOT_WRITTEN if record is Assignment else set()
    found = [entry for entry in dataclasses.fields(record) if entry.name not in left_out]
    if record is Assignment:
        found += dataclasses.fields(Short)
    return [entry for entry in found if record is not kept.Kept or entry.name in kept.KEYS]


def hints(record):
    """The types of a record's fields."""
    return get_type_hints(record) | (get_type_hints(Short) if record is Assignment else {})


def inner(hint):
    """The record that a type is made of, with how it is written: alone, in a list, by name."""
    if dataclasses.is_dataclass(hint):
        return hint, ""
    for argument in get_args(hint):
        if (found := inner(argument)) is not None:
            around = get_origin(hint)
            return found[0], {tuple: "[]", dict: ".<name>"}.get(around, "") + found[1]
    return None


def records(record, path):
    """(record, the paths where it stands) of a record and of all below it, each once, in the order of the file."""
    found = {record: [path]}
    for entry in written(record):
        below = inner(hints(record)[entry.name])
        if below is not None:
            for each, places in records(below[0], f"{path}.{key(entry)}{below[1]}".lstrip(".")).items():
                found.setdefault(each, []).extend(places)
    return found


def value_of(hint):
    """What may be written for a type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    if origin in (Union, types.UnionType):
        return value_of(next(argument for argument in arguments if argument is not type(None)))
    if origin is Literal:
        return ", ".join(f"`{word}`" for word in arguments if word)
    if origin is tuple:
        return f"list of {value_of(arguments[0])}"
    if origin is not None:
        return f"by name: {value_of(arguments[1])}"
    return WORDS[hint]


def default_of(entry, record):
    """What holds where the key is left out."""
    if record is Assignment and key(entry) in {"total", "questions", "parts", "items"}:
        return "made from the short form"
    if entry.default_factory is not dataclasses.MISSING:
        made = entry.default_factory()
        return "as said there" if dataclasses.is_dataclass(made) else "none"
    if entry.default is dataclasses.MISSING:
        return "demanded"
    if entry.default in ((), None, ""):
        return "none"
    return f"`{str(entry.default).lower() if isinstance(entry.default, bool) else entry.default}`"


def section(record, places):
    """A record: where it stands, what it means, its keys, an example."""
    yield f"### {record.__name__}\n"
    if any(places):
        yield f"{', '.join(f'`{place}`' for place in places)}\n"
    yield f"{inspect.getdoc(record)}\n"
    yield "| key | value | without it |\n|---|---|---|"
    types_of = hints(record)
    for entry in written(record):
        yield f"| `{key(entry)}` | {value_of(types_of[entry.name])} | {default_of(entry, record)} |"
    yield f"\n```yaml\n{textwrap.dedent(EXAMPLES[record.__name__]).strip()}\n```\n"


def files():
    """(title, the records of it with their places) of every file that an author or an instructor writes."""
    yield "`assignment.yaml`", records(Assignment, "")
    yield "`submissions/wrong/<name>.yaml`, `submissions/correct/<name>.yaml`", records(kept.Kept, "")
    yield "`course.yaml`", records(CourseFile, "")


def of_changes():
    """The files that explain mutants and rewritings, as their reader tells them."""
    for part in inspect.getdoc(explained).split("\n\n"):
        yield f"```yaml\n{part}\n```\n" if part.startswith("- ") else f"{part}\n"


def keys_page():
    """docs/keys.md."""
    yield "# Every key: type, default, example\n"
    yield (
        "Generated from the code by `docs/site/generate.py`. What the keys are for, in the order in which one writes "
        "them: [manifest.md](manifest.md). An example has all keys of its table; a test has the loader read it.\n"
    )
    seen = set()
    for title, found in files():
        yield f"## {title}\n"
        for record, places in found.items():
            if record not in seen:
                yield from section(record, places)
        seen |= found.keys()
    yield "## Mutants and rewritings\n"
    yield from of_changes()
    yield "## How an item ends\n"
    yield f"{', '.join(f'`{status}`' for status in STATUSES)}: in `results.json`, in the journal and in `items.csv`."


# --- suite.md -----------------------------------------------------------------------------------------------------

MODULES = {
    "In tests": ("grader.suite", "grader.suite.properties", "grader.suite.changes"),
    "In tests of trainings": (
        "grader.suite.standard", "grader.suite.training", "grader.suite.honesty", "grader.suite.metrics",
    ),
    "In probes": ("grader.probing", "grader.calling", "grader.fitting", "grader.worker.loading"),
}  # fmt: skip
ONLY = {"grader.worker.loading": ("Modules", "LoadedFile")}
WIDE = 90  # a longer signature is broken before each parameter
INNER = {"Room", "Chooser", "Runs", "Probe", "short"}  # what the framework itself hands over
OWN = {"told", "ask", "arrange", "probing", "settle", "missed", "unread", "binding", "choose_binding", "give", "take"}


def public(name):
    """What a module offers to suites: (name, function or class) in the order of its text."""
    module = importlib.import_module(name)
    offered = ONLY.get(name) or getattr(module, "__all__", None)
    for own, value in vars(module).items():
        is_own = own in offered if offered else getattr(value, "__module__", "") == name and not own.startswith("_")
        if is_own and own not in INNER and (inspect.isfunction(value) or inspect.isclass(value)):
            yield own, value


def signature(value):
    """Parameters and result, with types and defaults."""
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(value)))
    text = text.replace("(self, ", "(").replace("(self)", "()")
    return text if len(text) < WIDE else re.sub(r"(?<=,) (?=\*{0,2}\w+: |[*/],)", "\n    ", text)


def calls():
    """{(module's last name or "", function's name): a call of it}."""
    lines = (Path(__file__).parent / "calls.txt").read_text("utf-8").splitlines()
    return {
        tuple(re.match(r"(?:(properties|honesty)\.)?(?:[\w.]+\.)?(\w+)", asked(line)).groups("")): line
        for line in lines
    }


def asked(line):
    """The function that a call is an example of: of data it is what builds them."""
    return (
        line.removeprefix("training.data(").rstrip(")") if line.startswith("training.data(") else line.partition("(")[0]
    )


def told(name, value, shown):
    """A function or class with an example, and what a class offers."""
    yield f"#### {name}\n"
    if inspect.isfunction(value) or (dataclasses.is_dataclass(value) and dataclasses.fields(value)):
        yield f"```python\n{name}{signature(value).removesuffix(' -> None')}\n```\n"
    yield f"{inspect.getdoc(value)}\n"
    if inspect.isclass(value) and (offered := list(methods(value))):
        yield "\n".join([*offered, ""])
    if example := shown.get((value.__module__.rpartition(".")[2], name)) or shown.get(("", name)):
        yield f"Such as\n\n```python\n{example}\n```\n"


def methods(kind):
    """The lines of a list: what a class and those above it offer."""
    for name, value in inspect.getmembers(kind, lambda each: inspect.isfunction(each) or isinstance(each, property)):
        said = inspect.getdoc(value)
        if name.startswith("_") or name in OWN or not said or not getattr(kind, "__module__", "").startswith("grader"):
            continue
        shown = " ".join((name if isinstance(value, property) else name + signature(value)).split())
        yield f"- `{shown}`: {' '.join(said.split())}"


def suite_page():
    """docs/suite.md."""
    yield "# Every function of a suite\n"
    yield (
        "Generated from the code by `docs/site/generate.py`: what tests, cases and probes of the long form import, and "
        "what `modules` offers to a probe. How they fit together: [architecture.md](architecture.md#an-assignment).\n"
    )
    shown = calls()
    for title, names in MODULES.items():
        yield f"## {title}\n"
        for module in names:
            yield f"### {module}\n"
            for name, value in public(module):
                yield from told(name, value, shown)


PAGES = {"keys.md": keys_page, "suite.md": suite_page}


def text_of(page):
    """The text of a generated page."""
    return "\n".join(page()).rstrip() + "\n"


if __name__ == "__main__":
    for page_name, page in PAGES.items():
        (ROOT / "docs" / page_name).write_text(text_of(page), encoding="utf-8")
