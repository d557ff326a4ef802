"""A phase diagram as a picture: the phases, and the delay of generalisation beside them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from grok.metrics.learning_phases import Phase
from grok.report.palette import FORMATS, PHASES
from grok.runs import write_atomic
from grok.sweep import Axis, Diagram

MOST_TICKS = 16
"""Values that an axis shows before some are left out."""


def draw_diagram(diagram: Diagram, title: str, path: Path) -> None:
    """Draw a diagram into a file, whole.

    Both panels have the first row on top, as the text map does and as the figures of the paper,
    and one field per value: the values of an axis on a logarithmic grid are equally far apart. The
    second panel has log10 T_va - log10 T_tr, grey where a threshold was not reached.

    Args:
        diagram: What is drawn.
        title: Text above it.
        path: The file; its ending says which of :data:`FORMATS`, and its folder exists.

    Raises:
        ValueError: If the ending is none of these.
        OSError: If the file cannot be written.
    """
    if path.suffix not in FORMATS:
        raise ValueError(f"{path}: allowed endings are {', '.join(FORMATS)}")
    n_rows, n_columns = diagram.phases.shape
    size = (4.0 + 0.55 * n_columns, 2.6 + 0.26 * n_rows)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    figure.suptitle(title)
    figure.legend(handles=_draw_phases(left, diagram), loc="outside lower center", ncols=4)
    _draw_delay(figure, right, diagram)
    for axes in (left, right):
        _label(axes.set_xticks, diagram.grid.x, rotation=90)
        _label(axes.set_yticks, diagram.grid.y)
        axes.set_xlabel(diagram.grid.x.name)
        axes.set_ylabel(diagram.grid.y.name)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix[1:], dpi=120)
    write_atomic(path, buffer.getvalue())


def _draw_phases(axes: Axes, diagram: Diagram) -> list[Patch]:
    """The label of each cell, paler where the seeds disagree; what the colours mean."""
    colours = ListedColormap([PHASES[phase] for phase in Phase])
    norm = BoundaryNorm(np.arange(len(Phase) + 1) - 0.5, len(Phase))
    alpha = 0.35 + 0.65 * diagram.share
    axes.imshow(diagram.phases, cmap=colours, norm=norm, alpha=alpha, aspect="auto")
    axes.set_title("phase", fontsize="medium")
    there = [phase for phase in Phase if (diagram.phases == phase).any()]
    return [Patch(facecolor=PHASES[p], edgecolor="black", label=p.name.lower()) for p in there]


def _draw_delay(figure: Figure, axes: Axes, diagram: Diagram) -> None:
    delay = np.ma.masked_invalid(diagram.delay)
    axes.set_facecolor("#D9D9D9")
    image = axes.imshow(delay, cmap="viridis", aspect="auto")
    if delay.count():
        figure.colorbar(image, ax=axes)
    axes.set_title("delay: log10 T_va - log10 T_tr", fontsize="medium")


def _label(set_ticks: Any, axis: Axis, **style: Any) -> None:
    """Write the values beside the cells, not more than have room."""
    every = -(-len(axis.values) // MOST_TICKS)
    at = range(0, len(axis.values), every)
    set_ticks(list(at), [axis.labels[i] for i in at], fontsize="small", **style)
