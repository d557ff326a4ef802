"""The probe of a stack: all pairs of its operation, and what the network does on them.

Shapes as in :mod:`grok.training.stack`. One forward pass over all pairs serves every measure
that is due at a step; it is the token form where there is one.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from grok.measures import Snapshot
from grok.models.config import has_tables
from grok.models.forms import attention_rows, pair_tokens, token_forward
from grok.training.ablation import ablated
from grok.training.circuit import circuit, composition
from grok.training.curvature import hessian
from grok.training.kernel import kernel_pair
from grok.training.shortcut import shortcut_predictions

if TYPE_CHECKING:
    from grok.training.stack import Stack

Split = Literal["train", "test"]


def probe_snapshot(stack: "Stack") -> Snapshot:
    """Snapshot of a stack as it is now; take another after the next update."""

    @cache
    def output() -> _Output:
        return _probe(stack)

    def by_split(x: Shaped[Tensor, "run pair *rest"]) -> dict[str, Tensor]:
        rows = {"train": stack.train, "test": stack.test}
        return {split: _pick(x, r) for split, r in rows.items()}

    def predictions() -> dict[str, tuple[Tensor, Tensor]]:
        h = by_split(stack.readout(output().logits, rows=None))
        labels = by_split(stack.c)
        return {split: (h[split], labels[split]) for split in h}

    def layers_by_split(layers: list[Tensor]) -> dict[str, list[Tensor]]:
        each = [by_split(layer) for layer in layers]
        return {split: [layer[split] for layer in each] for split in get_args(Split)}

    def gradient() -> dict[str, Tensor]:
        with torch.enable_grad():
            return stack.named(stack.gradient()[1])

    measures, previous, mirrored = stack.config.measures, stack.previous, stack.mirrored
    is_cyclic = stack.config.data.operation != "compose"
    snapshot = Snapshot(
        stack.step,
        stack.named(stack.theta),
        gradient=gradient,
        delta=None if previous is None else lambda: stack.named(stack.theta - previous),
        embedding=(lambda: stack.params["W_E"][:, :-1].detach()) if is_cyclic else None,
        scores=lambda: _scores(stack, output),
        pre_logits=lambda: by_split(output().pre_logits),
        predictions=predictions,
        attn_out=lambda: layers_by_split(output().attn_out),
        shortcut=lambda: shortcut_predictions(stack, layers_by_split(output().mlp_lengths), CHUNK),
        mirrored=None if mirrored is None else lambda: mirrored,
        initial=lambda: stack.named(stack.initial),
        kernels=lambda: kernel_pair(stack),
        hessian=lambda: hessian(stack),
        circuit=(lambda: circuit(stack, output().logits, *output().circuit))
        if measures.reads_circuit
        else None,
        ablated=(lambda: ablated(stack, lambda: snapshot.circuit.neurons, CHUNK))
        if measures.ablation.enabled
        else None,
        composition=(lambda: composition(stack, output().logits))
        if stack.config.data.table_group
        else None,
        loss=lambda h, labels: stack.loss(h, labels, torch.float64),
        active=stack.alive.clone(),
    )
    return snapshot


def _pick(x: Shaped[Tensor, "run pair *rest"], rows: Tensor) -> Tensor:
    """Some pairs of each run."""
    if x.shape[0] == 1:
        return x[:, rows[0]]
    return torch.stack([x[run, rows[run]] for run in range(x.shape[0])])


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


def _probe(stack: "Stack") -> _Output:
    """The forward pass over all pairs, in chunks."""
    chunks = [
        _forward(stack, a, b)
        for a, b in zip(stack.a.split(CHUNK, dim=1), stack.b.split(CHUNK, dim=1), strict=True)
    ]

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


def _forward(stack: "Stack", a: Tensor, b: Tensor) -> _Output:
    """One chunk."""
    if has_tables(stack.model.config):
        full = token_forward(stack.model, stack.params, a, b)
        scores = []
    else:
        full = stack.model.forward(stack.params, pair_tokens(stack.model, a, b))
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


def _scores(stack: "Stack", output: Callable[[], _Output]) -> list[Tensor]:
    """Scores of all query rows by layer."""
    if has_tables(stack.model.config):
        return [attention_rows(stack.model, stack.params, stack.a, stack.b)]
    return output().scores
