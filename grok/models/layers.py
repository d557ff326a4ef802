"""What blocks are made of, for a stack of runs: linear maps, norms, activations.

Shapes: every weight and every activation has a leading ``run``. Weights are out x in.
"""

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from grok.models.config import NormConfig


def linear(
    x: Float[Tensor, "run *axes d_in"],
    weight: Float[Tensor, "run d_out d_in"],
    bias: Float[Tensor, "run d_out"] | None = None,
) -> Float[Tensor, "run *axes d_out"]:
    """``x @ weight.T + bias``, run by run.

    The axes between are flattened first: broadcasting the weight over them would copy it once
    per row.
    """
    rows = x.flatten(1, -2) if x.ndim > 3 else x
    if x.ndim == 2:
        rows = x.unsqueeze(1)
    out = rows @ weight.mT if bias is None else torch.baddbmm(bias.unsqueeze(1), rows, weight.mT)
    return out.reshape(*x.shape[:-1], weight.shape[-2])


def normalise(
    x: Float[Tensor, "run *axes d"],
    config: NormConfig,
    gain: Float[Tensor, "run d"] | None,
    bias: Float[Tensor, "run d"] | None,
) -> Float[Tensor, "run *axes d"]:
    r"""Normalise the last axis, then apply gain and bias where they exist.

    ``layer``: :math:`(x - \bar x) / \sqrt{\mathrm{var}(x) + \epsilon}` with the biased
    variance; ``rms``: :math:`x / \sqrt{\overline{x^2} + \epsilon}`; ``l2``:
    :math:`x / \sqrt{\lVert x \rVert_2^2 + \epsilon}`; ``centre``: :math:`x - \bar x`.
    A constant vector under ``layer``, or zero under ``rms`` and ``l2``, is 0/0 when
    ``eps`` is 0.
    """
    if config.kind == "layer":
        x = F.layer_norm(x, x.shape[-1:], eps=config.eps)
    elif config.kind == "rms":
        x = x * (x.square().mean(dim=-1, keepdim=True) + config.eps).rsqrt()
    elif config.kind == "l2":
        x = x * (x.square().sum(dim=-1, keepdim=True) + config.eps).rsqrt()
    else:
        x = x - x.mean(dim=-1, keepdim=True)
    if gain is not None:
        x = x * _per_run(gain, x)
    return x if bias is None else x + _per_run(bias, x)


def _per_run(vector: Float[Tensor, "run d"], like: Tensor) -> Tensor:
    """The vector of each run, broadcast over the axes between."""
    return vector.reshape(vector.shape[0], *[1] * (like.ndim - 2), vector.shape[-1])


def split_heads(
    x: Float[Tensor, "run *axes d_model"], n_heads: int
) -> Float[Tensor, "run *axes head d_head"]:
    """Head-major split of the last axis."""
    return rearrange(x, "... (head d_head) -> ... head d_head", head=n_heads)


def activation(pre: Tensor, gate: Tensor | None, name: str) -> Tensor:
    """GELU (exact) or ReLU of ``pre``; for ``glu`` SiLU of the gate times ``pre``."""
    if name == "glu":
        assert gate is not None
        return F.silu(gate) * pre
    return F.gelu(pre) if name == "gelu" else F.relu(pre)


def attention_scale(d_head: int) -> float:
    """Factor on query-key products."""
    return 1 / math.sqrt(d_head)
