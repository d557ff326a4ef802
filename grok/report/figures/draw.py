"""What the published figures are drawn with: style, curves with their seeds, and files."""

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from grok.claims.evidence import ArmEvidence, NotRun, common
from grok.report.figures.base import PaperFigure, Source
from grok.report.palette import LINES, MPL_DASHES

_STYLE: dict[Any, Any] = {
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "legend.fontsize": 7.0,
    "svg.hashsalt": "grok",
}

_UNDATED = {
    ".png": {"Software": None},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None, "ModDate": None},
}


def draw_figure(figure: PaperFigure, source: Source, endings: Sequence[str]) -> dict[str, bytes]:
    """Draw a figure once, in several formats.

    Args:
        figure: Which.
        source: Its runs; notes what is missing.
        endings: Of :data:`grok.report.palette.FORMATS`.

    Returns:
        The bytes of a file by ending: the same for the same readings and versions.
    """
    with mpl.rc_context(_STYLE):
        canvas = Figure(figsize=figure.size, layout="constrained")
        FigureCanvasAgg(canvas)
        figure.draw(canvas, source)
        found = {}
        for ending in endings:
            buffer = io.BytesIO()
            canvas.savefig(buffer, format=ending[1:], dpi=150, metadata=_UNDATED[ending])
            found[ending] = buffer.getvalue()
    return found


def style_of(at: int) -> dict[str, Any]:
    """Colour and dash of the line with that number: neighbours differ in both, 32 lines in one."""
    dash = MPL_DASHES[(at + at // len(LINES)) % len(MPL_DASHES)]
    return {"color": LINES[at % len(LINES)], "linestyle": dash}


def smoothed(values: np.ndarray, n: int) -> np.ndarray:
    """Moving mean over ``n`` readings, fewer at both ends; 1 gives the values."""
    if n <= 1:
        return values
    ones = np.ones(n)
    count = np.convolve(np.ones_like(values), ones, mode="same")
    return np.convolve(values, ones, mode="same") / count


def draw_seeds(
    axes: Axes, evidence: ArmEvidence, key: str, at: int, label: str, source: Source
) -> bool:
    """A key over the steps: the mean of the seeds thick, each seed thin, their range shaded.

    The mean is over the steps at which every seed was read.

    Args:
        axes: Where.
        evidence: The runs.
        key: Log key.
        at: Number of the line, for its colour.
        label: In the legend.
        source: Says how much is smoothed, and is told if nothing was read.

    Returns:
        Whether there was something to draw.
    """
    try:
        each = [evidence.series(key, seed) for seed in evidence.runs]
    except NotRun as error:
        source.lacks(f"{label}: {key}", str(error))
        return False
    style = style_of(at)
    for steps, values in each:
        axes.plot(steps, smoothed(values, source.smooth), lw=0.5, alpha=0.45, **style)
    steps, *shared = common(*each)
    rows = np.array([smoothed(values, source.smooth) for values in shared])
    axes.fill_between(
        steps, rows.min(axis=0), rows.max(axis=0), color=style["color"], alpha=0.15, lw=0
    )
    axes.plot(steps, rows.mean(axis=0), label=label, **style)
    return True


def mark_published(
    axes: Axes,
    x: Sequence[float | int],
    y: Sequence[float | int],
    label: str = "published",
    at: int | None = None,
) -> None:
    """Published values as hollow diamonds, over everything.

    Args:
        axes: Where.
        x: Places.
        y: Values.
        label: In the legend.
        at: Number of the line that they stand beside: they have its colour and are joined by its
            dash. Without one they are black, and not joined.
    """
    black = {"color": "black", "linestyle": "none"}
    style: dict[str, Any] = black if at is None else style_of(at)
    axes.plot(x, y, marker="D", mfc="white", ms=4, lw=0.6, zorder=5, label=label, **style)


def say_missing(axes: Axes, words: str = "not run") -> None:
    """Write into empty axes that there is nothing to draw."""
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", color="#7F7F7F")
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)


def legend_below(canvas: Figure, axes: Sequence[Axes], columns: int) -> None:
    """One legend under the whole figure with every label of these axes once."""
    found: dict[str, Any] = {}
    for each in axes:
        for handle, label in zip(*each.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if found:
        handles, labels = list(found.values()), list(found)
        canvas.legend(handles, labels, loc="outside lower center", ncols=columns)


def log_steps(axes: Axes) -> None:
    """A logarithmic axis of steps; step 0 has no place on it."""
    axes.set_xscale("log")
    axes.set_xlabel("step")
