"""Stacks that do not fit: how many runs are planned, and what happens when it was too many."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
import torch

from grok.config import CheckpointConfig
from grok.lit.capacity import SHARE, capacity, room
from grok.lit.train import train, train_stack
from grok.runs import RunStore
from grok.training import Stack
from tests.running import assert_same, run_config

CONFIGS = [
    run_config(init_seed=seed, n_steps=40, checkpoint=CheckpointConfig(every=10))
    for seed in range(5)
]


@pytest.mark.parametrize(
    ("fixed", "each", "free", "n"),
    [
        (0, 10, 1000, 85),
        (100, 10, 1000, 75),
        (0, 10, 10_000, 128),
        (0, 2000, 1000, 1),
        (50, 0, 1000, 128),
    ],
)
def test_as_many_runs_as_fit(fixed: int, each: int, free: int, n: int) -> None:
    assert SHARE == 0.85
    assert room(128, free, lambda size: fixed + each * size) == n


def test_a_cpu_takes_all() -> None:
    assert capacity(CONFIGS, torch.device("cpu")) == 5


def small_device(most: int, at: int = 25) -> Callable[..., None]:
    """Stands in for ``Stack.advance``: no memory for larger stacks from a step on."""
    advance = Stack.advance

    def limited(stack: Stack, n_steps: int, *args: object) -> None:
        if stack.step + n_steps > at and len(stack.configs) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        advance(stack, n_steps, *args)  # type: ignore[arg-type]

    return limited


@pytest.mark.slow
def test_a_stack_without_memory_goes_on_in_halves_and_nothing_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with patch.object(Stack, "advance", small_device(most=2)):
        runs = train_stack(CONFIGS, tmp_path / "small", progress=False)
    said = capsys.readouterr().err.splitlines()
    assert said == ["grok: no memory for a stack of 5 runs; going on with 2"]
    whole = train_stack(CONFIGS, tmp_path / "whole", progress=False)
    for ours, theirs in zip(runs, whole, strict=True):
        assert_same(ours, theirs)


@pytest.mark.slow
def test_one_run_that_does_not_fit_has_failed(tmp_path: Path) -> None:
    config = replace(CONFIGS[0], n_steps=30)
    with (
        patch.object(Stack, "advance", small_device(most=0)),
        pytest.raises(torch.OutOfMemoryError),
    ):
        train(config, tmp_path, progress=False)
    (run,) = RunStore(tmp_path).runs()
    assert run.status()["status"] == "failed"
    assert train(config, tmp_path, progress=False).status()["status"] == "completed"
