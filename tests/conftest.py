"""What the tests keep for later runs lies apart from the user's own cache."""

import os

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says something of the machine, and nothing of the code. Without a database, because a judge
# that draws in this process takes away the place of the default one.
settings.register_profile("grader", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("grader")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
