"""What one run of a phase diagram has reached, from the run store."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl

from grok.config import RunConfig
from grok.metrics.learning_phases import reaches
from grok.runs import Run
from grok.runs.run import Series

RQI = 0.95
"""Representation quality above which a structure counts as formed (Liu et al. 2022, figure 4)."""
KEYS = ("acc/train", "acc/test", "repr/rqi")
"""What is looked at."""
SPLIT = {"nullity": pl.Int64, "ideal_test_accuracy": pl.Float64, "lambda_3": pl.Float64}
"""What the training pairs of a toy network say, and its type."""


def reached(run: Run, config: RunConfig, percent: int) -> dict[str, Any]:
    """What a stored run came to within the steps that are asked for.

    Args:
        run: The run; it need not be there.
        config: What is asked for; its ``n_steps`` is the budget.
        percent: Accuracy that counts as reached, 1 to 100.

    Returns:
        ``run`` to ``repr/rqi`` of the columns of :func:`~grok.sweep.diagram.cell_table`. A run of
        which a file cannot be read is ``damaged``, at step 0 and with nothing reached.
    """
    found: dict[str, Any] = {"run": run.key, "status": "new", "step": 0, "budget": config.n_steps}
    readings: dict[str, Series] = {}
    try:
        status, each = run.status(), run.all_series()
        for key in [key for key in KEYS if key in each]:
            steps, values = each[key]
            readings[key] = steps[steps <= config.n_steps], values[steps <= config.n_steps]
        found |= {"status": status["status"], "step": status["step"]}
    except ValueError:
        found["status"] = "damaged"
    for name, key, total in zip(("T_tr", "T_va"), KEYS, totals(config), strict=False):
        found[name] = _first(readings, key, lambda x, n=total: _are_right(x, n, percent))
    found["T_rqi"] = None
    if "repr/rqi" in readings:
        found["T_rqi"] = _first(readings, "repr/rqi", lambda x: x > RQI)
    return found | {key: _last(readings, key) for key in KEYS}


def totals(config: RunConfig) -> tuple[int, int] | tuple[None, None]:
    """Training and test examples, whose right answers can be counted; None where not known."""
    if config.problem == "toy":
        return config.toy.n_train, config.toy.n_pairs - config.toy.n_train
    return (config.data.n_train, config.data.n_test) if config.problem == "pairs" else (None, None)


def _are_right(accuracy: np.ndarray, total: int | None, percent: int) -> np.ndarray:
    """Whether accuracies are high enough, by counts where the number of examples is known.

    Elsewhere they are compared as they are: those of images and sequences are over questions,
    answers or occurrences.
    """
    if total is None:
        return accuracy >= percent / 100
    correct = np.rint(np.nan_to_num(accuracy) * total).astype(np.int64)
    return reaches(correct, total, percent)


def _first(
    readings: Mapping[str, Series], key: str, is_reached: Callable[[np.ndarray], np.ndarray]
) -> int:
    """First step at which a reading has reached something; -1 for none."""
    if key not in readings:
        return -1
    steps, values = readings[key]
    steps = steps[is_reached(values)]
    return int(steps[0]) if len(steps) else -1


def _last(readings: Mapping[str, Series], key: str) -> float | None:
    if key not in readings or not len(readings[key][1]):
        return None
    return float(readings[key][1][-1])


def data_columns(config: RunConfig) -> dict[str, float | int | None]:
    """What can be said of a cell from its data alone, by name of the column.

    Of a toy network :data:`SPLIT` of the training pairs that it has, as
    :class:`grok.measures.toy_split.SplitTheory` has them, null where the theory has nothing to
    say. Of everything else nothing.
    """
    if config.problem != "toy":
        return {}
    from grok.measures.toy_split import split_theory

    theory = split_theory(config)
    return {name: None if theory is None else getattr(theory, name) for name in SPLIT}
