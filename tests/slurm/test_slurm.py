"""The Slurm engine on a real Slurm; ``start.sh`` beside this file starts one."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from grok.lit.train import train
from grok.runs import Run, RunStore
from grok.sweep import read_sweep
from tests.running import assert_same
from tests.sweep.grids import sweep_file

ROOT = Path(__file__).parents[2]
GROK = [sys.executable, "-c", "from grok.cli import entry; entry()", "sweep", "run"]


def _answers() -> bool:
    if shutil.which("sinfo") is None:
        return False
    asked = subprocess.run(["sinfo", "--noheader"], capture_output=True, timeout=60, check=False)
    return asked.returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not _answers(), reason="no slurmctld answers; tests/slurm/start.sh"),
]


def grok(*arguments: str) -> str:
    """Standard output of ``grok sweep run --engine slurm`` from this tree."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "WANDB_ERROR_REPORTING": "false"}
    ended = subprocess.run(
        [*GROK, *arguments, "--engine=slurm", "--json"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def slurm(*command: str) -> bool:
    """Whether a command of Slurm succeeded."""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def wait_until(is_so: Callable[[], bool], seconds: float = 240.0) -> None:
    """Until something is so; fails if it never is."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def outcomes(folder: Path) -> list[dict[str, list[str]]]:
    return [json.loads(path.read_bytes()) for path in sorted(folder.glob("shard_*.json"))]


def test_an_array_trains_every_run_once(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, {"seed": {"values": [0, 1, 2]}, "n_steps": {"value": 3}})
    arguments = [file, f"--runs_dir={tmp_path / 'runs'}", "--workers=2"]
    first = json.loads(grok(*arguments, "--wait"))
    assert [row["status"] for row in first["runs"]] == ["completed"] * 3
    assert sorted(first["finished"]) == sorted(row["run"] for row in first["runs"])
    assert (first["failed"], first["busy"]) == ({}, [])
    folder = next((tmp_path / "runs" / "slurm").iterdir())
    assert sorted(len(outcome["finished"]) for outcome in outcomes(folder)) == [1, 2]
    assert sorted(json.loads(grok(*arguments))["skipped"]) == sorted(first["finished"])


def test_a_task_that_gets_usr2_is_requeued_and_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    grid = {
        "checkpoint.seconds": {"value": 0.0},
        "seed": {"values": [0]},
        "n_steps": {"value": 600},
    }
    file = sweep_file(tmp_path, grid)
    [config] = [run.config for run in read_sweep(file).runs()]
    submitted = json.loads(grok(file, f"--runs_dir={tmp_path / 'runs'}"))
    job, folder = submitted["job"], Path(submitted["folder"])
    [key] = submitted["tasks"][0]["runs"]
    run = Run(tmp_path / "runs" / key)
    try:
        wait_until(lambda: run.dir.exists() and run.status()["step"] > 0)
        assert slurm("scancel", "--signal=USR2", job)
        wait_until(lambda: run.status()["status"] == "interrupted")
        step = run.status()["step"]
        assert 0 < step < 600
        # Slurm lets a requeued job wait two minutes. Started in the second in which its first
        # start was revoked, it would be refused.
        wait_until(lambda: _is_queued(job))
        assert slurm("scontrol", "update", f"jobid={job}", "StartTime=now+3seconds")
        wait_until(lambda: bool(outcomes(folder)))
    finally:
        slurm("scancel", job)
    assert outcomes(folder) == [{"finished": [key], "skipped": [], "failed": {}, "busy": []}]
    assert [found.key for found in RunStore(tmp_path / "runs").runs()] == [key]
    log = next(folder.glob("*_log.out")).read_text()
    assert log.count("Starting with") == 2
    assert f"Requeued job {job}" in log
    assert run.readings()["step"].is_unique().all(), "a step was read twice"
    assert_same(run, train(config, tmp_path / "whole", progress=False))


def _is_queued(job: str) -> bool:
    asked = subprocess.run(
        ["squeue", "--noheader", "--format=%T", f"--jobs={job}"],
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() == "PENDING"
