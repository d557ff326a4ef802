r"""Tangent kernels: how far they have moved, and how well they fit the labels.

Shapes: ``run`` - independent runs trained together; ``pair`` - examples on which a kernel is
known. A kernel :math:`K = J J^T` is symmetric and positive semi-definite, J being the Jacobian of
the outputs with respect to the parameters. All is computed in float64.
"""

from jaxtyping import Float, Float64, Int
from torch import Tensor

from grok.metrics.norms import l2_norm


def kernel_norm(K: Float[Tensor, "*run pair pair"]) -> Float64[Tensor, "*run"]:
    r"""Frobenius norm :math:`\lVert K \rVert_F`.

    Args:
        K: Kernel of each run.

    Returns:
        Norm, non-negative, in the units of ``K``.
    """
    return l2_norm(K.flatten(-2))


def kernel_distance(
    K: Float[Tensor, "*run pair pair"], K_0: Float[Tensor, "*run pair pair"]
) -> Float64[Tensor, "*run"]:
    r"""Relative distance :math:`\lVert K - K_0 \rVert_F / \lVert K_0 \rVert_F`.

    Args:
        K: Kernel now.
        K_0: Kernel at initialisation, on the same pairs.

    Returns:
        Distance, non-negative, blind to a common factor; 0 for a kernel that has not moved. A
        kernel that grows by a factor s in place gives s - 1. NaN or infinite if ``K_0`` is 0.

    Reference:
        Singh et al., `Explaining Grokking in Transformers through the Lens of Inductive Bias
        <https://arxiv.org/abs/2602.06702>`_, released code.
    """
    return kernel_norm(K.double() - K_0.double()) / kernel_norm(K_0)


def kernel_cosine_distance(
    K: Float[Tensor, "*run pair pair"], K_0: Float[Tensor, "*run pair pair"]
) -> Float64[Tensor, "*run"]:
    r"""Distance in direction, :math:`1 - \langle K, K_0\rangle/(\lVert K\rVert\lVert K_0\rVert)`.

    Computed as half the squared distance of the two kernels of norm 1, without cancellation.

    Args:
        K: Kernel now.
        K_0: Kernel at initialisation, on the same pairs.

    Returns:
        Value in [0, 1] for positive semi-definite kernels, blind to the scale of either; 0 for
        proportional ones. NaN if one of them is 0.

    Reference:
        Fort et al., `Deep learning versus kernel learning
        <https://arxiv.org/abs/2010.15110>`_, section 3.
    """
    unit, unit_0 = (x.double() / kernel_norm(x)[..., None, None] for x in (K, K_0))
    return kernel_norm(unit - unit_0).square() / 2


def label_alignment(
    K: Float[Tensor, "*run pair pair"], labels: Int[Tensor, "*run pair"]
) -> Float64[Tensor, "*run"]:
    r"""Alignment :math:`\mathrm{Tr}(Y^T K Y) / (\lVert K\rVert_F \lVert Y Y^T\rVert_F)`.

    Y are the one-hot labels, so :math:`Y Y^T` is 1 where two pairs have the same label.

    Args:
        K: Kernel on the pairs.
        labels: Right class of each pair.

    Returns:
        Value in [0, 1] for a positive semi-definite kernel, blind to its scale; 1 for a multiple
        of :math:`Y Y^T`. NaN for a kernel of 0.

    Reference:
        Kumar et al., `Grokking as the Transition from Lazy to Rich Training Dynamics
        <https://arxiv.org/abs/2310.06110>`_: there of the initial kernel on test pairs, for one
        output, :math:`y^T K_0 y / (\lVert K_0\rVert_F \lVert y\rVert^2)`, not centred.
    """
    return _alignment(K, _same_label(labels))


def centred_label_alignment(
    K: Float[Tensor, "*run pair pair"], labels: Int[Tensor, "*run pair"]
) -> Float64[Tensor, "*run"]:
    r"""The alignment of the centred kernels :math:`C K C` and :math:`C Y Y^T C`.

    :math:`C = I - 1 1^T/n` takes away what all pairs share, which gives any two kernels of
    positive entries an alignment above 0.

    Args:
        K: Kernel on the pairs.
        labels: Right class of each pair.

    Returns:
        Value in [0, 1] for a positive semi-definite kernel, blind to its scale. Rounding noise or
        NaN if all labels are the same.

    Reference:
        Cortes, Mohri and Rostamizadeh, `Algorithms for Learning Kernels Based on Centered
        Alignment <https://arxiv.org/abs/1203.0550>`_, definition 4.
    """
    return _alignment(_centred(K), _centred(_same_label(labels)))


def _same_label(labels: Int[Tensor, "*run pair"]) -> Float64[Tensor, "*run pair pair"]:
    return (labels.unsqueeze(-1) == labels.unsqueeze(-2)).double()


def _centred(K: Float[Tensor, "*run pair pair"]) -> Float64[Tensor, "*run pair pair"]:
    K = K.double()
    K = K - K.mean(dim=-1, keepdim=True)
    return K - K.mean(dim=-2, keepdim=True)


def _alignment(
    K: Float[Tensor, "*run pair pair"], other: Float[Tensor, "*run pair pair"]
) -> Float64[Tensor, "*run"]:
    inner = (K.double() * other).flatten(-2).sum(dim=-1)
    return inner / (kernel_norm(K) * kernel_norm(other))
