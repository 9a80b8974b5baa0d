"""Cases: what the probes' inputs are drawn from."""

from dataclasses import dataclass

from grader.suite import Case, cases, sizes


@dataclass(frozen=True)
class ScaledCase(Case):
    """Sizes that shapes can tell apart, and a scale."""

    width: int
    features: int
    batch: int
    scale: int
    seed: int

    def inputs(self):
        draw = self.draw()
        weights = {"weight": draw.normal(self.features, self.width), "bias": draw.normal(self.features)}
        return {"x": draw.normal(self.batch, self.width), "weights": weights, "scale": self.scale}


def scaled_cases():
    return cases(ScaledCase, distinct={"width": (2, 9), "features": (2, 9)}, batch=sizes(1, 5), scale=sizes(2, 4))
