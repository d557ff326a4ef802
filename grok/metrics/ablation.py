"""What stands in for a part of a network that adds mod p: of its neurons, of its attention.

Shapes: ``run`` - independent runs trained together; ``p`` - group order; ``pair`` - all p^2 pairs,
(a, b) at index a p + b; ``n`` - neurons; ``freq`` - frequencies 0, 1, ..., p // 2; ``row`` -
directions; ``key`` - the positions ``a``, ``b``, ``=`` that the last position attends to.

Nanda et al. is `Progress measures for grokking via mechanistic interpretability
<https://arxiv.org/abs/2301.05217>`_.
"""

import torch
from einops import reduce
from jaxtyping import Bool, Float
from torch import Tensor

from grok.metrics.fourier import fourier_basis
from grok.metrics.pair_means import PairMeans, on_pairs, order_of, pair_means
from grok.metrics.pair_waves import explained_by_frequency, wave_tables
from grok.metrics.progress import CLUSTER_FVE


def frequency_polynomials(
    neurons: Float[Tensor, "*run pair n"], means: PairMeans | None = None
) -> Float[Tensor, "*run pair n"]:
    """Neurons of which those that follow one frequency are replaced by its polynomial (A1).

    A neuron of which one frequency explains more than ``CLUSTER_FVE`` becomes its mean plus its
    projection on the ``block3x3`` of that frequency; the others stay what they are.

    Args:
        neurons: Activations after the non-linearity, on all pairs.
        means: Their :func:`~grok.metrics.pair_means.pair_means`, if they are there already.

    Returns:
        Activations in the precision of ``neurons``, computed in float64.

    Raises:
        ValueError: If the number of pairs is no square.

    Reference:
        Nanda et al., sections 4.3 and 4.4.
    """
    means = means or pair_means(neurons)
    explained = explained_by_frequency(neurons, means=means)
    best = explained.max(dim=-2, keepdim=True)
    frequency = torch.arange(explained.shape[-2], device=neurons.device)
    tables = wave_tables(means.tables, frequency[:, None] == best.indices, "block3x3")
    mean = means.tables["sum"].mean(dim=-2, keepdim=True)
    tables["sum"] = tables["sum"] + mean
    p = order_of(neurons)
    # Row by row: a table of all neurons in float64 is several times what the cache holds.
    rows = [slice(start, start + p) for start in range(0, p * p, p)]
    polynomial = torch.cat([on_pairs(tables, row).to(neurons.dtype) for row in rows], dim=-2)
    return torch.where(best.values > CLUSTER_FVE, polynomial, neurons)


def key_directions(
    neuron_logit_map: Float[Tensor, "*run p n"], is_key: Bool[Tensor, "*#run freq"]
) -> Float[Tensor, "*run p n"]:
    r"""Directions that the read-out looks along for the key frequencies, two for each.

    Args:
        neuron_logit_map: :math:`W_L = W_U W_{out}`, rows are the p classes.
        is_key: Key frequencies; entry 0, the constant, is not looked at. p / 2 has one direction.

    Returns:
        Rows of :math:`F W_L` that belong to key frequencies, and zero rows in place of the others.

    Reference:
        Nanda et al., section 4.2.
    """
    p = neuron_logit_map.shape[-2]
    frequency = (torch.arange(p, device=is_key.device) + 1) // 2
    is_row = is_key[..., frequency] & (frequency > 0)
    waves = fourier_basis(p).to(neuron_logit_map.device) @ neuron_logit_map.double()
    return is_row[..., None] * waves


def on_span(
    x: Float[Tensor, "*run pair n"], directions: Float[Tensor, "*run row n"]
) -> Float[Tensor, "*run pair n"]:
    """Orthogonal projection of rows on the span of some directions (A5; what is left over is A6).

    Args:
        x: Activations; no mean is taken off.
        directions: Any vectors, zero ones among them. What they span is told in float64 by their
            singular values, up to rounding.

    Returns:
        Projections in the precision of ``x``, in which the products over all pairs are taken.
        Zero, if all directions are. NaN for a run whose directions are not finite.

    Reference:
        Nanda et al., sections 4.2 and 4.4.
    """
    rows = directions.double()
    is_finite = reduce(rows.isfinite(), "... row n -> ... 1 1", "all")
    found = torch.linalg.svd(torch.where(is_finite, rows, 0), full_matrices=False)
    rounding = max(rows.shape[-2:]) * torch.finfo(torch.float64).eps
    is_spanned = rounding * found.S[..., :1] < found.S
    axes = torch.where(is_finite, is_spanned[..., None] * found.Vh, torch.nan).to(x.dtype)
    return (x @ axes.mT) @ axes


def without_equals(
    scores: Float[Tensor, "*run pair key head"],
) -> Float[Tensor, "*run pair key head"]:
    """Pattern of the last position with no attention to itself (A10): a softmax over a and b.

    Args:
        scores: Before the softmax; the last of the three keys is ``=``.

    Returns:
        Weights that sum to 1 over ``key``; those of ``=`` are 0.

    Reference:
        Nanda et al., appendices A.1 and C.1.3.
    """
    pattern = scores[..., :2, :].softmax(dim=-2)
    return torch.cat([pattern, 0 * pattern[..., :1, :]], dim=-2)


def linear_pattern(
    scores: Float[Tensor, "*run pair key head"],
) -> Float[Tensor, "*run pair key head"]:
    r"""Pattern of the last position with a straight line in place of the softmax (A11).

    What attention gives to a and b together is left as it is. Of it a has the share
    :math:`\sigma(s_a - s_b)`, a sigmoid; here the share is :math:`\alpha + \beta (s_a - s_b)`, the
    fit of the sigmoid by least squares over the pairs, head by head.

    Args:
        scores: Before the softmax; the keys are a, b and ``=``.

    Returns:
        Weights that sum to 1 over ``key``; as a line leaves [0, 1], some may be negative. A head
        whose scores never differ has the share that it had. In the precision of ``scores``, the
        fit in float64.

    Reference:
        Nanda et al., appendix C.1.3, which says that the softmax over two tokens is a sigmoid and
        replaces it by a linear map, not by which: that, and what becomes of ``=``, is our choice.
    """
    s = scores.double()
    x = s[..., 0, :] - s[..., 1, :]
    share = x.sigmoid()
    centred, mean = x - x.mean(dim=-2, keepdim=True), share.mean(dim=-2, keepdim=True)
    squares = centred.square().sum(dim=-2, keepdim=True)
    products = (centred * (share - mean)).sum(dim=-2, keepdim=True)
    slope = torch.where(squares == 0, torch.zeros_like(squares), products / squares)
    line = mean + slope * centred
    to_equals = s.softmax(dim=-2)[..., 2, :]
    of_pair = 1 - to_equals
    pattern = torch.stack([of_pair * line, of_pair * (1 - line), to_equals], dim=-2)
    return pattern.to(scores.dtype)
