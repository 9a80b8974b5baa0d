"""An engine and its images for the tests of this folder; what cannot be had skips them, with the reason."""

from contextlib import ExitStack

import pytest
from engines import Missing, an_engine, base_image, image_of_the_grader, wheels


def had(make, *arguments):
    try:
        return make(*arguments)
    except Missing as why:
        pytest.skip(str(why))


@pytest.fixture(scope="session")
def engine():
    with ExitStack() as stack:
        yield had(stack.enter_context, an_engine())


@pytest.fixture(scope="session")
def base(engine):
    return had(base_image, engine)


@pytest.fixture(scope="session")
def wheelhouse():
    return had(wheels)


@pytest.fixture(scope="session")
def image(engine):
    return had(image_of_the_grader, engine)
