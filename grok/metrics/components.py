"""Principal components of an embedding: how many it has, and what is left without the others.

Shapes: ``run`` - independent runs trained together; ``p`` - symbols; ``d`` - dimensions of an
embedding; ``n`` - components. All is computed in float64; a run whose values are not finite gets
NaN and leaves the others alone.

Liu et al. is `Towards Understanding Grokking: An Effective Theory of Representation Learning
<https://arxiv.org/abs/2205.10343>`_.
"""

import torch
from einops import reduce
from jaxtyping import Float, Float64
from torch import Tensor

from grok.metrics.spectra import effective_rank, singular_values


def explained_variance(
    embedding: Float[Tensor, "*run p d"],
) -> Float64[Tensor, "*run min(p,d)"]:
    """Share of the variance of an embedding that each principal component has, descending.

    Args:
        embedding: One row per symbol; the mean row is taken off here.

    Returns:
        Shares that sum to 1; with d >= p the last is a rounding error, for the mean is gone. An
        embedding without variation gives 0/0 = NaN.

    Reference:
        Liu et al., section 4.2.
    """
    value = embedding.double()
    squared = singular_values(value - value.mean(dim=-2, keepdim=True)).square()
    return squared / squared.sum(dim=-1, keepdim=True)


def variance_entropy(embedding: Float[Tensor, "*run p d"]) -> Float64[Tensor, "*run"]:
    """Entropy S of the shares of :func:`explained_variance`, in nats.

    Returns:
        Value in [0, ln min(p - 1, d)], 0 ln 0 = 0; NaN without variation.

    Reference:
        Liu et al., section 4.2.
    """
    return effective_dimension(embedding).log()


def effective_dimension(embedding: Float[Tensor, "*run p d"]) -> Float64[Tensor, "*run"]:
    """Effective dimension exp(S) of an embedding: S the entropy of its explained variances.

    Returns:
        Value in [1, min(p - 1, d)]: 1 on a line, 2 on a circle. NaN without variation.

    Reference:
        Liu et al., section 4.2 and figure 7, left. It is the effective rank of the centred table.
    """
    return effective_rank(explained_variance(embedding))


def _components(reference: Float[Tensor, "*run p d"], n: int) -> Float64[Tensor, "*run d n"]:
    """Directions of the n strongest principal components, largest entry of each positive."""
    value = reference.double()
    centred = value - value.mean(dim=-2, keepdim=True)
    is_finite = reduce(centred.isfinite(), "... p d -> ... 1 1", "all")
    safe = torch.where(is_finite, centred, 0)
    basis = torch.linalg.svd(safe, full_matrices=False).Vh.mT[..., :n]
    largest = torch.take_along_dim(basis, basis.abs().argmax(dim=-2, keepdim=True), dim=-2)
    return torch.where(is_finite, basis * torch.where(largest < 0, -1.0, 1.0), torch.nan)


def on_components(
    embedding: Float[Tensor, "*run p d"], reference: Float[Tensor, "*run p d"], n: int = 2
) -> Float64[Tensor, "*run p n"]:
    """Coordinates of an embedding along the n strongest principal components of another.

    Args:
        embedding: What is projected; its own mean row is taken off.
        reference: Whose components they are, as an embedding at the end of its run.
        n: At most min(p, d).

    Returns:
        One row per symbol. The sign of a component is that which makes its largest entry positive.

    Raises:
        ValueError: If ``n`` is not between 1 and min(p, d).

    Reference:
        Liu et al., figure 1 and appendix K.
    """
    _check_components(embedding, n)
    value = embedding.double()
    return (value - value.mean(dim=-2, keepdim=True)) @ _components(reference, n)


def from_components(
    embedding: Float[Tensor, "*run p d"], reference: Float[Tensor, "*run p d"], n: int
) -> Float64[Tensor, "*run p d"]:
    """An embedding of which only n principal components, and the mean row, are left.

    Args:
        embedding: What is reduced.
        reference: Whose components are kept: the embedding itself, or that of the run's end.
        n: At most min(p, d), at which the embedding comes back if it is its own reference.

    Returns:
        The embedding with everything else taken out, to be read by the same decoder.

    Raises:
        ValueError: If ``n`` is not between 1 and min(p, d).

    Reference:
        Liu et al., appendix K, where the components of the end do better than the current ones.
    """
    kept = on_components(embedding, reference, n) @ _components(reference, n).mT
    return embedding.double().mean(dim=-2, keepdim=True) + kept


def _check_components(embedding: Float[Tensor, "*run p d"], n: int) -> None:
    largest = min(embedding.shape[-2:])
    if not 1 <= n <= largest:
        raise ValueError(f"n must be 1 to {largest}, got {n}")
