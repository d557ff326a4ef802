"""Saturation of any transformer of Hugging Face, layer by layer, and statistics of its heads.

Shapes: ``text`` - examples; ``pos``, ``query``, ``key`` - positions; ``head``; ``d`` - numbers of
one representation.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.func import functional_call

from grok.inputs import InputError
from grok.metrics.saturation import saturation
from grok.offline.hub_means import (
    HeadSaturation,
    LayerSaturation,
    Mean,
    Means,
    add_heads,
    add_layer,
    heads_of,
    layer_of,
)
from grok.offline.hub_tokens import Tokens
from grok.offline.layouts import expression

STACKS = ("encoder", "decoder")
"""Stacks of a model that has two; the one of any other is called ``encoder``."""


class StackSaturation(NamedTuple):
    """One stack of a model."""

    layers: list[LayerSaturation]
    """Of the embeddings, then after each layer, the last as the model gives it (after a final norm
    where there is one): one more than there are layers."""
    heads: list[HeadSaturation]
    """Of each layer; none of a model that gives no attention."""
    convergence: float | None
    """Mean cosine of the last layer at the factor and at ten times that; None if not asked for."""


def model_saturation(
    model: nn.Module,
    batches: Sequence[Tokens],
    *,
    factor: float = 1000.0,
    include: str = "",
    convergence: bool = False,
    tell: Callable[[int], None] = lambda done: None,
) -> dict[str, StackSaturation]:
    r"""Cosines of f(x; theta) to f(x; c theta), and the heads of the latter.

    Every parameter is scaled, embeddings, biases and gains of norms too, tied ones once; buffers
    (fixed positions, frequencies) are not. The model is put into eval mode for the time, and
    nothing in it is changed. A decoder is given the same tokens as its encoder.

    Args:
        model: Of ``transformers``, with ``attn_implementation="eager"``, in the type in which is to
            be computed; some norms and softmaxes of T5 are float32 in any type.
        batches: What it reads.
        factor: c, above 0.
        include: Regular expression: only parameters in whose names it is found are scaled.
        convergence: Also read ten times the factor.
        tell: Called with the number of batches that are done.

    Returns:
        By stack, ``encoder`` and, of a model with two, ``decoder``. NaN where numbers overflow.

    Raises:
        InputError: If ``include`` is no expression or finds no parameter, or the model does not
            give its hidden states.

    Reference:
        Merrill et al., `Effects of Parameter Norm Growth During Transformer Training
        <https://arxiv.org/abs/2010.09697>`_, section 4 and figure 2. Departures of their code: its
        curve of T5 is the decoder's, its XLNet lacks a layer, its random networks have dropout.
    """
    was_training, sums = model.training, {}
    named = dict(model.named_parameters())
    chosen = [name for name in named if expression(include, "include").search(name)]
    if not chosen:
        raise InputError(f"include={include} finds no parameter, such as {next(iter(named))}")
    model.eval()
    try:
        with torch.no_grad():
            scaled = [_times(named, chosen, factor)]
            scaled += [_times(named, chosen, 10 * factor)] if convergence else []
            for done, batch in enumerate(batches, 1):
                inputs = _inputs(model, batch)
                read = [_stacks(functional_call(model, each, (), inputs)) for each in scaled]
                soft = _stacks(model(**inputs))
                for name, stack in soft.items():
                    each = sums.setdefault(name, _StackSums())
                    each.add(stack, [found[name] for found in read], batch.mask)
                tell(done)
    finally:
        model.train(was_training)
    return {name: each.result() for name, each in sums.items()}


def _times(named: Mapping[str, Tensor], chosen: Sequence[str], factor: float) -> dict[str, Tensor]:
    return {name: p * factor if name in chosen else p for name, p in named.items()}


def _inputs(model: nn.Module, batch: Tokens) -> dict[str, Any]:
    config: Any = model.config
    mask = batch.mask.long()
    inputs = {"input_ids": batch.ids, "attention_mask": mask}
    if config.is_encoder_decoder:
        inputs |= {"decoder_input_ids": batch.ids, "decoder_attention_mask": mask}
    return inputs | {"output_hidden_states": True, "output_attentions": True, "use_cache": False}


class _Stack(NamedTuple):
    states: Sequence[Float[Tensor, "text pos d"]]
    weights: Sequence[Float[Tensor, "text head query key"]]


def _stacks(outputs: Any) -> dict[str, _Stack]:
    """Hidden states and attention by name: their places differ between versions and models."""
    has_two = "encoder_hidden_states" in outputs
    starts = {name: f"{name}_" for name in STACKS} if has_two else {"encoder": ""}
    stacks = {}
    for name, start in starts.items():
        states = outputs.get(f"{start}hidden_states")
        if not states:
            raise InputError(f"{type(outputs).__name__} has no hidden states")
        stacks[name] = _Stack(states, outputs.get(f"{start}attentions") or ())
    return stacks


class _StackSums:
    """Means over texts for the layers and heads of one stack."""

    def __init__(self) -> None:
        self.layers: list[Means] = []
        self.heads: list[Means] = []
        self.far = Mean()
        self.has_far = False

    def add(self, soft: _Stack, hard: Sequence[_Stack], mask: Bool[Tensor, "text pos"]) -> None:
        """One batch: the network as it is, and scaled by each factor."""
        if not self.layers:
            self.layers = [Means() for _ in soft.states]
            self.heads = [Means() for _ in soft.weights]
        states = zip(soft.states, hard[0].states, strict=True)
        for means, (of_soft, of_hard) in zip(self.layers, states, strict=True):
            add_layer(means, of_soft, of_hard, mask)
        visible = mask[:, :, None] & mask[:, None, :]
        if soft.weights and not soft.weights[0].triu(1).any():  # none looks ahead
            visible = visible.tril()
        weights = zip(soft.weights, hard[0].weights, strict=True)
        for means, (of_soft, of_hard) in zip(self.heads, weights, strict=True):
            add_heads(means, of_soft, of_hard, visible)
        if len(hard) > 1:
            self.has_far = True
            near, far = (stack.states[-1][:, None] for stack in hard)
            self.far.add(saturation(near, far, mask[:, None]).mean, mask.sum(dim=1))

    def result(self) -> StackSaturation:
        """The means over everything that was added."""
        return StackSaturation(
            [layer_of(means) for means in self.layers],
            [heads_of(means) for means in self.heads],
            float(self.far.value()) if self.has_far else None,
        )
