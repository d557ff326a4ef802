"""``grok reproduce``."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grok.claims import PAPERS, Claim, select
from grok.cli.common import GOES_ON, Parser, check_workers, complain, listed, parse_seeds
from grok.inputs import InputError
from grok.runs import default_runs_dir, plain

USAGE = f"""\
usage: grok reproduce PAPER [--tier U,S] [--only ID,...] [...]

Trains what the claims of a paper need and the run store lacks, judges every claim, and prints
claim, published, ours and verdict: holds, fails, or not run.

PAPER: {", ".join(PAPERS)}

  --tier=U,S         tiers (default U,S): U formulas and networks, seconds; S short runs of the
                     full task; R whole runs of a smaller task; F the paper's full runs; hub
                     published models, which are downloaded (needs the extra hub)
  --only=ID,...      these claims, whatever their tier: IB-11, or IB-21 for all its parts
  --seeds=S,S,...    judge on these seeds instead of the paper's (tier U has its own)
  --workers=N        processes (default: one per core)
  --runs_dir=DIR     run store (default: $GROK_RUNS, else runs/)
  --dry-run          show the runs needed and the estimated time; train and judge nothing
  --json             print one JSON object and nothing else on standard output
  --markdown         print the table for the paper's page
  --debug            show the traceback of an error

`grok list claims` shows the claims. Exit code 0: every claim asked for holds; 1: one fails or was
not run, or a run that it needs could not be trained.
"""


def reproduce(arguments: list[str]) -> int:
    """Train what claims need and judge them.

    Returns:
        0 if every claim holds, 1 if one does not or a run that it needs failed.

    Raises:
        InputError: If the paper, a tier or a claim does not exist.
        Interrupted: After a signal; the same command goes on.
    """
    if {"-h", "--help"} & set(arguments):
        print(USAGE, end="")
        return 0
    options = _options(arguments)
    claims = select(options.paper, listed(options.tier), listed(options.only))
    if not claims:
        raise InputError(f"{options.paper} has no claim of tier {options.tier}")
    runs_dir = options.runs_dir or default_runs_dir()
    if options.dry_run:
        _preview(claims, runs_dir, options)
        return 0
    return _run(claims, runs_dir, options)


def _options(arguments: list[str]) -> Any:
    parser = Parser(prog="grok reproduce", add_help=False, allow_abbrev=False)
    parser.add_argument("paper", nargs="?")
    parser.add_argument("--tier", default="U,S")
    parser.add_argument("--only", default="")
    parser.add_argument("--seeds", default="")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--runs_dir", "--runs-dir", type=Path)
    parser.add_argument("--dry-run", "--dry_run", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args(arguments)
    if options.paper is None:
        raise InputError(f"which paper? There are: {', '.join(PAPERS)}")
    options.paper = options.paper.replace("_", "-")
    check_workers(options.workers)
    options.seeds = parse_seeds(options.seeds)
    return options


def _run(claims: Sequence[Claim], runs_dir: Path, options: Any) -> int:
    from grok.claims.reproduce import reproduce as judge
    from grok.lit.signals import Interrupted

    try:
        results, outcome = judge(claims, runs_dir, seeds=options.seeds, workers=options.workers)
    except Interrupted:
        print(GOES_ON, file=sys.stderr)
        raise
    if options.json:
        found = {"paper": options.paper, "claims": [result.as_dict() for result in results]}
        print(json.dumps(plain(found), allow_nan=False))
    else:
        from grok.report.claims import markdown, print_results

        if options.markdown:
            print(markdown(results), end="")
        else:
            print_results(results)
    complain(outcome.busy, outcome.failed)
    holds = all(result.verdict == "holds" for result in results)
    return 0 if holds and not outcome.failed and not outcome.busy else 1


def _preview(claims: Sequence[Claim], runs_dir: Path, options: Any) -> None:
    """The runs that are needed, how they stand, and the estimated time."""
    from grok.claims.plan import absent_data, make_plan
    from grok.cli.sweep import state_row
    from grok.lit.status_line import duration
    from grok.report.terminal import console, print_rows
    from grok.sweep import estimate_seconds

    configs = make_plan(claims, options.seeds).configs
    rows = [state_row(config, runs_dir) for config in configs]
    seconds = estimate_seconds(configs, runs_dir, options.workers)
    if options.json:
        ids = [claim.id for claim in claims]
        found = {"paper": options.paper, "claims": ids, "seconds": seconds, "runs": rows}
        print(json.dumps(plain(found), allow_nan=False))
        return
    if rows:
        print_rows(console(), rows)
    n_done = sum(row["state"] == "done" for row in rows)
    print(f"{len(claims)} claims need {len(rows)} runs, of which {n_done} are done; ", end="")
    print(f"about {duration(seconds)} for the others")
    for reason in dict.fromkeys(absent_data(configs).values()):
        print(f"some of them cannot be trained: {reason}")
