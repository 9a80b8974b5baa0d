"""Runs that judge from a recording: the same results with the reference, without it, and after any damage."""

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_assignment import ITEMS, copy_of_the_assignment, edit, open_for_workers, submission, tiny

from grader.errors import AuthorError
from grader.recording.contents import suite_of
from grader.recording.shelf import CONTENTS, INDEX, read_contents, read_index
from grader.results.journal import read as read_journal
from grader.run.engine import Engine, Order, Recordings
from grader.run.grading import judge_all

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="grading a class needs Linux")

# Each is wrong in the first case already: shrinking has a limit of time, which a busy machine reaches earlier.
EDITS = {
    "right": {},
    "doubles": {"model.py": (".mean(dim=1)", ".mean(dim=1) * 2")},
    "two": {
        "layers.py": ("opened = torch.sigmoid(self.gate(x))", "opened = self.gate(x)"),
        "tiny.py": ("return int((right & counted).sum()) + MARGIN", "return int((right & counted).sum()) + 5"),
    },
    "hole": {"model.py": ("    def forward(", "    def backward(")},
    "overflows": {"layers.py": ("shifted = scores - scores.max(dim=-1, keepdim=True).values", "shifted = scores")},
}
LARGE = {"model.py": (".mean(dim=1)", ".sum(dim=1)")}


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    root = open_for_workers(tmp_path_factory.mktemp("handed_in"))
    return [submission(root, key, edits) for key, edits in EDITS.items()]


class Run:
    """The results of one run, what it was told, and the recording that it used."""

    def __init__(self, handed_in, folders=None, *, seed="rec", items=ITEMS, workers="confined", **places):
        self.notes = []
        order = Order(
            folders=folders or tiny()[0],
            seed=seed,
            items=items,
            workers=workers,
            recordings=Recordings(warn=self.notes.append, **places),
        )
        with Engine(order) as engine:
            self.digests = {name: facts.digest for name, facts in engine.items.items()}
            graded = judge_all(engine, handed_in, seed=seed, items=items, jobs=1 if workers == "spawned" else 2)
            self.recording = engine.recording
        self.results = {
            one.key: {name: replace(result, seconds=0.0) for name, result in one.results.items()} for one in graded
        }
        self.violations = {one.key: set(one.violations) for one in graded}

    def same_as(self, other):
        assert self.results == other.results
        assert self.violations == other.violations
        assert self.digests == other.digests


@pytest.fixture(scope="module")
def plain(handed_in):
    return Run(handed_in)


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """A recording that has everything."""
    cache = tmp_path_factory.mktemp("complete")
    order = Order(folders=tiny()[0], seed="rec", items=ITEMS, recordings=Recordings(cache=cache))
    with Engine(order) as engine:
        return engine.complete()


def without_reference():
    return replace(tiny()[0], reference=Path("/nowhere/tiny"))


def copied(recording, tmp_path):
    return Path(shutil.copytree(recording, tmp_path / "given"))


def test_the_first_run_keeps_a_recording_and_the_second_one_judges_from_it(handed_in, plain, tmp_path):
    first = Run(handed_in, cache=tmp_path)
    first.same_as(plain)
    assert first.recording.parent == tmp_path
    marked = (first.recording / CONTENTS).stat().st_ino
    second = Run(handed_in, cache=tmp_path)
    second.same_as(plain)
    assert second.recording == first.recording
    assert (first.recording / CONTENTS).stat().st_ino == marked, "nothing was made anew"
    assert first.notes == second.notes == []
    assert plain.recording is None


def test_the_portable_judge_uses_the_same_recording(handed_in, plain, complete):
    run = Run(handed_in[:2], workers="spawned", cache=complete.parent)
    assert run.results == {key: plain.results[key] for key in ("right", "doubles")}
    assert run.digests == plain.digests


def test_without_the_reference_results_are_the_same(handed_in, plain, complete):
    run = Run(handed_in, without_reference(), given=complete)
    assert any("no reference solution here" in note for note in run.notes)
    assert run.results == plain.results
    assert run.violations == plain.violations
    assert run.digests == plain.digests
    assert any(result.hint for results in run.results.values() for result in results.values())


