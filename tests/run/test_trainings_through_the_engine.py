"""Trainings through the engine: what is measured, what is refused, what is kept when a training goes wrong."""

import json
import math
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest
from tiny_assignment import ROOT, open_for_workers

from grader.assignment.locate import folders_below
from grader.assignment.manifest import load
from grader.intake.layout import digest_of
from grader.model import Submission
from grader.proof.reference import lay_out
from grader.results.journal import read
from grader.run.engine import Engine, Order, Trainings
from grader.run.grading import grade_in_memory, judge_all
from grader.run.scores import reports_of
from grader.thresholds import FIGURES, decided

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="trains in the Linux sandbox")

FOLDERS = folders_below(ROOT, "learner")
LEARNER = load(FOLDERS)
CLASSIFIER = "return self.layers(points)  # (N, 2)"
LAYERS = "self.layers = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))"
EDITS = {
    "right": (),
    "dies": ((CLASSIFIER, "import os; self.n = getattr(self, 'n', 0) + 1; self.n < 20 or os._exit(0); "
                          "return self.layers(points)"),),
    "raises": ((CLASSIFIER, "self.n = getattr(self, 'n', 0) + 1\n        if self.n == 20:\n"
                            "            raise IndexError('batch twenty')\n        return self.layers(points)"),),
    "hoards": ((CLASSIFIER, "self.n = getattr(self, 'n', 0) + 1\n        if self.n == 20:\n"
                            "            self.hoard = [torch.empty(1 << 26) for _ in range(99)]\n"
                            "        return self.layers(points)"),),
    "loops": ((CLASSIFIER, "self.n = getattr(self, 'n', 0) + 1\n        while self.n == 20:\n            pass\n"
                           "        return self.layers(points)"),),
    "killed": ((CLASSIFIER, "import os; self.training or os._exit(7); return self.layers(points)"),),
    "other_weights": ((CLASSIFIER, "self.n = getattr(self, 'n', 0) + 1\n        if self.n == 60:\n"
                                   "            self.layers.append(nn.Linear(2, 2))\n"
                                   "        return self.layers(points)"),),
    "labels": ((CLASSIFIER, "known = (points.prod(1) > 0).float()\n"
                            "        return torch.stack([1 - known, known], 1) + 0 * self.layers(points)"),),
    "large": ((LAYERS, LAYERS + "\n        self.register_buffer('ballast', torch.randn(20 << 20))"),
              (CLASSIFIER, "return self.layers(points) + 0 * self.ballast[-1]")),
    "not_started": ((CLASSIFIER, 'raise NotImplementedError("Classifier.forward")'),),
}  # fmt: skip


def submission(root, key, edits):
    text = (LEARNER.reference / "model.py").read_text()
    for find, put in edits:
        assert text.count(find) == 1
        text = text.replace(find, put)
    lay_out(LEARNER, root / key, {"model.py": text})
    for path in (root / key, *(root / key).rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return Submission(key=key, root=(root / key).resolve(), digest=digest_of(root / key), files={"model": "model.py"})


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    return open_for_workers(tmp_path_factory.mktemp("learners"))


def train(submissions, *, seed="training", items=("classifier.learns",), trainings=None):
    trainings = trainings or Trainings(source="made", seconds=100)
    with Engine(Order(folders=FOLDERS, seed=seed, trainings=trainings)) as engine:
        return {graded.key: graded for graded in judge_all(engine, submissions, seed=seed, items=items, jobs=2)}


def altered(folder, find, put):
    """The folders of a copy of the assignment with one change of its manifest."""
    copy = folder / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("__pycache__", "evidence.yaml"))
    manifest = copy / "test_suites" / "learner" / "assignment.yaml"
    text = manifest.read_text()
    assert text.count(find) == 1
    manifest.write_text(text.replace(find, put))
    return folders_below(copy, "learner")


@pytest.fixture(scope="module")
def trained(handed_in):
    """{key: the classifier's result as scoring decides it}."""
    found = train([submission(handed_in, key, edits) for key, edits in EDITS.items()])
    return {key: decided(graded, LEARNER).results["classifier.learns"] for key, graded in found.items()}


