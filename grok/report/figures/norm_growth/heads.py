"""Figure 3: what saturated heads attend to."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grok.claims.evidence import ArmEvidence, NotRun
from grok.claims.norm_growth.language_heads import HEADS as PLACES
from grok.claims.norm_growth.language_heads import MOST_VISIBLE
from grok.report.figures.base import Arm, Source, figure, with_runs
from grok.report.figures.draw import mark_published, say_missing, style_of
from grok.report.figures.norm_growth import published
from grok.report.figures.norm_growth.arms import placements

BINS: list[float] = np.linspace(0, 1.05, 22).tolist()
_PANELS = (
    ("attn/n_mean", MOST_VISIBLE, "positions / visible ones"),
    ("attn/n_std", MOST_VISIBLE, "std (n) / visible ones"),
    ("attn/split", 1.0, "split probability"),
)


@figure(
    name="3",
    title="Positions that saturated heads attend to",
    source="Figure 3; positions over the visible ones in the mean (42 there, 32.5 here), since "
    "lengths differ; published modes are read off plot, and a mask that leaks makes the upper one",
    size=(7.2, 2.8),
)
def heads(canvas: Figure, source: Source) -> None:
    """Positions, their spread and split probability, a histogram each."""
    axes = canvas.subplots(1, 3, sharey=True)
    found = with_runs(source, placements())
    for each, (key, unit, label) in zip(axes, _PANELS, strict=True):
        for at, (arm, evidence) in enumerate(found):
            _draw_shares(each, (arm, evidence), key, unit, at, source)
        if not each.patches:
            say_missing(each)
        each.set(xlabel=label)
    if axes[0].patches:
        _draw_modes(axes)
        axes[0].set(ylabel="share of the heads", ylim=(0, 1.02))
        canvas.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")


def _draw_shares(
    axes: Axes, arm: tuple[Arm, ArmEvidence], key: str, unit: float, at: int, source: Source
) -> None:
    """Histogram over the heads of all seeds, as shares."""
    what, runs = arm
    try:
        each = [list(runs.last(f"{key}/{place}").values.values()) for place in PLACES]
    except NotRun as error:
        source.lacks(f"{what.label}: {key}", f"{error}: {source.command(what)}")
        return
    values = np.ravel(each) / unit
    weights = np.full(len(values), 1 / len(values))
    axes.hist(
        values, BINS, weights=weights, histtype="step", lw=1.3, label=what.label, **style_of(at)
    )


def _draw_modes(axes: np.ndarray) -> None:
    """Published modes: with their heads as points, without as lines."""
    for marker, (name, modes) in zip("DX", published.HEADS.items(), strict=True):
        x = [n / published.N_VISIBLE for n in modes]
        shares = [n / published.N_HEADS for n in modes.values()]
        mark_published(axes[0], x, shares, f"{name}, published")
        axes[0].lines[-1].set_marker(marker)
    label = "mode, published"
    for each, modes in (
        (axes[1], (published.STD / published.N_VISIBLE,)),
        (axes[2], published.SPLIT),
    ):
        for mode in modes:
            each.axvline(mode, color="black", lw=0.8, ls=(0, (1, 2)), label=label, zorder=0)
    axes[0].plot([], [], color="black", lw=0.8, ls=(0, (1, 2)), label=label)
