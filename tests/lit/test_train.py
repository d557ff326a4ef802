import errno
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock, patch

import pytest
import torch

from grok.config import CheckpointConfig, RunConfig, Schedule, run_key
from grok.lit.signals import Interrupted
from grok.lit.train import train, train_stack
from grok.runs import LockLost, RunLock, RunLocked, RunStore, summary
from grok.training import Stack, problem_of
from tests.running import assert_same, checkpoints, files, measures, run_config, signal_at

DIVERGING = {"lr": 1e30, "kind": "sgd"}


def sibling(seed: int = 0, **overrides: object) -> RunConfig:
    """A run that stacks with those of other seeds, SGD so that one of them can diverge."""
    return run_config(**({"init_seed": seed, "kind": "sgd", "lr": 0.05, "n_steps": 60} | overrides))


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    config = run_config(n_steps=30)
    train(config, tmp_path, progress=False)
    before = files(tmp_path)
    with patch("grok.lit.train.fit", side_effect=AssertionError("trained")):
        run = train(config, tmp_path, progress=False)
        # Asking for fewer updates asks for nothing new.
        train(replace(config, n_steps=20), tmp_path, progress=False)
    after = files(tmp_path)
    changed = {path.name for path in before if after[path] != before[path]}
    assert changed == {"config.yaml"}
    assert run.status()["step"] == 30


@pytest.mark.slow
def test_retraining_starts_anew_and_ends_the_same(tmp_path: Path) -> None:
    config = run_config(n_steps=30)
    first = train(config, tmp_path / "first", progress=False)
    train(config, tmp_path / "second", progress=False)
    with patch.object(Stack, "update", autospec=True, side_effect=Stack.update) as update:
        second = train(config, tmp_path / "second", progress=False, retrain=True)
    assert update.call_count == 30
    assert_same(first, second)


def test_a_run_says_how_it_ended_and_where(tmp_path: Path) -> None:
    run = train(run_config(n_steps=30), tmp_path, progress=False)
    status = json.loads((run.dir / "status.json").read_bytes())
    assert status["status"] == "completed"
    assert status["step"] == status["n_steps"] == 30
    assert status["steps_per_second"] > 0
    assert status["environment"]["torch"] == torch.__version__
    assert status["environment"]["threads"] == 1
    assert status["onset"] == summary(run)["onset"]
    assert "error" not in status
    assert run.readings()["step"].to_list() == [*range(31)]
    assert list(checkpoints(run)) == [30]
    assert len(list(run.readings_dir.iterdir())) == 1


def test_nothing_is_written_outside_the_run_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    train(run_config(n_steps=2), tmp_path / "runs", progress=False)
    assert list((tmp_path / "here").iterdir()) == []


def test_the_readings_are_those_of_the_parameters_after_so_many_updates(tmp_path: Path) -> None:
    config = run_config(n_steps=12, dtype="float64")
    table = train(config, tmp_path, progress=False).readings(["loss/train", "norm/theta/all"])
    stack = Stack(problem_of([config]))
    for step, loss in zip(table["step"], table["loss/train"], strict=True):
        stack.advance(step - stack.step)
        torch.testing.assert_close(stack.losses().item(), loss)
    assert table["norm/theta/all"].drop_nulls().len() == 1  # every 200


def test_a_diverging_run_ends_as_diverged_where_its_loss_was_last_finite(tmp_path: Path) -> None:
    every = Schedule(dense=20, every=0)
    config = run_config(
        **DIVERGING,
        n_steps=20,
        measures=measures(task=every, norm=every, attention=every, fourier=every, compress=every),
    )
    run = train(config, tmp_path, progress=False)
    status = run.status()
    assert status["status"] == "diverged"
    assert 0 < status["step"] < 20
    assert run.readings()["step"].to_list() == [*range(status["step"] + 1)]
    before = files(tmp_path)
    train(config, tmp_path, progress=False)
    assert files(tmp_path) == before  # it is done


@pytest.mark.slow
def test_a_diverging_run_leaves_its_neighbours_alone(tmp_path: Path) -> None:
    calm, wild = sibling(), sibling(1, lr=1e30)
    together = train_stack([calm, wild], tmp_path / "wild", progress=False)
    assert [run.status()["status"] for run in together] == ["completed", "diverged"]
    reference = train_stack([calm, sibling(1)], tmp_path / "calm", progress=False)
    assert_same(together[0], reference[0])


@pytest.mark.slow
def test_a_run_of_a_stack_does_not_depend_on_its_neighbours(tmp_path: Path) -> None:
    run, *others = (run_config(init_seed=seed, n_steps=60) for seed in range(4))
    two = train_stack([run, others[0]], tmp_path / "two", progress=False)
    three = train_stack([others[1], run, others[2]], tmp_path / "three", progress=False)
    assert_same(two[0], three[1])


@pytest.mark.slow
def test_runs_of_a_stack_that_stand_at_different_steps_go_on_separately(tmp_path: Path) -> None:
    ahead, behind = sibling(0), sibling(1)
    train(replace(ahead, n_steps=25), tmp_path / "stack", progress=False)
    with patch("grok.lit.train._train_jobs", wraps=_train_jobs()) as groups:
        runs = train_stack([ahead, behind], tmp_path / "stack", progress=False)
    assert sorted(jobs[0].start for (jobs, *_), _ in groups.call_args_list) == [0, 25]
    for config, run in zip((ahead, behind), runs, strict=True):
        assert_same(run, train(config, tmp_path / "alone", progress=False))


def _train_jobs() -> Callable[..., int | None]:
    from grok.lit import train as module

    return module._train_jobs


