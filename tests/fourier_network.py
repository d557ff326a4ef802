"""A transformer whose logits are a sum of cosines of a + b - c, exactly."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from grok.models.config import TransformerConfig
from grok.models.transformer import Transformer


def fourier_config(p: int, n_keys: int) -> TransformerConfig:
    """One head, ReLU, biases in the MLP: the network of the progress-measures paper, small."""
    return TransformerConfig(
        d_model=1 + 4 * n_keys, n_heads=1, d_mlp=2 * p - 2, act="relu", causal=True
    )


def fourier_parameters(p: int, alpha: Mapping[int, float]) -> dict[str, Tensor]:
    r"""Weights with logits :math:`\sum_k \alpha_k \cos(2\pi k(a + b - c)/p)`, float64.

    Coordinate 0 of the stream holds the number of a token; attention is uniform, so that at ``=``
    it becomes a + b. The neurons are ReLU(s - j), of which sums give any function of the integers
    0 to 2p - 2: cos and sin of each key, in coordinates of their own that the unembedding reads.
    The embedding has the waves of the keys too, and nothing reads them.
    """
    config = fourier_config(p, len(alpha))
    shapes = Transformer(config, p).shapes()
    weights = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in shapes.items()}
    n = torch.arange(2 * p - 1, dtype=torch.float64)
    waves = torch.stack([f(2 * math.pi * k * n / p) for k in alpha for f in (torch.cos, torch.sin)])
    read, written = slice(1, 1 + len(waves)), slice(1 + len(waves), 1 + 2 * len(waves))
    weights["W_E"][:p, 0] = n[:p]
    weights["W_E"][:p, read] = waves[:, :p].mT
    weights["blocks.0.W_V"][0, 0] = 3.0  # each of the three positions has a third
    weights["blocks.0.W_O"][0, 0] = 1.0
    weights["blocks.0.W_in"][:, 0] = 1.0
    weights["blocks.0.b_in"][:] = -n[: 2 * p - 2]
    slopes = waves[:, 1:] - waves[:, :-1]
    weights["blocks.0.W_out"][written, 0] = slopes[:, 0]
    weights["blocks.0.W_out"][written, 1:] = slopes[:, 1:] - slopes[:, :-1]
    weights["blocks.0.b_out"][written] = waves[:, 0]
    scale = torch.tensor([c for c in alpha.values() for _ in range(2)], dtype=torch.float64)
    weights["W_U"][:p, written] = (scale[:, None] * waves[:, :p]).mT
    return weights
