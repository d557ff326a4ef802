"""``grok report``."""

import sys
from pathlib import Path
from typing import Any

from grok.cli.common import Parser
from grok.inputs import InputError
from grok.runs import default_runs_dir

USAGE = """\
usage: grok report [RUN ...|SWEEP|EXPERIMENT|PAPER] [-o FILE] [--open]

One HTML file that shows what was read: it holds all that it needs, opens from the disk and asks
nobody for anything. It trains nothing.

  RUN                a key, the beginning of one, or a folder; several are compared
  SWEEP, EXPERIMENT  as in `grok list`; a name that is both is the sweep if several of its runs are
                     stored. --field=value replaces an axis, or holds for every run
  PAPER              inductive-bias, progress-measures, effective-theory or norm-growth: its claims
                     and figures
  without any        all runs that are stored

  -o, --output=FILE  where to (default: report.html in the run's folder, else RUNS_DIR/reports/)
  --open             show it in the browser
  --diagram          a sweep over two fields as a phase diagram
  --against=NAME     with --diagram: beside a published one (fig6a, ...), a map.txt, cells.parquet
  --seeds=S,S,...    these seeds instead of those of the sweep file
  --runs_dir=DIR     run store (default: $GROK_RUNS, else runs/)
  --debug            show the traceback of an error
"""


def report(arguments: list[str]) -> int:
    """Write a page about runs.

    Returns:
        0.

    Raises:
        InputError: If there is nothing of that name, or the file cannot be written.
    """
    if {"-h", "--help"} & set(arguments):
        print(USAGE, end="")
        return 0
    options, flags = parse(arguments, "grok report")

    from grok.cli.pages import subject_of

    subject = subject_of(options.what, flags, options)
    print(f"grok: reading {subject.name}", file=sys.stderr)
    path = options.output or subject.file
    write_page(subject.build(), path)
    print(path)
    if options.open:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
    return 0


def write_page(page: Any, path: Path) -> None:
    """Write a page, whole.

    Raises:
        InputError: If it cannot be written; one line.
    """
    from grok.report.page.document import render
    from grok.runs import write_atomic

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, render(page).encode())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None


def parse(arguments: list[str], prog: str, **more: Any) -> tuple[Any, list[str]]:
    """Options of a page, and the flags that are fields.

    Args:
        arguments: As typed.
        prog: The command.
        more: Further options of it with their defaults, each of the default's type.
    """
    parser = Parser(prog=prog, add_help=False, allow_abbrev=False)
    parser.add_argument("what", nargs="*")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--open", action="store_true")
    parser.add_argument("--diagram", action="store_true")
    parser.add_argument("--against")
    parser.add_argument("--seeds")
    parser.add_argument("--runs_dir", "--runs-dir", type=Path)
    for name, default in more.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    options, flags = parser.parse_known_args(arguments)
    if wrong := [flag for flag in flags if not (flag.startswith("--") and "=" in flag)]:
        raise InputError(f"{wrong[0]} is not understood; see {prog} --help")
    if options.against and not options.diagram:
        raise InputError("--against needs --diagram")
    options.runs_dir = (options.runs_dir or default_runs_dir()).resolve()
    return options, flags
