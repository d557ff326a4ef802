r"""Spectra of activations and weights, and how compressible they are.

Shapes: ``run`` - independent runs trained together; ``batch`` - examples (or rows of a weight);
``d_model`` - features; ``n`` - length of a spectrum, in any order.

For :math:`H` (batch x d_model) with singular values :math:`\sigma_i`, the eigenvalues
:math:`\lambda_i = \sigma_i^2` are those of the Gram matrix :math:`H^T H`, neither centred nor
divided by the batch. All is computed in float64. A run whose values are not finite gets NaN and
leaves the other runs of the stack alone, where LAPACK would refuse the whole stack.

Singh et al. is `Explaining Grokking in Transformers through the Lens of Inductive Bias
<https://arxiv.org/abs/2602.06702>`_.
"""

import math
from typing import NamedTuple

import torch
from einops import reduce
from jaxtyping import Float, Float64, Int64
from torch import Tensor


class PowerLawFit(NamedTuple):
    """Maximum-likelihood power law of the upper tail of a spectrum, one entry per run."""

    alpha: Float64[Tensor, "*run"]
    """Exponent of the density, above 1."""
    x_min: Float64[Tensor, "*run"]
    """Smallest value of the tail."""
    n_tail: Int64[Tensor, "*run"]
    """Number of values in the tail, at least 3."""
    ks: Float64[Tensor, "*run"]
    """Kolmogorov-Smirnov distance of the tail from the fit, in (0, 1]."""


def gram_eigenvalues(H: Float[Tensor, "*run batch d_model"]) -> Float64[Tensor, "*run d_model"]:
    r"""Eigenvalues of :math:`H^T H`, descending.

    A third of the cost of :func:`singular_values`, but singular values below 1e-8 of the largest
    are lost: right for effective and stable rank, wrong for numerical rank and tail exponents.

    Args:
        H: One row per example; any mean is left in.

    Returns:
        Eigenvalues in squared units of ``H``, negative rounding errors set to 0. With fewer
        rows than columns the last d_model - batch are rounding errors.

    Reference:
        Singh et al., figure 6. The released code squares the Gram matrix in float32 and takes
        roots: noise below 3e-4 of the largest.
    """
    value = H.double()
    gram = value.mT @ value
    is_finite = reduce(gram.isfinite(), "... row column -> ... 1", "all")
    safe = torch.where(is_finite[..., None], gram, 0)
    eigenvalue = torch.linalg.eigvalsh(safe).clamp(min=0).flip(-1)
    return torch.where(is_finite, eigenvalue, torch.nan)


def singular_values(
    H: Float[Tensor, "*run batch d_model"],
) -> Float64[Tensor, "*run min(batch,d_model)"]:
    """Singular values of a matrix, descending, with errors of some 1e-16 of the largest.

    Args:
        H: One row per example; any mean is left in.

    Returns:
        Singular values in the units of ``H``; their squares are the eigenvalues.
    """
    is_finite = reduce(H.isfinite(), "... batch d_model -> ... 1", "all")
    safe = torch.where(is_finite[..., None], H.double(), 0)
    return torch.where(is_finite, torch.linalg.svdvals(safe), torch.nan)


def effective_rank(eigenvalues: Float[Tensor, "*run n"]) -> Float64[Tensor, "*run"]:
    r"""Effective rank :math:`\exp(-\sum_i q_i \ln q_i)`, :math:`q_i = \lambda_i/\sum_j \lambda_j`.

    The number of equally strong directions that would have the same entropy of energy.

    Args:
        eigenvalues: Squared singular values, non-negative, in any order.

    Returns:
        Value in [1, n], r for r equal eigenvalues; NaN for an all-zero spectrum. Blind to
        scale. :math:`0 \ln 0 = 0`.

    Reference:
        Singh et al., figure 6, where a zero eigenvalue gives NaN. Roy and Vetterli, `The
        effective rank`, EUSIPCO 2007, normalise singular values; pass those for theirs.
    """
    eigenvalue = eigenvalues.double()
    share = eigenvalue / eigenvalue.sum(dim=-1, keepdim=True)
    return torch.special.entr(share).sum(dim=-1).exp()


