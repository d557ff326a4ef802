import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from grok.metrics.spectra import (
    PowerLawFit,
    effective_rank,
    gram_eigenvalues,
    numerical_rank,
    power_law_fit,
    published_stable_rank,
    rank_slope,
    singular_values,
    stable_rank,
)

F64 = torch.float64


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=F64, generator=torch.Generator().manual_seed(seed))


def matrix(spectrum: Tensor, n_rows: int) -> Tensor:
    """A matrix with the given singular values and random singular vectors."""
    n = spectrum.shape[0]
    left, _ = torch.linalg.qr(gaussian(n_rows, n))
    right, _ = torch.linalg.qr(gaussian(n, n, seed=1))
    return left * spectrum @ right.T


def pareto(n: int, alpha: float, seed: int = 0) -> Tensor:
    """Samples of the density proportional to x ** -alpha on x >= 1, by inversion."""
    uniform = torch.rand(n, dtype=F64, generator=torch.Generator().manual_seed(seed))
    return (1 - uniform) ** (-1 / (alpha - 1))


def slow_power_law_fit(eigenvalues: Tensor) -> tuple[float, float, int, float]:
    """Tail by tail, with the distance of scipy."""
    values = np.sort(eigenvalues.numpy()[eigenvalues.numpy() > 0])
    fits = []
    for x_min in values[:-2]:
        tail = values[values >= x_min]
        alpha = 1 + len(tail) / np.log(tail / x_min).sum()
        law = scipy.stats.pareto(alpha - 1, scale=x_min)
        fits.append((scipy.stats.kstest(tail, law.cdf).statistic, alpha, x_min, len(tail)))
    ks, alpha, x_min, n_tail = min(fits)
    return alpha, x_min, n_tail, ks


@pytest.mark.parametrize(("n_rows", "n_columns"), [(30, 8), (8, 8), (5, 8)])
def test_both_spectra_equal_those_of_numpy(n_rows: int, n_columns: int) -> None:
    H = gaussian(n_rows, n_columns) + 1
    expected = torch.from_numpy(np.linalg.svd(H.numpy(), compute_uv=False))
    torch.testing.assert_close(singular_values(H), expected)
    padded = torch.zeros(n_columns, dtype=F64)
    padded[: expected.shape[0]] = expected.square()
    torch.testing.assert_close(gram_eigenvalues(H), padded, rtol=1e-7, atol=1e-12)


def test_gram_eigenvalues_are_not_negative() -> None:
    assert (gram_eigenvalues(matrix(torch.tensor([1.0] + [0.0] * 19, dtype=F64), 40)) >= 0).all()


def test_float32_matrices_have_the_spectrum_of_their_float64_copies() -> None:
    H = gaussian(30, 8).float()
    torch.testing.assert_close(singular_values(H), singular_values(H.double()))
    torch.testing.assert_close(gram_eigenvalues(H), gram_eigenvalues(H.double()))


def test_singular_values_keep_what_the_gram_matrix_loses() -> None:
    spectrum = torch.tensor([1.0, 1e-3, 1e-10], dtype=F64)
    H = matrix(spectrum, 30)
    torch.testing.assert_close(singular_values(H), spectrum, rtol=1e-5, atol=0.0)  # 1e-16 / 1e-10
    lost = gram_eigenvalues(H)[-1] / spectrum[-1].square()
    assert not 0.5 < lost < 2


@pytest.mark.parametrize("spectrum", [gram_eigenvalues, singular_values])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_diverged_run_is_nan_and_leaves_the_others_alone(spectrum, value: float) -> None:
    stack = gaussian(3, 30, 8)
    stack[1, 4, 5] = value
    result = spectrum(stack)
    assert result[1].isnan().all()
    torch.testing.assert_close(result[[0, 2]], spectrum(stack[[0, 2]]))


