"""What an embedding makes of the parallelograms of its task.

Shapes: ``run`` - independent runs trained together; ``p`` - symbols; ``d`` - dimensions of an
embedding; ``row`` - both axes of a matrix embedding; ``para``, ``sample`` - see
:mod:`grok.metrics.samples`. All is computed in float64; a run whose values are not finite
gets NaN, or no parallelogram, and leaves the others alone.

Liu et al. is `Towards Understanding Grokking: An Effective Theory of Representation Learning
<https://arxiv.org/abs/2205.10343>`_.
"""

from typing import Literal, NamedTuple, get_args

import torch
from einops import reduce as sum_over
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from grok.metrics.parallelograms import reached
from grok.metrics.samples import Samples

Normalize = Literal["std", "none"]
Reduce = Literal["mean", "sum", "distance"]


class Convention(NamedTuple):
    """When a parallelogram counts as realised: ``rqi(embedding, rows, *TRAIN_ADD)``."""

    normalize: Normalize
    """``std`` centres and divides each dimension by its unbiased standard deviation."""
    reduce: Reduce
    """Over dimensions: mean or sum of the squared defect, or its Euclidean norm."""
    threshold: float
    """Below it the parallelogram is realised."""


TRAIN_ADD = Convention("std", "mean", 0.01)
"""The released training script; a defect of 0.1 standard deviations in one dimension."""
DIAGRAMS = Convention("std", "sum", 0.01)
"""The published phase diagrams, which leave out symbol 0: :func:`rows_without`."""
PAPER = Convention("none", "distance", 0.01)
"""The paper's text: the distance itself, in the units of the embedding."""


def rows_without(rows: Int64[Tensor, "para p"], symbol: int) -> Int64[Tensor, "some p"]:
    """The equations that do not name a symbol.

    Args:
        rows: As in :class:`grok.metrics.samples.Samples`.
        symbol: 0 for the index set of the published diagrams: 50 of 70 at p = 10, so that their
            representation quality is a multiple of 0.02.
    """
    return rows[rows[:, symbol] == 0]


def defects(
    embedding: Float[Tensor, "*run p d"],
    rows: Int64[Tensor, "para p"],
    normalize: Normalize = "std",
    reduce: Reduce = "mean",
) -> Float64[Tensor, "*run para"]:
    """How far each parallelogram is from closing: the size of E_i + E_j - E_m - E_n.

    Args:
        embedding: One row per symbol.
        rows: Equations, as in :class:`grok.metrics.samples.Samples`.
        normalize: See :class:`Convention`.
        reduce: See :class:`Convention`.

    Returns:
        Non-negative; squared for ``mean`` and ``sum``, a distance for ``distance``. A dimension
        without variation adds 0 under ``std``, although it is counted by ``mean``; where none
        varies all is 0/0 = NaN: such an embedding closes every parallelogram and tells nothing.

    Raises:
        ValueError: If ``normalize`` or ``reduce`` is none of its choices.

    Reference:
        Liu et al., equations 2 and 3, where nothing is normalised; ``std`` is the released code.
    """
    if normalize not in get_args(Normalize) or reduce not in get_args(Reduce):
        raise ValueError(
            f"normalize={normalize!r}, reduce={reduce!r}: allowed are std, none and "
            "mean, sum, distance"
        )
    value = embedding.double()
    if normalize == "std":
        std = value.std(dim=-2, keepdim=True)
        varies = (std > 0).any(dim=-1, keepdim=True)
        value = (value - value.mean(dim=-2, keepdim=True)) / torch.where(
            (std > 0) | ~varies, std, 1
        )
    squared = (rows.double() @ value).square()
    if reduce == "mean":
        return squared.mean(dim=-1)
    return squared.sum(dim=-1) if reduce == "sum" else squared.sum(dim=-1).sqrt()


