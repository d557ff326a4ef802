"""How well an embedding is structured: principal components, and parallelograms of toy networks."""

from functools import lru_cache

import torch
from einops import rearrange
from jaxtyping import Bool
from torch import Tensor

from grok.data.toy import toy_table
from grok.data.toy_config import ToyConfig
from grok.measures.snapshot import Readings, Snapshot, Symbols
from grok.metrics.components import effective_dimension, explained_variance, variance_entropy
from grok.metrics.loss import is_right
from grok.metrics.representation import (
    DIAGRAMS,
    TRAIN_ADD,
    defects,
    matrix_rqi,
    predicted_accuracy,
    product_defects,
    realised,
    rows_without,
    rqi,
)
from grok.metrics.samples import Samples, samples_of

MATRIX_THRESHOLD = 0.5
"""Mean squared entry below which two products of matrices count as equal."""


def representation_quality(snapshot: Snapshot) -> Readings:
    """Principal components of the embedding, and for toy networks its parallelograms.

    Components are read where an embedding has two numbers or more. Parallelograms are those of
    pairs with a <= b, or of all pairs of a group; a network that reads its two embeddings side by
    side has none. Where the parallelograms are of all pairs, so is the predicted accuracy, which
    the accuracy on all pairs is to be compared with.
    """
    embedding, readings = snapshot.embedding, {}
    if embedding.shape[-1] > 1:
        shares = explained_variance(embedding)
        readings |= {
            "repr/entropy": variance_entropy(embedding),
            "repr/effective_dim": effective_dimension(embedding),
            "repr/top2_share": shares[..., :2].sum(dim=-1),
        }
    if snapshot.has("symbols") and snapshot.symbols.toy.combine != "concat":
        readings |= _parallelograms(snapshot.symbols)
        right = [is_right(*each) for each in snapshot.predictions.values()]
        readings["repr/acc"] = torch.cat(right, dim=-1).double().mean(dim=-1)
    return readings


def _parallelograms(symbols: Symbols) -> Readings:
    """Representation quality and what it predicts."""
    toy, W_E = symbols.toy, symbols.W_E
    samples = toy_samples(toy, W_E.device)
    if toy.combine == "product":
        matrices = rearrange(W_E, "run p (i j) -> run p i j", i=round(toy.dim**0.5))
        closed = realised(product_defects(matrices, samples), MATRIX_THRESHOLD)
        readings = {"repr/rqi": matrix_rqi(matrices, samples, MATRIX_THRESHOLD)}
    else:
        closed = realised(defects(W_E, samples.rows, *TRAIN_ADD[:2]), TRAIN_ADD.threshold)
        readings = {
            "repr/rqi": rqi(W_E, samples.rows, *TRAIN_ADD),
            "repr/rqi_diagram": rqi(W_E, rows_without(samples.rows, 0), *DIAGRAMS),
        }
    if len(samples.labels) == toy.n_pairs:
        is_train = train_mask(toy, symbols.train)
        readings["repr/predicted_acc"] = predicted_accuracy(closed, is_train, samples)
    return readings


@lru_cache(maxsize=64)
def toy_samples(toy: ToyConfig, device: torch.device | None = None) -> Samples:
    """The samples whose parallelograms are counted, on a device.

    Of ordered pairs (a, b) and (b, a) of a sum the first alone: their parallelogram says nothing.
    """
    a, b, labels = toy_table(toy)
    keep = (a <= b) | (toy.combine == "product")
    samples = samples_of(torch.stack([a, b], dim=-1)[keep], labels[keep])
    return Samples(*(each.to(device) for each in samples))


def train_mask(toy: ToyConfig, train: Tensor) -> Bool[Tensor, "run sample"]:
    """Whether each pair is a training pair."""
    mask = torch.zeros(len(train), toy.n_pairs, dtype=torch.bool, device=train.device)
    return mask.scatter(1, train, True)
