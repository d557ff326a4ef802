r"""Logits as a sum of cosines :math:`\sum_k \alpha_k \cos(w_k(a + b - c))`.

Shapes: ``run`` - independent runs trained together; ``p`` - group order; ``pair`` - all p^2 pairs,
(a, b) at index a p + b; ``cls`` - the p classes; ``freq`` - frequencies 0, 1, ..., p // 2;
w_k = 2 pi k / p.

The cosines are orthogonal as functions of (a, b, c), with squared norm p^3 / 2 (p^3 for k = p / 2).
So a fit by least squares needs the sums over the p^2 triples that share a + b - c, and no array of
p^3 numbers for each frequency. All is computed in float64.
"""

import math
from typing import Literal, get_args

import torch
from einops import reduce
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from grok.metrics.pair_means import on_pairs, order_of, sum_means

Centring = Literal["raw", "row_centred", "centred"]
"""What is taken off the logits before their variance is counted: nothing; the mean over classes of
each pair, which the softmax does not see; or that and the mean over pairs of each class."""
CENTRINGS: tuple[Centring, ...] = get_args(Centring)


def cosine_coefficients(
    logits: Float[Tensor, "*run pair cls"], means: Float[Tensor, "*run p cls"] | None = None
) -> Float64[Tensor, "*run freq"]:
    r"""Least-squares coefficients :math:`\alpha_k` of :math:`\cos(w_k(a + b - c))`.

    Args:
        logits: Logits on all pairs.
        means: Their :func:`~grok.metrics.pair_means.sum_means`, if they are there already.

    Returns:
        Coefficient per frequency, in the units of the logits; entry 0 is their mean. A term that is
        the same for all classes, or for all pairs, changes no other entry.

    Raises:
        ValueError: If the number of pairs is no square.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, section 4.2 and figure 14.
    """
    p = order_of(logits)
    element = torch.arange(p, device=logits.device)
    means = sum_means(logits) if means is None else means
    # Entry d is the mean over a + b = s and c = s - d, then over s.
    by_offset = means[..., element[None], (element[None] - element[:, None]) % p].mean(dim=-1)
    cosine = _cosines(p, logits.device)
    return by_offset @ cosine / cosine.square().sum(dim=0)


def cosine_energy(coefficients: Float[Tensor, "*run freq"], p: int) -> Float64[Tensor, "*run freq"]:
    r"""Sum of squares over (a, b, c) of :math:`\alpha_k \cos(w_k(a + b - c))`, per frequency.

    Args:
        coefficients: From :func:`cosine_coefficients`.
        p: Group order.

    Returns:
        Energies in squared logits; their roots are the projections on unit cosines that the
        paper's figure 14 shows.
    """
    norm = p * p * _cosines(p, coefficients.device).square().sum(dim=0)
    return norm * coefficients.double().square()


def cosine_share(
    logits: Float[Tensor, "*run pair cls"],
    is_key: Bool[Tensor, "*#run freq"],
    centring: Centring = "row_centred",
    means: Float[Tensor, "*run p cls"] | None = None,
) -> Float64[Tensor, "*run"]:
    r"""Share of the logits' squares that cosines of the key frequencies explain (FVE).

    Args:
        logits: Logits on all pairs.
        is_key: Key frequencies; entry 0 is not looked at.
        centring: What the denominator leaves out, see :data:`Centring`. The cosines are the same
            under each.
        means: As for :func:`cosine_coefficients`.

    Returns:
        Share in [0, 1]. Logits without variance give 0/0 = NaN.

    Raises:
        ValueError: If the number of pairs is no square.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, section 4.2.
    """
    x = logits.double()
    if centring != "raw":
        x = x - x.mean(dim=-1, keepdim=True)
    if centring == "centred":
        x = x - x.mean(dim=-2, keepdim=True)
    energy = cosine_energy(cosine_coefficients(logits, means), order_of(logits))
    explained = (energy * is_key)[..., 1:].sum(dim=-1)
    return explained / reduce(x.square(), "... pair cls -> ...", "sum")


def cosine_logits(
    coefficients: Float[Tensor, "*run freq"], is_key: Bool[Tensor, "*#run freq"], p: int
) -> Float64[Tensor, "*run p"]:
    r"""The sum of cosines of the key frequencies as a function of d = a + b - c.

    Args:
        coefficients: From :func:`cosine_coefficients`.
        is_key: Key frequencies; entry 0 is not looked at.
        p: Group order.

    Returns:
        Value for d = 0, ..., p - 1; d = 0 is the right class. Its cross-entropy is that of the
        sum of cosines on any set of pairs.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, section 4.2.
    """
    kept = (coefficients.double() * is_key)[..., 1:]
    return kept @ _cosines(p, coefficients.device)[:, 1:].mT


def without_cosines(
    logits: Float[Tensor, "*run pair cls"], is_key: Bool[Tensor, "*#run freq"]
) -> Float64[Tensor, "*run pair cls"]:
    """Logits from which the sum of cosines of the key frequencies is taken: the variant ``cube``.

    Args:
        logits: Logits on all pairs.
        is_key: Key frequencies; entry 0 is not looked at.

    Returns:
        Logits; with no key those that were given.

    Raises:
        ValueError: If the number of pairs is no square.
    """
    p = order_of(logits)
    wave = cosine_logits(cosine_coefficients(logits), is_key, p)
    return logits - on_pairs({"sum": cosine_table(wave)})


def cosine_table(wave: Float[Tensor, "*run p"]) -> Float[Tensor, "*run p cls"]:
    """A function of a + b - c, such as :func:`cosine_logits` gives, by a + b and the class c."""
    element = torch.arange(wave.shape[-1], device=wave.device)
    return wave[..., (element[:, None] - element) % len(element)]


def _cosines(p: int, device: torch.device) -> Float64[Tensor, "p freq"]:
    """cos(w_k d); angles are reduced as integers, so that they lose no digits."""
    k = torch.arange(p // 2 + 1, device=device)
    d = torch.arange(p, device=device)
    return (2 * math.pi / p * (d[:, None] * k % p).double()).cos()
