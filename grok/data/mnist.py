"""The four files of MNIST, in a folder of the user's. Nothing is ever downloaded.

Shapes: ``sample`` - images; ``pixel`` - rows one after another.
"""

import contextlib
import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from grok.data.folders import data_folder
from grok.inputs import InputError

Part = Literal["train", "t10k"]

MAGIC = {1: 2049, 3: 2051}
"""First number of a file, by its number of axes."""
HOW = (
    "put MNIST's train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
    "t10k-labels-idx1-ubyte there, plain or as .gz; they are not downloaded for you"
)
"""What to do where a file is missing or wrong."""


def mnist_folder(directory: str) -> Path:
    """Where the four files of MNIST lie.

    Args:
        directory: A folder; empty for ``$GROK_DATA/mnist``.

    Raises:
        InputError: If neither is given.
    """
    otherwise = (
        f"images.directory is empty and GROK_DATA is not set: name the folder of MNIST, and {HOW}"
    )
    return data_folder(directory, "mnist", otherwise)


def mnist_files(folder: Path) -> tuple[Path, Path, Path, Path]:
    """Images and labels of the training part, then of the test part.

    Raises:
        InputError: If one is missing; names it. What they hold is not looked at.
    """
    return *_pair(folder, "train"), *_pair(folder, "t10k")


def mnist_part(
    folder: Path, part: Part, n: int, side: int
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
    images, labels = _pair(folder, part)
    pixels, label = read_idx(images, (n, side, side)), read_idx(labels, (n,))
    if n and label.max() > 9:
        raise InputError(f"{labels}: label {label.max()}, expected 0 to 9")
    return pixels.reshape(n, side * side), label


def _pair(folder: Path, part: Part) -> tuple[Path, Path]:
    images, labels = (f"{part}-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1"))
    return _found(folder, images), _found(folder, labels)


def _found(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        # A folder that may not be looked into has no file either.
        with contextlib.suppress(OSError):
            if path.is_file():
                return path
    raise InputError(f"no file {folder / name}: {HOW}")


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
            f"{path}: cannot be read ({' '.join(str(error).split())}): {HOW}"
        ) from None
    expected = (MAGIC[len(shape)], *shape)
    found = struct.unpack(f">{1 + len(shape)}i", content[:head]) if len(content) >= head else ()
    if found != expected:
        raise InputError(
            f"{path}: starts with {_listed(found)}, expected {_listed(expected)}: {HOW}"
        )
    if len(content) != head + size:
        kind = "longer" if len(content) > head + size else "shorter"
        raise InputError(f"{path}: {kind} than the {head + size:,} bytes expected: {HOW}")
    return np.frombuffer(content, dtype=np.uint8, offset=head).reshape(shape)


def _listed(numbers: tuple[int, ...]) -> str:
    return " ".join(map(str, numbers)) or "too few bytes"
