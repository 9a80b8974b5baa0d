"""Part 2: the diffusion model, under this project's own names (the course's notebook is not public)."""

import cases_diffusion
import probes
from hypothesis import given

from grader.suite import assert_agrees, flags, item, require, require_close, require_different, routes

OWN, STAND_IN = "own", "stand-in"


def agree(student, reference, probe, case, route):
    options = {"stand_in": route == STAND_IN}
    assert_agrees(student.run(probe, case, **options), reference.run(probe, case, **options))


@item("schedule.betas")
@given(case=cases_diffusion.step_cases(cases_diffusion.BetasCase))
def test_betas(student, reference, case):
    """The betas rise in equal steps from the first to the last value."""
    assert_agrees(student.run(probes.linear_betas, case), reference.run(probes.linear_betas, case))


@item("schedule.derived")
@given(case=cases_diffusion.step_cases(cases_diffusion.ScheduleCase))
def test_schedule(student, reference, case):
    """Alphas, their products and the deviations of the reverse steps follow from the betas."""
    assert_agrees(student.run(probes.noise_schedule, case), reference.run(probes.noise_schedule, case))


@item("q_sample.values")
@routes(STAND_IN, OWN)
@given(case=cases_diffusion.image_cases(cases_diffusion.ImageCase))
def test_q_sample(student, reference, case, route):
    """The noisy image mixes image and noise as equation 4 says, each image at its own time step."""
    agree(student, reference, probes.q_sample, case, route)


@item("time.embedding")
@given(case=cases_diffusion.time_cases())
def test_timestep_embedding(student, reference, case):
    """The time step becomes sines, then cosines, at geometrically spaced frequencies."""
    # At large angles one float32 step of the frequency moves the sine by more than the usual bound.
    actual = student.run(probes.timestep_embedding, case)
    assert_agrees(actual, reference.run(probes.timestep_embedding, case), atol=2e-4)


@item("unet.images")
@routes(OWN, STAND_IN)
@given(case=cases_diffusion.unet_cases(cases_diffusion.UNetCase))
def test_unet_images(student, reference, case, route):
    """The U-Net gives each image an output of its shape that does not depend on the other images."""
    options = {"stand_in": route == STAND_IN}
    reference.run(probes.unet, case, **options)
    values, shape = student.run(probes.unet, case, **options), case.shape()
    found = tuple(values["out"].shape)
    require(found == shape, f"The output has the shape of x, {shape}; it has {found}.")
    require_close(values["out"], values["alone"], "the output of the images one by one", rtol=1e-4, atol=1e-5)
    spread = values["out"].flatten(1).std(dim=1).min()
    require(spread > 1e-4, "The output of an image differs from pixel to pixel; it is constant.")


@item("unet.time")
@routes(OWN, STAND_IN)
@given(case=cases_diffusion.unet_cases(cases_diffusion.UNetCase))
def test_unet_time(student, reference, case, route):
    """What the U-Net predicts depends on the time step."""
    options = {"stand_in": route == STAND_IN}
    reference.run(probes.unet, case, **options)
    values = student.run(probes.unet, case, **options)
    require_different(values["out"], values["later"], "The output is the same at every time step.")


@item("unet.skips")
@routes(OWN, STAND_IN)
@given(case=cases_diffusion.unet_cases(cases_diffusion.UNetScaleCase))
def test_unet_skips(student, reference, case, route):
    """The resolution is halved at least once, and skip connections carry detail past the coarsest part."""
    options = {"stand_in": route == STAND_IN}
    reference.run(probes.unet_scales, case, **options)
    values = student.run(probes.unet_scales, case, **options)
    require(values["coarsest"] * 4 <= values["pixels"], "No layer works at half the resolution or less.")
    text = "With the coarsest part silenced the output no longer depends on the image: no skip connection passes it."
    require_different(values["silenced"], values["other"], text)


@item("unet.gradients")
@routes(OWN, STAND_IN)
@given(case=cases_diffusion.unet_cases(cases_diffusion.UNetGradientCase))
def test_unet_gradients(student, reference, case, route):
    """Every parameter of the U-Net is trained: a gradient reaches it."""
    options = {"stand_in": route == STAND_IN}
    reference.run(probes.unet_gradients, case, **options)
    values = student.run(probes.unet_gradients, case, **options)
    require(values["parameters"] > 0, "The U-Net has no parameters: assign its layers to self in __init__.")
    require(not values["missed"], f"No gradient reaches {', '.join(values['missed'])}.")


@item("loss.values")
@routes(STAND_IN, OWN)
@given(case=cases_diffusion.image_cases(cases_diffusion.LossCase))
def test_loss(student, reference, case, route):
    """The loss is the mean squared error between the noise and what the model says about the noisy image."""
    agree(student, reference, probes.noise_loss, case, route)


@item("p_sample.values")
@routes(STAND_IN, OWN)
@given(case=cases_diffusion.image_cases(cases_diffusion.ReverseCase, last=flags()))
def test_p_sample(student, reference, case, route):
    """One reverse step subtracts the model's share, rescales, and adds noise except at the last step."""
    agree(student, reference, probes.p_sample, case, route)


@item("sample.loop")
@routes(STAND_IN, OWN)
@given(case=cases_diffusion.image_cases(cases_diffusion.SampleCase))
def test_sample(student, reference, case, route):
    """Sampling takes every reverse step once, from the last to the first, without keeping gradients."""
    agree(student, reference, probes.sample, case, route)
