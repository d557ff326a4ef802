import pytest
import sympy
import torch

from grok.metrics.parallelograms import in_training, nullity
from grok.metrics.samples import addition_samples, group_samples
from grok.theory.critical import critical_fraction, determined_size

P10 = addition_samples(10)

# Sets of nullity 2 among 10,000 random ones of each size, from the authors' notebook.
PUBLISHED = {16: 51, 18: 373, 20: 1754, 22: 4270, 23: 5795, 25: 8027, 28: 9488, 30: 9814}


def orders(n_draws: int, n_samples: int = 55) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(n_draws, n_samples, generator=generator).argsort(dim=1)


def test_the_line_is_forced_from_the_size_found_and_not_before() -> None:
    order = orders(200)
    size = determined_size(order, P10)
    place = order.argsort(dim=1)
    assert (nullity(place < size[:, None], P10) == 2).all()
    assert (nullity(place < size[:, None] - 1, P10) > 2).all()


def test_the_size_agrees_with_ranks_of_exact_fractions() -> None:
    order = orders(5)
    for row, size in zip(order, determined_size(order, P10), strict=True):
        for n, expected in ((int(size), 8), (int(size) - 1, 7)):
            mask = torch.zeros(55, dtype=torch.bool)
            mask[row[:n]] = True
            rows = P10.rows[in_training(mask, P10)].tolist()
            assert sympy.Matrix(rows).rank() == expected


def test_other_labels_have_their_own_least_nullity() -> None:
    samples = group_samples("C5")
    order = orders(20, 25)
    size = determined_size(order, samples)
    place = order.argsort(dim=1)
    assert (nullity(place < size[:, None], samples) == 1).all()
    assert (nullity(place < size[:, None] - 1, samples) > 1).all()


def test_probabilities_are_the_published_ones() -> None:
    found = critical_fraction(10)
    for n, count in PUBLISHED.items():
        theirs = count / 10_000
        # Four standard errors of both samples, under the published share.
        spread = 4 * (theirs * (1 - theirs) * (1 / 2000 + 1 / 10_000)) ** 0.5
        assert abs(float(found.probability[n - 1]) - theirs) < spread
    assert found.n_half == pytest.approx(22.5, abs=0.25)
    assert found.r_half == found.n_half / 55


def test_probability_rises_from_0_to_1_with_its_binomial_error() -> None:
    found = critical_fraction(6, n_draws=700, seed=3)
    assert found.n.tolist() == list(range(1, 22))
    assert (found.probability.diff() >= 0).all()
    assert (float(found.probability[0]), float(found.probability[-1])) == (0, 1)
    share = found.probability
    torch.testing.assert_close(found.error.square() * 700, share * (1 - share))


def test_half_is_on_the_straight_line_between_two_sizes() -> None:
    found = critical_fraction(10, n_draws=500)
    low = int(found.n_half)
    share = found.n_half - low
    before, after = (float(found.probability[n - 1]) for n in (low, low + 1))
    assert before < 0.5 <= after
    assert (1 - share) * before + share * after == pytest.approx(0.5)


def test_three_symbols_need_the_one_pair_of_samples_of_one_label() -> None:
    """(0, 2) and (1, 1): both among n of 6 with probability n (n - 1) / 30."""
    found = critical_fraction(3, n_draws=4000)
    n = torch.arange(1, 7, dtype=torch.float64)
    expected = n * (n - 1) / 30
    assert ((found.probability - expected).abs() <= 4 * (0.25 / 4000) ** 0.5).all()


def test_a_seed_fixes_the_draws_and_progress_is_told() -> None:
    told: list[float] = []
    first = critical_fraction(5, n_draws=1100, seed=2, tell=told.append)
    again = critical_fraction(5, n_draws=1100, seed=2)
    assert torch.equal(first.probability, again.probability)
    assert not torch.equal(first.probability, critical_fraction(5, 1100, seed=4).probability)
    assert told == [500 / 1100, 1000 / 1100, 1]


@pytest.mark.parametrize(("p", "n_draws"), [(2, 10), (5, 0)])
def test_what_cannot_be_is_refused(p: int, n_draws: int) -> None:
    with pytest.raises(ValueError, match="p must be at least 3 and n_draws at least 1"):
        critical_fraction(p, n_draws)
