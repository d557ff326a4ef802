"""Waves over pairs (a, b) of elements of Z_p: what of a function depends on one frequency.

Shapes: ``run`` - independent runs trained together; ``p`` - group order; ``pair`` - all p^2 pairs,
(a, b) at index a p + b; ``n`` - functions of the pair: classes, neurons, heads; ``freq`` -
frequencies 0, 1, ..., p // 2 as in :mod:`grok.metrics.fourier`.

The waves of frequency k on pairs are products of {1, cos, sin} of w_k a with those of w_k b, where
w_k = 2 pi k / p. They are sums of waves of a alone, of b alone, of a + b and of a - b, and the part
of a function that depends on one of these four only is its mean over all pairs that share it. So
four tables of p means hold all that a projection on single frequencies needs, and no transform over
both elements is taken. All is computed in float64.
"""

from collections.abc import Mapping
from typing import Literal, get_args

import torch
from einops import rearrange, reduce
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from grok.metrics.fourier import fourier_basis
from grok.metrics.pair_means import PairMeans, Part, on_pairs, order_of, pair_means

Block = Literal["sum", "block2x2", "block3x3"]
"""Waves of one frequency: of a + b; of a + b and a - b, which are all products of a wave of a with
one of b; or these and the waves of a alone and of b alone."""

BLOCKS: tuple[Block, ...] = get_args(Block)
_PARTS: dict[Block, tuple[Part, ...]] = {
    "sum": ("sum",),
    "block2x2": ("sum", "difference"),
    "block3x3": ("sum", "difference", "first", "second"),
}


def keep_waves(
    x: Float[Tensor, "*run pair n"],
    is_key: Bool[Tensor, "*#run freq #n"],
    block: Block = "sum",
) -> Float64[Tensor, "*run pair n"]:
    r"""Orthogonal projection of functions of the pair on the waves of some frequencies.

    For ``sum`` and one frequency it is the projection on :math:`\cos(w_k(a+b))` and
    :math:`\sin(w_k(a+b))`, two directions; ``block2x2`` has four and ``block3x3`` eight. Of
    frequency p / 2, for even p, there are one, one and three: its waves of a + b and a - b are
    the same. Products of two different frequencies are never kept.

    Args:
        x: Any functions of the pair.
        is_key: Frequencies to keep; entry 0, the constant, is not looked at and never kept. The
            last axis is one, or a set of frequencies for each function.
        block: Which waves of a frequency.

    Returns:
        Table of the shape of ``x``. It has zero mean over pairs.

    Raises:
        ValueError: If the number of pairs is no square.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, section 5.1, and the released code (``sum``); section
        4.3 (``block3x3``). In the notation of the code: for every class the projection on two
        directions per key.
    """
    return on_pairs(wave_tables(pair_means(x).tables, is_key, block))


def wave_tables(
    means: Mapping[Part, Float[Tensor, "*run p n"]],
    is_key: Bool[Tensor, "*#run freq #n"],
    block: Block = "sum",
) -> dict[Part, Float64[Tensor, "*run p n"]]:
    """The projection of :func:`keep_waves` as a sum of functions of one coordinate each.

    Args:
        means: Of :func:`~grok.metrics.pair_means.pair_means`; the function itself is not needed.
        is_key: As for :func:`keep_waves`.
        block: Which waves of a frequency.

    Returns:
        A table for each coordinate that the block looks at, each of zero mean.
    """
    kept: dict[Part, Tensor] = {}
    for part in _PARTS[block]:
        basis = _basis(means[part])
        kept[part] = basis.mT @ (_is_row(is_key, len(basis), part) * (basis @ means[part]))
    return kept