def stable_rank(eigenvalues: Float[Tensor, "*run n"]) -> Float64[Tensor, "*run"]:
    r"""Stable rank :math:`\sum_i \lambda_i/\lambda_{max} = (\lVert H\rVert_F/\lVert H\rVert_2)^2`.

    Args:
        eigenvalues: Squared singular values, non-negative, in any order.

    Returns:
        Value in [1, n], at most the rank; an all-zero spectrum gives NaN. Blind to scale.

    Reference:
        Rudelson and Vershynin, `Sampling from large matrices`, J. ACM 2007, section 1.
    """
    eigenvalue = eigenvalues.double()
    return eigenvalue.sum(dim=-1) / eigenvalue.amax(dim=-1)


def published_stable_rank(eigenvalues: Float[Tensor, "*run n"]) -> Float64[Tensor, "*run"]:
    r"""Published stable rank :math:`\sqrt{\sum_i \lambda_i^2}/\lambda_{max}`.

    It is the root of the stable rank of the Gram matrix :math:`H^T H`, not that of H.

    Args:
        eigenvalues: Squared singular values, non-negative, in any order.

    Returns:
        Value in [1, sqrt(n)]; an all-zero spectrum gives NaN. Blind to scale.

    Reference:
        Singh et al., in the form of the released code.
    """
    eigenvalue = eigenvalues.double()
    return torch.linalg.vector_norm(eigenvalue, dim=-1) / eigenvalue.amax(dim=-1)


def numerical_rank(
    singular_values: Float[Tensor, "*run n"], rtol: float | None = None
) -> Float64[Tensor, "*run"]:
    r"""Number of singular values above ``rtol`` times the largest.

    Args:
        singular_values: From :func:`singular_values`, in any order; not their squares.
        rtol: Relative tolerance. The default :math:`\sqrt{n \, \epsilon_{32}}`, 0.0039 for
            n = 128, is :math:`\lambda_i > n \, \epsilon_{32} \lambda_{max}`: the published
            tolerance, which stems from float32, on a spectrum without the errors of float32.
            n is the length of the spectrum: d_model, if there are as many rows.

    Returns:
        Whole number in [0, n], 0 for zero; float64, so that a diverged run can be NaN.

    Reference:
        Singh et al., figure 6, where the rank is that of the Gram matrix in float32.
    """
    if rtol is None:
        rtol = math.sqrt(singular_values.shape[-1] * torch.finfo(torch.float32).eps)
    value = singular_values.double()
    is_counted = value > rtol * value.amax(dim=-1, keepdim=True)
    return torch.where(value.isnan().any(dim=-1), torch.nan, is_counted.double().sum(dim=-1))


def power_law_fit(eigenvalues: Float[Tensor, "*run n"], max_candidates: int = 512) -> PowerLawFit:
    r"""Power law :math:`p(\lambda) \propto \lambda^{-\alpha}` of the tail above the best x_min.

    The tail of :math:`x_{min}`, m values :math:`\lambda_i \ge x_{min}`, has
    :math:`\alpha = 1 + m/\sum_i \ln(\lambda_i/x_{min})`; chosen is the :math:`x_{min}` with the
    smallest Kolmogorov-Smirnov distance :math:`\sup |F_{tail} - F_{fit}|`. A smaller exponent
    is a heavier tail. With some 128 values the choice jumps between readings: read ``n_tail``
    and ``ks`` beside it, or :func:`rank_slope`.

    Args:
        eigenvalues: Squares of :func:`singular_values`, in any order. Zeros are excluded;
            rounding errors are not zeros, and the caller sets them to 0.
        max_candidates: Each positive value but the largest two is a candidate for x_min, so a
            tail has at least 3 values; this many of them at most, evenly spaced in rank.
            Memory is several times ``max_candidates`` x n doubles for each run.

    Returns:
        The fit. NaN and ``n_tail`` 0 if no tail has unequal values or a value is not finite.

    Reference:
        Clauset, Shalizi and Newman, `Power-law distributions in empirical data
        <https://arxiv.org/abs/0706.1062>`_, equations 3.1 and 3.9. Their code and the
        ``powerlaw`` package, which Singh et al. use, leave out the largest value only and look
        at the lower edge of each step of :math:`F_{tail}`, here at both.
    """
    value = _finite_or_zero(eigenvalues).sort(dim=-1).values
    n = value.shape[-1]
    n_candidates = min(max(n - 2, 1), max_candidates)
    place = torch.linspace(0, max(n - 3, 0), n_candidates, device=value.device).round().long()
    fits = _tail_fits(value, value[..., place])
    best = fits.ks.nan_to_num(nan=torch.inf).argmin(dim=-1, keepdim=True)
    return PowerLawFit(*(each.take_along_dim(best, dim=-1).squeeze(-1) for each in fits))


