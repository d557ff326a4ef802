r"""Fourier analysis on a finite group: what of a function belongs to one representation.

Shapes: ``run`` - independent runs trained together; ``n`` - elements of the group, in the order of
:func:`grok.groups.group`; ``d_model`` - residual width; ``irrep`` - real irreducible
representations, in the order of :func:`grok.metrics.irreps.irreps`, the trivial one first;
``pair`` - all n^2 pairs, (a, b) at index a n + b; ``cls`` - classes.

For C_n the representations are the frequencies of :mod:`grok.metrics.fourier`. The group enters as
tensors: ``basis`` and ``index`` of :func:`irrep_basis`, ``characters`` of
:func:`irrep_characters` and ``table``, entry [a, b] the index of a·b. All is computed in float64.

Chughtai et al. is `A Toy Model of Universality: Reverse Engineering how Networks Learn Group
Operations <https://arxiv.org/abs/2302.03025>`_.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange, reduce
from jaxtyping import Bool, Float, Float64, Int, Int64
from torch import Tensor

from grok.metrics.irreps import irreps


class CharacterFit(NamedTuple):
    """Logits as a sum of characters of a·b·c^-1; one entry per run and representation."""

    coefficient: Float64[Tensor, "*run irrep"]
    """Factor of the character, in the units of the logits."""
    energy: Float64[Tensor, "*run irrep"]
    """Sum of squares of the term over all a, b, c."""
    share: Float64[Tensor, "*run irrep"]
    """Share of the variance over classes that the term explains, in [0, 1]; 0 for the trivial
    representation. They sum to at most 1."""
    raw_share: Float64[Tensor, "*run irrep"]
    """Energy as a share of the sum of squared logits, in [0, 1]. They sum to at most 1."""


def irrep_basis(name: str) -> tuple[Float64[Tensor, "n n"], Int64[Tensor, " n"]]:
    r"""Orthonormal basis of the functions on a group: normalised entries of the representations.

    Rows are :math:`\sqrt{d/n}\,\rho_{ij}(g)` over i, then j. For complex type only even j are
    independent of each other. On C_n it is :func:`grok.metrics.fourier.fourier_basis`.

    Args:
        name: As for :func:`grok.groups.group`.

    Returns:
        The basis, a matrix B with :math:`B B^T = I`, one function per row: ``B @ embedding`` are
        coefficients. The index of each row's representation, ascending from 0, the trivial one:
        :math:`d^2/e` rows belong to one of dimension d and commutant e.

    Raises:
        ValueError: If no group has this name, or if it has too many elements.

    Reference:
        Serre, `Linear Representations of Finite Groups`, section 2.2.
    """
    rows = []
    for irrep in irreps(name):
        n, d = irrep.matrices.shape[:2]
        independent = rearrange(irrep.matrices[:, :, :: irrep.commutant], "n i j -> (i j) n")
        rows.append(math.sqrt(d / n) * independent)
    index = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
    return torch.from_numpy(np.concatenate(rows)), torch.from_numpy(index)


def irrep_characters(name: str) -> Float64[Tensor, "irrep n"]:
    r"""Characters :math:`\chi_\rho(g) = \mathrm{tr}\,\rho(g)` of the real representations.

    Args:
        name: As for :func:`grok.groups.group`.

    Returns:
        Orthogonal rows, with sums of squares n for real and 2 n for complex type. The entry of
        the identity is the dimension. On C_n a plane has :math:`2 \cos(2\pi k g/n)`.

    Raises:
        ValueError: If no group has this name, or if it has too many elements.
    """
    return torch.from_numpy(np.stack([irrep.character for irrep in irreps(name)]))


def irrep_power(
    embedding: Float[Tensor, "*run n d_model"],
    basis: Float64[Tensor, "n n"],
    index: Int64[Tensor, " n"],
    n_irreps: int,
) -> Float64[Tensor, "*run {n_irreps}"]:
    r"""Power of an embedding in each irreducible representation, summed over residual directions.

    The squared coefficients in the basis, added up for each representation. It depends on the
    representations, not on their matrices. On C_n it is :func:`grok.metrics.fourier.fourier_power`.

    Args:
        embedding: Rows of :math:`W_E`, or of :math:`W_U^T`, for the elements of the group: the
            caller cuts off other tokens.
        basis: From :func:`irrep_basis`.
        index: From :func:`irrep_basis`.
        n_irreps: Number of representations.

    Returns:
        Power per representation, non-negative, in the units of the squared weights. They sum to
        :math:`\lVert W_E \rVert_F^2`. Entry 0 is the power of the mean row.

    Reference:
        Chughtai et al., section 5, where it is a share of the total. Departure: over R, where a
        representation of complex type is counted with its conjugate.
    """
    squares = reduce((basis @ embedding.double()).square(), "... n d_model -> ... n", "sum")
    is_member = index[:, None] == torch.arange(n_irreps, device=index.device)
    return squares @ is_member.double()


def pairs_by_product(table: Int[Tensor, "n n"]) -> Int64[Tensor, "n n"]:
    """The pairs of each product: entry [h, a] is the index of the pair (a, b) with a·b = h.

    Args:
        table: Table of the group.
    """
    n = len(table)
    b = table.argsort(dim=-1)  # a row is a permutation: entry [a, h] is the b with a·b = h
    a = torch.arange(n, device=table.device)
    return a * n + b.mT


def product_means(
    logits: Float[Tensor, "*run pair cls"], table: Int[Tensor, "n n"]
) -> Float64[Tensor, "*run n cls"]:
    """Mean of the logits over the n pairs with the same product a·b, for each product.

    Args:
        logits: Logits of all pairs, or any functions of the pair.
        table: Table of the group.

    Returns:
        Row h is the mean over pairs with a·b = h, in the units of the logits.

    Reference:
        Not in a paper: the projection on functions of the product.
    """
    return logits[..., pairs_by_product(table), :].mean(dim=-2, dtype=torch.float64)


def restrict_to_irreps(
    logits: Float[Tensor, "*run pair cls"],
    is_kept: Bool[Tensor, "*run irrep"],
    basis: Float64[Tensor, "n n"],
    index: Int64[Tensor, " n"],
    table: Int[Tensor, "n n"],
) -> Float64[Tensor, "*run pair cls"]:
    r"""Orthogonal projection of logits on the entries of :math:`\rho(a \cdot b)` of some irreps.

    Class by class, the projection P on the span of the functions :math:`\rho_{ij}(a \cdot b)` of
    the pair: means over pairs of one product, filtered along the product. *Restricted* logits are
    P(logits) plus the mean over all pairs, class by class; *excluded* logits are
    logits - P(logits). On C_n they are those of Nanda et al.

    Args:
        logits: Logits of all pairs, or any functions of the pair.
        is_kept: Representations to keep. Entry 0, the trivial one, is the mean over all pairs:
            it is not looked at and never kept.
        basis: From :func:`irrep_basis`.
        index: From :func:`irrep_basis`.
        table: Table of the group.

    Returns:
        Projection P(logits), with mean 0 over pairs; 0 if nothing is kept.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, section 5.1, for C_n. Departure from Chughtai et al.:
        in their code the losses of the same names project the embeddings and run the model on.
    """
    is_row = is_kept[..., index] & (index != 0)
    filtered = basis.mT @ (is_row[..., None] * (basis @ product_means(logits, table)))
    return filtered[..., rearrange(table, "a b -> (a b)"), :]


def character_coefficients(
    logits: Float[Tensor, "*run pair n"],
    characters: Float64[Tensor, "irrep n"],
    table: Int[Tensor, "n n"],
) -> CharacterFit:
    r"""Least squares of all logits on the characters :math:`\chi_\rho(a \cdot b \cdot c^{-1})`.

    The characters are orthogonal functions of (a, b, c), so each coefficient stands for itself:
    with :math:`S_g` the sum of the logits over all :math:`a \cdot b \cdot c^{-1} = g`,

    .. math:: \alpha_\rho = \frac{\sum_g S_g \chi_\rho(g)}{n^2 \sum_g \chi_\rho(g)^2}, \qquad
        \mathrm{energy}_\rho = \alpha_\rho^2 \, n^2 \sum_g \chi_\rho(g)^2.

    Except the trivial one, they are blind to terms that depend on the pair or on the class alone.

    Args:
        logits: Logits of all pairs; class c stands for element c.
        characters: From :func:`irrep_characters`. On C_n a plane has twice the cosine of Nanda
            et al., hence half their coefficient. Of complex type only this real part is fitted: a
            sine of a·b·c^-1 counts as unexplained.
        table: Table of the group.

    Returns:
        Coefficients, energies and shares of the logits. ``share`` is of the sum of squares after
        each pair's mean over classes is removed, to which the loss is blind; ``raw_share`` of that
        of the logits as they are. Logits equal over all classes give 0/0 = NaN in ``share``, or a
        ratio of rounding errors.

    Reference:
        Chughtai et al., section 5. Departure: their logit similarity is a cosine pair by pair,
        then averaged; here the root of ``share``, with the sign of the coefficient, is the cosine
        over the whole table.
    """
    logits = logits.double()
    n = len(table)
    c = torch.arange(n, device=table.device)
    S = n * product_means(logits, table)[..., table, c].sum(dim=-1)  # a·b = g·c
    squared_norm = n**2 * characters.square().sum(dim=-1)
    coefficient = S @ characters.mT / squared_norm
    energy = coefficient.square() * squared_norm
    centred = logits - logits.mean(dim=-1, keepdim=True)
    variation, total = (
        reduce(each.square(), "... pair n -> ... 1", "sum") for each in (centred, logits)
    )
    is_trivial = torch.arange(len(characters), device=energy.device) == 0
    share = torch.where(is_trivial, 0, energy) / variation
    return CharacterFit(coefficient, energy, share, energy / total)
