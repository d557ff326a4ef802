"""Figures 6, 7c, 8b and 13 to 15: phases of learning over two hyper-parameters."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grok.claims.effective_theory.published import Published, published_table
from grok.metrics.learning_phases import censored, learning_phase
from grok.metrics.phase_map import PhaseMap
from grok.report.figures.base import PaperFigure, Source, figure
from grok.report.figures.draw import say_missing
from grok.report.figures.effective_theory.maps import (
    compare_maps,
    draw_map,
    name_phases,
    stored_map,
)

_STEPS = 100_000
"""Updates of a cell."""
_PANELS = {
    "6a": ("fig6a", "addition_regression_rates", "Addition, regression: two learning rates"),
    "6b": ("fig6b", "addition_regression_decay", "Addition, regression: weight decay"),
    "6c": ("fig6c", "addition_classification_decay", "Addition, classification: weight decay"),
    "6d": ("fig6d", "permutation_decay", "S3, regression: weight decay"),
}
_REMARKS = {
    "6c": "; the seed of the published map is not recorded, ours is that of the notebook",
    "6d": "; the scale of the published map's initial embeddings is not recorded, ours is 0.1",
}


def published_map(table: Published, is_of_replication: bool = False) -> PhaseMap:
    """A published diagram, cut to the 100,000 updates of ours.

    The authors count training steps from 0, before the update: one is added. Those of the
    replication are updates done.
    """
    shift = 0 if is_of_replication else 1
    T_tr = np.where(table.T_tr < 0, -1, table.T_tr + shift)
    phases = learning_phase(censored(T_tr, _STEPS), censored(table.T_va, _STEPS))
    return PhaseMap(table.row_name, table.rows, table.column_name, table.columns, phases)


def _draw_stored(
    axes: Axes, source: Source, sweep: str, flags: Sequence[str] = (), percent: int = 90
) -> PhaseMap | None:
    """The diagram of a sweep, or that it was not run."""
    found = stored_map(source, f"effective_theory/{sweep}", flags, percent)
    if found is None:
        say_missing(axes)
    else:
        draw_map(axes, found)
    return found


def _beside_published(table: str, sweep: str, canvas: Figure, source: Source) -> None:
    """The published map, ours, and where they agree."""
    left, middle, right = canvas.subplots(1, 3)
    theirs = published_map(published_table(table))
    draw_map(left, theirs)
    for axes, title in ((left, "published"), (middle, "stored runs"), (right, "agreement")):
        axes.set(title=title)
    ours = _draw_stored(middle, source, sweep)
    if ours is None:
        say_missing(right)
    else:
        exact, near, n = compare_maps(right, ours, theirs)
        if n:
            right.set(title=f"same {exact / n:.0%}, within a cell {near / n:.0%}")
        for axes in (middle, right):
            axes.set(ylabel="", yticklabels=[])
    name_phases(canvas, [ours], has_comparison=ours is not None)


def _figure_6(name: str) -> PaperFigure:
    table, sweep, title = _PANELS[name]
    return PaperFigure(
        name=name,
        title=title,
        source=f"Figure 6{name[1]}; published: the released steps, by the same criterion"
        + _REMARKS.get(name, ""),
        draw=partial(_beside_published, table, sweep),
        size=(7.6, 3.3),
    )


figure_6 = tuple(_figure_6(name) for name in _PANELS)
"""Figures 6a to 6d."""


@figure(
    name="7c",
    title="Phases of the transformer, addition mod 59",
    source="Figure 7, right; the published map is a picture without numbers; its grid is read off "
    "the ticks. Test accuracy 0.999 ends a run",
    size=(5.4, 3.8),
)
def transformer(canvas: Figure, source: Source) -> None:
    """Decay and rate of the decoder."""
    axes = canvas.subplots()
    name_phases(canvas, [_draw_stored(axes, source, "encoder_phases")])


@figure(
    name="8b",
    title="Phases of MNIST, accuracy 60 %",
    source="Figure 8b; the published map is a picture without numbers, so the one beside ours is "
    "of the replication (Shabalin et al. 2022), on a grid of its own, cut to 100,000 updates",
    size=(7.2, 3.8),
)
def images(canvas: Figure, source: Source) -> None:
    """Decay, and rate of the last layer."""
    left, right = canvas.subplots(1, 2)
    draw_map(left, published_map(published_table("mnist"), is_of_replication=True))
    left.set(title="replication")
    right.set(title="stored runs")
    name_phases(canvas, [_draw_stored(right, source, "mnist_phases", percent=60)])


def _both_losses(sweep: str, canvas: Figure, source: Source) -> None:
    """Regression and classification."""
    losses = (("regression", ()), ("classification", ("--optim.loss=cross_entropy",)))
    maps = []
    for axes, (title, flags) in zip(canvas.subplots(1, 2), losses, strict=True):
        axes.set(title=title)
        maps.append(_draw_stored(axes, source, sweep, flags))
    name_phases(canvas, maps)


_SOURCE = "Figure {}; the published maps are pictures without numbers, their rows are not recorded"
appendix = tuple(
    PaperFigure(
        name=name,
        title=f"Phases of addition: {what}",
        source=_SOURCE.format(name),
        draw=partial(_both_losses, sweep),
        size=(7.2, 3.3),
    )
    for name, sweep, what in (
        ("13", "addition_batches", "batch size"),
        ("14", "addition_scales", "scale of the initial embeddings"),
        ("15", "addition_embed_decay", "weight decay of the embeddings"),
    )
)
"""Figures 13 to 15."""
