"""The data of the diffusion trainings, and who says whether a generated image is a digit. Judge only.

Images are turned, mirrored or inverted as the run's secret stream says, and turned back before anyone looks at them:
a sampler that was written or trained elsewhere draws digits that lie on their side.
"""

import functools
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from grader.datasets.images import mnist
from grader.suite import require
from grader.suite.metrics import Measure

STEPS = 100  # of the diffusion
BETAS = torch.linspace(1e-3, 0.1, STEPS)
CLASSES = 10
TURNS = 16
SURE = 0.9
RECOGNISER_STEPS = {"made": 400, "real": 1500}
# One minus the correlation of two images below which they are one. Of held-out digits a tenth is as near to a training
# image as a copy with noise of 0.1 is; two of them are seldom as near to each other as two such copies.
COPY, REPEAT = 0.025, 0.05


@dataclass(frozen=True)
class Digits:
    """`train` and `held_out` are images (N, 1, H, W) from -1 to 1, all turned by `turn`."""

    train: torch.Tensor
    held_out: torch.Tensor
    turn: int
    data: str


@dataclass(frozen=True)
class Upright:
    """Images as they are, with labels; `read` is the recogniser's network."""

    train: torch.Tensor
    train_labels: torch.Tensor
    test: torch.Tensor
    test_labels: torch.Tensor
    data: str


def digits_task(source, draw):
    """MNIST (or digits made by code), 16 by 16 pixels, turned."""
    images = upright(source)
    turn = int(torch.randint(TURNS, (1,), generator=draw))
    return Digits(turned(images.train, turn), turned(images.test, turn), turn, images.data)


@functools.cache
def upright(source):
    """The images of a source, half as fine: padded to 32 by 32, then the means of 2 by 2 pixels."""
    found = mnist(source)

    def fitted(images):
        planes = images.permute(0, 3, 1, 2).float() / 127.5 - 1.0
        return F.avg_pool2d(F.pad(planes, (2, 2, 2, 2), value=-1.0), 2)

    return Upright(
        fitted(found.train_images), found.train_labels, fitted(found.test_images), found.test_labels, found.name
    )


def turned(images, turn):
    """By `turn % 4` quarters, then mirrored for `turn & 4`, then inverted for `turn & 8`."""
    images = images.rot90(turn % 4, dims=(2, 3))
    images = images.flip(3) if turn & 4 else images
    return -images if turn & 8 else images


def turned_back(images, turn):
    """What `turned` was given."""
    images = -images if turn & 8 else images
    images = images.flip(3) if turn & 4 else images
    return images.rot90(-(turn % 4), dims=(2, 3))


# --- how well noise is predicted -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Noisy:
    """Held-out images at drawn time steps, and the noise that is in them."""

    x_t: torch.Tensor
    t: torch.Tensor
    noise: torch.Tensor


def noisy(images, draw):
    """Equation 4 of arXiv 2006.11239, computed by the judge."""
    t = torch.randint(STEPS, (len(images),), generator=draw)
    noise = torch.randn(images.shape, generator=draw)
    kept = (1.0 - BETAS).cumprod(dim=0)[t].view(-1, 1, 1, 1)
    return Noisy(kept.sqrt() * images + (1.0 - kept).sqrt() * noise, t, noise)


# --- whether an image is a digit -------------------------------------------------------------------------------------


class Recogniser(nn.Module):
    """A small convolutional classifier of upright images: ten digits, and one more class for what is no digit."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(32 * 4 * 4, 64), nn.ReLU(), nn.Linear(64, CLASSES + 1),
        )  # fmt: skip

    def forward(self, x):
        return self.layers(x)


@functools.cache
def recogniser(source):
    """Trained once per process on the training split of a source, always from the same seed."""
    images = upright(source)
    steps = RECOGNISER_STEPS["made" if source.made else "real"]
    with torch.random.fork_rng():
        torch.manual_seed(4644)
        model = Recogniser()
        optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = 3e-3 * (1.0 - step / steps)
            rows, others = torch.randint(len(images.train), (64,)).split((48, 16))
            strange = no_digits(images.train[others])
            x = torch.cat([images.train[rows], strange])
            labels = torch.cat([images.train_labels[rows], torch.full((len(strange),), CLASSES)])
            loss = F.cross_entropy(model(x + 0.1 * torch.randn_like(x)), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model.eval()


def no_digits(images):
    """Four kinds in equal parts: half-way noisy, shuffled, two digits cut together, and clouds."""
    noised, shuffled, cut, cloud = images.chunk(4)
    flat = shuffled.flatten(1)
    half = cut.shape[-2] // 2
    return torch.cat([
        0.5 * noised + 0.9 * torch.randn_like(noised),
        flat[:, torch.randperm(flat.shape[1])].view_as(shuffled),
        torch.cat([cut[..., half:, :], cut.roll(1, dims=0)[..., :half, :]], dim=2),
        (2.5 * F.avg_pool2d(torch.randn_like(cloud), 5, stride=1, padding=2)).clamp(-1.0, 1.0),
    ])  # fmt: skip


def recognised(images, model):
    """The share of images that are surely a digit; of one class, no more than an eighth of all images counts.

    `per_example` holds the hits. A sampler that knows a single digit reaches 0.125.
    """
    with torch.no_grad():
        certainty, classes = model(images.clamp(-1.0, 1.0)).softmax(dim=-1).max(dim=-1)
    sure = (certainty > SURE) & (classes < CLASSES)
    room = [math.ceil(len(images) / 8)] * CLASSES
    hits = torch.zeros(len(images), dtype=torch.bool)
    for place in sure.nonzero().flatten().tolist():
        hits[place] = room[classes[place]] > 0
        room[classes[place]] -= 1
    value = float(hits.double().mean())
    return Measure(value=value, standard_error=math.sqrt(value * (1 - value) / len(hits)), per_example=hits)


# --- whether a model made it -----------------------------------------------------------------------------------------


def drawn_by(predict, x_T, draw):
    """Algorithm 2 of arXiv 2006.11239 by the judge, who asks the submission for nothing but the noise in x_t."""
    alphas = 1.0 - BETAS
    kept, x = alphas.cumprod(dim=0), x_T
    for t in reversed(range(STEPS)):
        noise = predict({"x_t": x, "t": torch.full((len(x),), t)})["noise"]
        require(noise.shape == x.shape, "The U-Net gives an output of the images' shape.")
        x = (x - BETAS[t] / (1.0 - kept[t]).sqrt() * noise) / alphas[t].sqrt()
        if t:
            x = x + BETAS[t].sqrt() * torch.randn(x.shape, generator=draw)
    return x


def copies(images, train):
    """The share of images that are training images but for a pixel's move, brightness, contrast and a little noise."""
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    moved = [padded[..., y : y + images.shape[2], x : x + images.shape[3]] for y in range(3) for x in range(3)]
    known = _standardised(train).t()
    nearest = torch.stack([(_standardised(each) @ known).max(dim=1).values for each in moved]).max(dim=0).values
    return float((1.0 - nearest < COPY).double().mean())


def repeats(images):
    """The share of images that look like one before them."""
    rows = _standardised(images)
    alike = (1.0 - rows @ rows.t() < REPEAT).tril(diagonal=-1)
    return float(alike.any(dim=1).double().mean())


def _standardised(images):
    """Rows of mean 0 and length 1, so that products are correlations."""
    rows = images.flatten(1) - images.flatten(1).mean(dim=1, keepdim=True)
    return F.normalize(rows, dim=1)
