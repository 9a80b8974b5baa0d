"""Check your work:  python check.py [FOLDER, ZIP OR FILE]"""

# Kept so plain that every Python can read it, and say which one is needed.
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SLUG = "@slug@"
VERSION = "@grader@"
WHEEL = os.path.join(HERE, "@wheel@")
NEEDED = (3, 11)

INSTALL = '    "%s" -m pip install "%s"' % (sys.executable, WHEEL)
TOO_OLD = "The checks need Python %d.%d or newer, and this is Python %s (%s). Run them with a newer one."
NOT_HERE = "The checks are not installed in this Python yet. Install them once:\n%s"
OTHER = "This kit was made with dl-grader %s, and %s is installed. Install the one that lies in the kit:\n%s"
LACKING = (
    "This Python lacks %s, which the checks need. Install it:\n%s\n"
    "Without a network, fetch everything on a machine that has one and carry it here:\n"
    '    python -m pip download "%s" --dest wheels\n'
    '    "%s" -m pip install --no-index --find-links wheels "%s"'
)


def trouble():
    """Why the checks cannot run here, and what to do; or nothing."""
    if sys.version_info[:2] < NEEDED:
        return TOO_OLD % (NEEDED + (sys.version.split()[0], sys.executable))
    try:
        import grader
    except ImportError:
        return NOT_HERE % INSTALL
    if grader.__version__ != VERSION:
        return OTHER % (VERSION, grader.__version__, INSTALL)
    lacking = [name for name in needed() if not is_here(name)]
    if lacking:
        return LACKING % (", ".join(lacking), INSTALL, WHEEL, sys.executable, WHEEL)
    return ""


def needed():
    """The packages that the grader needs."""
    from importlib import metadata

    declared = [line for line in metadata.requires("dl-grader") or [] if "extra ==" not in line]
    return [line.split(";")[0].split(">")[0].split("=")[0].split("<")[0].strip() for line in declared]


def is_here(name):
    """Whether a package is installed."""
    from importlib import metadata

    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def main(arguments=(), extra=()):
    """Run the checks. Returns 0 when all pass, 1 when one does not, 2 or 3 when they could not run."""
    text = trouble()
    if text:
        sys.stderr.write(text + "\n")
        return 2
    from grader.cli import main as grader

    work = list(arguments) or [os.path.join(HERE, "work")]
    before = sys.argv
    sys.argv = ["grader", "check", SLUG] + work + ["--assignments", HERE] + list(extra)
    try:
        grader()
    except SystemExit as end:
        return end.code or 0
    finally:
        sys.argv = before
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    if "ipykernel" not in sys.modules:  # a notebook would show the end of a script as an error
        sys.exit(code)
