import math

import numpy as np
import pytest

from grok.theory.norm_dynamics import (
    compare_dynamics,
    decay_threshold,
    equilibrium_norm,
    scale_invariant_equilibrium,
)

STEPS = np.arange(0.0, 1001.0, 20.0)
RATES = {
    "constant": np.full(1000, 1e-2),
    "inverse root": 0.1 / np.sqrt(np.arange(1000) + 1.0),
    "linear decay": 2e-2 * (1 - np.arange(1000) / 1000),
}
START, KAPPA = 5.0, 1.5


def walked(model: str, rates: np.ndarray, kappa: float = KAPPA) -> tuple[np.ndarray, np.ndarray]:
    """Norm and sum of squared steps at STEPS, by going through the updates one by one."""
    norm, total, norms, squares = START, 0.0, [START], [0.0]
    for rate in rates:
        step = kappa * rate * (1.0 if model == "constant" else norm)
        norm = norm + step if model == "aligned" else math.hypot(norm, step)
        total += step**2
        norms.append(norm)
        squares.append(total)
    at = STEPS.astype(int)
    return np.array(norms)[at], np.array(squares)[at]


@pytest.mark.parametrize("schedule", RATES)
@pytest.mark.parametrize("model", ["aligned", "misaligned", "constant"])
def test_a_walk_by_a_model_is_told_by_that_model(model: str, schedule: str) -> None:
    norms, squares = walked(model, RATES[schedule])
    found = compare_dynamics(STEPS, norms, RATES[schedule], squares)
    # The models are those of small steps: here up to 15 % of the norm.
    assert found[model].r2 == pytest.approx(1, abs=2e-3)
    assert found[model].r2_log == pytest.approx(1, abs=2e-3)
    assert found[model].kappa == pytest.approx(KAPPA, rel=0.02)
    assert found[model].kappa_log == pytest.approx(KAPPA, rel=0.02)
    assert found[model].r2 == max(found[m].r2 for m in ("aligned", "misaligned", "constant"))
    assert (found["measured"].r2 > 1 - 1e-12) == (model != "aligned")


def test_kappa_of_the_measured_steps_is_their_length_per_rate_and_norm() -> None:
    every = np.arange(1001.0)
    rates = RATES["inverse root"]
    norms = START * np.cumprod(np.concatenate([[1.0], np.hypot(1, KAPPA * rates)]))
    squares = np.concatenate([[0.0], np.cumsum((KAPPA * rates * norms[:-1]) ** 2)])
    found = compare_dynamics(every, norms, rates, squares)["measured"]
    assert found.kappa == pytest.approx(KAPPA, rel=1e-12)
    late = compare_dynamics(every[300:], norms[300:], rates, squares[300:])["measured"]
    assert late.kappa == pytest.approx(KAPPA, rel=1e-12)


def test_a_window_is_fitted_from_its_own_start() -> None:
    norms, _ = walked("misaligned", RATES["constant"])
    late = STEPS >= 500
    found = compare_dynamics(STEPS[late], norms[late], RATES["constant"])
    assert found["misaligned"].kappa == pytest.approx(KAPPA, rel=1e-3)
    assert found["misaligned"].r2 == pytest.approx(1, abs=1e-6)
    assert "measured" not in found


def test_a_shrinking_norm_has_no_constant_of_growth() -> None:
    found = compare_dynamics(STEPS, START * np.exp(-STEPS / 500), RATES["constant"])
    assert all(fit.kappa == fit.kappa_log == 0 for fit in found.values())
    assert all(fit.r2 < 0 for fit in found.values())


def test_without_a_rate_there_is_no_constant() -> None:
    norms = np.linspace(1, 2, len(STEPS))
    found = compare_dynamics(STEPS, norms, np.zeros(1000), np.zeros(len(STEPS)))
    assert all(math.isnan(fit.kappa) and math.isnan(fit.kappa_log) for fit in found.values())
    assert all(fit.r2 < 0 for fit in found.values())


@pytest.mark.parametrize(
    ("rates", "squares", "message"),
    [
        (np.ones(999), None, "999 rates do not reach step 1000"),
        (-np.ones(1000), None, "0 or more, and finite"),
        (np.full(1000, np.nan), None, "0 or more, and finite"),
        (np.ones(1000), -STEPS, "never fall"),
    ],
)
def test_impossible_input_is_refused(rates: np.ndarray, squares: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare_dynamics(STEPS, np.ones(len(STEPS)), rates, squares)


def settled(lr: float, weight_decay: float, update: float, is_scale_invariant: bool) -> float:
    norm = 1.0
    for _ in range(5000):
        step = lr * update / (norm if is_scale_invariant else 1.0)
        norm = math.hypot((1 - lr * weight_decay) * norm, step)
    return norm


@pytest.mark.parametrize("weight_decay", [0.5, 3.0, 15.0])
def test_steps_at_right_angles_settle_at_the_equilibrium(weight_decay: float) -> None:
    for function, is_scale_invariant in (
        (equilibrium_norm, False),
        (scale_invariant_equilibrium, True),
    ):
        found = function(0.1, weight_decay, 7.0)
        assert found == pytest.approx(settled(0.1, weight_decay, 7.0, is_scale_invariant))


def test_for_small_rates_the_square_is_half_the_rate_over_the_decay_per_squared_update() -> None:
    n, rho, lr, weight_decay = 10_000, 0.3, 1e-6, 1.0
    found = equilibrium_norm(lr, weight_decay, math.sqrt(n) * rho)
    assert found**2 == pytest.approx(lr * n * rho**2 / (2 * weight_decay), rel=1e-5)


def test_without_decay_there_is_no_equilibrium() -> None:
    assert equilibrium_norm(0.1, 0.0, 1.0) == scale_invariant_equilibrium(0.1, 0.0, 1.0) == math.inf
    for lr, weight_decay in ((0.0, 1.0), (0.1, -1.0), (1.0, 2.0)):
        with pytest.raises(ValueError, match="need lr > 0"):
            equilibrium_norm(lr, weight_decay, 1.0)


def test_at_the_threshold_decay_takes_what_the_run_without_it_has_gained() -> None:
    """Each update adds 0.01 to the squared norm, the rates are small."""
    rates, every = np.full(2000, 1e-4), np.arange(2001.0)
    norms = np.sqrt(25 + 0.01 * every)
    found = decay_threshold(every, norms, rates)
    assert found == pytest.approx(20 / (2 * 1e-4 * np.square(norms[:-1]).sum()))
    # With that decay the norm that shrinks it is smaller, and so the run ends a little higher.
    square = 25.0
    for rate in rates:
        square = (1 - rate * found) ** 2 * square + 0.01
    assert 25 < square < 25 + 20 * 0.3
    with pytest.raises(ValueError, match="no threshold"):
        decay_threshold(every, norms, np.zeros(2000))
    assert decay_threshold(every, norms[::-1].copy(), rates) < 0
