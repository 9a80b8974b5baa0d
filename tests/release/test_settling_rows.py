"""Rows of attention.csv are accepted or changed by somebody, and scores follow."""

from __future__ import annotations

import csv

import pytest
from class_examples import ASSIGNMENTS, score_by_key, scored

from grader.commands import settle
from grader.course import dispositions
from grader.errors import UsageError


def decide(folder, *names, word="", why="looked at"):
    return settle.run(folder, names, word, "kim", why, ASSIGNMENTS)


def rows(folder):
    return {row.submission: row for row in scored(folder).rows if row.must}


def table(folder):
    with (folder / dispositions.NAME).open(newline="") as file:
        return list(csv.DictReader(file))


def refusal(folder, *lines):
    (folder / dispositions.NAME).write_text("\n".join([",".join(dispositions.COLUMNS), *lines]) + "\n")
    with pytest.raises(UsageError) as caught:
        scored(folder)
    return str(caught.value)


def test_the_sheet_asks_for_what_must_be_decided_first(folder, capsys):
    assert decide(folder) == 0
    asked = [(row["submission"], row["must"], row["decision"]) for row in table(folder)]
    assert asked == [("cyd", "yes", ""), ("eve", "yes", ""), ("dan", "", "")]
    assert "2 must still be" in capsys.readouterr().out


def test_a_rule_that_is_let_go_costs_nothing_and_what_stands_costs(folder):
    assert score_by_key(folder)["eve"] == 7
    decide(folder, rows(folder)["eve"].id, word="changed", why="her own function")
    assert score_by_key(folder)["eve"] == 9
    (report,) = (report for report in scored(folder).reports if report.key == "eve")
    assert [(entry.action, entry.taken) for entry in report.applied] == [("report", 0)]
    [eve] = [row for row in table(folder) if row["submission"] == "eve"]
    assert (eve["decision"], eve["by"], eve["why"]) == ("changed", "kim", "her own function")
    decide(folder, eve["row"], word="accepted")
    assert score_by_key(folder)["eve"] == 7


def test_a_figure_that_waits_counts_as_measured_or_as_marked(folder):
    before = rows(folder)["cyd"]
    (open_points,) = (report.open_points for report in scored(folder).reports if report.key == "cyd")
    assert open_points == 3
    with pytest.raises(UsageError, match=r"has no points for it: add the line cyd,scorer\.forward,POINTS"):
        decide(folder, before.id, word="changed")
    assert not (folder / dispositions.NAME).exists() or all(not row["decision"] for row in table(folder))
    decide(folder, before.id, word="accepted")
    (report,) = (report for report in scored(folder).reports if report.key == "cyd")
    assert (report.score, report.open_points) == (7, 1), "the essay is still open"
    (folder / "marks.csv").write_text("submission,item,points\ncyd,scorer.forward,2\n")
    assert score_by_key(folder)["cyd"] == 9
    decide(folder)
    assert [row["decision"] for row in table(folder) if row["submission"] == "cyd"] == ["accepted"], (
        "it stays on record"
    )


def test_points_given_back_bring_up_the_next_rule(folder):
    """Two rules on one item: with the first let go, the second takes, and is asked for."""
    from dataclasses import replace

    from tiny_assignment import tiny

    from grader.model import Violation
    from grader.results.journal import Journal
    from grader.run.scores import scores_of

    _, assignment = tiny()
    twin = replace(assignment.rules[-1], id="twin", title="the same again")
    assignment = replace(assignment, rules=(*assignment.rules, twin))
    with Journal(folder, "tiny") as journal:
        journal.violation("eve", Violation(rule="twin", message="found too"))

    def eve():
        return [row for row in scores_of(folder, assignment).rows if row.submission == "eve" and row.must]

    [first] = eve()
    lines = dispositions.listed([replace(first, decision="changed", by="kim", why="w")])
    (folder / dispositions.NAME).write_text(lines)
    assert [(row.decision, "twin" in row.what) for row in eve()] == [("changed", False), ("", True)]


