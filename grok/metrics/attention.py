r"""Sharpness of attention: entropy, saturation, and the distance between the two.

Shapes: ``run`` - independent runs trained together; ``batch`` - examples; ``head``; ``query``;
``key`` - positions that may be attended to, always the last axis; ``axes`` - any leading axes,
kept. ``scores`` are before the softmax, with :math:`-\infty` where masked; ``pattern`` is after.
"""

import torch
from einops import reduce
from jaxtyping import Float, Float64
from torch import Tensor


def attention_entropy(pattern: Float[Tensor, "*axes key"]) -> Float64[Tensor, "*axes"]:
    r"""Entropy :math:`-\sum_k A_k \ln A_k` of each query's attention, :math:`0 \ln 0 = 0`.

    Args:
        pattern: Attention weights; each row sums to one, masked keys have weight 0.

    Returns:
        Entropy in nats: 0 for a query that attends to one key, ln(n) for one that is uniform
        over n keys. Its exponential is the effective number of keys. Computed in float64; rows
        rounded to float32 may exceed ln(n) by about 1e-7. NaN weights give NaN.
    """
    return torch.special.entr(pattern.double()).sum(dim=-1)


def published_entropy(
    pattern: Float[Tensor, "*run batch head query key"], eps: float = 1e-9
) -> Float64[Tensor, "*run"]:
    r"""Entropy of the head-averaged attention, mean over examples and all query rows.

    Heads are averaged *before* the entropy, so heads that each look at one key of their own
    count as uniform: the value is never below the mean of :func:`attention_entropy` over heads.
    All query rows enter, also those that no output is read from.

    Args:
        pattern: Attention weights; each row sums to one.
        eps: Weights are clamped to at least this before the logarithm and in the product.
            The paper says that it clamps but not at what value; 1e-9 is our choice and moves
            the entropy by at most 2e-8 per key.

    Returns:
        Entropy in nats, from about 0 to ln(number of keys); ln 3 = 1.0986 for uniform
        attention over ``a b =``.

    Reference:
        Singh et al., `Explaining Grokking in Transformers through the Lens of Inductive Bias
        <https://arxiv.org/abs/2602.06702>`_, figure 3c. Computed in float64.
    """
    mean_head = reduce(pattern.double(), "... head query key -> ... query key", "mean")
    clamped = mean_head.clamp(min=eps)
    return reduce(torch.special.entr(clamped).sum(dim=-1), "... batch query -> ...", "mean")


def saturated_pattern(
    scores: Float[Tensor, "*axes key"], tol: float = 1e-6
) -> Float[Tensor, "*axes key"]:
    r"""Saturated attention: uniform over the keys whose score ties with the largest.

    The limit of :math:`\mathrm{softmax}(c \cdot a)` for :math:`c \to \infty`, with scores
    :math:`a_k \ge m - \mathrm{tol} \cdot \max(1, |m|)` taken as tied, :math:`m = \max_k a_k`.
    The tolerance makes up for scores that are equal but for rounding.

    Args:
        scores: Scores before the softmax; masked keys are :math:`-\infty`, not a large
            negative number. A masked key is never attended to.
        tol: Relative tolerance of a tie, absolute for scores below 1. 0 asks for equality.

    Returns:
        Weights that sum to one, in the dtype of ``scores``, so that it can stand in for a
        softmax. Ties are judged in float64. Like softmax it gives NaN for a row with no
        unmasked key, with NaN or with :math:`+\infty`.

    Reference:
        Merrill et al., `Effects of Parameter Norm Growth During Transformer Training
        <https://arxiv.org/abs/2010.09697>`_, section 2; the "strong" saturated attention of
        Merrill, Sabharwal and Smith, `Saturated Transformers are Constant-Depth Threshold
        Circuits <https://arxiv.org/abs/2106.16213>`_. Both define ties by equality.
    """
    score = scores.double()
    largest = score.amax(dim=-1, keepdim=True)
    threshold = largest - tol * largest.abs().clamp(min=1)
    is_attended = ((score >= threshold) & (score > -torch.inf)).to(scores.dtype)
    return is_attended / is_attended.sum(dim=-1, keepdim=True)


def total_variation(
    p: Float[Tensor, "*axes key"], q: Float[Tensor, "*axes key"]
) -> Float64[Tensor, "*axes"]:
    r"""Total variation distance :math:`\frac12 \sum_k |p_k - q_k|` of two distributions.

    Between a pattern and its :func:`saturated_pattern` it says how far a head is from
    saturation: 0 is saturated. It is well conditioned and needs no scaled parameters.

    Args:
        p: Weights that sum to one over the last axis.
        q: The same, of the same shape.

    Returns:
        Distance in [0, 1], in float64: 0 for equal, 1 for disjoint distributions.
    """
    return (p.double() - q.double()).abs().sum(dim=-1) / 2


def kl_divergence(
    p: Float[Tensor, "*axes key"], q: Float[Tensor, "*axes key"]
) -> Float64[Tensor, "*axes"]:
    r"""Kullback-Leibler divergence :math:`\sum_k p_k \ln(p_k / q_k)` of q from p.

    Args:
        p: Weights that sum to one over the last axis.
        q: The same, of the same shape.

    Returns:
        Nats, non-negative but for rounding, in float64; infinite where q is 0 and p is not. A key
        that p does not have adds nothing, whatever q gives it.
    """
    p, q = p.double(), q.double()
    return -(torch.special.entr(p) + torch.special.xlogy(p, q)).sum(dim=-1)


def rounded_pattern(
    pattern: Float[Tensor, "*axes key"], share: float = 0.9
) -> Float[Tensor, "*axes key"]:
    r"""Uniform over the keys whose weight is above a share of the largest weight.

    A tie by weights, where :func:`saturated_pattern` has one by scores: above 0.9 of the largest
    is within :math:`-\ln 0.9 = 0.105` of the largest score.

    Args:
        pattern: Attention weights.
        share: In [0, 1).

    Returns:
        Weights that sum to one, in the dtype of ``pattern``; NaN for a row with NaN or without
        weight.

    Reference:
        The target of the divergence that the later `saturate` code of Merrill et al. reports.
    """
    weight = pattern.double()
    is_kept = (weight > share * weight.amax(dim=-1, keepdim=True)).to(pattern.dtype)
    return is_kept / is_kept.sum(dim=-1, keepdim=True)
