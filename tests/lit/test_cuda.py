"""Runs on a CUDA device: the same readings as on the CPU, and the same rules of resuming."""

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from grok.config import MeasuresConfig, RunConfig, Schedule, TrackingConfig
from grok.config.measures import DynamicsConfig, HeadsConfig, HomogeneityConfig, SaturationConfig
from grok.lit.capacity import peak_memory
from grok.lit.signals import Interrupted
from grok.lit.train import train, train_stack
from grok.models.config import norm_config
from grok.runs import Run
from grok.training import Stack, problem_of
from tests.builders import PAPER, changed
from tests.images import digits_run
from tests.running import (
    assert_same,
    checkpoints,
    command,
    measures,
    on_sequences,
    run_config,
    signal_at,
)
from tests.texts import language_run, text_folder
from tests.toys import ENCODER, toy
from tests.training.test_captured import CASES as RECORDED

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

N_STEPS = 12
QUIET = TrackingConfig(mode="disabled")
OFTEN = Schedule(every=4)
GROWTH = replace(
    measures(task=OFTEN, norm=OFTEN, attention=OFTEN),
    dynamics=DynamicsConfig(enabled=True, schedule=OFTEN),
    saturation=SaturationConfig(enabled=True, schedule=OFTEN),
    homogeneity=HomogeneityConfig(enabled=True, schedule=OFTEN, scales=(2.0,), n_examples=4),
    heads=HeadsConfig(enabled=True, schedule=OFTEN),
)
PAIRS = dict.fromkeys(
    ("task", "norm", "attention", "fourier", "compress", "progress", "shortcut", "weights"), OFTEN
)


def _case(name: str, folder: Path) -> RunConfig:
    """A run of a few updates in float64, so that the two devices differ by rounding alone."""
    fields: dict[str, Any] = {
        "dtype": "float64",
        "n_steps": N_STEPS,
        "tracking": QUIET,
    }
    if name == "pairs":
        return run_config(**fields, measures=measures(**PAIRS), norm=norm_config("none"))
    if name == "pairs, kernel and Hessian":
        return run_config(**fields, measures=measures(task=OFTEN, kernel=OFTEN, hessian=OFTEN))
    if name == "norm growth":
        return run_config(**fields, measures=GROWTH)
    if name == "adafactor":
        return run_config(**fields, kind="adafactor", lr=0.05, measures=GROWTH)
    if name == "mini-batches":
        return run_config(**fields, batch_size=8, measures=measures(task=OFTEN))
    if name == "language":
        return language_run(text_folder(folder / "text"), **fields, measures=GROWTH)
    if name in TOYS:
        return replace(toy(**TOYS[name], **fields), measures=measures(task=OFTEN, repr=OFTEN))
    if name == "images":
        return replace(digits_run(**fields), measures=measures(task=OFTEN))
    return on_sequences(name, **fields, measures=GROWTH)  # type: ignore[arg-type]


TOYS: dict[str, dict[str, Any]] = {
    "toy": {},
    "toy of matrices": {"operation": "compose", "group": "S3", "pairs": "ordered", "n_train": 24}
    | {"dim": 9, "combine": "product"},
    "toy with an encoder": ENCODER,
}
CASES = (
    "pairs",
    "pairs, kernel and Hessian",
    "norm growth",
    "adafactor",
    "mini-batches",
    "digit_addition",
    "repeated_subsequence",
    "skip_trigram",
    "majority",
    "language",
    "images",
    *TOYS,
)


def _on(device: Any, config: RunConfig, folder: Path) -> Run:
    return train(replace(config, device=device), folder / device, progress=False)


def _differences(ours: pl.DataFrame, theirs: pl.DataFrame) -> dict[str, float]:
    """Largest difference of each column beyond one part in a hundred thousand."""
    found = {}
    for name in ours.columns:
        x, y = (
            frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for frame in (ours, theirs)
        )
        if not np.allclose(x, y, rtol=1e-5, atol=1e-6, equal_nan=True):
            found[name] = float(np.nanmax(np.abs(x - y)))
    return found


@pytest.mark.parametrize("case", CASES)
def test_readings_are_those_of_the_cpu(case: str, tmp_path: Path) -> None:
    config = _case(case, tmp_path)
    on_cpu, on_cuda = (_on(device, config, tmp_path) for device in ("cpu", "cuda"))
    assert on_cpu.key == on_cuda.key
    assert on_cuda.status()["status"] == "completed"
    assert on_cuda.readings().columns == on_cpu.readings().columns
    assert _differences(on_cuda.readings(), on_cpu.readings()) == {}