@pytest.mark.slow
def test_runs_of_a_stack_that_stand_together_go_on_together(tmp_path: Path) -> None:
    configs = [sibling(0), sibling(1)]
    with signal_at(33, signal.SIGTERM), pytest.raises(Interrupted):
        train_stack(configs, tmp_path / "cut", progress=False)
    cut = train_stack(configs, tmp_path / "cut", progress=False)
    whole = train_stack(configs, tmp_path / "whole", progress=False)
    for run, other in zip(cut, whole, strict=True):
        assert_same(run, other)


@pytest.mark.slow
def test_a_signal_at_the_end_of_one_group_still_stops_the_next(tmp_path: Path) -> None:
    ahead, behind = sibling(0), sibling(1)
    train(replace(ahead, n_steps=25), tmp_path, progress=False)
    with signal_at(60, signal.SIGTERM), pytest.raises(Interrupted):
        train_stack([behind, ahead], tmp_path, progress=False)
    statuses = {run.key: run.status() for run in RunStore(tmp_path).runs()}
    assert statuses[run_key(ahead)]["step"] in (25, 60)
    assert sorted(status["step"] for status in statuses.values()) != [60, 60]


def test_the_same_run_twice_in_one_stack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the same run twice"):
        train_stack([sibling(), replace(sibling(), n_steps=7)], tmp_path, progress=False)


def test_runs_that_cannot_share_a_stack_are_refused_by_the_field(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^runs of one stack may not differ in model\.d_mlp$"):
        train_stack([sibling(), sibling(1, d_mlp=8)], tmp_path, progress=False)


def test_a_locked_run_is_refused(tmp_path: Path) -> None:
    config = run_config(n_steps=3)
    run = RunStore(tmp_path).create(config)
    with RunLock(run.dir), pytest.raises(RunLocked, match="is being worked on by process"):
        train(config, tmp_path, progress=False)
    train(config, tmp_path, progress=False)


def test_a_run_that_was_taken_over_is_left_to_its_new_owner(tmp_path: Path) -> None:
    config = run_config(n_steps=30)
    update = Stack.update

    def lose_the_lock(stack: Stack) -> None:
        update(stack)
        if stack.step == 10:
            [run] = RunStore(tmp_path).runs()
            (run.dir / "lock").write_text("{}")

    with patch.object(Stack, "update", lose_the_lock), pytest.raises(LockLost):
        train(config, tmp_path, progress=False)
    [run] = RunStore(tmp_path).runs()
    assert run.status()["status"] == "new"  # nothing was written after that


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.slow
def test_a_disk_that_fills_up_fails_the_run_which_can_be_resumed(tmp_path: Path) -> None:
    config = run_config(n_steps=60)
    with (
        patch("grok.checkpoints.write_atomic", full_disk),
        pytest.raises(OSError, match="No space left"),
    ):
        train(config, tmp_path, progress=False)
    [run] = RunStore(tmp_path).runs()
    assert run.status()["status"] == "failed"
    assert "No space left" in run.status()["error"]
    train(config, tmp_path, progress=False)
    assert run.status()["status"] == "completed"
    assert_same(run, train(config, tmp_path / "other", progress=False))


@pytest.mark.slow
def test_a_disk_that_takes_nothing_at_all_still_raises_the_first_error(tmp_path: Path) -> None:
    config = run_config(n_steps=60)
    update = Stack.update
    with pytest.MonkeyPatch.context() as patches:

        def fill(stack: Stack) -> None:
            update(stack)
            patches.setattr("grok.runs.files.os.fsync", Mock(side_effect=errors))

        errors = [OSError(errno.ENOSPC, name) for name in ("first", "second", "third")]
        patches.setattr(Stack, "update", fill)
        with pytest.raises(OSError, match="first"):
            train(config, tmp_path, progress=False)
    run = train(config, tmp_path, progress=False)
    assert_same(run, train(config, tmp_path / "other", progress=False))


def test_cuda_is_refused_where_there_is_none(tmp_path: Path) -> None:
    with (
        patch("torch.cuda.is_available", return_value=False),
        pytest.raises(ValueError, match=r"device=cuda: no CUDA device.*allowed here: auto, cpu"),
    ):
        train(replace(run_config(), device="cuda"), tmp_path, progress=False)


@pytest.mark.slow
def test_checkpoints_give_the_readings_that_a_finished_run_lacks_without_training(
    tmp_path: Path,
) -> None:
    often, kept = Schedule(every=20), CheckpointConfig(every=20)
    late_ones = ("attention", "fourier", "compress", "shortcut", "weights", "kernel", "hessian")
    complete = run_config(
        n_steps=60, checkpoint=kept, measures=measures(**dict.fromkeys(late_ones, often))
    )
    without = replace(complete, measures=measures(**dict.fromkeys(late_ones)))
    run = train(without, tmp_path / "late", progress=False)
    stored = checkpoints(run)
    with patch.object(Stack, "update", side_effect=AssertionError("it trains")):
        late = train(complete, tmp_path / "late", progress=False)
    assert checkpoints(late) == stored
    assert_same(late, train(complete, tmp_path / "early", progress=False))


@pytest.mark.slow
def test_readings_that_a_finished_run_lacks_are_added_by_a_replay(tmp_path: Path) -> None:
    without = run_config(n_steps=60, measures=measures(norm=None, compress=None))
    complete = run_config(n_steps=60)
    run = train(without, tmp_path / "late", progress=False)
    stored = checkpoints(run)
    late = train(complete, tmp_path / "late", progress=False)
    assert checkpoints(late) == stored
    assert_same(late, train(complete, tmp_path / "early", progress=False))
