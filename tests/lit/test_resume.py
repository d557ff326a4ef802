import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning.pytorch import Callback, LightningModule, Trainer

from grok.cli import main
from grok.config import CheckpointConfig, RunConfig, Schedule
from grok.lit.module import BlockDataModule, Blocks
from grok.lit.signals import Interrupted
from grok.lit.train import train
from grok.models.config import NormConfig
from grok.runs import Run, RunStore
from tests.running import (
    FLAGS,
    assert_same,
    checkpoints,
    measures,
    on_sequences,
    run_config,
    signal_at,
)

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)

EVERY_UPDATE = Schedule(dense=200, every=0)
RARELY = Schedule(every=1000)

CASES = {
    "full batch": run_config(),
    "mini-batches and dropout": run_config(batch_size=8, dropout=0.2),
    "SGD with momentum": run_config(kind="sgd", momentum=0.9, lr=0.05, weight_decay=1e-3),
    "Adafactor on a schedule": run_config(
        kind="adafactor", lr=0.05, weight_decay=0.1, schedule="inverse_sqrt", flat_steps=40
    ),
    "kept checkpoints": run_config(checkpoint=CheckpointConfig(every=20)),
    "warm-up and a penalty": run_config(warmup=100, l1=1e-4),
    "two blocks without norm": run_config(n_layers=2, norm=NormConfig()),
    "every measure at every update": run_config(
        measures=measures(**dict.fromkeys(("task", "norm", "attention", "fourier"), EVERY_UPDATE)),
        n_steps=40,
    ),
    "fresh sequences": on_sequences("digit_addition"),
    "sequences in batches": on_sequences("repeated_subsequence", n_train=30, dropout=0.2),
    "norm dynamics": run_config(
        measures=measures(task=EVERY_UPDATE, dynamics=Schedule(every=20)),
        checkpoint=CheckpointConfig(every=20),
    ),
    "blocks of 100 updates": run_config(
        measures=measures(**dict.fromkeys(("task", "norm", "compress"), RARELY)), n_steps=230
    ),
}


Whole = Callable[[RunConfig], Run]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The run in one go; trained once for all tests of this file."""
    directory = tmp_path_factory.mktemp("whole")

    @cache
    def of(config: RunConfig) -> Run:
        return train(config, directory / str(len(list(directory.iterdir()))), progress=False)

    return of


def interrupted(config: RunConfig, directory: Path, steps: list[int], signum: int) -> Run:
    """The run, stopped after each of these updates and started again by the same call."""
    for step in steps:
        with signal_at(step, signum), pytest.raises(Interrupted):
            train(config, directory, progress=False)
        [run] = RunStore(directory).runs()
        status = run.status()
        assert (status["status"], status["step"]) == ("interrupted", step)
        assert status["signal"] == signum
    return train(config, directory, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    case: str, uninterrupted: Whole, tmp_path: Path
) -> None:
    config = CASES[case]
    # While every step is read, inside a block, at a due step, and just before the end.
    steps = [step for step in (7, 60, 75, config.n_steps - 1) if step < config.n_steps]
    run = interrupted(config, tmp_path, steps, signal.SIGTERM)
    assert run.status()["status"] == "completed"
    assert_same(run, uninterrupted(config))


@pytest.mark.slow
@settings(max_examples=3, deadline=None, derandomize=True)
@given(steps=st.sets(st.integers(1, 129), min_size=1, max_size=3), which=st.sampled_from(SIGNALS))
def test_no_instant_of_an_interruption_shows_in_the_result(
    uninterrupted: Whole, steps: set[int], which: signal.Signals
) -> None:
    config = CASES["kept checkpoints"]
    with tempfile.TemporaryDirectory() as directory:
        run = interrupted(config, Path(directory), sorted(steps), which)
        assert_same(run, uninterrupted(config))


class SignalOnTrainStart(Callback):
    """A signal that comes just before the first update."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.slow
def test_a_run_stopped_before_its_first_update_resumes_from_step_0(
    uninterrupted: Whole, tmp_path: Path
) -> None:
    config = run_config()
    with pytest.raises(Interrupted):
        train(config, tmp_path, progress=False, callbacks=[SignalOnTrainStart()])
    [run] = RunStore(tmp_path).runs()
    assert run.status()["step"] == 0
    assert run.readings()["step"].to_list() == [0]
    assert_same(train(config, tmp_path, progress=False), uninterrupted(config))


def test_a_signal_is_not_lost_while_lightnings_own_handlers_are_in_place(tmp_path: Path) -> None:
    blocks = BlockDataModule.train_dataloader

    def signalling(data: BlockDataModule) -> Blocks:
        os.kill(os.getpid(), signal.SIGTERM)
        return blocks(data)

    with patch.object(BlockDataModule, "train_dataloader", signalling), pytest.raises(Interrupted):
        train(run_config(), tmp_path, progress=False)
    [run] = RunStore(tmp_path).runs()
    assert (run.status()["status"], run.status()["step"]) == ("interrupted", 0)
    assert train(run_config(), tmp_path, progress=False).status()["status"] == "completed"


