"""Loss on all pairs when a part of a network that adds mod p is replaced or taken away."""

from functools import partial

from jaxtyping import Float, Float64
from torch import Tensor

from grok.measures.circuit import (
    Analysis,
    analyse,
    kept_waves,
    loss_of_pairs,
    loss_of_tables,
    restricted_tables,
)
from grok.measures.snapshot import Ablated, Circuit, Readings, Snapshot
from grok.metrics.ablation import frequency_polynomials, key_directions, on_span
from grok.metrics.pair_waves import block_waves


def ablations(snapshot: Snapshot) -> Readings:
    """The ablations of Nanda et al. 2023, under the key frequencies of the progress measures.

    A1, A4, A5 and A6 change the neurons alone: the residual path and the MLP's output bias stay. A7
    to A11 compute all that comes after the part replaced; A2, A3 and A12 are of the logits.
    """
    circuit, network, found = snapshot.circuit, snapshot.ablated, analyse(snapshot)
    kept = kept_waves(circuit, found)
    neurons = circuit.neurons
    of_keys = on_span(neurons, key_directions(circuit.neuron_logit_map, found.is_key))
    return {
        "ablation/A1": _loss(network.other_neurons(frequency_polynomials(neurons, found.neurons))),
        "ablation/A2": loss_of_tables(restricted_tables(kept["sum"], found, "sum")).mean(dim=-1),
        "ablation/A3": loss_of_tables(restricted_tables(kept["block3x3"], found, "block3x3")).mean(
            dim=-1
        ),
        **_without_frequencies(circuit, network, found),
        "ablation/A5": _loss(network.other_neurons(of_keys)),
        "ablation/A6": _loss(network.other_neurons(neurons - of_keys)),
        "ablation/A7/zero": _loss(network.other_skip(False)),
        "ablation/A7/mean": _loss(network.other_skip(True)),
        "ablation/A8": _loss(network.no_attention()),
        "ablation/A9": _loss(network.attention_alone()),
        "ablation/A10": _loss(network.no_equals()),
        "ablation/A11": _loss(network.linear()),
        "ablation/A12": loss_of_tables(kept["cube"]).mean(dim=-1),
    }


def _loss(logits: Float[Tensor, "run pair p"]) -> Float64[Tensor, " run"]:
    """Mean over all pairs."""
    return loss_of_pairs(lambda pairs: logits[:, pairs], logits.shape[-1]).mean(dim=-1)


def _without_frequencies(circuit: Circuit, network: Ablated, found: Analysis) -> Readings:
    """For each frequency the loss when no neuron has its block of waves.

    The projection and W_L are linear and act on different axes, so that what the logits lose is the
    block of W_L N. Behind a norm the neurons themselves are changed, at a pass for each frequency.
    """
    logits, neurons, p = circuit.logits, circuit.neurons, circuit.logits.shape[-1]
    source = (found.through if circuit.is_linear_read_out else neurons).double()
    readings: Readings = {}
    for k in range(1, p // 2 + 1):
        waves = block_waves(p, k).to(source.device)
        coefficients = waves.mT @ source
        if circuit.is_linear_read_out:
            without = partial(_without, logits, waves, coefficients)
            readings[f"ablation/A4/{k}"] = loss_of_pairs(without, p).mean(dim=-1)
        else:
            changed = (neurons - waves @ coefficients).to(neurons.dtype)
            readings[f"ablation/A4/{k}"] = _loss(network.other_neurons(changed))
    return readings


def _without(
    logits: Float[Tensor, "run pair p"],
    waves: Float64[Tensor, "pair wave"],
    coefficients: Float64[Tensor, "run wave p"],
    pairs: slice,
) -> Float64[Tensor, "run some p"]:
    """Logits of some pairs without these waves."""
    return logits[:, pairs] - waves[pairs] @ coefficients
