"""The probe of a stack on sequences: its training and test sequences.

Where training sequences are fresh, those of the coming update stand for them. Pre-logits and what
attention adds are read at the rows that predict scored tokens, which is where the loss looks.
Shapes as in :mod:`grok.training.sequence_batch`.
"""

from collections.abc import Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from grok.models.activations import Attend
from grok.training.saturation import Saturating, examples_network, saturated
from grok.training.sequence_batch import Batch, predicting

if TYPE_CHECKING:
    from grok.training.sequence_problem import SequenceProblem
    from grok.training.stack import Stack

N_SCORES = 64
"""Sequences of each split whose attention is read: scores are as many as squared positions."""

CHUNK = 16384
"""Tokens of one forward pass: it bounds the hidden activations."""


class Output(NamedTuple):
    """What the probe keeps of a forward pass over one split."""

    logits: Float[Tensor, "run token cls"]
    pre_logits: Float[Tensor, "run token d_model"]
    attn_out: list[Float[Tensor, "run token d_model"]]
    """By layer."""


def sequence_parts(stack: "Stack[SequenceProblem]") -> dict[str, Any]:
    """What measures can ask of a network on sequences: arguments of a snapshot."""
    problem = stack.problem
    params = stack.params
    batches = cache(lambda: {"train": problem.whole(stack.step), "test": problem.test})
    forward = partial(_forward, problem, params)
    outputs = cache(lambda: {split: forward(batch) for split, batch in batches().items()})
    measures = stack.config.measures

    def answered(split: str, f: Tensor) -> tuple[Tensor, Tensor]:
        return problem.readout_scale * f, _labels(batches()[split])

    def predictions() -> dict[str, tuple[Tensor, Tensor]]:
        return {split: answered(split, output.logits) for split, output in outputs().items()}

    def longer() -> dict[str, dict[str, tuple[Tensor, Tensor]]]:
        return {
            place: {"test": (problem.readout_scale * forward(batch).logits, _labels(batch))}
            for place, batch in problem.longer.items()
        }

    has_places = bool(problem.sizes.places or problem.longer)

    def first(n: int) -> Tensor:
        return torch.cat([batch.inputs[:, :n] for batch in batches().values()], dim=1)

    def logits(weights: Mapping[str, Tensor], attend: Attend | None) -> dict[str, Tensor]:
        of_weights = partial(_forward, problem, weights, attend=attend)
        return {split: of_weights(batch).logits for split, batch in batches().items()}

    saturating = Saturating(
        logits, lambda: {split: x.logits for split, x in outputs().items()}, answered
    )

    return dict(
        scores=lambda: _scores(problem, params, first(N_SCORES)),
        pre_logits=lambda: {split: out.pre_logits for split, out in outputs().items()},
        attn_out=lambda: {split: out.attn_out for split, out in outputs().items()},
        predictions=predictions,
        saturated=lambda: saturated(
            problem.model,
            params,
            first(measures.saturation.n_examples),
            measures.saturation,
            saturating,
        ),
        network=lambda: examples_network(
            problem.model, first(measures.homogeneity.n_examples), "all"
        ),
        places=(lambda: _places(problem, predictions()) | longer()) if has_places else None,
        loss=lambda h, labels: problem.loss(h, labels, torch.float64),
    )


def _labels(batch: Batch) -> Int[Tensor, "run token"]:
    return rearrange(batch.labels, "run batch scored -> run (batch scored)")


def _forward(
    problem: "SequenceProblem",
    params: Mapping[str, Tensor],
    batch: Batch,
    attend: Attend | None = None,
) -> Output:
    """One split, in chunks."""
    n_read = problem.sizes.n_read
    size = max(CHUNK // batch.inputs.shape[-1], 1)
    chunks = []
    for inputs, rows in zip(batch.inputs.split(size, 1), batch.rows.split(size, 1), strict=True):
        full = problem.model.forward(params, inputs, read=n_read, attend=attend)
        attn_out = [predicting(b.attn_out[:, :, -n_read:], rows) for b in full.blocks]
        chunks.append((predicting(full.logits, rows), predicting(full.pre_logits, rows), attn_out))
    logits, pre_logits, layers = zip(*chunks, strict=True)
    attn_out = [torch.cat(layer, dim=1) for layer in zip(*layers, strict=True)]
    return Output(torch.cat(logits, dim=1), torch.cat(pre_logits, dim=1), attn_out)


def _scores(
    problem: "SequenceProblem", params: Mapping[str, Tensor], inputs: Int[Tensor, "run batch pos"]
) -> list[Float[Tensor, "run batch head query key"]]:
    """Scores of all query rows by layer."""
    return [block.scores for block in problem.model.forward(params, inputs).blocks]


def _places(
    problem: "SequenceProblem", predictions: Mapping[str, tuple[Tensor, Tensor]]
) -> dict[str, dict[str, tuple[Tensor, Tensor]]]:
    """Logits and labels by place and split."""
    n = problem.sizes.n_scored

    def at(x: Tensor, which: slice) -> Tensor:
        return x.unflatten(1, (-1, n))[:, :, which].flatten(1, 2)

    return {
        place: {split: (at(h, which), at(y, which)) for split, (h, y) in predictions.items()}
        for place, which in problem.sizes.places.items()
    }
