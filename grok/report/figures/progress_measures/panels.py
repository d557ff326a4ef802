"""Panels of a network taken apart: bars by frequency, heat maps, frequencies on an axis."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis

from grok.report.figures.draw import mark_published
from grok.report.palette import LINES


def component_bars(
    axes: Axes, norms: np.ndarray, published: Mapping[int, tuple[float, float]] | None = None
) -> None:
    """Norms of Fourier components by frequency, the cosine plain beside the hatched sine.

    Args:
        axes: Where.
        norms: Of the rows of the Fourier basis: the constant, then cosine and sine of each
            frequency. The constant stands at 0; for an even number the last has no sine.
        published: By frequency those of cosine and sine, drawn as diamonds.
    """
    place = (np.arange(len(norms)) + 1) // 2
    is_sine = (np.arange(len(norms)) > 0) & (np.arange(len(norms)) % 2 == 0)
    style: dict[bool, dict[str, Any]] = {
        False: {"label": "cos", "color": LINES[0]},
        True: {"label": "sin", "color": LINES[1], "hatch": "////", "edgecolor": "white", "lw": 0},
    }
    for sine, look in style.items():
        rows = is_sine == sine
        shift = 0.22 if sine else -0.22
        axes.bar(place[rows] + shift, norms[rows], width=0.44, **look)
    if published:
        x = [k + shift for k in published for shift in (-0.3, 0.3)]
        mark_published(axes, x, [norm for pair in published.values() for norm in pair])
    axes.set(xlabel="frequency", ylabel="norm")


def loss_bars(
    axes: Axes,
    losses: Mapping[int, float],
    keys: Sequence[int],
    lines: Mapping[str, float],
    published: Mapping[int, float],
) -> None:
    """The loss without each frequency, key frequencies hatched, beside losses of reference.

    Args:
        axes: Where.
        losses: By frequency.
        keys: Key frequencies.
        lines: Losses by their words in the legend, drawn as horizontal lines.
        published: By frequency, drawn as diamonds; those of another network, with other keys.
    """
    for is_key in (True, False):
        some = [k for k in losses if (k in keys) == is_key]
        axes.bar(
            some,
            [losses[k] for k in some],
            color=LINES[1] if is_key else LINES[0],
            hatch="////" if is_key else None,
            edgecolor="white",
            lw=0,
            label="key frequency" if is_key else "another frequency",
        )
    for (label, loss), dash in zip(lines.items(), ("-", "--", ":"), strict=False):
        axes.axhline(loss, color="black", linestyle=dash, linewidth=1, label=label)
    if published:
        mark_published(axes, list(published), list(published.values()), "published network")
    axes.set(yscale="log", xlabel="frequency left out", ylabel="loss")


def heat_map(axes: Axes, values: np.ndarray, signed: bool = False) -> None:
    """A matrix, row 0 at the bottom, with its scale beside it.

    Args:
        axes: Where.
        values: Rows are along y.
        signed: Whether 0 is the middle of the scale instead of its end.
    """
    top = float(np.abs(values).max())
    shown = axes.imshow(
        values,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap="RdBu_r" if signed else "Blues",
        vmin=-top if signed else 0.0,
        vmax=top,
    )
    axes.grid(visible=False)
    figure = axes.get_figure()
    assert figure is not None, "axes lie in a figure"
    figure.colorbar(shown, ax=axes, fraction=0.05, pad=0.02)


def mark_frequencies(axis: Axis, frequencies: Sequence[int]) -> None:
    """Names of frequencies, which are above 0, on an axis of the rows of the Fourier basis."""
    axis.set_ticks([2 * k - 0.5 for k in frequencies], [str(k) for k in frequencies])
