"""Images with labels: MNIST from a user's files, and scikit-learn's digits where there are none.

Shapes: ``sample`` - images; ``pixel`` - rows one after another. Pixels are scaled to [0, 1] and not
normalised otherwise. Nothing is ever downloaded.
"""

import contextlib
import gzip
import hashlib
import math
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from grok.data.image_config import joint_sha256
from grok.inputs import InputError

Order = Literal["first", "random"]

SIDE = 28
"""Rows and columns of an MNIST image."""
N_TRAIN, N_VALIDATION = 60_000, 10_000
"""Images in the two parts of MNIST."""
_MAGIC = {1: 2049, 3: 2051}
_HOW = (
    "put MNIST's train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
    "t10k-labels-idx1-ubyte there, plain or as .gz; they are not downloaded for you"
)


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


def mnist_folder(directory: str) -> Path:
    """Where the four files of MNIST lie.

    Args:
        directory: A folder; empty for ``$GROK_DATA/mnist``.

    Raises:
        InputError: If neither is given.
    """
    if directory:
        return Path(directory).expanduser()
    if root := os.environ.get("GROK_DATA"):
        return Path(root).expanduser() / "mnist"
    raise InputError(
        f"images.directory is empty and GROK_DATA is not set: name the folder of MNIST, and {_HOW}"
    )


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
            f"itself): {_HOW}"
        )
    return ImageSplit(_scaled(*(part[rows] for part in train)), _scaled(*validation))


def mnist_sha256(folder: Path) -> str:
    """Digest of the four files of a folder, as ``images.sha256`` of a run.

    Raises:
        InputError: As :func:`mnist_part`.
    """
    sizes: list[tuple[Literal["train", "t10k"], int]] = [("train", N_TRAIN), ("t10k", N_VALIDATION)]
    return _sha256(*(mnist_part(folder, part, n, SIDE) for part, n in sizes))


def _sha256(*parts: tuple[np.ndarray, np.ndarray]) -> str:
    """Digest of the files that these images and labels were read from, unpacked."""
    digests = []
    for pixels, label in parts:
        for values in (pixels.reshape(-1, SIDE, SIDE), label):
            head = struct.pack(f">{1 + values.ndim}i", _MAGIC[values.ndim], *values.shape)
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


def mnist_part(
    folder: Path, part: Literal["train", "t10k"], n: int, side: int
) -> tuple[UInt8[np.ndarray, "sample pixel"], UInt8[np.ndarray, " sample"]]:
    """Images and labels of one part of MNIST, as they stand in its two files.

    Args:
        folder: Where the files are.
        part: ``train`` or ``t10k``, as their names begin.
        n: Number of images that they must have.
        side: Rows and columns of an image.

    Returns:
        Pixels 0 to 255, row by row, and labels 0 to 9.

    Raises:
        InputError: If a file is missing, unreadable, longer or shorter than expected, or has
            another header or a label above 9; names the file and what was expected.
    """
    images = read_idx(_found(folder, f"{part}-images-idx3-ubyte"), (n, side, side))
    path = _found(folder, f"{part}-labels-idx1-ubyte")
    label = read_idx(path, (n,))
    if n and label.max() > 9:
        raise InputError(f"{path}: label {label.max()}, expected 0 to 9")
    return images.reshape(n, side * side), label


def _found(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        # A folder that may not be looked into has no file either.
        with contextlib.suppress(OSError):
            if path.is_file():
                return path
    raise InputError(f"no file {folder / name}: {_HOW}")


def read_idx(path: Path, shape: tuple[int, ...]) -> UInt8[np.ndarray, "..."]:
    """The bytes of an IDX file, whose shape is known beforehand.

    The format: big-endian int32 magic (2049 for one axis, 2051 for three), then the length of each
    axis, then one byte per entry. Never more than one byte beyond the expected size is read or
    unpacked, whatever the header or a compressed stream claims.

    Args:
        path: The file; compressed by gzip if its name ends in ``.gz``.
        shape: Expected length of each axis, one or three of them.

    Returns:
        An array of that shape.

    Raises:
        InputError: If the file is anything else; in one line that says what was expected.
    """
    size = math.prod(shape)
    head = 4 * (1 + len(shape))
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(head + size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(
            f"{path}: cannot be read ({' '.join(str(error).split())}): {_HOW}"
        ) from None
    expected = (_MAGIC[len(shape)], *shape)
    found = struct.unpack(f">{1 + len(shape)}i", content[:head]) if len(content) >= head else ()
    if found != expected:
        raise InputError(
            f"{path}: starts with {_listed(found)}, expected {_listed(expected)}: {_HOW}"
        )
    if len(content) != head + size:
        kind = "longer" if len(content) > head + size else "shorter"
        raise InputError(f"{path}: {kind} than the {head + size:,} bytes expected: {_HOW}")
    return np.frombuffer(content, dtype=np.uint8, offset=head).reshape(shape)


def _listed(numbers: tuple[int, ...]) -> str:
    return " ".join(map(str, numbers)) or "too few bytes"
