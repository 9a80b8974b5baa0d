"""Cases of part 2. Sizes of samples are distinct and none is a batch's: nothing broadcasts over the wrong axis."""

from dataclasses import dataclass

import torch

from grader.suite import Case, cases, flags, one_of, sizes

SEED = 4644  # of the cases whose every draw is seeded
GUIDANCE = (0.0, 0.2, 6.0, -0.5)


@dataclass(frozen=True)
class ScheduleCase(Case):
    num_steps: int
    seed: int

    def inputs(self):
        start, gap = self.draw().uniform(2, low=0.01, high=0.3).tolist()
        return {"num_steps": self.num_steps, "ends": [start, start + gap]}


@dataclass(frozen=True)
class DiffusionCase(Case):
    """`batch` samples that are sequences (T, D), or pictures (C, D, D) with classes for conditions."""

    batch: int
    steps: int
    channels: int
    time: int
    width: int
    seed: int
    pictures: bool = False
    seeded: bool = False
    as_tensor: bool = False

    def shape(self):
        return (self.channels, self.width, self.width) if self.pictures else (self.time, self.width)

    def schedule(self, draw):
        betas = draw.uniform(self.steps, low=0.05, high=0.4)
        return {"betas": betas, "alphas": 1.0 - betas, "alpha_bars": (1.0 - betas).cumprod(dim=0)}

    def times(self, draw):
        """Time steps (B,): in a batch of several, the first and the last one are among them."""
        t = draw.integers(self.batch, high=self.steps)
        if self.batch > 1:
            t[0], t[-1] = 0, self.steps - 1
        return t

    def condition(self, draw):
        """Vectors (B, 5), or class indices (B,) from 1 to 4."""
        return draw.integers(self.batch, low=1, high=5) if self.pictures else draw.normal(self.batch, 5)

    def network(self, draw):
        return {"mix": draw.normal(2) + 0.5, "table": draw.normal(5)}

    def random_seed(self):
        return SEED if self.seeded else None


@dataclass(frozen=True)
class NoiseCase(DiffusionCase):
    def inputs(self):
        draw = self.draw()
        size = {"(B, D)": (self.width,), "(B, T, D)": (self.time, self.width)}
        size["(B, C, H, W)"] = (self.channels, self.time, self.width)
        return {
            "schedule": self.schedule(draw),
            "samples": {name: draw.normal(self.batch, *shape) for name, shape in size.items()},
            "noises": {name: draw.normal(self.batch, *shape) for name, shape in size.items()},
            "t": self.times(draw),
        }


@dataclass(frozen=True)
class StepCase(DiffusionCase):
    threshold: bool = False

    def inputs(self):
        draw = self.draw()
        middle = draw.integer(1, self.steps)
        return {
            "schedule": self.schedule(draw),
            "prediction": draw.normal(self.batch, *self.shape()),
            "x_t": draw.normal(self.batch, *self.shape(), std=1.5),
            "noise": draw.normal(self.batch, *self.shape()),
            "times": sorted({0, 1, middle, self.steps - 1}),
            "as_tensor": self.as_tensor,
            "threshold": self.threshold,
            "seed": self.random_seed(),
        }


@dataclass(frozen=True)
class LossCase(DiffusionCase):
    """`left_out`: the uniform number lies below p_uncond."""

    left_out: bool = False

    def inputs(self):
        draw = self.draw()
        number = 0.2 if self.left_out else 0.8
        return {
            **self.network(draw),
            "data": draw.normal(self.batch, *self.shape()),
            "cond": self.condition(draw),
            "steps": self.steps,
            "draws": {
                "normal": [draw.normal(self.batch, *self.shape())],
                "uniform": [torch.tensor([number])],
                "integers": [self.times(draw)],
                "seed": self.random_seed(),
            },
        }


@dataclass(frozen=True)
class SampleCase(DiffusionCase):
    threshold: bool = False

    def inputs(self):
        draw = self.draw()
        return {
            **self.network(draw),
            "other_mix": draw.normal(2),
            "cond": self.condition(draw),
            "shape": list(self.shape()),
            "steps": self.steps,
            "noises": list(draw.normal(self.steps + 1, self.batch, *self.shape())),
            "guidance": list(GUIDANCE),
            "threshold": self.threshold,
            "seed": self.random_seed(),
        }


def schedule_cases():
    return cases(ScheduleCase, num_steps=sizes(2, 40))


def diffusion_cases(kind, **more):
    distinct = {"channels": (5, 8), "time": (5, 8), "width": (5, 8)}
    fields = {"pictures": flags(), "seeded": one_of(False, False, True), "as_tensor": flags(), **more}
    return cases(kind, distinct=distinct, batch=sizes(1, 4), steps=sizes(3, 8), **fields)
