"""Means over many texts, for the layers and heads of a model of Hugging Face.

Shapes: ``text`` - examples; ``pos``, ``query``, ``key`` - positions; ``head``; ``d`` - numbers of
one representation.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from grok.metrics.attention import attention_entropy, saturated_pattern, total_variation
from grok.metrics.heads import head_class, head_statistics
from grok.metrics.saturation import masked_mean, saturation


class LayerSaturation(NamedTuple):
    """Nearness of one layer's representations to those of the saturated network.

    Means over all positions of all texts, each of the same weight; padding does not count.
    """

    mean: float
    """Mean cosine, -1 to 1: what Merrill et al. 2021 plot."""
    std: float
    centred: float
    """Mean cosine once the mean over the positions of its text is taken from each."""
    variance: float
    """Share of the squares that is not in the mean over the positions of a text, 0 to 1: near 0
    all positions are alike, and a cosine near 1 says nothing."""


class HeadSaturation(NamedTuple):
    """What each head of a layer attends to, ``[head]``, means over all queries of all texts."""

    n_mean: Float64[Tensor, " head"]
    """Positions that the scaled network attends to (:class:`grok.metrics.heads.HeadStatistics`)."""
    n_std: Float64[Tensor, " head"]
    frac: Float64[Tensor, " head"]
    split: Float64[Tensor, " head"]
    split_of_many: Float64[Tensor, " head"]
    distance: Float64[Tensor, " head"]
    relative_distance: Float64[Tensor, " head"]
    leak: Float64[Tensor, " head"]
    tv: Float64[Tensor, " head"]
    """Total variation of the weights as they are to their saturation: 0 is saturated already."""
    eff: Float64[Tensor, " head"]
    """Effective number of positions of the weights as they are: exp of the entropy."""

    def classes(self) -> list[str]:
        """``argmax``, ``mean`` or ``mixed`` for each head; ``unknown`` if it is not finite."""
        kinds = head_class(self.n_mean, self.frac)
        names = ("argmax", "mean", "mixed")
        return [
            next((name for name, is_one in zip(names, each, strict=True) if is_one), "unknown")
            for each in zip(*(kind.tolist() for kind in kinds), strict=True)
        ]


class Mean:
    """Mean of values with weights, text by text."""

    def __init__(self) -> None:
        self.total: Any = 0.0
        self.weight: Any = 0.0

    def add(self, values: Tensor, weights: Tensor) -> None:
        """Values and weights, ``[text, ...]``; what weighs nothing may be NaN."""
        weights = weights.double().expand(values.shape)
        self.total = self.total + torch.where(weights > 0, values * weights, 0.0).sum(dim=0)
        self.weight = self.weight + weights.sum(dim=0)

    def value(self) -> Tensor:
        """The mean so far; NaN where nothing weighed anything."""
        return self.total / self.weight


class Means(dict[str, Mean]):
    """Means by name."""

    def __missing__(self, name: str) -> Mean:
        return self.setdefault(name, Mean())


def add_layer(means: Means, soft: Tensor, hard: Tensor, mask: Tensor) -> None:
    """Each text by itself, so that neither padding nor the other texts of its batch matter."""
    found = saturation(soft[:, None], hard[:, None], mask[:, None])
    n = mask.sum(dim=1)
    means["mean"].add(found.mean, n)
    means["square"].add(found.mean.square() + found.std.square(), n)
    means["centred"].add(found.centred, n)
    means["variance"].add(found.variance, n)


def layer_of(means: Means) -> LayerSaturation:
    """What :func:`add_layer` has added up."""
    mean, square, centred, variance = (
        float(means[name].value()) for name in ("mean", "square", "centred", "variance")
    )
    return LayerSaturation(mean, max(square - mean**2, 0.0) ** 0.5, centred, variance)


def add_heads(
    means: Means,
    soft: Float[Tensor, "text head query key"],
    hard: Float[Tensor, "text head query key"],
    visible: Bool[Tensor, "text query key"],
) -> None:
    """Statistics of the heads of one layer, text by text.

    Args:
        means: What they are added to.
        soft: Weights of the network as it is.
        hard: Weights of the scaled network.
        visible: Whether a query may see a key; False in the rows of padding.
    """
    n_seen = visible.sum(dim=-1)
    counts, many = (n_seen > 0).sum(dim=1)[:, None], (n_seen > 1).sum(dim=1)[:, None]
    seen = visible[:, None, None]
    found = head_statistics(hard[:, None], seen)
    for name in ("n_mean", "frac", "split", "distance", "leak"):
        means[name].add(getattr(found, name), counts)
    means["n_square"].add(found.n_mean.square() + found.n_std.square(), counts)
    means["split_of_many"].add(found.split_of_many, many)
    even = visible.double() / n_seen.unsqueeze(-1)
    means["uniform"].add(head_statistics(even[:, None, None], seen).distance, counts)
    queries = (n_seen > 0)[:, None, None]
    soft = soft.double()
    for name, value in (
        ("tv", total_variation(soft, saturated_pattern(soft.log()))),
        ("eff", attention_entropy(soft).exp()),
    ):
        means[name].add(masked_mean(value[:, :, None], queries), counts)


def heads_of(means: Means) -> HeadSaturation:
    """What :func:`add_heads` has added up."""
    names = ("n_mean", "frac", "split", "split_of_many", "distance", "leak", "tv", "eff")
    found = {name: means[name].value() for name in names}
    spread = means["n_square"].value() - found["n_mean"].square()
    relative = found["distance"] / means["uniform"].value()
    return HeadSaturation(n_std=spread.clamp(min=0).sqrt(), relative_distance=relative, **found)
