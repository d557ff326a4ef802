"""``grok sweep run --engine slurm``."""

import json
import sys
from pathlib import Path
from typing import Any

from grok.cli.slurm_options import slurm_values
from grok.cli.sweep import report_runs
from grok.config import run_key
from grok.runs import DONE, Run, plain
from grok.sweep import Outcome, Sweep, SweepRun
from grok.sweep.slurm import (
    Plan,
    SlurmOptions,
    Submitted,
    check_slurm,
    forget_all,
    new_folder,
    outcome_of,
    plan_of,
    script,
    submit,
    wait_for,
)


def run_on_slurm(found: Sweep, runs: list[SweepRun], runs_dir: Path, options: Any) -> int:
    """Submit the runs that are not done, or show what would be submitted.

    Returns:
        0 submitted, or all done; with ``--wait`` as the local engine.

    Raises:
        InputError: If nothing can be submitted from here, or sbatch refuses.
    """
    configs = [run.config for run in runs]
    asked = SlurmOptions(**slurm_values(options))
    plan = plan_of(configs, runs_dir, asked, tasks=options.workers, retrain=options.retrain)
    folder = new_folder(runs_dir, found.name)
    if options.dry_run:
        _preview(found, plan, folder, options.json)
        return 0
    if not plan.shards:
        done = Outcome([], list(dict.fromkeys(map(run_key, configs))), {}, [])
        report_runs(found, runs, runs_dir, done, options.json)
        return 0
    check_slurm()
    if options.retrain:
        forget_all(configs, runs_dir)
    submitted = submit(plan, runs_dir, folder, found.name)
    if not options.wait:
        _tell(found, plan, submitted, options.json)
        return 0
    outcome = _wait(plan, runs_dir, submitted)
    report_runs(found, runs, runs_dir, outcome, options.json)
    return 1 if outcome.failed or outcome.busy else 0


def _preview(found: Sweep, plan: Plan, folder: Path, as_json: bool) -> None:
    """The script and the shards."""
    text = script(plan, folder, found.name) if plan.shards else ""
    if as_json:
        print(json.dumps({"sweep": found.name, "script": text, "tasks": _tasks(plan)}))
        return
    if not plan.shards:
        print("every run is done; nothing would be submitted")
        return
    print(text)
    _print_tasks(plan)
    print(_summary(plan, "would be submitted"))


def _tell(found: Sweep, plan: Plan, submitted: Submitted, as_json: bool) -> None:
    """That the job is submitted, and where to look."""
    folder = str(submitted.folder)
    if as_json:
        told = {"sweep": found.name, "job": submitted.job, "folder": folder}
        print(json.dumps(plain(told | {"tasks": _tasks(plan)})))
        return
    print(f"job {submitted.job}: {_summary(plan, 'submitted')}")
    print(f"logs     {folder}")
    print(f"queue    squeue --jobs={submitted.job}")
    print(f"runs     grok sweep run {found.name} --dry-run")
    print(f"cancel   scancel {submitted.job}")


def _wait(plan: Plan, runs_dir: Path, submitted: Submitted) -> Outcome:
    """Wait for the job, with a line now and then."""
    from grok.lit.status_line import StatusLine

    keys = [run_key(config) for shard in plan.shards for config in shard.configs]
    line = StatusLine()
    line.say(f"job {submitted.job}: {_summary(plan, 'submitted')}; logs: {submitted.folder}")

    def show() -> None:
        if line.is_due():
            n_done = sum(_is_done(Run(runs_dir.resolve() / key)) for key in keys)
            line.show(f"  {n_done} of {len(keys)} done")

    try:
        wait_for(submitted.job, show)
    except KeyboardInterrupt:
        line.end()
        print(f"job {submitted.job} goes on; scancel {submitted.job} ends it", file=sys.stderr)
        raise
    line.end()
    return outcome_of(plan, runs_dir, submitted)


def _is_done(run: Run) -> bool:
    try:
        return run.status()["status"] in DONE
    except ValueError:
        return False


def _tasks(plan: Plan) -> list[dict[str, Any]]:
    return [
        {"runs": [run_key(config) for config in shard.configs], "seconds": shard.seconds}
        for shard in plan.shards
    ]


def _print_tasks(plan: Plan) -> None:
    from grok.lit.status_line import duration
    from grok.report.terminal import console, print_rows

    rows = [
        {"task": at, "runs": len(shard.configs), "time": duration(shard.seconds)}
        for at, shard in enumerate(plan.shards)
    ]
    print_rows(console(), rows)


def _summary(plan: Plan, what: str) -> str:
    from grok.lit.status_line import duration

    n_runs = sum(len(shard.configs) for shard in plan.shards)
    longest = max(shard.seconds for shard in plan.shards)
    return (
        f"{n_runs} runs in {len(plan.shards)} tasks {what}; about {duration(longest)} once started"
    )
