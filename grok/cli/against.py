"""What a phase diagram is compared with: a published one, or one that was made before."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64
from polars.exceptions import PolarsError

from grok.claims.effective_theory.published import TABLES, Published, published_table
from grok.inputs import InputError
from grok.metrics.learning_phases import censored, learning_phase
from grok.metrics.phase_map import PhaseMap, agreement, parse_map
from grok.sweep import Axis, Criterion, Diagram, Grid, diagram_of

CLOSE = 0.02
"""Relative difference of two values of an axis that are taken for one: published ones have three
digits."""

_FIELDS = {
    "embedding lr": "optim.embed_lr",
    "decoder lr": "optim.lr",
    "decay": "optim.weight_decay",
    "last-layer lr": "optim.unembed_lr",
}
"""Fields of the axes of published tables."""


class Reference(NamedTuple):
    """A diagram to compare with."""

    name: str
    """What the user called it."""
    map: Callable[[Criterion, int | None], PhaseMap]
    """Its labels by a criterion, cut to so many steps where it has steps."""
    budget: int | None
    """Steps of its runs; None where only labels are known."""
    percent: int | None = None
    """Accuracy that counts as reached in its steps, in percent; None where it is not recorded."""


class Agreement(NamedTuple):
    """How far a diagram agrees with another."""

    theirs: PhaseMap
    """The other."""
    budget: int
    """Steps to which both were cut."""
    exact: float
    """Share of the cells that have the label of the other, 0 to 1."""
    near: float
    """The same with a tolerance of one grid step: :func:`grok.metrics.phase_map.agrees`."""


def find_reference(name: str, grid: Grid) -> Reference:
    """The diagram that a user names, on the grid of ours.

    Args:
        name: A published table, or the path of a ``map.txt`` or ``cells.parquet``.
        grid: Ours.

    Raises:
        InputError: In one line, if there is none, it cannot be read, or its grid is another.
    """
    path = Path(name)
    if name in TABLES:
        reference = _published(published_table(name))
    elif path.suffix == ".parquet":
        reference = _stored(path, grid)
    elif path.is_file():
        reference = _written(path)
    else:
        allowed = f"{', '.join(TABLES)}, or the path of a map.txt or cells.parquet"
        raise InputError(f"against={name}: allowed are {allowed}")
    found = reference.map(Criterion(), None)
    _check_sides(name, found, grid)
    _check("rows", name, found.rows, found.row_name, grid.y)
    _check("columns", name, found.columns, found.column_name, grid.x)
    return reference


def compare(reference: Reference, grid: Grid, table: pl.DataFrame, ours: Criterion) -> Agreement:
    """How far the diagram of a table agrees with another, both cut to the shorter budget.

    Args:
        reference: The other.
        grid: Axes of the table.
        table: Cells of ours.
        ours: Criterion of both, where the other has steps.
    """
    budget = min(int(table["budget"].to_numpy().max()), reference.budget or 2**62)
    diagram: Diagram = diagram_of(grid, table, ours, budget)
    theirs = reference.map(ours, budget)
    exact, near = (agreement(diagram.phases, theirs.phases, steps) for steps in (0, 1))
    return Agreement(theirs, budget, exact, near)


def _check_sides(name: str, theirs: PhaseMap, grid: Grid) -> None:
    """Refuse a diagram that lies on its side: two axes may well have the same values."""
    rows, columns = (_FIELDS.get(n, n) for n in (theirs.row_name, theirs.column_name))
    if rows == grid.x.title or columns == grid.y.title:
        raise InputError(
            f"against={name}: its rows are {theirs.row_name} and its columns {theirs.column_name}; "
            f"ours are the other way round: try --x={grid.y.name} --y={grid.x.name}"
        )


def _check(what: str, name: str, theirs: Float64[np.ndarray, " n"], title: str, axis: Axis) -> None:
    """Refuse an axis with other values than ours, which is named by them if they are words."""
    if not axis.is_numeric and title != axis.title:
        raise InputError(f"against={name}: its {what} are {title}, ours are {axis.title}")
    ours = axis.numbers
    room = CLOSE * np.maximum(abs(theirs), abs(ours)) if len(ours) == len(theirs) else -1.0
    if len(ours) != len(theirs) or (abs(ours - theirs) > room).any():
        raise InputError(
            f"against={name}: its {what} are {_span(theirs)}, those of {axis.name} are "
            f"{_span(ours)}; grids must have the same values within 2 %"
        )


def _span(values: Float64[np.ndarray, " n"]) -> str:
    listed = [f"{value:.3g}" for value in values]
    return ", ".join(listed if len(listed) <= 4 else [*listed[:2], "...", listed[-1]])


def _published(table: Published) -> Reference:
    is_mnist = table.name == "mnist"

    def labels(criterion: Criterion, budget: int | None) -> PhaseMap:
        # Tables of Liu et al. count from 0 and read the training accuracy after the update.
        shift = 0 if is_mnist else 1
        T_tr, T_va = np.where(table.T_tr < 0, -1, table.T_tr + shift), table.T_va
        if budget is not None:
            T_tr, T_va = censored(T_tr, budget), censored(T_va, budget)
        phases = learning_phase(T_tr, T_va, lag=criterion.lag, ratio=criterion.ratio)
        return PhaseMap(table.row_name, table.rows, table.column_name, table.columns, phases)

    return Reference(table.name, labels, table.budget, 60 if is_mnist else 90)


def _written(path: Path) -> Reference:
    try:
        found = parse_map(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return Reference(str(path), lambda criterion, budget: found, None)


def _read_cells(path: Path, ours: Grid) -> pl.DataFrame:
    """What a phase depends on, of cells that were written before."""
    steps = ("step", "budget", "T_tr", "T_va")
    needed = (ours.y.name, ours.x.name, "status", *steps)
    try:
        table = pl.read_parquet(path)
        if lacking := [name for name in needed if name not in table.columns]:
            raise InputError(f"{path} has no column {lacking[0]}; needed are {', '.join(needed)}")
        table = table.select(needed).cast(dict.fromkeys(steps, pl.Int64))
    except (OSError, PolarsError) as error:
        raise InputError(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    if lacking := [name for name in needed if table[name].has_nulls()]:
        raise InputError(f"{path} has cells without {lacking[0]}")
    return table


def _stored(path: Path, ours: Grid) -> Reference:
    """Cells of a diagram that was made before, with the axes of ours, in whatever order."""
    table = _read_cells(path, ours)
    x, y = (_axis(table[axis.name]) for axis in (ours.x, ours.y))
    rows, columns = (table[axis.name].to_list() for axis in (y, x))
    places = [(y.values.index(i), x.values.index(j)) for i, j in zip(rows, columns, strict=True)]
    seeds = set(Counter(places).values())
    if len(seeds) != 1 or len(set(places)) < len(x.values) * len(y.values):
        raise InputError(f"{path} has {len(table)} cells, which is no whole grid")
    # Seeds of a cell stay in their order.
    table = table[sorted(range(len(places)), key=places.__getitem__)]
    grid = Grid(x, y, tuple(range(*seeds)))

    def labels(criterion: Criterion, budget: int | None) -> PhaseMap:
        phases: Int64[np.ndarray, "row column"] = diagram_of(grid, table, criterion, budget).phases
        return PhaseMap(y.title, y.numbers, x.title, x.numbers, phases)

    return Reference(str(path), labels, int(table["budget"].to_numpy().max()))


def _axis(column: pl.Series) -> Axis:
    """The values of a column as those of a grid: numbers ascending, words as they come."""
    axis = Axis(column.name, tuple(column.unique(maintain_order=True)))
    return axis._replace(values=tuple(sorted(axis.values))) if axis.is_numeric else axis
