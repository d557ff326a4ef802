"""Plots of readings over the steps: one for each panel that a run, or several, have readings of."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from grok.claims.evidence import common
from grok.keys import FAMILY_MEANINGS, KEYS, Key, find_key
from grok.report.page.document import Section, escape
from grok.report.page.plot import Plot, Trace, heat, line, step_axes
from grok.report.palette import TEST, TRAIN
from grok.runs.run import Series
from grok.tracking.panel import Panel
from grok.tracking.panels import sections

Readings = Mapping[str, Series]

MOST_COLUMNS = 400
"""Steps that a heat map over the steps shows."""


class Marks(NamedTuple):
    """What is drawn over every plot of curves."""

    shapes: Sequence[dict[str, Any]] = ()
    annotations: Sequence[dict[str, Any]] = ()


def slug(text: str) -> str:
    """The text as part of an id."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower()


def panels_of(keys: Iterable[str]) -> list[tuple[str, list[Panel]]]:
    """Panels that show something of these keys, by section, those of no panel at last.

    A key that is part of a spectrum has a panel only if the list of panels has one for it.
    """
    logged = set(keys)
    found, shown = [], set()
    for section in sections():
        panels = [p for p in section.panels if p.kind != "scalar" and p.of(logged)]
        shown.update(key for panel in panels for key in panel.of(logged))
        found.append((section.title, panels))
    others: dict[str, dict[Key, Panel]] = {}
    for key in sorted(logged - shown):
        row = find_key(key)
        if row is None or row.is_vector or key.split("/")[0] == "onset":
            continue
        family = FAMILY_MEANINGS[row.family].partition(":")[0]
        title = row.pattern
        others.setdefault(family, {})[row] = Panel(title, (row.pattern,))
    found += [(f"More readings: {family}", list(p.values())) for family, p in others.items()]
    return [(title, panels) for title, panels in found if panels]


def curve_sections(
    readings: Readings, marks: Marks | None = None, n_points: int = 2000
) -> tuple[list[Section], list[Key]]:
    """Sections with the panels of one run, and the rows of the table of keys that they rest on."""
    found, rows = [], dict[Key, None]()
    for title, panels in panels_of(readings):
        each = (_plot(panel, readings, marks or Marks(), n_points) for panel in panels)
        plots = [plot for plot in each if plot is not None]
        for panel in panels:
            rows.update(dict.fromkeys(rows_of(panel.of(readings))))
        is_closed = title.startswith("More readings")
        found.append(Section(slug(title), title, plots, is_closed=is_closed))
    return found, list(rows)


def rows_of(keys: Iterable[str]) -> list[Key]:
    """Rows of the table of keys, each once, in the order of the keys."""
    return list(dict.fromkeys(row for key in keys if (row := find_key(key))))


def meaning_note(keys: Iterable[str]) -> str:
    """One line for each kind of key: its name, linked to its definition, and what it means."""
    lines = (
        f'<p><a href="#key-{slug(row.pattern)}"><code>{escape(row.pattern)}</code></a> '
        f"{escape(row.meaning)}</p>"
        for row in rows_of(keys)
    )
    return "".join(lines)


def definitions(rows: Iterable[Key]) -> Section:
    """The table of keys, as far as a page has them."""
    known = list(dict.fromkeys(rows))
    order = {key: at for at, key in enumerate(KEYS)}
    lines = (
        f'<tr id="key-{slug(row.pattern)}"><td><code>{escape(row.pattern)}</code></td>'
        f"<td>{escape(row.meaning)}</td><td>{escape(row.source or '–')}</td></tr>"
        for row in sorted(known, key=lambda row: order.get(row, 0))
    )
    head = "<tr><th>key</th><th>meaning</th><th>source</th></tr>"
    words = f'<div class="scroll" tabindex="0"><table>{head}{"".join(lines)}</table></div>'
    return Section("definitions", "What the keys mean", words=words if known else "")


def _plot(panel: Panel, readings: Readings, marks: Marks, n_points: int) -> Plot | None:
    keys = panel.of(readings)
    if panel.kind == "heatmap":
        return _heat_plot(panel, readings, keys)
    # What was read at step 0 alone has no place on a logarithmic axis.
    is_log = panel.log_x and any((readings[key][0] > 0).any() for key in keys)
    data = [
        line(*readings[key], key, at, n_points=n_points, is_log=is_log) | _split_style(keys, at)
        for at, key in enumerate(keys)
    ]
    layout = step_axes(panel.title, log_x=is_log, log_y=panel.log_y)
    if is_log:
        layout |= {"shapes": list(marks.shapes), "annotations": list(marks.annotations)}
    layout |= {"showlegend": len(keys) <= 12}
    return Plot(slug(panel.title), panel.title, data, layout, meaning_note(keys))


def _split_style(keys: Sequence[str], at: int) -> Trace:
    """Colours of train and test where a panel has just these two; else none."""
    colours = {"train": TRAIN, "test": TEST}
    split = keys[at].rpartition("/")[2]
    if len(keys) != 2 or split not in colours:
        return {}
    return {"line": {"color": colours[split], "width": 1.8, "dash": _DASH[split]}}


_DASH = {"train": "dash", "test": "solid"}


def _heat_plot(panel: Panel, readings: Readings, keys: Sequence[str]) -> Plot | None:
    """A spectrum over the steps: colour over the step and what the key counts."""
    steps, *rows = common(*(readings[key] for key in keys))
    later = np.flatnonzero(steps > 0)
    if not later.size:
        return None
    spread = np.geomspace(1, later.size, min(later.size, MOST_COLUMNS)).astype(int)
    chosen = later[np.unique(spread) - 1]
    steps, z = steps[chosen], np.array(rows)[:, chosen]
    numbers = np.array([int(key.rpartition("/")[2]) for key in keys])
    hover = "step %{x}<br>%{y}: %{z:.4g}<extra></extra>"
    layout = step_axes(panel.keys[0].rpartition("<")[2].rstrip(">"))
    data = [heat(steps, numbers, z, "", hovertemplate=hover)]
    title = panel.title
    return Plot(slug(title), title, data, layout, meaning_note(keys), is_wide=True)
