"""Adafactor is torch's, the authors' algorithm written out, and the same in every stack."""

import math
from typing import Any

import torch
from torch import Tensor

from grok.config import RunConfig
from grok.training import Stack, restore, state_of
from grok.training.adafactor import Adafactor
from tests.builders import make_stack, tiny

SHAPES = {"W_E": (4, 3), "b": (5,), "W_U": (2, 6), "w": (1,)}
N = 4 * 3 + 5 + 2 * 6 + 1


def adafactor(**fields: Any) -> RunConfig:
    return tiny(kind="adafactor", weight_decay=fields.pop("weight_decay", 0.0), **fields)


def make(*configs: RunConfig, **more: Any) -> Adafactor:
    return Adafactor(configs, None, SHAPES, torch.float64, torch.device("cpu"), more.get("groups"))


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=generator)


def tensors(row: Tensor) -> dict[str, Tensor]:
    sizes = [math.prod(shape) for shape in SHAPES.values()]
    parts = zip(SHAPES.items(), row.split(sizes), strict=True)
    return {name: part.reshape(shape) for (name, shape), part in parts}


def test_updates_are_those_of_torch_with_its_relative_step() -> None:
    """torch's rate is the smaller of lr and one over the root of the step."""
    configs = [
        adafactor(lr=0.25, weight_decay=0.2, schedule="inverse_sqrt", flat_steps=16),
        adafactor(lr=0.25, init_seed=1, schedule="inverse_sqrt", flat_steps=16),
    ]
    theta = gaussian(2, N) * 0.1
    for run, decay in enumerate((0.2, 0.0)):
        leaves = {n: x.clone().requires_grad_() for n, x in tensors(theta[run]).items()}
        optimizer, ours = make(configs[run]), theta[run : run + 1]
        # torch decays by lr whatever the step, so it is compared while the two agree.
        n_steps = 60 if decay == 0 else 16
        theirs = torch.optim.Adafactor(
            list(leaves.values()), lr=0.25, eps=(1e-30, 1e-3), weight_decay=decay
        )
        for t in range(n_steps):
            grad = gaussian(1, N, seed=t + 1) * (1 + t % 3)
            for name, g in tensors(grad[0]).items():
                leaves[name].grad = g.clone()
            theirs.step()
            ours = ours + optimizer.delta(ours, grad, t)
        for name, x in tensors(ours[0]).items():
            torch.testing.assert_close(x, leaves[name].detach(), rtol=1e-10, atol=1e-12, msg=name)


def test_updates_are_those_of_the_authors_algorithm() -> None:
    """Algorithm 4 for a matrix, with sums of rows and columns, number by number."""
    optimizer, X = make(adafactor(lr=0.1)), gaussian(1, N)
    R, C = torch.zeros(4, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for t in range(1, 6):
        grad = gaussian(1, N, seed=t)
        G, before = tensors(grad[0])["W_E"].clone(), tensors(X[0])["W_E"]
        keep = 1 - t**-0.8
        R = keep * R + (1 - keep) * (G**2 + 1e-30).sum(dim=1)
        C = keep * C + (1 - keep) * (G**2 + 1e-30).sum(dim=0)
        U = G / (torch.outer(R, C) / R.sum()).sqrt()
        U = U / max(1.0, U.square().mean().sqrt().item())
        expected = before - 0.1 * max(1e-3, before.square().mean().sqrt().item()) * U
        X = X + optimizer.delta(X, grad, t - 1)
        torch.testing.assert_close(tensors(X[0])["W_E"], expected)


def test_a_step_is_relative_to_the_parameters_and_not_to_the_gradient() -> None:
    theta, grad = gaussian(1, N), gaussian(1, N, seed=1)
    delta = make(adafactor()).delta(theta, grad.clone(), 0)
    torch.testing.assert_close(make(adafactor()).delta(theta, 1e4 * grad, 0), delta)
    torch.testing.assert_close(make(adafactor()).delta(8 * theta, grad.clone(), 0), 8 * delta)
    for name, change in tensors(delta[0]).items():
        size = tensors(theta[0])[name].square().mean().sqrt()
        assert change.square().mean().sqrt() <= 1e-3 * size * (1 + 1e-12)


def test_parameters_that_are_0_move_by_the_least_scale() -> None:
    """Also where a gradient is 0: rows of words that a batch has not."""
    zero, grad = torch.zeros(1, N, dtype=torch.float64), gaussian(1, N, seed=1)
    tensors(grad[0])["W_E"][1] = 0
    delta = make(adafactor(lr=1.0)).delta(zero, grad, 0)
    assert delta.isfinite().all()
    assert (tensors(delta[0])["W_E"][1] == 0).all()
    torch.testing.assert_close(tensors(delta[0])["b"].abs().mean().item(), 1e-3)


def test_float32_gradients_of_0_give_no_nan() -> None:
    place = (SHAPES, torch.float32, torch.device("cpu"))
    optimizer = Adafactor([adafactor()], None, *place)
    for t in range(3):
        delta = optimizer.delta(torch.ones(1, N), torch.zeros(1, N), t)
        assert (delta == 0).all()


def test_groups_have_rates_and_decays_of_their_own() -> None:
    config = adafactor(lr=0.1, embed_lr=0.2, weight_decay=0.5, embed_weight_decay=0.0)
    optimizer = make(config, groups=[("embed", slice(0, 12)), ("rest", slice(12, N))])
    plain, theta = make(adafactor(lr=0.1)), gaussian(1, N)
    grad = gaussian(1, N, seed=1)
    ours, theirs = optimizer.delta(theta, grad.clone(), 0), plain.delta(theta, grad.clone(), 0)
    torch.testing.assert_close(ours[:, :12], 2 * theirs[:, :12])
    torch.testing.assert_close(ours[:, 12:], theirs[:, 12:] - 0.05 * theta[:, 12:])


def test_states_of_a_run_that_is_not_alive_stay() -> None:
    optimizer, alive = make(adafactor(), adafactor()), torch.tensor([[True], [False]])
    optimizer.delta_alive(gaussian(2, N), gaussian(2, N), 0, alive)
    for state in optimizer.state.values():
        assert (state[0] > 0).all()
        assert not state[1].any()


def test_a_run_has_the_same_bits_in_every_stack_and_resumed() -> None:
    configs = [
        adafactor(dtype="float32", init_seed=seed, lr=0.01 * (1 + seed), weight_decay=0.1)
        for seed in range(3)
    ]
    together = make_stack(*configs)
    together.advance(12)
    for run, config in enumerate(configs):
        first, second = make_stack(config), make_stack(config)
        first.advance(5)
        parameters, moments = state_of(first, 0)
        restore(second, 0, 5, {k: x.clone() for k, x in (parameters | moments).items()})
        second.advance(7)
        assert torch.equal(second.theta[0], together.theta[run])


def test_a_state_has_a_row_for_every_parameter_and_a_column_for_every_matrix() -> None:
    stack: Stack = make_stack(adafactor())
    _, moments = state_of(stack, 0)
    assert moments["row.W_E"].shape == (8,)
    assert moments["column.W_E"].shape == (16,)
    assert moments["row.blocks.0.b_in"].shape == (32,)
    assert "column.blocks.0.b_in" not in moments
    names = {name.partition(".")[2] for name in moments}
    assert names == set(stack.params)
