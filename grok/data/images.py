"""Images with labels: MNIST from a user's files, and scikit-learn's digits where there are none.

Shapes: ``sample`` - images; ``pixel`` - rows one after another. Pixels are scaled to [0, 1] and not
normalised otherwise. Nothing is ever downloaded.
"""

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from grok.data.image_config import ImageConfig, joint_sha256
from grok.data.mnist import HOW, MAGIC, Part, mnist_files, mnist_folder, mnist_part
from grok.inputs import InputError

Order = Literal["first", "random"]

SIDE = 28
"""Rows and columns of an MNIST image."""
N_TRAIN, N_VALIDATION = 60_000, 10_000
"""Images in the two parts of MNIST."""


@dataclass(frozen=True)
class ImageData:
    """Images and their classes, on the CPU."""

    x: Float32[Tensor, "sample pixel"]
    """Pixels in [0, 1]."""
    label: Int64[Tensor, " sample"]
    """Class, 0 to 9."""


class ImageSplit(NamedTuple):
    """The two sides of a split."""

    train: ImageData
    """Images to train on, in the order drawn."""
    validation: ImageData
    """Images to validate on, in the order of the source."""


def check_present(images: ImageConfig) -> None:
    """Refuse images that are not there. What files hold is looked at where they are read.

    Raises:
        InputError: If a file of MNIST is missing, or scikit-learn for the digits; in one line.
    """
    if images.source == "digits":
        digits()
    else:
        mnist_files(mnist_folder(images.directory))


def image_data(
    source: Path | Literal["digits"], n_train: int, order: Order, seed: int, sha256: str = ""
) -> ImageSplit:
    """Training and validation images, on the CPU.

    Args:
        source: Folder with the four files of MNIST, of whose 60,000 training images some train and
            whose 10,000 test images all validate; or ``"digits"``, of which those that do not
            train validate.
        n_train: Images to train on: 1 to 60,000, or 1 to 1,796 of the digits.
        order: ``"first"`` takes the first ones, ``"random"`` a random subset.
        seed: Seed of the subset, 0 to 2^32 - 1; ``"first"`` ignores it.
        sha256: What the four files must hold, as ``images.sha256`` of a run; empty for anything.
            The digits ignore it.

    Returns:
        The two sides. No image is on both.

    Raises:
        InputError: If the files are missing or are not what they should be or are others than
            expected, scikit-learn is missing, or ``n_train`` is out of range; in one line.

    Reference:
        Liu et al., `Towards Understanding Grokking: An Effective Theory of Representation Learning
        <https://arxiv.org/abs/2205.10343>`_, appendix J: 1000 images, a random subset by the text,
        the first ones in the released code. The digits are ours, and so is the generator of the
        subset.
    """
    if source == "digits":
        every = digits()
        rows = _rows(len(every.label), n_train, order, seed, spare=1)
        rest = torch.ones(len(every.label), dtype=torch.bool)
        rest[rows] = False
        return ImageSplit(_of(every, rows), _of(every, rest))
    folder = Path(source)
    rows = _rows(N_TRAIN, n_train, order, seed, spare=0).numpy()
    train = mnist_part(folder, "train", N_TRAIN, SIDE)
    validation = mnist_part(folder, "t10k", N_VALIDATION, SIDE)
    if sha256 and (found := _sha256(train, validation)) != sha256:
        raise InputError(
            f"{folder}: the files have images.sha256={found}, expected {sha256} (empty for MNIST "
            f"itself): {HOW}"
        )
    return ImageSplit(_scaled(*(part[rows] for part in train)), _scaled(*validation))


def mnist_sha256(folder: Path) -> str:
    """Digest of the four files of a folder, as ``images.sha256`` of a run.

    Raises:
        InputError: As :func:`mnist_part`.
    """
    sizes: list[tuple[Part, int]] = [("train", N_TRAIN), ("t10k", N_VALIDATION)]
    return _sha256(*(mnist_part(folder, part, n, SIDE) for part, n in sizes))


def _sha256(*parts: tuple[np.ndarray, np.ndarray]) -> str:
    """Digest of the files that these images and labels were read from, unpacked."""
    digests = []
    for pixels, label in parts:
        for values in (pixels.reshape(-1, SIDE, SIDE), label):
            head = struct.pack(f">{1 + values.ndim}i", MAGIC[values.ndim], *values.shape)
            digests.append(hashlib.sha256(head + values.tobytes()).hexdigest())
    return joint_sha256(digests)


def _rows(n: int, n_train: int, order: Order, seed: int, spare: int) -> Int64[Tensor, " sample"]:
    if not 1 <= n_train <= n - spare:
        raise InputError(f"n_train={n_train}: allowed are 1 to {n - spare} images")
    if order == "first":
        return torch.arange(n_train)
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:n_train]


def _of(data: ImageData, rows: Tensor) -> ImageData:
    return ImageData(data.x[rows], data.label[rows])


def _scaled(
    pixels: UInt8[np.ndarray, "sample pixel"], label: UInt8[np.ndarray, " sample"]
) -> ImageData:
    x = torch.from_numpy(pixels.astype(np.float32) / 255)
    return ImageData(x, torch.from_numpy(label.astype(np.int64)))


def digits() -> ImageData:
    """The 1,797 images of 8 x 8 pixels that scikit-learn carries, in its order.

    A substitute for MNIST where there is no network: 64 pixels in sixteenths, 174 to 183 images of
    each class. It is the test part of UCI's Optical Recognition of Handwritten Digits.

    Returns:
        All images.

    Raises:
        InputError: If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise InputError(
            "digits: scikit-learn is not installed: pip install 'grokking-lab[digits]'"
        ) from None
    pixels, label = load_digits(return_X_y=True)
    x = torch.from_numpy(pixels / 16).to(torch.float32)
    return ImageData(x, torch.from_numpy(label).to(torch.int64))
