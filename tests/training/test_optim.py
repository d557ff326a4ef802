"""Update rules, rates and decays of a stack, by closed forms and by torch."""

import re
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


SCHEDULES: dict[str, dict[str, Any]] = {
    "constant": {},
    "linear": {"horizon": 30, "final_rate": 0.1},
    "linear to 0": {"schedule": "linear", "horizon": 30},
    "cosine": {"horizon": 30, "final_rate": 0.1},
}


def torch_schedule(name: str, optimizer: torch.optim.Optimizer) -> Any:
    kinds = torch.optim.lr_scheduler
    if name == "cosine":
        return kinds.CosineAnnealingLR(optimizer, T_max=30, eta_min=0.5 * 0.1)
    if name == "constant":
        return kinds.ConstantLR(optimizer, factor=1.0)
    # LinearLR takes no factor of exactly 0 to start from, which is not asked for here.
    return kinds.LinearLR(optimizer, 1.0, 0.1 if name == "linear" else 0.0, total_iters=30)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_those_of_torch_up_to_their_horizon_and_stay(name: str) -> None:
    config = tiny(lr=0.5, **({"schedule": name} | SCHEDULES[name]))
    theirs = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    schedule, ours = torch_schedule(name, theirs), make(config)
    for t in range(31):
        rate = theirs.param_groups[0]["lr"]
        assert ours.learning_rate(t).item() == pytest.approx(rate, rel=1e-12, abs=1e-15)
        theirs.step()
        schedule.step()
    assert ours.learning_rate(99).item() == ours.learning_rate(30).item()


@pytest.mark.parametrize("flat", [0, 1, 4, 1000])
def test_the_inverse_root_is_the_published_relative_step(flat: int) -> None:
    """1 / sqrt(max(t, s)) with t from 1, in units of its largest value."""
    optimizer = make(tiny(lr=1.0, schedule="inverse_sqrt", flat_steps=flat))
    for t in (1, 2, 3, 4, 5, 10, 1000, 1001, 4000):
        expected = max(t, flat, 1) ** -0.5 * max(flat, 1) ** 0.5
        assert optimizer.learning_rate(t - 1).item() == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_a_schedule_begins_after_its_flat_steps(kind: Any) -> None:
    late = make(tiny(lr=1.0, schedule=kind, flat_steps=20, horizon=50, final_rate=0.25))
    early = make(tiny(lr=1.0, schedule=kind, horizon=30, final_rate=0.25))
    for t in range(60):
        expected = early.learning_rate(t - 20).item() if t > 20 else 1.0
        assert late.learning_rate(t).item() == pytest.approx(expected, rel=1e-14)
    assert late.learning_rate(35).item() == pytest.approx(0.625)


def test_warm_up_multiplies_the_schedule() -> None:
    fields: dict[str, Any] = {"schedule": "cosine", "horizon": 40}
    both, alone = make(tiny(warmup=10, **fields)), make(tiny(**fields))
    for t in range(50):
        expected = min(t / 10, 1.0) * alone.learning_rate(t).item()
        assert both.learning_rate(t).item() == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("kind", TORCH)
def test_a_scheduled_update_is_that_of_torch(kind: str) -> None:
    config = tiny(kind=kind, lr=0.1, weight_decay=0.5, schedule="linear", horizon=10)
    optimizer, theta = make(config), gaussian(1, N)
    leaf = theta[0].clone().requires_grad_()
    own = {} if kind == "sgd" else {"betas": config.optim.betas}
    theirs = TORCH[kind]([leaf], lr=0.1, weight_decay=0.5, **own)
    schedule = torch.optim.lr_scheduler.LinearLR(theirs, 1.0, 0.0, total_iters=10)
    for t in range(12):
        grad = gaussian(1, N, seed=t + 1)
        leaf.grad = grad[0].clone()
        theirs.step()
        schedule.step()
        theta = theta + optimizer.delta(theta, grad, t)
    torch.testing.assert_close(theta[0], leaf.detach())


WRONG_SCHEDULES: list[tuple[dict[str, Any], str]] = [
    ({"schedule": "linear"}, "optim.horizon=0: optim.schedule=linear needs more than 0 (flat_st"),
    ({"schedule": "cosine", "flat_steps": 9, "horizon": 9}, "optim.horizon=9: optim.schedule=cos"),
    ({"horizon": 9}, "optim.horizon=9 has no effect with optim.schedule=constant; it is of lin"),
    ({"flat_steps": 9}, "optim.flat_steps=9 has no effect with optim.schedule=constant"),
    ({"schedule": "inverse_sqrt", "final_rate": 0.1}, "optim.final_rate=0.1 has no effect with"),
    ({"schedule": "inverse_sqrt", "flat_steps": -1}, "optim.flat_steps=-1 is negative"),
    ({"schedule": "linear", "horizon": 9, "final_rate": 2.0}, "optim.final_rate=2.0 is not in [0"),
]


@pytest.mark.parametrize(("fields", "expected"), WRONG_SCHEDULES, ids=lambda x: str(x))
def test_a_schedule_that_cannot_be_is_one_line(fields: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(expected)) as caught:
        tiny(**fields)
    assert "\n" not in str(caught.value)
