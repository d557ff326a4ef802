"""Norm dynamics are their formulas, on every problem and for every set."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from grok.config import RunConfig
from grok.config.measures import DynamicsConfig, MeasuresConfig
from grok.measures import Dynamics, Readings, Snapshot, norm_dynamics
from grok.models.parameter_sets import SET_KINDS, parameter_sets
from grok.theory.norm_dynamics import decay_threshold, equilibrium_norm
from grok.training import Stack, problem_of
from tests.builders import sequences, tiny
from tests.images import digits_run, needs_digits
from tests.toys import ENCODER, toy

PROBLEMS: dict[str, RunConfig] = {
    "pairs": tiny(),
    "float32": tiny(dtype="float32"),
    "sgd": tiny(kind="sgd", momentum=0.9, lr=0.05),
    "toy": toy(embed_lr=1e-2, embed_weight_decay=1.0),
    "toy encoder": toy(**ENCODER),
    "sequences": sequences("digit_addition"),
    "images": digits_run(init_scale=4.0),
}
EACH = pytest.mark.parametrize("problem", [
    pytest.param(name, marks=needs_digits) if name == "images" else name for name in PROBLEMS
])  # fmt: skip
LAG = 5


def stack_of(*configs: RunConfig) -> Stack:
    measures = MeasuresConfig(dynamics=DynamicsConfig(enabled=True, sets=SET_KINDS, lag=LAG))
    return Stack(problem_of([replace(config, measures=measures) for config in configs]))


def read(stack: Stack) -> dict[str, float]:
    """Readings of a lone run."""
    return {key: float(x[0]) for key, x in norm_dynamics(stack.snapshot()).items()}


@EACH
def test_the_squared_norm_is_the_sum_of_what_every_update_added(problem: str) -> None:
    stack = stack_of(PROBLEMS[problem])
    stack.advance(40)
    readings = read(stack)
    sets = parameter_sets(stack.layout.shapes, SET_KINDS)
    start = stack.named(stack.initial)
    for name, members in sets.items():
        now, then = (
            float(sum(x[n].double().square().sum() for n in members))
            for x in (stack.named(stack.theta), start)
        )
        growth = readings[f"norm/cum_delta_sq/{name}"] + readings[f"norm/cum_cross/{name}"]
        assert growth == pytest.approx(now - then, abs=1e-12 * now)
        assert readings[f"norm/identity_residual/{name}"] < 1e-12
        share = readings[f"norm/misaligned_share/{name}"]
        assert share == pytest.approx(readings[f"norm/cum_delta_sq/{name}"] / growth, rel=1e-6)


@EACH
def test_groups_add_up_to_all(problem: str) -> None:
    stack = stack_of(PROBLEMS[problem])
    stack.advance(10)
    readings = read(stack)
    groups = parameter_sets(stack.layout.shapes, ("groups",))
    for key in ("norm/cum_delta_sq", "norm/cum_cross", "norm/cum_decay"):
        if f"{key}/all" in readings:
            total = sum(readings[f"{key}/{name}"] for name in groups)
            assert total == pytest.approx(readings[f"{key}/all"])


def path(config: RunConfig, n_steps: int) -> tuple[Stack, list[Tensor], list[Tensor]]:
    """A stack, its parameters after each update, and the gradient that each update was given."""
    stack = stack_of(config)
    thetas, gradients = [stack.theta[0].clone()], []
    for step in range(n_steps):
        gradients.append(stack.gradient(step)[1][0].clone())
        stack.advance(1)
        thetas.append(stack.theta[0].clone())
    return stack, thetas, gradients


def cosine(x: Tensor, y: Tensor) -> float:
    return float(x @ y / (x.norm() * y.norm()))


def test_readings_of_all_parameters_are_their_formulas() -> None:
    config = tiny(lr=2e-3, weight_decay=0.7, batch_size=8)
    stack, thetas, gradients = path(config, LAG)
    readings = read(stack)
    theta, before, start = thetas[-1], thetas[-2], thetas[0]
    delta, decay = theta - before, 2e-3 * 0.7 * before
    expected = {
        "norm/rms": float(theta.square().mean().sqrt()),
        "align/theta_delta": cosine(before, delta),
        "align/theta_neggrad": -cosine(theta, stack.gradient()[1][0]),
        "align/delta_neggrad": -cosine(delta, gradients[-1]),
        "norm/pyth_ratio": float((theta @ theta - before @ before) / (delta @ delta)),
        "norm/kappa": float(delta.norm() / (2e-3 * before.norm())),
        "norm/wd_part": float(decay.norm() / delta.norm()),
        "dir/cos_init": cosine(theta, start),
        "dir/cos_prev": cosine(theta, start),
        "norm/cum_decay": sum(2 * 2e-3 * 0.7 * float(x @ x) for x in thetas[:-1]),
        "norm/equilibrium": equilibrium_norm(2e-3, 0.7, float((delta + decay).norm()) / 2e-3),
    }
    for key, value in expected.items():
        assert readings[f"{key}/all"] == pytest.approx(value, rel=1e-9), key
    own = {k.rpartition("/")[0] for k in readings if k.endswith("/all")}
    assert own == set(expected) | {
        "norm/grown_share",
        "norm/cum_delta_sq",
        "norm/cum_cross",
        "norm/misaligned_share",
        "norm/identity_residual",
        "norm/decay_threshold",
    }


def test_the_ratio_is_that_of_cosine_and_lengths() -> None:
    """Identity I4."""
    stack, thetas, _ = path(tiny(), 6)
    readings = read(stack)
    lengths = float(thetas[-2].norm() / (thetas[-1] - thetas[-2]).norm())
    ratio = 1 + 2 * readings["align/theta_delta/all"] * lengths
    assert readings["norm/pyth_ratio/all"] == pytest.approx(ratio)


def test_without_decay_the_threshold_is_that_of_the_theory() -> None:
    stack, thetas, _ = path(tiny(weight_decay=0.0), 20)
    norms = np.array([float(theta.norm()) for theta in thetas])
    expected = decay_threshold(np.arange(21), norms, np.full(20, 1e-3))
    assert read(stack)["norm/decay_threshold/all"] == pytest.approx(expected)


def test_the_threshold_moves_little_with_the_decay_of_the_run() -> None:
    """It is what balances the rest of the updates, to first order."""
    found = []
    for weight_decay in (0.0, 0.5):
        stack = stack_of(tiny(weight_decay=weight_decay, lr=1e-4))
        stack.advance(50)
        found.append(read(stack)["norm/decay_threshold/all"])
    assert found[0] == pytest.approx(found[1], rel=0.02)


def test_an_exempt_weight_has_no_share_of_decay() -> None:
    stack = stack_of(tiny(decay_exempt=("bias",)))
    stack.advance(3)
    readings = read(stack)
    assert readings["norm/wd_part/bias"] == 0
    assert readings["norm/cum_decay/bias"] == 0
    assert readings["norm/equilibrium/bias"] == math.inf
    assert readings["norm/wd_part/mlp"] > 0


@pytest.mark.parametrize("optim", [{"kind": "adam"}, {"kind": "sgd", "momentum": 0.5}])
def test_decay_that_is_no_part_of_an_update_has_no_share(optim: dict[str, Any]) -> None:
    stack = stack_of(tiny(**optim))
    stack.advance(3)
    keys = {key.rpartition("/")[0] for key in read(stack)}
    assert not keys & {"norm/wd_part", "norm/equilibrium", "norm/cum_decay"}
    assert "norm/kappa" in keys


@pytest.mark.parametrize("kind", ["adafactor", "sgd"])
def test_decay_that_is_a_part_of_an_update_has_its_share(kind: str) -> None:
    """The update with decay is that without it less eta lambda theta, and the share is of that."""
    lr, decay = 1e-2, 0.3
    stack, bare = (stack_of(tiny(kind=kind, lr=lr, weight_decay=x)) for x in (decay, 0.0))
    stack.advance(1)
    bare.advance(1)
    taken = lr * decay * stack.initial[0]
    torch.testing.assert_close(bare.theta[0] - stack.theta[0], taken, rtol=1e-7, atol=1e-12)
    delta, readings = stack.theta[0] - stack.initial[0], read(stack)
    assert readings["norm/wd_part/all"] == pytest.approx(float(taken.norm() / delta.norm()))
    square = float(stack.initial[0] @ stack.initial[0])
    assert readings["norm/cum_decay/all"] == pytest.approx(2 * lr * decay * square)


def test_the_share_that_grew_counts_single_weights_against_the_start() -> None:
    start = torch.tensor([[1.0, -2.0, 3.0, 0.0]])
    now = torch.tensor([[-1.5, -1.0, 3.0, 0.1]])  # larger, smaller, as large, larger
    assert float(made_up(now, now - start, start)["norm/grown_share/all"]) == 0.5
    stack = stack_of(tiny())
    assert read(stack)["norm/grown_share/all"] == 0
    stack.advance(3)
    grown = {name: (x.abs() > stack.named(stack.initial)[name].abs()).double().mean()
             for name, x in stack.named(stack.theta).items()}  # fmt: skip
    readings = read(stack)
    assert readings["norm/grown_share/embed"] == pytest.approx(float(grown["W_E"]))
    assert 0 < readings["norm/grown_share/encoder"] < 1


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_surplus_is_how_the_loss_falls_with_the_scale_of_the_logits(temperature: float) -> None:
    stack = stack_of(tiny(temperature=temperature, readout_scale=2.0))
    stack.advance(5)
    readings, snapshot = read(stack), stack.snapshot()
    assert snapshot.loss is not None
    for split, (h, labels) in snapshot.predictions.items():
        near, far = (snapshot.loss(h.double() * x, labels) for x in (1 - 1e-5, 1 + 1e-5))
        slope = float((far - near)[0]) / 2e-5
        assert readings[f"margin/surplus/{split}"] == pytest.approx(-slope, rel=1e-5)


def test_theta_dot_gradient_is_minus_the_degree_times_the_surplus() -> None:
    """The logits are W_U times what it reads: of degree 1 in W_U, whatever comes before."""
    stack, thetas, _ = path(tiny(temperature=2.0), 5)
    readings, gradient = read(stack), stack.named(stack.gradient()[1])
    of_read_out = float((stack.named(stack.theta)["W_U"] * gradient["W_U"]).sum())
    assert of_read_out == pytest.approx(-readings["margin/surplus/train"], rel=1e-9)
    whole = float(thetas[-1] @ stack.gradient()[1][0])
    assert readings["margin/theta_grad"] == pytest.approx(whole, rel=1e-9)


def test_another_loss_has_no_surplus() -> None:
    keys = read(stack_of(tiny(loss="mse"))).keys()
    assert not any(key.startswith("margin/surplus") for key in keys)
    assert "margin/theta_grad" in keys


def test_what_is_of_an_update_is_missing_at_the_start() -> None:
    readings = read(stack_of(tiny()))
    assert readings["norm/cum_delta_sq/all"] == readings["norm/cum_cross/all"] == 0
    assert readings["norm/identity_residual/all"] == 0
    assert readings["dir/cos_init/all"] == pytest.approx(1)
    assert math.isnan(readings["norm/misaligned_share/all"])
    keys = {key.rpartition("/")[0] for key in readings}
    assert not keys & {"norm/delta", "align/theta_delta", "norm/pyth_ratio", "norm/kappa"}
    assert not keys & {"norm/wd_part", "align/delta_neggrad", "dir/cos_prev"}


def test_a_snapshot_without_sums_has_no_dynamics() -> None:
    assert norm_dynamics(Snapshot(0, {"W_E": torch.ones(1, 2)})) == {}


def made_up(theta: Tensor, delta: Tensor, start: Tensor, **sums: Any) -> Readings:
    """Readings of one run of one parameter whose last update was ``delta``, rate 0.1."""
    each = {name: {"W_E": x} for name, x in sums.items()}
    rate, none = {"W_E": torch.tensor([0.1]).double()}, {"W_E": torch.zeros(1).double()}
    part = Dynamics(
        **({"squares": none, "cross": none, "rate_squares": none} | each),
        rates=rate,
        decays=none,
        has_decay_part=False,
        gradient=None,
        lagged=None,
        temperature=None,
        sets=("all",),
    )
    return norm_dynamics(
        Snapshot(
            1,
            {"W_E": theta},
            delta=lambda: {"W_E": delta},
            initial=lambda: {"W_E": start},
            dynamics=lambda: part,
        )
    )


def test_a_step_along_the_parameters_is_aligned() -> None:
    start = torch.tensor([[3.0, 4.0]])
    found = made_up(1.5 * start, 0.5 * start, start)
    assert float(found["align/theta_delta/all"]) == pytest.approx(1)
    assert float(found["dir/cos_init/all"]) == pytest.approx(1)
    assert float(found["norm/kappa/all"]) == pytest.approx(5)
    assert float(found["norm/pyth_ratio/all"]) == pytest.approx(5)  # (7.5² - 5²) / 2.5²


def test_a_step_at_right_angles_grows_by_its_square() -> None:
    start, delta = torch.tensor([[3.0, 4.0]]), torch.tensor([[-4.0, 3.0]])
    square = torch.tensor([25.0]).double()
    found = made_up(start + delta, delta, start, squares=square)
    assert float(found["align/theta_delta/all"]) == 0
    assert float(found["norm/pyth_ratio/all"]) == pytest.approx(1)
    assert float(found["norm/misaligned_share/all"]) == pytest.approx(1)
    assert float(found["norm/identity_residual/all"]) == pytest.approx(0)


def test_an_update_that_was_not_added_up_shows_in_the_residual() -> None:
    start, delta = torch.tensor([[3.0, 4.0]]), torch.tensor([[-4.0, 3.0]])
    assert float(made_up(start + delta, delta, start)["norm/identity_residual/all"]) == 0.5
