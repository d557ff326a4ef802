"""Which pairs a published model was trained on, found by the losses that its file stores."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import torch
from jaxtyping import Float64
from torch import Tensor

from grok.data.config import DataConfig, SplitMethod, n_train_rows
from grok.data.pairs import pair_data, split_rows
from grok.metrics.loss import cross_entropy
from grok.offline.source import Loaded
from grok.training import PairProblem, Stack, show

FRACTIONS = tuple(i / 100 for i in range(1, 100))
SEEDS = (*range(11), 42, 598, 999, 1337)
"""Fractions and seeds that are tried with every split rule."""

TOLERANCE = 1e-3
"""Relative distance up to which two losses are the same. The mean over another split of a network
that has memorised is off by its own size."""


def inferred_split(loaded: Loaded) -> Loaded:
    """The checkpoint with the split under which it has the losses that its file stores.

    Of the splits that meet both the stored training and test loss it is the one that meets them
    best: rules that differ in one pair differ in the fourth digit.

    Returns:
        The checkpoint as it was if the file stores no losses, or no split fits.
    """
    stored = _stored_losses(loaded)
    if stored is None:
        return loaded
    distance, data = min(_fits(loaded.config.data, _losses(loaded), stored), key=lambda fit: fit[0])
    if not distance <= TOLERANCE:
        return loaded
    return loaded._replace(config=replace(loaded.config, data=data), has_split=True)


def _stored_losses(loaded: Loaded) -> tuple[float, float] | None:
    """Training and test loss of the state, if the file stores curves that end with it."""
    found = [_last(loaded.extras.get(name)) for name in ("train_losses", "test_losses")]
    train, test = found
    return None if train is None or test is None else (train, test)


def _last(curve: Any) -> float | None:
    """Last number of a stored curve."""
    if isinstance(curve, Tensor):
        curve = curve.flatten().tolist()
    if not isinstance(curve, list | tuple) or not curve:
        return None
    last = curve[-1]
    is_loss = isinstance(last, int | float) and math.isfinite(last) and last > 0
    return float(last) if is_loss else None


def _losses(loaded: Loaded) -> Float64[Tensor, " pair"]:
    """Loss of every pair, all classes counted, as training sees it."""
    pairs = PairProblem([loaded.config], [pair_data(loaded.config.data)])
    stack = Stack(pairs)
    show(stack, 0, 0, loaded.parameters)
    with torch.no_grad():
        predictions = stack.snapshot().predictions
    losses = torch.empty(pairs.c.shape[1], dtype=torch.float64)
    for split, rows in (("train", pairs.train[0]), ("test", pairs.test[0])):
        logits, labels = predictions[split]
        losses[rows] = cross_entropy(logits[0, :, None], labels[0, :, None])
    return losses


def _fits(
    data: DataConfig, losses: Float64[Tensor, " pair"], stored: tuple[float, float]
) -> Iterator[tuple[float, DataConfig]]:
    """How far each split is from the stored losses. One order of the pairs serves all fractions."""
    n = len(losses)
    for split, seed in itertools.product(get_args(SplitMethod), SEEDS):
        sums = losses[split_rows(split, n, 1.0, seed)[0]].cumsum(0).tolist()
        for fraction in FRACTIONS:
            n_train = n_train_rows(split, n, fraction)
            if not 0 < n_train < n:
                continue
            train, test = sums[n_train - 1], sums[-1] - sums[n_train - 1]
            means = train / n_train, test / (n - n_train)
            distance = max(abs(x - y) / abs(y) for x, y in zip(means, stored, strict=True))
            found = replace(data, split=split, train_fraction=fraction, split_seed=seed)
            yield distance, found
