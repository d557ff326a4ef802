"""Phase diagrams: what each cell of a sweep over two axes has reached, from the run store.

Shapes: ``row``, ``column`` - values of the axes y and x; ``cell`` - rows of the table, row by row,
column by column, seeds fastest. Phases are those of :mod:`grok.metrics.learning_phases`. Steps are
updates done. Imports no torch.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from grok.metrics.learning_phases import (
    LAG,
    Phase,
    censored,
    learning_phase,
    log_delay,
    majority_phase,
    phase_frequency,
)
from grok.metrics.phase_map import PhaseMap
from grok.runs import Run
from grok.sweep.file import SweepRun
from grok.sweep.grid import Grid
from grok.sweep.reached import KEYS, SPLIT, data_columns, reached


class Criterion(NamedTuple):
    """What the phases of a diagram depend on beside its runs."""

    percent: int = 90
    """Accuracy that is reached by equality too, in whole percent, 1 to 100."""
    lag: int = LAG
    """Steps by which test follows training from which on a cell is grokking."""
    ratio: float | None = None
    """In its place: grokking where ``T_va >= ratio * T_tr``; above 1."""


class Diagram(NamedTuple):
    """A phase diagram, over the seeds of its cells."""

    grid: Grid
    """Axes and seeds."""
    phases: Int64[np.ndarray, "row column"]
    """Label of most seeds, a code of :class:`~grok.metrics.learning_phases.Phase`; undecided where
    two are equally frequent."""
    share: Float64[np.ndarray, "row column"]
    """Share of the seeds that have this label, 0 to 1."""
    delay: Float64[np.ndarray, "row column"]
    """log10 of T_va less log10 of T_tr, median over the seeds on which both are reached; NaN where
    there is none."""


def cell_table(
    grid: Grid, cells: Sequence[SweepRun], runs: Iterable[Run], criterion: Criterion
) -> pl.DataFrame:
    """One row per cell and seed, with all that a phase diagram is made of.

    Columns: the fields of y and x under their dotted names; ``seed``; ``run``, its key;
    ``status``, as stored, ``new`` where nobody began and ``damaged`` where a file cannot be read;
    ``step`` of the stored run; ``budget``, the steps asked for; ``T_tr``, ``T_va``, first steps
    with the accuracy on training and test set, -1 where not reached within the budget; ``T_rqi``,
    first step with an RQI above 0.95, likewise, null where it was not read; ``acc/train``,
    ``acc/test``, ``repr/rqi``, the last values within the budget, null where not read; ``phase``,
    in small letters; ``majority`` and ``share``, the phase of most seeds of the cell and the share
    of seeds that have it; then :func:`data_columns`. First steps have the resolution of the
    schedules of the measures. A run that a stop rule ended may not have come to its T_rqi.

    Args:
        grid: Axes, and the place of each cell.
        cells: The cells.
        runs: Their stored runs, in the same order; a run need not be there.
        criterion: What counts as reached, and as late.

    Returns:
        Rows in the order of the grid. The same runs give the same table, however they were
        trained.
    """
    rows = {}
    for cell, run in zip(cells, runs, strict=True):
        at = grid.place(cell)
        here = {grid.y.name: grid.y.entry(at[0]), grid.x.name: grid.x.entry(at[1])}
        seed = {"seed": cell.config.model.init_seed}
        rows[at] = seed | here | reached(run, cell.config, criterion.percent)
        rows[at] |= data_columns(cell.config)
    names = (grid.y.name, grid.x.name, *(name for row in rows.values() for name in row))
    table = pl.DataFrame(
        [rows[at] for at in sorted(rows)], schema_overrides=_TYPES, infer_schema_length=None
    )
    table = table.select(list(dict.fromkeys(names)))
    phases = phases_of(table, criterion)
    shaped = phases.reshape(len(grid.y.values), len(grid.x.values), -1)
    majority, share = (np.repeat(each, shaped.shape[-1]) for each in _majority(shaped))
    at = table.columns.index("repr/rqi") + 1
    columns = (("phase", _names(phases)), ("majority", _names(majority)), ("share", share))
    for offset, (name, values) in enumerate(columns):
        table.insert_column(at + offset, pl.Series(name, values))
    return table


_TYPES: dict[str, Any] = {
    **dict.fromkeys(("step", "budget", "T_tr", "T_va", "T_rqi"), pl.Int64),
    **dict.fromkeys(KEYS, pl.Float64),
    **SPLIT,
}


def phases_of(
    table: pl.DataFrame, criterion: Criterion, budget: int | None = None
) -> Int64[np.ndarray, " cell"]:
    """Phases from the steps of a table, which has the accuracy of the criterion in it.

    A run that diverged, or came to its budget, is spent: what it has not reached it never will.
    One that ended before, by a stop rule or because nobody trained it further, is undecided unless
    it reached both.

    Args:
        table: As :func:`cell_table` gives it.
        criterion: The lag or ratio.
        budget: Steps to which the diagram is cut; default all that were asked for.

    Returns:
        Codes of :class:`~grok.metrics.learning_phases.Phase`.
    """
    last = table["budget"].to_numpy()
    last = last if budget is None else np.minimum(last, budget)
    is_spent = (table["status"] == "diverged").to_numpy() | (table["step"].to_numpy() >= last)
    T_tr, T_va = (_cut(table[name].to_numpy(), budget) for name in ("T_tr", "T_va"))
    return learning_phase(T_tr, T_va, is_spent, lag=criterion.lag, ratio=criterion.ratio)


def _cut(T: Int64[np.ndarray, " cell"], budget: int | None) -> Int64[np.ndarray, " cell"]:
    return T if budget is None else censored(T, budget)


def diagram_of(
    grid: Grid, table: pl.DataFrame, criterion: Criterion, budget: int | None = None
) -> Diagram:
    """The diagram that a table of cells makes.

    Args:
        grid: Its axes.
        table: As :func:`cell_table` gives it.
        criterion: The lag or ratio.
        budget: As for :func:`phases_of`.
    """
    shape = len(grid.y.values), len(grid.x.values), -1
    phases, share = _majority(phases_of(table, criterion, budget).reshape(shape))
    delay = log_delay(*(_cut(table[name].to_numpy(), budget) for name in ("T_tr", "T_va")))
    return Diagram(grid, phases, share, _median(delay.reshape(shape)))


def map_of(diagram: Diagram) -> PhaseMap:
    """The diagram as :func:`grok.metrics.phase_map.text_map` writes it.

    An axis whose values are no numbers counts them from 0 and lists them in its name.
    """
    x, y = diagram.grid.x, diagram.grid.y
    return PhaseMap(y.title, y.numbers, x.title, x.numbers, diagram.phases)


def _majority(phases: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Label of most seeds, which are the last axis, and the share of seeds that have it."""
    by_seed = np.moveaxis(phases, -1, 0)
    label = majority_phase(by_seed)
    share = np.take_along_axis(phase_frequency(by_seed), label[..., None], axis=-1)
    return label, share[..., 0]


def _median(delay: np.ndarray) -> np.ndarray:
    """Median over the last axis of what is there."""
    there = ~np.isnan(delay)
    found = [
        np.median(delay[at][there[at]]) if there[at].any() else np.nan
        for at in np.ndindex(delay.shape[:-1])
    ]
    return np.array(found, dtype=np.float64).reshape(delay.shape[:-1])


def _names(phases: np.ndarray) -> list[str]:
    return [Phase(code).name.lower() for code in phases.ravel()]
