"""Sums over every update are those of the parameters one by one, whatever the optimiser does."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from grok.config import RunConfig
from grok.config.measures import DynamicsConfig, MeasuresConfig
from grok.models.config import norm_config
from grok.training import Stack, problem_of, restore, state_of
from grok.training.dynamics import PREFIX
from tests.builders import tiny
from tests.texts import language_run, text_folder
from tests.toys import toy

N_STEPS = 12


def summed(config: RunConfig, **settings: Any) -> RunConfig:
    """The run with its norm dynamics enabled."""
    return replace(
        config, measures=MeasuresConfig(dynamics=DynamicsConfig(enabled=True, **settings))
    )


def stack_of(*configs: RunConfig, **settings: Any) -> Stack:
    return Stack(problem_of([summed(config, **settings) for config in configs]))


RUNS: dict[str, list[RunConfig]] = {
    "adamw": [tiny(init_seed=s, lr=1e-3 * (s + 1), weight_decay=float(s)) for s in range(3)],
    "float32": [tiny(init_seed=s, dtype="float32") for s in range(2)],
    "warm-up, batches, exempt biases": [
        tiny(warmup=5, batch_size=8, decay_exempt=("bias", "embed"))
    ],
    "sgd with momentum": [tiny(kind="sgd", momentum=0.9, lr=0.1)],
    "adam with l1": [tiny(kind="adam", l1=1e-3)],
    "norms that are not trained": [tiny(norm=norm_config("mlp", build_unused=True, eps=1e-3))],
    "adafactor at the inverse root": [
        tiny(kind="adafactor", lr=1e-2, weight_decay=0.3, schedule="inverse_sqrt", flat_steps=3)
    ],
    "cosine after warm-up": [
        tiny(warmup=3, schedule="cosine", horizon=11, flat_steps=4, final_rate=0.1, lr=1e-2)
    ],
    "norm held, norms not trained": [
        tiny(fixed_norm=True, norm=norm_config("mlp", build_unused=True, eps=1e-3), lr=1e-2)
    ],
    "norm held": [toy(fixed_norm=True, embed_weight_decay=-1.0, embed_lr=0.0)],
    "a rate for the embedding": [toy(s, embed_lr=1e-2, embed_weight_decay=3.0) for s in range(2)],
}
EACH = pytest.mark.parametrize("case", RUNS)
RATES: dict[str, Callable[[int], float]] = {
    "warm-up, batches, exempt biases": lambda t: min(t / 5, 1),
    "adafactor at the inverse root": lambda t: math.sqrt(3 / max(t + 1, 3)),
    "cosine after warm-up": lambda t: (
        min(t / 3, 1) * (0.1 + 0.9 * (1 + math.cos(math.pi * min(max((t - 4) / 7, 0), 1))) / 2)
    ),
}
"""Share of the rate that update t uses, where it is not all."""


def path_of(configs: list[RunConfig]) -> tuple[Stack, Tensor]:
    """A stack without sums, and all its parameters after each update, ``[step, run, weight]``."""
    stack = Stack(problem_of(configs))
    path = [stack.theta.clone()]
    for _ in range(N_STEPS):
        stack.advance(1)
        path.append(stack.theta.clone())
    return stack, torch.stack(path).double()


@EACH
def test_sums_are_those_over_the_updates_one_by_one(case: str) -> None:
    configs = RUNS[case]
    plain, path = path_of(configs)
    stack = stack_of(*configs)
    stack.advance(N_STEPS)
    part = stack.snapshot().dynamics
    delta, before = path.diff(dim=0), path[:-1]
    factor = torch.tensor([RATES.get(case, lambda _: 1.0)(t) for t in range(N_STEPS)])
    assert stack.sums is not None
    for run, config in enumerate(configs):
        for name in stack.sums.names:
            d, x = (plain.layout.views(y[:, run])[name].flatten(1) for y in (delta, before))
            torch.testing.assert_close(part.squares[name][run], d.square().sum())
            torch.testing.assert_close(part.cross[name][run], (x * d).sum())
            group = "embed" if name == "W_E" else "rest"
            is_trained = name in stack.layout.trained
            rates = config.lr_of(group) * factor.double() * is_trained
            taken = (rates * x.square().sum(dim=1)).sum()
            torch.testing.assert_close(part.rate_squares[name][run], taken)
            assert float(part.rates[name][run]) == pytest.approx(float(rates[-1]))
            is_exempt = name in ("W_E", "W_pos") or ".b_" in name
            exempt = (is_exempt and bool(config.optim.decay_exempt)) or not is_trained
            decay = 0.0 if exempt else config.weight_decay_of(group)
            assert float(part.decays[name][run]) == pytest.approx(decay)
    unseen = set(plain.layout.shapes) - set(stack.sums.names)
    assert all(bool((plain.layout.views(delta[:, 0])[name] == 0).all()) for name in unseen)


@EACH
def test_summing_changes_no_bit_of_the_training(case: str) -> None:
    plain, _ = path_of(RUNS[case])
    stack = stack_of(*RUNS[case], lag=5)
    stack.advance(7)
    stack.advance(N_STEPS - 7)
    assert torch.equal(stack.theta, plain.theta)
    for name, moment in stack.optimizer.state.items():
        assert torch.equal(moment, plain.optimizer.state[name])


def same_sums(stack: Stack, other: Stack) -> bool:
    ours, theirs = stack.sums, other.sums
    assert ours is not None
    assert theirs is not None
    return all(torch.equal(x, theirs.state[name]) for name, x in ours.state.items())


@EACH
@pytest.mark.parametrize("stop", [5, 8])
def test_resumed_sums_have_the_bits_of_uninterrupted_ones(case: str, stop: int) -> None:
    whole, first, second = (stack_of(*RUNS[case], lag=4) for _ in range(3))
    whole.advance(N_STEPS)
    first.advance(stop)
    for run in range(len(RUNS[case])):
        parameters, moments = state_of(first, run)
        restore(second, run, stop, {n: x.clone() for n, x in (parameters | moments).items()})
    second.advance(N_STEPS - stop)
    assert same_sums(whole, second)
    ours, theirs = second.snapshot().dynamics.lagged, whole.snapshot().dynamics.lagged
    assert ours is not None
    assert theirs is not None
    assert all(torch.equal(x, theirs[name]) for name, x in ours.items())


def test_parameters_of_the_last_multiple_of_the_lag_are_kept() -> None:
    _, path = path_of([tiny()])
    stack = stack_of(tiny(), lag=4)
    for step in range(1, N_STEPS + 1):
        stack.advance(1)
        lagged = stack.snapshot().dynamics.lagged
        assert (lagged is not None) == (step % 4 == 0)
        if lagged is not None:
            expected = stack.layout.views(path[step - 4])
            assert all(torch.equal(x, expected[name]) for name, x in lagged.items())
    without = stack_of(tiny(), lag=0)
    without.advance(4)
    assert without.snapshot().dynamics.lagged is None


def test_a_lag_that_is_another_now_begins_anew() -> None:
    first, second = stack_of(tiny(), lag=4), stack_of(tiny(), lag=3)
    first.advance(5)
    parameters, moments = state_of(first, 0)
    restore(second, 0, 5, parameters | moments)
    second.advance(1)
    assert second.snapshot().dynamics.lagged is None  # those of step 3 are not known
    second.advance(3)
    assert second.snapshot().dynamics.lagged is not None


def test_sums_that_were_not_kept_from_the_start_are_not_there() -> None:
    plain, stack = (
        Stack(problem_of([tiny(), tiny(init_seed=1)])),
        stack_of(tiny(), tiny(init_seed=1)),
    )
    stack.advance(3)
    kept = [state_of(stack, run) for run in range(2)]
    plain.advance(3)
    bare = state_of(plain, 1)
    late = stack_of(tiny(), tiny(init_seed=1))
    restore(late, 0, 3, kept[0][0] | kept[0][1])
    restore(late, 1, 3, bare[0] | bare[1])
    assert late.sums is None
    assert not late.snapshot().has("dynamics")
    late.advance(2)
    plain.advance(2)
    assert torch.equal(late.theta, plain.theta)
    assert not any(name.startswith(PREFIX) for name in state_of(late, 0)[1])
    assert not plain.snapshot().has("dynamics")


def test_a_frozen_run_adds_nothing_and_its_neighbours_keep_their_bits() -> None:
    configs = [tiny(init_seed=s) for s in range(3)]
    stack, short, pair = stack_of(*configs), stack_of(*configs), stack_of(configs[0], configs[2])
    stack.advance(4)
    short.advance(4)
    stack.finish_run(1)
    stack.advance(4)
    pair.advance(8)
    assert stack.sums is not None
    assert short.sums is not None
    assert pair.sums is not None
    for name, x in stack.sums.state.items():
        assert torch.equal(x[1], short.sums.state[name][1])
        assert torch.equal(x[[0, 2]], pair.sums.state[name])


def test_runs_that_go_on_in_a_smaller_stack_keep_their_bits() -> None:
    configs = [tiny(init_seed=s, lr=1e-3 * (s + 1)) for s in range(3)]
    whole, first, rest = (stack_of(*each, lag=4) for each in (configs, configs, configs[1:]))
    whole.advance(N_STEPS)
    first.advance(6)
    for run in (1, 2):
        parameters, moments = state_of(first, run)
        restore(rest, run - 1, 6, parameters | moments)
    rest.advance(N_STEPS - 6)
    ours, theirs = rest.snapshot().dynamics, whole.snapshot().dynamics
    for x, y in ((ours.squares, theirs.squares), (ours.cross, theirs.cross)):
        assert all(torch.equal(x[name], y[name][1:]) for name in x)
    assert all(torch.equal(x, theirs.rate_squares[n][1:]) for n, x in ours.rate_squares.items())
    assert ours.lagged is not None
    assert theirs.lagged is not None
    assert all(torch.equal(x, theirs.lagged[name][1:]) for name, x in ours.lagged.items())


def test_a_run_that_diverges_keeps_its_last_sums_and_its_neighbours_their_bits() -> None:
    calm, wild = tiny(kind="sgd", lr=0.1), tiny(kind="sgd", lr=1e60, init_seed=1)
    pair, alone, first = stack_of(calm, wild), stack_of(calm), stack_of(wild)
    pair.advance(6)
    alone.advance(6)
    first.advance(1)
    assert pair.ended_at == [-1, 1]
    assert pair.sums is not None
    assert alone.sums is not None
    assert first.sums is not None
    for name, x in pair.sums.state.items():
        assert torch.equal(x[0], alone.sums.state[name][0])
        assert torch.equal(x[1], first.sums.state[name][0])
        assert bool(x.isfinite().all())


def test_sums_of_a_language_model_change_no_bit_of_it_and_resume(tmp_path: Path) -> None:
    config = language_run(text_folder(tmp_path), dropout=0.1, lr=1e-2)
    plain, path = path_of([config])
    stack, late = stack_of(config), stack_of(config)
    stack.advance(5)
    parameters, moments = state_of(stack, 0)
    restore(late, 0, 5, {n: x.clone() for n, x in (parameters | moments).items()})
    for each in (stack, late):
        each.advance(N_STEPS - 5)
        assert torch.equal(each.theta, plain.theta)
    assert same_sums(stack, late)
    part, delta = stack.snapshot().dynamics, path.diff(dim=0)[:, 0]
    for name, squares in part.squares.items():
        expected = plain.layout.views(delta)[name].square().sum()
        torch.testing.assert_close(squares[0], expected)


def test_both_ways_of_adding_up_agree() -> None:
    stack = stack_of(*[tiny(init_seed=s) for s in range(3)])
    assert stack.sums is not None
    x = stack.theta.square()
    other = torch.segment_reduce(x.flatten(), "sum", lengths=stack.sums._sizes, unsafe=True)
    torch.testing.assert_close(other.unflatten(0, (3, -1)), stack.sums._by_parameter(x))


def test_the_gradient_of_the_last_update_is_the_one_that_the_optimiser_was_given() -> None:
    config = tiny(kind="sgd", lr=0.1, weight_decay=0.0, batch_size=8, l1=1e-3)
    stack = stack_of(config)
    stack.advance(6)
    snapshot = stack.snapshot()
    given = snapshot.dynamics.gradient
    assert given is not None
    for name, delta in snapshot.delta.items():
        torch.testing.assert_close(given[name], delta / -0.1, rtol=1e-9, atol=1e-12)
    answers = iter([False, True])
    stack.advance(9, lambda: next(answers))  # cut before its last update
    assert stack.snapshot().dynamics.gradient is None
