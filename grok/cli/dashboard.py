"""``grok dashboard push``."""

from pathlib import Path
from typing import Any

from grok.cli.common import Parser
from grok.config import TrackingConfig
from grok.config.experiments import experiments
from grok.inputs import InputError
from grok.runs import write_atomic

DESCRIPTION = """\
The project's panels as a workspace of a W&B project: charts over our own step, logarithmic, first
what every run has, then a section a measure family. Another push replaces the workspace of that
name, and what was changed in it in the browser. Without an API key or a server it is written to a
file, which the same command pushes later. Needs the extra `dashboard`: pip install
'grokking-lab[dashboard]'."""
DEFAULT_FILE = Path("wandb-workspace.json")


def dashboard(arguments: list[str]) -> int:
    """``grok dashboard push``: the panels as a W&B workspace.

    Returns:
        0 if it was pushed, or written as asked; 1 if W&B did not take it.

    Raises:
        InputError: If an option cannot be used, or the package is not installed.
        PushFailed: If W&B did not take it; says where it was written.
    """
    options = _options(arguments)
    from grok.tracking.dashboard import PushFailed, push, to_json

    made = _made(options)
    if options.output is not None:
        write_atomic(options.output, to_json(made).encode())
        print(f"{options.output}: `grok dashboard push {options.output}` sends it to W&B")
        return 0
    try:
        url, is_new = push(made)
    except PushFailed as error:
        where = options.file or DEFAULT_FILE
        if options.file is None:
            write_atomic(where, to_json(made).encode())
        line = f"{error}; it is in {where}: `grok dashboard push {where}` sends it"
        raise PushFailed(line) from error
    print(f"{'new' if is_new else 'replaced'}: {url}")
    return 0


def _options(arguments: list[str]) -> Any:
    parser = Parser(prog="grok dashboard push", description=DESCRIPTION)
    add = parser.add_argument
    add("file", nargs="?", type=Path, metavar="FILE", help="push this file instead of the list")
    add("--project", help=f"W&B project (default: {TrackingConfig().project}, or the file's)")
    add("--entity", help="W&B user or team (default: your own, or the file's)")
    add("--paper", help="the panels that a paper's figures show: inductive-bias, norm-growth, ...")
    add("--group", metavar="SWEEP", help="only runs of this sweep, or of another W&B group")
    add("--grouped", action="store_true", help="draw each W&B group as its mean and range")
    add("-o", "--output", type=Path, metavar="FILE", help="write it to a file and push nothing")
    if arguments[:1] not in (["push"], ["-h"], ["--help"]):
        raise InputError("grok dashboard push is all there is; see grok dashboard push --help")
    options = parser.parse_args(arguments[1:] if arguments[0] == "push" else arguments)
    lists = ("paper", "group", "grouped", "output")
    given = [f"--{name}" for name in lists if getattr(options, name)]
    if options.file is not None and given:
        raise InputError(f"{given[0]} is for the list of panels, not for the file {options.file}")
    if options.output is not None and not options.output.parent.is_dir():
        raise InputError(f"{options.output}: there is no folder {options.output.parent}")
    return options


def _made(options: Any) -> Any:
    """The workspace of the list, or the one in the file."""
    from grok.tracking.dashboard import from_json, workspace
    from grok.tracking.panels import sections

    where = {name: value for name in ("project", "entity") if (value := getattr(options, name))}
    if options.file is not None:
        made = from_json(_text(options.file))
        for name, value in where.items():
            setattr(made, name, value)
        return made
    shown = sections(options.paper)
    group = _group(options.group) if options.group else ""
    name = ["grok", *([shown[1].title] if options.paper else []), *([group] if group else [])]
    where = {"project": TrackingConfig().project} | where
    return workspace(shown, ", ".join(name), group=group, is_grouped=options.grouped, **where)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def _group(name: str) -> str:
    """The W&B group of a sweep's runs, which is its full name; another name is taken as it is."""
    titles = [f"{sweep.paper}/{sweep.name}" for sweep in experiments("sweeps")]
    found = [title for title in titles if name in (title, title.partition("/")[2])]
    if len(found) > 1:
        raise InputError(f"{name!r} is ambiguous; say {' or '.join(found)}")
    return found[0] if found else name
