import math

import numpy as np
import pytest

from grok.metrics.onset import onset, sustained_onset

STEP = np.array([0, 50, 75, 100, 125, 150, 175, 200])
VALUE = np.array([0.1, 0.99, 0.2, math.nan, 0.99, 1.0, 1.0, 0.995])


def test_onset_is_the_first_step_that_reaches_the_threshold() -> None:
    assert onset(STEP, VALUE, 0.98) == 50


def test_reaching_means_equality_too() -> None:
    assert onset(STEP, VALUE, 0.99) == 50
    assert onset(STEP, VALUE, 0.1, "below") == 0


def test_below_asks_for_small_values() -> None:
    assert onset(STEP, 1 - VALUE, 0.005, "below") == 150


def test_an_onset_that_is_not_seen_is_censored() -> None:
    assert onset(STEP, VALUE, 1.5) is None
    assert onset(STEP, VALUE, 0.0, "below") is None


def test_nan_reaches_no_threshold() -> None:
    undefined = np.full(8, math.nan)
    assert onset(STEP, undefined, -math.inf) is None
    assert onset(STEP, undefined, math.inf, "below") is None


@pytest.mark.parametrize(("n", "expected"), [(1, 50), (2, 125), (4, 125), (5, None), (99, None)])
def test_a_sustained_onset_starts_n_successive_readings(n: int, expected: int | None) -> None:
    assert sustained_onset(STEP, VALUE, 0.98, n=n) == expected


def test_nan_breaks_a_sequence() -> None:
    value = np.array([1.0, 1.0, math.nan, 1.0, 1.0, 1.0])
    assert sustained_onset(STEP[:6], value, 0.9, n=3) == 100


def test_a_sustained_onset_equals_the_definition_checked_reading_by_reading() -> None:
    value = np.random.default_rng(0).uniform(size=300)
    step = np.arange(300) * 7
    for n in range(1, 9):
        starts = [7 * i for i in range(300 - n + 1) if (value[i : i + n] >= 0.4).all()]
        assert sustained_onset(step, value, 0.4, n=n) == (starts[0] if starts else None)


def test_an_onset_is_a_plain_int() -> None:
    assert type(onset(STEP, VALUE, 0.9)) is int


def test_a_series_without_readings_is_censored() -> None:
    assert onset(np.array([], dtype=np.int64), np.array([]), 0.5) is None


def test_steps_that_do_not_ascend_are_an_error() -> None:
    with pytest.raises(ValueError, match="ascend"):
        onset(np.array([0, 2, 2]), np.zeros(3), 0.5)


def test_a_sequence_has_at_least_one_reading() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        sustained_onset(STEP, VALUE, 0.5, n=0)
