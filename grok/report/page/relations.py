"""What of a run goes with what: any number against any axis, and early readings with the onset."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from grok.keys import find_key
from grok.report.correlate import predictors
from grok.report.page.document import Section, escape
from grok.report.page.group import Member, Store
from grok.report.page.plot import Plot, packed
from grok.report.palette import LINES


def numbers_of_runs(store: Store, members: Sequence[Member]) -> dict[str, Any]:
    """Numbers of the runs for the page's own plot: axes, onsets and last readings."""
    groups = {id(m): at for at, group in enumerate(store.groups) for m in group.members}
    keys = sorted(set.intersection(*(set(member.readings) for member in members)))
    keys = [key for key in keys if not _is_vector(key)]
    columns = [*store.axes, *(f"onset/{name}" for name in members[0].onset), *keys]
    rows = [
        {"key": m.run.key, "group": groups[id(m)], "values": [_value(m, c) for c in columns]}
        for m in members
    ]
    log = [column.startswith(("onset/", "loss/")) for column in columns]
    names = [group.name for group in store.groups]
    return {"columns": columns, "rows": rows, "log": log, "names": names}


def _is_vector(key: str) -> bool:
    row = find_key(key)
    return row is not None and row.is_vector


def _value(member: Member, column: str) -> Any:
    if column in member.values:
        value = member.values[column]
        return value if isinstance(value, int | float | str) else str(value)
    if column.startswith("onset/"):
        return member.onset[column.removeprefix("onset/")]
    value = float(member.readings[column][1][-1])
    return float(f"{value:.5g}") if math.isfinite(value) else None


def against_section(axes: Sequence[str], columns: Sequence[str]) -> Section:
    """Two menus and a plot that the page's script draws."""
    first = axes[0] if axes else "onset/train_acc_99"
    menus = "".join(
        f'<label>{name} <select name="{name}">{_options(columns, chosen)}</select></label>'
        for name, chosen in (("x", first), ("y", "onset/test_acc_99"))
    )
    words = f'<form id="against" class="controls">{menus}</form>'
    note = "<p>One mark a run: fields of the sweep, onsets, and the last reading of each key.</p>"
    plot = Plot("against", "Any measure against any axis", [], {}, note, is_wide=True, height=380)
    return Section("against-any", "Any measure against any axis", [plot], words)


def _options(columns: Sequence[str], chosen: str) -> str:
    each = (
        f"<option{' selected' if column == chosen else ''}>{escape(column)}</option>"
        for column in columns
    )
    return "".join(each)


def early_section(members: Sequence[Member]) -> Section:
    """Which early readings tell when a run generalises: the strongest rank correlations."""
    at = _early_step(members)
    try:
        if at is None:
            raise ValueError("no step up to 1,000 was read in every run")
        if not any(member.onset["test_acc_99"] for member in members):
            raise ValueError("no run has come to a test accuracy of 0.99")
        readings = [member.readings for member in members]
        found = predictors([m.run for m in members], at, "test_acc_99", readings=readings)
    except ValueError as error:
        return Section("early", "Early readings and the onset", words=f"<p>{escape(error)}.</p>")
    best = found.table.head(20).reverse()
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "x": packed(best["rho"].to_numpy()),
            "y": best["key"].to_list(),
            "marker": {"color": LINES[0]},
            "hovertemplate": "%{y}: %{x:.2f}<extra></extra>",
        }
    ]
    shapes = [_chance_line(sign * found.chance) for sign in (-1, 1)]
    layout: dict[str, Any] = {
        "xaxis": {"range": [-1, 1], "title": {"text": f"rank correlation at step {at:,}"}}
    }
    note = (
        f"<p>Spearman's rank correlation with the step of test accuracy 0.99 over {found.n_runs} "
        f"runs, {found.n_censored} of which never reached it; {found.n_before} had by then. "
        f"Dotted: what the largest of all stays below by chance, 95 % of the time.</p>"
    )
    plot = Plot("early", "Which readings tell when", data, layout | {"shapes": shapes}, note)
    plot = replace(plot, is_wide=True, height=80 + 22 * len(best))
    return Section("early", "Early readings and the onset", [plot])


def _chance_line(x: float) -> dict[str, Any]:
    line = {"dash": "dot", "color": "#888888", "width": 1}
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def _early_step(members: Sequence[Member]) -> int | None:
    """The latest step up to 1,000 at which every run was read for the most keys."""
    each = [
        Counter(int(s) for at, _ in member.readings.values() for s in at[at <= 1000])
        for member in members
    ]
    shared = set.intersection(*(set(counts) for counts in each))
    return max(shared, key=lambda s: (sum(counts[s] for counts in each), s), default=None)
