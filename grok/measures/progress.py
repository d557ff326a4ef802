"""What the key frequencies of a network that adds mod p do for its loss, and where they are."""

from collections.abc import Iterator

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from grok.measures.snapshot import Circuit, Readings, Snapshot
from grok.metrics.circuit import attention_explained, outside_keys, rank_gap, read_out
from grok.metrics.fourier import fourier_power
from grok.metrics.logit_waves import (
    CENTRINGS,
    cosine_coefficients,
    cosine_share,
    without_cosines,
)
from grok.metrics.loss import cross_entropy, is_right, logit_margin
from grok.metrics.pair_waves import BLOCKS, explained_by_frequency, order_of
from grok.metrics.progress import (
    CLUSTER_FVE,
    cluster_frequencies,
    component_norms,
    excluded_logits,
    excluded_loss_by_frequency,
    gini,
    key_frequencies,
    restricted_logits,
)


def progress_measures(snapshot: Snapshot) -> Readings:
    """Progress measures of Nanda et al. 2023 under one set of key frequencies.

    The set is the one that the snapshot names, or what its rule finds in the network as it is.
    """
    circuit, W_E, W_L = snapshot.circuit, snapshot.embedding, snapshot.circuit.neuron_logit_map
    explained = explained_by_frequency(circuit.neurons)
    is_key = key_set(snapshot, explained)
    power = fourier_power(W_L)[:, 1:]
    readings = {
        "progress/n_keys": is_key.double().sum(dim=-1),
        "progress/power_in_keys": (power * is_key[:, 1:]).sum(dim=-1) / power.sum(dim=-1),
        "progress/outside_keys": outside_keys(W_L, is_key),
        "progress/rank_gap": rank_gap(W_L, is_key),
        "progress/gini/W_E": gini(component_norms(W_E)),
        "progress/gini/W_L": gini(component_norms(W_L)),
    }
    readings |= _each("progress/key", is_key.double())
    readings |= _margins(circuit) | _single_losses(circuit)
    readings |= {f"progress/{name}": x for name, x in losses_under(circuit, is_key).items()}
    readings |= _cosines(circuit, is_key)
    return readings | _neurons(circuit, explained, is_key) | _attention(circuit)