def test_a_right_one_is_measured(trained):
    result = trained["right"]
    figures = result.figures[FIGURES]
    assert (result.status, result.credit) == ("passed", 1.0)
    assert figures["counts"] is True
    assert figures["value"] > 0.9
    assert figures["steps"] == figures["budget"] == 60
    assert figures["source"] == "made"
    assert figures["peak_mib"] > 50
    assert figures["claims"] == {"parameters": 82}
    assert figures["examples"]["count"] == 100
    assert "Accuracy 9" in result.notes[0]


def test_figures_fit_into_json(trained):
    for result in trained.values():
        assert json.loads(json.dumps(dict(result.figures))) == dict(result.figures)


def test_weights_larger_than_a_frame_come_back_whole(trained):
    assert trained["large"].status == "passed"


def test_a_process_that_ends_itself_keeps_its_curve(trained):
    result = trained["dies"]
    assert (result.status, result.reason) == ("failed", "process died")
    assert [step for step, _ in result.figures[FIGURES]["curve"]] == [1, 5, 10, 15]
    assert result.figures[FIGURES]["counts"] is False


@pytest.mark.parametrize(
    ("key", "reason", "said"),
    [
        ("raises", "IndexError", "IndexError: batch twenty (Classifier.forward was given points ("),
        ("hoards", "out of memory", "Needed more than the 1200 MiB of memory"),
        ("loops", "timed out", "Is there a loop that does not end"),
    ],
)
def test_what_ends_a_training_says_where_it_stood_and_keeps_the_curve(trained, key, reason, said):
    result = trained[key]
    assert (result.status, result.reason) == ("failed", reason)
    assert said in result.message
    assert result.message.endswith("\nThe last of the 60 steps that was reported is 15.")
    assert [step for step, _ in result.figures[FIGURES]["curve"]] == [1, 5, 10, 15]


def test_lines_that_wanted_too_much_memory_are_named(trained):
    assert "self.hoard = [torch.empty(1 << 26)" in trained["hoards"].message


def test_what_happens_after_the_training_says_so(trained):
    result = trained["killed"]
    assert (result.status, result.reason) == ("failed", "process died")
    assert result.message.endswith("this happened while the trained model was evaluated.")
    assert result.figures[FIGURES]["curve"][-1][0] == 60


def test_a_budget_that_the_data_does_not_fit_is_no_students_fault(handed_in, tmp_path):
    folders = altered(tmp_path, "memory_mib: 1200", "memory_mib: 60")
    tasks = folders.suite / "tasks.py"
    tasks.write_text(tasks.read_text().replace('"labels": labels[:300]', '"labels": labels[:300].repeat(100_000)'))
    trainings = Trainings(source="made", seconds=100)
    with Engine(Order(folders=folders, seed="training", trainings=trainings)) as engine:
        entry = submission(handed_in, "no_room", ())
        [graded] = judge_all(engine, [entry], seed="training", items=("classifier.learns",))
    result = graded.results["classifier.learns"]
    assert result.status == "grader_error", result.message
    assert "memory_mib" in result.staff


def test_weights_that_do_not_fit_the_model_are_refused(trained):
    assert trained["other_weights"].status == "failed"


def test_labels_computed_by_the_source_are_no_learning(trained):
    """Nothing moves, whatever the figure is; and the run's secret relabelling makes it wrong half of the time."""
    result = trained["labels"]
    assert result.status == "failed"
    assert "did not move" in result.message


def test_the_template_is_not_attempted(trained):
    assert trained["not_started"].status == "not_attempted"


def test_equal_seeds_give_equal_figures_and_others_do_not(handed_in):
    entry = submission(handed_in, "again", ())
    first, second, other = (
        train([entry], seed=seed)["again"].results["classifier.learns"].figures[FIGURES] for seed in ("x", "x", "y")
    )
    assert first["value"] == second["value"]
    assert first["curve"] == second["curve"]
    assert other["curve"] != first["curve"]


def test_without_training_the_items_are_skipped(handed_in):
    found = train([submission(handed_in, "idle", ())], trainings=Trainings())
    result = found["idle"].results["classifier.learns"]
    assert result.status == "skipped"
    assert "--training" in result.message


