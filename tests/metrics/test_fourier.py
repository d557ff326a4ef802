import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from grok.metrics.fourier import (
    fourier_basis,
    fourier_concentration,
    fourier_f_statistic,
    fourier_power,
    top_share,
)


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=generator)


def circle(p: int, k: int, radius: float) -> Tensor:
    """Row a is radius * (cos 2 pi k a / p, sin 2 pi k a / p)."""
    angle = 2 * math.pi * k * torch.arange(p, dtype=torch.float64) / p
    return radius * torch.stack([angle.cos(), angle.sin()], dim=-1)


def amplitude(embedding: Tensor) -> np.ndarray:
    """|DFT| over the group axis at k = 0, ..., p // 2, from its definition."""
    p = embedding.shape[0]
    k, n = np.arange(p // 2 + 1), np.arange(p)
    return np.abs(np.exp(-2j * np.pi * np.outer(k, n) / p) @ embedding.numpy())


@pytest.mark.parametrize("p", [1, 2, 3, 22, 23, 53, 113])
def test_the_basis_is_orthonormal(p: int) -> None:
    """Unit test 1 of PM."""
    F = fourier_basis(p)
    torch.testing.assert_close(F @ F.T, torch.eye(p, dtype=torch.float64))


@pytest.mark.parametrize(("p", "k"), [(23, 1), (23, 11), (22, 10), (113, 56)])
def test_rows_2k_minus_1_and_2k_are_cos_and_sin_of_frequency_k(p: int, k: int) -> None:
    """Unit test 1 of PM, index of frequency k."""
    rows = fourier_basis(p)[2 * k - 1 : 2 * k + 1]
    torch.testing.assert_close(rows.T, circle(p, k, math.sqrt(2 / p)))


def test_the_first_row_is_constant_and_the_last_alternates_for_even_p() -> None:
    F = fourier_basis(22) * math.sqrt(22)
    torch.testing.assert_close(F[0], torch.ones(22, dtype=torch.float64))
    torch.testing.assert_close(F[-1], torch.tensor([1.0, -1.0] * 11, dtype=torch.float64))


def test_the_waves_of_a_large_group_lose_no_digits() -> None:
    cos = fourier_basis(997)[1::2]
    # cos is even; an angle of k (p - 1) left unreduced is wrong by 1e-14
    torch.testing.assert_close(cos[:, -1], cos[:, 1], rtol=0.0, atol=1e-15)


def test_a_group_without_elements_has_no_basis() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        fourier_basis(0)


@pytest.mark.parametrize("p", [1, 2, 7, 12, 22, 113])
def test_power_is_that_of_the_coefficients_in_the_dense_basis(p: int) -> None:
    embedding = gaussian(p, 5)
    frequency = (torch.arange(p) + 1) // 2
    squared = (fourier_basis(p) @ embedding).square().sum(dim=-1)
    expected = torch.zeros(p // 2 + 1, dtype=torch.float64).index_add(0, frequency, squared)
    torch.testing.assert_close(fourier_power(embedding), expected)


@pytest.mark.parametrize("p", [5, 7, 12, 113])
@pytest.mark.parametrize("k", [1, 2])
def test_circle_has_all_its_power_in_its_own_frequency(p: int, k: int) -> None:
    expected = torch.zeros(p // 2 + 1, dtype=torch.float64)
    expected[k] = p * 3.0**2  # p rows of squared length 3 ** 2
    torch.testing.assert_close(fourier_power(circle(p, k, 3.0)), expected)


def test_the_unpaired_frequency_is_counted_once() -> None:
    alternating = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
    expected = torch.tensor([0.0, 0.0, 4.0], dtype=torch.float64)
    torch.testing.assert_close(fourier_power(alternating), expected)


def test_entry_0_is_the_power_of_the_mean_row() -> None:
    embedding = gaussian(7, 3)
    expected = 7 * embedding.mean(dim=0).square().sum()
    torch.testing.assert_close(fourier_power(embedding)[0], expected)


@pytest.mark.parametrize("p", [6, 7])
def test_power_splits_the_squared_norm_in_any_residual_basis(p: int) -> None:
    embedding = gaussian(p, 16)
    rotation, _ = torch.linalg.qr(gaussian(16, 16, seed=1))
    power = fourier_power(embedding)
    torch.testing.assert_close(power.sum(), embedding.square().sum())
    torch.testing.assert_close(fourier_power(embedding @ rotation), power)


@pytest.mark.parametrize("m", [2, 3, 5])
def test_multiplying_the_group_by_a_unit_permutes_the_frequencies(m: int) -> None:
    p = 13
    embedding = gaussian(p, 4)
    k = torch.arange(p // 2 + 1)
    image = torch.minimum(m * k % p, -m * k % p)
    relabelled = embedding[m * torch.arange(p) % p]  # row a is now what row m a was
    torch.testing.assert_close(fourier_power(relabelled)[image], fourier_power(embedding))


@pytest.mark.parametrize("metric", [fourier_power, fourier_concentration, fourier_f_statistic])
@pytest.mark.parametrize("p", [12, 13])
def test_a_shift_of_the_group_changes_nothing(metric, p: int) -> None:
    embedding = gaussian(p, 4)
    torch.testing.assert_close(metric(embedding.roll(5, dims=0)), metric(embedding))


@pytest.mark.parametrize("p", [12, 13])
def test_concentration_is_the_published_ratio_of_variances(p: int) -> None:
    embedding = gaussian(p, 8) + 1
    F = amplitude(embedding)
    m = F.mean(axis=1)
    expected = m.var() / (np.mean((F - m[:, None]) ** 2) + 1e-8)
    torch.testing.assert_close(fourier_concentration(embedding), torch.tensor(expected))


def test_a_zero_embedding_has_no_concentration() -> None:
    assert fourier_concentration(torch.zeros(7, 4)) == 0


@pytest.mark.parametrize(("p", "n_groups"), [(5, 2), (12, 5), (13, 6)])
def test_the_f_statistic_is_that_of_scipy_over_the_paired_frequencies(
    p: int, n_groups: int
) -> None:
    embedding = gaussian(p, 8)
    groups = amplitude(embedding)[1 : n_groups + 1]
    expected = scipy.stats.f_oneway(*groups).statistic
    torch.testing.assert_close(fourier_f_statistic(embedding), torch.tensor(expected))


@pytest.mark.parametrize("p", [22, 113])
def test_the_f_statistic_of_noise_is_1_in_the_mean(p: int) -> None:
    mean = fourier_f_statistic(gaussian(200, p, 64)).mean().item()
    n_groups = (p - 1) // 2
    # the F distribution has about the variance 2 / (n_groups - 1); four standard errors
    assert mean == pytest.approx(1.0, abs=4 * math.sqrt(2 / (n_groups - 1) / 200))


def test_the_f_statistic_ignores_the_mean_row_and_the_scale() -> None:
    embedding = gaussian(13, 8)
    moved = 5 * embedding + 100 * gaussian(8, seed=1)
    # the mean row costs three digits
    expected = fourier_f_statistic(embedding)
    torch.testing.assert_close(fourier_f_statistic(moved), expected, rtol=1e-9, atol=0.0)
    assert fourier_concentration(moved) > 10 * fourier_concentration(embedding)


@pytest.mark.parametrize("shape", [(4, 8), (5, 1)])
def test_the_f_statistic_needs_two_groups_of_two(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        fourier_f_statistic(gaussian(*shape))


def test_top_share_is_the_power_of_the_strongest_frequencies_without_the_constant() -> None:
    power = torch.tensor([100.0, 1.0, 5.0, 0.0, 4.0], dtype=torch.float64)
    shares = torch.stack([top_share(power, k) for k in [1, 2, 3, 4, 9]])
    expected = torch.tensor([0.5, 0.9, 1.0, 1.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(shares, expected)


def test_equal_powers_have_the_smallest_top_share() -> None:
    torch.testing.assert_close(
        top_share(torch.ones(57), k=5), torch.tensor(5 / 56, dtype=torch.float64)
    )


def test_the_share_of_all_frequencies_is_exactly_one() -> None:
    assert (top_share(gaussian(100, 57).square(), k=56) == 1).all()


def test_no_power_has_no_share() -> None:
    assert top_share(torch.zeros(5), k=2).isnan()


def test_a_share_needs_a_frequency() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        top_share(torch.ones(5), k=0)
