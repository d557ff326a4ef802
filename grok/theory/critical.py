"""Critical training fraction: from how many samples on the number line is forced.

Shapes: ``draw`` - random orders of the samples; ``sample`` - of the task; ``p`` - symbols;
``size`` - sizes of a training set.

Liu et al. is `Towards Understanding Grokking: An Effective Theory of Representation Learning
<https://arxiv.org/abs/2205.10343>`_.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from grok.metrics.parallelograms import PRIME, nullity
from grok.metrics.samples import Samples, addition_samples

_CHUNK = 500
"""Draws that are worked on together; more leave the cache."""


class CriticalFraction(NamedTuple):
    """How likely a random training set of each size forces the number line."""

    n: Int64[Tensor, " size"]
    """Sizes: 1 to p (p + 1) / 2."""
    probability: Float64[Tensor, " size"]
    """Share of the draws whose nullity is 2, ascending."""
    error: Float64[Tensor, " size"]
    """Its binomial standard error; those of neighbouring sizes are correlated. 0 at 0 and 1."""
    n_half: float
    """Size at which the probability is 1/2, on the straight line between two sizes."""
    r_half: float
    """The same as a share of all samples."""


def critical_fraction(
    p: int,
    n_draws: int = 2000,
    seed: int = 0,
    tell: Callable[[float], None] = lambda done: None,
) -> CriticalFraction:
    """Probability that the nullity is 2, by the size of a random training set, for addition.

    Each draw is a random order of the samples, and its training sets are the beginnings of that
    order. Every size thus has ``n_draws`` independent uniform sets, and the probability rises
    with the size by construction: adding a sample never adds freedom. Nothing is smoothed.

    Args:
        p: Symbols, at least 3.
        n_draws: Orders, at least 1.
        seed: Of the orders.
        tell: Called now and then with the share that is done.

    Returns:
        One entry per size. Half is reached at 2.2 p samples for p = 10 and 2.8 p for p = 60, hence
        at a fraction that falls with p, 0.41 and 0.09: the paper's 0.4 is that of p = 10.

    Raises:
        ValueError: If ``p`` is below 3 or ``n_draws`` below 1.

    Reference:
        Liu et al., section 3.2 and figure 4(a), for p = 10.
    """
    if p < 3 or n_draws < 1:
        raise ValueError(f"p must be at least 3 and n_draws at least 1, got {p} and {n_draws}")
    samples = addition_samples(p)
    n_samples = len(samples.labels)
    generator = torch.Generator().manual_seed(seed)
    reached: list[Tensor] = []
    for start in range(0, n_draws, _CHUNK):
        size = min(_CHUNK, n_draws - start)
        order = torch.rand(size, n_samples, generator=generator, dtype=torch.float64).argsort(dim=1)
        reached.append(determined_size(order, samples))
        tell((start + size) / n_draws)
    n_sets = torch.bincount(torch.cat(reached), minlength=n_samples + 1).cumsum(dim=0)[1:]
    probability = n_sets.double() / n_draws
    error = (probability * (1 - probability) / n_draws).sqrt()
    n_half = _half(probability)
    n = torch.arange(1, n_samples + 1)
    return CriticalFraction(n, probability, error, n_half, n_half / n_samples)


def _half(probability: Float64[Tensor, " size"]) -> float:
    """Where the straight lines between the sizes 0, 1, 2, ... cross 1/2."""
    after = int((probability >= 0.5).long().argmax())
    low = float(probability[after - 1]) if after else 0.0
    return after + (0.5 - low) / (float(probability[after]) - low)


def determined_size(
    order: Int64[Tensor, "draw sample"], samples: Samples
) -> Int64[Tensor, " draw"]:
    """Number of leading samples of an order from which on the nullity is the least possible.

    Equations enter one by one, each against the sample of its label before it, and are reduced by
    those before them: exact elimination without fractions as in
    :func:`grok.metrics.parallelograms.integer_rank`, of all draws at once.

    Args:
        order: Each row is a permutation of the samples.
        samples: The task.

    Returns:
        Sizes, 1 to the number of samples; a larger training set of the same order has the same
        nullity.

    Reference:
        Liu et al., appendix C.
    """
    full = torch.ones(len(samples.labels), dtype=torch.bool)
    n_missing = (samples.p - nullity(full, samples)).repeat(len(order))
    counts = torch.nn.functional.one_hot(samples.pairs, samples.p).sum(dim=1)
    labels = samples.labels - samples.labels.min()
    last = torch.full((len(order), int(labels.max()) + 1), -1)
    basis = torch.zeros(len(order), samples.p, samples.p, dtype=torch.long)
    size = torch.ones(len(order), dtype=torch.long)
    for sample in order.T:
        label = labels[sample][:, None]
        before = last.gather(1, label)[:, 0]
        last.scatter_(1, label, sample[:, None])
        at = ((before >= 0) & (n_missing > 0)).nonzero()[:, 0]
        n_missing[at] -= _insert((counts[sample] - counts[before])[at] % PRIME, basis, at)
        if not n_missing.any():
            break
        size += n_missing > 0
    return size


def _insert(
    row: Int64[Tensor, "some p"], basis: Int64[Tensor, "draw p p"], at: Int64[Tensor, " some"]
) -> Int64[Tensor, " some"]:
    """Add an equation to the triangular bases of some draws, in place; 1 where it is a new one."""
    is_new = torch.zeros(len(row), dtype=torch.long)
    for column in range(row.shape[1]):
        pivot = basis[at, column]
        lead, entry = pivot[:, column, None], row[:, column, None]
        takes_place = (lead == 0) & (entry != 0)
        basis[at, column] = torch.where(takes_place, row, pivot)
        reduced = torch.where(lead != 0, (row * lead - entry * pivot) % PRIME, row)
        row = torch.where(takes_place, 0, reduced)
        is_new += takes_place[:, 0]
    return is_new