@pytest.mark.parametrize("which", SIGNALS, ids=lambda which: which.name)
def test_a_signal_checkpoints_and_exits_with_128_plus_its_number(
    which: signal.Signals, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "layernorm", *FLAGS, "--n_steps=70", f"--runs_dir={tmp_path}"]
    with signal_at(60, which):
        assert main(command) == 128 + which
    assert "interrupted at step 60 of 70" in capsys.readouterr().out
    [run] = RunStore(tmp_path).runs()
    assert list(checkpoints(run)) == [60]
    assert main(command) == 0
    assert "resumed at step 60" in capsys.readouterr().err


def test_a_signal_during_the_last_update_finds_the_run_completed(tmp_path: Path) -> None:
    config = run_config(n_steps=30)
    with signal_at(30, signal.SIGTERM):
        run = train(config, tmp_path, progress=False)
    assert run.status()["status"] == "completed"


def test_handlers_are_given_back_after_a_run(tmp_path: Path) -> None:
    before = [signal.getsignal(which) for which in SIGNALS]
    train(run_config(n_steps=2), tmp_path, progress=False)
    assert [signal.getsignal(which) for which in SIGNALS] == before


@pytest.mark.slow
@pytest.mark.parametrize("case", ["full batch", "mini-batches and dropout", "kept checkpoints"])
def test_an_extended_run_ends_as_one_that_was_long_from_the_start(
    case: str, uninterrupted: Whole, tmp_path: Path
) -> None:
    config = CASES[case]
    for n_steps in (33, 90):
        run = train(replace(config, n_steps=n_steps), tmp_path, progress=False)
        assert run.status()["step"] == n_steps
    assert_same(train(config, tmp_path, progress=False), uninterrupted(config))


def start_process(runs_dir: Path, *flags: str) -> subprocess.Popen[str]:
    """``grok train`` in a process of its own, once it has begun its updates."""
    script = Path(sys.executable).with_name("grok")
    process = subprocess.Popen(
        [str(script), "train", "layernorm", *FLAGS, f"--runs_dir={runs_dir}", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert process.stderr is not None
    assert "steps" in process.stderr.readline()
    return process


@pytest.mark.slow
def test_a_killed_run_can_be_read_and_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    flags = ("--n_steps=450", "--checkpoint.seconds=0", "--checkpoint.every=100")
    command = ["train", "layernorm", *FLAGS, *flags]
    assert main([*command, f"--runs_dir={tmp_path / 'whole'}"]) == 0
    [whole] = RunStore(tmp_path / "whole").runs()
    instants = random.Random(0)
    for _ in range(3):
        with start_process(tmp_path / "killed", *flags) as process:
            time.sleep(instants.uniform(0.0, 0.5))
            process.kill()
        assert process.returncode == -signal.SIGKILL
        [run] = RunStore(tmp_path / "killed").runs()
        assert run.status()["status"] == "running"
        assert_consistent(run, whole)
    assert main([*command, f"--runs_dir={tmp_path / 'killed'}"]) == 0
    [run] = RunStore(tmp_path / "killed").runs()
    assert_same(run, whole)


def assert_consistent(run: Run, whole: Run) -> None:
    """What the run holds is the beginning of what the whole one does."""
    found = run.readings()
    expected = whole.readings().filter(whole.readings()["step"].is_in(found["step"].to_list()))
    assert found.equals(expected.select(found.columns))
    for step, tensors in checkpoints(run).items():
        if step in checkpoints(whole):
            stored = checkpoints(whole)[step]
            assert all(tensors[name] == stored[name] for name in set(tensors) & set(stored))


@pytest.mark.slow
def test_a_run_belongs_to_one_process_until_that_is_dead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "layernorm", *FLAGS, "--n_steps=20000", f"--runs_dir={tmp_path}"]
    with start_process(tmp_path, "--n_steps=20000") as process:
        try:
            [run] = RunStore(tmp_path).runs()
            assert main(command) == 1
            error = capsys.readouterr().err
            assert error.startswith(f"grok: run {run.key} is being worked on by process ")
            assert error.count("\n") == 1
            assert main(["rm", run.key, f"--runs_dir={tmp_path}"]) == 1
        finally:
            process.kill()
    assert main(["train", "layernorm", *FLAGS, "--n_steps=30", f"--runs_dir={tmp_path}"]) == 0
    assert run.status()["status"] == "completed"


@pytest.mark.slow
def test_a_process_that_is_asked_to_end_checkpoints_first(tmp_path: Path) -> None:
    with start_process(tmp_path, "--n_steps=20000") as process:
        process.terminate()
        out, err = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert "interrupted at step" in out
    assert "Traceback" not in err
    [run] = RunStore(tmp_path).runs()
    assert list(checkpoints(run)) == [run.status()["step"]]
