"""A sweep file checked before anything is trained or a server sees it."""

import difflib
import math
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from grok.config import InputError, RunConfig
from grok.keys import KEYS, find_key
from grok.sweep.document import METHODS, SweepDocument
from grok.sweep.draw import ends
from grok.sweep.estimate import estimate_seconds
from grok.sweep.file import Sweep, distinct, read_sweep
from grok.sweep.local import default_workers
from grok.sweep.search import draw

N_DRAWS = 4
"""Runs of a random or bayes sweep that are drawn and parsed."""
_HYPERBAND = "early_terminate counts logged values of the metric, not steps"


class Checked(NamedTuple):
    """What a file without a fault would train."""

    name: str
    """``<folder>/<file>``."""
    method: str
    """``grid``, ``random`` or ``bayes``."""
    n_cells: int | None
    """Runs that are asked for, at most ``run_cap``; None of a search without end."""
    n_runs: int | None
    """Those that differ; of a search as many as are asked for."""
    seconds: float | None
    """Wall-clock seconds of what is not yet in the run store, roughly; None without end."""
    notes: list[str]
    """What to know beside that."""


def check_sweep(
    name: str, runs_dir: Path, workers: int | None = None, early_termination: bool = False
) -> Checked:
    """Check a sweep file: keys, command, values, metric, W&B's schema.

    Every value of a grid goes through a run's own parser, at the first values of the other axes;
    every cell through the checks of a run's fields against each other. Of a search the values
    listed and the bounds go through the parser, and four draws. The schema is that of W&B's
    package ``sweeps``, passed over where it is not installed (see :func:`has_schema`).

    Args:
        name: Sweep file: name, ``paper/name`` or path.
        runs_dir: Run store, for the estimated time.
        workers: Processes for the same; default as for :func:`~grok.sweep.estimate_seconds`.
        early_termination: Let ``early_terminate`` pass whatever the metric, which is refused
            otherwise because it ends the runs that generalise late.

    Raises:
        InputError: The first fault in one line: what is wrong and what to write instead.
    """
    sweep = read_sweep(name, METHODS, served=["early_terminate"])
    try:
        notes = _early_terminate(sweep.document, early_termination)
        check_metric(sweep.document)
    except InputError as error:
        raise InputError(f"{sweep.path}: {error}") from None
    checked = _grid if sweep.document.method == "grid" else _search
    found = checked(sweep, runs_dir, workers)
    if has_schema():
        _check_schema(sweep)
    return found._replace(notes=[*found.notes, *notes])


def check_metric(document: SweepDocument) -> None:
    """Refuse a metric that no run logs.

    Raises:
        InputError: Names the nearest keys.
    """
    if document.metric is None:
        return
    name = document.metric.name
    row = find_key(name)
    if row is None:
        known = [each.pattern for each in KEYS if each.family != "summary"]
        known += [*_SPLITS, *(each.alias for each in KEYS if each.alias)]
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"; near it: {', '.join(near)}" if near else ""
        raise InputError(f"metric.name={name}: no run logs it{hint}; `grok list keys` has them all")
    if row.family == "summary":
        raise InputError(f"metric.name={name}: is in a run's summary alone; name a reading")


_SPLITS = tuple(f"{kind}/{split}" for kind in ("loss", "acc") for split in ("train", "test"))


def has_schema() -> bool:
    """Whether W&B's schema can be checked: the package ``sweeps`` is installed."""
    return find_spec("sweeps") is not None


def _early_terminate(document: SweepDocument, is_allowed: bool) -> list[str]:
    """What to know of a file that ends runs early; refuses it where that takes late ones."""
    if "early_terminate" not in document.raw:
        return []
    if document.metric is None:
        raise InputError("early_terminate needs metric: {name: loss/train, goal: minimize}")
    if "test" in document.metric.name and not is_allowed:
        raise InputError(
            f"early_terminate on {document.metric.name} ends the runs that generalise late; leave "
            "it out, or give --allow-early-termination"
        )
    return [f"{_HYPERBAND}; only W&B acts on it, `grok sweep run` refuses the file"]


def _grid(sweep: Sweep, runs_dir: Path, workers: int | None) -> Checked:
    cells = sweep.cells()
    configs = [run.config for run in distinct(cells)]
    seconds = estimate_seconds(configs, runs_dir, workers)
    return Checked(sweep.name, "grid", len(cells), len(configs), seconds, [])


def _search(sweep: Sweep, runs_dir: Path, workers: int | None) -> Checked:
    """Of a random or bayes sweep."""
    document = sweep.document
    draws = [draw(document.parameters, 0, number) for number in range(N_DRAWS)]
    named = {name: each.values or ends(each.spec) for name, each in document.parameters.items()}
    first = draws[0] | {name: values[0] for name, values in named.items() if values}
    for name, values in named.items():
        for value in values:
            sweep.run_of(first | {name: value})
    configs = [sweep.run_of(values).config for values in draws]
    cap, notes = document.run_cap, []
    if cap is None:
        notes.append("without end at W&B; `grok sweep run` needs --count or run_cap in the file")
    n_runs = cap and cap * math.prod(len(each.values) for each in sweep.stacked.values())
    seconds = n_runs and n_runs * _seconds_each(configs, runs_dir, workers)
    return Checked(sweep.name, document.method, cap, n_runs, seconds, notes)


def _seconds_each(configs: Sequence[RunConfig], runs_dir: Path, workers: int | None) -> float:
    """Wall-clock seconds per run of many such runs."""
    alone = [estimate_seconds([config], runs_dir, workers=1) for config in configs]
    return sum(alone) / len(alone) / (workers or default_workers(configs))


def _check_schema(sweep: Sweep) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydantic, of the package's own classes
        from sweeps.config import schema_violations_from_proposed_config

        try:
            faults: list[Any] = schema_violations_from_proposed_config(sweep.document.raw)
        except ValueError as error:
            faults = [error]
    if faults:
        raise InputError(f"{sweep.path}: W&B would refuse this: {' '.join(str(faults[0]).split())}")
