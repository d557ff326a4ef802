"""A phase diagram that is to be made, and what that would take."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from grok.cli.against import Reference
from grok.config import run_key
from grok.runs import plain
from grok.sweep import Criterion, Grid, SweepRun, estimate_seconds
from grok.sweep.state import run_state


class Plan(NamedTuple):
    """A diagram that is to be made."""

    name: str
    """Of the sweep."""
    cells: list[SweepRun]
    """With tracking as it is trained."""
    grid: Grid
    """Its axes."""
    criterion: Criterion
    """What the phases depend on."""
    reference: Reference | None
    """What it is compared with."""
    runs_dir: Path
    """Run store."""
    folder: Path
    """Where its files go."""
    options: Any
    """Other options."""


def decided_percent(cells: Sequence[SweepRun]) -> int:
    """Accuracy, in percent, at which a sweep takes its cells for decided; 90 if it never does."""
    stops = [cell.config.stop for cell in cells]
    ends = [stop.accuracy for stop in stops if stop.when == "decided"]
    # 100 * 0.29 is less than 29.
    return max(math.floor(100 * min(ends) + 1e-9), 1) if ends else Criterion().percent


def ends_too_soon(plan: Plan) -> str | None:
    """What to do where cells end below the accuracy that counts, so that they stay undecided."""
    stops = [cell.config.stop for cell in plan.cells]
    ends = min((stop.accuracy for stop in stops if stop.when != "never"), default=math.inf)
    percent = plan.criterion.percent
    if percent <= 100 * ends + 1e-9:
        return None
    return (
        f"cells end at stop.accuracy={ends:g} and may stay undecided at {percent} %; "
        f"--stop.accuracy={percent / 100:g} trains them on"
    )


def other_accuracy(plan: Plan) -> str | None:
    """What is to be known where a diagram is compared with one of another accuracy."""
    theirs = plan.reference.percent if plan.reference is not None else None
    if plan.reference is None or theirs in (None, plan.criterion.percent):
        return None
    return (
        f"against={plan.reference.name}: its steps are those to {theirs} % accuracy, ours those "
        f"to {plan.criterion.percent} %; --accuracy={theirs} compares like with like"
    )


def preview(plan: Plan) -> None:
    """What would be trained and how long that would take."""
    if not plan.options.json:
        print(what_is_left(plan))
        return
    configs = [cell.config for cell in plan.cells]
    states = [run_state(config, plan.runs_dir) for config in configs]
    rows = [
        {"values": cell.values, "run": run_key(cell.config), **state._asdict()}
        for cell, state in zip(plan.cells, states, strict=True)
    ]
    seconds = estimate_seconds(configs, plan.runs_dir, plan.options.workers)
    found = {"sweep": plan.name, **axes_of(plan.grid), "seconds": seconds, "cells": rows}
    print(json.dumps(plain(found), allow_nan=False))


def what_is_left(plan: Plan) -> str:
    """Cells, steps and time: one line."""
    from grok.lit.status_line import duration

    configs = {run_key(cell.config): cell.config for cell in plan.cells}
    states = [run_state(config, plan.runs_dir) for config in configs.values()]
    n_done, left = sum(s.state == "done" for s in states), sum(s.left for s in states)
    seconds = 0.0
    if left:  # else the store need not be searched for speeds
        seconds = estimate_seconds(list(configs.values()), plan.runs_dir, plan.options.workers)
    grid = f"{len(plan.grid.y.values)} x {len(plan.grid.x.values)}"
    seeds = f" x {len(plan.grid.seeds)} seeds" if len(plan.grid.seeds) > 1 else ""
    what = f"{plan.name}: {grid} cells of {plan.grid.y.name} x {plan.grid.x.name}{seeds}, "
    return what + f"{n_done} runs done; at most {left:,} steps left, about {duration(seconds)}"


def axes_of(grid: Grid) -> dict[str, Any]:
    """Field and values of both axes, as JSON has them."""
    return {
        side: {"field": axis.name, "values": axis.values}
        for side, axis in (("x", grid.x), ("y", grid.y))
    }
