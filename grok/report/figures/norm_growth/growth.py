"""Figures 1 and 5: growth of the norm, and alignment and length of the updates."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grok.claims.norm_growth.arms import NORM, placed, scheduled
from grok.claims.norm_growth.published import t5_norms
from grok.report.figures.base import Arm, Source, figure, with_runs
from grok.report.figures.draw import draw_seeds, say_missing, style_of
from grok.report.figures.norm_growth import published
from grok.report.figures.norm_growth.arms import placements
from grok.report.palette import MPL_DASHES

COSINE = "dir/cos_prev/encoder"
_LAYERS = (0, 1)


@figure(
    name="1",
    title="Norm of the parameters over training, and cosine of neighbouring checkpoints",
    source="Figure 1; T5's values are read off plot, lines are fits a√t + b; ours are language "
    "models of 2 blocks, 2,000 updates, cosines 100 updates apart (T5: 5,100)",
    size=(7.2, 4.4),
)
def growth(canvas: Figure, source: Source) -> None:
    """Norms above, cosines below; T5, placements, blocks."""
    axes = canvas.subplots(2, 3)
    _draw_t5_norms(axes[0, 0])
    _draw_t5(axes[1, 0], published.T5_STEPS, {"encoder+decoder": published.T5_COSINE})
    arms = placements()
    _draw_arms(axes[0, 1], source, arms, NORM)
    _draw_arms(axes[1, 1], source, arms, COSINE)
    _draw_layers(axes[0, 2], source, arms[0], "norm/theta/layer.{}")
    _draw_layers(axes[1, 2], source, arms[0], "dir/cos_prev/layer.{}")
    for column, title in enumerate(("T5, published", "ours", f"ours, {arms[0].label}")):
        axes[0, column].set(title=title)
    _name(axes, ("norm", "cosine to the last checkpoint"))


@figure(
    name="5",
    title="Alignment of the updates with the parameters, and their length",
    source="Figure 5; T5's are computed from values read off plot, between checkpoints 5,100 "
    "updates apart; ours are of single updates, which the paper does not have",
    size=(7.2, 4.4),
)
def alignment(canvas: Figure, source: Source) -> None:
    """Alignment above, length below; T5 and ours."""
    axes = canvas.subplots(2, 2)
    _draw_t5(axes[0, 0], published.T5_STEPS, published.T5_ALIGNMENT)
    _draw_t5(axes[1, 0], published.T5_STEPS, published.T5_STEP_SIZE)
    arms = [
        Arm.of("constant rate, decay 0.01", placed("sublayer_ln")),
        Arm.of("rate 1/√t, no decay", scheduled("adamw", 1e-3, falls=True)),
    ]
    _draw_arms(axes[0, 1], source, arms, "align/theta_delta/encoder")
    _draw_arms(axes[1, 1], source, arms, "norm/delta/encoder")
    axes[0, 0].set(title="T5 between checkpoints, published")
    axes[0, 1].set(title="ours, single updates")
    _name(axes, ("cos(θ, δ)", "‖δ‖"))


def _name(axes: np.ndarray, labels: Sequence[str]) -> None:
    """Labels of the rows and of the steps, and a legend where there are curves."""
    for each, label in zip(axes[:, 0], labels, strict=True):
        each.set(ylabel=label)
    for each in axes.flat:
        if each.get_legend_handles_labels()[0]:
            each.legend()
    for each in axes[-1]:
        if each.lines:
            each.set_xlabel("step")


def _draw_t5_norms(axes: Axes) -> None:
    """Norms of T5 and the best a√t + b."""
    steps, norms = t5_norms()
    _draw_t5(axes, steps.tolist(), {name: x.tolist() for name, x in norms.items()})
    roots = np.sqrt(steps)
    for at, values in enumerate(norms.values()):
        slope, base = np.polyfit(roots, values, 1)
        dense = np.linspace(0, steps[-1], 200)
        axes.plot(dense, slope * np.sqrt(dense) + base, zorder=1, **style_of(at))


def _draw_t5(
    axes: Axes, x: Sequence[int], each: Mapping[str, Sequence[float] | Sequence[int]]
) -> None:
    """Published series of sets of parameters, told apart by marker."""
    for marker, (name, values) in zip("Do", each.items(), strict=False):
        axes.plot(x, values, marker, mfc="white", mec="black", ms=4, label=name, zorder=5)
    axes.set_xticks((0, 250_000, 500_000), ("0", "250k", "500k"))


def _draw_arms(axes: Axes, source: Source, arms: Sequence[Arm], key: str) -> None:
    """A key over the steps, a curve an arm."""
    for at, (each, evidence) in enumerate(with_runs(source, arms)):
        draw_seeds(axes, evidence, key, at, each.label, source)
    if not axes.lines:
        say_missing(axes)


def _draw_layers(axes: Axes, source: Source, arm: Arm, key: str) -> None:
    """A key of each block over the steps."""
    evidence = source.arm(arm)
    for layer in _LAYERS:
        if evidence is None:
            continue
        n_before = len(axes.lines)
        draw_seeds(axes, evidence, key.format(layer), layer + 3, f"block {layer + 1}", source)
        _dash(axes, n_before, layer)
    if not axes.lines:
        say_missing(axes)


def _dash(axes: Axes, n_before: int, at: int) -> None:
    """Give the lines drawn since a dash of their own besides the colour."""
    for line in axes.lines[n_before:]:
        line.set_linestyle(MPL_DASHES[at])
