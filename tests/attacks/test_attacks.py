"""No attack of the corpus reaches anything, whoever runs the grader; what cannot be defended is named and no more."""

import sys

import pytest
from corpus import attacks
from profiles import NOT_DEFENDED, PROFILES, Unavailable, attacked, successes

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the Linux back end")
CONTROLS = {attack.name for attack in attacks() if attack.family == "control"}


@pytest.fixture(scope="module", params=PROFILES)
def told(request):
    try:
        return request.param, attacked(request.param)
    except Unavailable as why:
        pytest.skip(str(why))


def test_no_attack_reaches_anything(told):
    profile, found = told
    assert successes(profile, found) == {}


def test_honest_code_works(told):
    _, found = told
    assert {name: found["outcomes"][name]["reached"] for name in CONTROLS} == dict.fromkeys(CONTROLS, "control")


def test_nothing_is_left_and_the_judge_stays_small(told):
    _, found = told
    assert found["leftovers"] == 0
    assert found["folders"] == []
    assert found["grown_mib"] < 200


def test_the_corpus_is_large_and_its_entries_differ():
    found = attacks()
    assert len(found) - len(CONTROLS) >= 120
    assert {attack.name for attack in found} >= set(NOT_DEFENDED)
    assert len({attack.name for attack in found}) == len({attack.code for attack in found}) == len(found)
    for attack in found:
        compile(attack.code, attack.name, "exec")
