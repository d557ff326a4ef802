r"""Saturation: how near a network's representations are to those of its saturated network.

The saturated network is the limit of :math:`f(x; c\theta)` for :math:`c \to \infty`, in practice
c = 1000; of outputs that grow without bound the limit of their direction is meant, which is what a
cosine sees. ``soft`` is what the network computes, ``hard`` what its saturated network does.

Shapes: ``run`` - independent runs trained together; ``batch`` - examples; ``pos`` - positions;
``d`` - numbers of one representation; ``n`` - numbers of a vector; ``key`` - positions that may be
attended to; ``axes`` - any leading axes, kept. A *mask* is True where a position counts; what it
leaves out (padding) may hold anything, NaN included. All in float64.
"""

from typing import NamedTuple

import torch
from einops import reduce
from jaxtyping import Bool, Float, Float64
from torch import Tensor


def unit(x: Float[Tensor, "*axes n"]) -> Float64[Tensor, "*axes n"]:
    """The vector divided by its length; 0 stays 0. Lengths up to the largest float64 are right."""
    x = x.double()
    largest = x.abs().amax(dim=-1, keepdim=True)
    x = x / torch.where(largest == 0, 1.0, largest)
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / torch.where(length == 0, 1.0, length)


def cosine(x: Float[Tensor, "*axes n"], y: Float[Tensor, "*axes n"]) -> Float64[Tensor, "*axes"]:
    """Cosine of the angle between two vectors.

    Args:
        x: Vectors.
        y: As many, of the same shape.

    Returns:
        In [-1, 1] but for rounding. 0 where either vector is 0, which has no direction: what the
        released code of Merrill et al. gives, whose 1e-9 in the denominator we leave out. NaN where
        an entry is not finite.
    """
    return (unit(x) * unit(y)).sum(dim=-1)


class Saturation(NamedTuple):
    """Saturation of representations over the positions that count."""

    mean: Float64[Tensor, "*run"]
    """Mean cosine."""
    std: Float64[Tensor, "*run"]
    """Standard deviation of the cosine, of all positions and not of a sample."""
    centred: Float64[Tensor, "*run"]
    """Mean cosine once the mean over positions is taken from both: a few large coordinates that
    are the same everywhere do not count."""
    variance: Float64[Tensor, "*run"]
    """Share of the squares of ``soft`` that is not in its mean over positions, in [0, 1]. A
    constant function has 0, a cosine of 1 that says nothing, and noise for ``centred``."""


def saturation(
    soft: Float[Tensor, "*run batch pos d"],
    hard: Float[Tensor, "*run batch pos d"],
    mask: Bool[Tensor, "*#run batch pos"] | None = None,
) -> Saturation:
    """Cosine of each position's representation to the saturated one, over batch and positions.

    Every position that counts weighs the same, in whatever sequence. The cosines themselves are
    those of :func:`cosine`.

    Args:
        soft: Representations of the network.
        hard: Those of its saturated network.
        mask: Positions that count; None for all.

    Returns:
        Mean, spread, and what tells saturation from collapse. NaN where no position counts.
        Representations that are all 0 have a variance of NaN.

    Reference:
        Merrill et al., `Effects of Parameter Norm Growth During Transformer Training
        <https://arxiv.org/abs/2010.09697>`_, section 4. Their code multiplies padding by 0 and
        masks one position too many; we leave out what the mask leaves out. ``centred`` and
        ``variance`` are ours.
    """
    counts = torch.ones_like(soft[..., 0], dtype=torch.bool)
    counts = counts if mask is None else mask.expand(counts.shape)
    kept = [torch.where(counts.unsqueeze(-1), x.double(), 0.0) for x in (soft, hard)]
    centre = [_centred(x, counts) for x in kept]
    cosines = cosine(*kept)
    mean = masked_mean(cosines, counts)
    variance = masked_mean((cosines - mean[..., None, None]).square(), counts)
    spread = masked_mean(centre[0].square().sum(dim=-1), counts)
    return Saturation(
        mean,
        variance.sqrt(),
        masked_mean(cosine(*centre), counts),
        spread / masked_mean(kept[0].square().sum(dim=-1), counts),
    )


def _centred(x: Tensor, counts: Tensor) -> Tensor:
    """Representations, 0 where they do not count, less their mean over positions."""
    n = reduce(counts.double(), "... batch pos -> ... 1 1 1", "sum")
    return x - reduce(x, "... batch pos d -> ... 1 1 d", "sum") / n


def masked_mean(
    x: Float[Tensor, "*run batch pos"], mask: Bool[Tensor, "*#run batch pos"]
) -> Float64[Tensor, "*run"]:
    """Mean over the positions that count; NaN where none does. What does not count may be NaN."""
    counts = mask.expand(x.shape)
    total = reduce(torch.where(counts, x.double(), 0.0), "... batch pos -> ...", "sum")
    return total / reduce(counts.double(), "... batch pos -> ...", "sum")


def answers_agree(
    soft: Float[Tensor, "*axes c"], hard: Float[Tensor, "*axes c"]
) -> Float64[Tensor, "*axes"]:
    """1 where both logits have their largest entry in the same class, else 0.

    Of tied largest logits the first counts as the answer. NaN where a logit is NaN.
    """
    (a, i), (b, j) = soft.double().max(dim=-1), hard.double().max(dim=-1)
    return torch.where(a.isnan() | b.isnan(), torch.nan, (i == j).double())


def unsaturated_weight(
    scores: Float[Tensor, "*axes key"], scale: float = 1.0
) -> Float64[Tensor, "*axes"]:
    r"""Weight that :math:`\mathrm{softmax}(c a)` gives to the keys that lose.

    With M the m keys that tie for the largest score and gaps :math:`\Delta_j = \max a - a_j` it is
    :math:`S/(m + S)`, :math:`S = \sum_{j\notin M} e^{-c\Delta_j}`: exact far below the rounding of
    a softmax. It is the total variation between softmax and its limit
    (:func:`grok.metrics.attention.saturated_pattern` without tolerance).

    Args:
        scores: Before the softmax, :math:`-\infty` where masked. Ties are exact equality.
        scale: c, above 0.

    Returns:
        In [0, 1). 0 for one visible key and for ties of all keys; NaN where nothing is visible.

    Reference:
        A sharp form of the lemma of Merrill et al., appendix: the rate of decay is the gap, where
        they have the norm of the input.
    """
    gap = scores.double().amax(dim=-1, keepdim=True) - scores.double()
    losing = torch.where(gap == 0, 0.0, (-scale * gap).exp()).sum(dim=-1)
    return losing / ((gap == 0).sum(dim=-1) + losing)


def smallest_gap(scores: Float[Tensor, "*axes key"]) -> Float64[Tensor, "*axes"]:
    r"""Gap between the largest score and the next other one: the rate at which a softmax saturates.

    Args:
        scores: Before the softmax, :math:`-\infty` where masked.

    Returns:
        Above 0, in the units of the scores; infinity where all visible keys tie, one alone
        included; NaN where nothing is visible.
    """
    gap = scores.double().amax(dim=-1, keepdim=True) - scores.double()
    return torch.where(gap == 0, torch.inf, gap).amin(dim=-1)
