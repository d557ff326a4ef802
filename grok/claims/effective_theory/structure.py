"""ET-C5 and C6: what the embeddings' parallelograms say of accuracy, by size of training set."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from grok.claims.claim import Arm, Part, all_below, at_least, at_most, below, claim, shown
from grok.claims.effective_theory.arms import BUDGET, n_reached, script, t_rqi
from grok.claims.evidence import Evidence
from grok.claims.sample import Sample

if TYPE_CHECKING:
    from grok.measures.toy_split import SplitTheory

SIZES = (5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 54)
N_PAIRS = 55
THREE = (0, 1, 2)
"""Seeds of figures 3 and 4b."""


def _size(n: int, n_steps: int) -> Arm:
    # The script's batches are of 45: of more training pairs an update sees a part.
    batch = ("--toy.batch_size=45",) if n > 45 else ()
    return script(n_steps, f"--toy.n_train={n}", *batch)


def _cells(e: Evidence, sample_of: str, step: int) -> dict[str, float]:
    """A reading of every run, by size and seed."""
    return {
        f"{n}/{seed}": value
        for n in SIZES
        for seed, value in e[f"{n} pairs"].at(sample_of, step).values.items()
    }


def _theory(e: Evidence, n: int) -> "dict[str, SplitTheory]":
    """What each seed's training set allows for."""
    from grok.measures.toy_split import split_theory

    found = {seed: split_theory(run.config) for seed, run in e[f"{n} pairs"].runs.items()}
    return {seed: theory for seed, theory in found.items() if theory is not None}


@claim(
    id="ET-C5",
    tier="S",
    seeds=THREE,
    statement="The accuracy is the one that the parallelograms predict",
    source="figures 3 and 10; released code",
    published="mean difference 0.019, correlation 0.996",
    arms={f"{n} pairs": _size(n, 5000) for n in SIZES},
)
def prediction(e: Evidence) -> Iterator[Part]:
    """ET-C5; shares of all 55 pairs at step 5,000."""
    acc, predicted = _cells(e, "repr/acc", 5000), _cells(e, "repr/predicted_acc", 5000)
    x, y = np.array(list(acc.values())), np.array(list(predicted.values()))
    apart = Sample({name: abs(acc[name] - predicted[name]) for name in acc})
    yield at_most("mean |accuracy - predicted|", apart.mean, 0.04)
    yield at_least("Pearson correlation", float(np.corrcoef(x, y)[0, 1]), 0.98)
    share = {n: n / N_PAIRS for n in SIZES}
    short = {f"{n}/{s}": share[n] - acc[f"{n}/{s}"] for n in SIZES if n <= 45 for s in THREE}
    yield all_below("training share - accuracy, up to 45 pairs", Sample(short), 1 / N_PAIRS + 1e-9)
    excess = {
        f"{n}/{seed}": predicted[f"{n}/{seed}"] - theory.ideal_accuracy
        for n in SIZES
        if n >= 25
        for seed, theory in _theory(e, n).items()
    }
    yield all_below("predicted - ideal, from 25 pairs on", Sample(excess), 1 / N_PAIRS + 1e-9)


@claim(
    id="ET-C6",
    tier="S",
    seeds=THREE,
    statement="Structure forms where the training set determines it: a threshold in its size",
    source="figure 4; released code",
    published="never with nullity above 2, in 14 of 20 runs with nullity 2",
    arms={f"{n} pairs": _size(n, BUDGET) for n in SIZES},
)
def threshold(e: Evidence) -> Iterator[Part]:
    """ET-C6."""
    t = {n: t_rqi(e[f"{n} pairs"]) for n in SIZES}
    share = {n: n_reached(x) / len(x.values) for n, x in t.items()}
    for n in (n for n in SIZES if n <= 15):
        yield at_most(f"{n} pairs: share of seeds with RQI 0.95", share[n], 0)
    for n in (n for n in SIZES if n >= 45):
        yield at_least(f"{n} pairs: share of seeds with RQI 0.95", share[n], 0.9)
    between = np.array([share[n] for n in SIZES])
    yield below("largest distance of the shares to a rising curve", _isotonic_error(between), 0.15)
    free = {
        f"{n}/{seed}": float(math.isfinite(t[n].values[seed]))
        for n in SIZES
        for seed, theory in _theory(e, n).items()
        if theory.nullity > 2
    }
    yield at_most("runs with nullity above 2 that get there", sum(free.values()), 0)
    yield shown("runs with nullity above 2", len(free))
    yield below("median step, 45 less 30 pairs", _restricted(t[45]) - _restricted(t[30]), 0)


def _restricted(sample: Sample) -> float:
    """Median with failures counted as the budget; NaN stays."""
    return float(np.median(np.minimum(sample.array, BUDGET)))


def _isotonic_error(values: np.ndarray) -> float:
    """Largest distance to the nearest curve (in squares) that never falls."""
    from scipy.optimize import isotonic_regression

    return float(np.abs(isotonic_regression(values).x - values).max())
