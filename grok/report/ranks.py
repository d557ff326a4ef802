"""Rank correlation of many readings with one outcome, and what chance alone would show."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int
from scipy.stats import rankdata


class Ranks(NamedTuple):
    """How the order of runs by readings agrees with their order by an outcome."""

    rho: Float64[np.ndarray, " key"]
    """Spearman's coefficient over all runs, in [-1, 1]."""
    low: Float64[np.ndarray, " key"]
    """2.5 % quantile of the coefficient over runs drawn with replacement."""
    high: Float64[np.ndarray, " key"]
    """97.5 % quantile."""
    within: Float64[np.ndarray, " key"]
    """The coefficient of ranks inside groups, all groups together; NaN if none has two runs that
    differ in both."""
    chance: float
    """Largest absolute ``rho`` of all keys that 95 % of random orders of the outcome stay below."""
    chance_within: float
    """The same of ``within``, the outcome in random order inside each group."""


def ranks_with(
    readings: Float[np.ndarray, "key run"],
    outcome: Float[np.ndarray, " run"],
    groups: Sequence[object],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Ranks:
    """Rank correlation of each reading with the outcome, over all runs and inside groups.

    A reading may order the groups, as placements of a LayerNorm, and tell nothing about the seeds
    of one: ``within`` tells the two apart. With many keys some correlation is always large, so what
    the largest one must exceed is found by permutation.

    Args:
        readings: One row per key, finite.
        outcome: What is to be predicted; infinity for runs in which it never came, which rank
            last and equal.
        groups: Which runs belong together, one label per run.
        draws: Resamples and permutations.
        seed: Of their generator, so that a table is the same each time.

    Returns:
        NaN where a reading or the outcome is the same in all runs.

    Raises:
        ValueError: If there are fewer than three runs.
    """
    n_runs = len(outcome)
    if n_runs < 3:
        raise ValueError(f"rank correlation of {n_runs} runs: 3 or more are needed")
    generator = np.random.default_rng(seed)
    x, y = _unit(rankdata(readings, axis=1)), _unit(rankdata(outcome))
    members = [np.flatnonzero([g == label for g in groups]) for label in dict.fromkeys(groups)]
    x_in = _unit(_inside(readings, members))
    y_in = _inside(outcome[None], members)[0]
    picks = generator.integers(n_runs, size=(draws, n_runs))
    low, high = _bootstrap(readings, outcome, picks)
    anywhere = np.stack([generator.permutation(n_runs) for _ in range(draws)])
    inside = np.stack([_permuted(members, n_runs, generator) for _ in range(draws)])
    return Ranks(
        rho=x @ y,
        low=low,
        high=high,
        within=x_in @ _unit(y_in),
        chance=_largest(x, y[anywhere]),
        chance_within=_largest(x_in, _unit(y_in)[inside]),
    )


def _unit(x: np.ndarray) -> np.ndarray:
    """Centred and of length 1 along the last axis; NaN where nothing differs."""
    centred = x - x.mean(axis=-1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=-1, keepdims=True))
    return np.divide(centred, length, out=np.full_like(centred, np.nan), where=length > 1e-9)


def _inside(x: np.ndarray, members: Sequence[Int[np.ndarray, " member"]]) -> np.ndarray:
    """Ranks of each group among themselves, around 0."""
    ranks = np.zeros(x.shape)
    for group in members:
        ranks[:, group] = rankdata(x[:, group], axis=1) - (len(group) + 1) / 2
    return ranks


def _permuted(
    members: Sequence[np.ndarray], n_runs: int, generator: np.random.Generator
) -> np.ndarray:
    order = np.arange(n_runs)
    for group in members:
        order[group] = generator.permutation(group)
    return order


def _bootstrap(
    readings: np.ndarray, outcome: np.ndarray, picks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles of each key's coefficient; draws in which nothing differs do not count."""
    y = _unit(rankdata(outcome[picks], axis=1))
    bounds = np.full((2, len(readings)), np.nan)
    for at, row in enumerate(readings):
        rho = (_unit(rankdata(row[picks], axis=1)) * y).sum(axis=1)
        if np.isfinite(rho).any():
            bounds[:, at] = np.nanquantile(rho, (0.025, 0.975))
    return bounds[0], bounds[1]


def _largest(x: np.ndarray, permuted: np.ndarray) -> float:
    """95 % quantile of the largest absolute coefficient of a permutation."""
    known = x[np.isfinite(x).all(axis=1)]
    if not len(known) or not np.isfinite(permuted).all():
        return float("nan")
    return float(np.quantile(np.abs(permuted @ known.T).max(axis=1), 0.95))
