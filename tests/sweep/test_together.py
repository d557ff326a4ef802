"""Several runs of one ``grok train``."""

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from grok.config import parse_run
from grok.runs import RunLock, RunStore
from grok.sweep import together
from tests.running import FLAGS, assert_same, command

TINY = ["train", "inductive_bias/readout_scale", *FLAGS, "--n_steps=60"]


def test_seeds_and_values_give_the_runs_that_train_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    axes = ["--seeds", "1,2", "--over=model.readout_scale=0.5,1.5", "--json"]
    done = command(capsys, *TINY, f"--runs_dir={tmp_path / 'together'}", *axes)
    assert done.code == 0
    rows = json.loads(done.out)["runs"]
    assert [(row["values"]["seed"], row["values"]["model.readout_scale"]) for row in rows] == [
        ("1", "0.5"),
        ("1", "1.5"),
        ("2", "0.5"),
        ("2", "1.5"),
    ]
    alone = ["--seed=2", "--model.readout_scale=0.5", f"--runs_dir={tmp_path / 'alone'}"]
    assert command(capsys, *TINY, *alone).code == 0
    (run,) = RunStore(tmp_path / "alone").runs()
    assert rows[2]["run"] == run.key
    assert_same(run, RunStore(tmp_path / "together").find(run.key))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--seeds=1,x"], "seeds=1,x: expected whole numbers"),
        (["--seeds=1,2", "--seed=3"], "seed is given twice"),
        (["--over=optim.lr"], "expected FIELD=VALUE,VALUE"),
        (["--over=optim.lr=0.1,0.1"], "the same field or value twice"),
        (["--over=optim.lrr=0.1,0.2"], "optim.lrr"),
        (["--over=optim.lr=0.1,off"], "optim.lr"),
    ],
)
def test_axes_that_cannot_be_used_are_one_line(
    flags: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = command(capsys, *TINY, f"--runs_dir={tmp_path}", *flags)
    assert done.code == 2
    assert words in done.err
    assert done.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_flag_for_wandb_itself_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--n_steps=1", "--_wandb={'code_path': 'x'}", "--json"]
    assert command(capsys, *TINY, f"--runs_dir={tmp_path}", *flags).code == 0


def _under_an_agent(store: Path, run_id: str, *flags: str) -> dict[str, Any]:
    """Train as an agent's child would, with the copy kept here; what the copy holds."""
    agent = {"WANDB_SWEEP_ID": "s1", "WANDB_RUN_ID": run_id, "WANDB_MODE": "offline"}
    closed = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": 40 * "a"}
    code = "import sys; from grok.cli import main; sys.exit(main(sys.argv[1:]))"
    words = [word for word in TINY if "tracking" not in word]
    subprocess.run(
        [sys.executable, "-c", code, *words, f"--runs_dir={store}", *flags],
        env={**os.environ, **agent, **closed, "WANDB_ERROR_REPORTING": "false"},
        check=True,
        capture_output=True,
    )
    (file,) = store.glob(f"*/wandb/offline-run-*-{run_id}/*.wandb")
    reader = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(file)]
    found = subprocess.run(reader, check=True, capture_output=True, text=True).stdout
    records = [json.loads(line) for line in found.splitlines()]
    (config,) = [r["run"]["config"]["update"] for r in records if r["type"] == "run"]
    return {
        "config": config,
        "rows": [r["history"]["item"] for r in records if r["type"] == "history"],
        "exit": [r["exit"].get("exit_code", 0) for r in records if r["type"] == "exit"],
    }


def test_a_run_that_another_process_has_is_an_error_and_under_an_agent_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*TINY, f"--runs_dir={tmp_path}"]
    run = RunStore(tmp_path).create(parse_run(TINY[1], TINY[2:]))
    lock = ExitStack()
    lock.enter_context(RunLock(run.dir))
    done = command(capsys, *words)
    assert (done.code, run.status()["status"]) == (1, "new")
    assert "is being worked on by process" in done.err
    # Not by the environment: W&B would keep it for the later tests of this process.
    monkeypatch.setattr(together, "is_under_agent", lambda: True)
    monkeypatch.setattr(together, "PAUSE", 0.0)
    waits = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            lock.close()

    monkeypatch.setattr(together, "time", SimpleNamespace(sleep=wait))
    assert command(capsys, *words).code == 0
    assert len(waits) == 3
    assert run.status()["status"] == "completed"


@pytest.mark.slow
def test_under_an_agent_all_are_one_run_of_wandb_with_their_mean(tmp_path: Path) -> None:
    found = _under_an_agent(tmp_path, "r1", "--seeds=1,2")
    assert found["exit"] == [0]
    assert found["config"]["data.split_seed"] == [1, 2]
    assert found["config"]["n_steps"] == 60
    means = {row["step"]: row["loss/test"] for row in found["rows"] if "loss/test" in row}
    assert [row["runs.nrows"] for row in found["rows"] if "runs.nrows" in row] == [2]
    series = [run.series("loss/test") for run in RunStore(tmp_path).runs()]
    steps = series[0][0]
    assert list(means) == steps.tolist()
    np.testing.assert_allclose(
        list(means.values()), np.mean([values for _, values in series], axis=0), rtol=1e-12
    )
    again = _under_an_agent(tmp_path, "r2", "--seeds=1,2")  # another sweep over runs that are done
    assert [_readings(row) for row in again["rows"]] == [_readings(row) for row in found["rows"]]
    assert again["exit"] == [0]


@pytest.mark.slow
def test_under_an_agent_a_lone_run_has_spectra_and_patterns_and_several_have_none(
    tmp_path: Path,
) -> None:
    often = "--measures.attention.schedule.every=20"
    rows = _under_an_agent(tmp_path / "one", "r1", "--seed=1", often)["rows"]
    assert [row["step"] for row in rows if "pattern/0._type" in row] == [0, 20, 40, 60]
    assert len([row for row in rows if "spectrum/fourier/power._type" in row]) == 1
    done = _under_an_agent(tmp_path / "one", "r2", "--seed=1", often)["rows"]
    assert not any("pattern/0._type" in row for row in done)
    assert len([row for row in done if "spectrum/fourier/power._type" in row]) == 1
    several = _under_an_agent(tmp_path / "two", "r1", "--seeds=1,2", often)["rows"]
    assert not any("pattern" in key or "spectrum" in key for row in several for key in row)


def _readings(row: dict[str, Any]) -> dict[str, Any]:
    """What of a row of W&B's history is ours and a number."""
    return {key: value for key, value in row.items() if key[0] != "_" and "runs." not in key}
