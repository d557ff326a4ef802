r"""What the irreducible representations of a group do in the logits of all pairs.

Shapes: ``run`` - independent runs trained together; ``n`` - elements of the group, of which there
are n products h = a·b and n classes; ``pair`` - all n^2 pairs, (a, b) at index a n + b; ``cls`` -
classes; ``irrep`` - real irreducible representations, the trivial one first; ``part`` - any
functions of product and class.

The group enters as tensors, as in :mod:`grok.metrics.group_fourier`. What belongs to a
representation depends on the pair by its product alone, so it is a table of n products and no table
of n^2 pairs is made for any of them. All is computed in float64.
"""

import torch
from einops import einsum, reduce
from jaxtyping import Float, Float64, Int, Int64
from torch import Tensor

from grok.metrics.group_fourier import irrep_power, pairs_by_product, product_means


def irrep_parts(
    logits: Float[Tensor, "*run pair cls"],
    basis: Float64[Tensor, "n n"],
    index: Int64[Tensor, " n"],
    n_irreps: int,
    table: Int[Tensor, "n n"],
) -> Float64[Tensor, "*run {n_irreps} n cls"]:
    r"""What each representation contributes to the logits, as a function of the product.

    Class by class, the projection on the functions :math:`\rho_{ij}(a \cdot b)` of the pair. The
    sum over a set of representations other than the trivial one, put at every pair, is
    :func:`~grok.metrics.group_fourier.restrict_to_irreps`.

    Args:
        logits: Logits of all pairs, or any functions of the pair.
        basis: From :func:`~grok.metrics.group_fourier.irrep_basis`.
        index: From :func:`~grok.metrics.group_fourier.irrep_basis`.
        n_irreps: Number of representations.
        table: Table of the group.

    Returns:
        Row h of each is the contribution to pairs with a·b = h, in the units of the logits. That
        of the trivial representation is the mean over all pairs. They sum to
        :func:`~grok.metrics.group_fourier.product_means`.

    Reference:
        As for :func:`~grok.metrics.group_fourier.restrict_to_irreps`.
    """
    is_member = index == torch.arange(n_irreps, device=index.device)[:, None]
    coefficient = (basis @ product_means(logits, table))[..., None, :, :]
    return basis.mT @ (is_member[..., None] * coefficient)


def irrep_shares(
    logits: Float[Tensor, "*run pair cls"],
    basis: Float64[Tensor, "n n"],
    index: Int64[Tensor, " n"],
    n_irreps: int,
    table: Int[Tensor, "n n"],
) -> Float64[Tensor, "*run {n_irreps}"]:
    r"""Share of the logits' variation over pairs that each representation of the product explains.

    Sum of squares over pairs and classes of the projection on :math:`\rho_{ij}(a \cdot b)`, by that
    of the logits. Before, each pair's mean over classes, to which the loss is blind, and each
    class's mean over pairs are taken away. The functions may have any dependence on the class;
    :func:`~grok.metrics.group_fourier.character_coefficients` asks for that of the right answer.

    Args:
        logits: Logits of all pairs.
        basis: From :func:`~grok.metrics.group_fourier.irrep_basis`.
        index: From :func:`~grok.metrics.group_fourier.irrep_basis`.
        n_irreps: Number of representations.
        table: Table of the group.

    Returns:
        Shares in [0, 1], of the trivial representation 0 up to rounding. They sum to the share of
        what depends on the product alone, at most 1. Logits that do not vary give 0/0 = NaN, or a
        ratio of rounding errors.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, section 4.1, where norms of single waves of the logits
        are shown; here for any group, by representation, as a share.
    """
    logits = logits.double()
    centred = logits - logits.mean(dim=-1, keepdim=True)
    centred = centred - centred.mean(dim=-2, keepdim=True)
    power = irrep_power(product_means(centred, table), basis, index, n_irreps)
    return len(table) * power / reduce(centred.square(), "... pair cls -> ... 1", "sum")


def losses_without(
    logits: Float[Tensor, "*run pair n"],
    part: Float64[Tensor, "*run part n n"],
    table: Int[Tensor, "n n"],
) -> Float64[Tensor, "*run part n n"]:
    r"""Cross-entropy of every pair when a function of product and class is taken from the logits.

    With :math:`g(h, c)` one of the functions, at the pairs with :math:`a \cdot b = h`

    .. math:: \sum_c e^{L_{abc} - g(h, c)} = \sum_c e^{L_{abc}} e^{-g(h, c)},

    a matrix product for each h: many functions together cost about as much as one.

    Args:
        logits: Logits of all pairs; the right class of a pair is its product.
        part: Functions to take away, row h for the pairs with a·b = h.
        table: Table of the group.

    Returns:
        Entry [h, a] is the loss in nats of the pair (a, b) with a·b = h, in the order of
        :func:`~grok.metrics.group_fourier.pairs_by_product`. Infinite where logits and function
        together swing by more than some 700 nats.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, section 5.1, excluded loss.
    """
    by_product = logits.double()[..., pairs_by_product(table), :]
    top = by_product.amax(dim=-1, keepdim=True)
    lowest = part.amin(dim=-1, keepdim=True)
    total = einsum(
        (by_product - top).exp(), (lowest - part).exp(), "... h a c, ... part h c -> ... part h a"
    )
    right = torch.diagonal(by_product, dim1=-3, dim2=-1).mT - top[..., 0]
    shift = torch.diagonal(part, dim1=-2, dim2=-1) - lowest[..., 0]
    return total.log() - right[..., None, :, :] + shift[..., None]
