"""How decided the attention pattern is."""

from jaxtyping import Float
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
