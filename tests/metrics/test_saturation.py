"""Saturation of constructed representations, and what padding and collapse do to it."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from grok.metrics.attention import saturated_pattern, total_variation
from grok.metrics.homogeneity import scaled
from grok.metrics.saturation import (
    answers_agree,
    cosine,
    masked_mean,
    saturation,
    smallest_gap,
    unit,
    unsaturated_weight,
)
from grok.models.config import TransformerConfig, norm_config
from grok.models.shapes import Tokens
from grok.models.transformer import Transformer
from tests.builders import random_parameters

INF = math.inf


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_cosine_equals_that_of_torch() -> None:
    x, y = gaussian(2, 20, 7)
    torch.testing.assert_close(cosine(x, y), F.cosine_similarity(x, y, dim=-1))


@pytest.mark.parametrize("size", [1e-200, 1.0, 1e250])
def test_cosine_does_not_see_the_length_of_a_vector(size: float) -> None:
    x, y = gaussian(2, 20, 7)
    torch.testing.assert_close(cosine(size * x, y), cosine(x, y))
    torch.testing.assert_close(unit(size * x).norm(dim=-1), torch.ones(20, dtype=torch.float64))


def test_a_vector_without_direction_has_cosine_0_and_one_without_numbers_none() -> None:
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [INF, 1.0], [math.nan, 1.0]])
    found = cosine(x, torch.tensor([3.0, 0.0]).expand(4, 2))
    torch.testing.assert_close(found[:2], torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert found[2:].isnan().all()
    assert cosine(x[0], x[0]) == 0


def test_saturation_is_the_mean_of_the_cosines_of_all_positions() -> None:
    soft, hard = gaussian(2, 3, 4, 5, 6)
    found = saturation(soft, hard)
    each = F.cosine_similarity(soft, hard, dim=-1).flatten(1)
    torch.testing.assert_close(found.mean, each.mean(dim=1))
    torch.testing.assert_close(found.std, each.std(dim=1, correction=0))
    rows = [x.flatten(1, 2) - x.flatten(1, 2).mean(dim=1, keepdim=True) for x in (soft, hard)]
    torch.testing.assert_close(found.centred, F.cosine_similarity(*rows, dim=-1).mean(dim=1))
    share = rows[0].square().sum(dim=(1, 2)) / soft.square().sum(dim=(1, 2, 3))
    torch.testing.assert_close(found.variance, share)


def test_what_is_padding_may_hold_anything() -> None:
    soft, hard = gaussian(2, 3, 4, 5, 6)
    mask = torch.arange(5) < torch.tensor([[5], [3], [1], [4]])  # lengths of the sequences
    soft[:, ~mask], hard[:, ~mask] = math.nan, INF
    found = saturation(soft, hard, mask)
    for run in range(3):
        rows = torch.cat([soft[run, i, : int(n)] for i, n in enumerate(mask.sum(dim=1))])
        others = torch.cat([hard[run, i, : int(n)] for i, n in enumerate(mask.sum(dim=1))])
        alone = saturation(rows[None, None], others[None, None])
        for ours, theirs in zip(found, alone, strict=True):
            torch.testing.assert_close(ours[run], theirs[0])


def test_a_padded_and_an_unpadded_batch_have_the_same_saturation_at_each_position() -> None:
    """A causal network: what follows a sequence changes nothing in it."""
    config = TransformerConfig(
        d_model=8, n_heads=2, d_mlp=12, n_layers=2, causal=True, norm=norm_config("pre", final=True)
    )
    model = Transformer(config, Tokens(11, 9, 11))
    params = random_parameters(model, 1)
    tokens = torch.randint(1, 11, (1, 4, 6), generator=torch.Generator().manual_seed(0))
    padded = F.pad(tokens, (0, 3))

    def streams(tokens: Tensor, c: float) -> Tensor:
        return model.forward(scaled(params, c), tokens).pre_logits

    plain = cosine(streams(tokens, 1.0), streams(tokens, 1000.0))
    longer = cosine(streams(padded, 1.0), streams(padded, 1000.0))
    torch.testing.assert_close(longer[..., :6], plain)
    assert not torch.allclose(longer.mean(), plain.mean())  # padding has one of its own
    mask = (padded != 0).squeeze(0)
    found = saturation(streams(padded, 1.0), streams(padded, 1000.0), mask)
    torch.testing.assert_close(found.mean, plain.mean(dim=(1, 2)))


def test_a_constant_function_is_told_from_a_saturated_one() -> None:
    soft = gaussian(6).expand(1, 4, 5, 6)
    found = saturation(soft, 3 * soft)
    torch.testing.assert_close(found.mean, torch.ones(1, dtype=torch.float64))
    torch.testing.assert_close(found.variance, torch.zeros(1, dtype=torch.float64))
    varied = gaussian(1, 4, 5, 6)
    varied = varied - varied.mean(dim=(1, 2), keepdim=True)
    torch.testing.assert_close(
        saturation(varied, varied).variance, torch.ones(1, dtype=torch.float64)
    )


def test_a_large_coordinate_that_all_positions_share_counts_only_before_the_centring() -> None:
    soft, hard = gaussian(2, 1, 40, 5, 6)
    far = torch.zeros(6, dtype=torch.float64)
    far[0] = 1e3
    found = saturation(soft + far, hard + far)
    assert found.mean > 0.999
    torch.testing.assert_close(found.centred, saturation(soft, hard).centred)


def test_without_a_position_that_counts_nothing_is_known() -> None:
    soft, hard = gaussian(2, 2, 4, 5, 6)
    found = saturation(soft, hard, torch.zeros(4, 5, dtype=torch.bool))
    assert all(x.isnan().all() for x in found)
    assert masked_mean(soft[..., 0], torch.zeros(4, 5, dtype=torch.bool)).isnan().all()


def test_answers_agree_where_the_largest_logit_is_in_one_class() -> None:
    soft = torch.tensor([[0.0, 1.0], [0.0, 1.0], [1.0, 1.0], [math.nan, 1.0]])
    hard = torch.tensor([[-5.0, 9.0], [2.0, 1.0], [3.0, 0.0], [0.0, 1.0]])
    agree = answers_agree(soft, hard)
    assert agree[:3].tolist() == [1, 0, 1]
    assert agree[3].isnan()


@pytest.mark.parametrize("n_ties", [1, 3])
@pytest.mark.parametrize("c", [0.5, 1.0, 20.0])
def test_the_weight_of_the_losers_is_that_of_a_softmax(n_ties: int, c: float) -> None:
    a = gaussian(30, 8)
    a[:, :n_ties] = a.amax(dim=-1, keepdim=True)
    losing = a < a.amax(dim=-1, keepdim=True)
    expected = torch.where(losing, (c * a).softmax(dim=-1), 0.0).sum(dim=-1)
    torch.testing.assert_close(unsaturated_weight(a, c), expected)
    hard = saturated_pattern(a, tol=0.0)
    torch.testing.assert_close(
        unsaturated_weight(a, c), total_variation((c * a).softmax(dim=-1), hard)
    )


def test_the_weight_of_the_losers_falls_at_the_rate_of_the_gap() -> None:
    a = gaussian(30, 8)
    gap = smallest_gap(a)
    top = a.sort(dim=-1, descending=True).values
    torch.testing.assert_close(gap, top[:, 0] - top[:, 1])
    c = 600 / gap.mean()
    kept = gap < 1.1 * gap.mean()  # e^-660 is a float64
    found = torch.stack([unsaturated_weight(row, float(c)) for row in a[kept]])
    bound = 7 * (-c * gap[kept]).exp()
    assert (found <= bound).all()
    assert (found >= bound / 7 / 2).all()


def test_a_lone_key_wins_everything_and_no_key_nothing() -> None:
    rows = torch.tensor([[2.0, -INF], [3.0, 3.0], [-INF, -INF]])
    weight, gap = unsaturated_weight(rows), smallest_gap(rows)
    assert weight[:2].tolist() == [0, 0]
    assert gap[:2].tolist() == [INF, INF]
    assert weight[2].isnan()
    assert gap[2].isnan()
