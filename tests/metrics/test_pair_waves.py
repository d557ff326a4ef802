"""Waves over pairs against the transform over both elements, written out."""

import math

import pytest
import torch
from torch import Tensor

from grok.metrics.fourier import fourier_basis
from grok.metrics.pair_means import order_of, sum_means
from grok.metrics.pair_waves import (
    Block,
    explained_by_frequency,
    keep_waves,
    wave_energy,
)

BLOCKS: tuple[Block, ...] = ("sum", "block2x2", "block3x3")
ORDERS = (3, 4, 7, 8)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def grid(p: int) -> tuple[Tensor, Tensor]:
    pair = torch.arange(p * p)
    return pair // p, pair % p


def wave(p: int, k: int, x: Tensor, shift: float = 0.0) -> Tensor:
    return torch.cos(2 * math.pi * k * x.double() / p - shift)


def directions(p: int, k: int, block: Block) -> Tensor:
    """An orthonormal basis of the waves of one frequency, one per row, from products."""
    rows = fourier_basis(p)[[i for i in range(p) if (i + 1) // 2 == k]]
    a, b = grid(p)
    if block == "sum":
        waves = torch.stack([wave(p, k, a + b), wave(p, k, a + b, math.pi / 2)])
    else:
        constant = fourier_basis(p)[:1]
        one = torch.cat([constant, rows]) if block == "block3x3" else rows
        waves = torch.einsum("ia,jb->ijab", one, one).reshape(-1, p * p)
        waves = waves[1:] if block == "block3x3" else waves  # constant times constant
    u, s, _ = torch.linalg.svd(waves.mT, full_matrices=False)
    return u[:, s > 1e-9].mT


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("block", BLOCKS)
def test_the_projection_is_that_on_the_products_of_waves(p: int, block: Block) -> None:
    x = draw(p * p, 3)
    for k in range(1, p // 2 + 1):
        is_key = torch.zeros(p // 2 + 1, 1, dtype=torch.bool)
        is_key[k] = True
        basis = directions(p, k, block)
        n_directions = {"sum": 2, "block2x2": 4, "block3x3": 8}[block]
        n_alternating = {"sum": 1, "block2x2": 1, "block3x3": 3}[block]
        assert len(basis) == (n_alternating if 2 * k == p else n_directions)
        torch.testing.assert_close(keep_waves(x, is_key, block), basis.mT @ (basis @ x))
        energy = (basis @ x).square().sum(dim=0)
        torch.testing.assert_close(wave_energy(x, block)[k], energy)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("block", BLOCKS)
def test_projecting_twice_is_projecting_once(p: int, block: Block) -> None:
    x = draw(2, p * p, 3)
    is_key = torch.arange(p // 2 + 1)[:, None] % 2 == 1
    once = keep_waves(x, is_key, block)
    torch.testing.assert_close(keep_waves(once, is_key, block), once)
    torch.testing.assert_close(once.mean(dim=-2), torch.zeros(2, 3, dtype=torch.float64))


@pytest.mark.parametrize("block", BLOCKS)
def test_the_constant_is_never_kept(block: Block) -> None:
    x = draw(49, 2)
    only = torch.tensor([True, False, True, False])[:, None]
    without = torch.tensor([False, False, True, False])[:, None]
    torch.testing.assert_close(keep_waves(x, only, block), keep_waves(x, without, block))
    assert torch.all(wave_energy(x, block)[0] == 0)


def test_a_wave_of_the_difference_is_no_wave_of_the_sum() -> None:
    p, k = 11, 3
    a, b = grid(p)
    x = torch.stack([wave(p, k, a + b, 0.4), wave(p, k, a - b, 0.4), wave(p, k, a, 0.4)], dim=-1)
    share = {block: explained_by_frequency(x, block)[k] for block in BLOCKS}
    for block, expected in (("sum", (1, 0, 0)), ("block2x2", (1, 1, 0)), ("block3x3", (1, 1, 1))):
        torch.testing.assert_close(share[block], torch.tensor(expected, dtype=torch.float64))


def test_each_function_may_have_frequencies_of_its_own() -> None:
    p = 7
    x = draw(p * p, 2)
    own = torch.tensor([[False, False], [True, False], [False, True], [False, False]])
    both = keep_waves(x, own, "block3x3")
    for n in range(2):
        torch.testing.assert_close(both[:, n], keep_waves(x, own[:, n : n + 1], "block3x3")[:, n])


def test_a_product_of_two_frequencies_belongs_to_neither() -> None:
    p = 11
    a, b = grid(p)
    x = (wave(p, 2, a) * wave(p, 3, b))[:, None]
    assert explained_by_frequency(x).max() < 1e-20


@pytest.mark.parametrize("p", ORDERS)
def test_energies_of_a_sum_are_those_of_its_table(p: int) -> None:
    """Parseval: a function of a + b has all its energy in the waves of a + b."""
    a, b = grid(p)
    table = draw(p, 2)
    x = table[(a + b) % p]
    torch.testing.assert_close(sum_means(x), table)
    centred = table - table.mean(dim=0)
    energy = wave_energy(x, "sum").sum(dim=0)
    torch.testing.assert_close(energy, p * centred.square().sum(dim=0))


def test_a_neuron_that_never_fires_has_nothing_to_explain() -> None:
    share = explained_by_frequency(torch.zeros(25, 2))
    assert torch.all(share == 0)


def test_pairs_that_are_not_all_pairs_are_refused() -> None:
    assert order_of(torch.zeros(49, 1)) == 7
    with pytest.raises(ValueError, match="50 pairs are not all pairs"):
        order_of(torch.zeros(50, 1))
