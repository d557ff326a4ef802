"""Named fits are those of the functions they come from; the balance of a run is its growth."""

import math

import numpy as np
import pytest

from grok.theory.growth import fit_growth_law
from grok.theory.norm_dynamics import compare_dynamics, decay_threshold
from grok.theory.norm_fits import decay_bracket, growth_balance, norm_fits

T = np.arange(0.0, 401.0, 20.0)
RATES = np.full(400, 1e-2)


def test_each_number_is_that_of_its_fit() -> None:
    norms = np.sqrt(9 + 0.4 * T) + 0.05 * np.sin(T)
    squares = 0.3 * T
    found = norm_fits(T, norms, RATES, squares)
    law, models = fit_growth_law(T, norms), compare_dynamics(T, norms, RATES, squares)
    assert found["r2_sqrt"] == law.affine["sqrt"].r2
    assert found["r2_fourth_root"] == law.affine["fourth_root"].r2
    assert (found["p"], found["p_se"], found["p_r2"]) == (law.power.p, law.power.p_se, law.power.r2)
    assert (found["r2_square"], found["log_slope"]) == (law.square.r2, law.log_slope)
    for name, fit in models.items():
        assert (found[f"r2_{name}"], found[f"kappa_{name}"]) == (fit.r2, fit.kappa)
    assert "r2_measured" not in norm_fits(T, norms, RATES)
    assert set(norm_fits(T, norms)) == {name for name in found if name not in {
        f"{what}_{model}" for what in ("r2", "kappa") for model in models}}  # fmt: skip


def test_readings_that_are_no_norm_are_left_out_and_too_few_have_no_fit() -> None:
    norms = np.sqrt(T)  # 0 at step 0, as of biases
    broken = norms.copy()
    broken[-1] = math.inf
    inside = slice(1, -1)
    assert norm_fits(T, broken, RATES, T) == norm_fits(T[inside], norms[inside], RATES, T[inside])
    assert norm_fits(T[:3], norms[:3]) == {}


def walk(decay: float, n_steps: int = 300, lr: float = 0.01) -> dict[str, float]:
    """Sums of a walk at right angles to theta, decoupled decay aside, update by update."""
    generator = np.random.default_rng(0)
    theta = generator.normal(size=50)
    start, sums = float(theta @ theta), np.zeros(4)
    for _ in range(n_steps):
        rest, square = -lr * generator.normal(size=50), float(theta @ theta)
        rest -= (rest @ theta) / square * theta
        delta = rest - lr * decay * theta
        terms = [delta @ delta, 2 * theta @ delta, 2 * lr * decay * square, lr * square]
        sums += np.array(terms)
        theta = theta + delta
    names = ("squares", "cross", "decay", "rates")
    return dict(zip(names, sums, strict=True)) | {"change": float(theta @ theta) - start}


@pytest.mark.parametrize("decay", [0.0, 0.001, 0.1, 1.0])
def test_the_balance_of_a_walk_is_how_its_square_has_changed(decay: float) -> None:
    sums = walk(decay)
    found = growth_balance(sums["squares"], sums["cross"], sums["decay"])
    assert found.change == pytest.approx(sums["change"], rel=1e-9)
    assert found.sign == np.sign(sums["change"])
    assert found.taken == sums["decay"]
    bare = growth_balance(sums["squares"], sums["cross"])
    assert (bare.change, bare.taken) == (pytest.approx(found.change), 0)


def test_the_norm_grows_where_decay_is_below_the_threshold_of_the_run() -> None:
    """lambda* = added / (2 sum eta |theta|^2), summed from the criterion of every update."""
    signs = {}
    for decay in (0.0, 0.001, 0.1, 1.0):
        sums = walk(decay)
        found = growth_balance(sums["squares"], sums["cross"], sums["decay"])
        threshold = found.added / (2 * sums["rates"])
        signs[decay] = found.sign
        assert found.sign == np.sign(threshold - decay)
    assert set(signs.values()) == {1, -1}


def test_the_threshold_of_the_run_without_decay_lies_in_the_bracket() -> None:
    every = np.arange(301.0)
    sums = walk(0.0)
    assert sums["change"] > 0
    norms = np.sqrt(np.linspace(50.0, 50.0 + sums["change"], 301))
    predicted = decay_threshold(every, norms, np.full(300, 0.01))
    decays = predicted * np.array([0.1, 0.5, 2.0, 10.0])
    low, high = decay_bracket(decays, np.array([walk(x)["change"] for x in decays]))
    assert low <= predicted <= high


@pytest.mark.parametrize(
    ("changes", "bracket"),
    [
        ([3.0, 1.0, -1.0], (0.1, 1.0)),
        ([3.0, -1.0, 1.0], (0.0, 0.1)),  # the first that does not grow ends it
        ([3.0, 0.0, -1.0], (0.0, 0.1)),
        ([-1.0, -2.0, -3.0], (-math.inf, 0.0)),
        ([3.0, 2.0, 1.0], (1.0, math.inf)),
    ],
)
def test_the_bracket_lies_where_runs_stop_growing(changes: list, bracket: tuple) -> None:
    assert decay_bracket(np.array([0.0, 0.1, 1.0]), np.array(changes)) == bracket


@pytest.mark.parametrize(("decays", "changes"), [([0.0, 0.0], [1, 1]), ([0.0, 1.0], [1, math.nan])])
def test_a_bracket_needs_runs_in_order(decays: list, changes: list) -> None:
    with pytest.raises(ValueError, match="must ascend"):
        decay_bracket(np.array(decays, dtype=float), np.array(changes, dtype=float))
