"""Statistics over seeds keep censored onsets apart from measured ones."""

import math

import numpy as np
import pytest
from scipy import stats

from grok.claims.sample import Sample, log_rank, mean_ratio, number, rank_correlation

INF = math.inf


def onsets(*values: float | int, horizon: float | int = 1000) -> Sample:
    return Sample({str(i): float(x) for i, x in enumerate(values)}, horizon=float(horizon))


def test_median_is_exact_while_fewer_than_half_are_censored() -> None:
    assert onsets(100, 300, INF).median == 300
    assert onsets(100, INF, INF).median == INF
    assert onsets(100, 300, 500, INF).median == 400
    assert onsets(100, 300, INF, INF).median == INF


def test_mean_of_onsets_is_the_area_under_the_survival_curve() -> None:
    sample = onsets(100, 400, INF, INF)
    time = np.arange(1000)
    survival = np.mean([time < t for t in sample.array], axis=0)
    assert sample.mean == survival.sum() == (100 + 400 + 1000 + 1000) / 4
    assert sample.n_censored == 2


def test_a_ratio_of_means_bounds_the_true_one_from_above_or_is_no_number() -> None:
    assert mean_ratio(onsets(100, 300), onsets(400, 600)) == 0.4
    assert mean_ratio(onsets(100, 300), onsets(INF, INF)) == 0.2
    assert math.isnan(mean_ratio(onsets(100, INF), onsets(400, 600)))


def test_values_without_a_horizon_are_not_censored() -> None:
    sample = Sample({"0": 1.0, "1": INF})
    assert sample.n_censored == 0
    assert sample.mean == INF


def test_a_quantity_that_is_not_a_number_has_no_median() -> None:
    assert math.isnan(Sample({"0": 1.0, "1": math.nan, "2": 2.0}).median)


def test_paired_differences_go_seed_by_seed() -> None:
    x, y = Sample({"1": 5.0, "2": 7.0}), Sample({"2": 3.0, "1": 4.0})
    assert x.paired(y).values == {"1": 1.0, "2": 4.0}
    assert onsets(INF).paired(onsets(100)).values == {"0": INF}
    assert math.isnan(onsets(INF).paired(onsets(INF)).values["0"])
    with pytest.raises(ValueError, match="unpaired seeds"):
        x.paired(Sample({"1": 5.0}))


def test_text_shows_median_range_and_what_was_never_reached() -> None:
    assert onsets(100, 1250, 300, horizon=2000.0).text() == "300 [100, 1,250]"
    assert onsets(100, 300, INF).text() == "300 [100, >1,000]"
    assert onsets(INF).text() == ">1,000"
    assert number(0.123456) == "0.1235"
    assert number(2537.5) == "2,538"
    assert number(INF) == "never"


def naive_log_rank(x: Sample, y: Sample) -> float:
    """Mantel's test as textbooks have it: observed minus expected events in x at each time."""
    difference = variance = 0.0
    for t in sorted({v for s in (x, y) for v in s.values.values() if math.isfinite(v)}):
        at_risk = [sum(v >= t for v in s.values.values()) for s in (x, y)]
        events = [sum(v == t for v in s.values.values()) for s in (x, y)]
        n, d = sum(at_risk), sum(events)
        difference += events[0] - d * at_risk[0] / n
        if n > 1:
            variance += d * at_risk[0] * at_risk[1] * (n - d) / (n**2 * (n - 1))
    return float(stats.chi2.sf(difference**2 / variance, 1))


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (onsets(800, 900, 700, 750, 990), onsets(INF, INF, 950, INF, INF)),
        (onsets(100, 300, INF), onsets(200, 300, 400)),
        (onsets(1, 2, 3), onsets(1, 2, 4)),
    ],
)
def test_log_rank_is_the_textbook_test(x: Sample, y: Sample) -> None:
    assert log_rank(x, y) == pytest.approx(naive_log_rank(x, y))


def test_log_rank_of_samples_that_never_reach_it_is_no_number() -> None:
    assert math.isnan(log_rank(onsets(INF, INF), onsets(INF)))


def test_log_rank_knows_nothing_of_runs_that_diverged() -> None:
    assert math.isnan(log_rank(onsets(100, math.nan), onsets(200, 300)))


def test_rank_correlation_of_one_swap_in_five_is_exactly_nine_tenths() -> None:
    assert rank_correlation([1, 2, 3, 4, 5], [1, 2, 4, 3, 5]) == 0.9


def test_rank_correlation_ranks_censored_values_last_and_ties_them() -> None:
    assert rank_correlation([1, 2, 3, 4], [10, 20, 30, INF]) == pytest.approx(1)
    expected = stats.spearmanr([1, 2, 3, 4], [10, 20, 99, 99]).statistic
    assert rank_correlation([1, 2, 3, 4], [10, 20, INF, INF]) == pytest.approx(expected)
    assert math.isnan(rank_correlation([1, 2], [INF, INF]))
