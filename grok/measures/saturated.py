"""A network beside its saturated network, as measures read them.

Shapes: ``run`` - runs trained together; ``batch`` - examples; ``pos`` - positions; ``head``.
"""

from collections.abc import Mapping
from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor


class Representations(NamedTuple):
    """What a network computes at every position; lists are by layer, empty for what it has not."""

    layers: list[Float[Tensor, "run batch pos d_model"]]
    """The stream after each block."""
    heads: list[Float[Tensor, "run batch pos head d_head"]]
    """Values that each head has mixed."""
    ff: list[Float[Tensor, "run batch pos d_model"]]
    """What each MLP adds to the stream."""
    final: Float[Tensor, "run batch pos d_model"]
    """What the unembedding reads."""
    logits: Float[Tensor, "run batch pos cls"]


class Saturated(NamedTuple):
    """A network and its saturated ones."""

    soft: Representations
    """Of the network as it is."""
    limit: Representations
    """Of the network with all its parameters times a large factor."""
    farther: Float[Tensor, "run batch pos d_model"] | None
    """What the unembedding reads at a still larger factor; None if it is not read."""
    mask: Bool[Tensor, "run batch pos"] | None
    """Positions that are no padding; None for all."""
    predictions: Mapping[str, Mapping[str, tuple[Tensor, Int[Tensor, "run batch"]]]]
    """Logits, ready for the loss, and labels by variant and split; ``limit`` as above, ``hard``
    with saturated attention in place of softmax and nothing scaled."""
