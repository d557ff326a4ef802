"""Figures 3 to 6: the network at the end of the mainline run, taken apart."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grok.claims.evidence import ArmEvidence, NotRun
from grok.report.figures.base import Source, figure
from grok.report.figures.draw import legend_below, say_missing
from grok.report.figures.progress_measures import published
from grok.report.figures.progress_measures.panels import (
    component_bars,
    heat_map,
    loss_bars,
    mark_frequencies,
)
from grok.report.figures.progress_measures.runs import Ended, ended, one_run
from grok.report.palette import LINES

_NETWORK = "Seed 0, or the first of those asked for, at its last checkpoint up to step 40,000"
_MOST_NAMED = 5
"""Key frequencies that have room in a title; of more their number is there."""


@figure(
    name="3",
    title="Fourier components of the embedding and of the neuron-to-logit map",
    source=f"Figure 3; points read off it, of a network that has other keys. {_NETWORK}",
    size=(7.2, 4.4),
)
def _components(canvas: Figure, source: Source) -> None:
    embedding, read_out = canvas.subplots(2, 1)
    network = _network(canvas, source)
    if network is None:
        return
    from grok.metrics.progress import component_norms

    W_E, W_L = network.snapshot.embedding[0], network.snapshot.circuit.neuron_logit_map[0]
    squares = published.SQUARED_EMBEDDING
    points = {k: (math.sqrt(cos), math.sqrt(sin)) for k, (cos, sin) in squares.items()}
    component_bars(embedding, component_norms(W_E).numpy(), points)
    component_bars(read_out, component_norms(W_L).numpy())
    embedding.set_title(f"Embedding $W_E$, step {network.step:,}")
    read_out.set_title("Neuron-to-logit map $W_L$")
    legend_below(canvas, [embedding], 3)


@figure(
    name="4",
    title="Attention of a head, activations of a neuron and the logits' Fourier components",
    source=(
        f"Figure 4. {_NETWORK}. Head 0, and neuron 0 or the first that fires at all; the pattern "
        "after the softmax. The logits without their constant"
    ),
    size=(8.4, 2.6),
)
def _periodic(canvas: Figure, source: Source) -> None:
    attention, activation, spectrum = canvas.subplots(1, 3)
    network = _network(canvas, source)
    if network is None:
        return
    from grok.measures.circuit import analyse

    circuit = network.snapshot.circuit
    p = circuit.logits.shape[-1]
    neurons = circuit.neurons[0].numpy()
    fires = np.flatnonzero(neurons.max(axis=0) > 0)
    neuron = int(fires[0]) if fires.size else 0
    heat_map(attention, circuit.to_first[0, :, 0].reshape(p, p).numpy())
    attention.set(title=f"Head 0, = to a, step {network.step:,}", xlabel="b", ylabel="a")
    heat_map(activation, neurons[:, neuron].reshape(p, p))
    activation.set(title=f"Neuron {neuron}", xlabel="b", ylabel="a")
    heat_map(spectrum, _logit_norms(circuit.logits[0].double().numpy()))
    keys = np.flatnonzero(analyse(network.snapshot).is_key[0].numpy()).tolist()
    named = f"keys {', '.join(map(str, keys))}" if len(keys) <= _MOST_NAMED else f"{len(keys)} keys"
    spectrum.set(title=f"Logits, {named}", xlabel="frequency in b", ylabel="frequency in a")
    for axis in (spectrum.xaxis, spectrum.yaxis):
        mark_frequencies(axis, range(10, p // 2 + 1, 10))
    for axes in (attention, activation, spectrum):
        axes.set_box_aspect(1)


@figure(
    name="5",
    title="Neurons follow one frequency, and so do their weights to the logits",
    source=f"Figure 5. {_NETWORK}. The weights are of the neurons of its lowest frequency",
    size=(7.2, 2.9),
)
def _neurons(canvas: Figure, source: Source) -> None:
    shares, weights = canvas.subplots(1, 2)
    network = _network(canvas, source)
    if network is None:
        return
    from grok.metrics.pair_waves import explained_by_frequency
    from grok.metrics.progress import CLUSTER_FVE

    circuit = network.snapshot.circuit
    explained = explained_by_frequency(circuit.neurons[0]).numpy()
    best, frequency = explained.max(axis=0), explained.argmax(axis=0)
    _share_panel(shares, best, CLUSTER_FVE)
    shares.set_title(f"Neurons, step {network.step:,}")
    legend_below(canvas, [shares], 1)
    is_pure = best > CLUSTER_FVE
    if not is_pure.any():
        say_missing(weights, "no neuron follows one frequency")
        return
    k = int(frequency[is_pure].min())
    mine = np.flatnonzero(is_pure & (frequency == k))
    W_L = circuit.neuron_logit_map[0].double().numpy()
    _weight_panel(weights, W_L[:, mine], k)


@figure(
    name="6",
    title="Loss without each frequency, and with the key frequencies alone",
    source=(
        "Figure 6. Seed 0, or the first of those asked for, last readings up to step 40,000. Left: "
        "all waves of a frequency taken from the neurons, loss on all pairs; points of a notebook "
        "of the author. Right: its waves of a + b taken from the logits, training loss; points "
        "read off figure 15. The published network has other keys"
    ),
    size=(7.2, 2.9),
)
def _ablated(canvas: Figure, source: Source) -> None:
    neurons, logits = canvas.subplots(1, 2)
    evidence = one_run(source)
    panels = (
        (neurons, "ablation/A4", "all", published.WITHOUT_NEURON_WAVES),
        (logits, "progress/excluded_single", "train", published.WITHOUT_LOGIT_WAVES),
    )
    for axes, prefix, split, points in panels:
        _loss_panel(axes, evidence, prefix, split, points, source)
    neurons.set_title("From the neurons, loss on all pairs")
    logits.set_title("From the logits, training loss")
    legend_below(canvas, [neurons], 5)


def _network(canvas: Figure, source: Source) -> Ended | None:
    """The network of a figure; without one its panels say so."""
    network = ended(source)
    if network is None:
        for axes in canvas.axes:
            say_missing(axes)
    return network


def _logit_norms(logits: np.ndarray) -> np.ndarray:
    """Norm over the classes of each two-dimensional Fourier component, the constant set to 0."""
    from grok.metrics.fourier import fourier_basis

    p = logits.shape[-1]
    basis, grid = fourier_basis(p).numpy(), logits.reshape(p, p, p)
    waves = np.einsum("fa,abc,gb->fgc", basis, grid, basis, optimize=True)
    norms = np.linalg.norm(waves, axis=-1)
    norms[0, 0] = 0.0
    return norms


def _weight_panel(axes: Axes, W_L: np.ndarray, k: int) -> None:
    """Fourier components of the weights from neurons of frequency k to the logits."""
    from grok.metrics.fourier import fourier_basis

    p, n_neurons = W_L.shape
    heat_map(axes, fourier_basis(p).numpy() @ W_L, signed=True)
    tens = [ten for ten in range(10, p // 2 + 1, 10) if abs(ten - k) > 4]
    mark_frequencies(axes.yaxis, [*tens, k])
    title = f"$W_L$ of the {n_neurons} neurons of frequency {k}"
    axes.set(title=title, xlabel="neuron", ylabel="frequency")


def _share_panel(axes: Axes, best: np.ndarray, threshold: float) -> None:
    """Histogram of the share of variance that its best frequency explains of each neuron."""
    axes.hist(best, bins=np.linspace(0, 1, 21).tolist(), color=LINES[0], edgecolor="white")
    words = f"{100 * threshold:.0f} %: {(best > threshold).sum()} of {best.size} are above it, "
    words += f"published {published.N_OVER_85} of {published.N_NEURONS}"
    axes.axvline(threshold, color="black", linestyle="--", linewidth=1, label=words)
    axes.set(xlabel="share of variance explained by one frequency", ylabel="neurons")


def _loss_panel(
    axes: Axes,
    evidence: ArmEvidence | None,
    prefix: str,
    split: str,
    points: Mapping[int, float],
    source: Source,
) -> None:
    """The last readings of a loss by frequency with those that it is compared to."""
    if evidence is None:
        say_missing(axes)
        return
    ((seed, run),) = evidence.runs.items()
    frequencies = range(1, run.config.data.p // 2 + 1)
    try:
        losses = {k: _last(evidence, f"{prefix}/{k}", seed) for k in frequencies}
        keys = [k for k in frequencies if _last(evidence, f"progress/key/{k}", seed) == 1]
        reference = {
            "whole network": _last(evidence, f"loss/{split}", seed),
            "key frequencies alone": _last(evidence, f"progress/restricted/sum/{split}", seed),
        }
    except NotRun as error:
        source.lacks(f"{prefix} of seed {seed}", str(error))
        say_missing(axes)
        return
    loss_bars(axes, losses, keys, reference, points)


def _last(evidence: ArmEvidence, key: str, seed: str) -> float:
    """The last reading of a key up to the figure's end.

    Raises:
        NotRun: If there is none.
    """
    values = evidence.series(key, seed)[1]
    if not values.size:
        raise NotRun(f"{evidence.runs[seed].key} has no reading of {key}")
    return float(values[-1])


ENDS = [_components, _periodic, _neurons, _ablated]
