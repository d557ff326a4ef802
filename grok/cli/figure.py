"""``grok figure``."""

import sys
from pathlib import Path
from typing import Any

from grok.cli.common import Parser, parse_seeds
from grok.inputs import InputError
from grok.report.palette import FORMATS
from grok.runs import default_runs_dir

USAGE = """\
usage: grok figure PAPER FIGURE [...]

A figure of a paper, drawn from the runs that are stored, with the published values drawn in. It
trains nothing: what is missing is listed with the command that makes it.

PAPER is inductive-bias, norm-growth, effective-theory or progress-measures. FIGURE is a number
such as 5 or 6a, or `all`; without it the figures of the paper are listed.

  -o, --output=FILE  where to (default: PAPER_figFIGURE.png here); .png, .svg or .pdf. With `all` a
                     folder, which gets all three of each
  --seeds=S,S,...    these seeds instead of those of the sweep files
  --smooth=N         moving mean over N readings, as the authors draw (default: 1, what was read)
  --runs_dir=DIR     run store (default: $GROK_RUNS, else runs/)
  --debug            show the traceback of an error

Exit code 0: all is drawn; 1: the figure lacks something, or all of it.
"""


def figure(arguments: list[str]) -> int:
    """Draw a figure of a paper.

    Returns:
        0 if everything is there, 1 if something is missing.

    Raises:
        InputError: If there is no such paper or figure, or the file cannot be written.
    """
    if not arguments or {"-h", "--help"} & set(arguments):
        print(USAGE, end="")
        return 0 if arguments else 2
    options = _options(arguments)
    from grok.report.figures import figures_of

    figures = figures_of(options.paper)
    if options.figure is None:
        for name, each in figures.items():
            print(f"{name:<6}{each.title}")
        return 0
    wanted = list(figures) if options.figure == "all" else [options.figure.lower()]
    if wanted[0] not in figures:
        names = ", ".join(figures)
        raise InputError(f"{options.paper} has no figure {options.figure!r}; there are: {names}")
    lacks = [_draw(figures[name], options) for name in wanted]
    return 1 if any(lacks) else 0


def _options(arguments: list[str]) -> Any:
    parser = Parser(prog="grok figure", add_help=False, allow_abbrev=False)
    parser.add_argument("paper")
    parser.add_argument("figure", nargs="?")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--seeds", default="")
    parser.add_argument("--smooth", type=int, default=1)
    parser.add_argument("--runs_dir", "--runs-dir", type=Path)
    options = parser.parse_args(arguments)
    options.paper = options.paper.replace("_", "-")
    if options.smooth < 1:
        raise InputError(f"smooth={options.smooth} must be 1 or more")
    options.seeds = tuple(parse_seeds(options.seeds))
    options.runs_dir = (options.runs_dir or default_runs_dir()).resolve()
    return options


def _draw(figure: Any, options: Any) -> bool:
    """Write one figure and say what it lacks; whether it lacks something."""
    from grok.report.figures.base import Source
    from grok.report.figures.draw import draw_figure
    from grok.runs import write_atomic

    source = Source(options.runs_dir, options.seeds, options.smooth)
    paths = _paths(figure.name, options)
    try:
        for ending, content in draw_figure(figure, source, list(paths)).items():
            write_atomic(paths[ending], content)
            print(paths[ending])
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}") from None
    for what, command in dict.fromkeys(source.missing):
        print(f"grok: figure {figure.name} lacks {what}; {command}", file=sys.stderr)
    return bool(source.missing)


def _paths(name: str, options: Any) -> dict[str, Path]:
    """Where the files of a figure go, by ending."""
    stem = f"{options.paper.replace('-', '_')}_fig{name}"
    if options.figure == "all":
        folder = options.output or Path()
        folder.mkdir(parents=True, exist_ok=True)
        return {ending: folder / f"{stem}{ending}" for ending in FORMATS}
    path = options.output or Path(f"{stem}.png")
    if path.suffix not in FORMATS:
        raise InputError(f"output={path}: allowed endings are {', '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise InputError(f"output={path}: {path.parent} is not a directory")
    return {path.suffix: path}
