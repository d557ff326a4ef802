import math

import numpy as np

from grok.metrics.phases import Phases, Series, median_of_three, phases

# Nanda et al. 2023, main run, read off the published curves.
STEP = np.array([0, 200, 1000, 1400, 3000, 5000, 7000, 9000, 9400, 10_000, 11_000, 12_500, 14_000])
TEST = np.array([4.76, 14, 22.7, 25.8, 23.6, 20.7, 16.1, 6.8, 4.2, 0.6, 2e-3, 8e-5, 7.5e-7])
EXCLUDED = np.array([4.76, 1.4, 0.35, 0.31, 0.6, 1.5, 4.3, 10.3, 11.5, 13.4, 11.3, 8.2, 6.2])
NORM = np.array([1783, 3400, 3650, 3400, 2800, 2600, 2425, 2110, 2000, 1750, 1330, 1090, 996])
LATER = np.array([20_000, 39_900])


def main_run() -> tuple[Series, Series, Series]:
    step = np.concatenate([STEP, LATER])
    return (
        (step, np.concatenate([EXCLUDED, [5.9, 5.97]])),
        (step, np.concatenate([TEST, [3.1e-7, 3.02e-7]])),
        (step, np.concatenate([NORM, [964.0, 955.0]])),
    )


def test_the_published_curves_have_the_published_phases() -> None:
    assert phases(*main_run(), p=113) == Phases(1400, 9400, 14_000)


def test_a_loss_near_that_of_guessing_at_the_start_ends_no_phase() -> None:
    excluded, (step, test), norm = main_run()
    test = test.copy()
    test[0] = math.log(113) - 0.01
    assert phases(excluded, (step, test), norm, p=113).t_form == 9400


def test_a_run_that_never_generalises_has_only_memorised() -> None:
    n = 8
    assert phases(
        (STEP[:n], EXCLUDED[:n]), (STEP[:n], TEST[:n]), (STEP[:n], NORM[:n]), p=113
    ) == Phases(1400, None, None)


def test_memorization_ends_before_the_circuit_is_formed() -> None:
    excluded, test, norm = main_run()
    low = excluded[1].copy()
    low[-1] = 0.1  # below the minimum of memorization, long after
    assert phases((excluded[0], low), test, norm, p=113).t_mem == 1400


def test_what_was_not_read_ends_nothing() -> None:
    empty = (np.array([], dtype=int), np.array([]))
    assert phases(empty, empty, empty, p=113) == Phases(None, None, None)
    excluded, test, norm = main_run()
    unread = (norm[0], np.full(len(norm[0]), np.nan))
    assert phases(excluded, test, unread, p=113) == Phases(1400, 9400, None)


def test_series_may_be_read_at_different_steps() -> None:
    excluded, test, norm = main_run()
    assert phases((excluded[0][::2], excluded[1][::2]), test, norm, p=113).t_mem == 1000


def test_a_median_takes_a_spike_away_and_leaves_a_step() -> None:
    step = np.arange(8)
    _, smooth = median_of_three((step, np.array([5.0, 5, 90, 5, 5, 1, 1, 1])))
    assert smooth.tolist() == [5, 5, 5, 5, 5, 1, 1, 1]
    assert median_of_three((step[:2], np.array([3.0, 1.0])))[1].tolist() == [3, 1]
