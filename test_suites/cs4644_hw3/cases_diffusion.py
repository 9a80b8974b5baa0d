"""Cases of part 2."""

from dataclasses import dataclass

from grader.suite import Case, cases, sizes


@dataclass(frozen=True)
class BetasCase(Case):
    timesteps: int
    seed: int

    def inputs(self):
        draw = self.draw()
        start = draw.uniform(1, low=1e-4, high=1e-2).item()
        return {"timesteps": self.timesteps, "beta_start": start, "beta_end": start + draw.uniform(1, high=0.3).item()}


@dataclass(frozen=True)
class ScheduleCase(Case):
    timesteps: int
    seed: int

    def inputs(self):
        return {"betas": self.draw().uniform(self.timesteps, low=0.02, high=0.4)}


def step_cases(kind):
    return cases(kind, timesteps=sizes(2, 20))


@dataclass(frozen=True)
class ImageCase(Case):
    """A batch of images (B, channels, 4 rows, 4 columns) and a schedule of `timesteps` steps."""

    batch: int
    channels: int
    rows: int
    columns: int
    timesteps: int
    seed: int

    def shape(self):
        return self.batch, self.channels, 4 * self.rows, 4 * self.columns

    def schedule(self, draw):
        names = ("betas", "alphas", "alpha_bars", "sigmas")
        return {name: draw.uniform(self.timesteps, low=0.05, high=0.9) for name in names}

    def inputs(self):
        draw = self.draw()
        return {
            "schedule": self.schedule(draw),
            "x_0": draw.normal(*self.shape()),
            "t": draw.integers(self.batch, high=self.timesteps),
            "noise": draw.normal(*self.shape()),
        }


@dataclass(frozen=True)
class LossCase(ImageCase):
    def inputs(self):
        return {**super().inputs(), "weight": self.draw().normal(2)}


@dataclass(frozen=True)
class ReverseCase(ImageCase):
    """`last` is the step that adds no noise."""

    last: bool = False

    def inputs(self):
        draw = self.draw()
        return {
            "schedule": self.schedule(draw),
            "weight": draw.normal(2),
            "x_t": draw.normal(*self.shape()),
            "t": 0 if self.last else draw.integer(1, self.timesteps),
            "noise": draw.normal(*self.shape()),
        }


@dataclass(frozen=True)
class SampleCase(ImageCase):
    def inputs(self):
        draw = self.draw()
        return {
            "schedule": self.schedule(draw),
            "weight": draw.normal(2),
            "x_T": draw.normal(*self.shape()),
            "noises": draw.normal(self.timesteps, *self.shape()),
        }


def image_cases(kind, **more):
    distinct = {"channels": (1, 4), "rows": (1, 4), "columns": (1, 4)}
    return cases(kind, distinct=distinct, batch=sizes(1, 4), timesteps=sizes(2, 9), **more)


@dataclass(frozen=True)
class TimeCase(Case):
    batch: int
    half: int
    seed: int

    def inputs(self):
        return {"t": self.draw().integers(self.batch, high=1000), "dim": 2 * self.half}


def time_cases():
    return cases(TimeCase, distinct={"batch": (1, 6), "half": (1, 8)})


@dataclass(frozen=True)
class UNetCase(ImageCase):
    def inputs(self):
        draw = self.draw()
        return {"x": draw.normal(*self.shape()), "t": draw.integers(self.batch, high=50)}


@dataclass(frozen=True)
class UNetGradientCase(UNetCase):
    def inputs(self):
        return {**super().inputs(), "upstream": self.draw().normal(*self.shape())}


@dataclass(frozen=True)
class UNetScaleCase(UNetCase):
    def inputs(self):
        inputs = super().inputs()
        return {**inputs, "other": inputs["x"].flip(2) + 1.0}


def unet_cases(kind):
    return cases(
        kind, distinct={"rows": (2, 4), "columns": (2, 4)}, batch=sizes(1, 3), channels=sizes(1, 3), timesteps=9
    )
