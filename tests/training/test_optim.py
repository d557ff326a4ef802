"""Update rules, rates and decays of a stack, by closed forms and by torch."""

from typing import Any

import pytest
import torch
from torch import Tensor

from grok.config import RunConfig
from grok.training.optim import StackOptimizer
from tests.builders import tiny

N = 5
TORCH = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}


def make(*configs: RunConfig, decays: Tensor | None = None) -> StackOptimizer:
    return StackOptimizer(configs, decays, N, torch.float64, torch.device("cpu"))


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("kind", TORCH)
@pytest.mark.parametrize("eps", [1e-8, 1e-2])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_updates_are_those_of_torch(kind: str, eps: float, momentum: float) -> None:
    configs = [
        tiny(kind=kind, eps=eps, momentum=momentum, lr=lr, weight_decay=decay, betas=betas)
        for lr, decay, betas in [(1e-2, 1.0, (0.9, 0.98)), (3e-3, 0.0, (0.5, 0.999))]
    ]
    optimizer, theta = make(*configs), gaussian(2, N)
    leaves = [row.clone().requires_grad_() for row in theta]
    own = {"momentum": momentum} if kind == "sgd" else {"eps": eps}
    theirs = [
        TORCH[kind](
            [leaf],
            lr=c.optim.lr,
            weight_decay=c.optim.weight_decay,
            **own,
            **({} if kind == "sgd" else {"betas": c.optim.betas}),
        )
        for leaf, c in zip(leaves, configs, strict=True)
    ]
    for t in range(20):
        grad = gaussian(2, N, seed=t + 1)
        for leaf, g, their in zip(leaves, grad, theirs, strict=True):
            leaf.grad = g.clone()
            their.step()
        theta = theta + optimizer.delta(theta, grad, t)
    torch.testing.assert_close(theta, torch.stack([leaf.detach() for leaf in leaves]))


def test_the_first_step_of_adam_is_the_rate_times_the_sign_of_the_gradient() -> None:
    optimizer = make(tiny(kind="adam", eps=0.0, weight_decay=0.0, lr=0.1))
    grad = gaussian(1, N)
    expected = -0.1 * grad.sign()
    torch.testing.assert_close(optimizer.delta(gaussian(1, N, seed=1), grad, 0), expected)


def test_a_constant_gradient_moves_adam_by_the_rate_at_every_step() -> None:
    optimizer = make(tiny(kind="adam", eps=0.0, weight_decay=0.0, lr=0.1))
    for t in range(5):
        delta = optimizer.delta(gaussian(1, N), torch.full((1, N), 3.0, dtype=torch.float64), t)
        torch.testing.assert_close(delta, torch.full_like(delta, -0.1))


def test_momentum_sums_the_gradients_geometrically() -> None:
    optimizer = make(tiny(kind="sgd", momentum=0.5, weight_decay=0.0, lr=1.0))
    ones = torch.ones(1, N, dtype=torch.float64)
    steps = [optimizer.delta(ones, ones.clone(), t)[0, 0].item() for t in range(4)]
    assert steps == [-1.0, -1.5, -1.75, -1.875]


def test_decoupled_decay_shrinks_by_rate_times_decay() -> None:
    optimizer, theta = make(tiny(lr=1e-2, weight_decay=3.0)), gaussian(1, N)
    delta = optimizer.delta(theta, torch.zeros(1, N, dtype=torch.float64), 0)
    torch.testing.assert_close(delta, -0.03 * theta)


@pytest.mark.parametrize("kind", TORCH)
def test_only_the_weights_of_the_mask_decay(kind: str) -> None:
    mask = torch.tensor([True, False, True, False, True])
    theta, zero = gaussian(1, N), torch.zeros(1, N, dtype=torch.float64)
    delta = make(tiny(kind=kind), decays=mask).delta(theta, zero, 0)
    assert ((delta != 0) == mask).all()


def test_warm_up_starts_at_0_and_reaches_the_rate_after_its_steps() -> None:
    optimizer = make(tiny(lr=0.5, warmup=10), tiny(lr=1.0, warmup=10))
    rates = torch.cat([optimizer.learning_rate(t) for t in range(13)], dim=1)
    ramp = torch.tensor([min(t / 10, 1.0) for t in range(13)], dtype=torch.float64)
    torch.testing.assert_close(rates, torch.stack([0.5 * ramp, ramp]))


def test_the_update_of_rate_0_fills_the_moments() -> None:
    """The released code of Nanda et al. does so at its first step."""
    optimizer, grad = make(tiny(warmup=10)), gaussian(1, N)
    assert (optimizer.delta(gaussian(1, N), grad.clone(), 0) == 0).all()
    torch.testing.assert_close(optimizer.state["exp_avg"], 0.1 * grad)


def test_moments_of_a_run_that_is_not_alive_stay() -> None:
    optimizer, alive = make(tiny(), tiny()), torch.tensor([[True], [False]])
    optimizer.delta_alive(gaussian(2, N), gaussian(2, N), 0, alive)
    for moment in optimizer.state.values():
        assert moment[0].any()
        assert not moment[1].any()


BOOKKEEPING: list[tuple[dict[str, Any], float, float]] = [
    ({}, 1e-3, 1.0),
    # Learning rate over the squared readout scale: the decay per step falls with it.
    ({"readout_scale": 0.5, "lr_rule": "inverse_square_readout"}, 4e-3, 1.0),
    ({"readout_scale": 1.5, "lr_rule": "inverse_square_readout"}, 1e-3 / 2.25, 1.0),
    ({"readout_scale": 1.5}, 1e-3, 1.0),
    # The learning-rate sweep with "fixed weight decay" holds the product at 1e-3.
    ({"lr": 1e-2, "hold": "eta_lambda"}, 1e-2, 0.1),
    ({"lr": 3e-3, "hold": "eta_lambda"}, 3e-3, 1 / 3),
    ({"lr": 5e-3, "hold": "eta_lambda", "weight_decay": 2.0}, 5e-3, 0.4),
    (
        {"readout_scale": 0.5, "lr_rule": "inverse_square_readout", "hold": "eta_lambda"},
        4e-3,
        0.25,
    ),
    # The decay of the inverse square rule at a constant rate, and with its own rate.
    ({"readout_scale": 0.5, "hold": "eta_lambda_alpha2"}, 1e-3, 4.0),
    (
        {
            "readout_scale": 0.5,
            "lr_rule": "inverse_square_readout",
            "hold": "eta_lambda_alpha2",
        },
        4e-3,
        1.0,
    ),
]


@pytest.mark.parametrize(("fields", "lr", "decay"), BOOKKEEPING, ids=lambda x: str(x))
def test_rate_and_decay_are_booked_as_published(
    fields: dict[str, Any], lr: float, decay: float
) -> None:
    """IB-08."""
    config = tiny(**fields)
    assert config.lr == pytest.approx(lr, rel=1e-14)
    assert config.weight_decay == pytest.approx(decay, rel=1e-14)
    optimizer = make(config, tiny())
    assert optimizer.segments[0].lr[0].item() == config.lr
    assert optimizer.segments[0].decay[0].item() == config.weight_decay
    theta, zero = gaussian(2, N), torch.zeros(2, N, dtype=torch.float64)
    torch.testing.assert_close(optimizer.delta(theta, zero, 0)[0], -lr * decay * theta[0])
