"""``grok train``."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grok.cli.common import Parser
from grok.inputs import InputError

USAGE = """\
usage: grok train EXPERIMENT [--field=value ...]

EXPERIMENT is a name (`grok list`), paper/name, or the path of a YAML file. A run that was
interrupted goes on; a finished one is shown again.

  --seed=S           the split, initialisation and order seeds at once
  --n_steps=N        updates; more than before resumes the run
  --seeds=S,S,...    a run for each of these seeds, in this process
  --over=FIELD=V,V   a run for each of these values; again for another field. Under a W&B agent
                     all runs are one W&B run: their mean, and a table of them
  --runs_dir=DIR     where runs are stored (default: $GROK_RUNS, else runs/)
  --no-report        do not write the page report.html into the run's folder at the end
  --json             print one JSON object and nothing else on standard output
  --retrain          forget what is stored of this run and start anew
  --debug            show the traceback of an error

Fields of the run, with the values of {whose}:"""


def train(arguments: list[str]) -> int:
    """Train the run of an experiment, or several that differ in seeds and other fields.

    Raises:
        InputError: If the experiment, a flag or an option cannot be used.
        Interrupted: After a signal, when what is stored has been shown.
    """
    # A run that W&B gives to an agent once more comes with a flag for W&B itself.
    arguments = [word for word in arguments if not word.startswith("--_wandb=")]
    options, flags = _options(arguments)
    if options.help:
        _help(options.experiment, flags)
        return 0
    if options.experiment is None:
        raise InputError("which experiment? `grok list` shows them, `grok train --help` the rest")
    from grok.sweep.file import SweepRun

    cells = [SweepRun(*cell) for cell in _cells(options, flags)]

    from grok.lit.signals import Interrupted
    from grok.runs import default_runs_dir
    from grok.sweep.together import train_together

    store = options.runs_dir or default_runs_dir()
    try:
        train_together([cell.config for cell in cells], store, retrain=options.retrain)
    except Interrupted:
        _report(cells, store, options.json)
        raise
    _report(cells, store, options.json)
    if not options.no_report:
        _write_page(cells, store, options.json)
    return 0


def _options(arguments: list[str]) -> tuple[Any, list[str]]:
    parser = Parser(prog="grok train", add_help=False, allow_abbrev=False)
    parser.add_argument("experiment", nargs="?")
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-report", "--no_report", action="store_true")
    parser.add_argument("--retrain", action="store_true")
    parser.add_argument("--runs_dir", "--runs-dir", type=Path)
    return parser.parse_known_args(arguments)


def _help(experiment: str | None, flags: Sequence[str]) -> None:
    from grok.config import RunConfig, field_help, parse_run

    config = parse_run(experiment, flags) if experiment else RunConfig()
    print(USAGE.format(whose=experiment or "the default run"))
    print(field_help(config))


def _cells(options: Any, flags: list[str]) -> list[tuple[dict[str, Any], Any]]:
    """The runs asked for, each with its values on the axes; without axes it is one."""
    from grok.config import parse_run
    from grok.sweep.axes import take_axes
    from grok.sweep.cells import configs_of

    axes, flags = take_axes(flags)

    def parse(values: dict[str, Any]) -> Any:
        return parse_run(options.experiment, [*flags, *(f"--{k}={v}" for k, v in values.items())])

    try:
        return configs_of(axes, parse)
    except ValueError as error:
        raise InputError(str(error)) from None


def _report(cells: Sequence[Any], store: Path, as_json: bool) -> None:
    """What happened and where it is."""
    from grok.runs import RunStore, plain, summary

    if len(cells) > 1:
        from grok.cli.sweep import print_runs, run_row

        rows = [run_row(cell, store) for cell in cells]
        print(json.dumps(plain({"runs": rows}), allow_nan=False)) if as_json else print_runs(rows)
        return
    found = summary(RunStore(store).create(cells[0].config))
    if as_json:
        print(json.dumps(plain(found), allow_nan=False))
    else:
        from grok.report.terminal import print_summary

        print_summary(found)


def _write_page(cells: Sequence[Any], store: Path, as_json: bool) -> None:
    """The page of a run that was trained alone; whatever hinders it, the run stands."""
    from grok.tracking import is_under_agent

    if len(cells) > 1 or is_under_agent():
        return
    from grok.cli.report import write_page
    from grok.report.page.run_page import run_page
    from grok.runs import RunStore

    run = RunStore(store).create(cells[0].config)
    path = run.dir / "report.html"
    try:
        write_page(run_page(run), path)
    except (InputError, ValueError, OSError) as error:
        print(f"grok: no report: {' '.join(str(error).split())}", file=sys.stderr)
        return
    if not as_json:
        print(path)