@pytest.mark.parametrize("r", [1, 5, 32])
def test_equal_eigenvalues_have_their_number_as_effective_and_stable_rank(r: int) -> None:
    """Claim IB-09, effective rank."""
    spectrum = torch.zeros(32, dtype=F64)
    spectrum[:r] = 7.0
    eigenvalues = gram_eigenvalues(matrix(spectrum, 100))
    expected = torch.tensor(float(r), dtype=F64)
    torch.testing.assert_close(stable_rank(eigenvalues), expected)
    torch.testing.assert_close(published_stable_rank(eigenvalues), expected.sqrt())
    # r ± 1 % is asked for; rounding errors in place of zeros cost e ln e, far less
    torch.testing.assert_close(effective_rank(eigenvalues), expected, rtol=1e-10, atol=0.0)


def test_effective_rank_is_the_exponential_of_the_entropy_of_scipy() -> None:
    eigenvalues = gaussian(4, 20).square()
    eigenvalues[:, 7] = 0
    expected = np.exp(scipy.stats.entropy(eigenvalues.numpy(), axis=-1))
    torch.testing.assert_close(effective_rank(eigenvalues), torch.from_numpy(expected))


def test_stable_ranks_are_ratios_of_matrix_norms() -> None:
    H = gaussian(30, 8)
    Z = H.T @ H
    ratio = torch.linalg.matrix_norm(H) / torch.linalg.matrix_norm(H, 2)
    torch.testing.assert_close(stable_rank(gram_eigenvalues(H)), ratio**2)
    ratio = torch.linalg.matrix_norm(Z) / torch.linalg.matrix_norm(Z, 2)
    torch.testing.assert_close(published_stable_rank(gram_eigenvalues(H)), ratio)


def test_the_ranks_of_a_matrix_are_ordered() -> None:
    eigenvalues = gaussian(50, 20).square()
    assert (stable_rank(eigenvalues) >= 1).all()
    assert (stable_rank(eigenvalues) <= effective_rank(eigenvalues)).all()
    assert (effective_rank(eigenvalues) <= 20).all()


@pytest.mark.parametrize("rank", [effective_rank, stable_rank, published_stable_rank])
def test_ratios_of_a_zero_spectrum_are_undefined(rank) -> None:
    assert rank(torch.zeros(5)).isnan()


def test_numerical_rank_counts_what_exceeds_the_tolerance() -> None:
    spectrum = torch.tensor([1.0, 8.0, 2.0, 1.9, 0.0])
    assert numerical_rank(spectrum, rtol=0.25) == 1  # 2 does not exceed 2
    assert numerical_rank(spectrum, rtol=0.2) == 3
    assert numerical_rank(spectrum, rtol=0.0) == 4
    assert numerical_rank(torch.zeros(5)) == 0


def test_the_default_tolerance_is_the_published_one_on_the_gram_matrix() -> None:
    n = 128
    threshold = n * torch.finfo(torch.float32).eps  # of the largest eigenvalue, 1
    eigenvalues = torch.full((n,), 0.99 * threshold, dtype=F64)
    eigenvalues[:10] = 1.01 * threshold
    eigenvalues[0] = 1
    assert numerical_rank(eigenvalues.sqrt()) == 10
    assert numerical_rank(eigenvalues.sqrt()) == torch.linalg.matrix_rank(
        eigenvalues.diag(), rtol=threshold
    )


@pytest.mark.parametrize("alpha", [1.5, 2.5, 3.5])
@pytest.mark.parametrize("seed", range(2))
def test_the_fit_recovers_the_exponent_of_pareto_samples(alpha: float, seed: int) -> None:
    """Claim IB-09, power-law fit."""
    fit = power_law_fit(pareto(5000, alpha, seed))
    assert fit.alpha.item() == pytest.approx(alpha, abs=0.1)
    assert fit.ks < 0.03
    assert fit.n_tail > 500


def test_the_fit_finds_where_the_power_law_begins() -> None:
    # Half of the values lie below 10 and are uniform.
    below = 10 * torch.rand(1000, dtype=F64, generator=torch.Generator().manual_seed(0))
    fit = power_law_fit(torch.cat([below, 10 * pareto(1000, 2.5)]))
    assert fit.x_min.item() == pytest.approx(10, rel=0.1)
    assert fit.alpha.item() == pytest.approx(2.5, abs=0.1)


