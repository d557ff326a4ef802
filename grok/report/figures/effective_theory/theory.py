"""Figures 4a, 4c and 5a: what follows from the training set alone.

Shapes: ``symbol`` - numbers that are added; ``step`` - steps; ``draw`` - random training sets.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float64, Int64
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
    import torch

    from grok.claims.checks.effective_theory import (
        CURVES,
        LEARNING_RATE,
        start_of_4c,
        whole_gram,
    )
    from grok.theory.flow import flow

    axes = canvas.subplots()
    steps = np.arange(0, max(CURVES) + 1, 10)
    embedding = flow(start_of_4c(), whole_gram(), torch.from_numpy(LEARNING_RATE * steps))
    embedding_curves(axes, steps, embedding[..., 0].numpy(), CURVES)
    axes.axvline(END_OF_FLOW, color="#7F7F7F", ls=":", lw=0.8)


def embedding_curves(
    axes: Axes,
    steps: Int64[np.ndarray, " step"],
    embedding: Float64[np.ndarray, "step symbol"],
    published: Mapping[int, Sequence[float]] | None = None,
) -> None:
    """The number of each symbol over the steps, named at its end.

    Args:
        axes: Where.
        steps: Ascending.
        embedding: Of one dimension, standardised.
        published: Values of every symbol by step.
    """
    for symbol, curve in enumerate(embedding.T):
        style = style_of(symbol)
        axes.plot(steps, curve, label=str(symbol), **style)
        end, beside = (steps[-1], curve[-1]), (7, 0)
        place = {"xytext": beside, "textcoords": "offset points", "va": "center"}
        axes.annotate(str(symbol), end, fontsize=7, color=style["color"], **place)
    for step, values in (published or {}).items():
        mark_published(axes, [step] * len(values), values)
    axes.set(xlabel="step", ylabel="embedding, standardised", xlim=(0, 1.02 * steps[-1]))


@figure(
    name="5a",
    title="Grokking rate λ₃ by training fraction",
    source="Figure 5a; 200 random sets a size, 10th to 90th percentile shaded; the published panel "
    "is a picture without numbers: 0 below the critical fraction of figure 4a (dotted), then "
    "rising. Its formula is the mean over parallelograms, the released code has their sum",
    size=(6.4, 3.0),
)
def rates(canvas: Figure, source: Source) -> None:
    """With both formulas; nothing is trained."""
    del source
    sizes = range(5, 56, 5)
    share = [n / 55 for n in sizes]
    each = zip(*(_rates(n) for n in sizes), strict=True)
    for axes, name, found in zip(canvas.subplots(1, 2), ("sum", "mean"), each, strict=True):
        low, middle, high = np.percentile(found, (10, 50, 90), axis=1)
        axes.fill_between(share, low, high, color=style_of(0)["color"], alpha=0.2, lw=0)
        axes.plot(share, middle, label="median", **style_of(0))
        axes.plot(share, np.mean(found, axis=1), label="mean", **style_of(1))
        axes.axvline(CRITICAL, color="#7F7F7F", ls=":", lw=0.8)
        axes.set(xlabel="training fraction r", ylabel="λ₃", title=f"{name}, Z₀ = p")
        axes.legend(loc="upper left")


def _rates(n: int) -> tuple[Float64[np.ndarray, " draw"], Float64[np.ndarray, " draw"]]:
    """λ₃ of random training sets of a size, in 1 / time: with the sum, and with the mean.

    The same at every call. A set without a parallelogram has 0 in both.
    """
    from grok.claims.checks.effective_theory import random_sets
    from grok.metrics.parallelograms import in_training
    from grok.metrics.samples import addition_samples
    from grok.theory.effective import spectrum

    samples = addition_samples(_P)
    sets = random_sets(n, _RATE_DRAWS, samples)
    rate = spectrum(sets, samples).lambda_3
    n_parallelograms = in_training(sets, samples).sum(dim=-1).clamp(min=1)
    return rate.numpy(), (rate / n_parallelograms).numpy()
