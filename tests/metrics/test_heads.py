"""Statistics of heads on constructed attention."""

import math

import pytest
import torch
from torch import Tensor

from grok.metrics.attention import saturated_pattern
from grok.metrics.heads import head_class, head_statistics

L = 83


def causal(n: int) -> Tensor:
    return torch.ones(n, n, dtype=torch.bool).tril()


def one_head(pattern: Tensor) -> Tensor:
    return pattern[None, None]


def uniform(visible: Tensor) -> Tensor:
    return visible.double() / visible.sum(dim=-1, keepdim=True)


@pytest.mark.parametrize("n", [1, 2, 83])
def test_a_mean_head_attends_to_half_of_a_causal_sequence_and_to_all_it_sees(n: int) -> None:
    visible = causal(n)
    found = head_statistics(one_head(uniform(visible)), visible)
    assert found.n_mean.item() == pytest.approx((n + 1) / 2)
    assert found.n_std.item() == pytest.approx(((n**2 - 1) / 12) ** 0.5)
    assert found.split.item() == pytest.approx((n - 1) / n)
    assert found.frac.item() == 1
    assert found.leak.item() == 0
    # Query q is q / 2 away from the keys 0, ..., q in the mean.
    assert found.distance.item() == pytest.approx((n - 1) / 4)
    if n > 1:
        assert found.split_of_many.item() == 1
        assert found.relative_distance.item() == pytest.approx(1)
    else:
        assert found.split_of_many.isnan()
        assert found.relative_distance.isnan()


def test_a_head_on_the_position_before_has_one_position_at_distance_1() -> None:
    before = torch.eye(L, dtype=torch.float64)[[0, *range(L - 1)]]
    found = head_statistics(one_head(before), causal(L))
    assert (found.n_mean.item(), found.split.item(), found.n_std.item()) == (1, 0, 0)
    assert found.distance.item() == pytest.approx((L - 1) / L)
    assert found.frac.item() == pytest.approx(sum(1 / n for n in range(1, L + 1)) / L)


def test_ties_of_three_are_three_positions() -> None:
    scores = torch.zeros(1, 1, 6, 6, dtype=torch.float64)
    scores[..., [1, 2, 5]] = 4.0
    everything = torch.ones(6, 6, dtype=torch.bool)
    found = head_statistics(saturated_pattern(scores), everything)
    assert (found.n_mean.item(), found.split.item(), found.frac.item()) == (3, 1, 0.5)


@pytest.mark.parametrize(
    ("n", "mean", "split", "std"),
    [(83, 41.0120, 0.9759, 23.939), (700, 349.5014, 0.9971, 202.071)],
)
def test_a_mask_that_multiplies_scores_makes_the_published_mean_heads(
    n: int, mean: float, split: float, std: float
) -> None:
    """Masked scores become 0, above every negative one: the head attends to the future."""
    scores = -1 - torch.rand(1, 1, n, n, generator=torch.Generator().manual_seed(0)).double()
    leaky = saturated_pattern(scores * causal(n))
    found = head_statistics(leaky, torch.ones(n, n, dtype=torch.bool))
    assert found.n_mean.item() == pytest.approx(mean, abs=5e-5)
    assert found.split.item() == pytest.approx(split, abs=5e-5)
    n_rows = 200 * n  # published of 200 sentences, as a sample's
    in_sample = found.n_std.item() * (n_rows / (n_rows - 1)) ** 0.5
    assert in_sample == pytest.approx(std, abs=5e-4)
    right = head_statistics(leaky, causal(n))
    assert right.leak.item() == pytest.approx((n - 1) / n)  # of all queries but the last
    masked = scores.masked_fill(~causal(n), -math.inf)
    assert head_statistics(saturated_pattern(masked), causal(n)).leak.item() == 0


def test_queries_that_see_nothing_are_left_out() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(3, 4, 2, 6, 6, dtype=torch.float64, generator=generator)
    lengths = torch.tensor([6, 4, 2, 3])
    is_there = torch.arange(6) < lengths.unsqueeze(1)  # [batch, pos]
    visible = causal(6) & is_there[:, None, None, :] & is_there[:, None, :, None]
    weights = saturated_pattern(scores.masked_fill(~visible, -math.inf), tol=0.5)
    assert weights.isnan().any()
    found = head_statistics(weights, visible)
    n = [
        int((weights[0, i, 1, q] > 0).sum())
        for i, length in enumerate(lengths.tolist())
        for q in range(length)
    ]
    assert found.n_mean[0, 1].item() == pytest.approx(sum(n) / len(n))
    assert found.split[0, 1].item() == pytest.approx(sum(x > 1 for x in n) / len(n))
    assert found.leak.abs().max() == 0
    nothing = head_statistics(weights, torch.zeros_like(visible))
    assert all(x.isnan().all() for x in nothing)


def test_fewer_queries_than_keys_are_the_last_positions() -> None:
    weights = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # of positions 1 and 2
    found = head_statistics(one_head(weights), torch.ones(2, 3, dtype=torch.bool))
    assert found.distance.item() == pytest.approx(0.5)


def test_a_weight_counts_from_1e_5() -> None:
    weights = torch.tensor([[1.0, 2e-5, 1e-5, 0.0]], dtype=torch.float64)
    found = head_statistics(one_head(weights), torch.ones(1, 4, dtype=torch.bool))
    assert found.n_mean.item() == 2


def test_every_head_has_one_class_or_none() -> None:
    n = torch.tensor([1.0, 2.0, 2.1, 2.1, 1.0, math.nan, 9.0], dtype=torch.float64)
    frac = torch.tensor([0.1, 0.7, 0.9, 0.89, 1.0, 1.0, math.nan], dtype=torch.float64)
    found = head_class(n, frac)
    assert found.is_argmax.tolist() == [True, True, False, False, True, False, False]
    assert found.is_mean.tolist() == [False, False, True, False, False, False, False]
    assert found.is_mixed.tolist() == [False, False, False, True, False, False, False]


def test_the_thresholds_of_the_classes_can_be_moved() -> None:
    n, frac = torch.tensor([2.0]), torch.tensor([2 / 3])
    assert head_class(n, frac).is_argmax
    assert head_class(n, frac, argmax_below=1.5).is_mixed
    assert head_class(n, frac, argmax_below=1.5, mean_from=0.6).is_mean