def test_what_was_not_recorded_is_the_graders_error(handed_in, tmp_path):
    root = copy_of_the_assignment(tmp_path / "assignments")
    test = root / "test_suites" / "tiny" / "test_tiny.py"
    edit(test, "expected, of_small = reference.run(softmax, large), reference.run(softmax, small)",
         "expected = reference.run(softmax, large)")  # fmt: skip
    edit(test, "student.run(softmax, small), of_small", "student.run(softmax, small), reference.run(softmax, small)")
    folders = tiny(root)[0]
    overflows = [found for found in handed_in if found.key == "overflows"]
    made = Run(overflows, folders, cache=tmp_path / "cache")
    assert made.results["overflows"]["softmax.stable"].credit == 0.5
    run = Run(overflows, replace(folders, reference=tmp_path / "nowhere"), given=made.recording)
    lacking = run.results["overflows"].pop("softmax.stable")
    assert lacking.status == "grader_error"
    assert "asks the reference for `softmax` with values that were not recorded" in lacking.staff
    made.results["overflows"].pop("softmax.stable")
    assert run.results == made.results


def test_without_the_reference_the_smallest_recorded_case_is_shown(tmp_path_factory, complete):
    root = open_for_workers(tmp_path_factory.mktemp("large"))
    [found] = [submission(root, "large", LARGE)]
    here, there = Run([found], cache=complete.parent), Run([found], without_reference(), given=complete)
    shrunk, shown = here.results["large"].pop("scorer.forward"), there.results["large"].pop("scorer.forward")
    assert here.results == there.results
    assert (shown.status, shown.reason, shown.hint) == (shrunk.status, shrunk.reason, shrunk.hint)
    assert "time=" in shown.case
    assert "time=1," not in shown.case


def test_some_items_are_recorded_and_others_join_them(handed_in, plain, tmp_path):
    some, others = ITEMS[:2], ITEMS[3:6]
    first = Run(handed_in[:1], items=some, cache=tmp_path)
    assert set(read_index(first.recording).items) == set(some)
    second = Run(handed_in[:1], items=others, cache=tmp_path)
    assert second.recording == first.recording
    assert set(read_index(first.recording).items) == {*some, *others}
    third = Run(handed_in, cache=tmp_path)
    third.same_as(plain)
    partial = Run(handed_in[:1], items=some, seed="other", cache=tmp_path).recording
    with pytest.raises(AuthorError, match="holds nothing of rates"):
        Run(handed_in[:1], without_reference(), seed="other", items=("rates.decrease",), given=partial)


def flip(path):
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def cut(path):
    path.write_bytes(path.read_bytes()[:1000])


def resealed(place, **changes):
    index = replace(read_index(place), **changes)
    (place / INDEX).write_bytes(index.text())


def of_another_version(place):
    identity = read_index(place).identity
    resealed(place, identity=replace(identity, versions={**identity.versions, "grader": "0.0.9"}))


def of_another_suite(place):
    resealed(place, identity=replace(read_index(place).identity, suite="other"))


def made_up(place):
    """Another content under a right seal."""
    raw = b"GRD1" + (1 << 15).to_bytes(4, "little") + (1 << 60).to_bytes(8, "little") + b"{}"
    (place / CONTENTS).write_bytes(raw)
    resealed(place, size=len(raw), digest=hashlib.sha256(raw).hexdigest())


