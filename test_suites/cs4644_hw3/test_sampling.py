"""Part 1: sampling, and the encoder-decoder."""

import cases_sampling
import probes
from hypothesis import given

from grader.suite import assert_agrees, item, require, routes, sizes


def require_frequencies(counts, case, bound):
    """The share of each token is its probability, up to what chance allows (total variation)."""
    share = counts.float() / counts.sum()
    distance = 0.5 * (share - case.expected()).abs().sum().item()
    shown = ", ".join(f"{value:.2f}" for value in share.tolist())
    wanted = ", ".join(f"{value:.2f}" for value in case.expected().tolist())
    text = f"At temperature {case.temperature} the tokens come with shares {shown}; their probabilities are {wanted}."
    require(distance <= bound, text)


@item("generate.tokens")
@given(case=cases_sampling.generate_cases(cases_sampling.GenerateCase, batch=sizes(1, 4)))
def test_generate(student, reference, case):
    """Each new token follows from all tokens so far and is put behind them."""
    assert_agrees(student.run(probes.generate, case), reference.run(probes.generate, case))


@item("generate.temperature")
@given(case=cases_sampling.frequency_cases(cases_sampling.FrequencyCase))
def test_generate_temperature(student, reference, case):
    """Tokens are drawn at random with the probabilities softmax(logits / temperature)."""
    require_frequencies(reference.run(probes.generate_frequencies, case)["counts"], case, 0.05)
    require_frequencies(student.run(probes.generate_frequencies, case)["counts"], case, 0.05)


@item("encoder_decoder.forward")
@routes("own", "stand-in")
@given(case=cases_sampling.encoder_decoder_cases())
def test_encoder_decoder(student, reference, case, route):
    """The decoder continues the encoder's hidden states, and the loss trains both."""
    options = {"stand_in": route == "stand-in"}
    expected = reference.run(probes.encoder_decoder, case, **options)
    assert_agrees(student.run(probes.encoder_decoder, case, **options), expected, atol=1e-4)


@item("prefix_generate.tokens")
@given(case=cases_sampling.generate_cases(cases_sampling.PrefixGenerateCase, batch=1))
def test_prefix_generate(student, reference, case):
    """Each new token follows from the prefix and the tokens so far; only the new tokens are returned."""
    assert_agrees(student.run(probes.prefix_generate, case), reference.run(probes.prefix_generate, case))


@item("prefix_generate.temperature")
@given(case=cases_sampling.frequency_cases(cases_sampling.PrefixFrequencyCase))
def test_prefix_generate_temperature(student, reference, case):
    """Tokens are drawn at random with the probabilities softmax(logits / temperature), here too."""
    require_frequencies(reference.run(probes.prefix_generate_frequencies, case)["counts"], case, 0.15)
    require_frequencies(student.run(probes.prefix_generate_frequencies, case)["counts"], case, 0.15)