def key_set(
    snapshot: Snapshot, explained: Float64[Tensor, "run freq d_mlp"] | None = None
) -> Bool[Tensor, "run freq"]:
    """Key frequencies: those that are given, or those of the rule.

    Args:
        snapshot: One that has a circuit.
        explained: Share of each neuron's variance by frequency, if it is known already.
    """
    circuit, W_E = snapshot.circuit, snapshot.embedding
    n_runs, p, _ = W_E.shape
    if circuit.keys:
        frequency = torch.arange(p // 2 + 1, device=W_E.device)
        given = torch.tensor(circuit.keys, device=W_E.device)
        return torch.isin(frequency, given).expand(n_runs, -1)
    if circuit.rule == "N":
        known = explained_by_frequency(circuit.neurons) if explained is None else explained
        return cluster_frequencies(known)
    return key_frequencies(fourier_power(circuit.neuron_logit_map if circuit.rule == "L" else W_E))


def _each(prefix: str, values: Float[Tensor, "run freq"]) -> Readings:
    """One reading per frequency, the constant left out."""
    return {f"{prefix}/{k}": values[:, k] for k in range(1, values.shape[1])}


def losses_under(circuit: Circuit, is_key: Bool[Tensor, "run freq"]) -> Readings:
    """Restricted and excluded loss in every variant, and their company, by name."""
    labels, splits = _labels(circuit), _splits(circuit)
    readings: Readings = {}
    for variant, restricted, excluded in _variants(circuit, is_key):
        for name, logits in (("restricted", restricted), ("excluded", excluded)):
            found = _by_split(_loss_of_pairs(logits, labels), splits)
            readings |= {f"{name}/{variant}/{s}": x for s, x in found.items()}
        if variant == "sum":
            right = _by_split(is_right(restricted, labels).double(), splits)
            readings |= {f"restricted_acc/{s}": x for s, x in right.items()}
    test = _by_split(_loss_of_pairs(circuit.logits, labels), splits)["test"]
    return readings | {"test_over_restricted": test / readings["restricted/sum/all"]}


def _single_losses(circuit: Circuit) -> Readings:
    """Loss of all pairs, and training loss without each single frequency."""
    single = excluded_loss_by_frequency(circuit.logits, circuit.is_train)
    return {
        "loss/all": _loss_of_pairs(circuit.logits, _labels(circuit)).mean(dim=-1),
        "progress/excluded_max": single[:, 1:].amax(dim=-1),
    } | _each("progress/excluded_single", single)


def _margins(circuit: Circuit) -> Readings:
    """By how much the right logit of a pair leads."""
    margin = logit_margin(circuit.logits.double(), _labels(circuit))
    return {
        "margin/min": margin.amin(dim=-1),
        "margin/mean": margin.mean(dim=-1),
        "margin/max": margin.amax(dim=-1),
    }


def _variants(
    circuit: Circuit, is_key: Bool[Tensor, "run freq"]
) -> Iterator[tuple[str, Float64[Tensor, "run pair p"], Float64[Tensor, "run pair p"]]]:
    """Name, restricted and excluded logits of each variant."""
    logits = circuit.logits.double()
    for block in BLOCKS:
        yield (
            block,
            restricted_logits(logits, is_key, block),
            excluded_logits(logits, is_key, block),
        )
    excluded = without_cosines(logits, is_key)
    yield "cube", logits - excluded, excluded
    if circuit.is_linear_read_out:
        through = circuit.neurons.double() @ circuit.neuron_logit_map.double().mT
        restricted = logits - through + restricted_logits(through, is_key)
        yield "mlp", restricted, logits - through + excluded_logits(through, is_key)


def _labels(circuit: Circuit) -> Int[Tensor, " pair"]:
    """Sum of each pair."""
    element = torch.arange(order_of(circuit.logits), device=circuit.logits.device)
    return rearrange((element[:, None] + element) % len(element), "a b -> (a b)")


def _splits(circuit: Circuit) -> dict[str, Bool[Tensor, "run pair"]]:
    """Which pairs each split has."""
    is_train = circuit.is_train
    return {"train": is_train, "test": ~is_train, "all": torch.ones_like(is_train)}


def _loss_of_pairs(
    logits: Float[Tensor, "run pair p"], labels: Int[Tensor, " pair"]
) -> Float64[Tensor, "run pair"]:
    """Cross-entropy of every pair."""
    return cross_entropy(rearrange(logits, "run pair p -> run pair 1 p"), labels[:, None])


def _by_split(
    x: Float64[Tensor, "run pair"], splits: dict[str, Bool[Tensor, "run pair"]]
) -> dict[str, Float64[Tensor, " run"]]:
    """Mean over the pairs of each split."""
    return {s: torch.where(rows, x, 0.0).sum(-1) / rows.sum(-1) for s, rows in splits.items()}


def _cosines(circuit: Circuit, is_key: Bool[Tensor, "run freq"]) -> Readings:
    """Coefficients of the cosines of a + b - c, and what they explain of the logits."""
    share = {f"progress/fve/{c}": cosine_share(circuit.logits, is_key, c) for c in CENTRINGS}
    return share | _each("progress/alpha", cosine_coefficients(circuit.logits))


def _neurons(
    circuit: Circuit,
    explained: Float64[Tensor, "run freq d_mlp"],
    is_key: Bool[Tensor, "run freq"],
) -> Readings:
    """How many neurons follow one frequency, and how well the read-out finds its waves."""
    best = explained.max(dim=-2)
    is_pure = best.values > CLUSTER_FVE
    of_frequency = torch.nn.functional.one_hot(best.indices, explained.shape[-2])
    found = read_out(circuit.neuron_logit_map, circuit.neurons)
    frequency = (torch.arange(found.explained.shape[-1], device=is_key.device) + 1) // 2
    of_keys = torch.where(is_key[:, frequency], found.explained, torch.inf)
    return {
        "progress/neurons_over_85": is_pure.double().sum(dim=-1),
        "progress/read_out_min": torch.where(is_key.any(-1), of_keys.amin(dim=-1), torch.nan),
    } | _each("progress/neurons_of", (of_frequency * is_pure[..., None]).sum(dim=-2).double())


def _attention(circuit: Circuit) -> Readings:
    """The frequency of each head of the first layer, and what it explains."""
    explained = attention_explained(circuit.to_first)[:, 1:]
    best = explained.max(dim=-2)
    readings: Readings = {}
    for head in range(explained.shape[-1]):
        readings[f"progress/attention_fve/{head}"] = best.values[:, head]
        readings[f"progress/attention_frequency/{head}"] = (best.indices[:, head] + 1).double()
    return readings
