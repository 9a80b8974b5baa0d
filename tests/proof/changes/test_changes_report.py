"""What an author reads: the table, the survivors, and each kind of problem."""

from grader.proof.changes.explained import Explained
from grader.proof.changes.kinds import MUTANT, REWRITING
from grader.proof.changes.making import Change
from grader.proof.changes.report import Account, lines, problems, verdict
from grader.proof.changes.running import Fate


def fate(id, outcome, operator="axis-changed", **more):
    before, after = "x.sum(0)", "x.sum(1)"
    change = Change(id=id, file="net.py", line=7, scope="f", operator=operator, before=before, after=after, text="")
    return Fate(change=change, outcome=outcome, **more)


FATES = (
    fate("a1", "noticed", by="net.forward"),
    fate("a2", "timed out", by="net.forward"),
    fate("a3", "passed"),
    fate("b1", "passed", "mask-dropped"),
    fate("b2", "grader error", "mask-dropped", by="net.mask", why="Traceback: the test stumbled"),
)
EXPLAINED = Explained(id="a3", text="x.sum(0) → x.sum(1)", why="x is symmetric")


def account(*explained, fates=FATES, made=("a1", "a2", "a3", "b1", "b2"), kind=MUTANT):
    return Account(kind=kind, fates=fates, made=[fate(id, "passed").change for id in made], explained=explained)


def test_the_table_counts_by_operator_and_in_all():
    table = [line.split() for line in lines(account(EXPLAINED))][1:]
    assert table[0] == ["operator", "made", "killed", "timed", "out", "survived", "explained", "grader", "error"]
    assert table[1] == ["axis-changed", "3", "1", "1", ".", "1", "."]
    assert table[2] == ["mask-dropped", "2", ".", ".", "1", ".", "1"]
    assert table[3] == ["all", "operators", "5", "1", "1", "1", "1", "1"]


def test_an_explained_survivor_is_shown_with_its_reason():
    first = next(lines(account(EXPLAINED)))
    assert first == "explained a3 net.py:7 axis-changed: x.sum(0) → x.sum(1): x is symmetric"


def test_survivors_without_a_reason_and_grader_errors_are_problems():
    found = problems(account(EXPLAINED))
    assert len(found) == 2
    assert found[0].startswith("survived: b1 net.py:7 mask-dropped: x.sum(0) → x.sum(1)")
    assert "equivalent_mutants.yaml" in found[0]
    assert "grader error in net.mask" in found[1]
    assert "the test stumbled" in found[1]


def test_explanations_of_killed_and_of_unknown_mutants_are_problems():
    killed = Explained(id="a1", text="m", why="w")
    unknown = Explained(id="zz", text="m", why="w")
    found = problems(account(killed, unknown, fates=FATES[:1]))
    assert found == [
        "equivalent_mutants.yaml: zz (m) is no mutant of the reference any more; remove it, or look for its new id",
        "equivalent_mutants.yaml: a1 does not survive, net.forward notices it; remove the entry",
    ]


def test_an_explanation_of_a_mutant_that_the_cap_left_out_is_no_problem():
    assert problems(account(EXPLAINED, fates=FATES[:1])) == []


def test_the_verdict_says_how_many_were_left_out():
    assert verdict(account(fates=FATES[:1], made=("a1",))) == "1 mutants: none survives unexplained"
    assert verdict(account()) == "5 mutants: 3 problem(s)"
    assert verdict(account(fates=FATES[:2])) == "2 mutants, 3 more left out by the cap of 2: none survives unexplained"


LOST = (
    fate("a1", "noticed", "einsum", by="no-einsum", why="uses torch.einsum"),
    fate("a2", "noticed", "einsum", by="net.forward", why="values differ", share=3.25),
    fate("a3", "passed", "in-place"),
)


def refused(**more):
    return Explained(**{"operator": "einsum", "by": ("no-einsum",), "why": "the handout allows @ alone", **more})


def rewritten(*explained):
    made = [fate.change for fate in LOST]
    return Account(kind=REWRITING, fates=LOST, made=made, explained=explained)


def test_a_rewriting_that_loses_an_item_is_a_problem_and_says_by_how_much():
    (first, second) = problems(rewritten())
    assert first.startswith("lost no-einsum: a1 net.py:7 einsum")
    assert second.startswith("lost net.forward (3.2 times the bound): a2 ")
    assert "refused_rewritings.yaml" in second


def test_a_refusal_holds_for_what_it_names_alone():
    (problem,) = problems(rewritten(refused()))
    assert problem.startswith("lost net.forward")
    assert next(lines(rewritten(refused()))).startswith("refused a1 net.py:7 einsum: x.sum(0) → x.sum(1): the handout")
    elsewhere = problems(rewritten(refused(within="other.py")))
    assert len(elsewhere) == 3
    assert "einsum within other.py is no rewriting" in elsewhere[2]


def test_a_refusal_of_what_loses_nothing_is_a_problem():
    found = problems(rewritten(refused(), refused(operator="in-place")))
    assert "refused_rewritings.yaml: in-place within every file loses nothing by no-einsum; remove the entry" in found


def test_places_of_refusals_are_files_and_scopes():
    change = fate("a1", "passed", "einsum").change
    within = [refused(within=place).covers(change) for place in ("net.py", "net.py:f", "net.py:fun", "net.py:f.g", "")]
    assert within == [True, True, False, False, True]
