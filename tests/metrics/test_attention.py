import math

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from grok.metrics.attention import (
    attention_entropy,
    kl_divergence,
    published_entropy,
    rounded_pattern,
    saturated_pattern,
    total_variation,
)

INF = math.inf


def scores(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("n", [1, 3, 113])
def test_uniform_attention_has_the_log_of_the_number_of_keys(n: int) -> None:
    entropy = attention_entropy(torch.full((2, n), 1 / n, dtype=torch.float64))
    torch.testing.assert_close(entropy, torch.full((2,), math.log(n), dtype=torch.float64))


def test_attention_to_one_key_has_no_entropy() -> None:
    assert (attention_entropy(torch.eye(4)) == 0).all()


def test_entropy_equals_that_of_scipy() -> None:
    pattern = scores(5, 7).softmax(dim=-1)
    expected = torch.from_numpy(scipy.stats.entropy(pattern.numpy(), axis=-1))
    torch.testing.assert_close(attention_entropy(pattern), expected)


def test_published_entropy_of_uniform_attention_to_three_keys_is_ln_3() -> None:
    """Claim IB-09, entropy."""
    uniform = torch.full((5, 4, 3, 3), 1 / 3, dtype=torch.float64)
    expected = torch.tensor(math.log(3), dtype=torch.float64)
    torch.testing.assert_close(published_entropy(uniform), expected)


def test_published_entropy_averages_heads_before_it_takes_the_entropy() -> None:
    # Three heads, each on a key of its own: sharp one by one, uniform together.
    one_key_each = torch.eye(3, dtype=torch.float64)[None, :, None, :]
    expected = torch.tensor(math.log(3), dtype=torch.float64)
    torch.testing.assert_close(published_entropy(one_key_each), expected)
    assert (attention_entropy(one_key_each) == 0).all()


def test_published_entropy_counts_every_query_row_and_example() -> None:
    pattern = scores(6, 4, 3, 3).softmax(dim=-1)
    of_each_row = np.asarray(scipy.stats.entropy(pattern.mean(dim=1).numpy(), axis=-1))
    expected = torch.tensor(of_each_row.mean())
    torch.testing.assert_close(published_entropy(pattern), expected)


def test_published_entropy_clamps_weights_from_below() -> None:
    sharp = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)[None, None, None]
    eps = 1e-3
    expected = torch.tensor(-2 * eps * math.log(eps), dtype=torch.float64)
    torch.testing.assert_close(published_entropy(sharp, eps=eps), expected)


def test_tied_maxima_share_the_attention() -> None:
    pattern = saturated_pattern(torch.tensor([[2.0, -1.0, 2.0, 0.0], [5.0, 5.0, 5.0, 5.0]]))
    torch.testing.assert_close(pattern, torch.tensor([[0.5, 0, 0.5, 0], [0.25] * 4]))


def test_masked_keys_are_never_attended_to() -> None:
    pattern = saturated_pattern(torch.tensor([[-3.0, -INF, -3.0, -INF]]))
    torch.testing.assert_close(pattern, torch.tensor([[0.5, 0.0, 0.5, 0.0]]))


@pytest.mark.parametrize("tol", [0.0, 1e-6, 10.0])
def test_a_masked_key_is_outside_any_tolerance(tol: float) -> None:
    pattern = saturated_pattern(torch.tensor([1.0, -INF]), tol=tol)
    torch.testing.assert_close(pattern, torch.tensor([1.0, 0.0]))


@pytest.mark.parametrize(("largest", "width"), [(0.0, 0.1), (0.5, 0.1), (-20.0, 2.0), (20.0, 2.0)])
def test_the_tolerance_is_relative_for_scores_above_one(largest: float, width: float) -> None:
    row = torch.tensor([largest, largest - 0.9 * width, largest - 1.1 * width])
    pattern = saturated_pattern(row, tol=0.1)
    torch.testing.assert_close(pattern, torch.tensor([0.5, 0.5, 0.0]))


@pytest.mark.parametrize("row", [[-INF, -INF], [0.0, math.nan], [0.0, INF]])
def test_a_row_that_softmax_cannot_normalise_is_nan(row: list[float]) -> None:
    undefined = torch.tensor(row)
    assert undefined.softmax(dim=-1).isnan().any()
    assert saturated_pattern(undefined).isnan().all()


def test_saturated_attention_is_the_limit_of_scaled_scores() -> None:
    a = scores(20, 5)
    a[:, 3] = a[:, 1]
    torch.testing.assert_close(saturated_pattern(a), (1e6 * a).softmax(dim=-1))


def test_saturated_attention_has_the_dtype_of_a_softmax() -> None:
    assert saturated_pattern(torch.zeros(2, 3, dtype=torch.float32)).dtype == torch.float32


def test_saturation_ignores_a_positive_scale_and_keeps_what_is_saturated() -> None:
    a = scores(20, 5)
    pattern = saturated_pattern(a)
    torch.testing.assert_close(saturated_pattern(3 * a), pattern)
    torch.testing.assert_close(saturated_pattern(pattern.log()), pattern)


def test_total_variation_is_0_for_equal_and_1_for_disjoint() -> None:
    p = torch.tensor([0.5, 0.5, 0.0, 0.0])
    assert total_variation(p, p) == 0
    assert total_variation(p, p.flip(-1)) == 1


def test_total_variation_from_saturation_is_the_weight_of_the_keys_that_lose() -> None:
    # Two keys with a gap: softmax gives the loser 1 / (1 + exp(gap)).
    gap = torch.tensor([0.5, 1.0, 8.0], dtype=torch.float64)
    a = torch.stack([gap, torch.zeros(3, dtype=torch.float64)], dim=-1)
    distance = total_variation(a.softmax(dim=-1), saturated_pattern(a))
    torch.testing.assert_close(distance, 1 / (1 + gap.exp()))


def test_total_variation_is_a_metric() -> None:
    p, q, r = scores(3, 20, 5).softmax(dim=-1)
    torch.testing.assert_close(total_variation(p, q), total_variation(q, p))
    assert (total_variation(p, r) <= total_variation(p, q) + total_variation(q, r)).all()


def test_the_divergence_equals_that_of_scipy() -> None:
    p, q = scores(2, 20, 5).softmax(dim=-1)
    expected = torch.from_numpy(scipy.stats.entropy(p.numpy(), q.numpy(), axis=-1))
    torch.testing.assert_close(kl_divergence(p, q), expected)


def test_a_key_that_is_not_attended_to_adds_nothing_and_one_that_cannot_be_everything() -> None:
    p = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.5, 0.5]])
    q = torch.tensor([[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]])
    expected = torch.tensor([0.0, math.log(2), INF], dtype=torch.float64)
    torch.testing.assert_close(kl_divergence(p, q), expected)


@pytest.mark.parametrize(("share", "n_kept"), [(0.0, 4), (0.5, 3), (0.85, 2), (0.99, 1)])
def test_weights_above_a_share_of_the_largest_are_a_tie(share: float, n_kept: int) -> None:
    row = torch.tensor([0.2, 0.25, 0.15, 0.0, 0.4]) / 0.4 + torch.tensor([0.4, 0, 0, 0, 0])
    kept = rounded_pattern(row, share)
    assert (kept > 0).sum() == n_kept
    torch.testing.assert_close(kept[kept > 0], torch.full((n_kept,), 1 / n_kept))


@pytest.mark.parametrize("row", [[0.0, 0.0], [math.nan, 1.0]])
def test_a_row_without_weights_has_no_tie(row: list[float]) -> None:
    assert rounded_pattern(torch.tensor(row)).isnan().all()
