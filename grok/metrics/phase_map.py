"""Phase diagrams as text, and how far two of them agree.

Shapes: ``row``, ``column`` - values of the two axes, in the order of the grid. Labels are codes of
:class:`~grok.metrics.learning_phases.Phase`.
"""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from grok.inputs import InputError
from grok.metrics.learning_phases import Phase

_BY_LETTER = {phase.letter: phase for phase in Phase}


class PhaseMap(NamedTuple):
    """A phase diagram with its axes."""

    row_name: str
    """What varies from row to row, such as ``decay``; no colon, no line break."""
    rows: Float64[np.ndarray, " row"]
    """Its values."""
    column_name: str
    """What varies from column to column, likewise."""
    columns: Float64[np.ndarray, " column"]
    """Its values."""
    phases: Int64[np.ndarray, "row column"]
    """Label of each cell."""


def text_map(diagram: PhaseMap) -> str:
    """A diagram as text, one letter per cell.

    The first line has the name and values of the columns, the second the name of the rows; then
    comes one line per row, its value and its letters: C comprehension, G grokking, M memorization,
    X confusion, O other, U undecided. Numbers are written so that they are read back bit for bit.

    Args:
        diagram: The map, with finite values on its axes.

    Returns:
        Lines that end in a line break, which :func:`parse_map` reads.

    Raises:
        ValueError: If the shapes do not fit, a name has a colon, a line break, or blanks at its
            ends, or a value is not finite.
    """
    _check(diagram)
    columns = " ".join(_number(value) for value in diagram.columns)
    values = [_number(value) for value in diagram.rows]
    width = max(map(len, values), default=0)
    lines = [f"columns: {diagram.column_name}: {columns}", f"rows: {diagram.row_name}:"]
    for value, row in zip(values, diagram.phases, strict=True):
        lines.append(f"{value:>{width}}  " + "".join(Phase(code).letter for code in row))
    return "".join(line.rstrip() + "\n" for line in lines)


def _check(diagram: PhaseMap) -> None:
    shape = len(diagram.rows), len(diagram.columns)
    if diagram.phases.shape != shape:
        raise ValueError(f"a map of shape {diagram.phases.shape} on axes of {shape}")
    for name in (diagram.row_name, diagram.column_name):
        if name != name.strip() or ":" in name or len(name.splitlines()) != 1:
            raise ValueError(f"{name!r} cannot be the name of an axis")
    if not (np.isfinite(diagram.rows).all() and np.isfinite(diagram.columns).all()):
        raise ValueError("the values of an axis must be finite")


def _number(value: float) -> str:
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value))


def parse_map(text: str) -> PhaseMap:
    """The diagram that a text describes: the inverse of :func:`text_map`.

    Args:
        text: As written by :func:`text_map`. Blank lines are skipped.

    Returns:
        The map.

    Raises:
        InputError: In one line that names the line of the text at fault.
    """
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) < 2:
        raise InputError("a phase map starts with the lines `columns: NAME: ...` and `rows: NAME:`")
    column_name, values = _head(*lines[0], "columns")
    row_name, rest = _head(*lines[1], "rows")
    if rest:
        raise InputError(f"phase map, line {lines[1][0]}: {' '.join(rest)!r} after the rows' name")
    columns = [_value(lines[0][0], value) for value in values]
    rows, phases = [], []
    for n, line in lines[2:]:
        value, *letters = line.split()
        rows.append(_value(n, value))
        phases.append(_codes(n, "".join(letters), len(columns)))
    grid = np.array(phases, dtype=np.int64).reshape(len(rows), len(columns))
    return PhaseMap(row_name, np.array(rows, float), column_name, np.array(columns, float), grid)


def _head(n: int, line: str, kind: str) -> tuple[str, list[str]]:
    found, _, rest = line.partition(":")
    name, colon, values = rest.partition(":")
    if found.strip() != kind or not colon or not name.strip():
        raise InputError(f"phase map, line {n}: expected `{kind}: NAME: ...`, got {line!r}")
    return name.strip(), values.split()


def _value(n: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise InputError(f"phase map, line {n}: {text!r} is not the value of an axis")
    return value


def _codes(n: int, letters: str, n_columns: int) -> list[int]:
    if unknown := [letter for letter in letters if letter not in _BY_LETTER]:
        allowed = ", ".join(_BY_LETTER)
        raise InputError(f"phase map, line {n}: letter {unknown[0]!r}; allowed are {allowed}")
    if len(letters) != n_columns:
        raise InputError(f"phase map, line {n}: {len(letters)} letters for {n_columns} columns")
    return [int(_BY_LETTER[letter]) for letter in letters]


def agrees(
    ours: Int64[np.ndarray, "row column"],
    theirs: Int64[np.ndarray, "row column"],
    steps: Literal[0, 1] = 0,
) -> Bool[np.ndarray, "row column"]:
    """Whether each of our cells agrees with another map on the same grid.

    With ``steps=0`` a cell agrees if both maps have one label there. With ``steps=1`` it also
    agrees if its label is that of a neighbour of the same cell in the other map: one grid step of
    one axis up or down, so four of them. A diagonal neighbour is a step on each axis, two in all,
    and would forgive a corner of a boundary twice the error of its sides.

    A label can differ from the cell's own and occur within a step only where a boundary of the
    other map runs within a step, so inside its regions nothing is forgiven. The tolerance is not
    symmetric: our region may be one step wider than theirs on every side, or lack a stripe of
    theirs that is one or two cells wide.

    Args:
        ours: Labels. An undecided cell agrees with nothing.
        theirs: Labels to agree with. Undecided cells are nobody's.
        steps: Tolerance in grid steps.

    Returns:
        One value per cell.

    Raises:
        ValueError: If the shapes differ, or ``steps`` is neither 0 nor 1.
    """
    if ours.shape != theirs.shape:
        raise ValueError(f"maps of shapes {ours.shape} and {theirs.shape}")
    if steps not in (0, 1):
        raise ValueError(f"steps={steps}: allowed are 0 and 1")
    around = np.pad(theirs, 1, constant_values=Phase.UNDECIDED)
    centre, up, down = around[1:-1, 1:-1], around[:-2, 1:-1], around[2:, 1:-1]
    left, right = around[1:-1, :-2], around[1:-1, 2:]
    near = (centre, up, down, left, right) if steps else (centre,)
    return (ours != Phase.UNDECIDED) & np.any([ours == label for label in near], axis=0)


def agreement(
    ours: Int64[np.ndarray, "row column"],
    theirs: Int64[np.ndarray, "row column"],
    steps: Literal[0, 1] = 0,
) -> float:
    """Share of our cells that agree with another map, by :func:`agrees`; NaN for no cells.

    Undecided cells count as disagreeing.
    """
    return float(agrees(ours, theirs, steps).mean()) if ours.size else np.nan
