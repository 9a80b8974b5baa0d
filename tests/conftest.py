"""For all tests: what they keep lies apart from the user's own folders, and in what order processes take them."""

import os
import re
import shutil
import tempfile

import pytest
from hypothesis import HealthCheck, settings

from grader.assignment.locate import known_slugs

# How long an example takes says something of the machine, and nothing of the code. Without a database, because a judge
# that draws in this process takes away the place of the default one.
settings.register_profile("grader", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("grader")


def pytest_configure(config: pytest.Config) -> None:
    """Temporary folders of this run alone: pytest's own lie below one that each further pytest closes to workers."""
    if config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="dl-grader-tests-")
        config.stash[_OURS] = config.option.basetemp


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """What is left after a failure can be looked at."""
    if exitstatus == pytest.ExitCode.OK and _OURS in session.config.stash:
        shutil.rmtree(session.config.stash[_OURS], ignore_errors=True)


_OURS = pytest.StashKey[str]()


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


# What takes longest begins first: else the last process works alone for minutes. The order of what is not named stays.
LONGEST = (
    "kit/test_shipped_kits.py",
    "assignments/test_check_and_grade_agree.py",
    "cluster/",
    "assignments/test_judging_from_a_recording.py",
    "attacks/",
    "run/",
    "platforms/",
    "assignments/",
    "test_package.py",
    "commands/",
    "kit/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _place(item.nodeid.removeprefix("tests/")))


def _place(nodeid: str) -> int:
    return next((place for place, start in enumerate(LONGEST) if nodeid.startswith(start)), len(LONGEST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are processors: half of the time a test waits for what it has started, or for a clock."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Files stay together, because their tests share what they grade; but each shipped assignment by itself."""
    from xdist.scheduler import LoadFileScheduling

    slugs = set(known_slugs())

    class ByFileAndAssignment(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            named = re.search(r"\[(\w+)", nodeid)
            whose = f"[{named[1]}" if named and named[1] in slugs else ""
            return str(super()._split_scope(nodeid)) + whose

    return ByFileAndAssignment(config, log) if config.getoption("dist") == "loadfile" else None
