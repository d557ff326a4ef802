from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from grok.checkpoints import checkpoint_steps, load_checkpoint, save_checkpoint
from grok.config import CheckpointConfig, RunConfig, Schedule, StopConfig
from grok.lit.keeper import has_generalised
from grok.lit.train import train, train_stack
from grok.runs import ReadingsWriter, Run, RunStore
from tests.running import assert_same, checkpoints, files, measures, run_config

READ = measures(task=Schedule(every=5), norm=None, attention=None, fourier=None, compress=None)


def stopping(seed: int = 0, accuracy: float = 0.01, **overrides: object) -> RunConfig:
    """A run with a stop rule that a memorising network satisfies."""
    rule = StopConfig(when="sustained", accuracy=accuracy, readings=4)
    fields = {"n_steps": 120, "measures": READ, "stop": rule, "init_seed": seed, "lr": 3e-3}
    return run_config(**(fields | overrides))


def never(config: RunConfig) -> RunConfig:
    """The same run without its stop rule."""
    return replace(config, stop=StopConfig())


def first_stop(run: Run, rule: StopConfig) -> int | None:
    """Step at which the last ``readings`` values are all high enough, by going through them."""
    steps, values = run.series("acc/test")
    for end in range(rule.readings, len(steps) + 1):
        if all(value >= rule.accuracy for value in values[end - rule.readings : end]):
            return int(steps[end - 1])
    return None


@pytest.fixture
def writer(tmp_path: Path) -> ReadingsWriter:
    return ReadingsWriter(RunStore(tmp_path).create(run_config()))


@pytest.mark.parametrize(
    ("values", "holds"),
    [
        ([], False),
        ([1.0, 1.0], False),
        ([1.0, 1.0, 1.0], True),
        ([0.99, 0.99, 0.99], True),
        ([1.0, 0.9, 1.0, 1.0], False),
        ([0.0, 1.0, 1.0, 1.0], True),
        ([1.0, float("nan"), 1.0, 1.0], False),
    ],
)
def test_a_run_has_generalised_when_enough_readings_in_a_row_are_high(
    values: list[float], holds: bool, writer: ReadingsWriter
) -> None:
    config = run_config(stop=StopConfig(when="sustained", accuracy=0.99, readings=3))
    for step, value in enumerate(values):
        writer.add(25 * step, {"acc/test": value})
    assert has_generalised(config, writer.history, 1000) == holds
    assert not has_generalised(never(config), writer.history, 1000)


def test_readings_beyond_the_step_of_a_run_do_not_stop_it(writer: ReadingsWriter) -> None:
    config = run_config(stop=StopConfig(when="sustained", accuracy=0.99, readings=3))
    for step in (10, 20, 30):  # a kill left these, and a checkpoint at 20
        writer.add(step, {"acc/test": 1.0})
    assert not has_generalised(config, writer.history, 20)
    assert has_generalised(config, writer.history, 30)


def test_a_stop_rule_ends_the_run_at_the_reading_that_satisfies_it(tmp_path: Path) -> None:
    config = stopping()
    whole = train(never(config), tmp_path / "whole", progress=False)
    expected = first_stop(whole, config.stop)
    assert expected is not None
    assert 15 <= expected < 120
    run = train(config, tmp_path / "early", progress=False)
    status = run.status()
    assert (status["status"], status["step"]) == ("completed", expected)
    assert status["stopped_by"] == "stop.when=sustained"
    assert run.readings().equals(whole.readings().filter(whole.readings()["step"] <= expected))
    assert list(checkpoints(run)) == [expected]


@pytest.mark.slow
def test_a_run_that_its_rule_has_stopped_goes_on_only_without_it(tmp_path: Path) -> None:
    config = stopping()
    train(config, tmp_path / "early", progress=False)
    before = files(tmp_path)
    train(config, tmp_path / "early", progress=False)
    assert files(tmp_path) == before
    run = train(never(config), tmp_path / "early", progress=False)
    assert run.status()["step"] == 120
    assert "stopped_by" not in run.status()
    assert_same(run, train(never(config), tmp_path / "whole", progress=False))


@pytest.mark.slow
def test_a_run_that_waits_for_its_neighbours_resumes_where_it_stopped(tmp_path: Path) -> None:
    configs = [stopping(seed, accuracy=0.15) for seed in range(3)]
    early = train_stack(configs, tmp_path / "early", progress=False)
    stops = [run.status()["step"] for run in early]
    assert len(set(stops)) > 1, "the runs should stop at different steps"
    for index, stop in enumerate(stops):
        # Neither its parameters nor its moments go on while it rests.
        until = [replace(never(config), n_steps=stop) for config in configs]
        stopped = train_stack(until, tmp_path / f"until{index}", progress=False)
        assert checkpoints(early[index]) == checkpoints(stopped[index])


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 1e6])
def test_only_the_latest_checkpoint_and_the_multiples_are_kept(
    seconds: float, tmp_path: Path
) -> None:
    # Whether it is also saved in between changes nothing.
    config = run_config(n_steps=50, checkpoint=CheckpointConfig(every=20, seconds=seconds))
    run = train(config, tmp_path, progress=False)
    assert checkpoint_steps(run) == [0, 20, 40, 50]
    stored = [load_checkpoint(path) for path in sorted(run.checkpoints_dir.iterdir())]
    assert [bool(checkpoint.moments) for checkpoint in stored] == [False, False, False, True]


@pytest.mark.slow
def test_readings_reach_the_disk_before_the_checkpoint_that_claims_their_step(
    tmp_path: Path,
) -> None:
    config = run_config(n_steps=60, checkpoint=CheckpointConfig(seconds=0.0))
    seen = []

    def look(run: Run, step: int, *rest: object) -> None:
        seen.append((step, run.readings()["step"].max()))
        save_checkpoint(run, step, *rest)  # type: ignore[arg-type]

    with patch("grok.lit.keeper.save_checkpoint", look):
        train(config, tmp_path, progress=False)
    assert len(seen) > 50
    # Every step is read to 50, then 75 would be the next.
    assert all(on_disk == min(step, 50) for step, on_disk in seen)


@pytest.mark.slow
def test_a_run_is_saved_as_often_as_asked(tmp_path: Path) -> None:
    steps = []
    for seconds in (0.0, 1e6):
        config = run_config(n_steps=30, checkpoint=CheckpointConfig(seconds=seconds))
        with patch("grok.lit.keeper.save_checkpoint") as save:
            train(config, tmp_path / str(seconds), progress=False)
        steps.append([call.args[1] for call in save.mock_calls])
    assert steps == [[*range(31)], [30]]
