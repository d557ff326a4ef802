"""Progress measures on logits whose circuit is known, and against the recipes written out."""

import math

import pytest
import torch
from torch import Tensor

from grok.metrics.fourier import fourier_basis, fourier_power
from grok.metrics.logit_waves import (
    Centring,
    cosine_coefficients,
    cosine_energy,
    cosine_logits,
    cosine_share,
    without_cosines,
)
from grok.metrics.loss import cross_entropy
from grok.metrics.pair_waves import Block
from grok.metrics.progress import (
    cluster_frequencies,
    component_norms,
    excluded_logits,
    excluded_loss_by_frequency,
    gini,
    key_frequencies,
    restricted_logits,
)

ORDERS = (22, 23)
BLOCKS: tuple[Block, ...] = ("sum", "block2x2", "block3x3")


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def mask(p: int, *keys: int) -> Tensor:
    is_key = torch.zeros(p // 2 + 1, dtype=torch.bool)
    is_key[list(keys)] = True
    return is_key


def grid(p: int) -> tuple[Tensor, Tensor]:
    pair = torch.arange(p * p)
    return pair // p, pair % p


def circuit(p: int, alpha: dict[int, float]) -> Tensor:
    """Logits of Fourier multiplication."""
    a, b = grid(p)
    d = ((a + b)[:, None] - torch.arange(p)).double()
    return torch.stack([c * torch.cos(2 * math.pi * k * d / p) for k, c in alpha.items()]).sum(0)


def labels(p: int) -> Tensor:
    a, b = grid(p)
    return (a + b) % p


@pytest.mark.parametrize("p", ORDERS)
def test_the_circuit_is_found_under_biases_that_change_no_answer(p: int) -> None:
    """PM-U2."""
    alpha = {1: 3.0, 5: 7.0, p // 2: 2.0}
    bias, shift = draw(p), draw(p * p, 1, seed=1)
    pure = circuit(p, alpha)
    logits = pure + bias + shift
    is_key = mask(p, *alpha)
    expected = torch.zeros(p // 2 + 1, dtype=torch.float64)
    expected[list(alpha)] = torch.tensor(list(alpha.values()), dtype=torch.float64)
    expected[0] = logits.mean()
    torch.testing.assert_close(cosine_coefficients(logits), expected)
    one = torch.ones((), dtype=torch.float64)
    torch.testing.assert_close(cosine_share(pure + shift, is_key), one)
    torch.testing.assert_close(cosine_share(logits, is_key, "centred"), one)
    right = labels(p)
    for block in BLOCKS:
        restricted = restricted_logits(logits, is_key, block)
        torch.testing.assert_close(
            restricted.softmax(-1), (pure + bias).softmax(-1), msg=f"{block}: softmax"
        )
    loss = cross_entropy(excluded_logits(logits, is_key), right)
    torch.testing.assert_close(loss, cross_entropy(bias.expand(p * p, p), right))


@pytest.mark.parametrize("p", ORDERS)
def test_a_wave_of_the_difference_changes_the_block_but_not_the_sum(p: int) -> None:
    """PM-U3."""
    a, b = grid(p)
    wave = torch.cos(2 * math.pi * 3 * (a - b).double() / p)[:, None] * draw(p)
    logits, is_key = circuit(p, {3: 5.0}), mask(p, 3)
    torch.testing.assert_close(
        restricted_logits(logits + wave, is_key), restricted_logits(logits, is_key)
    )
    moved = restricted_logits(logits + wave, is_key, "block2x2")
    torch.testing.assert_close(moved, restricted_logits(logits, is_key, "block2x2") + wave)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("p", ORDERS)
def test_restricted_and_excluded_logits_sum_to_the_logits(p: int, block: Block) -> None:
    """PM-U5: and the mean of each class, which both of them have."""
    logits, is_key = draw(p * p, p), mask(p, 1, 4, p // 2)
    both = restricted_logits(logits, is_key, block) + excluded_logits(logits, is_key, block)
    torch.testing.assert_close(both, logits + logits.mean(dim=0))


@pytest.mark.parametrize("p", ORDERS)
def test_a_shift_changes_nothing_and_a_factor_permutes_frequencies(p: int) -> None:
    """PM-U6."""
    logits = draw(p * p, p) + circuit(p, {2: 4.0, 7: 1.0})
    a, b = grid(p)
    table = logits.reshape(p, p, p)
    c = torch.arange(p)

    def moved(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return table[a % p, b % p].reshape(p * p, p)[:, c % p]

    every = torch.ones(p * p, dtype=torch.bool)
    shifted = moved(a + 3, b + 5, c + 8)
    torch.testing.assert_close(cosine_coefficients(shifted), cosine_coefficients(logits))
    torch.testing.assert_close(
        excluded_loss_by_frequency(shifted, every), excluded_loss_by_frequency(logits, every)
    )
    m = 5
    frequency = torch.arange(p // 2 + 1)
    product = m * frequency % p
    image = torch.minimum(product, p - product)
    alpha = cosine_coefficients(moved(m * a, m * b, m * c))
    torch.testing.assert_close(alpha[image], cosine_coefficients(logits))


@pytest.mark.parametrize("p", ORDERS)
def test_excluding_one_frequency_at_a_time_is_done_in_one_product(p: int) -> None:
    logits = draw(p * p, p) + circuit(p, {2: 30.0, p // 2: 9.0})
    is_train = draw(p * p, seed=3) > 0.5
    found = excluded_loss_by_frequency(logits, is_train)
    right = labels(p)
    for k in range(p // 2 + 1):
        excluded = excluded_logits(logits, mask(p, k))
        expected = cross_entropy(excluded[is_train], right[is_train])
        torch.testing.assert_close(found[k], expected, msg=f"frequency {k}")


def test_a_small_loss_keeps_its_digits_when_a_frequency_is_excluded() -> None:
    p = 23
    logits = circuit(p, {3: 9.0, 5: 9.0, 7: 9.0})
    every = torch.ones(p * p, dtype=torch.bool)
    found = excluded_loss_by_frequency(logits, every)
    expected = cross_entropy(excluded_logits(logits, mask(p, 3)), labels(p))
    assert 0 < found[0] < 1e-6
    torch.testing.assert_close(found[0], cross_entropy(logits, labels(p)), rtol=1e-4, atol=0)
    torch.testing.assert_close(found[3], expected)


@pytest.mark.parametrize("p", ORDERS)
def test_the_cosines_are_those_of_least_squares(p: int) -> None:
    logits = draw(p * p, p)
    k = range(1, p // 2 + 1)
    design = torch.stack([circuit(p, {j: 1.0}).flatten() for j in k], dim=-1)
    fit = torch.linalg.lstsq(design, logits.flatten()[:, None]).solution[:, 0]
    alpha = cosine_coefficients(logits)
    torch.testing.assert_close(alpha[1:], fit)
    squares = design.square().sum(dim=0) * fit.square()
    torch.testing.assert_close(cosine_energy(alpha, p)[1:], squares)
    is_key = mask(p, 0, *k)
    torch.testing.assert_close(
        without_cosines(logits, is_key), (logits.flatten() - design @ fit).reshape(p * p, p)
    )
    centred: dict[Centring, Tensor] = {
        "raw": logits,
        "row_centred": logits - logits.mean(-1, keepdim=True),
    }
    centred["centred"] = centred["row_centred"] - centred["row_centred"].mean(0)
    for centring, x in centred.items():
        share = cosine_share(logits, is_key, centring)
        torch.testing.assert_close(share, squares.sum() / x.square().sum())


@pytest.mark.parametrize("p", ORDERS)
def test_the_loss_of_the_cosines_alone_is_that_of_one_row(p: int) -> None:
    alpha = {2: 4.0, 5: 3.0}
    logits = circuit(p, alpha)
    row = cosine_logits(cosine_coefficients(logits), mask(p, *alpha), p)
    torch.testing.assert_close(
        cross_entropy(row[None], torch.zeros(1, dtype=torch.long)), cross_entropy(logits, labels(p))
    )


def test_keys_are_norms_above_a_quarter_of_the_largest() -> None:
    p, keys = 23, {2: 1.0, 9: 0.26, 11: 0.6, 5: 0.24}
    basis = fourier_basis(p)
    weight = sum(
        (c * basis[2 * k - 1][:, None] * draw(1, 8, seed=k).sign() for k, c in keys.items()),
        start=10 * basis[0][:, None].expand(p, 8),
    )
    found = key_frequencies(fourier_power(weight))
    assert found.nonzero().flatten().tolist() == [2, 9, 11]
    assert not key_frequencies(torch.zeros(12)).any()
    assert not key_frequencies(torch.full((12,), math.nan)).any()


def test_a_stray_neuron_makes_no_key_but_a_pure_one_does() -> None:
    explained = torch.zeros(6, 100)
    explained[2, :60] = 0.9
    explained[3, 60:97] = 0.4
    explained[4, 97] = 0.5  # one neuron of a hundred, not pure
    explained[5, 98] = 0.86  # one, but pure; the last neuron never fires
    assert cluster_frequencies(explained).nonzero().flatten().tolist() == [2, 3, 5]


def test_gini_is_zero_for_equals_and_nearly_one_for_one_of_many() -> None:
    """PM-U4."""
    n = 17
    zero = torch.zeros((), dtype=torch.float64)
    torch.testing.assert_close(gini(torch.full((n,), 3.0)), zero)
    one_hot = torch.zeros(n, dtype=torch.float64)
    one_hot[5] = 2.0
    torch.testing.assert_close(gini(one_hot), zero + 1 - 1 / n)
    x = draw(n).abs()
    torch.testing.assert_close(gini(7 * x), gini(x))
    differences = (x[:, None] - x).abs().mean() / (2 * x.mean())
    torch.testing.assert_close(gini(x), differences)


def test_norms_of_components_add_up_to_the_power_of_frequencies() -> None:
    weight = draw(2, 22, 5)
    squares = component_norms(weight).square()
    pairs = squares[..., 1:21].reshape(2, 10, 2).sum(dim=-1)
    power = torch.cat([squares[..., :1], pairs, squares[..., 21:]], dim=-1)
    torch.testing.assert_close(power, fourier_power(weight))
