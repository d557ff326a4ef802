"""The engine with real processes. Starting one takes seconds, so each test looks at much."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from grok.config import CheckpointConfig, RunConfig, run_key
from grok.lit.train import train
from grok.runs import Run, RunLock, RunStore, live_owner
from grok.sweep import Outcome, read_sweep, run_local
from grok.sweep.state import run_state
from tests.running import assert_same, files, run_config
from tests.sweep.grids import sweep_file

pytestmark = pytest.mark.slow


def configs_of(n_runs: int, **overrides: object) -> list[RunConfig]:
    return [run_config(init_seed=seed, **overrides) for seed in range(n_runs)]


def wait_for(is_so: Callable[[], bool], seconds: float = 240.0) -> None:
    """Until something is so; fails if it never is."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def owner_pid(run: Run) -> int:
    """The process that works on a run, once it has saved a step."""
    wait_for(lambda: live_owner(run.dir) is not None and run.status()["step"] > 0)
    owner = live_owner(run.dir)
    assert owner is not None
    return owner.pid


def alone(config: RunConfig, folder: Path) -> Run:
    """The run as ``grok train`` trains it."""
    return train(config, folder / "alone", progress=False)


# Every run once.


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[RunConfig], Path, Outcome]:
    """Three runs by two workers, one of which trains two of them; one diverges."""
    runs_dir = tmp_path_factory.mktemp("swept")
    configs = [*configs_of(2), run_config(lr=1e30)]
    return configs, runs_dir, run_local([*configs, configs[0]], runs_dir, workers=2, progress=False)


def test_every_run_is_trained_once(swept: tuple[list[RunConfig], Path, Outcome]) -> None:
    configs, runs_dir, outcome = swept
    assert sorted(outcome.finished) == sorted(run_key(config) for config in configs)
    assert (outcome.skipped, outcome.failed, outcome.busy) == ([], {}, [])
    stored = {run.key: run.status()["status"] for run in RunStore(runs_dir).runs()}
    expected = ["completed", "completed", "diverged"]
    assert [stored[run_key(config)] for config in configs] == expected
    assert len(stored) == 3


def test_a_run_has_the_same_bytes_as_when_it_is_trained_alone(
    swept: tuple[list[RunConfig], Path, Outcome], tmp_path: Path
) -> None:
    configs, runs_dir, _ = swept
    for config in configs:
        assert_same(Run(runs_dir / run_key(config)), alone(config, tmp_path))


def test_what_is_done_is_skipped_without_starting_a_process(
    swept: tuple[list[RunConfig], Path, Outcome],
) -> None:
    configs, runs_dir, _ = swept
    before = files(runs_dir)
    with patch("grok.sweep.local._Worker", side_effect=AssertionError("started a process")):
        outcome = run_local(configs, runs_dir)
        assert sorted(outcome.skipped) == sorted(run_key(config) for config in configs)
        assert outcome.finished == []
        # Steps and readings that a run lacks are not skipped.
        dense = replace(
            configs[0].measures.norm, schedule=replace(configs[0].measures.norm.schedule, every=65)
        )
        lacking = replace(configs[0], measures=replace(configs[0].measures, norm=dense))
        for config in (replace(configs[0], n_steps=131), lacking):
            with pytest.raises(AssertionError, match="started a process"):
                run_local([config], runs_dir, progress=False)
    assert files(runs_dir) == before
    assert run_state(lacking, runs_dir) == ("lacking", 130, 130)
    assert run_state(replace(configs[0], n_steps=131), runs_dir) == ("resumable", 130, 1)


# What goes wrong stops nobody else.


def test_runs_that_fail_or_are_locked_do_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configs = configs_of(4, n_steps=20)
    damaged, locked, *others = [RunStore(tmp_path).create(config) for config in configs]
    (damaged.dir / "config.yaml").write_text("threads: 0")
    with RunLock(locked.dir):
        outcome = run_local(configs, tmp_path, workers=1, name="trial")
    assert sorted(outcome.finished) == sorted(run.key for run in others)
    assert list(outcome.failed) == [damaged.key]
    assert "config.yaml: threads=0 must be 1 or more" in outcome.failed[damaged.key]
    assert outcome.busy == [locked.key]
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert lines[0] == "trial: 4 runs to train, 1 worker"
    for run in others:
        end = f"{run.key}: completed at step 20 | test accuracy 0.99 not reached | test accuracy "
        assert sum(line.startswith(end) for line in lines) == 1


