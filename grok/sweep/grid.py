"""The two axes of a phase diagram, found among those of a sweep."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from grok.config import InputError
from grok.sweep.file import SweepRun

SEED = "seed"


class Axis(NamedTuple):
    """A field that varies."""

    name: str
    """Its dotted name."""
    values: tuple[Any, ...]
    """Its values: numbers ascending, others in the order of the sweep."""

    @property
    def is_numeric(self) -> bool:
        """Whether every value is a number, true and false being none."""
        return all(isinstance(v, int | float) and not isinstance(v, bool) for v in self.values)

    @property
    def numbers(self) -> Float64[np.ndarray, " value"]:
        """The values, or 0, 1, 2, ... in their place where they are no numbers."""
        return np.array(self.values if self.is_numeric else range(len(self.values)), dtype=float)

    @property
    def title(self) -> str:
        """The name, followed by the values where they are no numbers; as a text map needs it."""
        if self.is_numeric:
            return self.name
        return f"{self.name} ({', '.join(self.labels)})".replace(":", " ")

    @property
    def labels(self) -> list[str]:
        """The values as text: numbers to three digits."""
        return [f"{v:.3g}" if self.is_numeric else str(v) for v in self.values]

    def entry(self, index: int) -> float | str:
        """A value as a table holds it: a number, or text."""
        return float(self.values[index]) if self.is_numeric else str(self.values[index])


class Grid(NamedTuple):
    """The axes of a diagram."""

    x: Axis
    """Columns."""
    y: Axis
    """Rows."""
    seeds: tuple[Any, ...]
    """Seeds of each cell; one None if the sweep has no axis of them beside x and y."""

    def place(self, cell: SweepRun) -> tuple[int, int, int]:
        """Row, column and number of the seed of a cell."""
        row, column = (axis.values.index(cell.values[axis.name]) for axis in (self.y, self.x))
        return row, column, 0 if self.seeds == (None,) else self.seeds.index(cell.values[SEED])


def grid_of(cells: Sequence[SweepRun], x: str | None = None, y: str | None = None) -> Grid:
    """The axes of the diagram that these cells make.

    Args:
        cells: Every cell of a sweep.
        x: Field of the columns; by default the second of the axes with more than one value, the
            seeds aside, or the one that is not y.
        y: Field of the rows; likewise the first.

    Raises:
        InputError: In one line that names the axes: if there are not exactly two, or a name is
            none of them.
    """
    axes = _axes(cells)
    varied = [name for name, axis in axes.items() if len(axis.values) > 1 and name != SEED]
    listed = ", ".join(f"{name} ({len(axis.values)} values)" for name, axis in axes.items())
    for flag, name in (("x", x), ("y", y)):
        if name is not None and name not in axes:
            raise InputError(f"{flag}={name} is no axis of the sweep; there are: {listed}")
    if x is not None and x == y:
        raise InputError(f"x and y are both {x}: a diagram has two axes; there are: {listed}")
    others = [name for name in varied if name not in (x, y)]
    n_open = (x is None) + (y is None)
    if len(others) != n_open:
        advice = f"fix one with --{others[-1]}=VALUE" if len(others) > n_open else "name two"
        raise InputError(f"a diagram has two axes beside seed; {advice}. There are: {listed}")
    rows = y if y is not None else others.pop(0)
    columns = x if x is not None else others.pop(0)
    has_seeds = SEED in axes and SEED not in (rows, columns)
    return Grid(axes[columns], axes[rows], axes[SEED].values if has_seeds else (None,))


def _axes(cells: Sequence[SweepRun]) -> dict[str, Axis]:
    """Each axis with its distinct values."""
    found: dict[str, list[Any]] = {}
    for cell in cells:
        for name, value in cell.values.items():
            values = found.setdefault(name, [])
            if value not in values:
                values.append(value)
    axes = {name: Axis(name, tuple(values)) for name, values in found.items()}
    return {
        name: axis._replace(values=tuple(sorted(axis.values))) if axis.is_numeric else axis
        for name, axis in axes.items()
    }
