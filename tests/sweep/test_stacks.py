"""Toy runs that a sweep trains together are what they are alone, and stacks shrink as runs end."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from grok.config import CheckpointConfig, RunConfig, StopConfig, run_key
from grok.config.stacking import CUDA_STACK, CUDA_TOY_STACK, TOY_STACK, stack_size
from grok.lit import train as training
from grok.lit.train import train, train_stack
from grok.runs import Run, RunLock, RunStore
from grok.sweep import run_local
from grok.sweep.local import default_workers, stacks_of
from grok.training import Stack
from tests.running import assert_same
from tests.toys import toy

SOON = StopConfig(when="decided", accuracy=0.6)
ENDING = (7, 10, 2, 13)
"""Seeds of which each ends at a step of its own, the last before step 1,000."""


def small(seed: int, **overrides: Any) -> RunConfig:
    """A run of five symbols that generalises soon at a low rate, and never at a high one."""
    fields = {"p": 5, "n_train": 12, "width": 16, "n_steps": 400, "lr": 1e-3, "embed_lr": 3e-2}
    return toy(seed, **(fields | overrides))


def sizes(configs: list[RunConfig], runs_dir: Path) -> list[int]:
    """Runs in each stack that training these made."""
    made = []

    def stack_of(problem: Any) -> Stack:
        made.append(len(problem.configs))
        return Stack(problem)

    with patch.object(training, "Stack", stack_of):
        train_stack(configs, runs_dir, progress=False)
    return made


def test_runs_of_one_program_are_trained_together_in_even_stacks() -> None:
    configs = {run_key(c): c for c in [small(seed) for seed in range(20)] + [small(0, width=8)]}
    steps = dict.fromkeys(configs, 0)
    assert [len(stack) for stack in stacks_of(configs, steps, 1)] == [16, 4, 1]
    assert [len(stack) for stack in stacks_of(configs, steps, 2)] == [10, 10, 1]
    first = next(iter(configs))
    stacks = stacks_of(configs, steps | {first: 100}, 2)  # it stands elsewhere
    assert [len(stack) for stack in stacks] == [1, 10, 9, 1]
    assert sum(len(stack) for stack in stacks) == len(configs)


def test_transformers_are_not_stacked() -> None:
    assert stack_size(RunConfig(), 40, 2) == 1
    assert stack_size(toy(), 1000, 2) == TOY_STACK


def test_on_a_cuda_device_all_are_stacked_in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stack_size(RunConfig(), 40, 2, on_cuda=True) == 40
    assert stack_size(toy(), 2000, 1, on_cuda=True) == CUDA_TOY_STACK == 1024
    assert stack_size(RunConfig(), 1000, 1, on_cuda=True) == CUDA_STACK == 128
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("grok.sweep.local._CUDA_FILES", ("/dev/null",))
    configs = {run_key(config): config for config in (small(seed) for seed in range(40))}
    assert default_workers(configs.values()) == 1
    assert [len(stack) for stack in stacks_of(configs, dict.fromkeys(configs, 0), 1)] == [40]
    on_cpu = [replace(config, device="cpu") for config in configs.values()]
    assert default_workers(on_cpu) == len(os.sched_getaffinity(0))


def test_a_stack_shrinks_when_half_of_it_is_over(tmp_path: Path) -> None:
    soon = [small(seed, stop=SOON, n_steps=1000) for seed in ENDING]
    ends = [train(config, tmp_path / "alone", progress=False).status()["step"] for config in soon]
    assert len({*ends, 1000}) == 5, "each must end at a step of its own"
    assert sizes(soon, tmp_path / "stack")[0] == 4
    assert len(sizes(soon, tmp_path / "again")) > 1
    for config, end in zip(soon, ends, strict=True):
        together = Run(tmp_path / "stack" / run_key(config))
        assert together.status()["step"] == end
        assert_same(together, Run(tmp_path / "alone" / run_key(config)))


def test_ended_runs_are_told_before_the_stack_is_through(tmp_path: Path) -> None:
    configs = [small(seed, stop=SOON, n_steps=1000) for seed in ENDING]
    told: list[str] = []
    train_stack(configs, tmp_path, progress=False, on_end=lambda run: told.append(run.key))
    ends = [Run(tmp_path / key).status()["step"] for key in told]
    assert sorted(told) == sorted(run_key(config) for config in configs)
    assert ends == sorted(ends)
    told.clear()
    train_stack(configs, tmp_path, progress=False, on_end=lambda run: told.append(run.key))
    assert len(told) == 4


@pytest.mark.slow
def test_a_sweep_of_stacks_gives_the_bytes_of_single_runs(tmp_path: Path) -> None:
    configs = [small(seed, lr=lr) for seed in range(2) for lr in (1e-3, 3e-3, 1e-2)]
    configs.append(small(0, lr=1e30))
    outcome = run_local(configs, tmp_path / "swept", workers=2, progress=False)
    assert sorted(outcome.finished) == sorted(map(run_key, configs))
    alone = [train(config, tmp_path / "alone", progress=False) for config in configs]
    for run in alone:
        assert_same(Run(tmp_path / "swept" / run.key), run)
    assert alone[-1].status()["status"] == "diverged"


@pytest.mark.slow
def test_a_run_that_another_process_has_stops_no_other_of_its_stack(tmp_path: Path) -> None:
    configs = [small(seed) for seed in range(3)]
    held = RunStore(tmp_path).create(configs[1])
    with RunLock(held.dir):
        outcome = run_local(configs, tmp_path, workers=1, progress=False)
    assert outcome.busy == [held.key]
    assert sorted(outcome.finished) == sorted(run_key(c) for c in (configs[0], configs[2]))


def test_a_longer_run_goes_on_in_a_stack(tmp_path: Path) -> None:
    configs = [small(seed, checkpoint=CheckpointConfig(every=100)) for seed in range(3)]
    train(configs[0], tmp_path / "parts", progress=False)
    longer = [replace(config, n_steps=600) for config in configs]
    train_stack(longer, tmp_path / "parts", progress=False)
    train_stack(longer, tmp_path / "whole", progress=False)
    for config in longer:
        key = run_key(config)
        assert_same(Run(tmp_path / "parts" / key), Run(tmp_path / "whole" / key))