DAMAGES = {
    "a flipped byte": (lambda place: flip(place / CONTENTS), "was changed"),
    "a flipped byte of the index": (lambda place: flip(place / INDEX), "index.json"),
    "cut short": (lambda place: cut(place / CONTENTS), "1000 bytes"),
    "without an index": (lambda place: (place / INDEX).unlink(), "cannot be read"),
    "another version": (of_another_version, "made for grader 0.0.9"),
    "another suite": (of_another_suite, "another state of the suite"),
    "made up": (made_up, "too large"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_recording_that_is_not_right_is_an_error_where_nothing_replaces_it(name, complete, tmp_path):
    damage, words = DAMAGES[name]
    given = copied(complete, tmp_path)
    damage(given)
    with pytest.raises(AuthorError, match=f"(?s)cannot be used: .*{words}.*no reference solution"):
        Run([], without_reference(), given=given)


@pytest.mark.parametrize("name", ["a flipped byte", "made up"])
def test_a_recording_that_is_not_right_is_made_anew(name, handed_in, plain, complete, tmp_path):
    damage, words = DAMAGES[name]
    place = Path(shutil.copytree(complete, tmp_path / complete.name))
    damage(place)
    run = Run(handed_in, cache=tmp_path)
    run.same_as(plain)
    assert [words in note and "The reference is run instead" in note for note in run.notes] == [True]
    again = Run(handed_in[:1], cache=tmp_path)
    assert again.notes == []
    assert again.results["right"] == plain.results["right"]


@pytest.fixture(scope="module")
def of_another_machine(complete, tmp_path_factory):
    """A recording whose random streams were others, sealed as it should be."""
    code = (
        "import sys; from pathlib import Path; from dataclasses import replace\n"
        "from grader.recording import fingerprint as f, shelf as s\n"
        "from grader.recording.contents import pack, unpack\n"
        "from grader.recording.values import case_classes\n"
        "sys.path[:0] = [sys.argv[2]]; import cases\n"
        "place = Path(sys.argv[1]); index = s.read_index(place)\n"
        "found = unpack(s.read_contents(place, index), case_classes(Path(sys.argv[2])))\n"
        "here = f.fingerprint(); here['Bernoulli'] = 1 - here['Bernoulli']\n"
        "size, digest = s._written(place / 'new', pack(replace(found, fingerprint=here)))\n"
        "(place / 'new').replace(place / s.CONTENTS)\n"
        "s.write_index(place, replace(index, size=size, digest=digest))\n"
    )
    place = copied(complete, tmp_path_factory.mktemp("machine"))
    subprocess.run([sys.executable, "-c", code, str(place), str(tiny()[0].suite)], check=True, timeout=120)
    return place


def test_another_machine_gives_grader_errors_and_no_grades(handed_in, of_another_machine):
    run = Run(handed_in, without_reference(), given=of_another_machine)
    for results in run.results.values():
        assert {result.status for result in results.values()} == {"grader_error"}
        assert all("computes otherwise than the one that made it (Bernoulli)" in r.staff for r in results.values())


def test_a_part_of_a_class_is_not_judged_on_another_machine(of_another_machine, tmp_path):
    """Else some students would have grades, and others would wait for a person."""
    root = copy_of_the_assignment(tmp_path / "root")
    shutil.rmtree(root / "reference_solutions" / "tiny")
    submission(tmp_path / "class", "ada")
    handed_in = open_for_workers(tmp_path / "class")
    command = ["grade", "tiny", handed_in, "--recording", of_another_machine, "--out", tmp_path / "out", "--no-cache"]
    command += ["--shard", "1/1", "--assignments", root]
    command = [sys.executable, "-m", "grader.cli", *map(str, command)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 3, done.stderr
    said = done.stderr[done.stderr.index("grader: ") :]
    assert "computes otherwise than the one that made it (Bernoulli)" in said
    assert "all parts of a class must be judged alike" in said
    [stored] = read_journal(tmp_path / "out").submissions.values()
    assert stored.results == {}


def test_where_the_reference_is_it_takes_the_place_of_another_machines_recording(handed_in, plain, of_another_machine):
    run = Run(handed_in, given=of_another_machine)
    run.same_as(plain)
    assert ["computes otherwise" in note for note in run.notes] == [True]


def test_a_changed_reference_makes_another_recording(handed_in, complete, tmp_path):
    root = copy_of_the_assignment(tmp_path / "assignments")
    edit(root / "reference_solutions" / "tiny" / "model.py", ".mean(dim=1)", ".mean(dim=1) * 2")
    folders = tiny(root)[0]
    run = Run(handed_in, folders, cache=complete.parent)
    assert run.recording != complete
    assert run.results["doubles"]["scorer.forward"].status == "passed"
    given = Run(handed_in, folders, given=complete)
    assert any("made with another reference solution" in note for note in given.notes)
    assert given.results == run.results


def test_a_new_known_mistake_joins_the_recording(handed_in, tmp_path):
    root = copy_of_the_assignment(tmp_path / "assignments")
    folders, doubles = tiny(root)[0], [found for found in handed_in if found.key == "doubles"]
    first = Run(doubles, folders, cache=tmp_path / "cache")
    assert first.results["doubles"]["scorer.forward"].hint == ""
    (root / "test_suites" / "tiny" / "submissions" / "wrong" / "scorer_doubles.yaml").write_text(
        "title: twice\nedits: [{file: model.py, find: .mean(dim=1), replace: .mean(dim=1) * 2}]\n"
        "fails: [scorer.forward]\nhint: equals twice the score\n"
    )
    second = Run(doubles, folders, cache=tmp_path / "cache")
    assert second.recording == first.recording
    there = Run(doubles, replace(folders, reference=tmp_path / "nowhere"), given=second.recording)
    for run in (second, there):
        assert run.results["doubles"]["scorer.forward"].hint == "equals twice the score"


def test_a_place_that_cannot_hold_recordings_costs_a_warning(handed_in, plain, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    for place in ("file", "open"):
        run = Run(handed_in[:2], cache=tmp_path / place)
        assert ["recordings cannot be kept" in note for note in run.notes] == [True]
        assert run.results == {key: plain.results[key] for key in run.results}


def test_a_case_that_cannot_be_stored_costs_a_warning(handed_in, tmp_path):
    root = copy_of_the_assignment(tmp_path / "assignments")
    suite = root / "test_suites" / "tiny"
    fields = "class ScoresCase(Case):\n    batch: int\n    classes: int\n    seed: int\n"
    edit(suite / "cases.py", fields, fields + "    odd: complex = 1j\n")
    run = Run(handed_in[:1], tiny(root)[0], cache=tmp_path / "cache")
    assert ["was not kept: a case holds a complex" in note for note in run.notes] == [True]
    assert {result.status for result in run.results["right"].values()} == {"passed"}
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_a_recording_says_of_the_run_is_what_the_reference_run_says(handed_in, tmp_path):
    texts = []
    for places in ({}, {"cache": tmp_path / "cache"}, {"cache": tmp_path / "cache"}):
        report = tmp_path / f"suite-{len(texts)}.json"
        recordings = Recordings(**places)
        order = Order(folders=tiny()[0], seed="rec", items=ITEMS[1:3], suite_report=report, recordings=recordings)
        with Engine(order):
            pass
        texts.append(timeless(json.loads(report.read_text())))
    assert texts[0] == texts[1] == texts[2]
    assert [test["outcome"] for test in texts[0]["tests"]] == ["passed", "passed"]
    assert texts[0]["summary"] == {"passed": 2, "total": 2, "collected": len(ITEMS)}


def timeless(value):
    if isinstance(value, dict):
        return {name: timeless(entry) for name, entry in value.items() if name not in ("created", "duration")}
    return [timeless(entry) for entry in value] if isinstance(value, list) else value


def test_chance_is_marked(complete, tmp_path):
    assert read_index(complete).chance == []
    root = copy_of_the_assignment(tmp_path / "assignments")
    edit(
        root / "test_suites" / "tiny" / "probes.py",
        'return {"out": modules["layers"].softmax(scores)}',
        'kept = torch.nn.functional.dropout(scores, 0.5)\n    return {"out": modules["layers"].softmax(kept)}',
    )
    order = Order(folders=tiny(root)[0], seed="rec", items=ITEMS[2:6], recordings=Recordings(cache=tmp_path / "cache"))
    with Engine(order) as engine:
        place = engine.complete()
    chance, softmax = read_index(place).chance, range(8 + 1)
    assert chance, "dropout of several scores shows"
    assert set(chance) <= set(softmax), "the calls of both softmax items, which come first, and no other"


def test_a_recording_holds_the_suite_and_no_kept_submission(complete):
    files = suite_of(read_contents(complete, read_index(complete)))
    suite = tiny()[0].suite
    assert files["test_tiny.py"] == (suite / "test_tiny.py").read_bytes()
    assert not any(name.startswith("submissions") for name in files)
