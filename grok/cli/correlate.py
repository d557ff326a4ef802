"""``grok correlate``."""

import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from grok.cli.common import Parser, listed, with_seeds
from grok.config import run_key
from grok.inputs import InputError
from grok.runs import DONE, Run, default_runs_dir, plain
from grok.sweep import SweepRun, read_sweep

USAGE = """\
usage: grok correlate SWEEP [--at=STEP] [--onset=EVENT] [--field=value ...]

Which readings at one step say when a run generalises? Spearman's rank correlation of each with the
onset, over the runs of a sweep, and inside the groups of runs that differ by their seeds alone. The
last line says how large the largest one is by chance. Reads the run store and trains nothing.

  --at=STEP          step of the readings (default: 500)
  --onset=EVENT      what is to be told (default: test_acc_99); a run without it ranks last
  --keys=KEY,...     only these log keys; patterns such as sat/* are allowed
  --top=N            the N strongest (default: 20; 0 for all)
  --seeds=S,S,...    these seeds instead of those of the file
  --field=value      this value instead of an axis, or for every run
  --runs_dir=DIR     where runs are stored (default: $GROK_RUNS, else runs/)
  --markdown         print a table for a page
  --json             print one JSON object and nothing else on standard output
  --debug            show the traceback of an error
"""


def correlate(arguments: list[str]) -> int:
    """Print which readings tell an onset.

    Returns:
        0.

    Raises:
        InputError: If the sweep, a flag or an option cannot be used, or runs are not done.
    """
    if not arguments or {"-h", "--help"} & set(arguments):
        print(USAGE, end="")
        return 0 if arguments else 2
    options, flags = _options(arguments)
    runs_dir = (options.runs_dir or default_runs_dir()).resolve()
    runs = _stored(read_sweep(options.sweep).runs(flags), runs_dir, options.sweep)

    from grok.report.correlate import predictors

    patterns = listed(options.keys) or ("*",)
    try:
        found = predictors(
            runs, options.at, options.onset, lambda k: any(fnmatchcase(k, p) for p in patterns)
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    _print(found, options)
    return 0


def _options(arguments: list[str]) -> tuple[Any, list[str]]:
    """Options, and the flags that are fields."""
    parser = Parser(prog="grok correlate", add_help=False, allow_abbrev=False)
    parser.add_argument("sweep")
    parser.add_argument("--at", type=int, default=500)
    parser.add_argument("--onset", default="test_acc_99")
    parser.add_argument("--keys", default="")
    parser.add_argument("--top", type=int, default=20)
    parser.add_argument("--seeds")
    parser.add_argument("--runs_dir", "--runs-dir", type=Path)
    for flag in ("--markdown", "--json"):
        parser.add_argument(flag, action="store_true")
    options, flags = parser.parse_known_args(arguments)
    if options.at < 0 or options.top < 0:
        raise InputError(f"at={options.at}, top={options.top}: neither may be negative")
    return options, with_seeds(flags, options.seeds)


def _stored(runs: list[SweepRun], runs_dir: Path, sweep: str) -> list[Run]:
    """The runs of the sweep as they are stored; all must have ended."""
    found = [Run(runs_dir / run_key(run.config)) for run in runs]
    left = [run for run in found if run.status()["status"] not in DONE]
    if left:
        raise InputError(
            f"{len(left)} of {len(runs)} runs have not ended in {runs_dir}: grok sweep run {sweep}"
        )
    return found


def _print(found: Any, options: Any) -> None:
    """The table, and what to think of it."""
    table = found.table.head(options.top) if options.top else found.table
    rows = table.to_dicts()
    if options.json:
        rest = {k: v for k, v in found._asdict().items() if k != "table"}
        print(json.dumps(plain({"at": options.at, "onset": options.onset, **rest, "keys": rows})))
        return

    from grok.report.terminal import console, markdown_table, print_rows

    shown = [{name: _text(value) for name, value in row.items()} for row in rows]
    if options.markdown:
        named = [row | {"key": f"`{row['key']}`"} for row in shown]
        print("\n".join(markdown_table(list(named[0]), (row.values() for row in named))))
    else:
        print_rows(console(), shown)
    print()
    print("\n".join(_notes(found, options)))


def _text(value: Any) -> str:
    return f"{value:+.2f}" if isinstance(value, float) else str(value)


def _notes(found: Any, options: Any) -> list[str]:
    n_keys = len(found.table)
    return [
        f"{found.n_runs} runs, readings at step {options.at:,}, onset/{options.onset}: it never "
        f"came in {found.n_censored}, and had come by that step in {found.n_before}.",
        f"By chance the largest of {n_keys} stays below {found.chance:.2f} (rho) and "
        f"{found.chance_within:.2f} (within) in 95 % of random orders.",
    ]
