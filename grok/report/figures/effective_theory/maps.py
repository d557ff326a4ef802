"""Figures that are phase diagrams: a letter in every cell, the published map beside them.

Maps are :class:`~grok.metrics.phase_map.PhaseMap`, whose cells have the shape ``row``, ``column``.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from grok.metrics.learning_phases import Phase
from grok.metrics.phase_map import PhaseMap, agrees
from grok.report.figures.base import Source
from grok.report.palette import PHASES
from grok.sweep import Criterion, cell_table, diagram_of, grid_of
from grok.sweep.diagram import map_of

NAMES = {
    "optim.lr": "decoder learning rate",
    "optim.embed_lr": "embedding learning rate",
    "optim.unembed_lr": "last-layer learning rate",
    "optim.weight_decay": "weight decay",
    "optim.embed_weight_decay": "embedding weight decay",
    "toy.batch_size": "batch size",
    "toy.embed_scale": "scale of initial embeddings",
    "decay": "weight decay",
    "decoder lr": "decoder learning rate",
    "embedding lr": "embedding learning rate",
    "last-layer lr": "last-layer learning rate",
}
"""Axes in words."""
SAME, NEAR, OTHER = "=", "~", "x"
"""Letters of a comparison."""
_SHADES = {SAME: "#F2F2F2", NEAR: "#BDBDBD", OTHER: "#D55E00"}
_MOST_TICKS = 6


def stored_map(
    source: Source, sweep: str, flags: Sequence[str] = (), percent: int = 90
) -> PhaseMap | None:
    """The diagram of a sweep as far as its runs have come, undecided elsewhere.

    A cell has the label of most of its seeds. What is missing is noted.

    Args:
        source: The runs.
        sweep: Sweep file with two axes, ``paper/name``.
        flags: Overrides.
        percent: Accuracy that counts as reached.

    Returns:
        None if no run of it is stored.
    """
    pairs = source.cells(sweep, flags)
    cells = [cell for cell, _ in pairs]
    criterion = Criterion(percent)
    grid = grid_of(cells)
    table = cell_table(grid, cells, [run for _, run in pairs], criterion)
    return map_of(diagram_of(grid, table, criterion)) if table["step"].sum() else None


def draw_map(axes: Axes, found: PhaseMap) -> None:
    """Phases by colour and letter; cells that are not decided are left white."""
    colours = ["white" if phase is Phase.UNDECIDED else PHASES[phase] for phase in Phase]
    letters = [
        ["" if x == Phase.UNDECIDED else Phase(int(x)).letter for x in row] for row in found.phases
    ]
    _draw_cells(axes, found, colours, letters)


def compare_maps(axes: Axes, ours: PhaseMap, theirs: PhaseMap) -> tuple[int, int, int]:
    """Where two maps agree: in the cell, within one grid step, or not at all.

    Cells of ours that are not decided are left white, and not counted.

    Returns:
        Number of cells that agree, that agree within a step (those included), and of all.
    """
    known = ours.phases != Phase.UNDECIDED
    exact, near = (agrees(ours.phases, theirs.phases, steps) for steps in (0, 1))
    codes = np.select([~known, exact, near], [0, 1, 2], 3)
    letters = [[("", SAME, NEAR, OTHER)[x] for x in row] for row in codes]
    _draw_cells(axes, ours._replace(phases=codes), ["white", *_SHADES.values()], letters)
    return int(exact.sum()), int(near.sum()), int(known.sum())


def _draw_cells(
    axes: Axes, found: PhaseMap, colours: list[str], letters: Sequence[Sequence[str]]
) -> None:
    """Codes as colours, the first row on top as in the paper, and a letter in each cell."""
    axes.imshow(
        found.phases,
        cmap=ListedColormap(colours),
        vmin=0,
        vmax=len(colours) - 1,
        aspect="auto",
        interpolation="nearest",
    )
    size = min(6.5, 90 / max(found.phases.shape))
    for (row, column), code in np.ndenumerate(found.phases):
        ink = "white" if _is_dark(colours[int(code)]) else "black"
        place = {"ha": "center", "va": "center", "fontsize": size}
        axes.text(column, row, letters[row][column], color=ink, **place)
    _label(axes, "x", found.columns, found.column_name)
    _label(axes, "y", found.rows, found.row_name)
    axes.grid(visible=False)


def _is_dark(colour: str) -> bool:
    return float(np.dot(to_rgb(colour), (0.299, 0.587, 0.114))) < 0.45


def _label(axes: Axes, which: str, values: np.ndarray, name: str) -> None:
    """Some values of an axis of cells, the first among them."""
    at = range(0, len(values), -(-len(values) // _MOST_TICKS))
    texts = [_short(values[k]) for k in at]
    getattr(axes, f"set_{which}ticks")(at, texts, rotation=90 if which == "x" else 0)
    getattr(axes, f"set_{which}label")(NAMES.get(name, name))


def _short(value: float) -> str:
    """A value to two digits: 0, 0.25, 30; below 0.01 as 5.6e-5."""
    if value == 0 or abs(value) >= 0.01:
        return f"{float(f'{value:.2g}'):g}"
    digits, _, exponent = f"{value:.1e}".partition("e")
    return f"{float(digits):g}e{int(exponent)}"


def name_phases(
    canvas: Figure, maps: Sequence[PhaseMap | None], *, has_comparison: bool = False
) -> None:
    """One legend of colours and letters under the figure: the four phases, and others if drawn."""
    shown = [phase for phase in Phase if phase not in (Phase.OTHER, Phase.UNDECIDED)]
    if any(found is not None and (found.phases == Phase.OTHER).any() for found in maps):
        shown.append(Phase.OTHER)
    patches = [
        Patch(fc=PHASES[x], ec="black", lw=0.4, label=f"{x.letter} {x.name.lower()}") for x in shown
    ]
    if has_comparison:
        words = {SAME: "same", NEAR: "within a cell", OTHER: "another"}
        patches += [
            Patch(fc=_SHADES[k], ec="black", lw=0.4, label=f"{k} {v}") for k, v in words.items()
        ]
    canvas.legend(
        handles=patches,
        loc="outside lower center",
        ncols=len(patches),
        columnspacing=1.0,
        handlelength=1.2,
    )
