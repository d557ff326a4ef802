"""Fewer points with the same look: what a screen of two thousand columns can show."""

import numpy as np
from jaxtyping import Float64, Int64

MOST_POINTS = 2000
"""Of a line on a page."""


def thin(
    steps: Int64[np.ndarray, " reading"],
    values: Float64[np.ndarray, " reading"],
    n_points: int = MOST_POINTS,
    *,
    is_log: bool = True,
) -> tuple[Int64[np.ndarray, " point"], Float64[np.ndarray, " point"]]:
    """The first and last point of a line, and the least and the largest of each piece of its axis.

    Args:
        steps: Ascending, 0 or more.
        values: NaN where something was read that is no number; such a gap is kept.
        n_points: At most so many are left, 4 or more; a line with as many is left alone.
        is_log: Whether pieces are equally long on a logarithmic axis, or on a linear one.

    Returns:
        Points of the line, in their order. Its least and largest value are among them.
    """
    if len(steps) <= n_points:
        return steps, values
    at = np.log1p(steps) if is_log else steps.astype(np.float64)
    n_pieces = (n_points - 2) // 2
    piece = np.minimum((at - at[0]) / (at[-1] - at[0]) * n_pieces, n_pieces - 1).astype(np.int64)
    least = _extremes(np.where(np.isnan(values), np.inf, values), piece, np.minimum)
    most = _extremes(np.where(np.isnan(values), -np.inf, values), piece, np.maximum)
    index = np.unique(np.concatenate([[0], least, most, [len(steps) - 1]]))
    return steps[index], values[index]


def _extremes(
    values: Float64[np.ndarray, " reading"], piece: Int64[np.ndarray, " reading"], which: np.ufunc
) -> Int64[np.ndarray, " piece"]:
    """Where the first extreme of each piece is, of pieces that have points; they ascend."""
    starts = np.flatnonzero(np.diff(piece, prepend=-1))
    extremes = np.repeat(which.reduceat(values, starts), np.diff([*starts, len(values)]))
    found = np.flatnonzero(values == extremes)
    return found[np.unique(piece[found], return_index=True)[1]]