def product_defects(
    matrices: Float[Tensor, "*run p row row"], samples: Samples
) -> Float64[Tensor, "*run para"]:
    """How far each parallelogram of a group is from closing: E_a E_b - E_c E_d, squared, mean.

    Args:
        matrices: One square matrix per element. They are scaled by the root mean square of all
            entries of all of them, and not centred.
        samples: :func:`grok.metrics.samples.group_samples` of the group.

    Returns:
        Non-negative; NaN where all matrices are 0.

    Reference:
        Liu et al., appendix H, with ||E_a E_b - E_c E_d||_F^2 and no scale. Scale and mean are
        the released code.
    """
    value = matrices.double()
    scale = sum_over(value.square(), "... p row column -> ... 1 1 1", "mean").sqrt()
    left, right = (value[..., samples.pairs[:, k], :, :] for k in (0, 1))
    product = (left / scale) @ (right / scale)
    first, second = samples.parallelograms.unbind(dim=1)
    difference = product[..., first, :, :] - product[..., second, :, :]
    return sum_over(difference.square(), "... para row column -> ... para", "mean")


def realised(
    defect: Float64[Tensor, "*run para"], threshold: float = 0.01
) -> Bool[Tensor, "*run para"]:
    """Which parallelograms close: P(R).

    Args:
        defect: From :func:`defects` or :func:`product_defects`. NaN closes none.
        threshold: In the units of the defect: squared for all but ``distance``.

    Reference:
        Liu et al., equation 2.
    """
    return defect < threshold


def _share_realised(
    defect: Float64[Tensor, "*run para"], threshold: float
) -> Float64[Tensor, "*run"]:
    share = realised(defect, threshold).double().mean(dim=-1)
    return torch.where(defect.isnan().any(dim=-1), torch.nan, share)


def rqi(
    embedding: Float[Tensor, "*run p d"],
    rows: Int64[Tensor, "para p"],
    normalize: Normalize = "std",
    reduce: Reduce = "mean",
    threshold: float = 0.01,
) -> Float64[Tensor, "*run"]:
    """Representation quality index: share of the parallelograms that an embedding realises.

    Args:
        embedding: One row per symbol.
        rows: Equations of the parallelograms that are counted.
        normalize: See :class:`Convention`, like the next two. The default is :data:`TRAIN_ADD`.
        reduce: See above.
        threshold: See above.

    Returns:
        Share in [0, 1]; NaN without rows, and where an embedding is not finite or, under ``std``,
        does not vary.

    Reference:
        Liu et al., equation 3. In many dimensions chance realises few, and a circle none of
        those of addition without mod: the paper's own caveat.
    """
    return _share_realised(defects(embedding, rows, normalize, reduce), threshold)


def matrix_rqi(
    matrices: Float[Tensor, "*run p row row"], samples: Samples, threshold: float = 0.5
) -> Float64[Tensor, "*run"]:
    """Representation quality index of matrices that are multiplied, as for permutations.

    Args:
        matrices: One square matrix per element.
        samples: :func:`grok.metrics.samples.group_samples` of the group.
        threshold: On the mean squared entry of :func:`product_defects`.

    Returns:
        Share in [0, 1]; NaN where the matrices are not finite or all 0.

    Reference:
        Liu et al., appendix H, with scale and threshold of the released code.
    """
    return _share_realised(product_defects(matrices, samples), threshold)


def predicted_accuracy(
    is_realised: Bool[Tensor, "*run para"], is_train: Bool[Tensor, "*run sample"], samples: Samples
) -> Float64[Tensor, "*run"]:
    """Accuracy over all samples, trained ones included, that an embedding explains.

    A sample counts if it is trained or shares a realised parallelogram with one that is: one hop,
    no chain through samples that are themselves only predicted.

    Args:
        is_realised: From :func:`realised`.
        is_train: Training set.
        samples: The task.

    Returns:
        Share in [share of the training set, 1]. To be compared with the accuracy over all
        samples, not with that of validation.

    Reference:
        Liu et al., equations 12 and 13.
    """
    return reached(is_realised, is_train, samples).double().mean(dim=-1)
