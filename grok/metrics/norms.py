"""Norms of parameter vectors, one value per run.

Shapes: ``run`` - independent runs trained together; ``n`` - entries of the flat vector.
"""

import torch
from jaxtyping import Float, Float64
from torch import Tensor


def l2_norm(x: Float[Tensor, "*run n"]) -> Float64[Tensor, "*run"]:
    r"""Euclidean norm :math:`\sqrt{\sum_i x_i^2}`, accumulated in float64.

    Args:
        x: A set of parameters (or a gradient, or an update) as one flat vector per run. Which
            parameters belong to the set is the caller's choice. The norm of a set kept in
            parts is the norm of the vector of their norms.

    Returns:
        Norm, non-negative, in the units of ``x``. 0 for an empty vector.

    Reference:
        Merrill et al., `Effects of Parameter Norm Growth During Transformer Training
        <https://arxiv.org/abs/2010.09697>`_, section 3.
    """
    return torch.linalg.vector_norm(x, dim=-1, dtype=torch.float64)
