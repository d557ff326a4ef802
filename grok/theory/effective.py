r"""Effective theory of Liu et al.: a loss of embeddings alone, its Hessian and how fast it falls.

Shapes: ``run`` - independent training sets or embeddings; ``sample``, ``para``, ``p`` - see
:mod:`grok.metrics.samples`; ``d`` - dimensions of an embedding. All is float64.

With the equations A of some parallelograms, :math:`G = c\,A^T A` and an embedding E,

.. math:: \ell_0 = \mathrm{tr}(E^T G E), \quad Z_0 = \lVert E\rVert_F^2, \quad
   \ell_{eff} = \ell_0 / Z_0, \quad H = 2 G / Z_0.

The factor c is 1 (``sum``) or 1 / number of parallelograms (``mean``). The paper's equation 5 has
the mean; its code and figure 4(c) have the sum, which gives times of the measured order (150
steps where the mean gives 11,700 and networks take some 1,000), and is the default.

Liu et al. is `Towards Understanding Grokking: An Effective Theory of Representation Learning
<https://arxiv.org/abs/2205.10343>`_, section 3.3 and appendix F.
"""

from typing import Literal, NamedTuple, get_args

import torch
from einops import reduce
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from grok.metrics.parallelograms import in_training, is_implied, nullity
from grok.metrics.samples import Samples

Normalization = Literal["sum", "mean"]
Parallelograms = Literal["train", "implied", "all"]
"""Those in the training set (the paper's text), those that follow from them, or those of the whole
task, whatever the training set (the released code, for trajectories)."""


class Spectrum(NamedTuple):
    """Eigenvalues of the Hessian H, one spectrum per training set."""

    eigenvalues: Float64[Tensor, "*run p"]
    """Ascending, in 1 / time; as many as the nullity are exactly 0."""
    nullity: Int64[Tensor, "*run"]
    """Freedom left to the embedding."""

    @property
    def lambda_3(self) -> Float64[Tensor, "*run"]:
        """Third eigenvalue, the grokking rate: 0 unless the nullity is 2 (or less)."""
        return self.eigenvalues[..., 2]


def chosen(
    is_train: Bool[Tensor, "*run sample"], samples: Samples, parallelograms: Parallelograms
) -> Bool[Tensor, "*run para"]:
    """Which parallelograms enter the effective loss.

    Args:
        is_train: Training set.
        samples: The task.
        parallelograms: ``train``, ``implied`` or ``all``.

    Raises:
        ValueError: If it is none of the three.
    """
    if parallelograms == "train":
        return in_training(is_train, samples)
    if parallelograms == "implied":
        return is_implied(is_train, samples)
    if parallelograms != "all":
        allowed = ", ".join(get_args(Parallelograms))
        raise ValueError(f"parallelograms={parallelograms!r}: allowed are {allowed}")
    return torch.ones_like(in_training(is_train, samples))


def gram(
    is_chosen: Bool[Tensor, "*run para"], samples: Samples, normalization: Normalization = "sum"
) -> Float64[Tensor, "*run p p"]:
    r"""The matrix :math:`G = c\,A^T A` of the equations of some parallelograms.

    Args:
        is_chosen: From :func:`chosen`.
        samples: The task.
        normalization: c is 1 for ``sum``, 1 / number of chosen parallelograms for ``mean``.

    Returns:
        Symmetric, positive semi-definite, without units; 0 if none is chosen, under both.

    Raises:
        ValueError: If ``normalization`` is neither of the two.

    Reference:
        Liu et al., equation 5 (``mean``) and released code (``sum``).
    """
    if normalization not in get_args(Normalization):
        raise ValueError(f"normalization={normalization!r}: allowed are sum, mean")
    rows = samples.rows.double()
    matrix = (rows.T * is_chosen.double()[..., None, :]) @ rows
    if normalization == "sum":
        return matrix
    return matrix / is_chosen.sum(dim=-1).clamp(min=1)[..., None, None]


def squared_norm(embedding: Float[Tensor, "*run p d"]) -> Float64[Tensor, "*run"]:
    """Z_0, the sum of the squares of an embedding's entries.

    p for an embedding of one dimension divided by its population standard deviation, p - 1 by the
    unbiased one.
    """
    return reduce(embedding.double().square(), "... p d -> ...", "sum")


