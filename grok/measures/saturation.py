"""How near a network is to its saturated network, and whether that one still solves the task."""

from collections.abc import Callable

import torch
from einops import rearrange
from jaxtyping import Bool
from torch import Tensor

from grok.measures.attention import by_head
from grok.measures.saturated import Representations, Saturated
from grok.measures.snapshot import Readings, Snapshot
from grok.measures.task import loss_and_accuracy
from grok.metrics.saturation import answers_agree, cosine, masked_mean, saturation


def network_saturation(snapshot: Snapshot) -> Readings:
    """Cosines of representations to those of the saturated network, and its loss and accuracy.

    By layer and for what the unembedding reads, the mean over all positions and over the last ones
    of the examples; per head and MLP; of the logits. Embeddings are scaled as a whole: their cosine
    is 1 and is not read.
    """
    parts = snapshot.saturated
    counts = _counts(parts)
    last = _last(counts)
    readings: Readings = {}
    for place, soft, hard, mask in (
        ("", parts.soft, parts.limit, counts),
        ("_last", last(parts.soft), last(parts.limit), counts.any(dim=-1, keepdim=True)),
    ):
        readings |= _streams(soft, hard, mask, place) | _branches(soft, hard, mask, place)
    if parts.farther is not None:
        apart = saturation(parts.limit.final, parts.farther, counts)
        readings["sat/convergence"] = apart.mean
    predictions = {
        f"{variant}/{split}": outputs
        for variant, splits in parts.predictions.items()
        for split, outputs in splits.items()
    }
    return readings | loss_and_accuracy(snapshot, predictions, prefix="sat/")


def _counts(parts: Saturated) -> Bool[Tensor, "run batch pos"]:
    if parts.mask is not None:
        return parts.mask
    return torch.ones_like(parts.soft.final[..., 0], dtype=torch.bool)


def _last(
    counts: Bool[Tensor, "run batch pos"],
) -> Callable[[Representations], Representations]:
    """Takes the last position of each example that is no padding, alone."""
    index = counts.shape[-1] - 1 - counts.flip(-1).long().argmax(dim=-1)

    def of(x: Tensor) -> Tensor:
        return x.take_along_dim(index.reshape(*index.shape, *[1] * (x.ndim - 2)), dim=2)

    def take(found: Representations) -> Representations:
        return Representations(
            [of(x) for x in found.layers],
            [of(x) for x in found.heads],
            [of(x) for x in found.ff],
            of(found.final),
            of(found.logits),
        )

    return take


def _streams(soft: Representations, hard: Representations, mask: Tensor, place: str) -> Readings:
    """The stream after each block, what the unembedding reads, and the logits."""
    readings: Readings = {}
    for layer, pair in enumerate(zip(soft.layers, hard.layers, strict=True)):
        found = saturation(*pair, mask)
        readings[f"sat/layer{place}/{layer}"] = found.mean
        readings[f"sat/layer_std{place}/{layer}"] = found.std
        readings[f"sat/layer_centred{place}/{layer}"] = found.centred
    final = saturation(soft.final, hard.final, mask)
    agree = answers_agree(soft.logits, hard.logits)
    return readings | {
        f"sat/final{place}": final.mean,
        f"sat/final_centred{place}": final.centred,
        f"sat/repr_var{place}": final.variance,
        f"sat/logits{place}": masked_mean(cosine(soft.logits, hard.logits), mask),
        f"sat/argmax_agreement{place}": masked_mean(agree, mask),
    }


def _branches(soft: Representations, hard: Representations, mask: Tensor, place: str) -> Readings:
    """What each head mixes and each MLP adds."""
    readings: Readings = {}
    for layer, pair in enumerate(zip(soft.heads, hard.heads, strict=True)):
        each = rearrange(cosine(*pair), "run batch pos head -> run head batch pos")
        readings |= by_head(f"sat/attn_out{place}/{layer}", masked_mean(each, mask.unsqueeze(1)))
    for layer, pair in enumerate(zip(soft.ff, hard.ff, strict=True)):
        readings[f"sat/ff_out{place}/{layer}"] = masked_mean(cosine(*pair), mask)
    return readings