def test_missing_data_is_skipped_with_what_to_put_where(handed_in, tmp_path):
    trainings = Trainings(source="real", seconds=100)
    found = train([submission(handed_in, "no_data", ())], trainings=trainings)
    result = found["no_data"].results["classifier.learns"]
    assert result.status == "skipped"
    assert result.message == "Skipped: Not found: points, because GRADER_DATA is not set."
    assert "Put train.csv and test.csv into" in result.staff
    found = train([submission(handed_in, "no_budget", ())], trainings=trainings, items=("tokens.learns",))
    assert found["no_budget"].results["tokens.learns"].status == "skipped"


def test_real_data_has_its_own_threshold(handed_in, tmp_path):
    for name in ("train.csv", "test.csv"):
        (tmp_path / "points").mkdir(exist_ok=True)
        (tmp_path / "points" / name).write_text("drawn by the task")
    trainings = Trainings(source="real", data=tmp_path, seconds=100)
    found = train([submission(handed_in, "real", ())], trainings=trainings)
    result = decided(found["real"], LEARNER).results["classifier.learns"]
    assert result.status == "passed"
    assert "drawn points" in result.notes[0]
    assert "as the handout says" in result.notes[0]


def test_a_narrow_miss_is_tried_again_with_another_seed(handed_in, tmp_path):
    """The threshold lies just above what this seed reaches, so that the second one is asked for."""
    figure = train([submission(handed_in, "once", ())])["once"].results["classifier.learns"].figures[FIGURES]["value"]
    folders = altered(tmp_path, "full: 0.9, credit", f"full: {figure + 1e-6:.8f}, credit")
    trainings = Trainings(source="made", seconds=100)
    entry = submission(handed_in, "twice", ())
    [graded] = grade_in_memory(
        load(folders), folders, [entry], seed="training", items=("classifier.learns",),
        trainings=trainings,
    )  # fmt: skip
    figures = graded.results["classifier.learns"].figures[FIGURES]
    assert len(figures["runs"]) == 2
    assert figures["value"] == max(figures["runs"])
    assert any("trained again" in note for note in graded.results["classifier.learns"].notes)


@pytest.mark.parametrize(
    ("workers", "items"), [("plain", ("classifier.learns", "tokens.learns")), ("spawned", ("classifier.learns",))]
)
def test_a_self_check_trains_without_a_sandbox(handed_in, workers, items):
    entry = submission(handed_in, f"at_home_{workers}", ())
    [graded] = grade_in_memory(
        LEARNER, FOLDERS, [entry], seed="home", items=items, workers=workers, trainings=Trainings(source="made"),
    )  # fmt: skip
    graded = decided(graded, LEARNER)
    assert {name: result.status for name, result in graded.results.items()} == dict.fromkeys(items, "passed")


# --- through the command line -----------------------------------------------------------------------------------------


def run(*arguments, data=""):
    """(exit code, standard output, standard error) of the command."""
    command = [sys.executable, "-m", "grader.cli", *map(str, arguments), "--assignments", str(ROOT)]
    environment = {**os.environ, "GRADER_DATA": data}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def class_of_two(handed_in):
    folder = handed_in / "class"
    submission(folder, "ada", ())
    submission(folder, "bob", ((LAYERS, "self.layers = nn.Linear(2, 2)"),))
    return folder


def grade(folder, out, *options):
    return run("grade", "learner", folder, "--out", out, "--seed", "cli", *options)


def scores(out):
    return {path.parent.name: json.loads(path.read_text())["score"] for path in out.glob("*/results.json")}


@pytest.fixture(scope="module")
def runs(class_of_two, tmp_path_factory):
    """A folder with a run without training, `plain`, and one with it, `trained`."""
    folder = tmp_path_factory.mktemp("runs")
    assert grade(class_of_two, folder / "plain")[0] == 0
    assert grade(class_of_two, folder / "trained", "--training", "made")[0] == 0
    return folder


