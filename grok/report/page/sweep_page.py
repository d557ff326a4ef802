"""The page of several runs: a sweep, or any selection."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from grok.report.page.curves import definitions, meaning_note, panels_of, rows_of, slug
from grok.report.page.document import Page, Section, escape, plural, table, tiles, warning
from grok.report.page.group import Group, Member, Store, grouped, short
from grok.report.page.onset_plots import onset_plots
from grok.report.page.plot import Plot, Trace, line, step_axes
from grok.report.page.relations import against_section, early_section, numbers_of_runs
from grok.report.palette import LINES, SVG_DASHES, TEST, TRAIN, line_marks
from grok.runs import DONE, Run
from grok.tracking.panel import Panel

MOST_MULTIPLES = 48
"""Small plots, one a group, that a page shows."""
_POINTS = 600_000
"""Of all curves of a page together: some six megabytes."""


def sweep_page(title: str, runs: Sequence[tuple[dict[str, Any] | None, Run]]) -> Page:
    """What several runs have read, as a page.

    Args:
        title: Name of the sweep, or of the selection.
        runs: As :func:`~grok.report.page.group.grouped` takes them.
    """
    store = grouped(runs)
    members = [member for group in store.groups for member in group.members]
    if not members:
        return Page(title, "sweep", _head(store, members), [])
    curves, keys = _measures(store.groups)
    data = numbers_of_runs(store, members)
    sections = [
        Section("groups", "Groups", words=_table(store)),
        Section("grokking", "Grokking curves", _multiples(store.groups)),
        Section("onsets", "Onset of generalisation", onset_plots(store.groups)),
        against_section(store.axes, data["columns"]),
        early_section(members),
        *curves,
        definitions(rows_of(keys)),
    ]
    return Page(title, "sweep", _head(store, members), sections, data)


def _head(store: Store, members: Sequence[Member]) -> str:
    found = Counter(member.status["status"] for member in members)
    reached = sum(member.onset["test_acc_99"] is not None for member in members)
    shown = {"runs": f"{len(members):,}", "groups": f"{len(store.groups):,}"}
    shown |= {status: f"{n:,}" for status, n in found.items()}
    shown["reached test accuracy 0.99"] = f"{reached:,}"
    notes = list(store.faults)
    if store.n_absent:
        notes.append(f"{plural(store.n_absent, 'run is', 'runs are')} not stored")
    if unfinished := sum(n for status, n in found.items() if status not in DONE):
        verb = plural(unfinished, "run has", "runs have")
        notes.append(f"{verb} not come to the end; what was read is shown")
    if not members:
        notes.append("there are no runs with readings")
    return tiles(shown) + "".join(map(warning, notes))


def _table(store: Store) -> str:
    """One row a group: how many seeds, when they generalised, where they ended."""
    rows = []
    for group in store.groups:
        values = [escape(group.members[0].values.get(name)) for name in store.axes]
        onset = [member.onset["test_acc_99"] for member in group.members]
        there = [step for step in onset if step is not None]
        last = [m.readings["acc/test"][1][-1] for m in group.members if "acc/test" in m.readings]
        times = f"{np.median(there):,.0f} [{min(there):,}, {max(there):,}]" if there else None
        never = len(onset) - len(there)
        accuracy = float(np.median(last)) if last else None
        rows.append([_swatch(group), *values, len(onset), times, never, accuracy])
    names = ["group", *map(short, store.axes), "runs", "step of test accuracy 0.99", "not reached"]
    return table([*names, "last test accuracy, median"], rows, is_html=True)


def _swatch(group: Group) -> str:
    """The number of a group with the line that stands for it in every plot."""
    colour, dash = line_marks(group.number - 1)
    style = f'stroke="{colour}" stroke-width="3" stroke-dasharray="{SVG_DASHES[dash]}"'
    svg = f'<svg width="34" height="8" aria-hidden="true"><path d="M0 4H34" {style}/></svg>'
    return f"{svg} {group.number}"


def _multiples(groups: Sequence[Group]) -> list[Plot]:
    """Accuracy of each group: every seed thin, the median thick, the range shaded."""
    shown = [group for group in groups if {"acc/test", "acc/train"} & group.common_keys()]
    n_lines = sum(2 * len(group.members) + 4 for group in shown[:MOST_MULTIPLES])
    n_points = max(min(_POINTS // 2 // max(n_lines, 1), 2000), 50)
    plots = []
    for at, group in enumerate(shown[:MOST_MULTIPLES]):
        data: list[Trace] = []
        for key, colour in (("acc/train", TRAIN), ("acc/test", TEST)):
            if key in group.common_keys():
                data += _seeds(group, key, colour, n_points)
        layout = step_axes("accuracy")
        layout["yaxis"]["range"] = [-0.03, 1.03]
        plots.append(Plot(f"group-{at}", group.name, data, layout, height=230))
    return plots


def _seeds(group: Group, key: str, colour: str, n_points: int) -> list[Trace]:
    """One key of a group: band, seeds, median."""
    bundle = group.bundle(key)
    thin: Trace = {"line": {"color": colour, "width": 0.7}, "opacity": 0.6}
    thin |= {"showlegend": False, "hoverinfo": "name+x+y"}
    dash = "dash" if key.endswith("train") else "solid"
    found = _band(bundle.steps, bundle.values, colour, n_points)
    for member, (steps, values) in zip(group.members, bundle.each, strict=True):
        name = f"{key} seed {member.run.config.model.init_seed}"
        found.append(line(steps, values, name, n_points=n_points) | thin)
    if bundle.steps.size and len(group.members) > 1:
        median = np.median(bundle.values, axis=0)
        thick = {"line": {"color": colour, "width": 2.2, "dash": dash}}
        found.append(line(bundle.steps, median, key, n_points=n_points) | thick)
    else:
        found[-1] |= {"name": key, "showlegend": True, "opacity": 1.0}
        found[-1]["line"] = {"color": colour, "width": 1.6, "dash": dash}
    return found


def _band(steps: np.ndarray, values: np.ndarray, colour: str, n_points: int) -> list[Trace]:
    """The range over the seeds, two lines with colour between them; none of one seed."""
    if len(values) < 2 or steps.size < 2:
        return []
    plain: Trace = {"line": {"width": 0}, "showlegend": False, "hoverinfo": "skip"}
    fill: Trace = {"fill": "tonexty", "fillcolor": _pale(colour)}
    low = line(steps, values.min(axis=0), "", n_points=n_points) | plain
    return [low, line(steps, values.max(axis=0), "", n_points=n_points) | plain | fill]


def _pale(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.15)"


def _measures(groups: Sequence[Group]) -> tuple[list[Section], list[str]]:
    """Every panel that a group has readings of: its median by group, and the range."""
    keys_of = {group.number: group.common_keys() for group in groups}
    keys = set().union(*keys_of.values())
    panels = [(title, panel) for title, each in panels_of(keys) for panel in each]
    lines = [(t, p) for t, p in panels if p.kind == "line"]
    n_lines = 3 * sum(len(panel.of(keys)) * len(groups) for _, panel in lines)
    n_points = max(min(_POINTS // 2 // max(n_lines, 1), 1000), 30)
    found: dict[str, list[Plot]] = {}
    used: list[str] = []
    for title, panel in lines:
        for key in [key for key in panel.of(keys) if key not in used]:
            mine = [group if key in keys_of[group.number] else None for group in groups]
            found.setdefault(title, []).append(_overlay(panel, key, mine, n_points))
            used.append(key)
    sections = [
        Section(slug(title), title, plots, is_closed=title.startswith("More readings"))
        for title, plots in found.items()
    ]
    return sections, used


def _overlay(panel: Panel, key: str, groups: Sequence[Group | None], n_points: int) -> Plot:
    """One key: a line for each group, but those (None) that were not all read for it."""
    data: list[Trace] = []
    for at, group in enumerate(groups):
        if group is None:
            continue
        bundle = group.bundle(key)
        if not bundle.steps.size:
            continue
        if len(groups) <= 8:
            data += _band(bundle.steps, bundle.values, LINES[at % len(LINES)], n_points)
        median = np.median(bundle.values, axis=0)
        data.append(line(bundle.steps, median, group.name, at, n_points=n_points))
    layout = step_axes(key, log_x=panel.log_x, log_y=panel.log_y)
    layout |= {"showlegend": False}
    return Plot(slug(key), key, data, layout, meaning_note([key]))
