"""The command line. Each command imports what it needs when it is called, and no more."""

import atexit
import gc
import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from grok.cli.common import Parser
from grok.inputs import InputError

USAGE = """\
usage: grok COMMAND ...

A laboratory for grokking research.

  grok train EXPERIMENT [--field=value ...]   train a run, or go on with it
  grok sweep run SWEEP [--field=value ...]    train every run of a sweep file, one per core
  grok sweep serve                            `wandb sweep` and `wandb agent` with no internet
  grok sweep check SWEEP ...                  faults of sweep files, number of runs, time
  grok diagram SWEEP [--against=fig6a]        phase diagram of a sweep over two fields
  grok correlate SWEEP [--at=500]             which readings say when a run generalises
  grok reproduce PAPER [--tier U,S]           train what a paper's claims need and judge them
  grok theory WHAT [--p P]                    what a theory predicts, with no network
  grok measure CHECKPOINT ...                 every measure on stored or published checkpoints
  grok convert CHECKPOINT -o FILE --to=LAYOUT a checkpoint in another layout
  grok report [RUN ...|SWEEP|PAPER] [--open]   curves, spectra and maps as one HTML file
  grok watch [RUN ...|SWEEP] [--open]         the same page, live, while runs go on
  grok figure PAPER FIGURE [-o FILE]          a published figure, drawn from stored runs
  grok dashboard push [--project=P]           the panels of all measures as a W&B workspace
  grok list [WHAT]                            experiments, sweeps, measures, claims, stored runs
  grok export RUN ... -o FILE                 readings as .csv or .parquet
  grok rm RUN ...                             remove stored runs
  grok COMMAND --help                         more about a command
  grok --version

Runs are stored in runs/, in $GROK_RUNS, or where --runs_dir says.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        0 done, 1 failed, 2 unusable input, 128 + signal when interrupted.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    try:
        return _dispatch(arguments)
    except KeyboardInterrupt as error:
        return 128 + getattr(error, "signal", 2)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone, as `grok list | head` does
        return 1
    except Exception as error:
        if debug:
            import traceback

            traceback.print_exc()
        return _complain(error, 2 if isinstance(error, InputError) else 1)


def _complain(error: BaseException, code: int) -> int:
    message = " ".join(str(error).split()) or type(error).__name__
    print(f"grok: {message}", file=sys.stderr)
    return code


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE, end="")
        return 0 if arguments else 2
    if arguments[0] in ("--version", "-V"):
        print(f"grok {version('grokking-lab')}")
        return 0
    command = COMMANDS.get(arguments[0])
    if command is None:
        raise InputError(f"no command {arguments[0]!r}; there are: {', '.join(COMMANDS)}")
    return command(arguments[1:])


def _list(arguments: list[str]) -> int:
    parser = Parser(prog="grok list", description="What there is, or what is stored.")
    kinds = ("experiments", "sweeps", "measures", "claims", "runs")
    parser.add_argument("what", nargs="?", choices=kinds, help="default: experiments and sweeps")
    parser.add_argument("paper", nargs="?", help="for claims: those of one paper")
    parser.add_argument("--runs_dir", "--runs-dir", type=Path, help="run store")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--markdown", action="store_true", help="the page docs/keys.md")
    options = parser.parse_args(arguments)
    if options.what == "claims":
        return _list_claims(options.paper, options.json)
    if options.paper is not None:
        raise InputError(f"{options.paper!r} is too much: only `grok list claims` takes a paper")

    from grok.report.terminal import inventory, keys_page, print_inventory

    if options.markdown:
        print(keys_page(), end="")
        return 0

    whats = [options.what] if options.what else ["experiments", "sweeps"]
    found = {what: inventory(what, options.runs_dir) for what in whats}
    if options.json:
        print(json.dumps(found[options.what] if options.what else found))
    else:
        print_inventory(found)
        if not options.what:
            print("`grok list measures` shows every log key, `grok list runs` what is stored.")
    return 0


def _list_claims(paper: str | None, as_json: bool) -> int:
    from grok.claims import PAPERS, claims_of
    from grok.report.claims import claim_row, print_claims

    claims = [claim for name in ([paper] if paper else PAPERS) for claim in claims_of(name)]
    if as_json:
        print(json.dumps([claim_row(claim) for claim in claims]))
    else:
        print_claims(claims)
    return 0


def _from(module: str, name: str) -> Callable[[list[str]], int]:
    """A command that imports its module when it is called."""

    def command(arguments: list[str]) -> int:
        return getattr(import_module(f"grok.cli.{module}"), name)(arguments)

    return command


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "train": _from("train", "train"),
    "sweep": _from("sweep", "sweep"),
    "diagram": _from("diagram", "diagram"),
    "correlate": _from("correlate", "correlate"),
    "reproduce": _from("reproduce", "reproduce"),
    "theory": _from("theory", "theory"),
    "measure": _from("measure", "measure"),
    "convert": _from("measure", "convert"),
    "report": _from("report", "report"),
    "watch": _from("watch", "watch"),
    "figure": _from("figure", "figure"),
    "dashboard": _from("dashboard", "dashboard"),
    "list": _list,
    "export": _from("store", "export"),
    "rm": _from("store", "remove"),
}


def entry() -> None:
    """The ``grok`` script."""
    atexit.register(gc.freeze)  # or the last collection of all that torch has made takes seconds
    sys.exit(main())
