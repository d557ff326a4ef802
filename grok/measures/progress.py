"""What the key frequencies of a network that adds mod p do for its loss, and where they are."""

from functools import partial

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from grok.measures.circuit import (
    Analysis,
    Tables,
    analyse,
    kept_waves,
    loss_of_pairs,
    loss_of_tables,
    restricted_tables,
)
from grok.measures.snapshot import Circuit, Readings, Snapshot
from grok.metrics.circuit import attention_explained, outside_keys, rank_gap, read_out
from grok.metrics.fourier import fourier_power
from grok.metrics.logit_waves import (
    CENTRINGS,
    cosine_coefficients,
    cosine_share,
)
from grok.metrics.loss import is_right, logit_margin
from grok.metrics.pair_means import coordinate, on_pairs
from grok.metrics.progress import CLUSTER_FVE, component_norms, excluded_loss_by_frequency, gini

OfPairs = Float64[Tensor, "run pair"]


def progress_measures(snapshot: Snapshot) -> Readings:
    """Progress measures of Nanda et al. 2023 under one set of key frequencies.

    The set is the one that the snapshot names, or what its rule finds in the network as it is.
    """
    circuit, W_E, W_L = snapshot.circuit, snapshot.embedding, snapshot.circuit.neuron_logit_map
    found = analyse(snapshot)
    is_key = found.is_key
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
    losses, readings["loss/all"] = losses_under(circuit, found)
    readings |= {f"progress/{name}": x for name, x in losses.items()} | _margins(circuit)
    readings |= _single(circuit, found) | _cosines(circuit, found)
    return readings | _neurons(found) | _attention(circuit)


def _each(prefix: str, values: Float[Tensor, "run freq"]) -> Readings:
    """One reading per frequency, the constant left out."""
    return {f"{prefix}/{k}": values[:, k] for k in range(1, values.shape[1])}


def losses_under(circuit: Circuit, found: Analysis) -> tuple[Readings, Float64[Tensor, " run"]]:
    """Restricted and excluded loss in every variant, by name; the loss on all pairs beside them."""
    logits, p = circuit.logits, circuit.logits.shape[-1]
    loss, of_pairs = loss_of_pairs(lambda pairs: logits[:, pairs], p), {}
    for variant, kept in kept_waves(circuit, found).items():
        restricted = restricted_tables(kept, found, variant)
        of_pairs[f"excluded/{variant}"] = loss_of_pairs(partial(_without, logits, kept), p)
        if variant == "mlp":
            with_rest = partial(_with_rest, logits, found.through, restricted)
            of_pairs["restricted/mlp"] = loss_of_pairs(with_rest, p)
        else:
            of_pairs[f"restricted/{variant}"] = loss_of_tables(restricted)
        if variant == "sum":
            of_pairs["restricted_acc"] = _is_right(restricted["sum"])
    splits = _splits(circuit)
    readings = {
        f"{name}/{split}": mean
        for name, x in of_pairs.items()
        for split, mean in _by_split(x, splits).items()
    }
    whole = _by_split(loss, splits)
    ratio = whole["test"] / readings["restricted/sum/all"]
    return readings | {"test_over_restricted": ratio}, whole["all"]


def _margins(circuit: Circuit) -> Readings:
    """By how much the right logit of a pair leads."""
    labels = coordinate(circuit.logits.shape[-1], "sum", circuit.logits.device)
    margin = logit_margin(circuit.logits, labels).double()
    return {
        "margin/min": margin.amin(dim=-1),
        "margin/mean": margin.mean(dim=-1),
        "margin/max": margin.amax(dim=-1),
    }


def _without(logits: Tensor, kept: Tables, pairs: slice) -> Tensor:
    """Logits of some pairs without these tables."""
    return logits[:, pairs] - on_pairs(kept, pairs)


def _with_rest(logits: Tensor, through: Tensor, restricted: Tables, pairs: slice) -> Tensor:
    """Logits of some pairs with these tables in place of what the neurons add."""
    return logits[:, pairs] - through[:, pairs].double() + on_pairs(restricted, pairs)


def _is_right(by_sum: Float64[Tensor, "run p p"]) -> OfPairs:
    """1 for each pair of which logits that depend on its sum alone are right, else 0."""
    residue = torch.arange(by_sum.shape[-1], device=by_sum.device)
    right = is_right(by_sum, residue).double()
    return right[:, coordinate(len(residue), "sum", by_sum.device)]


def _splits(circuit: Circuit) -> dict[str, Bool[Tensor, "run pair"]]:
    """Which pairs each split has."""
    is_train = circuit.is_train
    return {"train": is_train, "test": ~is_train, "all": torch.ones_like(is_train)}


def _by_split(
    x: OfPairs, splits: dict[str, Bool[Tensor, "run pair"]]
) -> dict[str, Float64[Tensor, " run"]]:
    """Mean over the pairs of each split."""
    return {s: torch.where(rows, x, 0.0).sum(-1) / rows.sum(-1) for s, rows in splits.items()}


def _single(circuit: Circuit, found: Analysis) -> Readings:
    """Training loss without one frequency."""
    means = found.logits.tables["sum"]
    single = excluded_loss_by_frequency(circuit.logits, circuit.is_train, means)
    largest = {"progress/excluded_max": single[:, 1:].amax(dim=-1)}
    return largest | _each("progress/excluded_single", single)


def _cosines(circuit: Circuit, found: Analysis) -> Readings:
    """Coefficients of the cosines of a + b - c, and what they explain of the logits."""
    logits, means = circuit.logits, found.logits.tables["sum"]
    share = {f"progress/fve/{c}": cosine_share(logits, found.is_key, c, means) for c in CENTRINGS}
    return share | _each("progress/alpha", cosine_coefficients(logits, means))


def _neurons(found: Analysis) -> Readings:
    """How many neurons follow one frequency, and how well the read-out finds its waves."""
    best = found.explained.max(dim=-2)
    is_pure = best.values > CLUSTER_FVE
    of_frequency = torch.nn.functional.one_hot(best.indices, found.explained.shape[-2])
    waves = read_out(found.through, found.through_means.tables["sum"])
    frequency = (torch.arange(waves.explained.shape[-1], device=is_pure.device) + 1) // 2
    of_keys = torch.where(found.is_key[:, frequency], waves.explained, torch.inf)
    least = torch.where(found.is_key.any(-1), of_keys.amin(dim=-1), torch.nan)
    return {
        "progress/neurons_over_85": is_pure.double().sum(dim=-1),
        "progress/read_out_min": least,
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
