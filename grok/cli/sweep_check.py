"""``grok sweep check``."""

import json
import sys
from pathlib import Path
from typing import Any

from grok.cli.common import Parser, check_workers
from grok.inputs import InputError
from grok.runs import default_runs_dir

USAGE = """\
usage: grok sweep check SWEEP ...

Checks W&B sweep files and trains nothing: keys, command, metric, W&B's schema; each value, bound
and some draws as a run would read them, and in a grid each cell's values against each other. Shows
the number of runs and the estimated time, or what to write instead.

  --allow-early-termination   let early_terminate on a test metric pass, which ends the runs that
                     generalise late; it counts logged values of the metric, not steps
  --workers=N        processes, for the estimate (default: one per core)
  --runs_dir=DIR     stored runs, for the estimate (default: $GROK_RUNS, else runs/)
  --json             print one JSON object and nothing else on standard output

W&B's schema needs the extra sweeps. Exit code 0: no fault; 2: a file has one.
"""
_NO_SCHEMA = "W&B's schema was not checked: pip install 'grokking-lab[sweeps]'"


def sweep_check(arguments: list[str]) -> int:
    """Check sweep files.

    Returns:
        0 if none has a fault, else 2.

    Raises:
        InputError: If an option cannot be used, or no file is named.
    """
    if {"-h", "--help"} & set(arguments):
        print(USAGE, end="")
        return 0
    options = _options(arguments)
    from grok.sweep.check import has_schema

    rows = [_row(name, options) for name in options.sweeps]
    if options.json:
        print(json.dumps({"schema": has_schema(), "sweeps": rows}, allow_nan=False))
    else:
        _print(rows)
        if not has_schema():
            print(f"grok: {_NO_SCHEMA}", file=sys.stderr)
    return 2 if any("fault" in row for row in rows) else 0


def _options(arguments: list[str]) -> Any:
    parser = Parser(prog="grok sweep check", add_help=False, allow_abbrev=False)
    parser.add_argument("sweeps", nargs="*")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--runs_dir", "--runs-dir", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--allow-early-termination", action="store_true")
    options = parser.parse_args(arguments)
    if not options.sweeps:
        raise InputError("which sweep? `grok list sweeps` shows them")
    check_workers(options.workers)
    return options


def _row(name: str, options: Any) -> dict[str, Any]:
    """What a file would train, or its fault."""
    from grok.sweep.check import check_sweep

    runs_dir = options.runs_dir or default_runs_dir()
    allowed = options.allow_early_termination
    try:
        found = check_sweep(name, runs_dir, options.workers, early_termination=allowed)
    except InputError as error:
        return {"sweep": name, "fault": str(error)}
    what = {"sweep": found.name, "method": found.method, "cells": found.n_cells}
    return what | {"runs": found.n_runs, "seconds": found.seconds, "notes": found.notes}


def _print(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if "fault" in row:
            print(f"grok: {row['fault']}", file=sys.stderr)
            continue
        print(f"{row['sweep']}: {_amount(row)}")
        for note in row["notes"]:
            print(f"  {note}")


def _amount(row: dict[str, Any]) -> str:
    """How many runs, and how long they take."""
    from grok.lit.status_line import duration

    if row["runs"] is None:
        return row["method"]
    cells = f"{row['cells']:,} cells, " if row["cells"] != row["runs"] else ""
    kind = "" if row["method"] == "grid" else f"{row['method']}, "
    return f"{kind}{cells}{row['runs']:,} runs, about {duration(row['seconds'])}"
