import math

import numpy as np
import pytest

from grok.theory.growth import REGRESSORS, check_series, fit_growth_law, r_squared

T = np.arange(0.0, 1001.0, 10.0)


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n)


@pytest.mark.parametrize("name", REGRESSORS)
def test_a_norm_that_follows_a_law_is_fitted_exactly_by_that_law_alone(name: str) -> None:
    norms = 3 * REGRESSORS[name](T) + 20
    fits = fit_growth_law(T, norms).affine
    assert fits[name].slope == pytest.approx(3, rel=1e-12)
    assert fits[name].intercept == pytest.approx(20, rel=1e-12)
    assert fits[name].r2 == pytest.approx(1, abs=1e-13)
    others = [fit for other, fit in fits.items() if other != name]
    assert max(fit.r2 for fit in others) < 0.999
    assert all(fits[name].aic < fit.aic - 1000 for fit in others)


@pytest.mark.parametrize("p", [0.25, 0.5, 0.8, 1.0, 1.7])
def test_the_free_exponent_is_that_of_an_exact_power(p: float) -> None:
    law = fit_growth_law(T, 2 * T**p + 5).power
    assert law.p == pytest.approx(p, abs=1e-6)
    assert (law.slope, law.intercept) == pytest.approx((2, 5), rel=1e-5)
    assert law.p_se < 1e-6


def test_the_standard_error_is_the_spread_of_the_exponent_over_draws() -> None:
    laws = [fit_growth_law(T, 2 * np.sqrt(T) + 5 + 0.5 * noise(len(T), s)) for s in range(60)]
    found = [law.power.p for law in laws]
    errors = [law.power.p_se for law in laws]
    assert np.mean(found) == pytest.approx(0.5, abs=0.01)
    # A standard deviation of 60 draws has itself an error of 9 %.
    assert np.median(errors) == pytest.approx(np.std(found), rel=0.3)


def test_aic_is_its_definition_and_prefers_fewer_parameters_on_equal_terms() -> None:
    norms = 2 * np.sqrt(T) + 5 + noise(len(T))
    law = fit_growth_law(T, norms)
    mean_square = np.mean((norms - law.affine["sqrt"].slope * np.sqrt(T)
                           - law.affine["sqrt"].intercept) ** 2)  # fmt: skip
    assert law.affine["sqrt"].aic == pytest.approx(len(T) * math.log(mean_square) + 4)
    assert law.affine["sqrt"].aic < law.power.aic < law.affine["sqrt"].aic + 2 + 1e-6


def test_the_pure_exponent_leaves_the_beginning_out() -> None:
    t = np.array([0.0, 1, 10, 20, 50, 100, 1000])
    norms = np.where(t < 20, 7.0, 3 * np.maximum(t, 1) ** 0.4)
    assert fit_growth_law(t, norms).log_slope == pytest.approx(0.4)  # from 2 % of the run on
    assert fit_growth_law(t, norms, t_min=0.0).log_slope != pytest.approx(0.4, abs=0.01)
    assert math.isnan(fit_growth_law(t, norms, t_min=500.0).log_slope)


def test_the_law_of_the_square_starts_at_the_first_norm_of_the_window() -> None:
    law = fit_growth_law(T, np.sqrt(16 + 0.5 * T)).square
    assert law.slope == pytest.approx(0.5)
    assert law.r2 == pytest.approx(1)
    window = T >= 500
    law = fit_growth_law(T[window], np.sqrt(16 + 0.5 * T[window])).square
    assert law.slope == pytest.approx(0.5)
    # Fixed at a first norm that is off, it cannot follow the others.
    off = np.sqrt(16 + 0.5 * T)
    off[0] = 15.0
    assert fit_growth_law(T, off).square.r2 < 0.9
    falling = fit_growth_law(T, np.where(T > 0, 0.1, 50.0)).square
    assert falling.slope < 0
    assert np.isfinite(falling.r2)


def test_a_constant_norm_has_no_law() -> None:
    law = fit_growth_law(T, np.full(len(T), 3.0))
    assert all(fit.slope == 0 and math.isnan(fit.r2) for fit in law.affine.values())
    assert all(math.isnan(x) for x in law.power)
    assert math.isnan(law.log_slope)
    assert law.square.slope == 0
    assert math.isnan(law.square.r2)


def test_the_exponent_has_no_error_where_none_can_be_told() -> None:
    three = fit_growth_law(np.array([0.0, 1, 4]), np.array([1.0, 2, 3])).power
    assert three.p == pytest.approx(0.5, abs=1e-6)
    assert math.isnan(three.p_se)
    exploding = fit_growth_law(T, 1 + np.exp(T / 50)).power
    assert exploding.p == pytest.approx(2, abs=1e-3)
    assert math.isnan(exploding.p_se)


def test_r_squared_of_the_mean_is_0_and_of_worse_below() -> None:
    x = np.array([1.0, 2.0, 3.0])
    assert r_squared(x, np.full(3, 2.0)) == 0
    assert r_squared(x, np.full(3, 3.0)) == -1.5


@pytest.mark.parametrize(
    ("steps", "norms", "message"),
    [
        ([0, 1], [1, 1], "three readings or more, not 2"),
        ([0, 2, 2], [1, 1, 1], "must ascend"),
        ([-1, 0, 1], [1, 1, 1], "must ascend from 0"),
        ([0, 1, 2], [1, 0, 1], "positive and finite"),
        ([0, 1, 2], [1, math.nan, 1], "positive and finite"),
        ([0, 1, 2], [1, math.inf, 1], "positive and finite"),
    ],
)
def test_what_is_no_series_is_refused(steps: list, norms: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_growth_law(np.array(steps, dtype=float), np.array(norms, dtype=float))


def test_steps_and_norms_are_as_many() -> None:
    with pytest.raises(ValueError, match="3 steps and 2 norms"):
        check_series(np.arange(3), np.ones(2))
