"""`python -m grader.platforms PLATFORM BUNDLE [ROOT]`: what a platform's entry script calls."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from grader.errors import EXIT_AUTHOR
from grader.platforms.autolab import Autolab
from grader.platforms.base import Platform
from grader.platforms.gradescope import Gradescope
from grader.platforms.plain import Plain
from grader.platforms.prairielearn import PrairieLearn
from grader.platforms.supervising import supervise

PLATFORMS: Mapping[str, Callable[..., Platform]] = {
    "gradescope": Gradescope,
    "prairielearn": PrairieLearn,
    "autolab": Autolab,
    "plain": Plain,
}


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    if len(arguments) not in (2, 3) or arguments[0] not in PLATFORMS:
        sys.stderr.write(f"usage: python -m grader.platforms {{{','.join(PLATFORMS)}}} BUNDLE [ROOT]\n")
        return EXIT_AUTHOR
    name, bundle, *root = arguments
    return supervise(PLATFORMS[name](*map(Path, root)), Path(bundle))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
