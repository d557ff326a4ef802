"""Parts of a Fourier circuit, found where they were put."""

import math

import pytest
import torch
from torch import Tensor

from grok.metrics.circuit import attention_explained, outside_keys, rank_gap, read_out
from grok.metrics.fourier import fourier_basis

ORDERS = (10, 11)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def grid(p: int) -> tuple[Tensor, Tensor]:
    pair = torch.arange(p * p)
    return pair // p, pair % p


def mask(p: int, *keys: int) -> Tensor:
    is_key = torch.zeros(p // 2 + 1, dtype=torch.bool)
    is_key[list(keys)] = True
    return is_key


def rows(p: int, *keys: int) -> list[int]:
    return [i for i in range(p) if (i + 1) // 2 in keys]


@pytest.mark.parametrize("p", ORDERS)
def test_read_out_is_the_regression_on_its_wave(p: int) -> None:
    a, b = grid(p)
    weight, neurons = draw(p, 6), draw(p * p, 6, seed=1)
    found = read_out(neurons @ weight.mT)
    for row, wave in enumerate(fourier_basis(p)):
        k = (row + 1) // 2
        angle = 2 * math.pi * k * (a + b).double() / p
        x = torch.sin(angle) if row > 0 and row % 2 == 0 else torch.cos(angle)
        y = neurons @ (wave @ weight)
        x, y = x - x.mean(), y - y.mean()
        if k == 0:
            assert found.coefficient[row] == found.explained[row] == 0
            continue
        slope = (x * y).sum() / x.square().sum()
        torch.testing.assert_close(found.coefficient[row], slope)
        share = slope.square() * x.square().sum() / y.square().sum()
        torch.testing.assert_close(found.explained[row], share)


def test_a_pure_circuit_is_explained_in_full() -> None:
    """Neurons that are the waves themselves, up to a rotation."""
    p, keys = 11, (2, 5)
    a, b = grid(p)
    waves = fourier_basis(p)[rows(p, *keys)]
    rotation = torch.linalg.qr(draw(4, 4)).Q
    neurons = waves[:, (a + b) % p].mT @ rotation
    weight = 3 * waves.mT @ rotation
    found = read_out(neurons @ weight.mT)
    expected = torch.zeros(p, dtype=torch.float64)
    expected[rows(p, *keys)] = 1
    torch.testing.assert_close(found.explained[rows(p, *keys)], expected[rows(p, *keys)])
    torch.testing.assert_close(found.coefficient, 3 * math.sqrt(2 / p) * expected)


@pytest.mark.parametrize("p", ORDERS)
def test_what_lies_outside_the_keys_is_the_rest_of_the_matrix(p: int) -> None:
    weight = draw(2, p, 6)
    keys = (1, p // 2)
    basis = fourier_basis(p)[rows(p, *keys)]
    rest = weight - basis.mT @ (basis @ weight)
    expected = torch.linalg.matrix_norm(rest) / torch.linalg.matrix_norm(weight)
    torch.testing.assert_close(outside_keys(weight, mask(p, *keys)), expected)
    everything = mask(p, *range(1, p // 2 + 1))
    constant = weight - weight.mean(dim=1, keepdim=True)
    torch.testing.assert_close(outside_keys(constant, everything), torch.zeros(2).double())


def test_rank_falls_after_two_directions_per_key() -> None:
    p = 11
    basis = fourier_basis(p)
    scale = torch.full((p, 1), 0.01, dtype=torch.float64)
    scale[rows(p, 2, 4)] = torch.tensor([[5.0], [4.0], [3.0], [2.0]], dtype=torch.float64)
    weight = (basis.mT * scale[:, 0]) @ torch.linalg.qr(draw(16, p)).Q.mT
    gap = rank_gap(weight, mask(p, 2, 4))
    torch.testing.assert_close(gap, torch.tensor(200.0, dtype=torch.float64))
    torch.testing.assert_close(rank_gap(weight, mask(p, 2)), gap.new_tensor(4 / 3))
    assert rank_gap(weight, mask(p)).isnan()
    even = torch.diag(torch.tensor([9.0, 3.0, 1.0, 1.0]))
    assert rank_gap(even, mask(4, 2)) == 3  # frequency p / 2 is one direction


@pytest.mark.parametrize("p", ORDERS)
def test_attention_is_fitted_by_one_frequency(p: int) -> None:
    a, b = grid(p)
    pattern = draw(p * p, 2).sigmoid()
    found = attention_explained(pattern)
    for k in range(1, p // 2 + 1):
        waves = [
            f(2 * math.pi * k * a.double() / p) - f(2 * math.pi * k * b.double() / p)
            for f in (torch.cos, torch.sin)
        ]
        if 2 * k == p:
            waves = waves[:1]
        design = torch.stack([torch.ones(p * p, dtype=torch.float64), *waves], dim=-1)
        fit = design @ torch.linalg.lstsq(design, pattern).solution
        centred = pattern - pattern.mean(dim=0)
        share = 1 - (pattern - fit).square().sum(dim=0) / centred.square().sum(dim=0)
        torch.testing.assert_close(found[k], share)
    assert torch.all(found[0] == 0)
    assert torch.all(attention_explained(torch.full((p * p, 1), 0.5)) == 0)
