"""``grok measure --series``."""

import json
import re
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from grok.cli.common import Parser, listed
from grok.data.hugging_face import PREFIX
from grok.inputs import InputError

DESCRIPTION = """\
Growth of the parameter norm along a series of checkpoints: norms by set and layer, direction
cosines, steps and how they lie to the parameters, laws of growth and models of the dynamics.
The keys are those of the family `dynamics`, but δ is the difference between neighbouring
checkpoints, not a single update: updates that are alike add up in it. SERIES is a folder of
checkpoints (folders of Hugging Face, or files), a run of ours, hf:OWNER/NAME for the branches
of a repository, or hf:OWNER/NAME_{step}k for repositories. What has been read is kept in the
run store: the same command goes on, and reads what is new. Exit code 1: a revision is missing,
damaged, or one of several of its step; it is named, the rest analysed."""


def series(arguments: list[str]) -> int:
    """``grok measure --series``.

    Returns:
        0, or 1 if a revision could not be analysed.
    """
    options = _options(arguments)
    from grok.offline.growth import as_dict, growth_of, table_of
    from grok.runs import default_runs_dir
    from grok.runs.export import write_table

    store = options.runs_dir or default_runs_dir()
    options.series = _place(options.series, store)
    rates = _rates(options)
    curve = _curve(options, store / "series" / _stored_name(options))
    growth = growth_of(curve, rates)
    if options.output:
        write_table(table_of(curve), options.output)
    _print(as_dict(curve, growth), options.json)
    for problem in curve.problems:
        print(f"grok: {problem.name}: {problem.text}", file=sys.stderr)
    return 1 if curve.problems else 0


def _curve(options: Any, stored: Path) -> Any:
    """The series, read with a line that says where we are."""
    from grok.lit.status_line import StatusLine
    from grok.offline.curve import read_curve
    from grok.offline.series import series_of

    found = series_of(
        options.series,
        pattern=options.pattern,
        steps=_steps(options.steps),
        local_files_only=options.local_files_only,
        keep=options.keep_cache,
    )
    line, how = StatusLine(), {"layout": options.layout, "include": options.include}

    def tell(done: int) -> None:
        if line.is_due():
            line.show(f"  {done} / {len(found)} revisions")

    line.start()
    try:
        return read_curve(found, **how, stored=stored, tell=tell)
    finally:
        line.end()


def _place(name: str, runs_dir: Path) -> str:
    """The folder of a run of ours by its key; other names as they are."""
    from grok.runs import RunStore

    if name.startswith(PREFIX) or Path(name).is_dir():
        return name
    try:
        return str(RunStore(runs_dir).find(name).dir)
    except InputError:
        return name  # what is allowed is said where it is looked for


def _options(arguments: list[str]) -> Any:
    from grok.offline.layouts import LAYOUTS

    parser = Parser(prog="grok measure --series", description=DESCRIPTION)
    add = parser.add_argument
    add("--series", required=True, help="folder or run, hf:OWNER/NAME or hf:OWNER/NAME_{step}k")
    add("--pattern", default="", help=r"how names tell steps (default step[_-]?(\d+) and the like)")
    add("--steps", default="", help="only these, each of which must be there: 0,1000,2000")
    add("--layout", default="auto", help=f"auto, none, {', '.join(LAYOUTS)} (default auto)")
    add("--include", default="", help="regular expression: names of one more set, `chosen`")
    add("--lr", type=float, help="learning rate, for the models of the dynamics (default 1)")
    shapes = ("constant", "linear", "inverse_sqrt", "cosine")
    add("--schedule", choices=shapes, help="of the rate (default constant)")
    for name in ("warmup", "flat_steps", "horizon"):
        add(f"--{name}", f"--{name.replace('_', '-')}", type=int, help="of the schedule")
    add("--final_rate", "--final-rate", type=float, help="of the schedule, as a share of lr")
    add("--local_files_only", "--local-files-only", action="store_true", help="download nothing")
    add("--keep_cache", "--keep-cache", action="store_true", help="keep what is downloaded")
    add("-o", "--output", type=Path, help="write the curve: .csv or .parquet")
    add("--runs_dir", "--runs-dir", type=Path, help="run store")
    add("--json", action="store_true", help="print JSON and nothing else on standard output")
    options = parser.parse_args(arguments)
    if options.layout not in (*LAYOUTS, "auto", "none"):
        raise InputError(f"layout={options.layout}: allowed are auto, none, {', '.join(LAYOUTS)}")
    if options.output and options.output.suffix not in (".csv", ".parquet"):
        raise InputError(f"{options.output}: the name must end in .csv or .parquet")
    return options


def _steps(text: str) -> list[int]:
    steps = listed(text)
    if wrong := [step for step in steps if not (step.isascii() and step.isdigit())]:
        raise InputError(f"steps={wrong[0]}: expected whole numbers, such as 0,1000,2000")
    return [int(step) for step in steps]


def _rates(options: Any) -> Any:
    """The rates that are said; of a run of ours, those of its config where none are."""
    from grok.config.schema import OptimConfig
    from grok.runs import open_run

    names = ("lr", "schedule", "warmup", "flat_steps", "horizon", "final_rate")
    said = {n: getattr(options, n) for n in names if getattr(options, n) is not None}
    if not said and (Path(options.series) / "config.yaml").is_file():
        return open_run(options.series).config.optim
    try:
        return OptimConfig(**{"lr": 1.0, **said})
    except ValueError as error:
        raise InputError(str(error).replace("optim.", "")) from error


def _stored_name(options: Any) -> str:
    """Name of the file with what was read, another for each series and choice of names."""
    is_local = Path(options.series).is_dir()
    series = str(Path(options.series).resolve()) if is_local else options.series
    choice = [series, options.layout, options.include, options.pattern, options.steps]
    digest = sha256(json.dumps(choice).encode()).hexdigest()[:10]
    readable = re.sub(r"[^\w.-]+", "-", Path(series).name or "series")[-40:]
    return f"{readable}-{digest}.json"


def _print(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(found, allow_nan=False))
        return
    from grok.report.series import print_series

    print_series(found)


def is_series(arguments: Sequence[str]) -> bool:
    """Whether ``grok measure`` is asked for a series."""
    return any(each == "--series" or each.startswith("--series=") for each in arguments)
