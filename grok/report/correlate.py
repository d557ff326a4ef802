"""Which readings at one step tell when something happens later: a table over stored runs."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from grok.config.schema import with_seed
from grok.keys import find_key
from grok.report.ranks import ranks_with
from grok.runs import Run
from grok.runs.run import Series
from grok.runs.summary import onsets_of

_ARBITRARY = ("<head>", "<k>", "<i>", "<irrep>", "<frequency>")
"""Parts of a key that number what has no order or no counterpart in another run."""


class Predictors(NamedTuple):
    """A table of rank correlations."""

    table: pl.DataFrame
    """``key``, ``family``, ``rho``, ``low``, ``high``, ``within``; the strongest first."""
    n_runs: int
    """Runs compared."""
    n_censored: int
    """Those of them in which it never happened."""
    n_before: int
    """Those in which it had happened by the step of the readings."""
    chance: float
    """What the largest absolute ``rho`` stays below in 95 % of random orders of the runs."""
    chance_within: float
    """The same of ``within``."""


def predictors(
    runs: Sequence[Run],
    at: int,
    event: str,
    wanted: Callable[[str], bool] = lambda key: True,
    readings: Sequence[Mapping[str, Series]] | None = None,
) -> Predictors:
    """Rank correlation of each reading at a step with the onset of an event.

    A run in which it never happened, a diverged one too, counts as later than every other. Runs
    that differ only by their seeds are a group (``within``). A key is used if it was read in every
    run at that step, is finite and not everywhere the same; keys of single heads and frequencies
    are not used.

    Args:
        runs: Finished runs.
        at: The step.
        event: A name of :func:`grok.runs.onsets`, such as ``test_acc_99``.
        wanted: Which keys to use.
        readings: All series of each run, where they are at hand; else they are read.

    Raises:
        ValueError: If there are under three runs, no onset of that name, no key that can be used,
            or a run ended before the onset of another, so that their order is not known.
    """
    series = [run.all_series() for run in runs] if readings is None else readings
    found = [_onset(each, event) for each in series]
    outcome = np.array([math.inf if step is None else float(step) for step in found])
    _check_order(runs, outcome)
    values = _common_readings(series, at, wanted)
    if not values:
        raise ValueError(f"nothing was read at step {at} in all {len(runs)} runs, or all the same")
    ranks = ranks_with(
        np.array(list(values.values())), outcome, [with_seed(run.config, 0) for run in runs]
    )
    table = pl.DataFrame(
        {
            "key": list(values),
            "family": [_family(key) for key in values],
            **{name: getattr(ranks, name) for name in ("rho", "low", "high", "within")},
        }
    ).sort(pl.col("rho").abs(), descending=True, nulls_last=True)
    return Predictors(
        table,
        len(runs),
        n_censored=int(np.isinf(outcome).sum()),
        n_before=int((outcome <= at).sum()),
        chance=ranks.chance,
        chance_within=ranks.chance_within,
    )


def _onset(readings: Mapping[str, Series], event: str) -> int | None:
    found = onsets_of(readings)
    if event not in found:
        raise ValueError(f"no onset {event!r}; there are: {', '.join(found)}")
    return found[event]


def _check_order(runs: Sequence[Run], outcome: np.ndarray) -> None:
    """Refuse a run without the onset that was not followed as far as the others' onsets."""
    latest = max((x for x in outcome if math.isfinite(x)), default=0.0)
    for run, onset in zip(runs, outcome, strict=True):
        status, step = run.status()["status"], run.status()["step"]
        if math.isinf(onset) and step < latest and status != "diverged":
            raise ValueError(
                f"run {run.key} ended at step {step:,} without the onset, which another has at "
                f"{latest:,.0f}: train it as far"
            )


def _common_readings(
    series: Sequence[Mapping[str, Series]], at: int, wanted: Callable[[str], bool]
) -> dict[str, list[float]]:
    """Values by key of what every run has, with differences."""
    rows = [_at(readings, at) for readings in series]
    keys = [key for key in rows[0] if all(key in row for row in rows[1:])] if rows else []
    found = {key: [row[key] for row in rows] for key in keys if _is_usable(key) and wanted(key)}
    return {
        key: values
        for key, values in found.items()
        if all(map(math.isfinite, values)) and len(set(values)) > 1
    }


def _at(readings: Mapping[str, Series], at: int) -> Mapping[str, float]:
    """What was read at a step."""
    found = {key: values[steps == at] for key, (steps, values) in readings.items()}
    return {key: float(values[0]) for key, values in found.items() if values.size}


def _is_usable(key: str) -> bool:
    row = find_key(key)
    return row is None or not any(part in row.pattern for part in _ARBITRARY)


def _family(key: str) -> str:
    row = find_key(key)
    return "" if row is None else row.family
