"""What became of a run's parameter norms: fits to their growth by window, and where they peak.

Fits are functions of the readings of the families ``dynamics`` and ``task`` and have the resolution
of their schedules.
"""

from functools import lru_cache
from typing import Literal

import numpy as np
import polars as pl

from grok.config.rate import rate_factor
from grok.config.schema import OptimConfig
from grok.metrics.onset import onset
from grok.runs.readings import series_of
from grok.runs.run import Run

MILESTONES: dict[str, tuple[str, float]] = {
    "train_acc_99": ("acc/train", 0.99),
    "test_acc_50": ("acc/test", 0.5),
    "test_acc_99": ("acc/test", 0.99),
}
"""Accuracies at whose first reading the windows up to there end."""

_SUMS, _NORM = "norm/cum_delta_sq/", "norm/theta/"


def growth(run: Run) -> dict[str, float]:
    """Fits to the norm of each set of parameters whose updates were summed up.

    Returns:
        ``fit/<set>/<what>``, the names of :func:`~grok.theory.norm_fits.norm_fits`, over the whole
        run; ``fit/<set>/<what>/<window>`` up to each of :data:`MILESTONES` that was read and up to
        the ``peak``, the largest norm; its step ``fit/<set>/peak_step``, and ``peak_lag``, from
        there to test accuracy 0.99 where that was read. Empty without the family ``dynamics``. A
        window of less than three readings has no fit.

    Reference:
        Merrill et al. 2021, section 3. Under weight decay a norm rises and falls: only the window
        up to the peak is one of growth then.
    """
    table = run.readings()
    found: dict[str, float] = {}
    for name in norm_sets(table):
        steps, norms = series_of(table, _NORM + name)
        peak = int(steps[np.where(np.isfinite(norms), norms, 0).argmax()])
        ends = _milestones(table)
        found[f"fit/{name}/peak_step"] = float(peak)
        if "test_acc_99" in ends:
            found[f"fit/{name}/peak_lag"] = float(ends["test_acc_99"] - peak)
        for window, last in {"": None, "peak": peak, **ends}.items():
            suffix = f"/{window}" if window else ""
            fits = window_fits(run, name, last=last, table=table)
            found |= {f"fit/{name}/{what}{suffix}": x for what, x in fits.items()}
    return found


def norm_sets(table: pl.DataFrame) -> list[str]:
    """Sets of parameters whose norm and sums over all updates were read."""
    names = [key.removeprefix(_SUMS) for key in table.columns if key.startswith(_SUMS)]
    return [name for name in names if _NORM + name in table.columns]


def window_fits(
    run: Run,
    name: str,
    first: int = 0,
    last: int | None = None,
    table: pl.DataFrame | None = None,
) -> dict[str, float]:
    """Fits to the norm of one set between two steps, both included.

    Args:
        run: The run.
        name: The set.
        first: First step of the window; models of the dynamics start from the norm there.
        last: Last step; None for that of the last reading.
        table: Its readings, if they were read before.

    Returns:
        As :func:`~grok.theory.norm_fits.norm_fits`. Where the set's parameters have several
        learning rates, without models of the dynamics.

    Raises:
        ValueError: If norm and sums of this set were not read.
    """
    from grok.theory.norm_fits import norm_fits  # imports scipy, which a list of runs needs not

    table = run.readings() if table is None else table
    if name not in norm_sets(table):
        raise ValueError(f"{run.key} has no norm dynamics of {name}: see measures.dynamics.sets")
    both = table.select("step", _NORM + name, _SUMS + name).drop_nulls()
    both = both.filter(pl.col("step") >= first)
    if last is not None:
        both = both.filter(pl.col("step") <= last)
    steps, norms, squares = (both[column].to_numpy() for column in both.columns)
    rates = learning_rates(run, name, int(table["step"][-1]))
    return norm_fits(steps, norms, rates, None if rates is None else squares)


_GROUPS: dict[str, Literal["embed", "unembed"]] = {
    "embed": "embed",
    "pos": "embed",
    "unembed": "unembed",
}
"""Sets whose rate may be their own."""


def learning_rates(run: Run, name: str, n_steps: int) -> np.ndarray | None:
    """Rate of each of the first updates of a set's parameters; None if they have several."""
    config = run.config
    rate = config.lr_of(_GROUPS.get(name, "rest"))
    others = {config.lr_of("embed"), config.lr_of("unembed"), rate}
    if name in ("all", "bias") and len(others) > 1:
        return None
    return rate * _factors(config.optim, n_steps)


@lru_cache(maxsize=16)
def _factors(optim: OptimConfig, n_steps: int) -> np.ndarray:
    return np.array([rate_factor(optim, t) for t in range(n_steps)])


def _milestones(table: pl.DataFrame) -> dict[str, int]:
    """First step at which each accuracy was read; without those that never were."""
    found = {}
    for name, (key, accuracy) in MILESTONES.items():
        step = onset(*series_of(table, key), accuracy) if key in table.columns else None
        if step is not None:
            found[name] = step
    return found
