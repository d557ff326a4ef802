"""The end of ``grok diagram``: its files, its W&B copy, and what a person reads."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from grok.cli.against import Agreement, compare
from grok.cli.diagram_plan import Plan, axes_of
from grok.config import TrackingConfig, run_key
from grok.metrics.learning_phases import Phase, phase_counts, phase_shares
from grok.metrics.phase_map import text_map
from grok.runs import Run, plain, write_atomic
from grok.sweep import Diagram, cell_table, diagram_of
from grok.sweep.diagram import map_of


class Result(NamedTuple):
    """A diagram that is made."""

    table: pl.DataFrame
    """Its cells."""
    diagram: Diagram
    """Its labels."""
    agreement: Agreement | None
    """With what it was compared with."""
    files: dict[str, Path]
    """What was written."""

    @property
    def counts(self) -> dict[str, int]:
        """Cells in each phase."""
        return {p.name.lower(): n for p, n in phase_counts(self.diagram.phases).items()}


def finish(plan: Plan, tracking: TrackingConfig | None) -> None:
    """Make the diagram of what is stored, write its files and show it.

    Args:
        plan: The diagram.
        tracking: Of its W&B run; None for no copy.
    """
    runs = _shown(plan, [plan.runs_dir.resolve() / run_key(cell.config) for cell in plan.cells])
    table = cell_table(plan.grid, plan.cells, runs, plan.criterion)
    found = diagram_of(plan.grid, table, plan.criterion)
    compared = None
    if plan.reference is not None:
        compared = compare(plan.reference, plan.grid, table, plan.criterion)
    result = Result(table, found, compared, _write(plan, table, found))
    where = _track(plan, result, tracking) if tracking is not None else None
    if plan.options.json:
        print(json.dumps(plain(_object(plan, result)), allow_nan=False))
    else:
        _print(plan, result, where)


def _shown(plan: Plan, folders: list[Path]) -> Iterator[Run]:
    """The runs, with a line of progress where reading them takes long."""
    from grok.lit.status_line import StatusLine

    status = StatusLine()
    status.start()
    is_shown = False
    for n, folder in enumerate(folders):
        if status.is_due() and (not status.is_live or n):
            status.show(f"{plan.name}: {n} of {len(folders)} runs read")
            is_shown = True
        yield Run(folder)
    if is_shown:
        status.end()


def _write(plan: Plan, table: pl.DataFrame, found: Diagram) -> dict[str, Path]:
    """Every file whole; what was there is replaced."""
    from grok.report.diagram import draw_diagram

    plan.folder.mkdir(parents=True, exist_ok=True)
    files = {name: plan.folder / name for name in ("cells.parquet", "map.txt", "map.png")}
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    write_atomic(files["cells.parquet"], buffer.getvalue())
    write_atomic(files["map.txt"], text_map(map_of(found)).encode())
    draw_diagram(found, plan.name, files["map.png"])
    if plan.options.plot is not None:
        draw_diagram(found, plan.name, plan.options.plot)
        files["plot"] = plan.options.plot
    return files


def _track(plan: Plan, result: Result, tracking: TrackingConfig) -> str | None:
    from grok.tracking import log_table

    summary: dict[str, Any] = {f"phase/{name}": n for name, n in result.counts.items()}
    summary |= {f"agreement/{name}": x for name, x in _agreement(plan, result).items()}
    config = {"sweep": plan.name, "x": plan.grid.x.name, "y": plan.grid.y.name}
    return log_table(
        plan.name,
        plan.folder,
        tracking,
        result.table.to_dicts(),
        config=config | plan.criterion._asdict(),
        summary=summary,
        image=result.files["map.png"],
    )


def _agreement(plan: Plan, result: Result) -> dict[str, Any]:
    """With what the diagram was compared, and how far it agrees; empty if with nothing."""
    if result.agreement is None or plan.reference is None:
        return {}
    found = result.agreement
    shares = {"exact": found.exact, "one_grid_step": found.near}
    return {"against": plan.reference.name, "budget": found.budget, **shares}


def _object(plan: Plan, result: Result) -> dict[str, Any]:
    """The one object of ``--json``."""
    found: dict[str, Any] = {"sweep": plan.name, **axes_of(plan.grid)}
    found |= {"cells": result.table.to_dicts(), "counts": result.counts}
    if result.agreement is not None:
        found["agreement"] = _agreement(plan, result)
    return found | {"files": result.files}


def _print(plan: Plan, result: Result, where: str | None) -> None:
    """The map, counts and shares, the delay, the comparison, and where the files are."""
    from grok.report.terminal import console, print_rows

    print(text_map(map_of(result.diagram)))
    if len(plan.grid.seeds) > 1:
        _print_share(result.diagram)
    shares = phase_shares(result.diagram.phases)
    rows = [
        {"": phase.letter, "phase": phase.name.lower(), "cells": n, "share": f"{shares[phase]:.1%}"}
        for phase, n in phase_counts(result.diagram.phases).items()
        if n or phase < Phase.OTHER
    ]
    print_rows(console(), rows)
    print(_delay(result.table))
    if undecided := result.counts["undecided"]:
        print(f"{undecided} undecided: not trained to the end, a tie of seeds, or stopped by")
        print("stop.when before both accuracies were reached")
    if result.agreement is not None and plan.reference is not None:
        print(f"\n{plan.reference.name}, to {result.agreement.budget:,} steps:")
        print(text_map(result.agreement.theirs))
        print(f"agreement: {result.agreement.exact:.1%} of the cells, ", end="")
        print(f"{result.agreement.near:.1%} within one grid step")
    for path in (*result.files.values(), *([where] if where else [])):
        print(path)


def _print_share(diagram: Diagram) -> None:
    print("share of the seeds with that label, in percent:")
    for label, row in zip(diagram.grid.y.labels, diagram.share, strict=True):
        print(f"{label:>8}  " + " ".join(f"{100 * share:3.0f}" for share in row))
    print()


def _delay(table: pl.DataFrame) -> str:
    """Median number of steps by which test follows training, over the runs with both."""
    parts = []
    both = table.filter((pl.col("T_tr") >= 0) & (pl.col("T_va") >= 0))
    for name, runs in (("runs", both), ("grokking ones", both.filter(phase="grokking"))):
        delay = (runs["T_va"] - runs["T_tr"]).to_numpy()
        parts.append(f"{np.median(delay):,.0f} steps ({len(delay)} {name})" if len(delay) else "")
    return "median delay of test after training: " + (", ".join(filter(None, parts)) or "none")