def unscaled_loss(
    embedding: Float[Tensor, "*run p d"], matrix: Float64[Tensor, "*#run p p"]
) -> Float64[Tensor, "*run"]:
    r"""Loss :math:`\ell_0 = \mathrm{tr}(E^T G E)`: sum or mean of the squared defects.

    Args:
        embedding: One row per symbol, centred or not: G is blind to the mean.
        matrix: From :func:`gram`.

    Returns:
        Non-negative, in squared units of the embedding; 0 on what solves every equation.

    Reference:
        Liu et al., equation 5.
    """
    value = embedding.double()
    return reduce(value * (matrix @ value), "... p d -> ...", "sum")


def effective_loss(
    embedding: Float[Tensor, "*run p d"], matrix: Float64[Tensor, "*#run p p"]
) -> Float64[Tensor, "*run"]:
    r"""Effective loss :math:`\ell_{eff} = \ell_0 / Z_0`.

    Args:
        embedding: One row per symbol.
        matrix: From :func:`gram`.

    Returns:
        Between 0 and the largest eigenvalue of G, blind to the scale of the embedding; NaN for
        one that is 0.

    Reference:
        Liu et al., equation 5.
    """
    return unscaled_loss(embedding, matrix) / squared_norm(embedding)


def hessian(
    matrix: Float64[Tensor, "*run p p"], z0: float | Float64[Tensor, "*run"]
) -> Float64[Tensor, "*run p p"]:
    r"""Hessian of the effective loss at fixed Z_0: :math:`H = 2 G / Z_0`.

    Args:
        matrix: From :func:`gram`.
        z0: Squared norm of the embedding, positive.

    Returns:
        Matrix in 1 / time: the gradient flow of fixed Z_0 is dE/dt = -H E.

    Reference:
        Liu et al., equation 6 and appendix F.
    """
    return 2 * matrix / torch.as_tensor(z0, dtype=torch.float64)[..., None, None]


def spectrum(
    is_train: Bool[Tensor, "*run sample"],
    samples: Samples,
    *,
    parallelograms: Parallelograms = "train",
    normalization: Normalization = "sum",
    z0: float | None = None,
) -> Spectrum:
    """Spectrum of the Hessian that a training set gives.

    Args:
        is_train: Training set.
        samples: The task.
        parallelograms: Which ones enter, :func:`chosen`.
        normalization: Of :func:`gram`.
        z0: Squared norm of the embedding; default p, that of unit population variance.

    Returns:
        Ascending eigenvalues and exact nullity. The eigenvalues of the null space are set to 0,
        which rounding would leave at some 1e-15 of either sign.

    Raises:
        ValueError: If a choice is unknown.

    Reference:
        Liu et al., section 3.3 and figure 5(a). The number line and the constant vector solve
        every equation of addition, hence two zeros at least and the third as the rate.
    """
    is_chosen = chosen(is_train, samples, parallelograms)
    matrix = gram(is_chosen, samples, normalization)
    eigenvalues = torch.linalg.eigvalsh(hessian(matrix, float(samples.p) if z0 is None else z0))
    # What is implied adds no freedom and takes none.
    of = torch.ones_like(is_train) if parallelograms == "all" else is_train
    n_free = nullity(of, samples)
    place = torch.arange(samples.p, device=is_train.device)
    return Spectrum(torch.where(place < n_free[..., None], 0, eigenvalues), n_free)


def predicted_steps(
    lambda_3: Float64[Tensor, "*run"], learning_rate: float
) -> Float64[Tensor, "*run"]:
    r"""Number of steps :math:`n_h = 1/(\lambda_3\,\eta)` in which the slowest defect falls to 1/e.

    Args:
        lambda_3: From :class:`Spectrum`.
        learning_rate: Of the embedding, positive. The theory is that of gradient descent.

    Returns:
        Steps; infinite where lambda_3 is 0. About three times as many lead to the number line.

    Raises:
        ValueError: If the learning rate is not positive.

    Reference:
        Liu et al., section 3.3 and figure 5(b).
    """
    if not learning_rate > 0:
        raise ValueError(f"learning_rate={learning_rate}: must be positive")
    return 1 / (lambda_3 * learning_rate)
