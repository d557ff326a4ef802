"""Figures 4a, 4c and 5a: what follows from the training set alone."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grok.report.figures.base import Source, figure
from grok.report.figures.draw import mark_published, style_of
from grok.report.figures.effective_theory.published import (
    CRITICAL,
    END_OF_FLOW,
    N_DETERMINED,
    N_DRAWS,
)

_P = 10
_DRAWS = 2000
_RATE_DRAWS = 200
_LAST = 2000


@figure(
    name="4a",
    title="Probability that the training set determines the line",
    source="Figure 4a; 2,000 random orders of the 55 pairs, seed 0; published: the authors' "
    "10,000 sets a size",
    size=(4.4, 3.0),
)
def critical(canvas: Figure, source: Source) -> None:
    """By training fraction; nothing is trained."""
    del source
    from grok.theory.critical import critical_fraction

    axes = canvas.subplots()
    found = critical_fraction(_P, _DRAWS)
    share, p, error = (x.numpy() for x in (found.n / found.n[-1], found.probability, found.error))
    axes.plot(share, p, label=f"theory, 1/2 at r = {found.r_half:.2f}", **style_of(0))
    axes.fill_between(share, p - 2 * error, p + 2 * error, color=style_of(0)["color"], alpha=0.2)
    x = [n / int(found.n[-1]) for n in N_DETERMINED]
    y = [k / N_DRAWS for k in N_DETERMINED.values()]
    mark_published(axes, x, y, f"published, 1/2 at r = {CRITICAL}")
    axes.axvline(found.r_half, color="#7F7F7F", ls=":", lw=0.8)
    axes.set(xlabel="training fraction r", ylabel="P(nullity 2)", xlim=(0, 1))
    axes.legend(loc="lower right")


@figure(
    name="4c",
    title="Embeddings by the effective theory",
    source="Figure 4c; seed 9 in the notebooks' draw, learning rate 3e-4, all 70 parallelograms; "
    "published: the panel's curves as recomputed from its formulas; dotted: its mark of three "
    "times 1/(λ₃ η), read off the plot",
    size=(4.4, 3.2),
)
def effective_flow(canvas: Figure, source: Source) -> None:
    """One line a symbol; nothing is trained."""
    del source
    from grok.claims.checks.effective_theory import CURVES, LEARNING_RATE

    axes = canvas.subplots()
    steps = np.arange(0, _LAST + 1, 10)
    embedding_curves(axes, steps, _flow(steps * LEARNING_RATE), CURVES)
    axes.axvline(END_OF_FLOW, color="#7F7F7F", ls=":", lw=0.8)


def _flow(times: np.ndarray) -> np.ndarray:
    """Embedding of each symbol at some times, from the start of figure 4c."""
    import torch

    from grok.data.toy_config import ToyConfig
    from grok.metrics.samples import addition_samples
    from grok.models.toy import ToyNetwork, toy_parameters
    from grok.theory.effective import chosen, gram
    from grok.theory.flow import flow, standardised

    network = ToyNetwork(ToyConfig(draw="published"), 30)
    start = standardised(toy_parameters(network, 9)["W_E"])
    samples = addition_samples(_P)
    whole = torch.ones(len(samples.labels), dtype=torch.bool)
    matrix = gram(chosen(whole, samples, "all"), samples)
    return flow(start, matrix, torch.from_numpy(times))[..., 0].numpy()


def embedding_curves(
    axes: Axes,
    steps: np.ndarray,
    embedding: np.ndarray,
    published: Mapping[int, Sequence[float]] | None = None,
) -> None:
    """The number of each symbol over the steps, named at its end.

    Args:
        axes: Where.
        steps: Steps.
        embedding: A row for each, a column for each symbol.
        published: Values of every symbol by step.
    """
    for symbol, curve in enumerate(embedding.T):
        axes.plot(steps, curve, label=str(symbol), **style_of(symbol))
        axes.annotate(
            str(symbol),
            (steps[-1], curve[-1]),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color=style_of(symbol)["color"],
            annotation_clip=False,
        )
    for step, values in (published or {}).items():
        mark_published(axes, [step] * len(values), values)
    axes.set(xlabel="step", ylabel="embedding, standardised", xlim=(0, 1.02 * steps[-1]))


@figure(
    name="5a",
    title="Grokking rate λ₃ by training fraction",
    source="Figure 5a; 200 random sets a size; the published panel is a picture without numbers. "
    "Its formula is the mean over parallelograms, the released code has their sum",
    size=(6.4, 3.0),
)
def rates(canvas: Figure, source: Source) -> None:
    """Median and range from the 10th to the 90th percentile; nothing is trained."""
    del source
    sizes = range(5, 56, 2)
    share = [n / 55 for n in sizes]
    found = np.array([_rates(n) for n in sizes])
    for k, (axes, title) in enumerate(zip(canvas.subplots(1, 2), ("sum", "mean"), strict=True)):
        low, middle, high = np.percentile(found[:, k], (10, 50, 90), axis=1)
        axes.fill_between(share, low, high, color=style_of(0)["color"], alpha=0.2, lw=0)
        axes.plot(share, middle, label="median", **style_of(0))
        axes.plot(share, found[:, k].mean(axis=1), label="mean", **style_of(1))
        axes.axvline(CRITICAL, color="#7F7F7F", ls=":", lw=0.8)
        axes.set(xlabel="training fraction r", ylabel="λ₃", title=f"{title}, Z₀ = p")
        axes.legend(loc="upper left")


def _rates(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Third eigenvalue of random training sets of a size: with the sum, and with the mean.

    The same at every call. Those that are 0 are so up to rounding.
    """
    import torch

    from grok.metrics.parallelograms import in_training
    from grok.metrics.samples import addition_samples
    from grok.theory.effective import gram, hessian

    samples = addition_samples(_P)
    generator = torch.Generator().manual_seed(n)
    key = torch.rand(_RATE_DRAWS, len(samples.labels), generator=generator, dtype=torch.float64)
    chosen = in_training(key.argsort(dim=1).argsort(dim=1) < n, samples)
    rates = torch.linalg.eigvalsh(hessian(gram(chosen, samples), float(_P)))[:, 2].clamp(min=0)
    return rates.numpy(), (rates / chosen.sum(dim=-1).clamp(min=1)).numpy()
