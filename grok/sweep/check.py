"""A sweep file checked before anything is trained or a server sees it."""

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from grok.config import InputError, find_experiment
from grok.sweep.estimate import estimate_seconds
from grok.sweep.file import read_document, read_sweep

_SERVED = ("early_terminate", "run_cap")


class Checked(NamedTuple):
    """What a file without a fault would train."""

    name: str
    """``<folder>/<file>``."""
    n_runs: int
    """Distinct runs, at most ``run_cap`` where the file has one."""
    seconds: float
    """Wall-clock seconds of what is not yet in the run store, roughly."""


def check_sweep(
    name: str, runs_dir: Path, workers: int | None = None, early_termination: bool = False
) -> Checked:
    """Check a sweep file: keys, command, every value as a run's parser reads it, W&B's schema.

    The schema is that of W&B's package ``sweeps``, passed over where it is not installed (see
    :func:`has_schema`). Grids only: a file with another method is refused.

    Args:
        name: Sweep file: name, ``paper/name`` or path.
        runs_dir: Run store, for the estimated time.
        workers: Processes for the same; default as for :func:`~grok.sweep.estimate_seconds`.
        early_termination: Let ``early_terminate`` pass, which is refused otherwise because it
            ends the runs that generalise late.

    Raises:
        InputError: The first fault in one line: what is wrong and what to write instead.
    """
    path = find_experiment(name, "sweeps").path
    document = read_document(path)
    if "early_terminate" in document and not early_termination:
        raise InputError(
            f"{path}: early_terminate ends the runs that generalise late; leave it out, or give "
            "--allow-early-termination"
        )
    cap = document.get("run_cap")
    if cap is not None and (type(cap) is not int or cap < 1):
        raise InputError(f"{path}: run_cap={cap}: write a whole number, 1 or more")
    sweep = read_sweep(name, served=_SERVED)
    configs = [run.config for run in sweep.runs()][:cap]
    if has_schema():
        _check_schema(path, document)
    return Checked(sweep.name, len(configs), estimate_seconds(configs, runs_dir, workers))


def has_schema() -> bool:
    """Whether W&B's schema can be checked: the package ``sweeps`` is installed."""
    return find_spec("sweeps") is not None


def _check_schema(path: Path, document: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydantic, of the package's own classes
        from sweeps.config import schema_violations_from_proposed_config

        try:
            faults = schema_violations_from_proposed_config(document)
        except ValueError as error:
            faults = [str(error)]
    if faults:
        raise InputError(f"{path}: W&B would refuse this: {' '.join(faults[0].split())}")
