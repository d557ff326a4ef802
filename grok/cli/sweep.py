"""``grok sweep run``, and where the other commands of sweeps begin."""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grok.cli.common import GOES_ON, Parser, check_workers, complain, with_seeds
from grok.cli.slurm_options import add_slurm_options, check_engine
from grok.config import RunConfig, run_key
from grok.inputs import InputError
from grok.runs import Run, default_runs_dir, plain
from grok.sweep import Outcome, Sweep, SweepRun, estimate_seconds, read_sweep, run_local
from grok.sweep.document import METHODS
from grok.sweep.state import run_state

USAGE = """\
usage: grok sweep run SWEEP [--field=value ...]
       grok sweep check SWEEP ...      faults of the files, number of runs, time; see its --help
       grok sweep serve [--port=P]     a server for `wandb sweep` and `wandb agent`; see its --help

SWEEP is a name (`grok list sweeps`), paper/name, or the path of a W&B sweep file with method
grid, random or bayes. Its runs are trained in processes of one thread each. What is finished is
skipped, what was interrupted goes on, and what fails does not stop the others.

  --seeds=S,S,...    these seeds instead of those of the file
  --field=value      this value instead of an axis, or for every run; fields: grok train --help
  --count=N          at most so many runs; needed by random and bayes where run_cap is not in the
                     file. bayes needs W&B's engine: pip install 'grokking-lab[sweeps]'
  --sweep-seed=N     seed of the draws (default: 0); the same draws as those of grok sweep serve
  --workers=N        processes (default: one per core)
  --shard=I/N        every N-th run, from the I-th: 1/3, 2/3 and 3/3 on three machines
  --runs_dir=DIR     where runs are stored (default: $GROK_RUNS, else runs/)
  --retrain          forget what is stored of these runs and start anew
  --dry-run          list the runs, how they stand and the estimated time; train nothing
  --json             print one JSON object and nothing else on standard output
  --debug            show the traceback of an error

With --engine slurm the runs that are not done are submitted as one array job (default: --engine
local), through submitit: pip install 'grokking-lab[slurm]'. Each task trains a shard as above, its
stacks whole. Before the time limit and at preemption the runs checkpoint and the task is requeued.

  --workers=N            tasks of the array at most (default: 16)
  --wait                 wait for the job and end as the local engine does
  --dry-run              the script for sbatch and the shards; needs no Slurm
  --slurm.partition=P    partition (default: the cluster's)
  --slurm.time=MINUTES   time limit of a task (default: 60)
  --slurm.cpus=N         cores of a task (default: threads of a run)
  --slurm.mem=M          memory of a task, such as 8G
  --slurm.account=A      account
  --slurm.gres=G         such as gpu:1; its runs are then stacked for a GPU
  --slurm.extra=KEY=V    any other option of sbatch, such as qos=high; may be repeated

The command returns at once. Logs are in <runs_dir>/slurm, which all nodes must see; `squeue` shows
the job, --dry-run how the runs stand. Submitted twice, a run is still trained once.

Exit code 0: all runs are done, or submitted; 1: some failed or are being trained elsewhere.
"""


def sweep(arguments: list[str]) -> int:
    """Train the runs of a sweep, or list them; or check sweep files.

    Returns:
        0 all done, 1 if a run failed or another process trains it; 2 if a file has a fault.

    Raises:
        InputError: If the sweep, a flag or an option cannot be used.
        Interrupted: After a signal, when what is stored has been shown.
    """
    if arguments[:1] == ["serve"]:
        from grok.cli.serve import serve

        return serve(arguments[1:])
    if arguments[:1] == ["check"]:
        from grok.cli.sweep_check import sweep_check

        return sweep_check(arguments[1:])
    if arguments[:1] != ["run"] or {"-h", "--help"} & set(arguments):
        print(USAGE, end="")
        return 0 if {"-h", "--help"} & set(arguments) else 2
    options, flags = _options(arguments[1:])
    found = read_sweep(options.sweep, METHODS)
    runs_dir = options.runs_dir or default_runs_dir()
    if found.document.method == "bayes":
        from grok.cli.bayes import run_bayes

        return run_bayes(found, flags, runs_dir, options)
    runs = _shard(_runs(found, flags, options), options.shard)
    if options.engine == "slurm":
        from grok.cli.slurm import run_on_slurm

        return run_on_slurm(found, runs, runs_dir, options)
    if options.dry_run:
        preview_runs(found, runs, runs_dir, options.workers, options.json)
        return 0
    return _run(found, runs, runs_dir, options)


def _runs(found: Sweep, flags: list[str], options: Any) -> list[SweepRun]:
    """The runs of a grid, or of as many draws as asked for."""
    if found.document.method == "grid":
        return found.runs(flags)[: options.count]
    from grok.lit.status_line import StatusLine

    count, line = run_count(found, options.count), StatusLine()
    line.start()

    def show(n_read: int) -> None:
        if line.is_due():
            line.say(f"{n_read} of {count} runs drawn and checked")

    return found.draws(count, options.sweep_seed, flags, show)


def run_count(found: Sweep, asked: int | None) -> int:
    """How many runs a search has.

    Raises:
        InputError: If nobody says.
    """
    counts = [n for n in (asked, found.document.run_cap) if n is not None]
    if not counts:
        method = found.document.method
        raise InputError(
            f"{found.path}: a {method} sweep has no end; give --count=N, or run_cap in the file"
        )
    return min(counts)


