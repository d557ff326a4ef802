"""Runs on images for the tests, and a small set in the form of MNIST."""

import struct
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import grok.data.images as images
from grok.config import RunConfig, Schedule, TrackingConfig
from grok.config.schema import OptimConfig, with_seed
from grok.data.image_config import ImageConfig
from tests.running import measures

DIGITS = RunConfig(
    problem="images",
    images=ImageConfig(source="digits", n_train=200, order="random"),
    optim=OptimConfig(loss="mse", weight_decay=0.1, betas=(0.9, 0.999)),
    measures=measures(task=Schedule(every=10), norm=None),
    tracking=TrackingConfig(mode="disabled"),
)
"""The substitute for MNIST, its initial parameters not scaled."""

N_TRAIN, N_VALIDATION, SIDE = 12, 5, 3

needs_digits = pytest.mark.skipif(
    find_spec("sklearn") is None,
    reason="the digits are scikit-learn's, which is not installed: pip install -e '.[digits]'",
)


def digits_run(seed: int = 0, width: int = 24, **overrides: Any) -> RunConfig:
    """The digits with some fields of images, optim or the run replaced, and small."""
    parts: dict[str, dict[str, Any]] = {"images": {"width": width}, "optim": {}}
    rest: dict[str, Any] = {}
    for name, value in overrides.items():
        kinds = (("images", ImageConfig), ("optim", OptimConfig))
        of = [part for part, kind in kinds if hasattr(kind(), name)]
        (parts[of[0]] if of else rest)[name] = value
    config = replace(
        DIGITS,
        images=replace(DIGITS.images, **parts["images"]),
        optim=replace(DIGITS.optim, **parts["optim"]),
        **rest,
    )
    return with_seed(config, seed)


def mnist_run(seed: int = 0, **overrides: Any) -> RunConfig:
    """The same on files."""
    return digits_run(seed, **({"source": "mnist", "n_train": 8} | overrides))


def idx(values: np.ndarray) -> bytes:
    """The format of the files, as its description has it."""
    magic = {1: 2049, 3: 2051}[values.ndim]
    head = struct.pack(f">{1 + values.ndim}i", magic, *values.shape)
    return head + values.astype(np.uint8).tobytes()


def pixels(n: int, seed: int) -> np.ndarray:
    """Images of 3 x 3 pixels."""
    return np.random.default_rng(seed).integers(0, 256, (n, SIDE, SIDE), dtype=np.uint8)


def small_mnist(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four files of the form of MNIST in a folder, whose sizes the loader is told."""
    for name in ("N_TRAIN", "N_VALIDATION", "SIDE"):
        monkeypatch.setattr(images, name, globals()[name])
    folder.mkdir(parents=True, exist_ok=True)
    for part, n, seed in (("train", N_TRAIN, 0), ("t10k", N_VALIDATION, 1)):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(pixels(n, seed)))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(n) % 10))
    return folder


def on_blank_mnist(config: ImageConfig, folder: Path) -> ImageConfig:
    """The same on files as long as those of MNIST, of black images and noughts."""
    folder.mkdir()
    for part, n in (("train", images.N_TRAIN), ("t10k", images.N_VALIDATION)):
        for name, shape in (("images-idx3", (n, images.SIDE, images.SIDE)), ("labels-idx1", (n,))):
            (folder / f"{part}-{name}-ubyte").write_bytes(idx(np.zeros(shape, dtype=np.uint8)))
    return replace(config, directory=str(folder), sha256=images.mnist_sha256(folder))
