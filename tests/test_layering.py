"""The import order is strict, the command line stays free of torch, and Linux-only modules stay where they belong."""

import ast
import graphlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import grader

PACKAGE = Path(grader.__file__).parent

# Each row imports only from rows above it; this is the table of docs/architecture.md. Within a package the modules have
# an order as well: no circle.
LAYERS = (
    ("errors", "text", "wording", "once"),
    ("model", "wire"),
    ("assignment", "probing"),
    ("thresholds", "parsing", "datasets", "course", "calling", "fitting", "short"),
    ("templates", "results", "worker"),
    ("rules", "sandbox", "suite", "scoring"),
    ("intake",),
    ("reports", "recording"),
    ("run", "marking"),
    ("proof", "container", "cluster", "release"),
    ("platforms",),
    ("kit",),
    ("judge",),
    ("commands",),
    ("cli",),
)
RANK = {name: rank for rank, row in enumerate(LAYERS) for name in row}
# Files that are data or attacks, not modules of the framework.
LEFT_OUT = ("scaffold", "sandbox/attacks", "kit/files")

LINUX_ONLY = {"fcntl", "grp", "pwd", "resource", "termios", "ctypes"}
OF_LINUX = ("apart", "confine", "linux", "mounts", "plain", "seccomp", "zygote")
LINUX_BACK_END = {f"grader.sandbox.{name}" for name in OF_LINUX}
# Who may import those, at the top of the file or inside a function that only a Linux run reaches.
AT_THE_TOP = {f"sandbox/{name}.py" for name in OF_LINUX}
INSIDE = {"results/journal.py", "judge/lacking_data.py", "judge/main.py", "judge/preparing.py", "judge/start.py",
          "commands/doctor.py", "marking/keeping.py", "marking/pdf.py", "datasets/staging.py",
          "worker/clock.py", "sandbox/expendable.py"}  # fmt: skip

TORCH_FREE = (
    "grader.cli",
    "grader.run.engine",
    "grader.run.grading",
    "grader.results.journal",
    "grader.wire.messages",
    "grader.proof.demands",
    "grader.proof.proving",
    "grader.sandbox.launch",
    "grader.platforms.__main__",
    *(f"grader.commands.{path.stem}" for path in sorted((PACKAGE / "commands").glob("*.py"))),
)


PACKAGES = {
    f"grader.{path.parent.relative_to(PACKAGE).as_posix().replace('/', '.')}"
    for path in PACKAGE.glob("*/**/__init__.py")
}


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name != "__init__.py" and not name.startswith(LEFT_OUT):
            yield name, path


def imports(path):
    """(module, whether it is at the top level) of every import, `from grader import x` as grader.x."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in top
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the layering"
            base = node.module or ""
            if base == "grader" or base in PACKAGES:
                for alias in node.names:
                    yield f"{base}.{alias.name}", id(node) in top
            else:
                yield base, id(node) in top


def layer(module):
    return module.split(".")[1] if module.startswith("grader.") else None


def test_every_module_has_a_place():
    present = {name.split("/")[0].removesuffix(".py") for name, _ in modules()}
    assert present == set(RANK), "add the new module to LAYERS and to docs/architecture.md"


@pytest.mark.parametrize("name", [name for name, _ in modules()])
def test_imports_only_go_up_the_table(name):
    own = name.split("/")[0].removesuffix(".py")
    for imported, _ in imports(PACKAGE / name):
        other = layer(imported)
        if other not in (None, own, "__version__"):
            assert RANK[other] < RANK[own], f"{name} imports grader.{other}, which stands beside or below it"


@pytest.mark.parametrize("package", [name for row in LAYERS for name in row if (PACKAGE / name).is_dir()])
def test_the_modules_of_a_package_have_an_order(package):
    inside = {
        f"grader.{name.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}": path
        for name, path in modules()
        if name.startswith(f"{package}/")
    }
    # Importing a module of a package is no circle with the package's own `__init__`, which may say what is public.
    needs = {
        name: {other for other, _ in imports(path) if other in inside and other != name}
        for name, path in inside.items()
        if path.name != "__init__.py"
    }
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"these modules import each other in a circle: {' ← '.join(error.args[1])}")


def test_linux_only_modules_are_imported_by_the_linux_back_end_alone():
    wrong = []
    for name, path in modules():
        for imported, at_top in imports(path):
            if imported in LINUX_BACK_END or imported.split(".")[0] in LINUX_ONLY:
                allowed = name in AT_THE_TOP or (name in INSIDE and not at_top)
                wrong += [] if allowed else [f"{name} imports {imported}"]
    assert wrong == []


def python(code, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_command_line_side_imports_no_torch():
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    heavy = {'torch', 'numpy', 'pytest', 'hypothesis'} & set(sys.modules)\n"
        "    assert not heavy, f'{name} imports {heavy}'\n"
    )
    done = python(code, *TORCH_FREE)
    assert done.returncode == 0, done.stderr


def test_the_help_needs_arguments_and_no_more():
    done = python("import sys, grader.cli; print(*(name for name in sys.modules if name.startswith('grader.')))")
    rest = {name for name in done.stdout.split() if not name.startswith("grader.cli")}
    ending = {"grader.commands", "grader.commands.ending", "grader.errors"}
    assert rest == {*ending, "grader.results", "grader.results.sharding"}, done.stderr


NO_TORCH = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "pytest", "hypothesis"):
            raise ImportError(f"{name} must not be imported here")
sys.meta_path.insert(0, Refuse())
sys.argv = ["grader", *sys.argv[1:]]
from grader.cli import main
main()
"""
ASSIGNMENTS = str(Path(__file__).parent / "fixtures" / "assignments")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--help"], 0, "grade deep-learning assignments"),
        (["grade", "--help"], 0, "--only"),
        (["--version"], 0, "grader "),
        (["template", "tiny", "--check", "--assignments", ASSIGNMENTS], 0, "up to date"),
        (["score", "/nowhere"], 2, "holds no journal"),
        (["grade", "tinny", ".", "--assignments", ASSIGNMENTS], 2, "did you mean tiny"),
    ],
)
def test_commands_that_run_no_code_need_no_torch(arguments, code, words):
    done = python(NO_TORCH, *arguments, COLUMNS="200")
    assert done.returncode == code, done.stderr
    assert words in (done.stdout + done.stderr).lower()