@pytest.mark.parametrize("n", [3, 10, 64])
@pytest.mark.parametrize("seed", range(3))
def test_the_fit_equals_a_search_tail_by_tail(n: int, seed: int) -> None:
    eigenvalues = gaussian(n, seed=seed).square()
    expected = PowerLawFit(*(torch.tensor(value) for value in slow_power_law_fit(eigenvalues)))
    # tighter than the default, which lets a float32 distance pass
    torch.testing.assert_close(power_law_fit(eigenvalues), expected, rtol=1e-12, atol=0.0)


def test_tied_values_are_one_step_of_the_distribution() -> None:
    eigenvalues = torch.tensor([1.0, 1, 1, 2, 2, 3, 5, 5, 5, 9], dtype=F64)
    expected = PowerLawFit(*(torch.tensor(value) for value in slow_power_law_fit(eigenvalues)))
    # tighter than the default, which lets a float32 distance pass
    torch.testing.assert_close(power_law_fit(eigenvalues), expected, rtol=1e-12, atol=0.0)


def test_zero_eigenvalues_do_not_enter_the_tail_measures() -> None:
    eigenvalues = gaussian(20).square()
    with_zeros = torch.cat([torch.zeros(5, dtype=F64), eigenvalues])
    torch.testing.assert_close(power_law_fit(with_zeros), power_law_fit(eigenvalues))
    torch.testing.assert_close(rank_slope(with_zeros), rank_slope(eigenvalues))


@pytest.mark.parametrize(
    "spectrum", [[0.0] * 5, [1.0, 2.0, 0.0], [3.0] * 5, [1.0], [1.0, 2.0], [1, math.nan, 2, 3]]
)
def test_a_spectrum_without_a_tail_of_unequal_values_has_no_fit(spectrum: list[float]) -> None:
    fit = power_law_fit(torch.tensor(spectrum))
    assert fit.alpha.isnan()
    assert fit.x_min.isnan()
    assert fit.ks.isnan()
    assert fit.n_tail == 0


def test_the_exponent_ignores_the_scale_of_the_spectrum() -> None:
    eigenvalues = gaussian(64).square()
    fit, scaled = power_law_fit(eigenvalues), power_law_fit(1e6 * eigenvalues)
    torch.testing.assert_close(scaled, fit._replace(x_min=1e6 * fit.x_min))
    torch.testing.assert_close(rank_slope(1e6 * eigenvalues), rank_slope(eigenvalues))


@pytest.mark.parametrize(("first", "last"), [(1, None), (11, 50)])
def test_the_rank_slope_of_a_power_of_the_rank_is_its_exponent(
    first: int, last: int | None
) -> None:
    eigenvalues = 5 * torch.arange(1, 101, dtype=F64) ** -1.7
    slope = rank_slope(eigenvalues.flip(-1), first, last)
    torch.testing.assert_close(slope, torch.tensor(1.7, dtype=F64))


def test_the_rank_slope_is_that_of_a_least_squares_line() -> None:
    eigenvalues = gaussian(40).square().sort(descending=True).values
    line = np.polyfit(np.log(np.arange(5, 31)), eigenvalues.log()[4:30].numpy(), 1)
    torch.testing.assert_close(rank_slope(eigenvalues, 5, 30), torch.tensor(-line[0]))


def test_the_density_exponent_is_one_plus_one_over_the_rank_slope() -> None:
    quantiles = (torch.arange(1, 5001, dtype=F64) / 5000) ** (-1 / (2.5 - 1))
    torch.testing.assert_close(1 + 1 / rank_slope(quantiles), torch.tensor(2.5, dtype=F64))
    assert power_law_fit(quantiles).alpha.item() == pytest.approx(2.5, abs=0.01)


@pytest.mark.parametrize("spectrum", [[0.0] * 5, [1.0, 0.0], [3.0, math.inf, 1.0]])
def test_a_slope_needs_two_positive_values_and_no_infinite_one(spectrum: list[float]) -> None:
    assert rank_slope(torch.tensor(spectrum)).isnan()


def test_ranks_are_counted_from_1() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        rank_slope(torch.ones(5), first=0)