def test_a_killed_worker_costs_its_run_and_nothing_else(tmp_path: Path) -> None:
    configs = configs_of(3, n_steps=400, checkpoint=CheckpointConfig(seconds=0.0))
    victim, *others = [Run(tmp_path / run_key(config)) for config in configs]
    pids: list[int] = []

    def kill() -> None:
        pids.append(owner_pid(victim))
        os.kill(pids[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    outcome = run_local(configs, tmp_path, workers=1, progress=False)
    killer.join()
    assert sorted(outcome.finished) == sorted(run.key for run in others)
    assert outcome.failed == {victim.key: "its worker was killed by SIGKILL"}
    assert 0 < run_state(configs[0], tmp_path).left < 400
    before = files(others[0].dir)
    again = run_local(configs, tmp_path, workers=2, progress=False)
    assert again.finished == [victim.key]
    assert files(others[0].dir) == before
    assert_same(victim, alone(configs[0], tmp_path))


# Stopping the whole sweep.

GRID = {
    "checkpoint.seconds": {"value": 0.0},
    "seed": {"values": [0, 1, 2]},
    "n_steps": {"value": 400},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runs of the grid lie that were trained alone, once for all tests."""
    return tmp_path_factory.mktemp("whole")


@contextmanager
def started(file: str, runs_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """``grok sweep run`` in a process group of its own."""
    script = Path(sys.executable).with_name("grok")
    process = subprocess.Popen(
        [str(script), "sweep", "run", file, "--workers=2", f"--runs_dir={runs_dir}", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ended_and_begun(runs_dir: Path) -> tuple[list[Run], list[Run]]:
    """Runs that are done, and those that have a state to go on from."""
    stored = RunStore(runs_dir).runs()
    statuses = [run.status()["status"] for run in stored]
    pairs = list(zip(stored, statuses, strict=True))
    return [r for r, s in pairs if s == "completed"], [r for r, s in pairs if s == "running"]


def is_in_the_middle(runs_dir: Path) -> bool:
    done, begun = ended_and_begun(runs_dir)
    return len(done) >= 1 and any(0 < run.status()["step"] <= 200 for run in begun)


def assert_goes_on(
    configs: Sequence[RunConfig], runs_dir: Path, finished: dict[Path, int], folder: Path
) -> None:
    """The same sweep again trains what is left and gives what it would have given at once."""
    outcome = run_local(configs, runs_dir, workers=2, progress=False)
    keys = [run_key(config) for config in configs]
    assert sorted([*outcome.finished, *outcome.skipped]) == sorted(keys)
    assert (outcome.failed, outcome.busy) == ({}, [])
    assert files(runs_dir).items() >= finished.items()
    for config in configs:
        assert_same(Run(runs_dir / run_key(config)), alone(config, folder))


@pytest.mark.parametrize("how", ["kill -9", "SIGTERM to the sweep", "SIGINT to all"])
@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_sweep_that_is_stopped_goes_on_and_nothing_is_lost_or_trained_twice(
    how: str, tmp_path: Path, whole: Path
) -> None:
    runs_dir, file = tmp_path / "runs", sweep_file(tmp_path, GRID)
    configs = [run.config for run in read_sweep(file).runs()]
    with started(file, runs_dir) as process:
        wait_for(lambda: is_in_the_middle(runs_dir))
        workers = children(process.pid)
        if how == "kill -9":
            process.kill()
        elif how == "SIGTERM to the sweep":
            process.terminate()
        else:  # as a terminal does on Ctrl-C, and as a scheduler may
            os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    wait_for(lambda: not any(is_running(pid) for pid in workers), seconds=10)
    done, begun = ended_and_begun(runs_dir)
    if how == "kill -9":
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == (143 if "SIGTERM" in how else 130), err
        assert begun == [], "a worker died without a checkpoint"
        statuses = {row["status"] for row in json.loads(out)["runs"]}
        assert statuses <= {"completed", "interrupted", "new"}
        assert "interrupted" in statuses
        assert "Traceback" not in err
    finished = {path: at for run in done for path, at in files(run.dir).items()}
    assert finished
    stopped = [run for run in RunStore(runs_dir).runs() if run.status()["status"] != "completed"]
    assert any(0 < run.status()["step"] < 400 for run in stopped)
    assert_goes_on(configs, runs_dir, finished, whole)
