"""Figures 2 and 7: what changes over the training."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grok.claims.evidence import ArmEvidence, NotRun
from grok.claims.progress_measures.arms import EXCLUDED, RESTRICTED, boundaries
from grok.report.figures.base import Source, figure
from grok.report.figures.draw import draw_seeds, legend_below, mark_published, say_missing
from grok.report.figures.progress_measures import published
from grok.report.figures.progress_measures.runs import CURVE_STEPS, mainline, mainline_only


class _Curve(NamedTuple):
    """A key over the steps."""

    key: str
    label: str
    at: int
    """Number of the line, for its colour and dash."""
    published: Mapping[int, float | int]


_TEST = _Curve("loss/test", "test", 0, published.TEST_LOSS)
_TRAIN = _Curve("loss/train", "train", 1, published.TRAIN_LOSS)
_EXCLUDED = _Curve(EXCLUDED, "excluded, train", 2, published.EXCLUDED)
_RESTRICTED = _Curve(RESTRICTED, "restricted, all pairs", 3, published.RESTRICTED)
_GINI_E = _Curve("progress/gini/W_E", "$W_E$", 0, {})
_GINI_L = _Curve("progress/gini/W_L", "$W_L$", 1, {})
_SQUARED = _Curve("norm/squared", "sum of squares", 0, published.SQUARED_NORM)
_ACC_TRAIN = _Curve("acc/train", "train", 1, {})
_ACC_TEST = _Curve("acc/test", "test", 0, published.TEST_ACC)


@figure(
    name="2",
    title="Accuracy and loss on training and test pairs, five seeds",
    source="Figure 2; the published points are those of seed 0, read off figures 2 and 7",
    size=(7.2, 2.9),
)
def _grokking(canvas: Figure, source: Source) -> None:
    accuracy, loss = canvas.subplots(1, 2)
    evidence = source.arm(mainline(CURVE_STEPS))
    _panel(accuracy, evidence, [_ACC_TRAIN, _ACC_TEST], source)
    _panel(loss, evidence, [_TRAIN, _TEST], source)
    accuracy.set(title="Accuracy", ylabel="accuracy")
    _log_loss(loss, "Loss")
    legend_below(canvas, [loss], 3)


@figure(
    name="7",
    title="Progress measures over the training, and its three phases",
    source=(
        "Figure 7; points read off it. Dashed lines: ends of the phases by the rules of this "
        "project (smallest excluded loss, test loss below ln p, squared norm within 5 % of its "
        "last value), the median of the seeds drawn; dotted: those of the paper, placed by eye. "
        "The excluded and restricted losses are under the key frequencies of the run's end"
    ),
    size=(7.2, 5.2),
)
def _progress(canvas: Figure, source: Source) -> None:
    source = mainline_only(source)
    axes = canvas.subplots(2, 2)
    evidence = source.arm(mainline(CURVE_STEPS))
    panels = [[_EXCLUDED, _TRAIN, _TEST], [_RESTRICTED, _TRAIN, _TEST]]
    panels += [[_GINI_E, _GINI_L], [_SQUARED]]
    for each, curves in zip(axes.flat, panels, strict=True):
        _panel(each, evidence, curves, source)
    _log_loss(axes[0, 0], "Excluded loss")
    _log_loss(axes[0, 1], "Restricted loss")
    axes[1, 0].set(title="Gini coefficient of Fourier components", ylabel="Gini coefficient")
    axes[1, 1].set(title="Sum of squared weights", ylabel="sum of squares")
    if axes[1, 0].lines:
        axes[1, 0].legend(loc="lower right")
    for each in axes.flat:
        _phase_lines(each, _ends(evidence))
    legend_below(canvas, [axes[0, 0], axes[0, 1]], 4)


def _panel(axes: Axes, evidence: ArmEvidence | None, curves: list[_Curve], source: Source) -> None:
    """Curves of all seeds with what was published, or the words that nothing was run."""
    drawn = evidence is not None and [
        draw_seeds(axes, evidence, c.key, c.at, c.label, source) for c in curves
    ]
    if not drawn or not any(drawn):
        say_missing(axes)
        return
    for curve in (c for c in curves if c.published):
        points = list(curve.published), list(curve.published.values())
        mark_published(axes, *points, "_nolegend_", curve.at)
    if any(curve.published for curve in curves):
        mark_published(axes, [], [], "published, seed 0")
    axes.set_xlabel("step")
    axes.xaxis.set_major_formatter("{x:,.0f}")


def _log_loss(axes: Axes, title: str) -> None:
    axes.set(title=title, ylabel="loss")
    if axes.lines:
        axes.set_yscale("log")


def _ends(evidence: ArmEvidence | None) -> dict[str, float]:
    """Ends of the phases that came: the median over seeds. None of a run that was cut short."""
    if evidence is None:
        return {}
    try:
        found = {name: x.values.values() for name, x in boundaries(evidence).items()}
    except NotRun:
        return {}
    medians = {name: float(np.median(list(values))) for name, values in found.items()}
    return {name: step for name, step in medians.items() if math.isfinite(step)}


def _phase_lines(axes: Axes, ends: Mapping[str, float | int]) -> None:
    """Ends of the phases, ours dashed and the published ones dotted."""
    if not axes.lines:
        return
    for steps, dash, whose in ((ends, "--", "ours"), (published.PHASES, ":", "published")):
        for at, step in enumerate(steps.values()):
            label = f"ends of the phases, {whose}" if at == 0 else "_nolegend_"
            axes.axvline(step, color="#7F7F7F", linestyle=dash, lw=0.9, zorder=1, label=label)


CURVES = [_grokking, _progress]