def rank_slope(
    eigenvalues: Float[Tensor, "*run n"], first: int = 1, last: int | None = None
) -> Float64[Tensor, "*run"]:
    r"""Slope s of :math:`\lambda_i \propto i^{-s}`, least squares of ln(value) on ln(rank).

    It needs no choice of a tail. The density :math:`\lambda^{-a}` has :math:`a = 1 + 1/s`.

    Args:
        eigenvalues: As for :func:`power_law_fit`.
        first: Rank of the largest eigenvalue used, counted from 1.
        last: Rank of the smallest one used; by default the last positive one.

    Returns:
        Slope, non-negative, blind to scale: 0 for equal values. NaN with fewer than two positive
        values in the window, or if a value is not finite.

    Raises:
        ValueError: If ``first`` is below 1.

    Reference:
        Agrawal et al., `alpha-ReQ`, NeurIPS 2022. They leave out both ends of the spectrum
        (``first``, ``last``); here all positive values are the default.
    """
    if first < 1:
        raise ValueError(f"first must be at least 1, got {first}")
    value = _finite_or_zero(eigenvalues).sort(dim=-1, descending=True).values[..., first - 1 : last]
    rank = torch.arange(first, first + value.shape[-1], device=value.device)
    log_rank, log_value = rank.double().log(), torch.where(value > 0, value, 1).log()
    weight = (value > 0).double() / (value > 0).sum(dim=-1, keepdim=True)
    centred = log_rank - (weight * log_rank).sum(dim=-1, keepdim=True)
    covariance = (weight * centred * log_value).sum(dim=-1)
    return -covariance / (weight * centred.square()).sum(dim=-1)


def _finite_or_zero(spectrum: Float[Tensor, "*run n"]) -> Float64[Tensor, "*run n"]:
    """The spectrum in float64; all zero if an entry is not finite."""
    is_finite = spectrum.isfinite().all(dim=-1, keepdim=True)
    return torch.where(is_finite, spectrum.double(), 0)


def _tail_fits(value: Float64[Tensor, "*run n"], x_min: Float64[Tensor, "*run m"]) -> PowerLawFit:
    """Fits of the tails of an ascending spectrum above each x_min; NaN and 0 if unusable."""
    n = value.shape[-1]
    is_tail = value[..., None, :] >= x_min[..., None]
    n_tail = is_tail.sum(dim=-1)
    log_value, log_x_min = (torch.where(x > 0, x, 1).log() for x in (value, x_min))
    excess = torch.where(is_tail, log_value[..., None, :] - log_x_min[..., None], 0)
    total = excess.sum(dim=-1)
    exponent = n_tail / total
    fitted = -torch.expm1(-exponent[..., None] * excess)
    # Of tied values the first has the lower edge of their common step and the last the upper.
    size = n_tail[..., None].double()
    n_below = torch.arange(n, device=value.device) - (n - size)
    lower, upper = n_below / size, (n_below + 1) / size
    gap = torch.where(is_tail, torch.maximum(fitted - lower, upper - fitted), 0).amax(dim=-1)
    is_usable = (x_min > 0) & (n_tail >= 3) & (total > 0)
    alpha, x_min, ks = (torch.where(is_usable, x, torch.nan) for x in (1 + exponent, x_min, gap))
    return PowerLawFit(alpha, x_min, torch.where(is_usable, n_tail, 0), ks)
