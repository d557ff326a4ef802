"""Samples of a task on pairs of symbols: their labels and their parallelograms.

Shapes: ``sample`` - samples, in the order of :class:`Samples`; ``pair`` - pairs of symbols;
``para`` - parallelograms, two samples each; ``p`` - symbols.

Liu et al. is `Towards Understanding Grokking: An Effective Theory of Representation Learning
<https://arxiv.org/abs/2205.10343>`_.
"""

from typing import NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor

from grok.groups import group


class Samples(NamedTuple):
    """All samples of a task, and all its parallelograms."""

    pairs: Int64[Tensor, "sample 2"]
    """The two symbols of each sample, counted from 0."""
    labels: Int64[Tensor, " sample"]
    """Label of each sample."""
    parallelograms: Int64[Tensor, "para 2"]
    """Two samples each, the earlier first, in lexicographic order: P0."""
    rows: Int64[Tensor, "para p"]
    """Their equations: +1 at each symbol of the earlier sample, -1 at each of the later."""

    @property
    def p(self) -> int:
        """Number of symbols."""
        return self.rows.shape[1]


def samples_of(pairs: Int64[Tensor, "sample 2"], labels: Int64[Tensor, " sample"]) -> Samples:
    """A task from its samples and their labels.

    Args:
        pairs: Symbols of each sample, 0 to p - 1; the largest one says what p is.
        labels: Any whole numbers.

    Returns:
        The samples, their parallelograms and the equations of these. A symbol that is twice in a
        sample counts twice; for products of a group, which no sum of embeddings describes, the
        equations are those of the sum all the same.

    Reference:
        Liu et al., section 3, equation 1, there for addition. ``sum_s C(n_s, 2)`` parallelograms
        for n_s samples of label s.
    """
    is_equal = labels[:, None] == labels
    quads = is_equal.triu(diagonal=1).nonzero()
    p = int(pairs.max()) + 1
    counts = torch.nn.functional.one_hot(pairs, p).sum(dim=1)
    return Samples(pairs, labels, quads, counts[quads[:, 0]] - counts[quads[:, 1]])


def unordered_pairs(p: int) -> Int64[Tensor, "pair 2"]:
    """Pairs (i, j) with i <= j of p symbols: (0, 0), (0, 1), ..., (0, p - 1), (1, 1), ...

    Raises:
        ValueError: If ``p`` is below 1.
    """
    if p < 1:
        raise ValueError(f"p must be at least 1, got {p}")
    return torch.triu_indices(p, p).T.contiguous()


def addition_samples(p: int) -> Samples:
    """Unordered pairs with label i + j, not mod p: the toy task of Liu et al., section 2."""
    pairs = unordered_pairs(p)
    return samples_of(pairs, pairs.sum(dim=1))


def modular_samples(p: int) -> Samples:
    """Unordered pairs with label (i + j) mod p.

    Over the reals their equations leave the constant embedding only; the circle solves them in
    the plane through a decoder that is not linear, which no nullity here describes.
    """
    pairs = unordered_pairs(p)
    return samples_of(pairs, pairs.sum(dim=1) % p)


def group_samples(name: str) -> Samples:
    """All ordered pairs (a, b) of a named group, row by row, with label a·b.

    Args:
        name: As for :func:`grok.groups.group`. Its product is "first b, then a"; Liu et al.,
            appendix H, take "first a, then b", which exchanges the two columns and leaves the
            number of parallelograms.
    """
    table = torch.as_tensor(group(name).table.copy())
    pairs = torch.cartesian_prod(*2 * [torch.arange(len(table))])
    return samples_of(pairs, table.flatten())
