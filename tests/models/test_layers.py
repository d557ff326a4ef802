"""Linear maps, norms and activations, run by run."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from grok.models.config import NormConfig
from grok.models.layers import activation, attention_scale, linear, normalise, split_heads


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=generator)


def norm(x: Tensor, kind: str, eps: float = 0.0) -> Tensor:
    return normalise(x, NormConfig(kind=kind, eps=eps), None, None)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("axes", [(), (4,), (4, 3), (4, 3, 2)], ids=str)
@pytest.mark.parametrize("has_bias", [False, True])
def test_each_run_has_its_own_linear_map(axes: tuple[int, ...], has_bias: bool) -> None:
    x, weight = gaussian(2, *axes, 5), gaussian(2, 6, 5, seed=1)
    bias = gaussian(2, 6, seed=2) if has_bias else None
    expected = [F.linear(x[r], weight[r], None if bias is None else bias[r]) for r in range(2)]
    torch.testing.assert_close(linear(x, weight, bias), torch.stack(expected))


def test_layer_norm_has_mean_0_and_biased_variance_1() -> None:
    y = norm(gaussian(2, 5, 8), "layer")
    torch.testing.assert_close(y.mean(dim=-1), torch.zeros(2, 5, dtype=torch.float64))
    ones = torch.ones(2, 5, dtype=torch.float64)
    torch.testing.assert_close(y.var(dim=-1, correction=0), ones)


def test_rms_norm_has_mean_square_1_and_l2_norm_has_length_1() -> None:
    ones = torch.ones(2, 5, dtype=torch.float64)
    x = gaussian(2, 5, 8)
    torch.testing.assert_close(norm(x, "rms").square().mean(dim=-1), ones)
    torch.testing.assert_close(norm(x, "l2").square().sum(dim=-1), ones)


def test_rms_norm_is_the_l2_norm_times_the_root_of_the_width() -> None:
    x = gaussian(2, 5, 8)
    torch.testing.assert_close(norm(x, "rms"), 8**0.5 * norm(x, "l2"))


def test_layer_norm_is_rms_norm_of_the_centred_vector() -> None:
    x = gaussian(2, 5, 8)
    torch.testing.assert_close(norm(x, "layer"), norm(norm(x, "centre"), "rms"))


@pytest.mark.parametrize("kind", ["layer", "rms", "l2"])
def test_a_norm_is_blind_to_scale_when_eps_is_0_and_not_otherwise(kind: str) -> None:
    x = gaussian(2, 5, 8)
    torch.testing.assert_close(norm(1000 * x, kind), norm(x, kind))
    assert not torch.allclose(norm(1000 * x, kind, 1e-2), norm(x, kind, 1e-2))


def test_centring_is_linear() -> None:
    x, y = gaussian(2, 5, 8), gaussian(2, 5, 8, seed=1)
    combined = norm(3 * x - y, "centre")
    torch.testing.assert_close(combined, 3 * norm(x, "centre") - norm(y, "centre"))


def test_a_constant_vector_becomes_0_under_centring_and_under_layer_norm_with_eps() -> None:
    x = torch.full((1, 2, 8), 3.0, dtype=torch.float64)
    assert (norm(x, "centre") == 0).all()
    assert (norm(x, "layer", 1e-5) == 0).all()


def test_0_over_0_is_nan_for_a_constant_under_layer_norm_and_for_0_under_the_others() -> None:
    constant = torch.full((1, 2, 8), 3.0, dtype=torch.float64)
    assert norm(constant, "layer").isnan().all()
    for kind in ("rms", "l2"):
        assert norm(0 * constant, kind).isnan().all()
        assert (norm(0 * constant, kind, 1e-5) == 0).all()


def test_gain_and_bias_are_those_of_each_run() -> None:
    x, gain, bias = gaussian(2, 4, 3, 8), gaussian(2, 8, seed=1), gaussian(2, 8, seed=2)
    y = normalise(x, NormConfig(eps=1e-3), gain, bias)
    expected = [F.layer_norm(x[r], (8,), gain[r], bias[r], 1e-3) for r in range(2)]
    torch.testing.assert_close(y, torch.stack(expected))


def test_heads_are_consecutive_slices_of_the_last_axis() -> None:
    x = gaussian(2, 3, 6)
    heads = split_heads(x, 3)
    assert heads.shape == (2, 3, 3, 2)
    torch.testing.assert_close(heads[:, :, 1], x[..., 2:4])


def test_activations_are_those_of_torch() -> None:
    pre, gate = gaussian(2, 3, 6), gaussian(2, 3, 6, seed=1)
    torch.testing.assert_close(activation(pre, None, "gelu"), torch.nn.GELU()(pre))
    torch.testing.assert_close(activation(pre, None, "relu"), torch.nn.ReLU()(pre))
    torch.testing.assert_close(activation(pre, gate, "glu"), gate * torch.sigmoid(gate) * pre)


def test_scores_of_heads_of_width_16_are_divided_by_4() -> None:
    assert attention_scale(16) == 1 / 4
