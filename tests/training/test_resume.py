"""Interrupted and resumed is uninterrupted; dropout and mini-batches depend on the step alone."""

from typing import Any

import pytest
import torch
from torch import Tensor

from grok.config import RunConfig
from grok.training import Stack, restore, state_of
from grok.training.dropout import dropout
from tests.builders import changed, make_stack, tiny

OPTIONS: dict[str, dict[str, Any]] = {
    "adamw": {},
    "sgd": {"kind": "sgd", "momentum": 0.9},
    "mini-batches": {"batch_size": 8, "warmup": 10},
    "dropout": {"dropout": 0.2},
    "dropout, depth 2, mini-batches": {"dropout": 0.2, "n_layers": 2, "batch_size": 8},
    "initial prediction subtracted": {"subtract_initial": True},
}


def runs(**fields: Any) -> list[RunConfig]:
    return [tiny(init_seed=s, order_seed=s, dtype="float32", **fields) for s in range(2)]


def saved(stack: Stack, run: int) -> dict[str, Tensor]:
    parameters, moments = state_of(stack, run)
    return {name: x.clone() for name, x in (parameters | moments).items()}


@pytest.mark.parametrize("fields", OPTIONS.values(), ids=OPTIONS.keys())
def test_a_resumed_run_has_the_bytes_of_an_uninterrupted_one(fields: dict[str, Any]) -> None:
    whole, first, second = (make_stack(*runs(**fields)) for _ in range(3))
    whole.advance(10)
    first.advance(4)
    for run in range(2):
        restore(second, run, first.step, saved(first, run))
    second.advance(6)
    assert second.step == 10
    assert torch.equal(second.theta, whole.theta)
    for name, moment in second.optimizer.state.items():
        assert torch.equal(moment, whole.optimizer.state[name])


@pytest.mark.parametrize("name", ["W_E", "exp_avg.W_U", "exp_avg_sq.blocks.0.b_in"])
@pytest.mark.parametrize("is_missing", [False, True])
def test_a_state_that_does_not_fit_is_refused_by_name(name: str, is_missing: bool) -> None:
    stack = make_stack(*runs())
    state = saved(stack, 0)
    if is_missing:
        del state[name]
    else:
        state[name] = torch.zeros(3, 3)
    with pytest.raises(ValueError, match=f"checkpoint does not fit the model: {name}$"):
        restore(stack, 0, 1, state)


def test_a_state_has_every_parameter_and_the_moments_of_the_trained_ones() -> None:
    stack = make_stack(tiny())
    parameters, moments = state_of(stack, 0)
    shapes = stack.problem.model.shapes()
    assert {name: tuple(x.shape) for name, x in parameters.items()} == shapes
    assert moments.keys() == {f"{m}.{name}" for m in ("exp_avg", "exp_avg_sq") for name in shapes}


def masks(order_seeds: list[int], step: int) -> Tensor:
    return dropout(0.2, order_seeds, step)(torch.ones(len(order_seeds), 50, 40))


def test_dropout_zeroes_at_its_rate_and_keeps_the_expectation() -> None:
    mask = torch.cat([masks([0, 1], step) for step in range(10)])
    torch.testing.assert_close(mask.unique(), torch.tensor([0.0, 1 / 0.8]))
    # 40,000 draws of variance 0.2 / 0.8: five standard errors are 0.0125.
    assert mask.double().mean().item() == pytest.approx(1, abs=0.0125)


def test_dropout_is_drawn_from_order_seed_and_step_alone() -> None:
    zero, one = masks([0, 1], 3)
    assert torch.equal(masks([1, 0], 3), torch.stack([one, zero]))
    assert not torch.equal(zero, one)
    assert not torch.equal(zero, masks([0], 4)[0])


def test_each_branch_of_an_update_has_its_own_mask() -> None:
    drop, ones = dropout(0.5, [0], 0), torch.ones(1, 50, 40)
    assert not torch.equal(drop(ones), drop(ones))


def test_runs_that_differ_in_their_order_seed_train_apart_under_dropout() -> None:
    stack = make_stack(*[tiny(dropout=0.2, order_seed=s) for s in (0, 1, 0)])
    stack.advance(2)
    assert not torch.equal(stack.theta[0], stack.theta[1])
    assert torch.equal(stack.theta[0], stack.theta[2])


@pytest.mark.parametrize("n_layers", [1, 2])
def test_evaluation_knows_no_dropout(n_layers: int) -> None:
    config = tiny(dropout=0.5, n_layers=n_layers)
    ours, without = make_stack(config), make_stack(changed(config, dropout=0.0))
    torch.testing.assert_close(ours.losses(), without.losses())
    assert not torch.allclose(ours.losses(step=0), without.losses(step=0))
    for split, (logits, _) in ours.snapshot().predictions.items():
        torch.testing.assert_close(logits, without.snapshot().predictions[split][0])


def test_mini_batches_take_every_training_pair_once_per_epoch() -> None:
    stack = make_stack(*runs(batch_size=7))
    assert stack.problem.train.shape[1] == 29
    epoch = torch.cat([stack.problem.batch(step) for step in range(4)], dim=1)
    for run in range(2):
        assert len(epoch[run].unique()) == 28
        assert set(epoch[run].tolist()) <= set(stack.problem.train[run].tolist())
