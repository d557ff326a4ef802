"""Panels of figures that have a point for each run, and what these are read from."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from matplotlib.axes import Axes

from grok.claims.evidence import ArmEvidence, NotRun
from grok.config import RunConfig
from grok.report.figures.base import Source
from grok.report.figures.draw import mark_published
from grok.report.palette import LINES

MARKERS = "os^vP*Xhp"
"""Of points, in the order of the colours."""
_NEVER = 0.96
"""Height, as a share of the panel, of events that did not come."""


Value = TypeVar("Value")


def grouped(
    source: Source, sweep: str, value_of: Callable[[RunConfig], Value], flags: Sequence[str] = ()
) -> dict[Value, ArmEvidence]:
    """The stored runs of a sweep by what they differ in beside the seed, in the sweep's order.

    What is missing is noted.
    """
    found: dict[Value, tuple[int, dict[int, Any]]] = {}
    for cell, run in source.cells(sweep, flags):
        if run.status()["step"]:
            config = cell.config
            runs = found.setdefault(value_of(config), (config.n_steps, {}))[1]
            runs[config.model.init_seed] = run
    return {value: ArmEvidence(runs, n_steps) for value, (n_steps, runs) in found.items()}


def at_step(source: Source, evidence: ArmEvidence, key: str, step: int) -> dict[str, float]:
    """A reading at a step, by seed; seeds without one are left out, unknown keys noted."""
    found = {}
    for seed in evidence.runs:
        try:
            steps, values = evidence.series(key, seed)
        except NotRun as error:
            source.lacks(f"seed {seed}: {key}", str(error))
            continue
        here = values[steps == step]
        if here.size:
            found[seed] = float(here[0])
    return found


def first_step(source: Source, evidence: ArmEvidence, key: str, threshold: float) -> list[float]:
    """First step at which a reading is at least so much, by seed; infinite where it never is.

    Seeds of which that is not known, such as unfinished ones, are left out.
    """
    try:
        found = evidence.reached(key, threshold).array
    except NotRun as error:
        source.lacks(key, str(error))
        return []
    return [float(x) for x in found if not np.isnan(x)]


def points(
    axes: Axes, x: Sequence[float], y: Sequence[float], at: int = 0, label: str = "stored runs"
) -> None:
    """A point for each run, in the colour and with the marker of its number, over the published."""
    marker, color = MARKERS[at % len(MARKERS)], LINES[at % len(LINES)]
    axes.plot(x, y, marker, ls="none", ms=2.8, color=color, zorder=6, label=label)


def passages(
    axes: Axes,
    x: Sequence[float],
    steps: Sequence[float],
    at: int | None = 0,
    label: str = "stored runs",
) -> None:
    """Steps of an event by run; where it never came, the same marker hollow at the top.

    Args:
        axes: Where.
        x: Places.
        steps: Steps, infinite where it did not come.
        at: Number of the colour and marker; None for published values.
        label: In the legend.
    """
    places, values = np.asarray(x, float), np.asarray(steps, float)
    came = np.isfinite(values)
    if at is None:
        mark_published(axes, list(places[came]), list(values[came]), label)
    else:
        points(axes, list(places[came]), list(values[came]), at, label)
    if not came.all():
        _never(axes, places[~came], at, "never" if label == "_" else f"{label}, never")


def _never(axes: Axes, places: np.ndarray, at: int | None, label: str) -> None:
    """Hollow markers at the top; published ones a little below."""
    is_ours = at is not None
    axes.plot(
        places,
        np.full(len(places), _NEVER if is_ours else _NEVER - 0.05),
        MARKERS[at % len(MARKERS)] if is_ours else "D",
        mfc="none",
        mec=LINES[at % len(LINES)] if is_ours else "#7F7F7F",
        ms=4,
        ls="none",
        label=label,
        transform=axes.get_xaxis_transform(),
    )
    axes.margins(y=0.15)


def diagonal(axes: Axes, factor: float = 1.0, label: str = "") -> None:
    """The line y = factor x, dashed."""
    axes.axline((0, 0), slope=factor, color="#7F7F7F", ls="--", lw=0.8, label=label or "_")
