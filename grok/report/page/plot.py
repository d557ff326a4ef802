"""Plots of a page, as Plotly's JavaScript reads them: plain data, no object of Plotly's."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from grok.report.page.thin import MOST_POINTS, thin
from grok.report.palette import DASHES, LINES, line_marks

Trace = dict[str, Any]

_FEW = 8
"""Points up to which each is marked: a line of one cannot be seen."""


@dataclass(frozen=True)
class Plot:
    """One plot. Colours of text and grid are the theme's, which the page adds."""

    id: str
    """Unique among the plots of its page, made of letters, digits and ``-``."""
    title: str
    """Above it."""
    data: Sequence[Trace]
    """Traces of Plotly."""
    layout: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the page's layout."""
    note: str = ""
    """HTML below it: what the readings mean."""
    is_wide: bool = False
    """Takes the width of the page."""
    height: int = 300
    """Pixels."""

    @property
    def place(self) -> str:
        """Id of the element that it is drawn into."""
        return f"plot-{self.id}"

    def spec(self) -> dict[str, Any]:
        """What the page's script is given."""
        return {"id": self.place, "data": list(self.data), "layout": dict(self.layout)}


def packed(values: Any) -> dict[str, str]:
    """An array as Plotly reads it, base64 of its bytes: half the size of decimal numbers.

    Whole numbers are kept if they fit 32 bits, others have single precision. Two axes at most.
    """
    array = np.asarray(values)
    if array.dtype.kind in "iub" and array.size and np.abs(array).max() < 2**31:
        array = array.astype("<i4")
    else:
        with np.errstate(over="ignore"):  # what single precision cannot hold is a gap
            array = array.astype("<f4")
    found = {"dtype": array.dtype.str[1:], "bdata": base64.b64encode(array.tobytes()).decode()}
    return found | ({"shape": ", ".join(map(str, array.shape))} if array.ndim > 1 else {})


def line(
    steps: np.ndarray,
    values: np.ndarray,
    name: str,
    at: int = 0,
    *,
    n_points: int = MOST_POINTS,
    is_log: bool = True,
) -> Trace:
    """A curve over the steps, with so many points at most.

    A logarithmic axis has no place for step 0, towards which Plotly would draw a line of its own.

    Args:
        steps: As :func:`~grok.report.page.thin.thin` takes them.
        values: Not finite where the line has a gap.
        name: In the legend.
        at: Number of its colour and dash.
        n_points: How many points are left.
        is_log: Whether the axis of steps is logarithmic.
    """
    if is_log:
        steps, values = steps[steps > 0], values[steps > 0]
    steps, values = thin(steps, values, n_points, is_log=is_log)
    mode = "lines" if len(steps) > _FEW else "lines+markers"
    trace = {"type": "scatter", "mode": mode, "name": name, "line": line_style(at) | {"width": 1.6}}
    return trace | {"x": packed(steps), "y": packed(values)}


def line_style(at: int) -> dict[str, Any]:
    """Colour and dash of the line with that number."""
    colour, dash = line_marks(at)
    return {"color": colour, "dash": DASHES[dash]}


def step_axes(title: str, *, log_x: bool = True, log_y: bool = False) -> dict[str, Any]:
    """Axes of a curve over the steps; a logarithmic one has no place for step 0."""
    x = {"title": {"text": "step"}, "type": "log" if log_x else "linear"}
    y = {"title": {"text": title}, "type": "log" if log_y else "linear"}
    if log_y:
        y |= {"exponentformat": "power"}
    return {"xaxis": x, "yaxis": y}


def heat(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, name: str, scale: str = "Viridis", **more: Any
) -> Trace:
    """Colour over two axes; ``z`` has a row for each ``y``."""
    trace = {"type": "heatmap", "name": name, "colorscale": scale}
    trace |= {"x": packed(x), "y": packed(y), "z": packed(z)}
    return trace | {"colorbar": {"thickness": 12, "title": {"text": name, "side": "right"}}} | more


def upright(step: int | float, words: str, place: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """A dotted upright line at a step of a logarithmic axis, and what is written at its top."""
    shape = {"type": "line", "x0": step, "x1": step, "y0": 0, "y1": 1, "yref": "paper"}
    shape |= {"line": {"width": 1, "dash": "dot", "color": "#888888"}}
    note = {"x": float(np.log10(step)), "y": 1 - 0.09 * place, "yref": "paper", "text": words}
    note |= {"showarrow": False, "xanchor": "left", "yanchor": "top", "font": {"size": 10}}
    return shape, note


def band(
    first: int | float, last: int | float, words: str, at: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A stretch of a logarithmic axis of steps with a name at its foot, one word a line."""
    shape = {"type": "rect", "x0": first, "x1": last, "y0": 0, "y1": 1, "yref": "paper"}
    shape |= {"fillcolor": LINES[at], "opacity": 0.1, "line": {"width": 0}, "layer": "below"}
    middle = float((np.log10(first) + np.log10(last)) / 2)
    note = {"x": middle, "y": 0.01, "yref": "paper", "text": words.replace(" ", "<br>")}
    note |= {"showarrow": False}
    return shape, note | {"yanchor": "bottom", "font": {"size": 10}}
