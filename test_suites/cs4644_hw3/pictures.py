"""The data of the diffusion training: pictures of three classes, disguised, and noise that only the judge knows.

Pictures are turned, mirrored or inverted and their colours exchanged as the run's secret stream says, so weights that
were trained elsewhere are of little use.
"""

import functools
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from grader.datasets.images import cifar10
from grader.suite.standard import Task

CLASSES = 3  # of the pictures; 0 is the null token
SMALL = {"side": 16, "width": 16, "steps": 200, "asked": 300}  # pictures made by code
WHOLE = {"side": 32, "width": 32, "steps": 1000, "asked": 2000}  # CIFAR-10, as the notebook has it
COPY, REPEAT = 0.025, 0.05  # one minus the correlation of two pictures below which they are one


@dataclass(frozen=True)
class Pictures(Task):
    """Pictures (N, 3, H, H) from -1 to 1, labels (N,) from 1 to 3; `steps` of the diffusion, network `width`."""

    steps: int
    width: int

    @property
    def kept(self):
        """(T,): the product of 1 - beta up to each time step, of equation 4."""
        return (1.0 - torch.linspace(0.0001, 0.02, self.steps, dtype=torch.float64)).cumprod(dim=0)


def pictures_task(source, draw):
    """The first three classes of CIFAR-10, or textures made by code at half their size."""
    size = SMALL if source.made else WHOLE
    turn, colours = int(torch.randint(16, (1,), generator=draw)), torch.randperm(3, generator=draw)
    train, train_labels, held_out, labels = three_classes(source, size["side"])
    train, held_out = (disguised(images[:, colours], turn) for images in (train, held_out))
    given, asked = {"images": train, "labels": train_labels}, size["asked"]
    return Pictures("", given, held_out[:asked], labels[:asked], CLASSES, size["steps"], size["width"])


@functools.cache
def three_classes(source, side):
    """(training pictures, their classes, test pictures, their classes); the ten made textures are three classes too."""
    found = cifar10(source)

    def fitted(images, labels):
        chosen = torch.ones_like(labels, dtype=torch.bool) if source.made else labels < CLASSES
        planes = images[chosen].permute(0, 3, 1, 2).float() / 127.5 - 1.0
        return F.avg_pool2d(planes, planes.shape[-1] // side), labels[chosen] % CLASSES + 1

    return (*fitted(found.train_images, found.train_labels), *fitted(found.test_images, found.test_labels))


def disguised(images, turn):
    """Turned by `turn % 4` quarters, then mirrored for `turn & 4`, then inverted for `turn & 8`."""
    images = images.rot90(turn % 4, dims=(2, 3))
    images = images.flip(3) if turn & 4 else images
    return -images if turn & 8 else images


def doubt_about(samples, train):
    """Why a person should look at samples, or nothing: they are no pictures, training pictures, or one picture."""
    if not isinstance(samples, torch.Tensor) or samples.shape[1:] != train.shape[1:]:
        return "generate_sample gave no pictures from the trained model."
    if not bool(samples.isfinite().all()):
        return "The samples of the trained model hold NaN or infinite values."
    rows, known = _standardised(samples), _standardised(train)
    copied = int((1.0 - (rows @ known.t()).amax(dim=1) < COPY).sum())
    alike = int((1.0 - rows @ rows.t() < REPEAT).tril(diagonal=-1).any(dim=1).sum())
    if 2 * copied > len(rows):
        return f"{copied} of {len(rows)} samples are pictures from the training data."
    return f"{alike} of {len(rows)} samples are nearly the same as another one." if 2 * alike > len(rows) else ""


def _standardised(images):
    """Rows of mean 0 and length 1, so that products are correlations."""
    rows = images.flatten(1) - images.flatten(1).mean(dim=1, keepdim=True)
    return F.normalize(rows, dim=1)
