import math

import numpy as np
import pytest

from grok.metrics.slingshot import Slingshots, slingshots

STEP = np.arange(10, 110, 10)


def found(*value: float) -> Slingshots:
    return slingshots(STEP[: len(value)], np.array(value))


def test_an_excursion_starts_above_high_and_ends_at_low() -> None:
    result = found(3, 0.1, 0.05, 0.6, 0.4, 0.7, 0.1, 0.02, 0.9, 0.0)
    assert result.number == 2
    assert result.starts == (40, 90)  # 0.7 belongs to the first: the loss was not back at 0.1
    assert result.share_above == 3 / 8
    assert result.longest_quiet == 20  # 20 to 40, 70 to 90


def test_thresholds_are_exceeded_above_and_reached_below() -> None:
    assert found(0.1, 0.5, 0.1).number == 0
    assert found(0.1, 0.500001, 0.1).number == 1
    assert found(0.100001, 0.6, 0.100001) == (0, (), None, None)


def test_a_rise_that_stays_below_high_is_quiet() -> None:
    assert found(0.05, 0.3, 0.45, 0.05) == (0, (), 0.0, 30)


def test_what_comes_before_the_loss_was_low_does_not_count() -> None:
    assert found(9, 0.3, 9, 0.3, 9, 0.05, 0.01) == (0, (), 0.0, 10)


def test_a_loss_that_never_is_low_has_no_excursions_and_no_share() -> None:
    assert found(4.7, 20.0, 0.11) == (0, (), None, None)
    assert found() == (0, (), None, None)


def test_a_loss_that_is_low_at_the_last_reading_has_nothing_after_it() -> None:
    assert found(4.7, 0.1) == (0, (), None, 0)


def test_an_excursion_that_has_not_ended_counts_and_is_not_quiet() -> None:
    assert found(0.1, 0.1, 8.0, 0.2, 0.3) == (1, (30,), 1 / 4, 20)


def test_nan_counts_as_not_taken_and_infinity_as_high() -> None:
    nan = math.nan
    assert found(nan, 0.1, nan, 0.6, nan, 0.1) == (1, (40,), 1 / 2, 20)
    assert found(nan, nan) == (0, (), None, None)
    assert found(0.1, math.inf, nan) == (1, (20,), 1.0, 10)


def test_numbers_are_plain() -> None:
    result = found(0.1, 0.6, 0.1)
    assert [type(x) for x in (result.number, result.starts[0], result.longest_quiet)] == [int] * 3
    assert type(result.share_above) is float


def test_thresholds_can_be_chosen() -> None:
    value = np.array([1.0, 3.0, 1.0])
    assert slingshots(STEP[:3], value, low=1.0, high=2.0).starts == (20,)


def test_a_long_series_agrees_with_a_search_reading_by_reading() -> None:
    value = np.random.default_rng(0).exponential(0.3, size=500)
    step = np.cumsum(np.random.default_rng(1).integers(1, 9, size=500))
    begin = int(np.flatnonzero(value <= 0.1)[0])
    starts, ends = [], [begin]
    while True:
        high = [i for i in range(ends[-1], 500) if value[i] > 0.5]
        starts += high[:1]
        low = [i for i in range(high[0], 500) if value[i] <= 0.1] if high else []
        if not low:
            break
        ends += low[:1]
    quiet = [step[s] - step[e] for e, s in zip(ends, [*starts, 499], strict=False)]
    assert slingshots(step, value) == (
        len(starts),
        tuple(step[starts]),
        np.mean(value[begin + 1 :] > 0.5),
        max(quiet),
    )


def test_steps_that_do_not_ascend_and_crossed_thresholds_are_errors() -> None:
    with pytest.raises(ValueError, match="ascend"):
        slingshots(np.array([0, 2, 2]), np.zeros(3))
    with pytest.raises(ValueError, match=r"high=0\.05 is below low=0\.1"):
        slingshots(STEP[:3], np.zeros(3), high=0.05)
