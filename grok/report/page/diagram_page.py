"""The page of a phase diagram."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from grok.config import OptimConfig
from grok.metrics.learning_phases import Phase, phase_counts, phase_shares
from grok.metrics.phase_map import PhaseMap
from grok.report.page.document import Page, Section, plural, table, tiles, warning
from grok.report.page.plot import Plot, Trace, packed
from grok.report.palette import PHASES
from grok.sweep import Axis, Diagram, Grid

_READINGS = ("T_tr", "T_va", "T_rqi", "acc/train", "acc/test", "repr/rqi", "status", "step")
"""Columns of the table of cells that are shown where the pointer is."""


class Beside(NamedTuple):
    """A diagram that ours is shown beside."""

    name: str
    map: PhaseMap
    exact: float
    """Share of the cells with the same label, 0 to 1."""
    near: float
    """The same within one grid step."""
    budget: int
    """Steps to which both were cut for the comparison."""


def diagram_page(
    name: str,
    diagram: Diagram,
    cells: pl.DataFrame,
    optims: Sequence[OptimConfig],
    beside: Beside | None = None,
) -> Page:
    """A phase diagram with the readings of its cells, and what theory says of them.

    Args:
        name: Of the sweep.
        diagram: Its labels.
        cells: As :func:`grok.sweep.cell_table` gives them.
        optims: Optimiser of each row of ``cells``.
        beside: A published diagram, or an earlier one.
    """
    hover = _hover(diagram, cells)
    phases = [_phase_plot("phases", name, diagram.phases, diagram.grid, hover, diagram.share)]
    if beside is not None:
        note = f"<p>Same label in {beside.exact:.1%} of the cells, {beside.near:.1%} within one "
        note += f"grid step, both cut to {beside.budget:,} steps.</p>"
        title = f"{beside.name}, published"
        phases.append(
            _phase_plot("beside", title, beside.map.phases, diagram.grid, None, None, note)
        )
    delay = _value_plot("delay", "Delay: log10 of T_va / T_tr", diagram.delay, diagram.grid, hover)
    theory = _theory(diagram, cells, optims, hover)
    sections = [
        Section("phases-of", "Phases", [*phases, delay]),
        Section("theory", "Beside the theory's prediction", theory),
        Section("counts", "Cells in each phase", words=_counts(diagram)),
    ]
    return Page(f"{name}: phase diagram", "diagram", _head(diagram, cells), sections)


def _head(diagram: Diagram, cells: pl.DataFrame) -> str:
    counts = {p.name.lower(): f"{n:,}" for p, n in phase_counts(diagram.phases).items() if n}
    shown = {"cells": f"{diagram.phases.size:,}", "runs": f"{len(cells):,}", **counts}
    found = dict(cells["status"].value_counts().iter_rows())
    notes = [plural(n, *_STATUS[status]) for status, n in found.items() if status in _STATUS]
    return tiles(shown) + "".join(map(warning, sorted(notes)))


_STATUS = {
    "new": ("run is not stored", "runs are not stored"),
    "damaged": ("run has a file that cannot be read", "runs have a file that cannot be read"),
    "running": ("run has not come to its end", "runs have not come to their end"),
    "interrupted": ("run was interrupted", "runs were interrupted"),
    "failed": ("run ended with an error", "runs ended with an error"),
    "diverged": ("run diverged", "runs diverged"),
}


def _hover(diagram: Diagram, cells: pl.DataFrame) -> list[list[str]]:
    """What is written where the pointer is, for each cell; seeds below each other."""
    names = [name for name in _READINGS if name in cells.columns]
    n_seeds = len(cells) // diagram.phases.size
    rows = list(cells.select(names).iter_rows(named=True))
    lines = [
        "<br>".join(f"{name} {_each(rows[at : at + n_seeds], name)}" for name in names)
        for at in range(0, len(rows), n_seeds)
    ]
    width = diagram.phases.shape[1]
    return [
        [f"{place}<br>{line}" for place, line in zip(places, lines[at * width :], strict=False)]
        for at, places in enumerate(_places(diagram.grid))
    ]


def _places(grid: Grid) -> list[list[str]]:
    """The values of both fields in each cell."""
    return [
        [f"{grid.y.name} {y}<br>{grid.x.name} {x}" for x in grid.x.labels] for y in grid.y.labels
    ]


def _each(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    return ", ".join(_short(row[name]) for row in rows[:5])


def _short(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else f"{value}"


def _phase_plot(
    id: str,
    title: str,
    phases: np.ndarray,
    grid: Grid,
    hover: list[list[str]] | None,
    share: np.ndarray | None,
    note: str = "",
) -> Plot:
    """Colour and letter of each cell, the first row on top."""
    letters = [[Phase(code).letter for code in row] for row in phases]
    names = [[Phase(code).name.lower() for code in row] for row in phases]
    shown = [
        [f"{word}<br>{more}" for word, more in zip(*pair, strict=True)]
        for pair in zip(names, hover or _places(grid), strict=True)
    ]
    if share is not None and (share < 1).any():
        shown = [
            [f"{s:.0%} of the seeds: {word}" for s, word in zip(*pair, strict=True)]
            for pair in zip(share, shown, strict=True)
        ]
    steps = np.linspace(0, 1, len(Phase) + 1)
    scale = [[float(steps[p + side]), PHASES[p]] for p in Phase for side in (0, 1)]
    data: Trace = {"type": "heatmap", "z": packed(phases), "zmin": -0.5, "zmax": len(Phase) - 0.5}
    data |= {"colorscale": scale, "showscale": False, "text": letters, "hovertext": shown}
    data |= {"xgap": 1, "ygap": 1} if phases.size <= 900 else {}
    data |= {"texttemplate": "%{text}"} if phases.size <= 2500 else {}
    data |= {"hovertemplate": "%{hovertext}<extra></extra>"}
    there = [p for p in Phase if (phases == p).any()]
    legend = "".join(
        f'<span class="key"><i style="background:{PHASES[p]}"></i>{p.letter} {p.name.lower()}'
        "</span> "
        for p in there
    )
    layout = _axes(grid)
    return Plot(id, title, [data], layout, f"<p>{legend}</p>{note}", height=460)


def _axes(grid: Grid) -> dict[str, Any]:
    """Axes with a field for each value, equally far apart; the first row on top."""
    return {
        "xaxis": _axis(grid.x) | {"side": "bottom"},
        "yaxis": _axis(grid.y) | {"autorange": "reversed"},
    }


def _axis(axis: Axis) -> dict[str, Any]:
    every = -(-len(axis.values) // 12)
    at = list(range(0, len(axis.values), every))
    ticks = {"tickvals": at, "ticktext": [axis.labels[i] for i in at]}
    return {"title": {"text": axis.name}, "showgrid": False, **ticks}


def _value_plot(
    id: str, title: str, values: np.ndarray, grid: Grid, hover: list[list[str]], note: str = ""
) -> Plot:
    """A number for each cell; one that is not there is left empty."""
    data: Trace = {"type": "heatmap", "z": packed(values), "colorscale": "Viridis"}
    data |= {"hovertext": hover, "colorbar": {"thickness": 12}}
    data |= {"hovertemplate": "%{z:.3g}<br>%{hovertext}<extra></extra>"}
    return Plot(id, title, [data], _axes(grid), note, height=460)


def _theory(
    diagram: Diagram, cells: pl.DataFrame, optims: Sequence[OptimConfig], hover: list[list[str]]
) -> list[Plot]:
    """Steps to the structure, and the accuracy that the training pairs allow for.

    Measured and predicted (Liu et al. 2022, sections 3.2 and 3.3); none where the theory has
    nothing to say.
    """
    plots = []
    shape = (*diagram.phases.shape, -1)

    def median(values: np.ndarray) -> np.ndarray:
        """Over the seeds; infinite for most of them counts as never, and is left empty."""
        with np.errstate(invalid="ignore"):
            middle = np.median(values.reshape(shape), axis=-1)
        return np.where(np.isfinite(middle), middle, np.nan)

    if "lambda_3" in cells.columns and cells["lambda_3"].null_count() < len(cells):
        predicted = median(_predicted(cells, optims))
        note = "<p>1/(λ₃ η) of the training pairs, η the embedding's rate, in log10 of steps. The "
        note += "theory is that of gradient descent; empty: never.</p>"
        title = "Predicted: log10 of steps to the structure"
        plots.append(
            _value_plot("predicted", title, np.log10(predicted), diagram.grid, hover, note)
        )
        reached = cells["T_rqi"].cast(pl.Float64).to_numpy()
        reached = median(np.where(reached < 0, np.inf, reached))
        title = "Measured: log10 of the first step with RQI > 0.95"
        with np.errstate(divide="ignore"):
            plots.append(_value_plot("measured", title, np.log10(reached), diagram.grid, hover))
    if "ideal_test_accuracy" in cells.columns and cells["ideal_test_accuracy"].null_count() == 0:
        for id, title, name in (
            (
                "ideal",
                "Predicted: test accuracy that the training pairs allow",
                "ideal_test_accuracy",
            ),
            ("accuracy", "Measured: last test accuracy", "acc/test"),
        ):
            values = median(cells[name].cast(pl.Float64).to_numpy())
            plots.append(_value_plot(id, title, values, diagram.grid, hover))
    return plots


def _predicted(cells: pl.DataFrame, optims: Sequence[OptimConfig]) -> np.ndarray:
    """1/(lambda_3 eta) of each row; infinite where lambda_3 is 0, NaN where there is none."""
    from torch import tensor

    from grok.theory.effective import predicted_steps

    lambdas = cells["lambda_3"].to_numpy()
    rates = [optim.embed_lr or optim.lr for optim in optims]
    return np.array(
        [float(predicted_steps(tensor(x), eta)) for x, eta in zip(lambdas, rates, strict=True)]
    )


def _counts(diagram: Diagram) -> str:
    shares = phase_shares(diagram.phases)
    rows = [
        (p.letter, p.name.lower(), n, f"{shares[p]:.1%}" if p in shares else None)
        for p, n in phase_counts(diagram.phases).items()
    ]
    return table(("", "phase", "cells", "share"), rows)
