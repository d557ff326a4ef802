"""One quantity over seeds: median, range, paired differences, censored onset times.

An onset time that was not reached by the end of its run is *censored*: all that is known is
that it exceeds the horizon. It is kept as infinity beside the horizon, so that order statistics
stay true and nothing is averaged that was never measured.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Number = int | float


@dataclass(frozen=True)
class Sample:
    """Values of one quantity by seed (or by case, where no seed is drawn).

    Infinity stands for an onset beyond ``horizon``; without a horizon every value is finite
    or a true infinity.
    """

    values: Mapping[str, Number]
    """Value of each seed."""
    horizon: float = math.inf
    """Last step that was looked at, for onset times."""

    @property
    def array(self) -> np.ndarray:
        """The values, in the order of the seeds."""
        return np.array(list(self.values.values()), dtype=float)

    @property
    def n_censored(self) -> int:
        """How many onsets were not reached."""
        return 0 if math.isinf(self.horizon) else int(np.isinf(self.array).sum())

    @property
    def median(self) -> float:
        """Median; infinity when half of the onsets or more were not reached, NaN if one is.

        With an even number of seeds the mean of the middle two, infinite if one of them is.
        """
        return float(np.median(self.array))

    @property
    def min(self) -> float:
        """Smallest value."""
        return float(self.array.min())

    @property
    def max(self) -> float:
        """Largest value; infinity if an onset was not reached."""
        return float(self.array.max())

    @property
    def mean(self) -> float:
        """Mean; of onset times the restricted mean, that of min(onset, horizon).

        The restricted mean is the area under the survival curve up to the horizon: the only
        mean that censored times have, and a lower bound of the mean onset.

        Reference:
            Royston and Parmar, `Restricted mean survival time`, BMC Med. Res. Methodol. 2013.
        """
        return float(np.minimum(self.array, self.horizon).mean())

    def map(self, function: Callable[[float], float]) -> "Sample":
        """The function of each value."""
        return Sample({seed: function(value) for seed, value in self.values.items()})

    def paired(self, other: "Sample") -> "Sample":
        """Difference self - other of each seed, NaN where both are censored.

        Raises:
            ValueError: If the seeds are not the same.
        """
        if set(self.values) != set(other.values):
            raise ValueError(f"unpaired seeds: {sorted(self.values)} and {sorted(other.values)}")
        return Sample({seed: value - other.values[seed] for seed, value in self.values.items()})

    def text(self) -> str:
        """Median and range as they are shown, ``1,850 [1,825, 2,000]``, or what all agree on."""
        low, high = self.number(self.min), self.number(self.max)
        if low == high:
            return low
        return f"{self.number(self.median)} [{low}, {high}]"

    def number(self, value: Number) -> str:
        """One value; a censored one as ``>horizon``."""
        if math.isinf(value) and not math.isinf(self.horizon):
            return f">{self.horizon:,.0f}"
        return number(value)


def number(value: Number) -> str:
    """A number for people: whole and large ones with commas, others with four digits."""
    if not math.isfinite(value):
        return "never" if value == math.inf else str(value)
    if abs(value) < 1e7 and (float(value).is_integer() or abs(value) >= 1000):
        return f"{value:,.0f}"
    return f"{value:.4g}"


def mean_ratio(x: Sample, y: Sample) -> float:
    """Mean of x over mean of y.

    Returns:
        The ratio; an upper bound of it if onsets of y are censored, whose restricted mean is
        below the true one. NaN if onsets of x are: nothing bounds the ratio from above then.
    """
    return math.nan if x.n_censored else x.mean / y.mean


def log_rank(x: Sample, y: Sample) -> float:
    """Two-sided p-value of the log-rank test that two samples of onset times have one law.

    Censored onsets enter as such. With five seeds against five the smallest p-values there are
    lie near 0.001; with three against three near 0.02.

    Returns:
        p-value, NaN if no onset was reached in either sample or if one is not known.
    """
    if np.isnan([*x.array, *y.array]).any():
        return math.nan
    if x.n_censored == len(x.values) and y.n_censored == len(y.values):
        return math.nan
    from scipy import stats

    return float(stats.logrank(_censored(x), _censored(y)).pvalue)


def _censored(sample: Sample) -> Any:
    from scipy import stats

    reached = np.isfinite(sample.array)
    right = np.full((~reached).sum(), min(sample.horizon, 1e18))
    return stats.CensoredData(uncensored=sample.array[reached], right=right)


def rank_correlation(x: Iterable[Number], y: Iterable[Number]) -> float:
    """Spearman's rank correlation, ties at their mean rank; NaN if either is constant or NaN.

    Censored values (infinity) rank above every other and tie among themselves.
    """
    from scipy import stats

    ranks = [stats.rankdata(list(values)) for values in (x, y)]
    if any(len(r) < 2 or np.ptp(r) == 0 for r in ranks):
        return math.nan
    # Rounded, so that 0.9 is 0.9: it is a ratio of small whole numbers.
    return round(float(np.corrcoef(*ranks)[0, 1]), 12)
