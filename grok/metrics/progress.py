"""Progress measures of a network that adds mod p: what the key frequencies do for its loss.

Shapes: ``run`` - independent runs trained together; ``p`` - group order; ``pair`` - all p^2 pairs,
(a, b) at index a p + b; ``cls`` - the p classes, the ``=`` class cut off by the caller; ``freq`` -
frequencies 0, 1, ..., p // 2. A set of key frequencies is a mask over ``freq``, so that the runs of
a stack may have sets of different sizes.

The projections need the logits of all pairs, also for a loss on the training pairs alone: on a part
of the pairs the waves are not orthogonal. For b -> a - b take the pairs in the order of -b.
"""

import torch
from einops import einsum
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from grok.metrics.fourier import fourier_basis
from grok.metrics.group_fourier import pairs_by_product
from grok.metrics.irrep_logits import losses_without
from grok.metrics.pair_means import order_of, sum_means
from grok.metrics.pair_waves import Block, keep_waves

KEY_NORM = 0.25
"""Share of the largest norm from which a frequency is a key. The paper gives no number; with this
one the key sets of its published models come out."""

CLUSTER_FVE = 0.85
"""Explained variance from which a neuron belongs to a frequency (section 4.3)."""

CLUSTER_SHARE = 0.02
"""Share of the neurons that makes a frequency a key although none belongs to it."""


def key_frequencies(
    power: Float[Tensor, "*run freq"], threshold: float = KEY_NORM
) -> Bool[Tensor, "*run freq"]:
    """Frequencies whose norm is above a share of the largest one: rules L and E.

    Args:
        power: Power per frequency as :func:`~grok.metrics.fourier.fourier_power` gives it: of the
            neuron-to-logit map W_L = W_U W_out (``[p, d_mlp]``) for rule L, which the paper states
            for its losses; of the embedding for rule E, which also finds frequencies that the
            read-out ignores.
        threshold: Share of the largest norm, in [0, 1).

    Returns:
        Mask; entry 0, the constant, is never a key. No key where all power is 0 or NaN. The last
        frequency, (p - 1) / 2 or p / 2, counts like the others.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, appendix C.2. The released loop stops one frequency
        short of (p - 1) / 2.
    """
    norm = power.double().sqrt()
    norm = torch.cat([torch.zeros_like(norm[..., :1]), norm[..., 1:]], dim=-1)
    return norm > threshold * norm.amax(dim=-1, keepdim=True)


def cluster_frequencies(explained: Float[Tensor, "*run freq n"]) -> Bool[Tensor, "*run freq"]:
    """Frequencies that best explain some neurons: rule N.

    Args:
        explained: Share of each neuron's variance by frequency, from
            :func:`~grok.metrics.pair_waves.explained_by_frequency`.

    Returns:
        Mask of the frequencies that are the best of at least ``CLUSTER_SHARE`` of the neurons, or
        of one with a share above ``CLUSTER_FVE``. A neuron that nothing explains has no best.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, the released code. There one neuron is enough, which
        lets stray neurons of imperfect models add frequencies.
    """
    frequency = torch.arange(explained.shape[-2], device=explained.device)
    best = explained.max(dim=-2, keepdim=True)
    is_best = (best.indices == frequency[:, None]) & (best.values > 0)
    is_common = is_best.double().mean(dim=-1) >= CLUSTER_SHARE
    return (is_common | (is_best & (best.values > CLUSTER_FVE)).any(dim=-1)) & (frequency > 0)


def restricted_logits(
    logits: Float[Tensor, "*run pair cls"],
    is_key: Bool[Tensor, "*#run freq"],
    block: Block = "sum",
) -> Float64[Tensor, "*run pair cls"]:
    """Logits of which only the waves of the key frequencies and each class's mean are left.

    Args:
        logits: Logits on all pairs.
        is_key: Key frequencies.
        block: ``sum`` (the measure of the paper and its code), ``block2x2`` or ``block3x3``.

    Returns:
        Logits; with no key every pair has the same. Together with
        :func:`excluded_logits` they sum to the logits plus each class's mean.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, section 5.1.
    """
    mean = logits.mean(dim=-2, keepdim=True, dtype=torch.float64)
    return keep_waves(logits, is_key[..., None], block) + mean


