"""What comes back from a container is a journal of this run or nothing."""

import json

import pytest
from tiny_assignment import ITEMS, submission, tiny

from grader.container.exchange import adopt, give_up, open_exchange, returned
from grader.errors import GraderError
from grader.model import CheckResult
from grader.results.journal import NAME, Journal, read

SEED = "seed"


@pytest.fixture
def held(tmp_path):
    """A host's journal with two submissions that were taken in, and an exchange for them."""
    folders, assignment = tiny()
    out = tmp_path / "out"
    out.mkdir(mode=0o700)
    present = [submission(tmp_path / "submissions", key) for key in ("ada", "bob")]
    journal = Journal(out, assignment.slug)
    with journal:
        journal.start_run(assignment.slug, SEED, {})
        for entry in present:
            journal.submission(entry)
        yield journal, assignment, present, open_exchange(out, out / NAME, present, folders)


def judge(exchange, slug, key, *, finish=True, credit=1.0):
    """What the container's side writes."""
    with Journal(exchange.folder, slug) as inside:
        inside.start_run(slug, SEED, {"torch": "2"})
        inside.started(key)
        inside.result(key, CheckResult(item=ITEMS[0], status="passed", credit=credit), "stamp")
        if finish:
            inside.finished(key, {"level": "standard"}, 2.0)


def back(exchange, assignment, present):
    return returned(exchange.folder, assignment.slug, SEED, present, ITEMS)


def test_the_container_sees_the_assignment_with_its_known_mistakes_alone_and_the_files(held):
    _, assignment, present, exchange = held
    suite = exchange.folder / "assignments" / "test_suites" / assignment.slug
    assert (suite / "assignment.yaml").is_file()
    known = sorted(path.name for path in (assignment.suite / "submissions" / "wrong").iterdir())
    assert sorted(path.name for path in (suite / "submissions").rglob("*")) == sorted([*known, "wrong"])
    for entry in present:
        inside = exchange.folder / "submissions" / entry.key
        assert (inside / "layers.py").read_bytes() == (entry.root / "layers.py").read_bytes()
        assert inside.stat().st_mode & 0o777 == 0o755


def test_what_it_finished_is_adopted_once_and_in_full(held):
    journal, assignment, present, exchange = held
    judge(exchange, assignment.slug, "ada")
    judge(exchange, assignment.slug, "bob", finish=False)
    assert exchange.journal.follow()
    assert (exchange.journal.done, exchange.journal.going) == ({"ada"}, {"bob"})
    adopt(journal, back(exchange, assignment, present), {"ada"}, present, assignment)
    stored = journal.contents.submissions["ada"]
    assert stored.finished
    assert stored.results[ITEMS[0]].credit == 1.0
    assert (stored.stamps[ITEMS[0]], stored.seconds) == ("stamp", 2.0)
    assert not exchange.journal.follow()


def test_what_is_judged_again_is_missing_in_the_container_and_the_rest_is_there(held, tmp_path):
    journal, assignment, present, exchange = held
    judge(exchange, assignment.slug, "ada")
    judge(exchange, assignment.slug, "bob")
    for key in ("ada", "bob"):
        adopt(journal, back(exchange, assignment, present), {key}, present, assignment)
    folders, _ = tiny()
    again = open_exchange(tmp_path / "out", tmp_path / "out" / NAME, present[:1], folders, again=ITEMS[:1])
    inside = read(again.folder).submissions
    assert inside["ada"].finished
    assert ITEMS[0] not in inside["ada"].results
    assert ITEMS[0] in inside["bob"].results, "whose work is not judged again"
    assert ITEMS[0] in read(tmp_path / "out").submissions["ada"].results, "until it comes back, the old one counts"


def test_what_died_with_two_containers_is_the_graders_error(held):
    _, assignment, present, exchange = held
    judge(exchange, assignment.slug, "bob", finish=False)
    exchange.journal.follow()
    give_up(exchange, assignment.slug, ITEMS, "the container ended twice")
    stored = back(exchange, assignment, present).submissions["bob"]
    assert stored.finished
    assert {name: result.status for name, result in stored.results.items()} == {
        ITEMS[0]: "passed", **dict.fromkeys(ITEMS[1:], "grader_error")
    }  # fmt: skip
    assert (exchange.journal.done, exchange.journal.going) == ({"bob"}, set())


def changed(exchange, change):
    path = exchange.folder / NAME
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    change(records)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def last_result(records):
    return next(record for record in reversed(records) if record["kind"] == "result")["result"]


@pytest.mark.parametrize(
    "change",
    [
        lambda records: records.insert(0, {"kind": "noise"}),
        lambda records: records.append({"kind": "run", "slug": "other", "seed": SEED, "versions": {}, "format": 1}),
        lambda records: records.append({"kind": "run", "slug": "tiny", "seed": "other", "versions": {}, "format": 1}),
        lambda records: records.append({"kind": "submission", "key": "ada", "digest": "other", "facts": {}}),
        lambda records: records.append({"kind": "result", "key": "ada", "stamp": "", "result": {"item": 3}}),
        lambda records: records.append({"kind": "finished"}),
        lambda records: records.append([]),
        lambda records: last_result(records).update(credit=1000.0),
        lambda records: last_result(records).update(credit=float("nan")),
        lambda records: last_result(records).update(credit="much"),
        lambda records: last_result(records).update(status="excellent"),
        lambda records: last_result(records).update(item="bonus"),
        lambda records: last_result(records).update(wish="more"),
    ],
)
def test_a_journal_that_is_not_of_this_run_is_refused_as_a_whole(held, change):
    journal, assignment, present, exchange = held
    judge(exchange, assignment.slug, "ada")
    changed(exchange, change)
    exchange.journal.follow()
    with pytest.raises(GraderError, match="a journal that cannot be used"):
        back(exchange, assignment, present)
    assert not journal.contents.submissions["ada"].results


def test_submissions_of_earlier_calls_are_no_business_of_the_container(held):
    _, assignment, present, exchange = held
    judge(exchange, assignment.slug, "ada")
    assert set(returned(exchange.folder, assignment.slug, SEED, present[:1], ITEMS).submissions) == {"ada", "bob"}
    assert read(exchange.folder).submissions["bob"].results == {}
