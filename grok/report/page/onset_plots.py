"""Plots of the step at which runs generalised, with those that did not."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from grok.report.page.group import Group
from grok.report.page.plot import Plot, Trace, line_style, packed, step_axes
from grok.report.palette import LINES


def onset_plots(groups: Sequence[Group]) -> list[Plot]:
    """When each run generalised, and the share of a group that has by each step.

    A run that did not is an open triangle at its last step.
    """
    labels = [str(group.number) for group in groups]
    reached, censored = [], []
    for at, group in enumerate(groups):
        for member in group.members:
            step = member.onset["test_acc_99"]
            into = censored if step is None else reached
            shown = f"{group.name}<br>{member.run.key}"
            into.append((at, member.last_step if step is None else step, shown))
    data = [_strip("reached", reached, "circle", labels)]
    data.append(_strip("not reached by its last step", censored, "triangle-up-open", labels))
    y = {"type": "log", "title": {"text": "step of test accuracy 0.99"}}
    layout: dict[str, Any] = {"yaxis": y}
    layout |= {
        "xaxis": {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": labels,
            "title": {"text": "group"},
        }
    }
    strip = Plot("onsets", "Step of test accuracy 0.99", data, layout, is_wide=len(groups) > 8)
    return [strip, _share(groups)]


def _strip(name: str, points: list[Any], symbol: str, labels: list[str]) -> Trace:
    trace = {"type": "scatter", "mode": "markers", "name": name}
    trace |= {"x": [labels[at] for at, _, _ in points], "y": [max(y, 1) for _, y, _ in points]}
    trace |= {"text": [shown for _, _, shown in points]}
    trace |= {"marker": {"symbol": symbol, "size": 9, "color": LINES[0], "opacity": 0.8}}
    return trace | {"hovertemplate": "%{text}<br>step %{y:,}<extra>%{fullData.name}</extra>"}


def _share(groups: Sequence[Group]) -> Plot:
    """Share of each group that has generalised by a step; runs count as far as they were read."""
    data = []
    for at, group in enumerate(groups):
        steps, share = survival(group)
        trace = {"type": "scatter", "mode": "lines", "name": group.name}
        trace |= {"line": line_style(at) | {"shape": "hv"}, "x": packed(steps), "y": packed(share)}
        data.append(trace)
    layout = step_axes("share that has generalised")
    layout["yaxis"]["range"] = [-0.03, 1.03]
    layout["showlegend"] = False
    note = "<p>1 − the Kaplan–Meier estimate: a run that ended before counts until its end.</p>"
    return Plot("share", "Share with test accuracy 0.99 by step", data, layout, note)


def survival(group: Group) -> tuple[np.ndarray, np.ndarray]:
    """Steps, and one minus the Kaplan-Meier estimate of not having generalised."""
    onsets = [member.onset["test_acc_99"] for member in group.members]
    ends = [m.last_step if s is None else s for m, s in zip(group.members, onsets, strict=True)]
    survival, steps, share = 1.0, [1], [0.0]
    for step in sorted({s for s in onsets if s is not None}):
        at_risk = sum(end >= step for end in ends)
        survival *= 1 - sum(s == step for s in onsets) / at_risk
        steps.append(max(step, 1))
        share.append(1 - survival)
    return np.array([*steps, max(ends)]), np.array([*share, share[-1]])
