"""Published first-passage steps of Liu et al. 2022 and of its replication, as text tables.

Shapes: ``row``, ``column`` - values of the axes of a phase diagram, in the order of the grid.
Each table is a file of this folder, whose head names source and licence (LICENSE).
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from jaxtyping import Float64, Int64

from grok.metrics.learning_phases import Phase

PANELS = (
    *("fig6a", "fig6b", "fig6c", "fig6d"),
    *("coarse", "fine"),
    *("fig5a", "fig5b", "fig5c", "fig5d"),
)
"""Diagrams of Liu et al.: the figures, the two grids of ``data.h5``, and the repository's runs of
10,000 steps."""
TABLES = (*PANELS, "mnist")
"""All that there are."""

_CODES = {phase.letter: str(int(phase)) for phase in Phase}


@dataclass(frozen=True)
class Published:
    """A phase diagram as published. Arrays are read-only."""

    name: str
    """One of :data:`TABLES`."""
    budget: int
    """Steps per cell."""
    row_name: str
    """What varies from row to row: ``decay`` or ``embedding lr``."""
    rows: Float64[np.ndarray, " row"]
    """Its values, ascending, to three digits: grids are 10^linspace."""
    column_name: str
    """What varies from column to column: ``decoder lr`` or ``last-layer lr``."""
    columns: Float64[np.ndarray, " column"]
    """Its values, likewise."""
    T_tr: Int64[np.ndarray, "row column"]
    """First step at which the training accuracy reaches the threshold, -1 where it does not."""
    T_va: Int64[np.ndarray, "row column"]
    """The same for validation."""
    rqi: Float64[np.ndarray, "row column"] | None
    """RQI at the end, in multiples of 0.02; ``coarse`` and ``fine`` alone have it."""
    phases: Int64[np.ndarray, "row column"] | None
    """Labels as printed, codes of :class:`~grok.metrics.learning_phases.Phase`; only of the
    figures. Not computed from the steps."""


@cache
def published_table(name: str) -> Published:
    """A published phase diagram.

    Steps of Liu et al. are indices counted from 0, of 90 %: the released code reads the training
    accuracy after the update of that index and the validation accuracy before it, so in updates
    done they are ``T_tr + 1`` and ``T_va``. Where it stored the last index for "not reached", here
    is -1. Steps of ``mnist`` are updates done, of more than 60 %.

    Args:
        name: One of :data:`TABLES`.

    Returns:
        The table; the same object at each call.

    Raises:
        KeyError: If there is no such table.
        ValueError: If the file is not as it should be: a line, a length or a step is wrong.

    Reference:
        Liu et al., `Towards Understanding Grokking: An Effective Theory of Representation Learning
        <https://arxiv.org/abs/2205.10343>`_, figure 6;
        github.com/ejmichaud/grokking-squared; ``mnist``: Shabalin et al., ReScience C 9(2) #42,
        github.com/isadrtdinov/grokking-reproduction.
    """
    if name not in TABLES:
        raise KeyError(f"no published table {name!r}; there are: {', '.join(TABLES)}")
    return parse_table(name, (files(__name__) / f"{name}.txt").read_text(encoding="utf-8"))


def parse_table(name: str, text: str) -> Published:
    """The table that a text of this folder's form describes.

    Args:
        name: Its name.
        text: Lines of comment (``#``); ``budget:``, ``rows:``, ``columns:``; then, after a blank
            line each, ``T_tr``, ``T_va`` and, if there, ``RQI`` and ``phases``, with one line
            per row.

    Raises:
        ValueError: If a line, a length or a step is wrong; names the table.
    """
    try:
        return _parsed(name, text)
    except (ValueError, KeyError) as error:
        raise ValueError(f"published table {name}: {error}") from error


def _parsed(name: str, text: str) -> Published:
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    head, *bodies = lines.strip().split("\n\n")
    budget, row_name, columns = (
        _after(line, key) for line, key in zip(head.splitlines(), _HEAD, strict=True)
    )
    column_name, _, values = columns.partition(": ")
    grids = dict(_grid(body) for body in bodies)
    if list(grids) not in (["T_tr", "T_va", *more] for more in ([], ["RQI"], ["phases"])):
        raise ValueError(f"has the parts {', '.join(grids)}")
    column_values = np.array(values.split(), dtype=np.float64)
    rows = grids["T_tr"][0]
    for part, (labels, cells) in grids.items():
        if labels != rows or any(len(line) != len(column_values) for line in cells):
            raise ValueError(f"the rows or columns of {part} are not those of the table")
    steps = {part: _steps(grids[part][1], int(budget)) for part in ("T_tr", "T_va")}
    rqi = _floats(grids["RQI"][1]) if "RQI" in grids else None
    printed = [[_CODES[x] for x in line] for line in grids.get("phases", ((), ()))[1]]
    phases = _fixed(np.array(printed, dtype=np.int64)) if printed else None
    row_values = _ascending(np.array(rows, dtype=np.float64))
    return Published(
        name=name,
        budget=int(budget),
        row_name=row_name,
        rows=row_values,
        column_name=column_name,
        columns=_ascending(column_values),
        rqi=rqi,
        phases=phases,
        **steps,
    )


_HEAD = ("budget", "rows", "columns")


def _after(line: str, key: str) -> str:
    found, _, rest = line.partition(": ")
    if found != key or not rest:
        raise ValueError(f"expected `{key}: ...`, got {line!r}")
    return rest


def _grid(body: str) -> tuple[str, tuple[tuple[str, ...], list[list[str]]]]:
    """The name of a part, the labels of its rows and their cells."""
    title, *lines = body.splitlines()
    parts = [line.partition(": ") for line in lines]
    cells = [list(rest) if title == "phases" else rest.split() for _, _, rest in parts]
    return title, (tuple(label for label, _, _ in parts), cells)


def _steps(cells: list[list[str]], budget: int) -> Int64[np.ndarray, "row column"]:
    steps = np.array([[-1 if x == "-" else int(x) for x in line] for line in cells])
    listed = [int(x) for line in cells for x in line if x != "-"]
    # Files of the released code store the last step for "not reached".
    if listed and not 0 <= min(listed) <= max(listed) < budget - 1:
        raise ValueError(f"a step is not between 0 and {budget - 2}")
    return _fixed(steps)


def _floats(cells: list[list[str]]) -> Float64[np.ndarray, "row column"]:
    values = np.array(cells, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("an RQI is not between 0 and 1")
    return _fixed(values)


def _ascending(values: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    if not (np.diff(values) > 0).all():
        raise ValueError("the values of an axis do not ascend")
    return _fixed(values)


def _fixed(values: np.ndarray) -> np.ndarray:
    values.setflags(write=False)
    return values
