"""Slingshots: a loss that was low rises far above and falls back, late in training.

A series is the steps of the readings, ascending, and their values. Spikes between two readings
are not seen, so counts of runs are comparable only on the same schedule.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Real


class Slingshots(NamedTuple):
    """Excursions of a loss after it was first low."""

    number: int
    """How many, one that is unfinished at the last reading included."""
    starts: tuple[int, ...]
    """Step of the first reading of each excursion above the high threshold."""
    share_above: float | None
    """Share of the readings after the loss was first low that are above the high threshold."""
    longest_quiet: int | None
    """Longest interval without an excursion, in steps: from the reading at which the loss was
    first low, or back, to the start of the next excursion or the last reading."""


def slingshots(
    step: Int[np.ndarray, " step"],
    value: Real[np.ndarray, " step"],
    low: float = 0.1,
    high: float = 0.5,
) -> Slingshots:
    """Excursions above ``high`` after the loss has first reached ``low``.

    An excursion starts at a reading above ``high`` and ends at the next one at ``low`` or below.
    Several peaks without a return to ``low`` between them are one.

    Args:
        step: Steps of the readings, ascending.
        value: The loss. NaN readings count as not taken; infinity is above ``high``.
        low: Reached by equality too.
        high: Not below ``low``; exceeded, not by equality.

    Returns:
        The excursions. If the loss never reaches ``low`` there are none, and share and interval
        are None. If it does so at the last reading the share is None and the interval 0. An
        excursion that has not ended by the last reading is counted, and is not quiet.

    Raises:
        ValueError: If the steps do not ascend, or ``high`` is below ``low``.

    Reference:
        Thilak et al., `The Slingshot Mechanism <https://arxiv.org/abs/2206.04817>`_, named the
        phenomenon in norms and losses. The thresholds and the share are those of the runs of Singh
        et al., `Explaining Grokking in Transformers through the Lens of Inductive Bias
        <https://arxiv.org/abs/2602.06702>`_, there of the largest of five seeds after the mean
        loss was low, here of one run.
    """
    if high < low:
        raise ValueError(f"high={high} is below low={low}")
    if (np.diff(step) <= 0).any():
        raise ValueError("the steps of the readings must ascend")
    is_taken = ~np.isnan(value)
    step, value = step[is_taken], value[is_taken]
    is_low = value <= low
    if not is_low.any():
        return Slingshots(0, (), None, None)
    first = int(is_low.argmax())
    later = value[first + 1 :]
    starts, quiet = _excursions(step[first:], value[first:], low, high)
    share = float((later > high).mean()) if later.size else None
    return Slingshots(len(starts), tuple(starts), share, max(quiet))


def _excursions(
    step: Int[np.ndarray, " step"], value: Real[np.ndarray, " step"], low: float, high: float
) -> tuple[list[int], list[int]]:
    """Starts of the excursions and lengths of the quiet intervals, from a first low reading."""
    starts, quiet, quiet_since = [], [], int(step[0])
    is_out = False
    for at, loss in zip(step.tolist(), value.tolist(), strict=True):
        if not is_out and loss > high:
            is_out = True
            starts.append(at)
            quiet.append(at - quiet_since)
        elif is_out and loss <= low:
            is_out = False
            quiet_since = at
    if not is_out:
        quiet.append(int(step[-1]) - quiet_since)
    return starts, quiet
