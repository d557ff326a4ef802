"""Figures 2 and 4: saturation by layer, and on the way along the ray of the parameters."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grok.claims.evidence import ArmEvidence, NotRun
from grok.claims.norm_growth.arms import PLACEMENTS
from grok.claims.norm_growth.language_heads import N_LAYERS, SATURATION
from grok.report.figures.base import Arm, Source, figure, with_runs
from grok.report.figures.draw import style_of
from grok.report.figures.norm_growth import published
from grok.report.figures.norm_growth.arms import placements

_MARKERS = "osv^"

FACTORS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0)
"""Factors of the parameters at which ours are read."""
HOMOGENEITY = (
    "--measures.homogeneity.enabled=true",
    f"--measures.homogeneity.scales=[{','.join(f'{c:g}' for c in FACTORS)}]",
)


@figure(
    name="2",
    title="Saturation by layer, at first and once trained",
    source="Figure 2; published models of 12 layers read off plot (at first: ranges alone), T5's "
    "states are its decoder's; ours are language models of 2 blocks after 0 and 2,000 updates",
    size=(7.2, 3.2),
)
def layers(canvas: Figure, source: Source) -> None:
    """Models as initialised, and trained."""
    left, right = canvas.subplots(1, 2, sharey=True)
    _draw_ranges(left)
    for marker, (name, values) in zip("sDxP", published.SATURATION.items(), strict=True):
        x = np.arange(1, len(values) + 1) / len(values)
        right.plot(x, values, marker=marker, ms=3, lw=0.7, ls=":", color="#7F7F7F", label=name)
    keys = [f"sat/layer/{layer}" for layer in range(N_LAYERS)]
    depth = np.arange(1, N_LAYERS + 1) / N_LAYERS
    found = with_runs(source, placements(*SATURATION))
    for axes, step, title in ((left, 0, "at first"), (right, None, "trained")):
        for at, (arm, evidence) in enumerate(found):
            _draw_readings(axes, (arm, evidence), depth, keys, step, at, source)
        axes.set(title=title, xlabel="share of the layers", xlim=(0, 1.05), ylim=(-0.1, 1.05))
    left.set(ylabel="cosine to the network at 1000 θ")
    canvas.legend(*right.get_legend_handles_labels(), loc="outside right center")
    if not found:
        _say_ours_missing(left, right)


@figure(
    name="4",
    title="Cosine of random networks at c θ to those at 1000 θ",
    source="Figure 4; published read off plot, encodings of 12 layers by a mask that leaks, their "
    "flag for biases reaches the read-out alone; ours are logits of 2 blocks before training",
    size=(7.2, 3.2),
)
def scales(canvas: Figure, source: Source) -> None:
    """Networks without biases, and with them."""
    panels = canvas.subplots(1, 2, sharey=True)
    cases = (("without biases", "_no_bias", published.COSINES),)
    cases += (("with biases", "", published.COSINES_BIAS),)
    keys = [f"homog/cos_to_sat/{c:g}" for c in FACTORS]
    for axes, (title, ending, curves) in zip(panels, cases, strict=True):
        for marker, (name, values) in zip("DX", curves.items(), strict=True):
            axes.plot(published.SCALES, values, marker, mfc="white", mec="black", ms=3.5,
                      label=f"{name}, published")  # fmt: skip
        arms = [
            each._replace(sweep=f"norm_growth/language_placements{ending}", n_steps=1)
            for each in placements(*HOMOGENEITY)
        ]
        found = with_runs(source, arms)
        for at, (arm, evidence) in enumerate(found):
            _draw_readings(axes, (arm, evidence), FACTORS, keys, 0, at, source)
        axes.set(title=title, xlabel="c", ylim=(-0.05, 1.05))
        if not found:
            _say_ours_missing(axes)
    panels[0].set(ylabel="cosine to the network at 1000 θ")
    canvas.legend(*panels[1].get_legend_handles_labels(), loc="outside right center")


def _draw_ranges(axes: Axes) -> None:
    """Published ranges of random models."""
    for name, (low, high) in published.SATURATION_AT_FIRST.items():
        axes.axhspan(low, high, color="#7F7F7F", alpha=0.25, lw=0)
        axes.text(0.02, high + 0.01, f"{name}, published", color="#4F4F4F", fontsize=7)


def _draw_readings(
    axes: Axes,
    arm: tuple[Arm, ArmEvidence],
    x: Sequence[float] | np.ndarray,
    keys: Sequence[str],
    step: int | None,
    at: int,
    source: Source,
) -> None:
    """Keys of one step (None: the last) side by side: median of the seeds, each seed a dot."""
    what, runs = arm
    when = runs.n_steps if step is None else step
    try:
        rows = np.array([list(runs.at(key, when).values.values()) for key in keys])
    except NotRun as error:
        source.lacks(f"{what.label}: {keys[0]}", f"{error}: {source.command(what)}")
        return
    style = style_of(at)
    axes.plot(x, np.median(rows, axis=1), marker=_MARKERS[at], ms=4, label=what.label, **style)
    axes.plot(x, rows, ".", color=style["color"], ms=3, alpha=0.5)


def _say_ours_missing(*panels: Axes) -> None:
    for axes in panels:
        words = f"ours not run:\n{', '.join(PLACEMENTS)}"
        grey: dict[str, Any] = {"ha": "right", "va": "center", "color": "#7F7F7F"}
        axes.text(0.98, 0.31, words, transform=axes.transAxes, **grey)