def excluded_logits(
    logits: Float[Tensor, "*run pair cls"],
    is_key: Bool[Tensor, "*#run freq"],
    block: Block = "sum",
) -> Float64[Tensor, "*run pair cls"]:
    """Logits without the waves of the key frequencies; all else stays, the constant too.

    Args:
        logits: Logits on all pairs.
        is_key: Key frequencies.
        block: As for :func:`restricted_logits`.

    Returns:
        Logits; with no key those that were given.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, section 5.1.
    """
    return logits - keep_waves(logits, is_key[..., None], block)


def excluded_loss_by_frequency(
    logits: Float[Tensor, "*run pair cls"],
    is_counted: Bool[Tensor, "*#run pair"],
    means: Float[Tensor, "*run p cls"] | None = None,
) -> Float64[Tensor, "*run freq"]:
    """Mean cross-entropy of addition when a single frequency is excluded, for each frequency.

    The excluded wave depends on a + b alone, so that all frequencies together cost less than one
    further pass over the logits (:func:`~grok.metrics.irrep_logits.losses_without`). The maximum
    over frequencies is the paper's measure that needs no key set.

    Args:
        logits: Logits on all pairs.
        is_counted: Pairs of the split, at least one.
        means: Their :func:`~grok.metrics.pair_means.sum_means`, if they are there already.

    Returns:
        Loss in nats; entry 0 is the loss without any change. Infinite where logits and wave
        together swing by more than some 700 nats.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, appendix C.2, footnote, and figure 15.
    """
    element = torch.arange(order_of(logits), device=logits.device)
    table = (element[:, None] + element) % len(element)
    loss = losses_without(logits, _waves(sum_means(logits) if means is None else means), table)
    weight = is_counted[..., pairs_by_product(table)].double()[..., None, :, :]
    counted = torch.where(weight > 0, loss, torch.zeros_like(loss))
    return counted.sum(dim=(-2, -1)) / weight.sum(dim=(-2, -1))


def _waves(means: Float[Tensor, "*run p cls"]) -> Float64[Tensor, "*run freq p cls"]:
    """Projection of the logits on the waves of a + b of each frequency; 0 for frequency 0."""
    p = means.shape[-2]
    basis = fourier_basis(p).to(means.device)
    coefficient = basis @ means.double()
    frequency = torch.arange(p // 2 + 1, device=means.device)
    row = torch.stack([2 * frequency - 1, 2 * frequency], dim=-1)  # of cos and of sin
    exists = (row > 0) & (row < p) & (frequency > 0)[:, None]
    kept = torch.where(exists[..., None], basis[row.clamp(0, p - 1)], 0.0)
    return einsum(
        kept, coefficient[..., row.clamp(0, p - 1), :], "freq w s, ... freq w c -> ... freq s c"
    )


def gini(x: Float[Tensor, "*run n"]) -> Float64[Tensor, "*run"]:
    r"""Gini coefficient of non-negative numbers: how unequal they are.

    With the numbers in ascending order

    .. math:: G = 1 - 2 \sum_{i=1}^n \frac{x_i}{\sum_j x_j} \frac{n - i + 1/2}{n}.

    Args:
        x: Norms of Fourier components (not their squares) for the paper's measure.

    Returns:
        0 for equal numbers, 1 - 1/n for a single non-zero one, blind to scale. All zero is 0/0 =
        NaN.

    Reference:
        Hurley and Rickard, `Comparing measures of sparsity <https://arxiv.org/abs/0811.4706>`_;
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, section 5.1.
    """
    n = x.shape[-1]
    ascending = x.double().sort(dim=-1).values
    rank = torch.arange(1, n + 1, device=x.device)
    weighted = (ascending * (n - rank + 0.5) / n).sum(dim=-1)
    return 1 - 2 * weighted / ascending.sum(dim=-1)


def component_norms(weight: Float[Tensor, "*run p d"]) -> Float64[Tensor, "*run p"]:
    """Norm of each Fourier component of a matrix over its columns, in the order of the basis.

    Args:
        weight: Embedding, or the neuron-to-logit map W_L; rows are group elements.

    Returns:
        Norms; their squares sum to the squared Frobenius norm.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, sections 4.1 and 4.2.
    """
    basis = fourier_basis(weight.shape[-2]).to(weight.device)
    return torch.linalg.vector_norm(basis @ weight.double(), dim=-1)
