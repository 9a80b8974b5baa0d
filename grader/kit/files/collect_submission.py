"""Check your work and zip what is handed in:  python collect_submission.py [FOLDER] [--out FILE.zip]"""

import os
import sys

sys.dont_write_bytecode = True  # nothing is left beside your work but the zip
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import check  # noqa: E402


def main(arguments=()):
    """Run the checks and write the zip, also of work that is not finished. Returns what the checks return."""
    arguments = list(arguments)
    out = os.path.join(check.HERE, check.SLUG + "-submission.zip")
    if "--out" in arguments[:-1]:
        at = arguments.index("--out")
        out = arguments[at + 1]
        del arguments[at : at + 2]
    return check.main(arguments, ["--collect", out])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
