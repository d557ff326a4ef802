"""What a stack of one-layer networks answers when a part of the network is replaced.

Shapes as in :mod:`grok.training.pair_problem`; ``p`` - group order. The pairs come in the order in
which (a, b) adds up, as in :mod:`grok.training.circuit`. Everything that is not replaced is the
model's own, in its own precision, norms included.
"""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from grok.measures.snapshot import Ablated
from grok.metrics.ablation import linear_pattern, without_equals
from grok.models.forms import mixed, tables, token_scores
from grok.training.circuit import addition_order

if TYPE_CHECKING:
    from grok.training.pair_problem import PairProblem
    from grok.training.stack import Stack

_BLOCK = "blocks.0."


def ablated(
    stack: "Stack[PairProblem]", neurons: Callable[[], Float[Tensor, "run pair d_mlp"]], chunk: int
) -> Ablated:
    """The networks of a stack with parts replaced.

    Args:
        stack: Runs of addition or subtraction in one layer.
        neurons: What the neurons are, after the non-linearity, on all pairs.
        chunk: Pairs in one pass through the MLP.
    """
    parts = _Parts(stack, chunk)
    e, nothing = parts.e, torch.zeros_like(parts.e)

    def other_skip(is_mean: bool) -> Tensor:
        mid = parts.resid_mid(e, parts.as_trained)
        mean = mid.mean(dim=1, keepdim=True, dtype=torch.float64).to(mid.dtype)
        return parts.logits(mean if is_mean else nothing, neurons())

    return Ablated(
        other_neurons=lambda n: parts.logits(parts.resid_mid(e, parts.as_trained), n),
        other_skip=other_skip,
        no_attention=lambda: parts.after_attention(e, nothing),
        attention_alone=lambda: parts.after_attention(nothing, parts.as_trained),
        no_equals=lambda: parts.after_attention(
            e, parts.attention_out(without_equals(parts.scores))
        ),
        linear=lambda: parts.after_attention(e, parts.attention_out(linear_pattern(parts.scores))),
    )


class _Parts:
    """The steps of the network on all pairs, each given what it reads."""

    def __init__(self, stack: "Stack[PairProblem]", chunk: int) -> None:
        self.pairs, self.chunk = stack.problem, chunk
        self.params = {name: x.detach() for name, x in stack.params.items()}
        self.order = addition_order(stack)
        self.a, self.b = self.pairs.a[:, self.order], self.pairs.b[:, self.order]
        self.tables = tables(self.pairs.model, self.params)
        self.e = rearrange(self.tables.e, "run d_model -> run 1 d_model")
        self.scores = token_scores(self.pairs.model, self.tables, self.a, self.b)

    @cached_property
    def as_trained(self) -> Float[Tensor, "run pair d_model"]:
        """What attention adds to the stream in the network as it is."""
        return self.attention_out(self.scores.softmax(dim=2))

    def attention_out(
        self, pattern: Float[Tensor, "run pair key head"]
    ) -> Float[Tensor, "run pair d_model"]:
        """What attention adds under another pattern."""
        model = self.pairs.model
        z = mixed(model, self.tables, self.a, self.b, pattern)
        return model.attention_out(self.params, _BLOCK, z)

    def resid_mid(
        self, stream: Float[Tensor, "run 1 d_model"], attn_out: Float[Tensor, "run some d_model"]
    ) -> Float[Tensor, "run some d_model"]:
        """The stream after attention."""
        return self.pairs.model.added(self.params, _BLOCK + "ln1_post", stream, attn_out)

    def after_attention(
        self, stream: Float[Tensor, "run 1 d_model"], attn_out: Float[Tensor, "run some d_model"]
    ) -> Float[Tensor, "run pair p"]:
        """Logits, the MLP computed anew."""
        mid, model = self.resid_mid(stream, attn_out), self.pairs.model
        neurons = [
            model.neurons(self.params, _BLOCK, some)[2] for some in mid.split(self.chunk, dim=1)
        ]
        return self.logits(mid, torch.cat(neurons, dim=1))

    def logits(
        self, skip: Float[Tensor, "run skip d_model"], neurons: Float[Tensor, "run some d_mlp"]
    ) -> Float[Tensor, "run pair p"]:
        """Logits of what passes the MLP by and of neurons; either may be one row for all pairs."""
        pairs, model = self.pairs, self.pairs.model
        mlp_out = model.mlp_out(self.params, _BLOCK, neurons)
        resid_post = model.added(self.params, _BLOCK + "ln2_post", skip, mlp_out)
        f = model.unembedded(self.params, resid_post)[1].expand(-1, len(self.order), -1)
        return (pairs.readout(f, rows=self.order[None]) / pairs.temperature)[:, :, : model.n]
