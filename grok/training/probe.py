"""The probe of a stack on pairs: all of its operation, and what the network does on them.

Shapes as in :mod:`grok.training.pair_problem`. One forward pass over all pairs serves every measure
that is due at a step; it is the token form where there is one.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from grok.measures.snapshot import Circuit
from grok.models.activations import Attend, Parameters
from grok.models.config import has_tables
from grok.models.forms import attention_rows, pair_tokens, token_forward
from grok.training.ablation import ablated
from grok.training.circuit import circuit, composition
from grok.training.kernel import kernel_pair
from grok.training.saturation import Saturating, examples_network, saturated
from grok.training.shortcut import shortcut_predictions

if TYPE_CHECKING:
    from grok.training.pair_problem import PairProblem
    from grok.training.stack import Stack

Split = Literal["train", "test"]


def pair_parts(stack: "Stack[PairProblem]") -> dict[str, Any]:
    """What measures can ask of a network on pairs: arguments of a snapshot."""
    pairs = stack.problem

    @cache
    def output() -> _Output:
        return _probe(stack)

    def by_split(x: Shaped[Tensor, "run pair *rest"]) -> dict[str, Tensor]:
        rows = {"train": pairs.train, "test": pairs.test}
        return {split: _pick(x, r) for split, r in rows.items()}

    def predictions() -> dict[str, tuple[Tensor, Tensor]]:
        h = by_split(pairs.readout(output().logits, rows=None))
        labels = by_split(pairs.c)
        return {split: (h[split], labels[split]) for split in h}

    def first(n: int) -> Tensor:
        rows = torch.cat([pairs.train[:, :n], pairs.test[:, :n]], dim=1)
        return pair_tokens(pairs.model, pairs.a.gather(1, rows), pairs.b.gather(1, rows))

    saturating = Saturating(
        lambda params, attend: by_split(_logits(pairs, params, attend)),
        lambda: by_split(output().logits),
        lambda split, f: _answered(pairs, split, f),
    )

    def layers_by_split(layers: list[Tensor]) -> dict[str, list[Tensor]]:
        each = [by_split(layer) for layer in layers]
        return {split: [layer[split] for layer in each] for split in get_args(Split)}

    @cache
    @torch.no_grad()
    def whole_circuit() -> Circuit:
        return circuit(stack, output().logits, *output().circuit)

    measures, mirrored = stack.config.measures, pairs.mirrored
    return dict(
        embedding=lambda: stack.params["W_E"][:, :-1].detach(),
        scores=lambda: _scores(stack, output),
        pre_logits=lambda: by_split(output().pre_logits),
        predictions=predictions,
        attn_out=lambda: layers_by_split(output().attn_out),
        shortcut=lambda: shortcut_predictions(stack, layers_by_split(output().mlp_lengths), CHUNK),
        mirrored=None if mirrored is None else lambda: mirrored,
        kernels=lambda: kernel_pair(stack),
        circuit=whole_circuit if measures.reads_circuit else None,
        ablated=(lambda: ablated(stack, lambda: whole_circuit().neurons, CHUNK))
        if measures.ablation.enabled
        else None,
        composition=(lambda: composition(stack, output().logits))
        if stack.config.data.table_group
        else None,
        saturated=lambda: saturated(
            pairs.model,
            stack.params,
            first(measures.saturation.n_examples),
            measures.saturation,
            saturating,
        ),
        network=lambda: examples_network(
            pairs.model, first(measures.homogeneity.n_examples), "last"
        ),
        loss=lambda h, labels: pairs.loss(h, labels, torch.float64),
        is_cyclic=stack.config.data.operation != "compose",
    )


def _pick(x: Shaped[Tensor, "run pair *rest"], rows: Tensor) -> Tensor:
    """Some pairs of each run."""
    if x.shape[0] == 1:
        return x[:, rows[0]]
    return torch.stack([x[run, rows[run]] for run in range(x.shape[0])])


def _logits(
    pairs: "PairProblem", params: Parameters, attend: Attend | None
) -> Float[Tensor, "run pair cls"]:
    """Logits of all pairs under other parameters or another attention, in chunks."""
    model, found = pairs.model, []
    for a, b in zip(pairs.a.split(CHUNK, dim=1), pairs.b.split(CHUNK, dim=1), strict=True):
        if has_tables(model.config):
            full = token_forward(model, params, a, b, attend=attend)
        else:
            full = model.forward(params, pair_tokens(model, a, b), read="last", attend=attend)
        found.append(full.logits[:, :, -1])
    return torch.cat(found, dim=1)


def _answered(pairs: "PairProblem", split: str, f: Tensor) -> tuple[Tensor, Tensor]:
    """Logits of a split, ready for the loss, and its labels."""
    rows = pairs.train if split == "train" else pairs.test
    return pairs.readout(f, rows), pairs.c.gather(1, rows)


class _Output(NamedTuple):
    """What the probe keeps of a forward pass over all pairs."""

    pre_logits: Float[Tensor, "run pair d_model"]
    logits: Float[Tensor, "run pair cls"]
    scores: list[Float[Tensor, "run pair head query key"]]
    """By layer, all query rows; empty where tables give them for less."""
    attn_out: list[Float[Tensor, "run pair d_model"]]
    """By layer, what attention adds to the stream at the last position."""
    mlp_lengths: list[Float[Tensor, "run pair query"]]
    """By layer, L2 norms of what the MLP reads."""
    circuit: list[Float[Tensor, "run pair unit"]]
    """Last layer's neurons and first layer's attention to a, at the last position; empty unless
    a measure of the circuit is read."""


CHUNK = 8192
"""Pairs in one forward pass of the probe: it bounds the hidden activations. The logits of all
pairs are kept, which for a table of n^2 pairs are about n^3 numbers."""


def _probe(stack: "Stack[PairProblem]") -> _Output:
    """The forward pass over all pairs, in chunks."""
    a_chunks, b_chunks = (x.split(CHUNK, dim=1) for x in (stack.problem.a, stack.problem.b))
    chunks = [_forward(stack, a, b) for a, b in zip(a_chunks, b_chunks, strict=True)]

    def layers(each: Iterable[list[Tensor]]) -> list[Tensor]:
        return [torch.cat(layer, dim=1) for layer in zip(*each, strict=True)]

    return _Output(
        torch.cat([c.pre_logits for c in chunks], dim=1),
        torch.cat([c.logits for c in chunks], dim=1),
        layers(c.scores for c in chunks),
        layers(c.attn_out for c in chunks),
        layers(c.mlp_lengths for c in chunks),
        layers(c.circuit for c in chunks),
    )


def _forward(stack: "Stack[PairProblem]", a: Tensor, b: Tensor) -> _Output:
    """One chunk."""
    model = stack.problem.model
    if has_tables(model.config):
        full = token_forward(model, stack.params, a, b)
        scores = []
    else:
        full = model.forward(stack.params, pair_tokens(model, a, b))
        scores = [block.scores for block in full.blocks]
    parts = [full.blocks[-1].mlp_post[:, :, -1], full.blocks[0].pattern[:, :, :, -1, 0]]
    return _Output(
        full.pre_logits[:, :, -1],
        full.logits[:, :, -1],
        scores,
        [block.attn_out[:, :, -1] for block in full.blocks],
        [torch.linalg.vector_norm(block.mlp_in, dim=-1) for block in full.blocks],
        parts if stack.config.measures.reads_circuit else [],
    )


def _scores(stack: "Stack[PairProblem]", output: Callable[[], _Output]) -> list[Tensor]:
    """Scores of all query rows by layer."""
    pairs = stack.problem
    if has_tables(pairs.model.config):
        return [attention_rows(pairs.model, stack.params, pairs.a, pairs.b)]
    return output().scores
