"""Updates whose number is on the device give the numbers of plain ones, without asking it."""

import pytest
import torch
from torch import Tensor

from grok.config import RunConfig
from grok.training import Stack
from grok.training.captured import CapturedUpdate, can_be_captured, captured_update
from tests.builders import make_stack, tiny
from tests.toys import toy_stack

ONE_ULP = 2e-7
"""Powers of a number on the device may be rounded the other way; of a bias correction near 1."""


def captured(stack: Stack) -> Stack:
    """The stack as on a CUDA device, its program called instead of replayed."""
    stack.captured, stack._is_captured = CapturedUpdate(stack), True
    return stack


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
