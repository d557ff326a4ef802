import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from grok.cli import main
from grok.lit.signals import Interrupted
from grok.runs import RunStore
from grok.sweep import Outcome
from tests.running import files
from tests.sweep.grids import sweep_file

GRID = {
    "model.norm": {"values": ["none", "M"]},
    "seed": {"values": [0, 1]},
    "n_steps": {"value": 3},
}


class Result:
    """What a command printed and returned."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


Sweep = Callable[..., Result]


@pytest.fixture
def sweep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Sweep:
    """Runs ``grok sweep run`` on a grid of four tiny runs, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GROK_RUNS", raising=False)
    sweep_file(tmp_path, GRID)

    def of(*arguments: str) -> Result:
        capsys.readouterr()
        code = main(["sweep", "run", "grid.yaml", *arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return of


@pytest.mark.slow
def test_a_sweep_trains_its_runs_and_ends_with_a_table_of_them(sweep: Sweep) -> None:
    first = sweep("--workers=1")
    assert first.code == 0
    runs = {run.key: run for run in RunStore("runs").runs()}
    assert len(runs) == 4
    assert {run.config.tracking.group for run in runs.values()} == {f"{Path.cwd().name}/grid"}
    head, *lines = (line.split() for line in first.out.splitlines())
    # Axes that do not vary are left out.
    assert head == ["model.norm", "seed", "run", "status", "step", "test_acc_99", "acc/test"]
    assert [line[:2] for line in lines] == [["none", "0"], ["none", "1"], ["M", "0"], ["M", "1"]]
    for line in lines:
        assert line[3:5] == ["completed", "3"]
        assert line[-1] == f"{runs[line[2]].final()['acc/test']:.4f}"
    again = sweep("--seeds=1", "--json")
    assert (again.code, again.err) == (0, "")
    found = json.loads(again.out)
    assert sorted(found["skipped"]) == sorted(line[2] for line in lines if line[1] == "1")
    assert [row["values"] for row in found["runs"]] == [
        {"model.norm": norm, "seed": 1, "n_steps": 3} for norm in ("none", "M")
    ]
    assert found["finished"] == found["busy"] == []
    assert found["failed"] == {}


@pytest.mark.slow
def test_a_run_that_fails_is_the_last_line_and_the_exit_code(sweep: Sweep) -> None:
    damaged, other = [row["run"] for row in preview(sweep, "--seed=0")["runs"]]
    (Path("runs", damaged) / "readings").mkdir(parents=True)
    Path("runs", damaged, "config.yaml").write_text("threads: 0")
    result = sweep("--seed=0", "--workers=1", "--json")
    assert result.code == 1
    found = json.loads(result.out)
    assert [row["status"] for row in found["runs"]] == ["new", "completed"]
    assert found["finished"] == [other]
    assert list(found["failed"]) == [damaged]
    last = result.err.splitlines()[-1]
    assert last == f"grok: run {damaged} failed: {found['failed'][damaged]}"
    assert "config.yaml: threads=0 must be 1 or more" in last


@pytest.mark.slow
def test_retrain_starts_anew(sweep: Sweep) -> None:
    assert sweep("--shard=1/4", "--workers=1").code == 0
    before = files(Path("runs"))
    assert sweep("--shard=1/4", "--workers=1").code == 0
    assert files(Path("runs")) == before
    result = sweep("--shard=1/4", "--workers=1", "--retrain", "--json")
    assert len(json.loads(result.out)["finished"]) == 1
    assert files(Path("runs")) != before


def preview(sweep: Sweep, *arguments: str) -> dict[str, Any]:
    result = sweep("--dry-run", "--json", *arguments)
    assert (result.code, result.err) == (0, "")
    return json.loads(result.out)


def test_a_preview_lists_the_runs_and_trains_nothing(sweep: Sweep) -> None:
    found = preview(sweep)
    assert [row["state"] for row in found["runs"]] == ["new"] * 4
    assert [row["values"]["seed"] for row in found["runs"]] == [0, 1, 0, 1]
    assert found["seconds"] > 0
    assert not Path("runs").exists()
    lines = sweep("--dry-run", "--n_steps=50").out.splitlines()
    assert lines[0].split() == ["model.norm", "seed", "run", "state", "step", "n_steps"]
    assert re.fullmatch(r"4 runs, 0 done; about \d+:\d\d for the others", lines[-1])
    assert all(line.endswith("50") for line in lines[1:-1])


def test_a_preview_says_how_each_run_stands(sweep: Sweep) -> None:
    keys = [row["run"] for row in preview(sweep)["runs"]]
    for key, status, step in ((keys[0], "running", 2), (keys[1], "failed", 1)):
        Path("runs", key).mkdir(parents=True)
        Path("runs", key, "status.json").write_text(json.dumps({"status": status, "step": step}))
    rows = preview(sweep)["runs"]
    assert [(row["state"], row["step"]) for row in rows] == [
        ("resumable", 2),
        ("resumable", 1),
        ("new", 0),
        ("new", 0),
    ]


@pytest.mark.parametrize("n", [1, 3])
def test_shards_are_disjoint_and_cover_the_sweep(n: int, sweep: Sweep) -> None:
    whole = [row["run"] for row in preview(sweep)["runs"]]
    shards = [
        [row["run"] for row in preview(sweep, f"--shard={i}/{n}")["runs"]] for i in range(1, n + 1)
    ]
    assert sorted(key for shard in shards for key in shard) == sorted(whole)
    assert len({key for shard in shards for key in shard}) == 4
    assert shards[0] == whole[::n]


def test_an_empty_shard_is_done(sweep: Sweep) -> None:
    assert sweep("--shard=5/5").code == 0


def test_a_run_that_another_process_trains_is_named_and_is_no_success(sweep: Sweep) -> None:
    key = preview(sweep)["runs"][0]["run"]
    outcome = Outcome([], [], {}, [key])
    with patch("grok.cli.sweep.run_local", return_value=outcome):
        result = sweep("--json")
    assert result.code == 1
    assert json.loads(result.out)["busy"] == [key]
    assert result.err == f"grok: run {key} is being trained by another process\n"


def test_an_interrupted_sweep_shows_what_is_stored_and_exits_with_128_plus_the_signal(
    sweep: Sweep,
) -> None:
    with patch("grok.cli.sweep.run_local", side_effect=Interrupted(signal.SIGUSR2)):
        result = sweep("--seed=0")
    assert result.code == 128 + signal.SIGUSR2
    assert [line.split()[-2:] for line in result.out.splitlines()[1:]] == [["new", "0"]] * 2
    assert result.err == "The same command goes on from there.\n"


def test_options_reach_the_engine(sweep: Sweep) -> None:
    with patch("grok.cli.sweep.run_local", return_value=Outcome([], [], {}, [])) as engine:
        assert sweep("--workers=3", "--retrain", "--runs-dir", "x", "--seeds", "4").code == 0
    [configs, runs_dir] = engine.call_args.args
    assert [config.model.init_seed for config in configs] == [4, 4]
    assert runs_dir == Path("x")
    assert engine.call_args.kwargs == {
        "workers": 3,
        "name": f"{Path.cwd().name}/grid",
        "retrain": True,
    }


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "which sweep? `grok list sweeps` shows them"),
        (["nothing"], "no sweep named 'nothing'; there are: "),
        (["nothing.yaml"], "no such file: nothing.yaml"),
        (["grid.yaml", "--workers=0"], "workers=0 must be 1 or more"),
        (["grid.yaml", "--workers=x"], "--workers"),
        (["grid.yaml", "--shard=0/3"], "shard=0/3: expected i/n with i from 1 to n"),
        (["grid.yaml", "--shard=4/3"], "shard=4/3: expected i/n"),
        (["grid.yaml", "--shard=2"], "shard=2: expected i/n"),
        (["grid.yaml", "--seeds=x"], "seeds=x: expected whole numbers"),
        (["grid.yaml", "--lr=1"], "no field 'lr'; did you mean optim.lr?"),
        (["grid.yaml", "--jsonn"], "no field 'jsonn'; did you mean json?"),
        (["grid.yaml", "extra"], "unexpected argument 'extra'"),
    ],
)
def test_unusable_input_is_one_line(
    arguments: list[str], part: str, sweep: Sweep, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", "run", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("grok: ")
    assert captured.err.count("\n") == 1
    assert part in captured.err
    assert not Path("runs").exists()


def test_help_shows_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["sweep", "--help"], ["sweep", "run", "-h"]):
        assert main(arguments) == 0
        text = capsys.readouterr().out
        flags = ("seeds", "workers", "shard", "runs_dir", "retrain", "dry-run", "json")
        assert all(f"--{flag}" in text for flag in flags)
    assert main(["sweep"]) == 2
    assert "usage: grok sweep run" in capsys.readouterr().out
