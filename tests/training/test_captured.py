"""Updates whose number is on the device give the numbers of plain ones, without asking it."""

from typing import Any

import pytest
import torch

from grok.config import RunConfig
from grok.training import Stack, ToyProblem
from grok.training.captured import can_be_captured, captured_update
from tests.builders import captured, make_stack, tiny
from tests.toys import toy

ONE_ULP = 2e-7
"""Powers of a number on the device may be rounded the other way; of a bias correction near 1."""


CASES: dict[str, list[RunConfig]] = {
    "adamw": [tiny(init_seed=s, weight_decay=float(s)) for s in range(2)],
    "float64": [tiny(dtype="float64")],
    "adam": [tiny(kind="adam", init_seed=s) for s in range(2)],
    "sgd": [tiny(kind="sgd", lr=0.1, momentum=0.9)],
    "schedule": [tiny(warmup=5, schedule="cosine", horizon=20)],
    "l1": [tiny(l1=1e-4)],
    "fixed norm": [tiny(fixed_norm=True)],
}


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_are_those_of_plain_updates(case: str) -> None:
    plain, ours = make_stack(*CASES[case]), captured(make_stack(*CASES[case]))
    start = plain.theta.clone()
    for stack in (plain, ours):
        stack.advance(7)
        stack.advance(8)
    assert ours.step == plain.step == 15
    assert (ours.theta - start).abs().max() > 1e-3
    torch.testing.assert_close(ours.theta, plain.theta, rtol=ONE_ULP, atol=ONE_ULP)
    torch.testing.assert_close(ours.previous, plain.previous, rtol=ONE_ULP, atol=ONE_ULP)


def test_toy_networks_too() -> None:
    configs = [toy(seed) for seed in range(3)]
    plain, ours = Stack(ToyProblem(configs)), captured(Stack(ToyProblem(configs)))
    for stack in (plain, ours):
        stack.advance(20)
    torch.testing.assert_close(ours.theta, plain.theta, rtol=ONE_ULP, atol=ONE_ULP)


def wild(n: int = 3) -> list[RunConfig]:
    """Runs of which the second diverges at once."""
    return [tiny(init_seed=s, lr=1e200 if s == 1 else 1e-3) for s in range(n)]


def test_a_run_that_diverges_is_frozen_at_its_step_and_the_others_go_on() -> None:
    plain, ours = make_stack(*wild()), captured(make_stack(*wild()))
    for stack in (plain, ours):
        stack.advance(10)
    assert ours.ended_at == plain.ended_at == [-1, 1, -1]
    assert ours.alive.tolist() == [True, False, True]
    torch.testing.assert_close(ours.theta, plain.theta, rtol=ONE_ULP, atol=ONE_ULP, equal_nan=True)


def test_nothing_is_asked_inside_a_block() -> None:
    asked = []
    stack = captured(make_stack(tiny()))
    stack.advance(10, lambda: bool(asked.append(stack.step)))
    assert asked == [0]
    assert stack.step == 10
    stack.advance(10, lambda: True)
    assert stack.step == 10


@pytest.mark.parametrize(
    ("fields", "can"),
    [
        ({}, True),
        ({"batch_size": 8}, False),
        ({"dropout": 0.1}, False),
        ({"kind": "adafactor"}, False),
    ],
)
def test_only_one_program_for_every_update_is_recorded(fields: dict[str, Any], can: bool) -> None:
    assert can_be_captured(make_stack(tiny(**fields))) == can


def test_a_cpu_records_nothing() -> None:
    assert captured_update(make_stack(tiny())) is None
