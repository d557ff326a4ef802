"""Tiny runs, signals at a chosen update, and what makes two stored runs the same."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest

from grok.checkpoints import checkpoint_path, checkpoint_steps, load_checkpoint
from grok.cli import main
from grok.config import MeasuresConfig, RunConfig, Schedule, TrackingConfig
from grok.data.sequence_config import ProblemName
from grok.models.config import norm_config
from grok.runs import Run
from grok.training import Stack
from tests.builders import sequences, tiny

FLAGS = (
    "--data.p=7",
    "--data.train_fraction=0.6",
    "--model.d_model=16",
    "--model.n_heads=2",
    "--model.d_mlp=32",
    "--tracking.mode=disabled",
)
"""What makes the run of an experiment tiny."""


class Result(NamedTuple):
    """What a command returned and printed."""

    code: int
    out: str
    err: str


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> Result:
    """A command of ``grok`` in this process; what was printed before is dropped."""
    capsys.readouterr()
    code = main(arguments)
    captured = capsys.readouterr()
    return Result(code, captured.out, captured.err)


def run_config(**overrides: Any) -> RunConfig:
    """A run of 130 updates as they are trained by default: float32, every measure, no copy."""
    fields = {
        "dtype": "float32",
        "norm": norm_config("mlp"),
        "n_steps": 130,
        "tracking": TrackingConfig(mode="disabled"),
    }
    return tiny(**(fields | overrides))


def on_sequences(problem: ProblemName, **overrides: Any) -> RunConfig:
    """The same on sequences."""
    fields = {"dtype": "float32", "n_steps": 130, "tracking": TrackingConfig(mode="disabled")}
    return sequences(problem, **(fields | overrides))


def measures(**schedules: Schedule | None) -> MeasuresConfig:
    """Some families on a schedule of their own, None for not at all."""
    families: dict[str, Any] = {
        name: replace(
            getattr(MeasuresConfig(), name),
            enabled=schedule is not None,
            schedule=schedule or Schedule(),
        )
        for name, schedule in schedules.items()
    }
    return MeasuresConfig(**families)


@contextmanager
def signal_at(step: int, signum: int) -> Iterator[None]:
    """Sends this process a signal as soon as a stack has done so many updates."""
    update = Stack.update

    def signalling(stack: Stack) -> None:
        update(stack)
        if stack.step == step:
            os.kill(os.getpid(), signum)

    with patch.object(Stack, "update", signalling):
        yield


def checkpoints(run: Run) -> dict[int, dict[str, bytes]]:
    """Every stored tensor, bit for bit, by step and name."""
    found = {}
    for step in checkpoint_steps(run):
        stored = load_checkpoint(checkpoint_path(run, step))
        found[step] = {
            name: tensor.numpy().tobytes()
            for name, tensor in (stored.parameters | stored.moments).items()
        }
    return found


def assert_same(run: Run, other: Run) -> None:
    """The two runs hold the same bits: every reading, null and NaN, and every checkpoint."""
    assert run.readings().equals(other.readings())
    assert checkpoints(run) == checkpoints(other)


def files(directory: Path) -> dict[Path, int]:
    """When each file was last written, locks aside."""
    return {
        path: path.stat().st_mtime_ns
        for path in directory.rglob("*")
        if path.is_file() and path.name != ".lock.mutex"
    }
