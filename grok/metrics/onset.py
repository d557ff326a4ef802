"""Onset times: when a series of readings first crosses a threshold.

A series is the steps of the readings, ascending, and their values. Onsets have the resolution
of the schedule on which the readings were taken: the crossing lies between the step returned
and the reading before it. ``None`` is a censored onset, none up to the last step, and says
nothing about later ones; do not average it away.
"""

from typing import Literal

import numpy as np
from jaxtyping import Int, Real


def onset(
    step: Int[np.ndarray, " step"],
    value: Real[np.ndarray, " step"],
    threshold: float,
    direction: Literal["above", "below"] = "above",
) -> int | None:
    """First step whose reading has reached the threshold.

    Args:
        step: Steps of the readings, ascending.
        value: The readings. NaN reaches no threshold.
        threshold: Reached by equality too.
        direction: ``"above"`` asks for ``value >= threshold``, ``"below"`` for
            ``value <= threshold``.

    Returns:
        The step, or ``None`` if no reading reaches the threshold (censored at the last step).

    Raises:
        ValueError: If the steps do not ascend.
        KeyError: If the direction is neither of the two.
    """
    return sustained_onset(step, value, threshold, direction, n=1)


def sustained_onset(
    step: Int[np.ndarray, " step"],
    value: Real[np.ndarray, " step"],
    threshold: float,
    direction: Literal["above", "below"] = "above",
    *,
    n: int = 5,
) -> int | None:
    """First step from which n successive readings have all reached the threshold.

    A short excursion, as before a slingshot, does not count.

    Args:
        step: Steps of the readings, ascending.
        value: The readings. NaN reaches no threshold and breaks a sequence.
        threshold: Reached by equality too.
        direction: See :func:`onset`.
        n: Length of the sequence in readings, its first one included, at least 1.

    Returns:
        The step of the first of the n readings, or ``None`` if there is no such sequence. One
        that the end of the series cuts short does not count, so an onset within the last
        n - 1 readings is censored.

    Raises:
        ValueError: If the steps do not ascend, or ``n`` is below 1.
        KeyError: If the direction is neither of the two.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if (np.diff(step) <= 0).any():
        raise ValueError("the steps of the readings must ascend")
    reaches = {"above": np.greater_equal, "below": np.less_equal}[direction]
    # The n-reading window that starts at i holds as many hits as the two running counts differ.
    n_hits = np.concatenate([[0], np.cumsum(reaches(value, threshold))])
    starts = np.flatnonzero(n_hits[n:] - n_hits[:-n] == n)
    return int(step[starts[0]]) if starts.size else None
