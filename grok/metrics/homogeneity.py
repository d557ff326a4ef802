r"""Homogeneity: what a network's outputs do when all of its parameters grow along one ray.

A *network* here is a function of its parameters, the inputs being fixed: a mapping of named tensors
in, its outputs out. An output has any leading axes, which are kept, and ``n`` numbers of one run on
its last axis: flatten batch, positions and classes into it. A network may return several outputs by
name; every function then answers by the same names. Parameters are cast to float64, and the network
must compute in the type of its parameters. Buffers that are not in the mapping (masks, fixed
positions, running statistics) are not scaled; a tensor that two places share is scaled once.

f is homogeneous of degree k if :math:`f(c\theta) = c^k f(\theta)` for all c > 0. For outputs that
end in a norm the degrees are 0 or 1 whatever happens inside: only :func:`ray_error` and
:func:`cosine_on_ray` tell such networks apart.

Reference:
    Merrill et al., `Effects of Parameter Norm Growth During Transformer Training
    <https://arxiv.org/abs/2010.09697>`_, definitions 2 and 3, table 1 and figure 4.
"""

import math
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from grok.metrics.saturation import cosine

Parameters = Mapping[str, Tensor]
Outputs = Tensor | Mapping[str, Tensor]
Network = Callable[[Parameters], Any]
"""Outputs ``[*run, n]``, or several of them by name."""

STEP = 1.01
"""Factor between the two points from which a local degree is read."""


def scaled(
    params: Parameters, factor: float, names: Collection[str] | None = None
) -> dict[str, Tensor]:
    r"""The parameters :math:`c\theta` in float64; the originals are left alone.

    Args:
        params: Every parameter by name.
        factor: c.
        names: Those that are scaled; None for all, frozen ones included, as in the released code.
    """
    chosen = params if names is None else names
    return {n: x.double() * factor if n in chosen else x.double() for n, x in params.items()}


def euler_degree(f: Network, params: Parameters) -> Any:
    r"""Degree :math:`\langle f, \theta\cdot\nabla f\rangle / \langle f, f\rangle` at these weights.

    Euler's identity :math:`\theta\cdot\nabla f = k f` makes it exactly k for a homogeneous f. One
    pass in forward mode, about two evaluations. Every function that the network uses needs a
    derivative in forward mode; fused attention kernels have none.

    Args:
        f: Network.
        params: Parameters by name.

    Returns:
        ``[*run]`` in float64, of each output; NaN for an output that is 0.
    """
    point = scaled(params, 1.0)
    with warnings.catch_warnings():
        # Torch's own, when it loads its rules of forward mode.
        warnings.filterwarnings("ignore", "`torch.jit.script` is", DeprecationWarning)
        output_and_change = torch.func.jvp(f, (point,), (point,))
    return _each(_euler, *output_and_change)


def _euler(f: Tensor, change: Tensor) -> Tensor:
    # In units of the largest entry, whose square may be no float64.
    unity = f.double().abs().amax(dim=-1, keepdim=True)
    f, change = f.double() / unity, change.double() / unity
    return (f * change).sum(dim=-1) / f.square().sum(dim=-1)


def local_degree(f: Network, params: Parameters, scale: float = 1.0) -> Any:
    r"""Degree at a scale c, by how much the output grows from c to 1.01 c.

    :math:`\ln(\lVert f(1.01\,c\,\theta)\rVert / \lVert f(c\,\theta)\rVert) / \ln 1.01`. Where the
    degree changes with c, it is that between the two points.

    Args:
        f: Network.
        params: Parameters by name.
        scale: c, above 0.

    Returns:
        ``[*run]`` in float64, of each output; NaN for an output that is 0 or not finite.
    """
    near, far = f(scaled(params, scale)), f(scaled(params, STEP * scale))
    growth = _each(lambda x, y: _log_norm(y) - _log_norm(x), near, far)
    return _each(lambda log_growth: log_growth / math.log(STEP), growth)


