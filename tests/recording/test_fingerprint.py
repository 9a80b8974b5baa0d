"""A machine is believed when it computes alike up to rounding; random streams must be the same."""

import pytest
import torch

from grader.recording.fingerprint import apart, digest_of, fingerprint


def test_it_is_the_same_every_time():
    torch.manual_seed(1)
    first = fingerprint()
    state = torch.random.get_rng_state()
    assert digest_of(fingerprint()) == digest_of(first)
    assert torch.equal(torch.random.get_rng_state(), state), "it has streams of its own"
    assert apart(fingerprint(), first) == []


@pytest.mark.parametrize("name", sorted(fingerprint()))
def test_rounding_is_forgiven_and_more_is_not(name):
    here = fingerprint()
    if here[name].is_floating_point() and name != "Bernoulli":
        rounded = {**here, name: here[name] + 1e-6 * here[name].abs().max()}
        assert apart(rounded, here) == []
        assert digest_of(rounded) != digest_of(here)
        assert apart({**here, name: here[name] + 1e-4 * here[name].abs().max()}, here) == [name]
    assert apart({**here, name: here[name].flip(0)}, here) == [name], "another stream"
    assert apart({other: value for other, value in here.items() if other != name}, here) == [name]
    for strange in (None, "x", here[name][:1], here[name].to(torch.int32), torch.full_like(here[name], 1) * 7):
        assert apart({**here, name: strange}, here) == [name]


def test_nan_is_no_agreement():
    here = fingerprint()
    assert apart({**here, "exp": here["exp"] * float("nan")}, here) == ["exp"]