def _options(arguments: list[str]) -> tuple[Any, list[str]]:
    """Options, and the flags that are fields."""
    parser = Parser(prog="grok sweep run", add_help=False, allow_abbrev=False)
    parser.add_argument("sweep", nargs="?")
    parser.add_argument("--seeds")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--count", type=int)
    parser.add_argument("--sweep-seed", "--sweep_seed", type=int, default=0)
    parser.add_argument("--shard", default="1/1")
    parser.add_argument("--runs_dir", "--runs-dir", type=Path)
    for flag in ("--retrain", "--json"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--dry-run", "--dry_run", action="store_true")
    parser.add_argument("--engine", choices=("local", "slurm"), default="local")
    add_slurm_options(parser)
    options, flags = parser.parse_known_args(arguments)
    if options.sweep is None:
        raise InputError("which sweep? `grok list sweeps` shows them")
    check_workers(options.workers)
    if options.count is not None and options.count < 1:
        raise InputError(f"count={options.count} must be 1 or more")
    if options.sweep_seed < 0:
        raise InputError(f"sweep-seed={options.sweep_seed} must be 0 or more")
    check_engine(options, flags)
    return options, with_seeds(flags, options.seeds)


def _shard(runs: list[SweepRun], shard: str) -> list[SweepRun]:
    """Every n-th run from the i-th, of a shard written i/n."""
    match = re.fullmatch(r"([0-9]+)/([0-9]+)", shard)
    i, n = (int(number) for number in match.groups()) if match else (0, 0)
    if not 1 <= i <= n:
        raise InputError(f"shard={shard}: expected i/n with i from 1 to n, such as 2/3")
    return runs[i - 1 :: n]


def _run(found: Sweep, runs: list[SweepRun], runs_dir: Path, options: Any) -> int:
    from grok.lit.signals import Interrupted

    configs = [run.config for run in runs]
    try:
        outcome = run_local(
            configs, runs_dir, workers=options.workers, name=found.name, retrain=options.retrain
        )
    except Interrupted:
        report_runs(found, runs, runs_dir, None, options.json)
        raise
    report_runs(found, runs, runs_dir, outcome, options.json)
    return 1 if outcome.failed or outcome.busy else 0


def report_runs(
    found: Sweep, runs: list[SweepRun], runs_dir: Path, outcome: Outcome | None, as_json: bool
) -> None:
    """The runs as they are stored, and what went wrong; None if a signal came."""
    rows = [run_row(run, runs_dir) for run in runs]
    if as_json:
        ended = outcome._asdict() if outcome else {}
        print(json.dumps(plain({"sweep": found.name, **ended, "runs": rows}), allow_nan=False))
    else:
        print_runs(rows)
    if outcome is None:
        print(GOES_ON, file=sys.stderr)
        return
    complain(outcome.busy, outcome.failed)


def run_row(run: SweepRun, runs_dir: Path) -> dict[str, Any]:
    """One run as it is stored now."""
    from grok.report.terminal import stored_row

    stored = Run(runs_dir.resolve() / run_key(run.config))
    try:
        row, test_acc = stored_row(stored), stored.final().get("acc/test")
    except ValueError:
        row, test_acc = {"run": stored.key, "status": "damaged"}, None
    return {"values": run.values, **row, "acc/test": test_acc}


def print_runs(rows: list[dict[str, Any]]) -> None:
    """The runs as a table: the axes on which they differ, then how each stands."""
    from grok.report.terminal import console, print_rows

    axes = [name for name in rows[0]["values"] if _differs(name, rows)] if rows else []
    flat = []
    for row in rows:
        values = {name: row["values"].get(name) for name in axes}
        rest = {name: value for name, value in row.items() if name != "values"}
        if isinstance(rest.get("acc/test"), float):
            rest["acc/test"] = f"{rest['acc/test']:.4f}"
        flat.append(values | rest)
    if flat:
        print_rows(console(), flat)


def _differs(name: str, rows: Sequence[dict[str, Any]]) -> bool:
    return any(row["values"].get(name) != rows[0]["values"].get(name) for row in rows)


def preview_runs(
    found: Sweep, runs: list[SweepRun], runs_dir: Path, workers: int | None, as_json: bool
) -> None:
    """What would be trained and how long that would take."""
    from grok.lit.status_line import duration

    rows = [{"values": run.values, **state_row(run.config, runs_dir)} for run in runs]
    seconds = estimate_seconds([run.config for run in runs], runs_dir, workers)
    if as_json:
        print(json.dumps(plain({"sweep": found.name, "seconds": seconds, "runs": rows})))
        return
    print_runs(rows)
    n_done = sum(row["state"] == "done" for row in rows)
    print(f"{len(rows)} runs, {n_done} done; about {duration(seconds)} for the others")


def state_row(config: RunConfig, runs_dir: Path) -> dict[str, Any]:
    """One run before it is trained: key, how it stands, step and updates asked for."""
    state = run_state(config, runs_dir)
    row = {"run": run_key(config), "state": state.state, "step": state.step}
    return row | {"n_steps": config.n_steps}