@pytest.mark.parametrize("case", ["pairs", "norm growth", "language"])
def test_an_interrupted_run_ends_with_the_same_bits(case: str, tmp_path: Path) -> None:
    config = replace(_case(case, tmp_path), dtype="float32", device="cuda")
    whole = train(config, tmp_path / "whole", progress=False)
    with signal_at(7, signal.SIGTERM), pytest.raises(Interrupted):
        train(config, tmp_path / "parts", progress=False)
    assert_same(train(config, tmp_path / "parts", progress=False), whole)


@pytest.mark.parametrize("case", ["pairs", "language"])
def test_measures_leave_the_bits_of_training_as_they_are(case: str, tmp_path: Path) -> None:
    config = replace(_case(case, tmp_path), dtype="float32", device="cuda")
    few = replace(config, measures=measures(task=OFTEN))
    many = replace(config, measures=GROWTH)
    runs = [train(each, tmp_path / str(i), progress=False) for i, each in enumerate((few, many))]
    without, with_them = (checkpoints(run)[N_STEPS] for run in runs)
    assert without == {name: with_them[name] for name in without}  # which has sums beside them
    losses = [run.readings().select("step", "loss/train", "loss/test") for run in runs]
    assert losses[0].equals(losses[1])


def test_a_stack_has_the_readings_of_its_runs_alone(tmp_path: Path) -> None:
    configs = [
        replace(
            run_config(init_seed=s, split_seed=s, dtype="float64", n_steps=N_STEPS), device="cuda"
        )
        for s in range(3)
    ]
    together = train_stack(configs, tmp_path / "stack", progress=False)
    for config, run in zip(configs, together, strict=True):
        alone = train(config, tmp_path / "alone", progress=False)
        assert _differences(run.readings(), alone.readings()) == {}


def test_auto_takes_it_and_a_checkpoint_is_measured_without_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROK_RUNS", str(tmp_path))
    config = run_config(measures=MeasuresConfig(), n_steps=N_STEPS, dtype="float64")
    torch.cuda.reset_peak_memory_stats()
    run = train(config, progress=False)
    assert torch.cuda.max_memory_allocated() > 0
    outcome = command(capsys, "measure", run.key, "--json")
    assert outcome.code == 0
    found = json.loads(outcome.out)
    last = run.final()
    assert found["readings"]["loss/train"] == pytest.approx(last["loss/train"], rel=1e-6)


def _advanced(configs: list[RunConfig], *, is_recorded: bool) -> Stack:
    stack = Stack(problem_of(configs, "cuda"))
    if not is_recorded:
        stack.captured = None
    stack.advance(7)
    stack.advance(8)
    assert (stack.captured is not None) == is_recorded
    return stack


@pytest.mark.parametrize("case", RECORDED)
def test_recorded_updates_have_the_numbers_of_launched_ones(case: str) -> None:
    launched, recorded = (
        _advanced(RECORDED[case], is_recorded=is_recorded) for is_recorded in (False, True)
    )
    torch.testing.assert_close(recorded.theta, launched.theta, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(recorded.previous, launched.previous, rtol=1e-6, atol=1e-6)


def test_a_recorded_run_that_diverges_is_frozen_where_a_launched_one_is() -> None:
    configs = [
        run_config(init_seed=seed, lr=1e30 if seed == 1 else 1e-3, dtype="float64")
        for seed in range(3)
    ]
    launched, recorded = (_advanced(configs, is_recorded=is_it) for is_it in (False, True))
    assert recorded.ended_at == launched.ended_at
    assert recorded.alive.tolist() == [True, False, True]


def test_tf32_is_of_updates_and_changes_them() -> None:
    exact, rounded = (
        _advanced([run_config(dtype="float32", matmul_precision=name)], is_recorded=True)
        for name in ("highest", "high")
    )
    assert not torch.equal(exact.theta, rounded.theta)
    assert (exact.theta - rounded.theta).abs().max() < 15 * 2e-3  # each update is the rate at most


def test_a_stack_that_is_too_large_goes_on_in_halves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The device's memory is made small, and nothing is planned."""
    configs = [
        replace(changed(PAPER, init_seed=s), n_steps=N_STEPS, device="cuda", tracking=QUIET)
        for s in range(8)
    ]
    device = torch.device("cuda")
    needed = peak_memory(configs, device)
    monkeypatch.setattr("grok.lit.train.capacity", lambda configs, device: len(configs))
    torch.cuda.empty_cache()
    total = torch.cuda.mem_get_info()[1]
    most = torch.cuda.memory_reserved() + 0.6 * needed
    torch.cuda.set_per_process_memory_fraction(most / total)
    try:
        runs = train_stack(configs, tmp_path, progress=False)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert "no memory for a stack of 8 runs" in capsys.readouterr().err
    assert {run.status()["status"] for run in runs} == {"completed"}
