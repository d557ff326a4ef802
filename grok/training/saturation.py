r"""A transformer of a stack saturated, and as a function of its parameters.

Shapes: ``run`` - runs trained together; ``batch`` - examples; ``pos`` - positions; ``cls`` - output
classes. Everything is in float64 and changes nothing in the stack: parameters are scaled as new
tensors.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from grok.config.measures import SaturationConfig
from grok.measures.saturated import Representations, Saturated
from grok.metrics.attention import saturated_pattern
from grok.metrics.homogeneity import Network, scaled
from grok.metrics.norms import l2_norm
from grok.metrics.saturation import unit
from grok.models.activations import Attend, Parameters
from grok.models.layers import split_heads
from grok.models.parameter_sets import included
from grok.models.transformer import Transformer

FARTHER = 10.0
"""Factor from the saturated network to the one that tells whether the limit is reached."""

CHUNK = 8192
"""Tokens of each run in one forward pass: it bounds the hidden activations."""


class Saturating(NamedTuple):
    """How the answers of a stack's networks are read."""

    logits: Callable[[Parameters, Attend | None], Mapping[str, Float[Tensor, "run batch cls"]]]
    """By split, under other parameters or another attention."""
    as_trained: Callable[[], Mapping[str, Float[Tensor, "run batch cls"]]]
    """The same of the networks as they are."""
    answered: Callable[[str, Tensor], tuple[Tensor, Tensor]]
    """What loss and accuracy see of the logits of a split, and its labels."""


@torch.no_grad()
def saturated(
    model: Transformer,
    params: Parameters,
    tokens: Int[Tensor, "run batch pos"],
    config: SaturationConfig,
    answers: Saturating,
    mask: Bool[Tensor, "run batch pos"] | None = None,
) -> Saturated:
    """The networks of a stack beside their saturated ones.

    Two forward passes of every position on ``tokens`` and two for the answers on all of the probe,
    of which pairs need the last position alone: less than three of the probe's own. One more on
    ``tokens`` if convergence is asked for. Only parameters are scaled: positions that are not
    learned, masks and other buffers are not.

    Args:
        model: The network.
        params: Its stacked parameters.
        tokens: Examples on which representations are compared.
        config: Factor, what it scales, tolerance of ties, and whether convergence is read.
        answers: Where answers come from.
        mask: Positions that are no padding; None for all. Nothing of ours attends to padding.
    """
    names = included(params, config.include)
    now, limit = scaled(params, 1.0), scaled(params, config.factor, names)
    is_asked = config.check_convergence
    farther = scaled(params, FARTHER * config.factor, names) if is_asked else None
    trained = answers.as_trained()
    # Without a final norm the logits grow as a power of the factor; their direction is meant.
    directions = {s: _as_long(f, trained[s]) for s, f in answers.logits(limit, None).items()}
    hard = answers.logits(now, partial(saturated_pattern, tol=config.tol))
    return Saturated(
        representations(model, now, tokens),
        representations(model, limit, tokens),
        None if farther is None else representations(model, farther, tokens).final,
        mask,
        {
            "limit": {split: answers.answered(split, f) for split, f in directions.items()},
            "hard": {split: answers.answered(split, f) for split, f in hard.items()},
        },
    )


def representations(
    model: Transformer, params: Parameters, tokens: Int[Tensor, "run batch pos"]
) -> Representations:
    """What the network computes at every position, :data:`CHUNK` tokens at a time."""
    size = max(CHUNK // tokens.shape[-1], 1)
    chunks = [_representations(model, params, rows) for rows in tokens.split(size, dim=1)]
    return Representations(*(_joined(parts) for parts in zip(*chunks, strict=True)))


def _joined(parts: Sequence[Any]) -> Any:
    """Tensors, or lists of them, of consecutive examples."""
    if isinstance(parts[0], Tensor):
        return parts[0] if len(parts) == 1 else torch.cat(list(parts), dim=1)
    return [_joined(each) for each in zip(*parts, strict=True)]


def _representations(
    model: Transformer, params: Parameters, tokens: Int[Tensor, "run batch pos"]
) -> Representations:
    full = model.forward(params, tokens)
    return Representations(
        [block.resid_post for block in full.blocks],
        [split_heads(block.z, model.config.n_heads) for block in full.blocks],
        [] if model.config.attn_only else [block.mlp_out for block in full.blocks],
        full.pre_logits,
        full.logits,
    )


def _as_long(f: Tensor, like: Tensor) -> Float[Tensor, "run batch cls"]:
    """Logits of each run on the length that all of another network's have together."""
    length = l2_norm(like.flatten(1)).unsqueeze(1)
    return (length * unit(f.flatten(1))).reshape(f.shape)


def examples_network(
    model: Transformer,
    tokens: Int[Tensor, "run batch pos"],
    read: Literal["all", "last"],
    mask: Bool[Tensor, "run batch pos"] | None = None,
) -> Network:
    """A transformer on fixed examples as a function of its parameters.

    Args:
        model: The network.
        tokens: The examples.
        read: Positions that are read in the last block, and of the logits.
        mask: Positions that are no padding; None for all, as with ``last``.

    Returns:
        ``logits``, before readout scale and temperature, ``final``, what the unembedding reads, and
        for each layer ``scores``, ``pattern``, ``heads`` (their mixed values), ``attn_out``,
        ``mlp_out`` and ``resid``, each ``[run, n]``; 0 for masked scores and at padding.
    """

    def f(params: Parameters) -> dict[str, Tensor]:
        full = model.forward(params, tokens, read=read)
        found = {"logits": full.logits, "final": full.pre_logits}
        for layer, block in enumerate(full.blocks):
            scores = block.scores.masked_fill(block.scores == -torch.inf, 0.0)
            parts = {
                "scores": scores,
                "pattern": block.pattern,
                "heads": block.z,
                "attn_out": block.attn_out,
                "mlp_out": block.mlp_out,
                "resid": block.resid_post,
            }
            if model.config.attn_only:
                del parts["mlp_out"]
            found |= {f"{name}/{layer}": x for name, x in parts.items()}
        return {name: _at_words(x, mask).flatten(1) for name, x in found.items()}

    return f


def _at_words(x: Tensor, mask: Bool[Tensor, "run batch query"] | None) -> Tensor:
    """Activations, or scores by head and key, with 0 at padding."""
    if mask is None:
        return x
    counts = mask[:, :, None, :, None] if x.ndim == 5 else mask.unsqueeze(-1)
    return torch.where(counts, x, 0.0)
