"""``grok diagram``."""

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from grok.cli.against import find_reference
from grok.cli.common import GOES_ON, Parser, check_workers, complain, with_seeds
from grok.cli.diagram_plan import (
    Plan,
    decided_percent,
    ends_too_soon,
    other_accuracy,
    preview,
    what_is_left,
)
from grok.config import RunConfig, TrackingConfig
from grok.inputs import InputError
from grok.metrics.learning_phases import LAG
from grok.report.palette import FORMATS
from grok.runs import default_runs_dir
from grok.sweep import Criterion, grid_of, read_sweep, run_local

USAGE = f"""\
usage: grok diagram SWEEP [--x FIELD] [--y FIELD] [--field=value ...]

A phase diagram: trains the runs of a sweep file that the run store lacks, and finds for each cell
of its two axes whether it is comprehension, grokking, memorization or confusion. SWEEP is a name
(`grok list sweeps`), paper/name, or the path of a W&B sweep file with method grid.

  --x=FIELD, --y=FIELD   axes of columns and rows (default: the two axes with several values, the
                         first for rows); with several seeds a cell has the label of most of them
  --seeds=S,S,...        these seeds instead of those of the file
  --field=value          this value instead of an axis, or for every run
  --accuracy=PERCENT     accuracy that counts as reached, by equality too (default: that at which
                         cells end by stop.when=decided, else 90)
  --lag=STEPS            grokking if test follows training so many steps later (default: {LAG})
  --ratio=R              grokking if it takes R times as many steps as training, in place of --lag
  --against=NAME         compare with a published diagram (fig6a, ...), a map.txt or cells.parquet
  --plot=FILE            the picture also as FILE, which ends in .png, .svg or .pdf
  --track_cells          keep a W&B copy of every cell, not of the diagram alone
  --workers=N            processes (default: one per core)
  --runs_dir=DIR         where runs are stored (default: $GROK_RUNS, else runs/)
  --dry-run              cells, steps and estimated time; train and write nothing
  --json                 print one JSON object and nothing else on standard output
  --debug                show the traceback of an error

Written to RUNS_DIR/diagrams/SWEEP/, in place of what was there: cells.parquet, map.txt, map.png,
and W&B's files unless --tracking.mode=disabled. What is trained stays: the same command with
another criterion trains nothing. Exit code 0: all cells are trained; 1: some failed or are being
trained elsewhere.
"""


def diagram(arguments: list[str]) -> int:
    """Make a phase diagram.

    Returns:
        0 all cells are trained, 1 if one failed or another process trains it.

    Raises:
        InputError: If the sweep, an axis, a flag or an option cannot be used.
        Interrupted: After a signal, when the diagram of what is stored has been written.
    """
    if {"-h", "--help"} & set(arguments):
        print(USAGE, end="")
        return 0
    options, flags = _options(arguments)
    sweep = read_sweep(options.sweep)
    cells = sweep.cells(flags)
    tracking = cells[0].config.tracking
    if not options.track_cells:
        cells = [cell._replace(config=_untracked(cell.config)) for cell in cells]
    grid = grid_of(cells, options.x, options.y)
    reference = find_reference(options.against, grid) if options.against else None
    runs_dir = options.runs_dir or default_runs_dir()
    percent = options.accuracy or decided_percent(cells)
    criterion = Criterion(percent, options.lag, options.ratio)
    folder = runs_dir / "diagrams" / sweep.name
    plan = Plan(sweep.name, cells, grid, criterion, reference, runs_dir, folder, options)
    for remark in filter(None, (ends_too_soon(plan), other_accuracy(plan))):
        print(f"grok: {remark}", file=sys.stderr)
    if options.dry_run:
        preview(plan)
        return 0
    return _run(plan, tracking)


def _untracked(config: RunConfig) -> RunConfig:
    return replace(config, tracking=replace(config.tracking, mode="disabled"))


def _options(arguments: list[str]) -> tuple[Any, list[str]]:
    """Options, and the flags that are fields."""
    parser = Parser(prog="grok diagram", add_help=False, allow_abbrev=False)
    parser.add_argument("sweep", nargs="?")
    for flag in ("--x", "--y", "--seeds", "--against"):
        parser.add_argument(flag)
    parser.add_argument("--accuracy", type=int)
    parser.add_argument("--lag", type=int, default=LAG)
    parser.add_argument("--ratio", type=float)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--runs_dir", "--runs-dir", type=Path)
    parser.add_argument("--track_cells", "--track-cells", action="store_true")
    parser.add_argument("--dry-run", "--dry_run", action="store_true")
    parser.add_argument("--json", action="store_true")
    options, flags = parser.parse_known_args(arguments)
    if options.sweep is None:
        raise InputError("which sweep? `grok list sweeps` shows them")
    check_workers(options.workers)
    _check(options)
    return options, with_seeds(flags, options.seeds)


def _check(options: Any) -> None:
    """Refuse a criterion that says nothing, and a picture that cannot be drawn."""
    if options.accuracy is not None and not 1 <= options.accuracy <= 100:
        raise InputError(f"accuracy={options.accuracy}: allowed are whole percent, 1 to 100")
    if options.lag < 1:
        raise InputError(f"lag={options.lag} must be 1 or more")
    if options.ratio is not None and not 1 < options.ratio < math.inf:
        raise InputError(f"ratio={options.ratio}: allowed are numbers above 1")
    if options.plot is not None and options.plot.suffix not in FORMATS:
        raise InputError(f"plot={options.plot}: allowed endings are {', '.join(FORMATS)}")
    if options.plot is not None and not options.plot.parent.is_dir():
        raise InputError(f"plot={options.plot}: {options.plot.parent} is not a directory")


def _run(plan: Plan, tracking: TrackingConfig) -> int:
    from grok.cli.diagram_result import finish
    from grok.lit.signals import Interrupted

    print(what_is_left(plan), file=sys.stderr)
    configs = [cell.config for cell in plan.cells]
    try:
        outcome = run_local(configs, plan.runs_dir, workers=plan.options.workers, name=plan.name)
    except Interrupted:
        finish(plan, None)
        print(GOES_ON, file=sys.stderr)
        raise
    finish(plan, tracking)
    complain(outcome.busy, outcome.failed)
    return 1 if outcome.failed or outcome.busy else 0