def wave_energy(
    x: Float[Tensor, "*run pair n"], block: Block = "block3x3", means: PairMeans | None = None
) -> Float64[Tensor, "*run freq n"]:
    r"""Sum of squares over all pairs of a function's projection on the waves of each frequency.

    Args:
        x: Any functions of the pair.
        block: Which waves of a frequency.
        means: Those of ``x``, if they are there already.

    Returns:
        Squares in the units of ``x``, for each frequency; entry 0 is 0, as the constant is left
        out. For ``block3x3`` and centred functions they sum to at most the sum of squares of
        ``x``; the rest mixes two frequencies.

    Raises:
        ValueError: If the number of pairs is no square.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, section 4.3.
    """
    p = order_of(x)
    tables = (means or pair_means(x)).tables
    every = torch.ones(p // 2 + 1, 1, dtype=torch.bool, device=x.device)
    squares = torch.zeros((), dtype=torch.float64, device=x.device)
    for part in _PARTS[block]:
        coefficient = _is_row(every, p, part) * (_basis(tables[part]) @ tables[part])
        squares = squares + p * coefficient.square()  # p pairs share each of the p means
    constant = squares[..., :1, :]
    alternating = squares[..., p - 1 + p % 2 :, :]  # none when p is odd
    paired = rearrange(
        squares[..., 1 : p - 1 + p % 2, :], "... (freq wave) n -> ... freq wave n", wave=2
    )
    return torch.cat([constant, reduce(paired, "... wave n -> ... n", "sum"), alternating], dim=-2)


def explained_by_frequency(
    x: Float[Tensor, "*run pair n"], block: Block = "block3x3", means: PairMeans | None = None
) -> Float64[Tensor, "*run freq n"]:
    """Share of a function's variance over pairs that the waves of each frequency explain (FVE).

    With ``block3x3`` it is how well a polynomial of degree two in the cosines and sines of one
    frequency stands for a neuron. A neuron is a function of one frequency, not of a + b alone:
    with ``sum`` far less is explained.

    Args:
        x: Activations of neurons, or any functions of the pair.
        block: Which waves of a frequency.
        means: Those of ``x``, if they are there already.

    Returns:
        Share in [0, 1]; entry 0 is 0. A function that is the same for all pairs, such as a neuron
        that never fires, has 0.

    Raises:
        ValueError: If the number of pairs is no square.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, section 4.3.
    """
    means = means or pair_means(x)
    total = x.shape[-2] * means.variance[..., None, :]
    energy = wave_energy(x, block, means)
    return torch.where(total == 0, torch.zeros_like(energy), energy / total)


def block_waves(p: int, frequency: int) -> Float64[Tensor, "pair wave"]:
    """Orthonormal waves of ``block3x3`` of one frequency, for a projection by two thin products.

    Args:
        p: Group order.
        frequency: 1, ..., p // 2.

    Returns:
        The products of {1, cos, sin} of a with those of b but for the constant: eight columns,
        three for frequency p / 2. ``waves @ (waves.mT @ x)`` is ``keep_waves(x, ..., "block3x3")``
        at this frequency.

    Raises:
        ValueError: If there is no such frequency.
    """
    if not 1 <= frequency <= p // 2:
        raise ValueError(f"frequency={frequency} is not one of 1 to {p // 2}")
    basis = fourier_basis(p)
    rows = torch.cat([basis[:1], basis[2 * frequency - 1 : 2 * frequency + 1]])
    return rearrange(rows[:, None, :, None] * rows[:, None], "i j a b -> (a b) (i j)")[:, 1:]


def _is_row(
    is_key: Bool[Tensor, "*#run freq #n"], p: int, part: str
) -> Float64[Tensor, "*#run p #n"]:
    """1 for the rows of the basis that are kept, else 0."""
    frequency = (torch.arange(p, device=is_key.device) + 1) // 2
    is_counted = frequency > 0
    if part == "difference":  # the alternating wave of a - b is that of a + b
        is_counted = is_counted & (2 * frequency != p)
    return (is_key[..., frequency, :] & is_counted[:, None]).double()


def _basis(table: Float[Tensor, "*run p n"]) -> Float64[Tensor, "p p"]:
    return fourier_basis(table.shape[-2]).to(table.device)
