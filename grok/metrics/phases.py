"""The three phases of grokking by progress measures: memorization, circuit formation, cleanup.

A series is the steps of the readings, ascending, and their values. Boundaries have the resolution
of the schedules on which the readings were taken.
"""

import math
from typing import NamedTuple

import numpy as np

from grok.metrics.onset import onset

Series = tuple[np.ndarray, np.ndarray]
"""Steps, and the value read at each; NaN counts as not read."""


class Phases(NamedTuple):
    """Last steps of the phases; None where a phase does not end within the readings."""

    t_mem: int | None
    """End of memorization: the excluded training loss is at its minimum."""
    t_form: int | None
    """End of circuit formation: the test loss falls below that of guessing."""
    t_clean: int | None
    """End of cleanup: the squared norm of the weights is within 5 % of its last value."""


def phases(excluded_train: Series, test_loss: Series, squared_norm: Series, p: int) -> Phases:
    """Phase boundaries of one run.

    The test loss starts near ln p and first rises, so only what comes after its maximum counts as
    falling below ln p. A run that never generalises has ``t_mem`` alone.

    Args:
        excluded_train: Excluded loss on the training pairs, for one key set over the whole run.
        test_loss: Loss on the test pairs.
        squared_norm: Sum of the squares of all parameters.
        p: Number of classes; ln p is the loss of guessing.

    Returns:
        The boundaries. ``t_clean`` is relative to the last reading: of a run that was stopped
        within cleanup it comes too early. For smooth boundaries despite spikes of a float32 loss,
        take medians of three readings before (:func:`median_of_three`).

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, section 5.2, where boundaries are placed by eye:
        1,400, 9,400 and 14,000 in the main run; these rules give 1,300, 9,400 and 13,800 on the
        published curves.
    """
    step, value = _read(test_loss)
    t_form = None
    if step.size:
        rising = int(value.argmax())
        after, low = step[rising:], value[rising:]
        below = np.flatnonzero(low < math.log(p))
        t_form = int(after[below[0]]) if below.size else None
    t_mem = _lowest(excluded_train, before=math.inf if t_form is None else t_form)
    return Phases(t_mem, t_form, None if t_form is None else _settled(squared_norm, t_form))


def _lowest(series: Series, before: float | int) -> int | None:
    """Step of the smallest value read before a step."""
    step, value = _read(series)
    value = value[step < before]
    return int(step[value.argmin()]) if value.size else None


def _settled(series: Series, start: int) -> int | None:
    """First step after ``start`` from which on the value is near its last one."""
    step, value = _read(series)
    if not step.size:
        return None
    return onset(step[step > start], value[step > start], 1.05 * value[-1], "below")


def _read(series: Series) -> Series:
    step, value = series
    return step[~np.isnan(value)], value[~np.isnan(value)]


def median_of_three(series: Series) -> Series:
    """Each value replaced by the median of itself and its neighbours; the ends stay.

    Args:
        series: Steps and values.

    Returns:
        The same steps. A spike of a single reading is gone, a step stays where it was.
    """
    step, value = series
    smooth = value.copy()
    if value.size > 2:
        smooth[1:-1] = np.median(np.stack([value[:-2], value[1:-1], value[2:]]), axis=0)
    return step, smooth
