"""``grok sweep run`` of a bayes sweep."""

from pathlib import Path
from typing import Any

from grok.cli.sweep import preview_runs, report_runs, run_count
from grok.inputs import InputError
from grok.sweep import Sweep
from grok.sweep.bayes import BayesSweep


def run_bayes(found: Sweep, flags: list[str], runs_dir: Path, options: Any) -> int:
    """Search, or show what has been proposed so far.

    Returns:
        0 all done, 1 if a run failed or another process trains it.

    Raises:
        InputError: If an option is not for a search of one process.
        Interrupted: After a signal, when what is stored has been shown.
        ValueError: If no run reads the metric.
    """
    if options.engine != "local" or options.shard != "1/1":
        raise InputError(
            "a bayes sweep is searched by one process: leave --engine and --shard out, or use "
            "`grok sweep serve` and agents on several machines"
        )
    count = run_count(found, options.count)
    search = BayesSweep(found, flags, runs_dir, options.sweep_seed)
    if options.dry_run:
        preview_runs(found, search.runs()[:count], runs_dir, options.workers, options.json)
        return 0
    from grok.lit.signals import Interrupted

    try:
        outcome = search.train(count, workers=options.workers, retrain=options.retrain)
    except Interrupted:
        report_runs(found, search.runs()[:count], runs_dir, None, options.json)
        raise
    report_runs(found, search.runs()[:count], runs_dir, outcome, options.json)
    return 1 if outcome.failed or outcome.busy else 0
