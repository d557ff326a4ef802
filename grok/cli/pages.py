"""What a page is about, from the words of a command: runs, a sweep, an experiment, a paper."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grok.cli.common import with_seeds
from grok.config import parse_run, run_key
from grok.config.experiments import named
from grok.inputs import InputError
from grok.runs import Run, RunStore, open_run
from grok.tracking.panels import PAPERS

if TYPE_CHECKING:
    from grok.report.page.document import Page


@dataclass(frozen=True)
class Subject:
    """What a page is about."""

    name: str
    """Of its file: letters, digits, ``-`` and ``_``."""
    file: Path
    """Where the page goes if nothing else is said."""
    build: "Callable[[], Page]"
    """Reads the run store and makes the page."""
    folders: Callable[[], list[Path]]
    """Folders of the runs that it shows now; of those not stored too."""


def subject_of(
    words: Sequence[str], flags: Sequence[str], options: Any, *, may_be_absent: bool = False
) -> Subject:
    """What the words stand for.

    One word is a paper, a stored run (key, its beginning, or folder), a sweep or an experiment, in
    this order; a name that is both of the last two is the sweep if several of its runs are stored.
    Several words are runs. No word stands for all that is stored.

    Args:
        words: As typed.
        flags: ``--field=value`` for a sweep or an experiment.
        options: ``runs_dir``, ``seeds``, ``diagram`` and ``against``.
        may_be_absent: Whether the run of an experiment need not have begun.

    Raises:
        InputError: If there is nothing of that name; one line.
    """
    store = RunStore(options.runs_dir)
    if not words:
        return _of_runs("all runs", lambda: store.runs(), options.runs_dir)
    if len(words) > 1:
        runs = [_run(word, store) for word in words]
        return _of_runs(f"{len(runs)} runs", lambda: runs, options.runs_dir)
    (word,) = words
    if word.replace("_", "-") in PAPERS:
        return _of_paper(word.replace("_", "-"), options)
    is_key = any(run.key.startswith(word) for run in store.runs())
    if (Path(word) / "config.yaml").is_file() or is_key:
        return _of_run(_run(word, store))
    return _of_name(word, flags, options, may_be_absent)


def _run(word: str, store: RunStore) -> Run:
    """A run by its key, the beginning of it, or its folder."""
    return open_run(word) if (Path(word) / "config.yaml").is_file() else store.find(word)


def _of_run(run: Run) -> Subject:
    def build() -> "Page":
        from grok.report.page.run_page import run_page

        return run_page(run)

    return Subject(run.key, run.dir / "report.html", build, lambda: [run.dir])


def _of_runs(title: str, runs: Callable[[], list[Run]], runs_dir: Path) -> Subject:
    def build() -> "Page":
        from grok.report.page.sweep_page import sweep_page

        return sweep_page(title, [(None, run) for run in runs()])

    name = title.replace(" ", "_")
    return Subject(name, _file(runs_dir, name), build, lambda: [run.dir for run in runs()])


def _of_name(word: str, flags: Sequence[str], options: Any, may_be_absent: bool) -> Subject:
    """Of a sweep or an experiment."""
    is_file = Path(word).suffix in (".yaml", ".yml")
    kinds = [kind for kind in ("sweeps", "configs") if named(word, kind)]
    if not kinds and not is_file:
        raise InputError(
            f"no run, sweep, experiment or paper {word!r}; `grok list runs`, `grok list sweeps` "
            "and `grok list experiments` show them"
        )
    if "sweeps" in kinds or is_file:
        found = _of_sweep(word, flags, options)
        is_stored = sum(folder.is_dir() for folder in found.folders()) > 1
        if is_stored or "configs" not in kinds:
            return found
    run = Run(options.runs_dir / run_key(parse_run(word, flags)))
    if not run.dir.is_dir() and not may_be_absent:
        raise InputError(f"{word} is not stored in {options.runs_dir}; grok train {word}")
    return _of_run(run)


def _of_sweep(word: str, flags: Sequence[str], options: Any) -> Subject:
    from grok.sweep import read_sweep

    sweep = read_sweep(word)
    if options.diagram:
        from grok.cli.diagram_page import diagram_subject

        return diagram_subject(sweep, flags, options)
    cells = sweep.runs(with_seeds(flags, options.seeds))
    runs = [(cell.values, Run(options.runs_dir / run_key(cell.config))) for cell in cells]

    def build() -> "Page":
        from grok.report.page.sweep_page import sweep_page

        return sweep_page(sweep.name, runs)

    name = sweep.name.replace("/", "_")
    return Subject(name, _file(options.runs_dir, name), build, lambda: [run.dir for _, run in runs])


def _of_paper(paper: str, options: Any) -> Subject:
    from grok.cli.paper_page import paper_subject

    return paper_subject(paper, options)


def _file(runs_dir: Path, name: str) -> Path:
    return runs_dir / "reports" / f"{name}.html"