def test_every_bad_line_is_named(folder):
    eve = rows(folder)["eve"]
    said = refusal(
        folder, f"{eve.id},eve,x,yes,acepted,kim,w", f"{eve.id[:-1]},eve,x,yes,accepted,kim,w",
        f"{eve.id},eve,x,yes,changed,,w", f"{eve.id},eve,x,yes,changed,kim,w", f"{eve.id},eve,x,yes,accepted,kim,w",
    )  # fmt: skip
    assert said.splitlines()[0].endswith("dispositions.csv: nothing was decided, because")
    assert said.splitlines()[1:] == [
        "  line 2: the decision is 'acepted', expected accepted or changed; did you mean 'accepted'?",
        f"  line 3: there is no row {eve.id[:-1]!r}; did you mean {eve.id!r}?; `grader settle` writes them anew",
        "  line 4: a decision needs who made it (by) and the reason (why)",
        f"  line 6: the row {eve.id} is decided twice",
    ]


def test_other_evidence_is_asked_for_anew(folder):
    from grader.model import Violation
    from grader.results.journal import Journal

    decide(folder, rows(folder)["eve"].id, word="changed")
    with Journal(folder, "tiny") as journal:
        journal.violation("eve", Violation(rule="no_softmax", message="again", file="layers.py", line=9))
    assert score_by_key(folder)["eve"] == 7
    assert rows(folder)["eve"].decision == ""


@pytest.mark.parametrize(
    ("names", "word", "why"), [((), "accepted", "w"), (("eve",), "", "w"), (("eve",), "accepted", "")]
)
def test_half_a_decision_is_refused(folder, names, word, why):
    names = [rows(folder)[name].id for name in names]
    with pytest.raises(UsageError, match="say --accept or --change, and --why"):
        decide(folder, *names, word=word, why=why)
    with pytest.raises(UsageError, match="there is no row 'zzz'"):
        decide(folder, "zzz", word="accepted")


def test_the_sheet_survives_a_spreadsheet(folder):
    """Semicolons, a byte-order mark, capitals, and columns in another order."""
    eve = rows(folder)["eve"]
    text = f"\ufeffRow;Decision;By;Why;Submission;What;Must\r\n{eve.id};Changed;kim;w;eve;mangled;yes\r\n"
    (folder / dispositions.NAME).write_bytes(text.encode())
    assert score_by_key(folder)["eve"] == 9


def test_a_decision_is_about_one_attempt(folder):
    """The best attempt counts: with the rule let go for the second, the first must be looked at before it counts so."""
    from dataclasses import replace

    from class_examples import failed, results
    from tiny_assignment import tiny

    from grader.model import Submission, Violation
    from grader.results.journal import Journal
    from grader.run.scores import scores_of

    assignment = replace(tiny()[1], counts="best")
    with Journal(folder, "tiny") as journal:
        journal.submission(Submission(key="eve~2", root=folder, digest="2", files={"layers": "l"}, of="eve", attempt=2))
        for result in results(gate_gradients=failed("gate.gradients")):
            journal.result("eve~2", result, "s")
        journal.violation("eve~2", Violation(rule="no_softmax", message="there", file="layers.py", line=30))
        journal.finished("eve~2", {}, 1.0)

    def eve():
        scores = scores_of(folder, assignment)
        [report] = [report for report in scores.reports if report.key == "eve"]
        return report, [row for row in scores.rows if row.submission == "eve" and row.must]

    report, [first] = eve()
    assert (report.attempt, float(report.score)) == (1, 7)
    (folder / dispositions.NAME).write_text(
        dispositions.listed([replace(first, decision="changed", by="kim", why="w")])
    )
    report, _ = eve()
    assert (report.attempt, float(report.score)) == (1, 9)
    [other] = [attempt for attempt in report.attempts if attempt.number == 2]
    assert other.score == 6, "its own breach still costs"


def test_sections_that_were_settled_apart_are_merged(folder, tmp_path):
    from class_examples import write_class

    from grader.commands import merge

    other = write_class(tmp_path / "other")
    decide(folder, rows(folder)["eve"].id, word="changed")
    decide(other, rows(other)["cyd"].id, word="accepted")
    assert merge.run([folder, other], tmp_path / "all", as_json=False, assignments=ASSIGNMENTS) == 0
    assert {key: row.decision for key, row in rows(tmp_path / "all").items()} == {"cyd": "accepted", "eve": "changed"}
    assert score_by_key(tmp_path / "all")["eve"] == 9
    decide(other, rows(other)["eve"].id, word="accepted")
    with pytest.raises(UsageError, match=r"decide the row .* in two ways"):
        merge.run([folder, other], tmp_path / "again", as_json=False, assignments=ASSIGNMENTS)
    assert not (tmp_path / "again").exists()
