"""In float32 two right programs drift apart; no form drifts further than a nudged start does."""

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from grok.models.config import norm_config
from grok.models.forms import Form
from grok.training import Stack
from tests.builders import captured, make_stack, tiny

pytestmark = pytest.mark.slow

STEPS = (50, 100)
"""Not after 10: there two right programs differ nine times in distance. Near 130 this task has a
burst in which they differ four times, as one run of a stack does from itself alone (measured)."""
N_NUDGED, NUDGE, TIMES = 4, 1e-7, 3.0
NORMS = {"none": norm_config("none"), "M+A*": norm_config("M+A*")}
CASES = [
    ("none", "last"),
    ("none", "token"),
    ("none", "folded"),
    ("none", "table"),
    ("M+A*", "last"),
    ("M+A*", "token"),
]
ON_CUDA = pytest.param(
    "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
)
DEVICES = ["cpu", ON_CUDA]


def stack_of(norm: str, form: Form, n_runs: int, device: str, dtype: str = "float32") -> Stack:
    """Runs of two pairs of seeds in turn, so that the first is the same in every stack."""
    sizes: dict[str, Any] = {"p": 31, "d_model": 64, "n_heads": 4, "d_mlp": 256}
    configs = [tiny(dtype=dtype, norm=NORMS[norm], init_seed=s, **sizes) for s in range(n_runs)]
    return make_stack(*configs, form=form, device=device)


def path(stack: Stack) -> list[Tensor]:
    """Parameters of the first run at every one of the steps."""
    found = []
    for step in STEPS:
        stack.advance(step - stack.step)
        found.append(stack.theta[0].to("cpu", torch.float64, copy=True))
    return found


def apart(one: list[Tensor], other: list[Tensor]) -> list[float]:
    """Largest difference of a parameter at every step."""
    return [float((x - y).abs().max()) for x, y in zip(one, other, strict=True)]


@cache
def exact(norm: str) -> list[Tensor]:
    """The path in float64, by the full form."""
    return path(stack_of(norm, "full", 1, "cpu", dtype="float64"))


@cache
def allowed(norm: str) -> list[float]:
    """Three times as far as the full form comes from starts that differ by a rounding."""
    distances = []
    for seed in range(N_NUDGED):
        stack = stack_of(norm, "full", 1, "cpu")
        noise = torch.randn(stack.theta.shape, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            stack.theta.add_(NUDGE * noise)
        distances.append(apart(path(stack), exact(norm)))
    return [TIMES * max(at_step) for at_step in zip(*distances, strict=True)]


def assert_near(ours: list[Tensor], norm: str) -> None:
    distance, most = apart(ours, exact(norm)), allowed(norm)
    assert all(d <= m for d, m in zip(distance, most, strict=True)), (distance, most)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("norm", "form"), CASES)
def test_no_form_drifts_further_than_a_nudged_start(norm: str, form: Form, device: str) -> None:
    assert_near(path(stack_of(norm, form, 1, device)), norm)


@pytest.mark.parametrize("device", DEVICES)
def test_a_run_of_a_stack_drifts_no_further(device: str) -> None:
    assert_near(path(stack_of("none", "folded", 4, device)), "none")


def test_recorded_updates_drift_no_further() -> None:
    assert_near(path(captured(stack_of("none", "folded", 1, "cpu"))), "none")


def test_an_update_that_is_a_little_wrong_drifts_further() -> None:
    """What the bound is worth: a second moment without its correction is found."""
    stack = stack_of("none", "folded", 1, "cpu")
    stack.optimizer.beta2.mul_(0.999)
    with pytest.raises(AssertionError):
        assert_near(path(stack), "none")
