"""A run whose container dies, seen with an engine that only pretends: how often it is replaced, and what is kept."""

from types import SimpleNamespace

import pytest
from tiny_assignment import ITEMS, submission, tiny

from grader.container import running
from grader.container.exchange import FOLDER
from grader.container.running import Wanted, grade_in_containers
from grader.errors import GraderError, UsageError
from grader.intake import Taken
from grader.model import CheckResult
from grader.results.journal import Journal
from grader.run.engine import Trainings

pytest.importorskip("docker", reason="the Docker SDK is not installed")
KEYS = ("ada", "bob", "cleo")


class Container:
    """One that judges what `plan` says and ends with its code."""

    def __init__(self, out, plan):
        self._folder, self._plan = out / FOLDER, plan
        self.status, self.attrs = "created", {}

    def start(self):
        code, finished, begun, said = self._plan
        with Journal(self._folder, "tiny") as journal:
            journal.start_run("tiny", "seed", {"torch": "2"})
            for key in (*finished, *begun):
                journal.started(key)
                journal.result(key, CheckResult(item=ITEMS[0], status="passed", credit=1.0), "stamp")
            for key in finished:
                for item in ITEMS[1:]:
                    journal.result(key, CheckResult(item=item, status="failed"), "stamp")
                journal.finished(key, {"level": "standard"}, 1.0)
        self.attrs = {"State": {"ExitCode": code, "OOMKilled": code == 137}}
        self._said = said

    def reload(self):
        self.status = "exited"

    def logs(self, tail):
        return self._said.encode()

    def remove(self, force, v):
        pass


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Grade three submissions with containers that end as planned; the journal's contents and the number started."""
    monkeypatch.setattr(running, "require_image", lambda *arguments: None)
    out = tmp_path / "out"
    started = []

    def graded(*plans):
        waiting = iter(plans)

        def create(**arguments):
            started.append(arguments)
            return Container(out, next(waiting))

        containers = SimpleNamespace(create=create, list=lambda **arguments: [])
        client = SimpleNamespace(containers=containers, info=dict, close=lambda: None)
        monkeypatch.setattr(running, "engine", lambda: _Entered(client))
        folders, assignment = tiny()
        present = tuple(submission(tmp_path / "laid", key) for key in KEYS)
        wanted = Wanted(seed="seed", items=ITEMS, jobs=1, trainings=Trainings())
        try:
            with Journal(out, assignment.slug) as journal:
                grade_in_containers(
                    journal, assignment, folders, Taken(found=present, fates=()), wanted, out, lambda progress: None
                )
        finally:
            graded.contents = journal.contents
            graded.started = len(started)
        return journal.contents.submissions

    return graded


class _Entered:
    def __init__(self, client):
        self._client = client

    def __enter__(self):
        return self._client

    def __exit__(self, *exc):
        pass


def statuses(stored):
    return {result.status for result in stored.results.values()}


def test_a_dead_container_is_replaced_as_long_as_something_is_finished(run):
    found = run((137, ["ada"], ["bob"], ""), (137, ["bob"], ["cleo"], ""), (0, ["cleo"], [], ""))
    assert run.started == 3
    assert all(found[key].finished and "grader_error" not in statuses(found[key]) for key in KEYS)


def test_what_two_containers_died_with_is_given_up_and_the_others_go_on(run):
    found = run((137, ["ada"], ["bob"], ""), (137, [], ["bob"], ""), (0, ["cleo"], [], ""))
    assert statuses(found["bob"]) == {"passed", "grader_error"}
    assert "ran out of memory" in found["bob"].results[ITEMS[1]].staff
    assert statuses(found["cleo"]) == {"passed", "failed"}


def test_a_container_that_never_gets_to_a_submission_ends_the_run(run):
    with pytest.raises(GraderError, match=r"ended twice before it had judged anything: exit status 3\nno memory"):
        run((3, [], [], "grader: no memory"), (3, [], [], "grader: no memory"))
    assert run.started == 2


def test_what_was_finished_is_kept_when_the_author_is_to_blame(run):
    with pytest.raises(UsageError, match="in the container: the suite does not load"):
        run((2, ["ada"], [], "progress\ngrader: the suite does not load"))
    assert run.contents.submissions["ada"].finished
