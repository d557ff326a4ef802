"""What the claims on language models compute from readings."""

import math

import pytest

from grok.claims.norm_growth.decay import GRID, crossing


def test_the_threshold_of_decay_lies_on_a_line_in_logarithms() -> None:
    assert crossing({0.0: 9.0, 0.1: math.e, 10.0: 1 / math.e}) == pytest.approx(1.0)
    assert crossing({0.1: math.e**3, 10.0: 1 / math.e}) == pytest.approx(10**0.5)
    assert crossing({0.01: 2.0, 0.1: 1.0, 1.0: 0.5}) == pytest.approx(0.1)


@pytest.mark.parametrize(
    "ratios",
    [
        {0.1: 2.0, 1.0: 1.5},
        {0.1: 0.9, 1.0: 0.5},
        {0.1: 0.5, 1.0: 2.0},
        {0.0: 2.0, 0.1: 0.5},
        {0.1: math.nan, 1.0: 0.5},
        {0.1: 2.0, 1.0: math.nan},
    ],
    ids=str,
)
def test_without_a_change_from_growth_to_shrinkage_there_is_no_threshold(
    ratios: dict[float, float],
) -> None:
    assert math.isnan(crossing(ratios))


def test_the_grid_has_five_rates_and_five_decays() -> None:
    rates, decays = ({cell[i] for cell in GRID.values()} for i in (0, 1))
    assert len(GRID) == 25 == len(rates) * len(decays)
