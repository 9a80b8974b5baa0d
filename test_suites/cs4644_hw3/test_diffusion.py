"""Part 2: noise scheduler, diffusion model and image generator of the course's package.

The judge's `randomizer` is in the place of the submitted one, so that every random number is known.
"""

import cases_diffusion as drawn
import probes
from hypothesis import given

from grader.suite import Disagreement, assert_agrees, flags, item, require, routes
from grader.suite.agreement import Mismatch

OWN, STAND_IN = "own", "stand-in"


def agree(student, reference, probe, case, route):
    """All values are the reference's; how often DL_random was called is said where they are not, and costs nothing."""
    options = {"stand_in": route == STAND_IN}
    expected, actual = reference.run(probe, case, **options), student.run(probe, case, **options)
    try:
        assert_agrees(actual, expected)
    except Disagreement as found:
        if actual.get("_calls") == expected.get("_calls"):
            raise
        count = f"DL_random was called {actual['_calls']} times here; {expected['_calls']} calls are needed."
        raise Disagreement([*found.mismatches, Mismatch(name="", reason="calls", lines=(count,))]) from None


@item("scheduler.init")
@given(case=drawn.schedule_cases())
def test_schedule(student, reference, case):
    """Alphas and their running products follow from the betas."""
    assert_agrees(student.run(probes.noise_schedule, case), reference.run(probes.noise_schedule, case))


@item("scheduler.add_noise")
@routes(STAND_IN, OWN)
@given(case=drawn.diffusion_cases(drawn.NoiseCase))
def test_add_noise(student, reference, case, route):
    """The noisy sample mixes sample and noise as equation 4 says, each sample at its own time step."""
    agree(student, reference, probes.add_noise, case, route)


@item("scheduler.denoise")
@routes(STAND_IN, OWN)
@given(case=drawn.diffusion_cases(drawn.StepCase))
def test_denoise(student, reference, case, route):
    """One step back follows algorithm 2, with a variance of beta and no noise at t = 0."""
    agree(student, reference, probes.denoise_step, case, route)


@item("scheduler.threshold")
@routes(STAND_IN, OWN)
@given(case=drawn.diffusion_cases(drawn.StepCase, threshold=True))
def test_threshold(student, reference, case, route):
    """With thresholding the estimate of x_0 is kept between -1 and 1, and the mean is that of equation 7."""
    agree(student, reference, probes.denoise_step, case, route)


@item("loss.values")
@routes(STAND_IN, OWN)
@given(case=drawn.diffusion_cases(drawn.LossCase))
def test_loss(student, reference, case, route):
    """The loss is the mean squared error between the noise and what the network says, and trains the whole network."""
    agree(student, reference, probes.noise_loss, case, route)


@item("loss.guidance")
@routes(STAND_IN, OWN)
@given(case=drawn.diffusion_cases(drawn.LossCase, left_out=flags()))
def test_guidance(student, reference, case, route):
    """Below p_uncond the whole batch's condition becomes zeros; above it stays what it is."""
    agree(student, reference, probes.condition_in_training, case, route)


@item("sample.values")
@routes(STAND_IN, OWN)
@given(case=drawn.diffusion_cases(drawn.SampleCase, threshold=flags()))
def test_sample(student, reference, case, route):
    """Samples come from noise by every step back, from the last to the first, under guidance of every weight."""
    agree(student, reference, probes.generate_sample, case, route)


@item("image_gen.parameters")
def test_image_parameters(student, reference):
    """Pictures are (3, 32, 32), and the table of classes has a row for the null token."""
    reference.run(probes.image_parameters, {})
    found = student.run(probes.image_parameters, {})
    require(found["input_shape"] == [3, 32, 32], f"input_shape should be (3, 32, 32), it is {found['input_shape']}.")
    text = f"condition_dim should be 4: three classes and the null token; it is {found['condition_dim']}."
    require(found["condition_dim"] == 4, text)
