"""Batches of different mean and spread, so that what is known of them shows."""

from dataclasses import dataclass

from grader.suite import Case, cases, one_of, sizes


@dataclass(frozen=True)
class SeenCase(Case):
    """Batches seen in training, and one to evaluate."""

    batches: int
    batch: int
    channels: int
    momentum: float
    seed: int

    def inputs(self):
        """The batches, and the rest as the probe takes it."""
        draw = self.draw()
        shape = (self.batch, self.channels, 3, 2)
        seen = [draw.normal(*shape, std=3, mean=number + 1) for number in range(self.batches)]
        return {"batches": seen, "x": draw.normal(*shape), "momentum": self.momentum, "seed": draw.integer(0, 1 << 31)}


def seen_cases():
    """One batch or several."""
    return cases(SeenCase, batches=sizes(1, 3), batch=sizes(1, 3), channels=sizes(2, 4), momentum=one_of(0.1, 0.4))
