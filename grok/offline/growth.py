"""Laws of growth and models of the dynamics, fitted to the norms of a series of checkpoints."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float64

from grok.config.rate import rate_factor
from grok.config.schema import OptimConfig
from grok.offline.curve import Curve
from grok.runs import plain
from grok.theory.growth import GrowthLaw, fit_growth_law
from grok.theory.norm_dynamics import ModelFit, compare_dynamics

MOST_UPDATES = 50_000_000
"""Most updates whose rates are made; beyond, no model of the dynamics is fitted."""


class SetGrowth(NamedTuple):
    """Growth of the norm of one set of parameters."""

    n_weights: int
    columns: Mapping[str, Float64[np.ndarray, " reading"]]
    """Of :meth:`grok.offline.curve.Curve.columns`."""
    law: GrowthLaw | None
    """None where no law can be fitted: under three checkpoints, or a norm of 0."""
    dynamics: Mapping[str, ModelFit]
    """Models of the dynamics under the rates that are said; empty where there is no law, or the
    last step is beyond :data:`MOST_UPDATES`."""


def growth_of(curve: Curve, optim: OptimConfig) -> dict[str, SetGrowth]:
    """Fits for every set.

    The steps of the model ``measured`` are those between checkpoints. Updates that are alike add up
    in them, so that its sums are larger than those over single updates.

    Args:
        curve: The series that was read.
        optim: Learning rate and its schedule.
    """
    steps, found = curve.steps, {}
    rates = rates_of(optim, int(steps[-1])) if steps[-1] <= MOST_UPDATES else None
    for name, n_weights in curve.n_weights.items():
        columns = curve.columns(name)
        norms, law, dynamics = columns["norm/theta"], None, {}
        if len(steps) >= 3 and (norms > 0).all():
            law = fit_growth_law(steps, norms)
            if rates is not None:
                dynamics = compare_dynamics(steps, norms, rates, columns["norm/cum_delta_sq"])
        found[name] = SetGrowth(n_weights, columns, law, dynamics)
    return found


def rates_of(optim: OptimConfig, n_updates: int) -> Float64[np.ndarray, " update"]:
    """Learning rate of each update."""
    if optim.schedule == "constant" and not optim.warmup:
        return np.full(n_updates, optim.lr, dtype=np.float64)
    return optim.lr * np.array([rate_factor(optim, t) for t in range(n_updates)], dtype=np.float64)


def as_dict(curve: Curve, growth: Mapping[str, SetGrowth]) -> dict[str, Any]:
    """The object that ``grok measure --series --json`` prints; what is not finite is null."""
    sets = {
        name: {
            "n_weights": found.n_weights,
            "readings": {key: values.tolist() for key, values in found.columns.items()},
            "law": None if found.law is None else _law(found.law),
            "dynamics": {model: fit._asdict() for model, fit in found.dynamics.items()},
        }
        for name, found in growth.items()
    }
    return plain(
        {
            "series": curve.series,
            "layout": curve.layout,
            "steps": curve.steps.tolist(),
            "revisions": [record.name for record in curve.records],
            "problems": [problem._asdict() for problem in curve.problems],
            "sets": sets,
        }
    )


def _law(law: GrowthLaw) -> dict[str, Any]:
    return {
        "affine": {name: fit._asdict() for name, fit in law.affine.items()},
        "power": law.power._asdict(),
        "log_slope": law.log_slope,
        "square": law.square._asdict(),
    }


def table_of(curve: Curve) -> pl.DataFrame:
    """A row per checkpoint: revision, step, and a column per log key, NaN where not known."""
    columns = {
        f"{key}/{name}": values
        for name in curve.n_weights
        for key, values in curve.columns(name).items()
    }
    names = [record.name for record in curve.records]
    return pl.DataFrame({"revision": names, "step": curve.steps, **columns})
