"""Where the Fourier circuit lies: read-out directions, attention, rank of the neuron-to-logit map.

Shapes: ``run`` - independent runs trained together; ``p`` - group order; ``pair`` - all p^2 pairs,
(a, b) at index a p + b; ``d_mlp`` - neurons; ``head``; ``freq`` - frequencies 0, 1, ..., p // 2;
``wave`` - rows of :func:`~grok.metrics.fourier.fourier_basis`: row 0 the constant, then cos and
sin of each frequency. Spectra and fits are computed in float64.
"""

import math
from typing import NamedTuple

import torch
from einops import rearrange, reduce
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from grok.metrics.fourier import fourier_basis, fourier_power
from grok.metrics.pair_means import order_of, sum_means
from grok.metrics.spectra import singular_values


class ReadOut(NamedTuple):
    """How well a wave of a + b stands for the activations along a read-out direction."""

    coefficient: Float64[Tensor, "*run wave"]
    """Factor on cos or sin of w_k (a + b), in the units of the activations times the weights."""
    explained: Float64[Tensor, "*run wave"]
    """Share of the variance over pairs, in [0, 1]; 0 where there is none."""


def read_out(
    contribution: Float[Tensor, "*run pair cls"], means: Float[Tensor, "*run p cls"] | None = None
) -> ReadOut:
    r"""Activations along each read-out direction against the wave that they should be.

    The rows of :math:`F W_L` are the directions :math:`u_k, v_k` that the read-out looks along. In
    a Fourier circuit :math:`u_k \cdot N(a, b)` is a multiple of :math:`\cos(w_k(a+b))` and
    :math:`v_k \cdot N(a, b)` of :math:`\sin(w_k(a+b))`. All of them are in :math:`F (W_L N)`.

    Args:
        contribution: :math:`W_L N`: activations N after the non-linearity at the last position, on
            all pairs, through the map :math:`W_L = W_U W_{out}` to the p classes.
        means: Its :func:`~grok.metrics.pair_means.sum_means`, if they are there already.

    Returns:
        Coefficient and share for each wave. Of the constant both are 0.

    Raises:
        ValueError: If the number of pairs is no square.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, section 4.2 and table 1.
    """
    p, device = order_of(contribution), contribution.device
    basis = fourier_basis(p).to(device)
    means = sum_means(contribution) if means is None else means
    along = torch.diagonal(basis @ means.double() @ basis.mT, dim1=-2, dim2=-1)
    frequency = (torch.arange(p, device=device) + 1) // 2
    along = along * (frequency > 0)
    projected = contribution.double() @ basis.mT
    total = reduce(
        (projected - projected.mean(dim=-2, keepdim=True)).square(),
        "... pair wave -> ... wave",
        "sum",
    )
    energy = p * along.square()
    explained = torch.where(total == 0, torch.zeros_like(energy), energy / total)
    # The largest entry of a unit wave is that of its cosine: cos(0).
    unit = torch.where(2 * frequency == p, 1.0, math.sqrt(2)) / math.sqrt(p)
    return ReadOut(along * unit, explained)


def outside_keys(
    weight: Float[Tensor, "*run p d"], is_key: Bool[Tensor, "*#run freq"]
) -> Float64[Tensor, "*run"]:
    """Frobenius norm of a matrix without the waves of the key frequencies, over its own norm.

    Args:
        weight: Neuron-to-logit map W_L, or an embedding; rows are group elements.
        is_key: Key frequencies; entry 0, the constant, is never one.

    Returns:
        Ratio in [0, 1]. A zero matrix gives 0/0 = NaN.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, section 4.2: below 0.55 % in the main run.
    """
    power = fourier_power(weight)
    kept = (power * is_key)[..., 1:].sum(dim=-1)
    return (1 - kept / power.sum(dim=-1)).clamp_min(0).sqrt()


def rank_gap(
    weight: Float[Tensor, "*run p d"], is_key: Bool[Tensor, "*#run freq"]
) -> Float64[Tensor, "*run"]:
    """Singular value at twice the number of keys over the next one.

    Two directions per key are what a Fourier circuit reads; a large ratio says that the matrix has
    no more.

    Args:
        weight: Neuron-to-logit map W_L; rows are group elements.
        is_key: Key frequencies; entry 0, the constant, is not counted.

    Returns:
        Ratio, at least 1. NaN with no key or with as many directions as singular values. For even
        p the key p / 2 has one direction, and is counted so.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, section 4.2.
    """
    p = weight.shape[-2]
    frequency = torch.arange(p // 2 + 1, device=weight.device)
    n_directions = torch.where(2 * frequency == p, 1, 2) * (frequency > 0)
    values = singular_values(weight)
    index = (is_key * n_directions).sum(dim=-1).expand(values.shape[:-1])
    exists = (index > 0) & (index < values.shape[-1])
    last = (index - 1).clamp(0, values.shape[-1] - 1)
    after = index.clamp(0, values.shape[-1] - 1)
    ratio = values.gather(-1, last[..., None]) / values.gather(-1, after[..., None])
    return torch.where(exists, ratio[..., 0], torch.nan)


def attention_explained(
    to_first: Float[Tensor, "*run pair head"],
) -> Float64[Tensor, "*run freq head"]:
    r"""Share of the variance of attention to a that one frequency explains.

    Attention from ``=`` to a is compared with

    .. math:: c_0 + \alpha(\cos w_k a - \cos w_k b) + \beta(\sin w_k a - \sin w_k b),

    fitted for each frequency: attention to a and to b are nearly complementary.

    Args:
        to_first: Pattern from the last position to the first, on all pairs.

    Returns:
        Share in [0, 1]; entry 0, the constant, is 0. A head whose pattern never changes has 0.

    Raises:
        ValueError: If the number of pairs is no square.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, appendix C.1.2 and table 2.
    """
    p = order_of(to_first)
    x = to_first.double()
    grid = rearrange(x, "... (a b) head -> ... head a b", a=p)
    difference = grid.mean(dim=-1) - grid.mean(dim=-2)
    power = rearrange(fourier_power(difference[..., None]), "... head freq -> ... freq head")
    # The two waves of a frequency have the squared norm p^2 each, twice that for k = p / 2.
    energy = p / 2 * torch.cat([torch.zeros_like(power[..., :1, :]), power[..., 1:, :]], dim=-2)
    total = p * p * x.var(dim=-2, correction=0, keepdim=True)
    return torch.where(total == 0, torch.zeros_like(energy), energy / total)
