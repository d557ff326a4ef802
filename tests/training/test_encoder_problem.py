"""Stacks of encoders are their runs alone, stopped or not, with dropout or without."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from grok.config import RunConfig
from grok.measures import representation_quality
from grok.training import Stack, ToyProblem, restore, state_of
from tests.encoders import Plain, parts
from tests.toys import ENCODER, toy

N_STEPS = 50
PER_RUN: list[dict[str, Any]] = [
    {"seed": 3, "lr": 1e-3, "embed_lr": 1e-2, "weight_decay": 1.0, "embed_weight_decay": 0.01},
    {"seed": 1, "lr": 3e-3, "embed_lr": 0.0, "weight_decay": 0.0},
    {"seed": 2, "lr": 1e-3, "embed_lr": 2e-3, "weight_decay": 3.0, "embed_weight_decay": -1.0},
]


def run(seed: int, **overrides: Any) -> RunConfig:
    return toy(seed, **(ENCODER | overrides))


def stack_of(*configs: RunConfig) -> Stack[ToyProblem]:
    return Stack(ToyProblem(configs))


def plainly_trained(config: RunConfig, data: Any) -> dict[str, Tensor]:
    """The run in plain torch, from the same draws."""
    torch.manual_seed(config.model.init_seed)
    model, optim = Plain(config.toy).double(), config.optim
    decay = optim.weight_decay if optim.embed_weight_decay < 0 else optim.embed_weight_decay
    own = {"lr": optim.embed_lr or optim.lr, "weight_decay": decay}
    rest = [x for name, x in model.named_parameters() if not name.startswith("embedding")]
    update = torch.optim.AdamW(
        [{"params": list(model.embedding.parameters()), **own}, {"params": rest}],
        lr=optim.lr,
        weight_decay=optim.weight_decay,
        betas=optim.betas,
    )
    for _ in range(N_STEPS):
        out = model(data.a[data.train], data.b[data.train])
        update.zero_grad()
        torch.nn.functional.cross_entropy(out, data.label[data.train]).backward()
        update.step()
    return dict(parts(model))


def test_a_stack_is_its_runs_one_by_one_in_plain_torch() -> None:
    stack = stack_of(*(run(**own, n_heads=2, dtype="float64") for own in PER_RUN))
    stack.advance(N_STEPS)
    for at, (config, data) in enumerate(zip(stack.configs, stack.problem.data, strict=True)):
        for name, theirs in plainly_trained(config, data).items():
            # The same for all keys, it has no gradient but rounding, which Adam scales to a step.
            if not name.endswith("b_K"):
                ours = stack.params[name][at].detach()
                torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11, msg=name)


@pytest.mark.parametrize(
    "overrides",
    [{}, {"dropout": 0.3}, {"dim": 64, "width": 40, "depth": 1}, {"n_heads": 3, "batch_size": 11}],
    ids=str,
)
def test_a_run_has_the_same_bits_in_every_stack_and_place(overrides: dict[str, Any]) -> None:
    configs = [run(seed, lr=1e-3 * (1 + seed), **overrides) for seed in range(5)]
    together = stack_of(*configs)
    together.advance(N_STEPS)
    for some in ([3], [3, 1], [0, 1, 3]):
        stack = stack_of(*(configs[at] for at in some))
        stack.advance(N_STEPS)
        assert torch.equal(stack.theta, together.theta[some]), some


@pytest.mark.parametrize("overrides", [{}, {"dropout": 0.3}, {"dropout": 0.3, "batch_size": 11}])
def test_a_resumed_run_has_the_bits_of_an_uninterrupted_one(overrides: dict[str, Any]) -> None:
    whole, first, second = (stack_of(*(run(s, **overrides) for s in range(2))) for _ in range(3))
    whole.advance(10)
    first.advance(4)
    for at in range(2):
        parameters, moments = state_of(first, at)
        restore(second, at, first.step, parameters | moments)
    second.advance(6)
    assert torch.equal(second.theta, whole.theta)
    for name, moment in second.optimizer.state.items():
        assert torch.equal(moment, whole.optimizer.state[name])


def test_dropout_is_in_updates_alone_and_drawn_anew_by_each() -> None:
    with_dropout, without = stack_of(run(0, dropout=0.3)), stack_of(run(0))
    problem, params = with_dropout.problem, with_dropout.params
    whole = without.problem.losses(params, 0)
    assert torch.equal(problem.whole_losses(params, 0), whole)
    assert torch.equal(problem.logits(params), without.problem.logits(params))
    losses = torch.cat([problem.losses(params, step) for step in (0, 1, 0)] + [whole])
    assert losses[0] == losses[2]
    assert losses.unique().numel() == 3


def test_dropout_is_drawn_from_the_order_seed() -> None:
    def losses(rate: float, order_seed: int) -> Tensor:
        config = run(0, dropout=rate)
        data = replace(config.data, order_seed=order_seed)
        stack = stack_of(replace(config, data=data))
        return stack.problem.losses(stack.params, 5)

    assert losses(0.3, 1) == losses(0.3, 1) != losses(0.3, 2)
    assert losses(0.0, 1) == losses(0.0, 2)


def test_its_embedding_has_components_and_no_parallelograms() -> None:
    readings = representation_quality(stack_of(run(0), run(1)).snapshot())
    assert readings.keys() == {"repr/entropy", "repr/effective_dim", "repr/top2_share"}
    assert all(value.shape == (2,) for value in readings.values())
