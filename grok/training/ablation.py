"""What a stack of one-layer networks answers when a part of the network is replaced.

Shapes as in :mod:`grok.training.stack`; ``p`` - group order. The pairs come in the order in which
(a, b) adds up, as in :mod:`grok.training.circuit`. Everything that is not replaced is the model's
own, in its own precision, norms included.
"""

from collections.abc import Callable
from functools import cache
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
    from grok.training.stack import Stack

_BLOCK = "blocks.0."


def ablated(
    stack: "Stack", neurons: Callable[[], Float[Tensor, "run pair d_mlp"]], chunk: int
) -> Ablated:
    """The networks of a stack with parts replaced.

    Args:
        stack: Runs of addition or subtraction in one layer.
        neurons: What the neurons are, after the non-linearity, on all pairs.
        chunk: Pairs in one pass through the MLP.
    """
    model, params = stack.model, {name: x.detach() for name, x in stack.params.items()}
    order = addition_order(stack)
    a, b = stack.a[:, order], stack.b[:, order]
    t = tables(model, params)
    e = rearrange(t.e, "run d_model -> run 1 d_model")
    scores = token_scores(model, t, a, b)

    def attention_out(pattern: Tensor) -> Tensor:
        return model.attention_out(params, _BLOCK, mixed(model, t, a, b, pattern))

    @cache
    def as_trained() -> Tensor:
        return attention_out(scores.softmax(dim=2))

    def resid_mid(stream: Tensor, attn_out: Tensor) -> Tensor:
        return model.added(params, _BLOCK + "ln1_post", stream, attn_out)

    def logits(skip: Tensor, n: Tensor) -> Tensor:
        """From what passes the MLP by and the neurons; either may be the same for all pairs."""
        added = model.added(params, _BLOCK + "ln2_post", skip, model.mlp_out(params, _BLOCK, n))
        f = model.unembedded(params, added)[1].expand(-1, len(order), -1)
        h = stack.readout(f, rows=order[None]) / stack.temperature
        return h[:, :, : model.n]

    def after_attention(mid: Tensor) -> Tensor:
        n = [model.neurons(params, _BLOCK, part)[2] for part in mid.split(chunk, dim=1)]
        return logits(mid, torch.cat(n, dim=1))

    def other_skip(is_mean: bool) -> Tensor:
        mid = resid_mid(e, as_trained())
        mean = mid.mean(dim=1, keepdim=True, dtype=torch.float64).to(mid.dtype)
        return logits(mean if is_mean else torch.zeros_like(mean), neurons())

    return Ablated(
        other_neurons=lambda n: logits(resid_mid(e, as_trained()), n),
        other_skip=other_skip,
        no_attention=lambda: after_attention(resid_mid(e, torch.zeros_like(e))),
        attention_alone=lambda: after_attention(resid_mid(torch.zeros_like(e), as_trained())),
        no_equals=lambda: after_attention(resid_mid(e, attention_out(without_equals(scores)))),
        linear=lambda: after_attention(resid_mid(e, attention_out(linear_pattern(scores)))),
    )
