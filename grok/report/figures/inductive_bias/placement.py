"""Where the norm sits (figures 1, 2, 3, 7, 8)."""

from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from grok.report.figures.base import Source, figure
from grok.report.figures.draw import legend_below, say_missing, style_of
from grok.report.figures.inductive_bias import published
from grok.report.figures.inductive_bias.panels import (
    against,
    bars,
    curves,
    losses,
    placements,
    reached,
    scatter,
    stored,
)

FOUR = ("No LN", "A*", "M+A*", "M")
"""Placements of figures 1, 2, 6, 7 and 8."""


@figure(
    name="1",
    title="Steps to train and test loss 0.01 by placement of the LayerNorm",
    source="Figure 1; the step of the mean curve of 5 seeds, as there; a dot is a seed",
    size=(4.6, 3.2),
)
def times(canvas: Figure, source: Source) -> None:
    """A pair of bars for each placement."""
    axes = canvas.subplots()
    for arm in stored(source, placements(*FOUR)):
        color = style_of(arm.at)["color"]
        splits = (
            ("train", -0.2, "////", published.TRAIN_TIMES),
            ("test", 0.2, "", published.TIMES),
        )
        for split, offset, hatch, known in splits:
            onset = reached(source, arm, f"loss/{split}", 0.01, "below")
            if onset is not None:
                bars(axes, arm.at + offset, onset, color, hatch, known[arm.name])
    if not axes.lines:
        say_missing(axes)
        return
    axes.set_xticks(range(len(FOUR)), FOUR)
    axes.set(yscale="log", ylim=(50, 20_000), ylabel="steps to loss 0.01")
    axes.grid(visible=False, axis="x")
    canvas.legend(handles=_bar_legend(), loc="outside upper center", ncols=4)


def _bar_legend() -> list[Patch | Line2D]:
    black: dict[str, Any] = {"color": "black", "linestyle": "none"}
    return [
        Patch(facecolor="#7F7F7F", hatch="////", edgecolor="white", label="train"),
        Patch(facecolor="#7F7F7F", label="test"),
        Line2D([], [], marker=".", label="a seed", **black),
        Line2D([], [], marker="D", mfc="white", label="published", ms=4.5, **black),
    ]


@figure(
    name="2",
    title="Test loss, C_Fourier, and when either arrives, by placement of the LayerNorm",
    source=(
        "Figure 2; thick lines are means of 5 seeds, bands their range (the authors' a quarter of"
        " it); diamonds are published. 2c: mean test accuracy 0.995, as the authors' code has it,"
        " where the caption says test loss 0.01; C_Fourier of the mean"
    ),
    size=(8.4, 3.2),
)
def fourier(canvas: Figure, source: Source) -> None:
    """Curves of loss and of C_Fourier, and their onsets against each other."""
    loss, energy, both = canvas.subplots(1, 3)
    drawn = stored(source, placements(*FOUR))
    losses(loss, source, drawn, published.TIMES)
    loss.set_title("a")
    curves(energy, source, drawn, "fourier/c", published.FOURIER)
    energy.set(title="b", ylabel="C_Fourier")
    pairs = against(
        drawn,
        lambda arm: reached(source, arm, "acc/test", 0.995),
        lambda arm: reached(source, arm, "fourier/c", 1.0),
    )
    scatter(both, pairs, of_both(published.ACCURACY_TIMES, published.FOURIER_TIMES))
    both.set(title="c", xlabel="step of test accuracy 0.995", ylabel="step of C_Fourier 1")
    legend_below(canvas, [loss, energy], 5)


def of_both(x: dict[str, int], y: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Two published times of each placement."""
    return {name: (x[name], y[name]) for name in FOUR}


@figure(
    name="3",
    title="Shortcut by scale, test loss and entropy of attention, by path of the LayerNorm",
    source=(
        "Figure 3; means of 5 seeds and their range, diamonds are published means. 3a shows the"
        " minimum over seeds there, the lower edge of the band here"
    ),
    size=(8.4, 3.2),
)
def paths(canvas: Figure, source: Source) -> None:
    """Three panels, the colours of a placement the same in all."""
    shortcut, loss, entropy = canvas.subplots(1, 3)
    drawn = stored(source, placements("No LN", "A^qk", "A^v", "M"))
    few = [arm for arm in drawn if arm.name != "A^qk"]
    curves(shortcut, source, few, "shortcut/loss/legacy/train", published.SHORTCUT)
    shortcut.set(title="a", ylabel="SR-train")
    losses(loss, source, drawn, published.TIMES)
    loss.set_title("b")
    curves(entropy, source, drawn, "attn/entropy/0", published.ENTROPY)
    entropy.set(title="c", ylabel="entropy of attention (nats)")
    legend_below(canvas, [loss, shortcut, entropy], 5)


@figure(
    name="7",
    title="Test loss by placement of an RMSNorm",
    source="Figure 7, appendix E; test loss 1 is published, read off the plot",
    size=(4.6, 3.2),
)
def rmsnorm(canvas: Figure, source: Source) -> None:
    """Test loss."""
    axes = canvas.subplots()
    drawn = stored(source, placements(*FOUR, sweep="rmsnorm"))
    losses(axes, source, drawn, published.RMS_TIMES, threshold=1.0)
    legend_below(canvas, [axes], 5)


@figure(
    name="8",
    title="Test loss by placement of the LayerNorm, depth 3 and width 64",
    source=(
        "Figure 8, appendix F; test loss 1 is published, read off the plot, whose curves are"
        " smoothed over 17 and 111 readings"
    ),
    size=(4.6, 3.2),
)
def depth(canvas: Figure, source: Source) -> None:
    """Test loss."""
    axes = canvas.subplots()
    drawn = stored(source, placements(*FOUR, sweep="depth"))
    losses(axes, source, drawn, published.DEPTH_TIMES, threshold=1.0)
    legend_below(canvas, [axes], 5)
