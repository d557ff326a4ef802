"""Estimates, and the line that shows how far a sweep has come."""

import io
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from grok.config import RunConfig
from grok.data.sequence_config import ProblemName
from grok.lit.status_line import StatusLine
from grok.models.config import norm_config
from grok.runs import RunStore, write_status
from grok.sweep import estimate_seconds
from grok.sweep.estimate import NOMINAL, step_flops
from grok.sweep.progress import SweepProgress
from grok.training import Stack, problem_of
from tests.builders import changed, sequences, tiny


@pytest.mark.parametrize(
    ("config", "gflop"),
    [
        # N = 3830, d = 128, m = 512, V = 114: twice the multiply-adds of the matrix products, and
        # of lookups: 8 rows of 626 numbers a pair, in a table of 226 products of 128 with 626.
        (RunConfig(), 3 * (3830 * (116_736 + 10_016) + 50.3e6 + 36.2e6) / 1e9),
        (changed(RunConfig(), batch_size=3000), 3 * (3000 * 276_992 + 50.3e6) / 1e9),
        (changed(RunConfig(), norm=norm_config("mlp")), 3 * (3830 * 324_096 + 14.9e6) / 1e9),
        (changed(RunConfig(), dropout=0.1), 3 * 3830 * 520_704 / 1e9),
        # One whole layer, all three rows and no unembedding, before the last.
        (
            changed(RunConfig(), n_layers=2),
            3 * 3830 * (1_271_808 - 3 * 2 * 128 * 114 + 520_704) / 1e9,
        ),
        (changed(RunConfig(), batch_size=512), 3 * (512 * 324_096 + 14.9e6) / 1e9),
    ],
)
def test_the_operations_of_a_step_are_those_of_its_form(config: RunConfig, gflop: float) -> None:
    assert step_flops(config) / 1e9 == pytest.approx(gflop, rel=1e-3)


@pytest.mark.parametrize(
    "problem", ["digit_addition", "repeated_subsequence", "skip_trigram", "majority"]
)
@pytest.mark.parametrize("fields", [{}, {"n_train": 30, "batch_size": 0}], ids=str)
def test_the_operations_of_a_step_on_sequences_are_those_that_torch_counts(
    problem: ProblemName, fields: dict[str, Any]
) -> None:
    config = sequences(problem, **fields)
    stack = Stack(problem_of([config]))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        stack.losses(0)
    assert step_flops(config) == 3 * counter.get_total_flops()


def test_without_stored_runs_the_operations_set_the_time(tmp_path: Path) -> None:
    config = changed(RunConfig(), n_steps=1000)
    alone = 1000 * step_flops(config) / NOMINAL
    configs = [changed(config, init_seed=seed) for seed in range(4)]
    assert estimate_seconds(configs, tmp_path, workers=2) == pytest.approx(2 * alone)
    # A run is not divided among workers, and the same run is trained once.
    assert estimate_seconds([config, config], tmp_path, workers=8) == pytest.approx(alone)
    assert estimate_seconds([], tmp_path) == 0


def test_stored_runs_of_the_same_sizes_set_the_speed_and_what_is_left_counts(
    tmp_path: Path,
) -> None:
    store, configs = RunStore(tmp_path), [tiny(n_steps=100, init_seed=s) for s in range(5)]
    for config, speed in zip(configs[:3], (10.0, 50.0, 1000.0), strict=True):
        write_status(store.create(config), status="running", step=60, steps_per_second=speed)
    other = store.create(tiny(d_mlp=64))
    write_status(other, status="running", step=60, steps_per_second=1e-3)
    # 3 * 40 + 2 * 100 steps at the median of 50.
    assert estimate_seconds(configs, tmp_path, workers=1) == pytest.approx(320 / 50)


def progress(n_runs: int, stream: io.StringIO | None = None) -> SweepProgress:
    left = {f"run{i}": 100 for i in range(n_runs)}
    return SweepProgress("name", left, StatusLine(stream) if stream else None)


def test_the_line_counts_runs_and_their_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grok.sweep.progress.time.monotonic", lambda: 1000.0)
    shown = progress(5)
    assert shown.line(2, 1000.0) == "  0 of 5 done | 2 running | 3 left | 0.0 steps/s | ? left"
    shown.step("run0", 60)  # goes on from there, 100 steps before its end
    shown.step("run1", 0)
    shown.step("run0", 100)
    shown.step("run1", 20)
    # 60 steps in 10 seconds; 440 of 500 are left.
    assert shown.line(2, 1010.0) == "  0 of 5 done | 2 running | 3 left | 6.0 steps/s | 1:13 left"
    shown.end("run0", "completed", how="done", step=160)
    shown.end("run1", "failed: why", how="failed")
    # 120 steps in 20 seconds; the failed run has no more.
    assert shown.line(1, 1020.0) == (
        "  1 of 5 done | 1 running | 2 left | 1 failed | 6.0 steps/s | 0:50 left"
    )


def test_a_run_that_stops_early_takes_its_steps_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grok.sweep.progress.time.monotonic", lambda: 0.0)
    shown = progress(2)
    shown.step("run0", 0)
    shown.end("run0", "completed", how="done", step=50)
    assert shown.line(1, 10.0).endswith("5.0 steps/s | 0:20 left")


def test_a_replay_adds_to_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grok.sweep.progress.time.monotonic", lambda: 0.0)
    shown = progress(1)
    for step in (0, 100, 0, 40):
        shown.step("run0", step)
    # 140 steps in 10 seconds; 60 of the replay are left.
    assert shown.line(1, 10.0).endswith("14.0 steps/s | 0:04 left")


def test_each_run_that_ends_is_a_line_of_its_own() -> None:
    stream = io.StringIO()
    shown = progress(2, stream)
    shown.start(n_skipped=3, n_workers=2)
    shown.end("run0", "completed at step 100", how="done", step=100)
    shown.show(1)  # the next line is due in ten seconds
    assert stream.getvalue().splitlines() == [
        "name: 2 runs to train, 3 done before, 2 workers",
        "run0: completed at step 100",
    ]


def test_the_estimate_of_a_longer_run_is_longer(tmp_path: Path) -> None:
    config = tiny(n_steps=100)
    longer = estimate_seconds([replace(config, n_steps=300)], tmp_path)
    assert math.isclose(longer, 3 * estimate_seconds([config], tmp_path))


def test_a_run_of_another_process_is_not_a_failed_one() -> None:
    shown = SweepProgress("sweep", {"run0": 100, "run1": 100}, None)
    shown.end("run0", "busy", how="busy")
    assert "0 of 2 done | 1 running | 0 left | 1 busy" in shown.line(1, 0.0)
