"""``grok export`` and ``grok rm``."""

import sys
from pathlib import Path
from typing import Any

from grok.cli.common import Parser, listed
from grok.inputs import InputError


def export(arguments: list[str]) -> int:
    """``grok export``: readings as one table."""
    parser = Parser(prog="grok export", description="Readings of stored runs as one table.")
    parser.add_argument("runs", nargs="*", help="keys, their beginnings, or folders; default all")
    parser.add_argument("-o", "--output", type=Path, required=True, help=".csv or .parquet")
    parser.add_argument("--runs_dir", "--runs-dir", type=Path, help="run store")
    parser.add_argument("--keys", default="", help="only these log keys, separated by commas")
    options = parser.parse_args(arguments)
    if options.output.suffix not in (".csv", ".parquet"):
        raise InputError(f"{options.output}: the name must end in .csv or .parquet")

    from grok.runs import export as write

    runs = _find(options.runs, options.runs_dir, default_all=True)
    rows = write(runs, options.output, listed(options.keys))
    print(f"{options.output}: {rows:,} rows of {len(runs)} runs", file=sys.stderr)
    return 0


def remove(arguments: list[str]) -> int:
    """``grok rm``: delete stored runs."""
    parser = Parser(prog="grok rm", description="Remove stored runs, checkpoints included.")
    parser.add_argument("runs", nargs="+", help="keys or their beginnings")
    parser.add_argument("--runs_dir", "--runs-dir", type=Path, help="run store")
    options = parser.parse_args(arguments)

    from grok.runs import RunStore, default_runs_dir

    store = RunStore(options.runs_dir or default_runs_dir())
    for run in [store.find(name) for name in options.runs]:
        store.remove(run.key)
        print(f"removed {run.key}", file=sys.stderr)
    return 0


def _find(names: list[str], runs_dir: Path | None, *, default_all: bool) -> list[Any]:
    """Runs by key, beginning of a key, or folder."""
    from grok.runs import RunStore, default_runs_dir, open_run

    store = RunStore(runs_dir or default_runs_dir())
    if not names and default_all:
        return store.runs()
    return [
        open_run(name) if (Path(name) / "config.yaml").is_file() else store.find(name)
        for name in names
    ]
