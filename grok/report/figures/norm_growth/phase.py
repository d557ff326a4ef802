"""Figure 6: rates and decays at which the norm grows."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from grok.claims.norm_growth.arms import NORM
from grok.report.figures.base import Source, figure
from grok.report.figures.draw import say_missing
from grok.report.figures.norm_growth import published
from grok.runs import Run

_GRIDS = (
    ("norm_growth/language_rate_decay", "our grid, 300 updates"),
    ("norm_growth/language_rate_decay_paper", "the paper's grid, 206 updates"),
)
_MAP = "PuOr_r"
_MOST = 1.0
"""Change at which the colours end."""


@figure(
    name="6",
    title="Whether the norm grows, by learning rate and weight decay",
    source="Figure 6; published is one sentence: a boundary between decays 0.001 and 0.01 "
    "(dashed). Model, optimiser and text differ; the colour is ln of the norm, last over first",
    size=(7.2, 3.4),
)
def phase(canvas: Figure, source: Source) -> None:
    """Our grid and the paper's."""
    axes = canvas.subplots(1, 2)
    drawn = None
    for each, (sweep, title) in zip(axes, _GRIDS, strict=True):
        each.set(title=title)
        cells = {
            (cell.config.lr, cell.config.optim.weight_decay): growth(run, cell.config.n_steps)
            for cell, run in source.cells(sweep)
        }
        if np.isfinite(list(cells.values())).any():
            drawn = _draw_grid(each, cells)
        else:
            say_missing(each)
    if drawn is not None:
        canvas.colorbar(drawn, ax=axes, label="ln(norm at the end / at first)", extend="both")


def growth(run: Run, n_steps: int) -> float:
    """Logarithm of the norm over that at step 0, at the last reading up to ``n_steps``.

    NaN of a run that is not stored or was not read.
    """
    try:
        steps, norms = run.series(NORM)
    except ValueError:
        return float("nan")
    steps, norms = steps[steps <= n_steps], norms[steps <= n_steps]
    known = len(steps) > 1 and steps[0] == 0
    return float(np.log(norms[-1] / norms[0])) if known else float("nan")


def _draw_grid(axes: Axes, cells: dict[tuple[float, float], float]) -> QuadMesh:
    """Cells in their order, growing ones with +, others with -; the published boundary."""
    rates, decays = (sorted(set(x)) for x in zip(*cells, strict=True))
    grid = np.array([[cells[rate, decay] for decay in decays] for rate in rates])
    norm = TwoSlopeNorm(0, -_MOST, _MOST)
    mesh = axes.pcolormesh(_edges(decays), _edges(rates), grid, cmap=_MAP, norm=norm)
    axes.set(xscale="log", yscale="log", xlabel="weight decay", ylabel="learning rate")
    for sign, marker in ((1, "+"), (-1, "_")):
        row, column = np.nonzero(grid * sign > 0)
        axes.plot(
            np.take(decays, column), np.take(rates, row), marker, color="black", ms=4, ls="none"
        )
    for at in published.DECAY_BOUNDARY:
        axes.axvline(at, color="black", ls="--", lw=0.9)
    axes.grid(visible=False)
    return mesh


def _edges(centres: list[float]) -> np.ndarray:
    """Borders of cells, halfway between their centres on a logarithmic axis."""
    logs = np.log(centres)
    middle = (logs[1:] + logs[:-1]) / 2
    return np.exp([2 * logs[0] - middle[0], *middle, 2 * logs[-1] - middle[-1]])
