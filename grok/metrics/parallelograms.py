r"""Parallelograms: what equal labels ask of an embedding, and what a training set thereby decides.

Shapes: ``run`` - independent training sets; ``sample``, ``para``, ``p`` - see
:mod:`grok.metrics.samples`; ``row`` - equations; ``n`` - unknowns.

Two distinct samples (a, b) and (c, d) of equal label are a parallelogram: a network that reads
E_a + E_b gives them one answer if E_a + E_b = E_c + E_d, an equation linear in the embedding, alike
in each of its dimensions. A training set is a mask over the samples. What follows from its labels
alone is here; what an embedding makes of it is in :mod:`grok.metrics.representation`.

Liu et al. is `Towards Understanding Grokking: An Effective Theory of Representation Learning
<https://arxiv.org/abs/2205.10343>`_.
"""

import torch
from jaxtyping import Bool, Float64, Int64
from torch import Tensor

from grok.metrics.samples import Samples

PRIME = 2**31 - 1
"""Modulus of exact elimination: products of two residues fit into 64 bits."""


def in_training(
    is_train: Bool[Tensor, "*run sample"], samples: Samples
) -> Bool[Tensor, "*run para"]:
    """Which parallelograms have both samples in the training set: P0(D).

    Reference:
        Liu et al., equation 1.
    """
    first, second = samples.parallelograms.unbind(dim=1)
    return is_train[..., first] & is_train[..., second]


def integer_rank(rows: Int64[Tensor, "*run row n"]) -> Int64[Tensor, "*run"]:
    """Rank of integer matrices, by elimination without fractions modulo 2^31 - 1.

    No rounding, so no tolerance: the smallest eigenvalue of a Gram matrix that is not 0 falls like
    n^-4 even for a chain of equal differences, and no bound keeps it above a fixed 1e-8.

    Args:
        rows: Entries small beside 2^31.

    Returns:
        At most the rank over the rational numbers, so that a nullity found to be the least
        possible is proven. Smaller than it only if the prime divides every minor of full rank,
        as one in 2e9 numbers does.
    """
    left = rows % PRIME
    rank = torch.zeros_like(rows[..., 0, 0])
    for column in range(rows.shape[-1]):
        candidate = left[..., column]
        where = (candidate != 0).long().argmax(dim=-1)[..., None]
        lead = candidate.gather(-1, where)
        pivot = torch.take_along_dim(left, where[..., None], dim=-2)
        # Cross-multiplied: the pivot's own row, and every other's column, become 0.
        crossed = (left * lead[..., None] - candidate[..., None] * pivot) % PRIME
        left = torch.where(lead[..., None] != 0, crossed, left)
        rank = rank + (lead[..., 0] != 0)
    return rank


def nullity(is_train: Bool[Tensor, "*run sample"], samples: Samples) -> Int64[Tensor, "*run"]:
    """Freedom that a training set leaves to an embedding: p - rank of its equations, n_0.

    Exact for every p (:func:`integer_rank`). Of the C(n_s, 2) equations of a label the n_s - 1
    against its first sample span all, so p = 60 needs at most 1,830 rows and not 17,980.

    Args:
        is_train: Training set.
        samples: The task.

    Returns:
        Number in [2, p] for addition (the constant vector and the number line solve everything),
        in [1, p] for labels in general. 2 means that the number line is forced.

    Reference:
        Liu et al., section 3.2 and appendix C. Their code counts the eigenvalues of A^T A below
        1e-8.
    """
    return samples.p - integer_rank(_spanning_rows(is_train, samples))


def _spanning_rows(
    is_train: Bool[Tensor, "*run sample"], samples: Samples
) -> Int64[Tensor, "*run sample p"]:
    """For each training sample the equation with the first one of its label; 0 for the others."""
    counts = torch.nn.functional.one_hot(samples.pairs, samples.p).sum(dim=1)
    is_equal = samples.labels[:, None] == samples.labels
    first = (is_equal & is_train[..., None, :]).long().argmax(dim=-1)
    return torch.where(is_train[..., None], counts - counts[first], 0)