def test_a_run_without_training_and_one_with_it_are_merged(runs, tmp_path):
    assert run("merge", runs / "plain", runs / "trained", "--out", tmp_path / "both")[0] == 0
    assert scores(runs / "plain") == {"ada": 0, "bob": 0}
    assert scores(tmp_path / "both") == scores(runs / "trained")
    assert run("merge", runs / "trained", runs / "plain", "--out", tmp_path / "turned")[0] == 0
    assert scores(tmp_path / "turned") == scores(runs / "trained")
    statuses = {item: result.status for item, result in read(runs / "plain").submissions["ada"].results.items()}
    assert statuses == {"classifier.shape": "passed", "classifier.learns": "skipped", "tokens.learns": "skipped"}


def test_a_new_threshold_runs_no_training(runs):
    before = scores(runs / "trained")
    training = LEARNER.item("classifier.learns").training
    made = replace(training.made, full=0.2, credit=())
    items = tuple(
        replace(item, training=replace(training, made=made)) if item.id == "classifier.learns" else item
        for item in LEARNER.items
    )
    changed = {report.key: report.score for report in reports_of(runs / "trained", replace(LEARNER, items=items))}
    assert before["bob"] < 4
    assert changed == {"ada": 4, "bob": 4}


def test_a_later_run_without_training_keeps_what_was_measured(class_of_two, runs, tmp_path):
    shutil.copytree(runs / "trained", tmp_path / "out")
    before = scores(tmp_path / "out")
    assert grade(class_of_two, tmp_path / "out", "--training", "off")[0] == 0
    assert scores(tmp_path / "out") == before


def judged(out):
    """How often the journal holds a result of each item of ada."""
    records = [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]
    return Counter(entry["result"]["item"] for entry in records if entry["kind"] == "result" and entry["key"] == "ada")


def test_one_item_more_leaves_the_others_alone(class_of_two, runs, tmp_path):
    shutil.copytree(runs / "plain", tmp_path / "out")
    assert grade(class_of_two, tmp_path / "out", "--training", "made", "--only", "classifier.learns")[0] == 0
    statuses = {item: result.status for item, result in read(tmp_path / "out").submissions["ada"].results.items()}
    assert statuses == {"classifier.shape": "passed", "classifier.learns": "passed", "tokens.learns": "skipped"}


@pytest.mark.parametrize("source", ["made", "off"])
def test_what_was_trained_before_an_interrupt_is_not_trained_again(class_of_two, runs, tmp_path, source):
    out = tmp_path / "out"
    shutil.copytree(runs / "trained", out)
    lines = (out / "journal.jsonl").read_text().splitlines(keepends=True)
    ended = [line for line in lines if '"kind":"finished"' in line and '"key":"ada"' in line]
    (out / "journal.jsonl").write_text("".join(line for line in lines if line not in ended))
    assert grade(class_of_two, out, "--training", source)[0] == 0
    assert judged(out) == {"classifier.shape": 2, "classifier.learns": 1, "tokens.learns": 1}
    assert scores(out) == scores(runs / "trained")
    assert read(out).submissions["ada"].finished


def test_replay_trains_again_and_reproduces(runs):
    code, shown, errors = run("replay", runs / "trained" / "bob" / "report.json", "classifier.learns")
    assert (code, "Reproduced." in shown) == (0, True), shown + errors


def test_a_plan_runs_nothing(class_of_two, tmp_path):
    code, shown, _ = grade(class_of_two, tmp_path / "out", "--training", "made", "--plan")
    assert code == 0
    assert "classifier.learns" in shown
    assert "2 submissions with" in shown
    assert not (tmp_path / "out").exists()


def test_real_data_without_a_folder_is_a_usage_error(class_of_two, tmp_path):
    code, _, errors = grade(class_of_two, tmp_path / "out", "--training", "real")
    assert code == 2
    assert "GRADER_DATA" in errors


def test_the_page_draws_the_curve(runs):
    page = (runs / "trained" / "bob" / "report.html").read_text()
    assert page.count("<svg") == 4
    assert "wanted 0.9" in page
    assert "<script" not in page


def test_nothing_measured_is_not_finite(trained):
    for result in trained.values():
        value = result.figures.get(FIGURES, {}).get("value")
        assert value is None or math.isfinite(value)
