"""The probe of a stack on a text: the rows of its two parts that are read.

Pre-logits and what attention adds are read at the positions that count. Shapes as in
:mod:`grok.training.language_problem`.
"""

from collections.abc import Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import torch
from einops import repeat
from jaxtyping import Float, Int
from torch import Tensor

from grok.data.text import PADDED, Rows
from grok.measures.saturated import Saturated
from grok.metrics.homogeneity import Network
from grok.models.activations import Attend
from grok.training.saturation import Saturating, examples_network, saturated
from grok.training.sequence_probe import N_SCORES, Output

if TYPE_CHECKING:
    from grok.training.language_problem import LanguageProblem
    from grok.training.stack import Stack


CHUNK = 1024
"""Tokens of each run that are evaluated at once."""


def chunks(rows: Rows) -> list[Rows]:
    """The same rows some at a time: a pass over them then uses the memory of the one before."""
    size = max(CHUNK // rows.inputs.shape[1], 1)
    return [Rows(*part) for part in zip(*(x.split(size) for x in rows), strict=True)]


def language_parts(stack: "Stack[LanguageProblem]") -> dict[str, Any]:
    """What measures can ask of a language model: arguments of a snapshot."""
    problem, n_runs = stack.problem, len(stack.configs)
    measures = stack.config.measures

    def of_parts(params: Mapping[str, Tensor], attend: Attend | None = None) -> dict[str, Output]:
        forward = partial(_forward, stack, params, attend=attend)
        return {split: forward(rows) for split, rows in problem.read.items()}

    outputs = cache(lambda: of_parts(stack.params))

    def answered(split: str, f: Tensor) -> tuple[Tensor, Tensor]:
        return problem.readout(f), _labels(problem.read[split], n_runs)

    def predictions() -> dict[str, tuple[Tensor, Tensor]]:
        return {split: answered(split, out.logits) for split, out in outputs().items()}

    def first(n: int) -> tuple[Tensor, Tensor]:
        rows = [
            torch.cat([x[:n] for x in parts]) for parts in zip(*problem.read.values(), strict=True)
        ]
        return _of_all(stack, rows[0]), _of_all(stack, rows[1]) != PADDED

    def whole_saturated() -> Saturated:
        tokens, mask = first(measures.saturation.n_examples)
        answers = Saturating(
            lambda params, attend: {s: out.logits for s, out in of_parts(params, attend).items()},
            lambda: {split: out.logits for split, out in outputs().items()},
            answered,
        )
        return saturated(problem.model, stack.params, tokens, measures.saturation, answers, mask)

    def network() -> Network:
        tokens, mask = first(measures.homogeneity.n_examples)
        return examples_network(problem.model, tokens, "all", mask)

    return dict(
        scores=lambda: _scores(stack),
        pre_logits=lambda: {split: out.pre_logits for split, out in outputs().items()},
        attn_out=lambda: {split: out.attn_out for split, out in outputs().items()},
        predictions=predictions,
        saturated=whole_saturated,
        network=network,
        unigram=lambda: {split: x.expand(n_runs) for split, x in problem.unigram.items()},
        loss=lambda h, labels: problem.loss(h, labels, torch.float64),
    )


def _labels(rows: Rows, n_runs: int) -> Int[Tensor, "run token"]:
    return repeat(rows.labels[rows.labels != PADDED], "token -> run token", run=n_runs)


def _forward(
    stack: "Stack[LanguageProblem]",
    params: Mapping[str, Tensor],
    rows: Rows,
    attend: Attend | None = None,
) -> Output:
    """One part, in chunks."""
    found = []
    for inputs, labels in chunks(rows):
        counts = labels != PADDED
        full = stack.problem.model.forward(params, _of_all(stack, inputs), attend=attend)
        attn_out = [block.attn_out[:, counts] for block in full.blocks]
        found.append((full.logits[:, counts], full.pre_logits[:, counts], attn_out))
    logits, pre_logits, layers = zip(*found, strict=True)
    attn_out = [torch.cat(layer, dim=1) for layer in zip(*layers, strict=True)]
    return Output(torch.cat(logits, dim=1), torch.cat(pre_logits, dim=1), attn_out)


def _of_all(
    stack: "Stack[LanguageProblem]", inputs: Int[Tensor, "row pos"]
) -> Int[Tensor, "run row pos"]:
    return repeat(inputs, "row pos -> run row pos", run=len(stack.configs))


def _scores(stack: "Stack[LanguageProblem]") -> list[Float[Tensor, "run batch head query key"]]:
    """Scores by layer on the longest rows of each part that is read, cut to the shortest of them.

    So no query is one of padding. Windows are equally long: the first ones are taken.
    """
    inputs, lengths = [], []
    for rows in stack.problem.read.values():
        length = (rows.labels != PADDED).sum(dim=1)
        longest = length.sort(descending=True, stable=True).indices[:N_SCORES]
        inputs.append(rows.inputs[longest])
        lengths.append(int(length[longest].min()))
    cut = torch.cat(inputs)[:, : min(lengths)]
    return [
        block.scores for block in stack.problem.forward(stack.params, _of_all(stack, cut)).blocks
    ]
