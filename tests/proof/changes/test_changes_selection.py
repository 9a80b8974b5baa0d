"""The cap: the same draw every time, with something of every kind in every function."""

from dataclasses import replace

from grader.proof.changes.making import Change
from grader.proof.changes.selection import select


def mutant(number, operator="axis-changed", scope="forward"):
    name = f"{operator[:4]}{scope[:4]}{number:02}"
    return Change(id=name, file="net.py", line=number, scope=scope, operator=operator, before="a", after="b", text="b")


MANY = [mutant(number) for number in range(40)]
FEW = [mutant(50, "mask-dropped"), mutant(51, scope="embed"), mutant(52, scope="embed")]


def test_below_the_cap_everything_runs_in_order():
    assert select(MANY + FEW, most=43) == MANY + FEW


def test_every_operator_in_every_function_has_its_turn_before_any_has_a_second():
    chosen = select(MANY + FEW, most=3)
    strata = {("axis-changed", "forward"), ("mask-dropped", "forward"), ("axis-changed", "embed")}
    assert {(entry.operator, entry.scope) for entry in chosen} == strata
    assert set(FEW) <= set(select(MANY + FEW, most=5))


def test_the_draw_is_the_same_for_the_same_seed_and_keeps_the_order():
    chosen = select(MANY, most=10)
    assert chosen == select(list(MANY), most=10)
    assert chosen == sorted(chosen, key=lambda entry: entry.line)
    assert chosen != select(MANY, most=10, seed="another")


def test_a_mutant_more_takes_the_place_of_one_at_most():
    before = {entry.id for entry in select(MANY, most=10)}
    after = {entry.id for entry in select([*MANY, mutant(99)], most=10)}
    assert len(before - after) <= 1


def test_of_rewritings_every_operator_has_its_turn_whatever_the_function():
    many = [replace(entry, kind="rewriting", scope=f"f{entry.line}") for entry in MANY]
    few = [replace(entry, kind="rewriting") for entry in FEW[:1]]
    assert set(few) <= set(select(many + few, most=2))
