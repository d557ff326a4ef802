"""How many positions heads attend to once attention is saturated, and of which kind they are."""

import torch
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor

from grok.config.measures import HeadsConfig
from grok.measures.attention import by_head
from grok.measures.snapshot import Readings, Snapshot
from grok.metrics.attention import (
    attention_entropy,
    kl_divergence,
    rounded_pattern,
    saturated_pattern,
)
from grok.metrics.heads import head_class, head_statistics
from grok.metrics.saturation import masked_mean


def head_kinds(snapshot: Snapshot) -> Readings:
    """Statistics of each head over all query rows, and over the last ones, by layer.

    Saturated weights are those of the scores as they are, ties within a tolerance; positions whose
    score is -inf are not visible, and rows without a visible position are left out.
    """
    readings: Readings = {}
    for layer, scores in enumerate(snapshot.scores):
        for place, rows in (("", scores), ("_last", scores[..., -1:, :])):
            readings |= _of_rows(rows, snapshot.measures.heads, place, layer)
    return readings


def _of_rows(
    scores: Float[Tensor, "run batch head query key"], config: HeadsConfig, place: str, layer: int
) -> Readings:
    found = head_statistics(saturated_pattern(scores.double(), config.tol), scores > -torch.inf)
    statistics = {
        "attn/n_mean": found.n_mean,
        "attn/n_std": found.n_std,
        "attn/frac": found.frac,
        "attn/split": found.split,
        "attn/split_of_many": found.split_of_many,
        "attn/dist": found.distance,
        "attn/reldist": found.relative_distance,
        "attn/leak": found.leak,
    } | _soft(scores)
    readings: Readings = {}
    for name, value in statistics.items():
        readings |= by_head(f"{name}{place}/{layer}", value)
    kinds = head_class(found.n_mean, found.frac, config.argmax_below, config.mean_from)
    for name, is_one in zip(("argmax", "mean", "mixed"), kinds, strict=True):
        readings[f"attn/num_{name}{place}/{layer}"] = is_one.double().sum(dim=-1)
    return readings


def _soft(scores: Float[Tensor, "run batch head query key"]) -> dict[str, Tensor]:
    """Of the weights as they are, over the queries that see a key; by name, ``[run, head]``."""
    visible = reduce(scores > -torch.inf, "... key -> ...", "sum")
    pattern = scores.double().softmax(dim=-1)
    entropy = attention_entropy(pattern)
    divergence = kl_divergence(rounded_pattern(pattern), pattern)
    return {
        "attn/eff": _mean(entropy.exp(), visible > 0),
        "attn/entropy_share": _mean(entropy / visible.double().log(), visible > 1),
        "sat/attn_kl": _mean(divergence, visible > 0),
    }


def _mean(x: Tensor, counts: Tensor) -> Tensor:
    """Mean over the queries that count, of all examples."""
    order = "run batch head query -> run head batch query"
    return masked_mean(rearrange(x, order), rearrange(counts, order))
