"""No attack of the corpus reaches anything in a container as an engine makes it, and nothing is left there."""

import pytest
from corpus import attacks
from profiles import IN_AN_ENGINE, attacked_in, successes

CONTROLS = [attack.name for attack in attacks() if attack.family == "control"]


@pytest.fixture(scope="module", params=IN_AN_ENGINE)
def told(request, engine, image):
    return request.param, attacked_in(engine.host, image, request.param)


def test_no_attack_reaches_anything(told):
    profile, found = told
    assert successes(profile, found) == {}


def test_honest_code_works_and_nothing_is_left(told):
    _, found = told
    assert {name: found["outcomes"][name]["reached"] for name in CONTROLS} == dict.fromkeys(CONTROLS, "control")
    assert (found["leftovers"], found["folders"]) == (0, [])
    assert found["grown_mib"] < 200
