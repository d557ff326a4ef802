"""Schema of the image section of a run's configuration, and sizes that follow from it.

Imports no tensor library, so that the command line can print its help at once.
"""

import hashlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from grok.inputs import check_choices

MOST_TRAIN = {"mnist": 60_000, "digits": 1_796}
"""Most training images of each source: one of the digits at least validates."""
N_PIXELS = {"mnist": 784, "digits": 64}
"""Pixels of an image of each source."""
N_CLASSES = 10


def joint_sha256(digests: Iterable[str]) -> str:
    """One SHA-256 for several: of their lower-case hexadecimal digits, a line each."""
    lines = "".join(f"{digest}\n" for digest in digests)
    return hashlib.sha256(lines.encode()).hexdigest()


MNIST_SHA256 = joint_sha256(
    (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    )
)
"""Of the published MNIST: training images and labels, test images and labels, unpacked."""


@dataclass(frozen=True, kw_only=True)
class ImageConfig:
    """Images and a perceptron of their pixels; of no effect where ``problem`` is not images.

    Defaults: MNIST as in Liu et al. 2022 and Liu, Michaud and Tegmark 2023, but for init_scale and
    the mini-batches. Pixels are in [0, 1]. A random subset is drawn from ``data.split_seed``,
    initial parameters from ``model.init_seed``, the order of batches from ``data.order_seed``. With
    optim.loss=mse outputs are compared with the unit vector of the class, with cross_entropy they
    are logits; the answer is the largest output.
    """

    source: Literal["mnist", "digits"] = "mnist"
    """MNIST from files of yours, whose 10,000 test images validate, or the 1,797 digits of
    scikit-learn, of which those that do not train validate."""
    directory: str = ""
    """Folder with the four files of mnist, plain or as .gz; empty is $GROK_DATA/mnist. Where the
    files lie is not part of a run's key."""
    sha256: str = ""
    """What the files of mnist must hold; empty is the published MNIST. It is what `sha256sum FILES
    | cut -c-64 | sha256sum` prints of the unpacked files, in the order train-images, train-labels,
    t10k-images, t10k-labels."""
    n_train: int = 1000
    """Training images: up to 60,000 of mnist, up to 1,796 of the digits."""
    order: Literal["first", "random"] = "first"
    """The first training images of the source, or a random subset."""
    batch_size: int = 0
    """Training images per update; 0 is all of them."""
    width: int = 200
    """Hidden units of each layer."""
    depth: int = 2
    """Hidden layers."""
    act: Literal["relu", "tanh", "leaky_relu"] = "relu"
    """Activation; leaky_relu has a slope of 0.1."""
    init_scale: float = 1.0
    """alpha: factor on every initial parameter, biases included; they are those of torch's
    Linear."""

    def __post_init__(self) -> None:
        """Refuse values that are impossible by themselves or beside the others.

        Raises:
            ValueError: In one line that names the key, its value and what is allowed.
        """
        check_choices(self, "images.")
        for name in ("width", "depth"):
            if getattr(self, name) < 1:
                raise ValueError(f"images.{name}={getattr(self, name)} must be 1 or more")
        if not 0 <= self.init_scale < math.inf:
            raise ValueError(f"images.init_scale={self.init_scale} must be 0 or more")
        most = MOST_TRAIN[self.source]
        if not 1 <= self.n_train <= most:
            raise ValueError(f"images.n_train={self.n_train}: allowed are 1 to {most}")
        if not 0 <= self.batch_size <= self.n_train:
            raise ValueError(
                f"images.batch_size={self.batch_size}: allowed are 0 to {self.n_train}"
            )
        if self.sha256 and not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError(
                f"images.sha256={self.sha256}: expected 64 hexadecimal digits in lower case"
            )
        for name in ("directory", "sha256"):
            if self.source == "digits" and getattr(self, name):
                raise ValueError(
                    f"images.{name}={getattr(self, name)} is of images.source=mnist; the digits "
                    f"come with scikit-learn"
                )

    @property
    def digest(self) -> str:
        """What the files must hold; empty where there are none."""
        return "" if self.source == "digits" else self.sha256 or MNIST_SHA256

    @property
    def n_batch(self) -> int:
        """Images per update."""
        return self.batch_size or self.n_train

    @property
    def sizes(self) -> tuple[int, ...]:
        """Pixels, units of the hidden layers, classes."""
        return (N_PIXELS[self.source], *[self.width] * self.depth, N_CLASSES)
