"""TF32 is of updates alone, and only where it was asked for."""

import pytest
import torch

from grok.config import RunConfig
from grok.training.precision import matmul_precision
from tests.builders import make_stack, tiny


def precisions(config: RunConfig) -> set[str]:
    """Those under which the losses of updates are computed."""
    stack, seen = make_stack(config), set()
    losses = stack.losses

    def seeing(step: int | None = None) -> torch.Tensor:
        seen.add(torch.get_float32_matmul_precision())
        return losses(step)

    stack.losses = seeing  # type: ignore[method-assign]
    stack.advance(3)
    return seen


@pytest.mark.parametrize("asked", ["highest", "high"])
def test_updates_are_of_the_precision_asked_for(asked: str) -> None:
    assert precisions(tiny(dtype="float32", matmul_precision=asked)) == {asked}


def test_readings_are_of_the_highest_precision() -> None:
    stack = make_stack(tiny(dtype="float32", matmul_precision="high"))
    stack.advance(1)
    assert torch.get_float32_matmul_precision() == "highest"


def test_the_precision_is_put_back_after_an_error() -> None:
    with pytest.raises(KeyError), matmul_precision("high"):
        raise KeyError
    assert torch.get_float32_matmul_precision() == "highest"
