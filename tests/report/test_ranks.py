import numpy as np
import pytest
from scipy.stats import spearmanr

from grok.report.ranks import ranks_with


def test_the_coefficient_is_that_of_scipy_with_ties_and_infinities() -> None:
    generator = np.random.default_rng(3)
    readings = generator.normal(size=(4, 12)).round(1)
    outcome = generator.integers(0, 4, 12).astype(float)
    outcome[outcome == 3] = np.inf
    found = ranks_with(readings, outcome, ["one"] * 12)
    last = np.where(np.isinf(outcome), 99.0, outcome)
    expected = np.array([spearmanr(row, last) for row in readings])[:, 0]
    np.testing.assert_allclose(found.rho, expected, atol=1e-12)
    # With one group, ranks inside it are ranks of all.
    np.testing.assert_allclose(found.within, expected, atol=1e-12)
    assert (found.low <= found.rho).all()
    assert (found.rho <= found.high).all()


def test_groups_tell_an_order_of_groups_from_an_order_inside_them() -> None:
    group = np.repeat([0, 1, 2], 4)
    inside = np.tile([0.0, 1.0, 2.0, 3.0], 3)
    outcome = 100.0 * group + inside
    readings = np.array([10.0 * group - inside, inside - 10.0 * group, np.zeros(12)])
    found = ranks_with(readings, outcome, group.tolist())
    assert found.rho[0] > 0.75
    assert found.within[:2].tolist() == pytest.approx([-1.0, 1.0])
    assert np.isnan(found.rho[2])
    assert np.isnan(found.within[2])
    assert np.isnan(found.low[2])


def test_what_chance_shows_covers_unrelated_keys_in_19_of_20_tables() -> None:
    generator = np.random.default_rng(0)
    n_keys, n_runs, tables = 12, 15, 100
    over = 0
    for table in range(tables):
        readings = generator.normal(size=(n_keys, n_runs))
        found = ranks_with(
            readings, generator.normal(size=n_runs), [0] * n_runs, draws=100, seed=table
        )
        over += np.abs(found.rho).max() > found.chance
    assert 1 <= over <= 14  # of a binomial with mean 5: outside in one of 150 generators


def test_many_keys_make_a_large_one_likelier() -> None:
    generator = np.random.default_rng(1)
    readings, outcome = generator.normal(size=(200, 20)), generator.normal(size=20)
    few, many = (ranks_with(readings[:n], outcome, [0] * 20).chance for n in (2, 200))
    assert few < many - 0.1


def test_two_runs_have_no_rank_correlation() -> None:
    with pytest.raises(ValueError, match="2 runs: 3 or more"):
        ranks_with(np.zeros((1, 2)), np.arange(2.0), [0, 0])
