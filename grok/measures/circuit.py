"""What several measures need of the circuit of addition mod p.

Shapes: ``run`` - runs trained together; ``p`` - group order; ``pair`` - all p^2 pairs, (a, b) at
index a p + b; ``freq`` - frequencies 0, 1, ..., p // 2; ``d_mlp`` - neurons.
"""

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from grok.measures.snapshot import Circuit, Snapshot
from grok.metrics.fourier import fourier_power
from grok.metrics.loss import cross_entropy
from grok.metrics.pair_means import PairMeans, Part, coordinate, on_pairs, pair_means
from grok.metrics.pair_waves import explained_by_frequency
from grok.metrics.progress import cluster_frequencies, key_frequencies

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


def loss_of_pairs(logits: Float[Tensor, "run pair p"]) -> Float64[Tensor, "run pair"]:
    """Cross-entropy of every pair, its sum being the right class."""
    labels = coordinate(logits.shape[-1], "sum", logits.device)
    return cross_entropy(rearrange(logits, "run pair p -> run pair 1 p"), labels[:, None])


def loss_of_tables(tables: Tables) -> Float64[Tensor, "run pair"]:
    """Cross-entropy of every pair when these tables are all of its logits."""
    if tables.keys() != {"sum"}:
        return loss_of_pairs(on_pairs(tables))
    table = tables["sum"]  # pairs of one sum have the same logits
    residue = torch.arange(table.shape[-1], device=table.device)
    loss = cross_entropy(rearrange(table, "run p cls -> run p 1 cls"), residue[:, None])
    return loss[:, coordinate(len(residue), "sum", table.device)]
