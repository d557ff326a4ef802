"""Gradients and first updates at initialisation."""

import math

import pytest
import torch
from torch import Tensor

from grok.claims.checks.inductive_bias_steps import ScaledLoss
from grok.metrics.norms import l2_norm
from grok.models.config import norm_config
from grok.training import PairProblem, Stack
from tests.builders import changed, data_of, make_stack, tiny


def first_update_norms(stack: Stack) -> Tensor:
    before = stack.theta.clone()
    stack.advance(1)
    return l2_norm(stack.theta - before)


def trajectory(factor: float, eps: float) -> Tensor:
    """Parameters after each of five updates of a GELU network, float64."""
    configs = [tiny(p=13, eps=eps), tiny(p=13, eps=eps, init_seed=1)]
    stack = ScaledLoss(PairProblem(configs, data_of(configs)), [factor] * 2)
    rows = []
    for _ in range(5):
        stack.advance(1)
        rows.append(stack.theta.clone())
    return torch.stack(rows)


@pytest.mark.parametrize("factor", [1e-3, 0.3, 7.0, 1e4])
def test_adamw_does_not_see_the_scale_of_the_loss_when_eps_is_0(factor: float) -> None:
    """IB-05."""
    torch.testing.assert_close(trajectory(factor, 1e-30), trajectory(1.0, 1e-30))


def test_adamw_keeps_its_bits_under_a_power_of_two_on_the_loss_when_eps_is_0() -> None:
    assert torch.equal(trajectory(2.0**10, 0.0), trajectory(1.0, 0.0))


def test_adamw_sees_the_scale_of_the_loss_when_eps_is_not_small() -> None:
    assert not torch.allclose(trajectory(1e-3, 1e-3), trajectory(1.0, 1e-3))


def test_first_update_norm_of_sgd_is_the_rate_times_the_gradient() -> None:
    stack = make_stack(tiny(kind="sgd", weight_decay=0.0, lr=0.1))
    gradient = l2_norm(stack.gradient()[1])
    torch.testing.assert_close(first_update_norms(stack), 0.1 * gradient)


def test_a_parameter_without_gradient_stays_bit_identical() -> None:
    """IB-08: the norms that a placement does not use are neither updated nor decayed."""
    norm = norm_config("mlp", build_unused=True)
    stack = make_stack(tiny(norm=norm), tiny(norm=norm, init_scale=0.7))
    before = {name: x.clone() for name, x in stack.named(stack.theta).items()}
    stack.advance(3)
    stays = {name for name, x in stack.named(stack.theta).items() if torch.equal(x, before[name])}
    assert stays == {"blocks.0.ln1.w", "blocks.0.ln1.b"}


def test_frozen_norms_stay_at_1_and_0() -> None:
    stack = make_stack(tiny(norm=norm_config("pre", affine="frozen")))
    stack.advance(3)
    for name, x in stack.named(stack.theta).items():
        if "ln" in name:
            assert (x == (1.0 if name.endswith(".w") else 0.0)).all()


def test_decay_alone_shrinks_every_trained_parameter_by_rate_times_decay() -> None:
    """Loss and gradient vanish when the readout is scaled away."""
    config = tiny(readout_scale=1e-300, weight_decay=2.0, lr=1e-2)
    stack = make_stack(config, changed(config, weight_decay=0.0))
    before = stack.theta.clone()
    stack.advance(1)
    torch.testing.assert_close(stack.theta[0], (1 - 0.02) * before[0])
    torch.testing.assert_close(stack.theta[1], before[1])


@pytest.mark.parametrize("alpha", [0.5, 2.0])
def test_gradients_of_mse_on_large_readouts_grow_with_the_square_of_the_scale(alpha: float) -> None:
    """d/dtheta (alpha f - y)^2 is 2 alpha (alpha f - y) f', of order alpha^2 for alpha f >> y."""
    big = [tiny(loss="mse", readout_scale=scale) for scale in (1e6, alpha * 1e6)]
    norms = l2_norm(make_stack(*big).gradient()[1])
    assert math.log((norms[1] / norms[0]).item(), alpha) == pytest.approx(2, abs=1e-4)