def is_implied(
    is_train: Bool[Tensor, "*run sample"], samples: Samples
) -> Bool[Tensor, "*run para"]:
    """Which parallelograms follow from those of the training set: P(D).

    The equation of such a one is a sum of multiples of the training set's, hence 0 on all that
    these leave free: |a V_0| < 1e-8 in every direction, V_0 an orthonormal basis of their null
    space. The basis is the last right singular vectors, as many as the exact nullity says. They
    come from the equations and not from A^T A, whose condition is the square.

    Args:
        is_train: Training set.
        samples: The task.

    Returns:
        Mask over all parallelograms, those in the training set included.

    Reference:
        Liu et al., equation 14. Their code compares two ranks for each parallelogram, which gives
        the same.
    """
    equations = _spanning_rows(is_train, samples)
    n_free = samples.p - integer_rank(equations)
    basis = torch.linalg.svd(equations.double(), full_matrices=False).Vh.mT
    place = torch.arange(samples.p - 1, -1, -1, device=is_train.device)
    free = torch.where(place < n_free[..., None, None], basis, 0)
    return (samples.rows.double() @ free).abs().amax(dim=-1) < 1e-8


def reached(
    is_realised: Bool[Tensor, "*run para"], is_train: Bool[Tensor, "*run sample"], samples: Samples
) -> Bool[Tensor, "*run sample"]:
    """Samples that are trained, or share a parallelogram of a set with one that is.

    One hop: a sample that is reached so reaches no other.

    Args:
        is_realised: The set: parallelograms of an embedding, or implied ones.
        is_train: Training set.
        samples: The task.

    Returns:
        Mask over the samples, D-bar.

    Reference:
        Liu et al., equation 12.
    """
    first, second = samples.parallelograms.unbind(dim=1)
    hits = torch.zeros_like(is_train, dtype=torch.long)
    hits = hits.index_add(-1, first, (is_realised & is_train[..., second]).long())
    hits = hits.index_add(-1, second, (is_realised & is_train[..., first]).long())
    return is_train | (hits > 0)


def ideal_rqi(is_train: Bool[Tensor, "*run sample"], samples: Samples) -> Float64[Tensor, "*run"]:
    """Representation quality that the training set allows for: |P(D)| / |P0|.

    Returns:
        Share in [0, 1]; NaN if the task has no parallelogram (p below 3).

    Reference:
        Liu et al., appendix D. Coincidences may exceed it at small training sets.
    """
    return is_implied(is_train, samples).double().mean(dim=-1)


def ideal_accuracy(
    is_train: Bool[Tensor, "*run sample"], samples: Samples
) -> Float64[Tensor, "*run"]:
    """Accuracy over all samples, trained ones included, that the training set allows for.

    Returns:
        Share in (0, 1] of the samples that implied parallelograms reach from the training set. A
        label that never occurs in training keeps it below 1 even on the perfect line.

    Reference:
        Liu et al., equations 12 to 14.
    """
    return reached(is_implied(is_train, samples), is_train, samples).double().mean(dim=-1)


def ideal_validation_accuracy(
    is_train: Bool[Tensor, "*run sample"], samples: Samples
) -> Float64[Tensor, "*run"]:
    """Accuracy on the samples that are not trained that the training set allows for.

    Returns:
        Share in [0, 1]; NaN if every sample is trained. Where it is below 0.9, no
        hyper-parameters make a run reach a validation accuracy of 0.9 but by luck.

    Reference:
        Not in the paper: the share (|D-bar| - |D|) / |D'| of its quantities.
    """
    is_reached = reached(is_implied(is_train, samples), is_train, samples)
    return (is_reached & ~is_train).sum(dim=-1).double() / (~is_train).sum(dim=-1)
