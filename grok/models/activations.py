"""What a transformer computes, and what can be changed in it.

Shapes as in :mod:`grok.models.transformer`.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

Parameters = Mapping[str, Tensor]
Dropout = Callable[[Tensor], Tensor]
MlpRead = Callable[[str, Tensor], Tensor]
"""What an MLP reads in place of its input, given the block's prefix and that input."""
Attend = Callable[[Tensor], Tensor]
"""What takes the place of the softmax: weights from scores, over the last axis."""


class BlockActivations(NamedTuple):
    """What a block computed, in the order it computed it.

    Without an MLP ``mlp_pre`` and ``mlp_post`` have no entries, and ``mlp_out`` is 0.
    """

    resid_pre: Float[Tensor, "run batch query d_model"]
    scores: Float[Tensor, "run batch head query key"]
    pattern: Float[Tensor, "run batch head query key"]
    z: Float[Tensor, "run batch query d_model"]
    attn_out: Float[Tensor, "run batch query d_model"]
    resid_mid: Float[Tensor, "run batch query d_model"]
    mlp_in: Float[Tensor, "run batch query d_model"]
    mlp_pre: Float[Tensor, "run batch query d_mlp"]
    mlp_post: Float[Tensor, "run batch query d_mlp"]
    mlp_out: Float[Tensor, "run batch query d_model"]
    resid_post: Float[Tensor, "run batch query d_model"]


class Activations(NamedTuple):
    """What the model computed. ``pre_logits`` is what the unembedding reads."""

    blocks: tuple[BlockActivations, ...]
    pre_logits: Float[Tensor, "run batch query d_model"]
    logits: Float[Tensor, "run batch query cls"]
