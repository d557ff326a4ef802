"""How decided the attention pattern is, and what it looks like."""

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from grok.measures.snapshot import Readings, Snapshot
from grok.metrics.attention import (
    attention_entropy,
    published_entropy,
    saturated_pattern,
    total_variation,
)


def attention_saturation(snapshot: Snapshot) -> Readings:
    """Entropy of the attention pattern, and its distance to the saturated pattern, per layer."""
    readings: Readings = {}
    for layer, scores in enumerate(snapshot.scores):
        pattern = scores.softmax(dim=-1)
        of_rows = {
            "attn/entropy": attention_entropy(pattern),
            "sat/attn_tv": total_variation(pattern, saturated_pattern(scores)),
        }
        for name, value in of_rows.items():
            readings |= by_head(f"{name}/{layer}", value.mean(dim=(1, 3)))
            readings |= by_head(f"{name}_last/{layer}", value[..., -1].mean(dim=1))
        # The plain name is the published quantity, which is not the mean over heads.
        readings[f"attn/entropy/{layer}"] = published_entropy(pattern)
    return readings


def by_head(name: str, value: Float[Tensor, "run head"]) -> Readings:
    """The mean over heads under a name, and each head's under the name and its number."""
    heads = {f"{name}/{head}": value[:, head] for head in range(value.shape[1])}
    return {name: value.mean(dim=-1)} | heads


def pair_map(
    pattern: Float[Tensor, "run pair head query key"],
    a: Int[Tensor, "run pair"],
    b: Int[Tensor, "run pair"],
    n: int,
) -> Float[Tensor, "run row col"]:
    """Weights of the last query on the operands a (above) and b (below) of all pairs.

    Args:
        pattern: Attention weights on the pairs; keys 0 and 1 are the operands.
        a: Left operands, 0 to n - 1.
        b: Right operands.
        n: Number of elements.

    Returns:
        For each head from left to right a row per a and a column per b, then a row and a column
        of zeros: 2 (n + 1) rows, n + 1 columns a head. From 0 to 1; 0 also where a pair is not.
    """
    n_runs, _, n_heads = pattern.shape[:3]
    grid = pattern.new_zeros(n_runs, n + 1, n + 1, n_heads, 2)
    grid[torch.arange(n_runs, device=a.device).unsqueeze(1), a, b] = pattern[..., -1, :2]
    return rearrange(grid, "run a b head key -> run (key a) (head b)")


def mean_map(
    pattern: Float[Tensor, "run batch head query key"],
) -> Float[Tensor, "run query col"]:
    """Mean weights over examples: query by key, heads from left to right, a zero column after each.

    Rows of padding are NaN and left out of the mean.
    """
    mean = F.pad(pattern.nanmean(dim=1), (0, 1))
    return rearrange(mean, "run head query key -> run query (head key)")


def grey(x: Float[Tensor, "*axes"]) -> UInt8[Tensor, "*axes"]:
    """Weights as shades, 0 to 255; NaN is 0."""
    return (255 * x.nan_to_num(nan=0.0).clamp(0, 1)).round().to(torch.uint8)
