"""A run that diverges or is done is frozen, marked, and never disturbs the others."""

import pytest
import torch
from torch import Tensor

from grok.config import RunConfig
from grok.training import Stack, state_of
from tests.builders import make_stack, tiny

DIVERGES = 1
"""Place of the bad run in its stack."""


def runs(lr: float, dtype: str = "float32", n: int = 3) -> list[RunConfig]:
    return [
        tiny(init_seed=s, lr=lr if s == DIVERGES else 1e-3, dtype=dtype, batch_size=10)
        for s in range(n)
    ]


def others(x: Tensor) -> Tensor:
    return x[torch.arange(len(x)) != DIVERGES]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_run_that_diverges_is_frozen_and_marked(dtype: str) -> None:
    stack = make_stack(*runs(1e200 if dtype == "float64" else 1e30, dtype))
    stack.advance(20)
    assert stack.alive.tolist() == [True, False, True]
    assert stack.ended_at == [-1, 1, -1]  # the first update threw it out
    assert [stack.run_step(run) for run in range(3)] == [20, 1, 20]
    frozen = stack.theta[DIVERGES].clone()
    stack.advance(5)
    torch.testing.assert_close(stack.theta[DIVERGES], frozen, rtol=0, atol=0, equal_nan=True)
    assert stack.ended_at == [-1, 1, -1]
    assert stack.snapshot().active.tolist() == [True, False, True]  # pyright: ignore[reportOptionalMemberAccess]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_neighbours_of_a_diverged_run_keep_their_bits(dtype: str) -> None:
    wild = make_stack(*runs(1e200 if dtype == "float64" else 1e30, dtype))
    tame = make_stack(*runs(1e-3, dtype))
    without = make_stack(*[c for s, c in enumerate(runs(1e-3, dtype)) if s != DIVERGES])
    for stack in (wild, tame, without):
        stack.advance(30)
    assert torch.equal(others(wild.theta), others(tame.theta))
    assert torch.equal(others(wild.theta), without.theta)
    for name, moment in wild.optimizer.state.items():
        assert torch.equal(others(moment), others(tame.optimizer.state[name]))


def poison(stack: Stack, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Make one run's gradient of one update NaN."""
    gradient = stack.gradient

    def poisoned(step: int | None = None) -> tuple[Tensor, Tensor]:
        losses, grad = gradient(step)
        if step == at:
            grad[DIVERGES] = torch.nan
        return losses, grad

    monkeypatch.setattr(stack, "gradient", poisoned)


def test_a_gradient_of_nan_ends_its_run_at_its_last_finite_parameters_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stack, tame = make_stack(*runs(1e-3)), make_stack(*runs(1e-3))
    poison(stack, monkeypatch, at=3)
    stack.advance(10)
    tame.advance(10)
    assert stack.ended_at == [-1, 3, -1]
    assert stack.theta.isfinite().all()
    assert torch.equal(others(stack.theta), others(tame.theta))


def test_a_finished_run_keeps_the_parameters_and_moments_of_its_last_step() -> None:
    stack, short = make_stack(*runs(1e-3)), make_stack(*runs(1e-3))
    stack.advance(5)
    stack.finish_run(DIVERGES)
    stack.advance(5)
    short.advance(5)
    assert [stack.run_step(run) for run in range(3)] == [10, 5, 10]
    ours, theirs = state_of(stack, DIVERGES), state_of(short, DIVERGES)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    assert not torch.equal(stack.theta[0], short.theta[0])


def test_finishing_a_run_twice_keeps_the_first_step() -> None:
    stack = make_stack(*runs(1e-3))
    stack.advance(2)
    stack.finish_run(0)
    stack.advance(2)
    stack.finish_run(0)
    assert stack.ended_at == [2, -1, -1]


def test_a_stack_without_a_living_run_stops_by_itself() -> None:
    stack = make_stack(*runs(1e-3))
    stack.advance(2)
    for run in range(3):
        stack.finish_run(run)
    stack.advance(100)
    assert stack.step == 2


def test_a_lone_run_that_diverges_ends_its_stack() -> None:
    stack = make_stack(tiny(lr=1e30, dtype="float32"))
    stack.advance(50)
    assert stack.ended_at == [1]
    assert stack.run_step(0) == 1
    assert stack.step < 50
