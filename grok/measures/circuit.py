"""What several measures need of the circuit of addition mod p.

Shapes: ``run`` - runs trained together; ``p`` - group order; ``pair`` - all p^2 pairs, (a, b) at
index a p + b; ``freq`` - frequencies 0, 1, ..., p // 2; ``d_mlp`` - neurons.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from grok.measures.snapshot import Circuit, Snapshot
from grok.metrics.fourier import fourier_power
from grok.metrics.logit_waves import cosine_coefficients, cosine_logits, cosine_table
from grok.metrics.loss import cross_entropy
from grok.metrics.pair_means import PairMeans, Part, coordinate, on_pairs, pair_means
from grok.metrics.pair_waves import BLOCKS, explained_by_frequency, wave_tables
from grok.metrics.progress import cluster_frequencies, key_frequencies

ROWS = 8
"""Elements a whose pairs are done at a time."""

Tables = dict[Part, Float64[Tensor, "run p p"]]


class Analysis(NamedTuple):
    """A circuit seen in frequencies."""

    logits: PairMeans
    """Means of the logits."""
    neurons: PairMeans
    """Means of the neurons."""
    through: Float[Tensor, "run pair p"]
    """W_L N, what the neurons N add to the logits, in the precision of the neurons."""
    through_means: PairMeans
    """Means of that."""
    explained: Float64[Tensor, "run freq d_mlp"]
    """Share of each neuron's variance by frequency."""
    is_key: Bool[Tensor, "run freq"]
    """Key frequencies."""


def analyse(snapshot: Snapshot) -> Analysis:
    """Tables of means of logits and neurons, and key frequencies."""
    circuit = snapshot.circuit
    neurons = pair_means(circuit.neurons)
    explained = explained_by_frequency(circuit.neurons, means=neurons)
    through = circuit.neurons @ circuit.neuron_logit_map.mT
    return Analysis(
        pair_means(circuit.logits),
        neurons,
        through,
        pair_means(through),
        explained,
        key_set(circuit, snapshot.embedding, explained),
    )


def key_set(
    circuit: Circuit,
    W_E: Float[Tensor, "run p d_model"],
    explained: Float64[Tensor, "run freq d_mlp"],
) -> Bool[Tensor, "run freq"]:
    """Key frequencies: those that are given, or those of the rule."""
    n_runs, p, _ = W_E.shape
    if circuit.keys:
        frequency = torch.arange(p // 2 + 1, device=W_E.device)
        given = torch.tensor(circuit.keys, device=W_E.device)
        return torch.isin(frequency, given).expand(n_runs, -1)
    if circuit.rule == "N":
        return cluster_frequencies(explained)
    return key_frequencies(fourier_power(circuit.neuron_logit_map if circuit.rule == "L" else W_E))


def kept_waves(circuit: Circuit, found: Analysis) -> dict[str, Tables]:
    """By variant, what of the logits belongs to key frequencies.

    ``mlp`` is of what the neurons add; it is left out where a norm lies between.
    """
    logits, is_key = found.logits.tables, found.is_key
    kept: dict[str, Tables] = {b: wave_tables(logits, is_key[..., None], b) for b in BLOCKS}
    alpha = cosine_coefficients(circuit.logits, logits["sum"])
    kept["cube"] = {"sum": cosine_table(cosine_logits(alpha, is_key, circuit.logits.shape[-1]))}
    if circuit.is_linear_read_out:
        kept["mlp"] = wave_tables(found.through_means.tables, is_key[..., None])
    return kept


def restricted_tables(kept: Tables, found: Analysis, variant: str) -> Tables:
    """With the mean of each class, which all variants but ``cube`` keep."""
    if variant == "cube":
        return kept
    means = found.through_means if variant == "mlp" else found.logits
    with_mean: Tables = {"sum": kept["sum"] + means.tables["sum"].mean(dim=-2, keepdim=True)}
    return kept | with_mean


def loss_of_pairs(
    logits: Callable[[slice], Float[Tensor, "run some p"]], p: int
) -> Float64[Tensor, "run pair"]:
    """Cross-entropy of every pair, its sum being the right class.

    Args:
        logits: Logits of a range of pairs. They are made for some rows of the table at a time,
            which stay in the cache, and no further array of p^3 numbers is needed.
        p: Group order.
    """
    labels, found = coordinate(p, "sum"), []
    for start in range(0, p * p, ROWS * p):
        pairs = slice(start, start + ROWS * p)
        some = logits(pairs)
        right = labels[pairs, None].to(some.device)
        found.append(cross_entropy(rearrange(some, "run some p -> run some 1 p"), right))
    return torch.cat(found, dim=-1)


def loss_of_tables(tables: Tables) -> Float64[Tensor, "run pair"]:
    """Cross-entropy of every pair when these tables are all of its logits."""
    table = tables["sum"]
    p = table.shape[-1]
    if tables.keys() != {"sum"}:
        return loss_of_pairs(lambda pairs: on_pairs(tables, pairs), p)
    residue = torch.arange(p, device=table.device)  # pairs of one sum have the same logits
    loss = cross_entropy(rearrange(table, "run p cls -> run p 1 cls"), residue[:, None])
    return loss[:, coordinate(p, "sum", table.device)]
