"""What stands in for a part of a network, where the answer is known."""

import math

import pytest
import torch
from torch import Tensor

from grok.metrics.ablation import (
    frequency_polynomials,
    key_directions,
    linear_pattern,
    on_span,
    without_equals,
)
from grok.metrics.fourier import fourier_basis
from grok.metrics.pair_waves import block_waves, keep_waves


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("p", [3, 4, 7, 8])
def test_waves_of_a_block_are_orthonormal_and_give_its_projection(p: int) -> None:
    x = draw(p * p, 3)
    for k in range(1, p // 2 + 1):
        waves = block_waves(p, k)
        assert waves.shape[1] == (3 if 2 * k == p else 8)
        torch.testing.assert_close(waves.mT @ waves, torch.eye(waves.shape[1]).double())
        is_key = (torch.arange(p // 2 + 1) == k)[:, None]
        expected = keep_waves(x, is_key, "block3x3")
        torch.testing.assert_close(waves @ (waves.mT @ x), expected)
    for wrong in (0, p // 2 + 1):
        with pytest.raises(ValueError, match=f"frequency={wrong} is not one of 1 to {p // 2}"):
            block_waves(p, wrong)


@pytest.mark.parametrize("p", [7, 8])
def test_a_neuron_of_one_frequency_stays_and_of_several_is_left_alone(p: int) -> None:
    """And one of a frequency with some of another loses the rest."""
    first, second = block_waves(p, 2) @ draw(8, 1), block_waves(p, 1) @ draw(8, 1)
    second = second * first.norm() / second.norm()
    pure, both, most = 5 + first, 5 + first + second, 5 + first + 0.1 * second
    neurons = torch.cat([pure, both, most], dim=1)
    expected = torch.cat([pure, both, pure], dim=1)
    torch.testing.assert_close(frequency_polynomials(neurons), expected)


@pytest.mark.parametrize("p", [6, 7])
def test_read_out_directions_are_those_of_the_keys_alone(p: int) -> None:
    weight, basis = draw(p, 5), fourier_basis(p)
    is_key = torch.tensor([True, False, True, True])  # the constant is none, whatever is said
    found = key_directions(weight, is_key)
    for row, wave in enumerate(basis):
        expected = wave @ weight if (row + 1) // 2 in (2, 3) else torch.zeros(5).double()
        torch.testing.assert_close(found[row], expected)


def test_what_is_in_the_span_stays_and_the_rest_is_orthogonal_to_it() -> None:
    directions = torch.cat([draw(2, 6), torch.zeros(1, 6).double()])
    directions = torch.cat([directions, directions[:1] - 2 * directions[1:2]])  # of rank two
    x = draw(9, 6, seed=1)
    kept = on_span(x, directions)
    torch.testing.assert_close(on_span(kept, directions), kept)
    torch.testing.assert_close((x - kept) @ directions.mT, torch.zeros(9, 4).double())
    inside = draw(9, 2, seed=2) @ directions[:2]
    torch.testing.assert_close(on_span(inside, directions), inside)
    assert torch.all(on_span(x, torch.zeros(4, 6)) == 0)
    assert on_span(x.float(), directions).dtype == torch.float32


def test_without_equals_the_others_have_their_shares_of_what_they_had() -> None:
    scores = 3 * draw(9, 3, 2)
    pattern = scores.softmax(dim=1)
    expected = pattern / pattern[:, :2].sum(dim=1, keepdim=True)
    expected[:, 2] = 0
    torch.testing.assert_close(without_equals(scores), expected)


def test_small_differences_of_scores_have_the_pattern_of_the_softmax() -> None:
    """There a sigmoid is a line up to the third order."""
    scores = 1e-4 * draw(49, 3, 2)
    scores[:, 2] -= 1.0
    torch.testing.assert_close(linear_pattern(scores), scores.softmax(dim=1))


def test_a_head_that_never_looks_elsewhere_keeps_its_pattern() -> None:
    scores = torch.tensor([2.0, 1.0, -1.0])[None, :, None].expand(9, 3, 1).double()
    torch.testing.assert_close(linear_pattern(scores), scores.softmax(dim=1))


def test_the_line_is_that_of_two_points() -> None:
    """Through two different differences goes one line; the middle has the mean of their shares."""
    x = torch.tensor([-math.log(3), math.log(3)], dtype=torch.float64)  # shares 1/4 and 3/4
    scores = torch.stack([x, 0 * x, 0 * x - torch.inf], dim=1)[:, :, None]
    expected = torch.tensor([[0.25, 0.75, 0.0], [0.75, 0.25, 0.0]]).double()[:, :, None]
    torch.testing.assert_close(linear_pattern(scores), expected)
    more = torch.cat([scores, torch.tensor([0.0, 0.0, -torch.inf]).double()[None, :, None]])
    torch.testing.assert_close(linear_pattern(more)[2, :2, 0], torch.full((2,), 0.5).double())
