"""The pytest plug-in of the judge: fixtures, and who runs a test's body.

pytest collects the suite and sets up fixtures, as instructors know it. What happens between setup and teardown is
decided by the stage: recording on the reference, or replaying on a submission.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from _pytest.outcomes import OutcomeException

from grader.assignment.assignment import Assignment
from grader.errors import AuthorError
from grader.judge.drawing import is_drawn
from grader.judge.sides import Side
from grader.suite.agreement import reveals
from grader.suite.marks import ITEM, PLAIN, READINGS, ROUTES, Readings
from grader.suite.training import Training

OUTCOMES = (Exception, OutcomeException)


class Handed(Protocol):
    """What a test may read of the submission itself, on the judge's side."""

    def text(self, file_id: str) -> str: ...
    def notebook(self, file_id: str) -> object: ...


@dataclass
class Stage:
    """Who plays: the two sides, the submission, the function that runs a test's body, and the training of an item."""

    student: Side
    reference: Side
    submission: Handed
    perform: Callable[[pytest.Function, dict[str, object]], None]
    training: Training | None = None


class JudgePlugin:
    """Collects one test per item and runs them on the present stage."""

    session: pytest.Session

    def __init__(self, assignment: Assignment, serve: Callable[[JudgePlugin], None]) -> None:
        self.assignment = assignment
        self.tests: dict[str, pytest.Function] = {}
        self.errors: list[str] = []
        self.failure: BaseException | None = None
        self._serve = serve
        self._stage: Stage | None = None
        self._reports: list[pytest.TestReport] = []

    @property
    def stage(self) -> Stage:
        """The present stage. Fixtures are only ever asked for while there is one."""
        assert self._stage is not None
        return self._stage

    @contextmanager
    def staged(self, stage: Stage) -> Iterator[None]:
        """Run tests on this stage inside the block."""
        before, self._stage = self._stage, stage
        try:
            yield
        finally:
            self._stage = before

    # --- fixtures ---------------------------------------------------------------------------------------------

    @pytest.fixture
    def student(self) -> Side:
        """The submission: `student.run(probe, case)`."""
        return self.stage.student

    @pytest.fixture
    def reference(self) -> Side:
        """The reference, with the same interface."""
        return self.stage.reference

    @pytest.fixture
    def submission(self) -> Handed:
        """The files handed in: `.text(file_id)`, `.notebook(file_id)`."""
        return self.stage.submission

    @pytest.fixture
    def training(self) -> Training:
        """The training of an item: data, budget, and where the figure goes."""
        assert self.stage.training is not None
        return self.stage.training

    @pytest.fixture
    def route(self) -> str:
        """The way in which the item is being earned; filled in for each attempt."""
        return ""

    @pytest.fixture
    def reading(self) -> Mapping[str, object]:
        """Options of the reference for one reading of the handout; filled in for each attempt."""
        return {}

    # --- hooks ------------------------------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Match tests and items one to one."""
        for test in items:
            assert isinstance(test, pytest.Function)
            name = getattr(test.obj, ITEM, None)
            where = f"{test.path.name}::{test.name}"
            if name is None:
                self.errors.append(f"{where}: the test has no @item(...)")
            elif name in self.tests:
                self.errors.append(f"{where}: item {name!r} has a second test; each item has exactly one")
            elif (getattr(test.obj, READINGS, PLAIN) is not PLAIN) != ("reading" in test._fixtureinfo.argnames):
                self.errors.append(f"{where}: @item(…, readings=…) and the test's argument `reading` belong together")
            elif not (test.obj.__doc__ or "").strip():
                self.errors.append(f"{where}: the test of {name!r} has no docstring for the student to read")
            else:
                self.tests[name] = test
        self.errors.extend(self._mismatches())

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Keep import errors of the suite with file and line."""
        if report.failed:
            self.errors.append(f"{report.nodeid}: {report.longreprtext[-2000:]}")

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the phases of the test that is running."""
        self._reports.append(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Everything else happens here, inside the session."""
        # pytest would turn an exception here into an internal error of its own; it is kept and raised outside.
        try:
            if self.errors:
                raise AuthorError("the suite cannot be used:\n" + "\n".join(self.errors), self.assignment.suite)
            self.session = session
            self._serve(self)
        except BaseException as error:
            self.failure = error
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool:
        """Let the stage run the body."""
        wanted = pyfuncitem._fixtureinfo.argnames
        reveals.set(is_drawn(pyfuncitem.obj))
        self.stage.perform(pyfuncitem, {name: pyfuncitem.funcargs[name] for name in wanted})
        return True

    # --- running ----------------------------------------------------------------------------------------------

    def reads_files(self, item_id: str) -> bool:
        """Whether an item's test looks into the files handed in, beside what it asks of their code."""
        return "submission" in self.tests[item_id]._fixtureinfo.argnames

    def run(self, item_id: str, *, log: bool) -> str:
        """Set up, run and tear down one test. Returns "" or the text of what went wrong outside the stage's body."""
        test = self.tests[item_id]
        if not log:
            return _run_silently(test)
        # The whole protocol, so that pytest-json-report describes the suite's run on the reference.
        self._reports.clear()
        test.ihook.pytest_runtest_protocol(item=test, nextitem=None)
        return "\n".join(report.longreprtext for report in self._reports if report.failed)

    def let_go(self) -> None:
        """Tear down what tests of one module share: nothing of it outlives a submission."""
        with suppress(*OUTCOMES):
            self.session._setupstate.teardown_exact(None)

    def account(self, item_id: str) -> str:
        """What pytest-json-report says of one test's run on the reference, as JSON; "" when it is off."""
        report = getattr(self.session.config, "_json_report", None)
        return "" if report is None else json.dumps(report._json_tests[self.tests[item_id].nodeid], default=str)

    def account_of_the_run(self) -> str:
        """The same of the whole run on the reference, which ends here; "" when it is off."""
        config = self.session.config
        report = getattr(config, "_json_report", None)
        if report is None:
            return ""
        config.option.json_report_file = None
        report.pytest_sessionfinish(self.session)
        config.pluginmanager.unregister(report)
        return json.dumps(report.report, default=str)

    def routes(self, item_id: str) -> tuple[str, ...]:
        """The ways in which an item can be earned; one empty name when the test declares none."""
        names: tuple[str, ...] = getattr(self.tests[item_id].obj, ROUTES, ("",))
        return names

    def readings(self, item_id: str) -> Readings:
        """The readings that a test declares, by name; one without a name when it declares none."""
        found: Readings = getattr(self.tests[item_id].obj, READINGS, PLAIN)
        return found

    def sentence(self, item_id: str) -> str:
        """The first paragraph of the docstring: the line that the student reads."""
        text = (self.tests[item_id].obj.__doc__ or "").strip().split("\n\n")[0]
        return " ".join(text.split())

    def _mismatches(self) -> list[str]:
        automatic = {item.id for item in self.assignment.items if item.kind == "automatic"}
        without = [f"assignment.yaml: item {name!r} has no test" for name in sorted(automatic - set(self.tests))]
        unknown = [
            f"{self.tests[name].path.name}: no automatic item {name!r} in assignment.yaml"
            for name in sorted(set(self.tests) - automatic)
        ]
        return [*without, *unknown, *self._odd_trainings()]

    def _odd_trainings(self) -> list[str]:
        """A training item's test uses the fixture `training`, and no other test does."""
        odd = []
        for item in self.assignment.items:
            test = self.tests.get(item.id)
            uses = test is not None and "training" in test._fixtureinfo.argnames
            if test is not None and uses != (item.training is not None):
                word = "needs the fixture `training`" if item.training else "uses `training`, but the manifest has none"
                odd.append(f"{test.path.name}::{test.name}: the test of {item.id!r} {word}")
        return odd


def _run_silently(test: pytest.Function) -> str:
    """One test with its fixtures, as pytest runs it, but without its reports: they cost more than most probes do.

    Modules stay set up for the next test.
    """
    state = test.session._setupstate
    test._initrequest()
    try:
        state.teardown_exact(test)
        state.setup(test)
        test.runtest()
    except OUTCOMES as error:
        return str(test.repr_failure(pytest.ExceptionInfo.from_exception(error)))
    finally:
        with suppress(*OUTCOMES):
            assert test.parent is not None
            state.teardown_exact(test.parent)  # type: ignore[arg-type]  # any node will do
        test.funcargs = {}
    return ""


def run_suite(plugin: JudgePlugin, report: Path | None) -> None:
    """Have pytest collect the suite, then serve. Raises what serving raised, AuthorError for a suite of no use."""
    os.environ.pop("PYTEST_ADDOPTS", None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    suite = plugin.assignment.suite
    pytest.main(_arguments(suite, report), plugins=[plugin])
    if plugin.failure is not None:
        raise plugin.failure
    if plugin.errors:
        # Collection failed before the run loop was reached.
        raise AuthorError("the suite cannot be used:\n" + "\n".join(plugin.errors), suite)


def _arguments(suite: Path, report: Path | None) -> list[str]:
    """The fixed command line of the judge's pytest: nothing of the instructor's own configuration takes part.

    With `report`, pytest-json-report describes the suite's run on the reference there; it needs the terminal plug-in.
    """
    if report is None:
        extra = ["-p", "no:terminal"]
    else:
        extra = ["-q", "--no-header", "-p", "pytest_metadata.plugin", "-p", "pytest_jsonreport.plugin"]
        extra += ["--json-report", f"--json-report-file={report}"]
    return [
        str(suite),
        f"--rootdir={suite}",
        f"--confcutdir={suite}",  # a conftest.py above it is of the tests of whatever repository the suite lies in
        "-c",
        str(Path(__file__).with_name("pytest.ini")),
        "--capture=no",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:warnings",
        "-p",
        "no:faulthandler",
        "-p",
        "no:logging",  # it visits every logger that torch has, three times per test
        "-p",
        "no:hypothesispytest",
        f"--ignore={suite / 'submissions'}",
        f"--ignore={suite / 'provided'}",
        *extra,
    ]