def ray_error(
    f: Network, params: Parameters, degree: Any, scale: float = 1.0, factor: float = 2.0
) -> Any:
    r"""How far the output is from growing as :math:`c^k` when the parameters grow by c at scale s.

    :math:`e(s) = \lVert f(cs\theta) - c^k f(s\theta)\rVert / \lVert c^k f(s\theta)\rVert`: 0 for a
    homogeneous f. Definition 3 of the paper asks for an absolute error that falls exponentially in
    the scale; products and large factors do not meet that literally, and this is the relative form.

    Args:
        f: Network.
        params: Parameters by name.
        degree: k: a number, or ``[*run]``, or either by the name of an output.
        scale: s, above 0.
        factor: c, above 0.

    Returns:
        ``[*run]`` in float64, of each output; NaN for an output that is 0 or not finite.
    """
    near, far = f(scaled(params, scale)), f(scaled(params, factor * scale))
    degrees = degree
    if isinstance(near, Mapping) and not isinstance(degree, Mapping):
        degrees = dict.fromkeys(near, degree)

    def error(near: Tensor, far: Tensor, degree: Any) -> Tensor:
        k = torch.as_tensor(degree, dtype=torch.float64, device=near.device)
        expected = near.double() * (factor**k).unsqueeze(-1)
        unity = expected.abs().amax(dim=-1, keepdim=True)
        return ((far - expected) / unity).norm(dim=-1) / (expected / unity).norm(dim=-1)

    return _each(error, near, far, degrees)


def cosine_on_ray(
    f: Network, params: Parameters, scales: Sequence[float], limit: float = 1000.0
) -> Any:
    r"""Cosine of :math:`f(c\theta)` to the saturated network's output, for each scale c.

    Args:
        f: Network.
        params: Parameters by name.
        scales: Factors c.
        limit: Factor whose network stands for the saturated one.

    Returns:
        ``[*run, scale]`` in float64, of each output, in [-1, 1]; 0 for an output that is 0.

    Reference:
        Figure 4 of the paper; as in its code the whole output is one vector.
    """
    saturated = f(scaled(params, limit))
    curves = [_each(cosine, f(scaled(params, c)), saturated) for c in scales]
    return _each(lambda *values: torch.stack(values, dim=-1), *curves)


def mean_surplus(
    logits: Float[Tensor, "*run batch c"], labels: Int[Tensor, "*#run batch"]
) -> Float64[Tensor, "*run"]:
    r"""Mean over examples of :math:`f_y - \sum_j p_j f_j`: the right logit less the expected one.

    For logits that are homogeneous of degree k in the parameters the gradient of the mean
    cross-entropy L has :math:`\theta\cdot\nabla L = -k` times it: while it is positive, gradient
    descent makes the parameters grow.

    Args:
        logits: One row per example.
        labels: Right class of each example.

    Returns:
        In the units of the logits, float64. Of two classes it has the sign of the margin; of more
        it can be negative for a right answer. An empty batch gives NaN.

    Reference:
        A consequence of Euler's identity: the exact form of a statement of the paper's version 1.
    """
    f = logits.double()
    index = labels.long().expand(logits.shape[:-1]).unsqueeze(-1)
    own = f.gather(-1, index).squeeze(-1)
    return (own - (f.softmax(dim=-1) * f).sum(dim=-1)).mean(dim=-1)


def _log_norm(x: Tensor) -> Tensor:
    """Logarithm of the norm, of numbers whose square may be no float64."""
    largest = x.double().abs().amax(dim=-1)
    return largest.log() + (x.double() / largest.unsqueeze(-1)).norm(dim=-1).log()


def _each(function: Callable[..., Tensor], *outputs: Any) -> Any:
    """The function of the outputs, of each name by itself if they have names."""
    if isinstance(outputs[0], Mapping):
        return {name: function(*(x[name] for x in outputs)) for name in outputs[0]}
    return function(*outputs)
