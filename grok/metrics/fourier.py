"""Fourier content of functions on the cyclic group Z_p.

Shapes: ``run`` - independent runs trained together; ``p`` - group order; ``d_model`` - residual
width; ``freq`` - frequencies k = 0, 1, ..., p // 2. Frequency 0 is the constant. It has no
partner -k, nor has k = p / 2 when p is even; each other frequency is a pair of cos and sin.

An embedding is the rows of W_E for the group elements 0, ..., p - 1, in that order: the caller
cuts off the ``=`` and operation tokens. All is computed in float64.
"""

import math

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Float64
from torch import Tensor


def fourier_basis(p: int) -> Float64[Tensor, "p p"]:
    r"""Orthonormal real Fourier basis of the functions on Z_p, one wave per row.

    Row 0 is the constant :math:`1/\sqrt p`; rows :math:`2k - 1` and :math:`2k` are
    :math:`\sqrt{2/p}\cos(2\pi k n/p)` and :math:`\sqrt{2/p}\sin(2\pi k n/p)`. For even p the
    last row is the alternating wave :math:`(-1)^n/\sqrt p` of frequency p / 2, which has no
    sine. Row i thus has frequency :math:`\lfloor (i + 1)/2 \rfloor`.

    Args:
        p: Group order, at least 1.

    Returns:
        Matrix F with :math:`F F^T = I`; ``F @ embedding`` are the coefficients.

    Raises:
        ValueError: If ``p`` is below 1.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, section 3.1. The released code has no alternating
        row, hence no basis for even p.
    """
    if p < 1:
        raise ValueError(f"p must be at least 1, got {p}")
    n = torch.arange(p)
    k = torch.arange(1, (p + 1) // 2)
    # Reduced as integers, so that the angle of a large k n loses no digits.
    angle = 2 * math.pi / p * (k[:, None] * n % p).double()
    wave = rearrange([angle.cos(), angle.sin()], "wave freq n -> (freq wave) n")
    constant = torch.ones(1, p, dtype=torch.float64)
    alternating = (1 - 2.0 * (n[None] % 2)).double()[p % 2 :]  # no row when p is odd
    return torch.cat([constant / math.sqrt(p), wave * math.sqrt(2 / p), alternating / math.sqrt(p)])


def fourier_power(
    embedding: Float[Tensor, "*run p d_model"],
) -> Float64[Tensor, "*run p//2+1"]:
    r"""Power of an embedding in each frequency of Z_p, summed over residual directions.

    The squared coefficients of cos and sin in :func:`fourier_basis`, added up for each
    frequency. The basis is orthonormal, so they sum to :math:`\lVert W_E \rVert_F^2`.

    Args:
        embedding: Rows of :math:`W_E` for the group elements, see the module.

    Returns:
        Power per frequency, non-negative, in the units of the squared weights. Entry 0 is the
        power of the mean row; for even p the last entry is that of a single wave.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, section 4.1. There the norms of the Fourier
        components are plotted; here their squares, so that they add up.
    """
    p = embedding.shape[-2]
    coefficient = torch.fft.rfft(embedding.double(), dim=-2, norm="ortho")
    power = reduce(coefficient.abs().square(), "... freq d_model -> ... freq", "sum")
    # rfft returns one of each conjugate pair (k, p - k).
    frequency = torch.arange(p // 2 + 1, device=embedding.device)
    is_paired = (frequency != 0) & (2 * frequency != p)
    return torch.where(is_paired, 2 * power, power)


def fourier_concentration(embedding: Float[Tensor, "*run p d_model"]) -> Float64[Tensor, "*run"]:
    r"""Concentration of an embedding in few frequencies, as published (C_Fourier).

    With amplitudes :math:`F_{kj} = |\mathrm{rfft}(W_E)_{kj}|` (unnormalised transform over the
    group, column j) and their mean :math:`m_k` over columns,

    .. math:: C = \frac{\mathrm{Var}_k(m_k)}{\mathrm{mean}_{kj}(F_{kj} - m_k)^2 + 10^{-8}},

    both population variances over k = 0, ..., p // 2. Although a ratio of variances it is no
    F statistic: the constant is included and there are no degrees of freedom.
    :func:`fourier_f_statistic` corrects both.

    Args:
        embedding: Rows of :math:`W_E` for the group elements, see the module.

    Returns:
        Ratio, non-negative, blind to the scale of the embedding but for the 1e-8. For 128
        Gaussian columns and p = 113 it is 0.0083; a large mean row raises it. 0 for zero.

    Reference:
        Singh et al., `Explaining Grokking in Transformers through the Lens of Inductive Bias
        <https://arxiv.org/abs/2602.06702>`_, figure 2, in the form of the released code.
    """
    amplitude = torch.fft.rfft(embedding.double(), dim=-2).abs()
    between = amplitude.mean(dim=-1).var(dim=-1, correction=0)
    within = amplitude.var(dim=-1, correction=0).mean(dim=-1)
    return between / (within + 1e-8)


def fourier_f_statistic(embedding: Float[Tensor, "*run p d_model"]) -> Float64[Tensor, "*run"]:
    r"""One-way F statistic of an embedding's Fourier amplitudes, grouped by frequency.

    :math:`\mathrm{MS}_{between}/\mathrm{MS}_{within}` of the amplitudes
    :math:`|\mathrm{rfft}(W_E)_{kj}|`: groups are the G frequencies with cos and sin,
    k = 1, ..., (p - 1) // 2, observations the d columns, degrees of freedom G - 1 and
    G (d - 1). It is about 1 when columns are Gaussian noise, whatever p and d.

    Left out are the constant, and for even p the frequency p / 2: one real coefficient has
    another distribution than the modulus of two, so noise alone would give more than 1.

    Args:
        embedding: Rows of :math:`W_E` for the group elements, see the module.

    Returns:
        Ratio, non-negative, blind to the scale and to the mean row of the embedding. An
        embedding without variation gives 0/0 = NaN, or a ratio of rounding errors.

    Raises:
        ValueError: If ``p`` is below 5 (fewer than two groups) or ``d_model`` below 2.

    Reference:
        Not in a paper: :func:`fourier_concentration` with its two defects removed.
    """
    p, d_model = embedding.shape[-2:]
    if p < 5 or d_model < 2:
        raise ValueError(f"need p of at least 5 and d_model of at least 2, got {p} and {d_model}")
    spectrum = torch.fft.rfft(embedding.double(), dim=-2)
    amplitude = spectrum[..., 1 : (p + 1) // 2, :].abs()
    between = d_model * amplitude.mean(dim=-1).var(dim=-1, correction=1)
    within = amplitude.var(dim=-1, correction=1).mean(dim=-1)
    return between / within


def top_share(power: Float[Tensor, "*run freq"], k: int) -> Float64[Tensor, "*run"]:
    """Share of the non-constant power that lies in the k strongest frequencies.

    A network that has found the Fourier solution of modular addition keeps nearly all power
    in a handful of frequencies.

    Args:
        power: Power of the frequencies 0, 1, ..., as :func:`fourier_power` returns it. The
            first entry, the constant, is not counted.
        k: Number of frequencies, at least 1. More than there are means all.

    Returns:
        Share in [k / (number of frequencies), 1]. With no power at all it is 0/0 = NaN.

    Raises:
        ValueError: If ``k`` is below 1.

    Reference:
        Not in a paper: a sparsity that needs no choice of key frequencies.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    strongest = power[..., 1:].double().sort(dim=-1, descending=True).values
    return strongest[..., :k].sum(dim=-1) / strongest.sum(dim=-1)
