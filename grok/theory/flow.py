r"""Gradient flow of the effective loss, in closed form and integrated.

Shapes: ``time`` - moments; ``p`` - symbols; ``d`` - dimensions of an embedding. All is float64.

.. math:: \dot E = -\nabla \ell_{eff} = -\frac{2}{Z_0} G E + \frac{2 \ell_0}{Z_0^2} E

One step of gradient descent is a time of one learning rate.

Liu et al. is `Towards Understanding Grokking: An Effective Theory of Representation Learning
<https://arxiv.org/abs/2205.10343>`_, section 3.3 and appendix F.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Float64
from torch import Tensor

from grok.metrics.representation import rqi
from grok.metrics.samples import Samples
from grok.theory.effective import hessian, squared_norm, unscaled_loss

_BLOCK = 4_000_000
"""Defects that are computed at once: 32 MB."""


class Conserved(NamedTuple):
    """What the flow keeps."""

    z0: Float64[Tensor, "*time"]
    """Squared norm: always, for the loss is blind to scale."""
    total: Float64[Tensor, "*time d"]
    """Sum of the embedding's rows: only if it is 0, that is for a centred embedding. Liu et al.,
    appendix F, state it without the condition, as they drop the gradient of Z_0."""


def conserved(embedding: Float[Tensor, "*time p d"]) -> Conserved:
    """Squared norm and sum of rows of an embedding or of a trajectory."""
    return Conserved(squared_norm(embedding), embedding.double().sum(dim=-2))


def standardised(embedding: Float[Tensor, "*run p d"]) -> Float64[Tensor, "*run p d"]:
    """Embedding centred and divided by the unbiased standard deviation of each dimension.

    The start of figure 4(c): Z_0 is d (p - 1). A dimension without variation gives 0/0 = NaN.
    """
    value = embedding.double()
    centred = value - value.mean(dim=-2, keepdim=True)
    return centred / value.std(dim=-2, keepdim=True)


def flow(
    start: Float[Tensor, "p d"],
    matrix: Float64[Tensor, "p p"],
    time: Float64[Tensor, " time"],
) -> Float64[Tensor, "time p d"]:
    r"""Exact solution of the flow.

    :math:`E(t) = \sqrt{Z_0}\,e^{-Ht}E(0) / \lVert e^{-Ht}E(0)\rVert_F` with :math:`H = 2G/Z_0`:
    the second term of the flow is a factor common to all entries, which the norm fixes.

    Args:
        start: Embedding at time 0, not 0.
        matrix: From :func:`grok.theory.effective.gram`.
        time: Moments, in any order; step n of gradient descent is n times the learning rate.

    Returns:
        The embedding at each. It tends to the part of the start in the null space of G, scaled
        to the norm of the start; to its slowest mode if it has no such part.

    Reference:
        Liu et al., appendix F. Departure: there the linear flow dE/dt = -H E, which shrinks the
        norm; the released code takes Euler steps in which Z_0 grows.
    """
    value = start.double()
    z0 = squared_norm(value)
    rate, mode = torch.linalg.eigh(hessian(matrix, z0))
    weight = mode.mT @ value
    size = torch.linalg.vector_norm(weight, dim=-1, keepdim=True)
    direction = torch.where(size > 0, weight / size, 0)
    # Relative to the largest mode of each moment, so that no time makes all of them vanish.
    log_size = size[:, 0].log() - rate * time[:, None]
    share = (log_size - log_size.amax(dim=-1, keepdim=True)).exp()
    unscaled = mode @ (share[..., None] * direction)
    norm = reduce(unscaled.square(), "time p d -> time 1 1", "sum").sqrt()
    return z0.sqrt() * unscaled / norm


def integrated_flow(
    start: Float[Tensor, "p d"],
    matrix: Float64[Tensor, "p p"],
    dt: float,
    n_steps: int,
) -> Float64[Tensor, "time p d"]:
    """The flow integrated by the classical Runge-Kutta method of fourth order.

    Z_0 is computed anew at every evaluation, so what is conserved is not put in.

    Args:
        start: Embedding at time 0.
        matrix: From :func:`grok.theory.effective.gram`.
        dt: Time of one step; accurate while it is small beside Z_0 / 2 over the largest
            eigenvalue of the matrix.
        n_steps: Number of steps.

    Returns:
        The embedding at 0, dt, ..., n_steps dt.

    Reference:
        Liu et al., appendix F.
    """
    value = start.double()
    trajectory = [value]
    for _ in range(n_steps):
        k1 = _velocity(value, matrix)
        k2 = _velocity(value + dt / 2 * k1, matrix)
        k3 = _velocity(value + dt / 2 * k2, matrix)
        k4 = _velocity(value + dt * k3, matrix)
        value = value + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        trajectory.append(value)
    return rearrange(trajectory, "time p d -> time p d")


def _velocity(
    value: Float64[Tensor, "p d"], matrix: Float64[Tensor, "p p"]
) -> Float64[Tensor, "p d"]:
    z0 = squared_norm(value)
    return (2 * unscaled_loss(value, matrix) / z0**2) * value - hessian(matrix, z0) @ value


def ordered_step(
    start: Float[Tensor, "p d"],
    matrix: Float64[Tensor, "p p"],
    samples: Samples,
    learning_rate: float,
    n_steps: int,
    threshold: float = 0.95,
    tell: Callable[[float], None] = lambda done: None,
) -> int | None:
    """First step of the flow at which the representation quality exceeds a threshold.

    Every step is looked at. The quality is that of :func:`grok.metrics.representation.rqi` over
    all parallelograms of the task, whichever ones drive the flow.

    Args:
        start: Embedding at step 0.
        matrix: From :func:`grok.theory.effective.gram`.
        samples: The task.
        learning_rate: Time of one step.
        n_steps: Last step that is looked at.
        threshold: Exceeded, not reached.
        tell: Called now and then with the share of the steps that is done.

    Returns:
        The step, or None if there is none up to the last (censored there).

    Reference:
        Liu et al., figure 4(b, c): RQI > 0.95.
    """
    size = max(1, _BLOCK // len(samples.rows))
    for first in range(0, n_steps + 1, size):
        step = torch.arange(first, min(first + size, n_steps + 1), dtype=torch.float64)
        exceeds = rqi(flow(start, matrix, learning_rate * step), samples.rows) > threshold
        if exceeds.any():
            return first + int(exceeds.long().argmax())
        tell((first + len(step)) / (n_steps + 1))
    return None
