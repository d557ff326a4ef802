import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
import yaml

from grok.cli import COMMANDS, main
from grok.config import RunConfig, flatten, load_run, to_dict
from grok.runs import Run, RunLock, RunStore
from tests.running import FLAGS, Result, command, signal_at

GROK = Path(sys.executable).with_name("grok")
SUMMARY_KEYS = [
    "run",
    "dir",
    "status",
    "step",
    "n_steps",
    "onset",
    "slingshots",
    "phases",
    "growth",
    "keys",
    "final",
    "steps_per_second",
]


Grok = Callable[..., Result]


@pytest.fixture
def grok(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Grok:
    """Runs a command in an empty directory; a tiny run where it trains."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GROK_RUNS", raising=False)

    def of(*arguments: str) -> Result:
        tiny = FLAGS if arguments[:1] == ("train",) and len(arguments) > 1 else ()
        return command(capsys, *arguments[:2], *tiny, *arguments[2:])

    return of


@pytest.fixture
def stored(grok: Grok) -> Run:
    """A run of three updates."""
    assert grok("train", "layernorm", "--n_steps=3").code == 0
    [run] = RunStore("runs").runs()
    return run


def strict_json(text: str) -> Any:
    """The one object in a text, which has no number that JSON lacks."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def assert_one_line(outcome: Result, code: int, *parts: str) -> None:
    assert outcome.code == code
    assert outcome.out == ""
    assert outcome.err.startswith("grok: ")
    assert outcome.err.count("\n") == 1
    for part in parts:
        assert part in outcome.err


# Usage.


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"]])
def test_help_lists_every_command(arguments: list[str], grok: Grok) -> None:
    outcome = grok(*arguments)
    assert outcome.code == 0
    assert all(f"grok {name} " in outcome.out for name in COMMANDS)


def test_a_bare_call_shows_the_usage_and_is_unusable(grok: Grok) -> None:
    outcome = grok()
    assert outcome.code == 2
    assert outcome.out.startswith("usage: grok")


def test_an_unknown_command_lists_those_there_are(grok: Grok) -> None:
    names = (
        "train, sweep, diagram, correlate, reproduce, theory, measure, convert, report, watch, "
        "figure, dashboard, list, export, rm"
    )
    assert_one_line(grok("trian"), 2, f"no command 'trian'; there are: {names}")


def test_the_version_is_that_of_the_package(grok: Grok) -> None:
    from importlib.metadata import version

    assert grok("--version").out == f"grok {version('grokking-lab')}\n"


@pytest.mark.parametrize("command", ["measure", "convert", "list", "export", "rm"])
def test_each_command_has_help(
    command: str, grok: Grok, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        grok(command, "--help")
    assert caught.value.code == 0
    assert f"usage: grok {command}" in capsys.readouterr().out


def test_help_of_train_has_every_field_with_its_value(grok: Grok) -> None:
    outcome = grok("train", "readout_scale", "--help", "--n_steps=7")
    assert outcome.code == 0
    assert "  --model.readout_scale=0.5\n" in outcome.out
    assert "  --n_steps=7\n" in outcome.out
    text = grok("train", "--help").out
    for leaf in flatten(to_dict(RunConfig())):
        assert f"  --{leaf}=" in text
    assert all(f"--{flag}" in text for flag in ("seed", "runs_dir", "json", "retrain", "debug"))


HEAVY = ("torch", "lightning", "wandb", "scipy")


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "--version",
        "list",
        "list runs",
        "list measures",
        "list claims",
        "list claims inductive-bias --json",
        "train --help",
        "reproduce --help",
        "theory --help",
        "sweep run layernorm --seed=1 --dry-run",
        "foo",
    ],
)
def test_a_command_that_needs_no_tensors_imports_none(
    command: str, stored: Run, tmp_path: Path
) -> None:
    script = (
        "import sys\nfrom grok.cli import main\n"
        f"main({command.split()!r})\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stderr.splitlines()[-1] == "[]"


# train.


def test_training_ends_with_what_happened_and_where_it_is(grok: Grok) -> None:
    outcome = grok("train", "layernorm", "--n_steps=3")
    assert outcome.code == 0
    [run] = RunStore("runs").runs()
    lines = dict(line.split("  ", 1) for line in outcome.out.splitlines() if "  " in line)
    assert lines["run"].strip() == run.key
    assert lines["status"].strip() == "completed at step 3 of 3"
    assert lines["folder"].strip() == f"runs/{run.key}"
    assert lines["test accuracy 0.99"].strip() == "not reached"
    assert float(lines["train loss"]) == pytest.approx(run.final()["loss/train"], rel=1e-3)


def test_a_finished_run_is_shown_again(grok: Grok) -> None:
    first = grok("train", "layernorm", "--n_steps=3")
    second = grok("train", "layernorm", "--n_steps=3")
    assert (second.code, second.out) == (0, first.out)
    assert second.err == ""


def test_a_run_that_went_further_than_asked_says_so(grok: Grok, stored: Run) -> None:
    outcome = grok("train", "layernorm", "--n_steps=2")
    assert "completed at step 3 (2 were asked for)\n" in outcome.out


def test_what_is_piped_has_no_trailing_blanks(grok: Grok, stored: Run) -> None:
    for words in (["train", "layernorm", "--n_steps=3"], ["list", "runs"], ["list"]):
        lines = grok(*words).out.splitlines()
        assert len(lines) >= 3
        assert all(line == line.rstrip() for line in lines)


def test_json_is_one_object_and_nothing_else(grok: Grok) -> None:
    found = strict_json(grok("train", "layernorm", "--n_steps=3", "--json").out)
    assert list(found) == SUMMARY_KEYS
    [run] = RunStore("runs").runs()
    assert (found["run"], found["dir"]) == (run.key, str(run.dir))
    assert (found["status"], found["step"], found["n_steps"]) == ("completed", 3, 3)
    assert found["final"] == run.final()
    assert set(found["onset"]) >= {"train_acc_99", "test_acc_99", "delay"}


def test_json_of_an_interrupted_run_is_one_object_too(grok: Grok) -> None:
    with signal_at(2, signal.SIGINT):
        outcome = grok("train", "layernorm", "--n_steps=30", "--json")
    assert outcome.code == 130
    assert strict_json(outcome.out)["status"] == "interrupted"


def test_json_of_a_diverged_run_has_null_where_a_number_is_not_finite(grok: Grok) -> None:
    every = "--measures.norm.schedule.every=1"
    outcome = grok("train", "layernorm", "--n_steps=30", "--optim.lr=1e30", every, "--json")
    assert outcome.code == 0
    found = strict_json(outcome.out)
    assert found["status"] == "diverged"
    assert None in found["final"].values()


def test_a_diverged_run_is_shown_as_such_and_is_no_failure(grok: Grok) -> None:
    outcome = grok("train", "layernorm", "--n_steps=30", "--optim.lr=1e30")
    assert outcome.code == 0
    assert "diverged at step " in outcome.out


def test_an_interrupted_run_says_how_to_go_on(grok: Grok) -> None:
    with signal_at(2, signal.SIGTERM):
        outcome = grok("train", "layernorm", "--n_steps=30")
    assert outcome.code == 143
    assert "interrupted at step 2 of 30" in outcome.out
    assert "The same command goes on from there." in outcome.out


def test_more_steps_resume_and_retrain_starts_anew(grok: Grok, stored: Run) -> None:
    assert "resumed at step 3" in grok("train", "layernorm", "--n_steps=5").err
    anew = grok("train", "layernorm", "--n_steps=5", "--retrain")
    assert anew.err == f"{stored.key}: 5 steps, token form\n"
    assert stored.status()["step"] == 5


@pytest.mark.parametrize("how", ["flag", "other spelling", "environment"])
def test_runs_are_stored_where_one_says(
    how: str, grok: Grok, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = {"flag": ["--runs_dir=there"], "other spelling": ["--runs-dir", "there"]}.get(how, [])
    if how == "environment":
        monkeypatch.setenv("GROK_RUNS", "there")
    assert grok("train", "layernorm", "--n_steps=1", *flags).code == 0
    assert len(RunStore("there").runs()) == 1
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["train"], "which experiment?"),
        (["train", "nothing"], "no experiment named 'nothing'; there are: "),
        (["train", "nothing.yaml"], "no such file: nothing.yaml"),
        (["train", "layernorm", "--optim.lr=abc"], "optim.lr=abc: expected a number"),
        (["train", "layernorm", "--lr=1"], "no field 'lr'; did you mean optim.lr?"),
        (["train", "layernorm", "--jsonn"], "no field 'jsonn'; did you mean json?"),
        (["train", "layernorm", "extra"], "unexpected argument 'extra'"),
        (["train", "layernorm", "--json=1"], "--json"),
        (["train", "layernorm", "--runs_dir"], "--runs_dir"),
        (["list", "nothing"], "invalid choice: 'nothing'"),
        (["list", "--foo"], "unrecognized arguments: --foo"),
        (["export"], "-o/--output"),
        (["export", "-o", "x.txt"], "x.txt: the name must end in .csv or .parquet"),
        (["export", "-o", "x.csv"], "no readings to export"),
        (["export", "nothing", "-o", "x.csv"], "no run 'nothing' in runs: it holds no run"),
        (["rm"], "runs"),
        (["rm", "nothing"], "no run 'nothing' in runs: it holds no run"),
    ],
)
def test_unusable_input_is_one_line(arguments: list[str], part: str, grok: Grok) -> None:
    assert_one_line(grok(*arguments), 2, part)
    assert not Path("runs").exists()


def test_a_run_that_cuda_is_asked_for_is_refused_without_it(grok: Grok) -> None:
    with patch("torch.cuda.is_available", return_value=False):
        outcome = grok("train", "layernorm", "--device=cuda")
    assert_one_line(outcome, 2, "device=cuda", "allowed here: auto, cpu")


def test_a_damaged_store_is_one_line_that_names_the_file(grok: Grok, stored: Run) -> None:
    [checkpoint] = stored.checkpoints_dir.iterdir()
    checkpoint.write_bytes(b"")
    assert_one_line(grok("train", "layernorm", "--n_steps=3"), 1, str(checkpoint))
    (stored.dir / "status.json").write_text("{")
    assert_one_line(grok("list", "runs"), 1, "status.json is damaged")
    (stored.dir / "config.yaml").write_text("threads: 0")
    assert_one_line(grok("train", "layernorm", "--n_steps=3"), 1, "config.yaml: threads=0 must be")
    assert grok("rm", stored.key).code == 0


def test_an_unexpected_error_is_one_line_and_a_failure(grok: Grok) -> None:
    with patch("grok.runs.summary", side_effect=RuntimeError("two\nlines")):
        assert_one_line_last(grok("train", "layernorm", "--n_steps=1"), "grok: two lines")
    with patch("grok.runs.summary", side_effect=ZeroDivisionError):
        assert_one_line_last(grok("train", "layernorm", "--n_steps=1"), "grok: ZeroDivisionError")


def test_a_value_error_on_the_way_is_a_failure_and_no_unusable_input(grok: Grok) -> None:
    with patch("grok.runs.summary", side_effect=ValueError("not of the user's making")):
        outcome = grok("train", "layernorm", "--n_steps=1")
    assert_one_line_last(outcome, "grok: not of the user's making")


def assert_one_line_last(outcome: Result, line: str) -> None:
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1] == line
    assert "Traceback" not in outcome.err


def test_debug_shows_the_traceback(grok: Grok) -> None:
    outcome = grok("train", "layernorm", "--lr=1", "--debug")
    assert outcome.code == 2
    assert "Traceback" in outcome.err
    with patch("grok.runs.summary", side_effect=RuntimeError):
        outcome = grok("train", "--debug", "layernorm", "--n_steps=1")
    assert outcome.code == 1
    assert "RuntimeError" in outcome.err


def test_a_full_disk_fails_the_run_in_one_line(grok: Grok) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/x")
    with patch("grok.checkpoints.write_atomic", side_effect=full):
        outcome = grok("train", "layernorm", "--n_steps=3")
    assert_one_line_last(outcome, "grok: [Errno 28] No space left on device: 'runs/x'")
    assert outcome.out == ""
    [run] = RunStore("runs").runs()
    assert run.status()["status"] == "failed"
    assert "No space left" in run.status()["error"]
    with patch("grok.runs.files.os.fsync", side_effect=full):
        assert grok("train", "layernorm", "--n_steps=3").code == 1
    assert grok("train", "layernorm", "--n_steps=3").code == 0
    assert "error" not in run.status()


# list, export, rm.


def test_list_shows_experiments_measures_and_runs(grok: Grok, stored: Run) -> None:
    assert "modular_addition" in grok("list").out
    assert "Where a LayerNorm sits" in grok("list", "experiments").out
    assert "loss/<split>" in grok("list", "measures").out
    line = next(line for line in grok("list", "runs").out.splitlines() if stored.key in line)
    assert line.split()[:3] == [stored.key, "completed", "3"]


def test_list_as_json(grok: Grok, stored: Run) -> None:
    [row] = strict_json(grok("list", "runs", "--json").out)
    assert (row["run"], row["status"], row["step"]) == (stored.key, "completed", 3)
    found = strict_json(grok("list", "experiments", "--json").out)
    assert {"layernorm", "readout_scale"} <= {row["name"] for row in found}


def test_a_killed_run_is_listed_as_resumable(grok: Grok, stored: Run) -> None:
    status = json.loads((stored.dir / "status.json").read_text())
    (stored.dir / "status.json").write_text(json.dumps(status | {"status": "running"}))
    assert "killed (resumable)" in grok("list", "runs").out
    with RunLock(stored.dir):
        assert "running" in grok("list", "runs").out


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_export_writes_the_readings_of_several_runs_as_one_wide_table(
    suffix: str, grok: Grok
) -> None:
    for seed in (0, 1):
        grok("train", "layernorm", "--n_steps=3", f"--seed={seed}")
    grok("train", "layernorm", "--n_steps=2", "--seed=2", "--measures.norm.enabled=false")
    runs = RunStore("runs").runs()
    outcome = grok("export", "-o", f"all.{suffix}")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == f"all.{suffix}: 11 rows of 3 runs\n"
    table = pl.read_csv("all.csv") if suffix == "csv" else pl.read_parquet("all.parquet")
    assert table.columns[:2] == ["run", "step"]
    for run in runs:
        mine = table.filter(pl.col("run") == run.key)
        readings = run.readings()
        assert mine["step"].to_list() == readings["step"].to_list()
        assert mine["loss/test"].to_list() == pytest.approx(readings["loss/test"].to_list())
    missing = table.filter(pl.col("run").str.contains("-s2-"))["norm/squared"]
    assert missing.null_count() == len(missing)


def test_an_export_of_some_keys_has_the_steps_at_which_one_was_read(grok: Grok) -> None:
    grok("train", "layernorm", "--n_steps=3")
    grok("train", "layernorm", "--n_steps=3", "--seed=1", "--measures.fourier.enabled=false")
    run = RunStore("runs").runs()[0]
    assert grok("export", "--keys=fourier/c,norm/squared", "-o", "some.csv").code == 0
    table = pl.read_csv("some.csv")
    assert table.columns == ["run", "step", "fourier/c", "norm/squared"]
    assert table.height == 2 * len(run.readings(["norm/squared"])) < 2 * len(run.readings())
    assert grok("export", "--keys=fourier/c", "-o", "some.csv").code == 0
    assert set(pl.read_csv("some.csv")["run"]) == {run.key}
    assert_one_line(grok("export", "--keys=fourier/d", "-o", "x.csv"), 2, "fourier/d")


def test_export_takes_keys_beginnings_and_folders(grok: Grok) -> None:
    for seed in (0, 1):
        grok("train", "layernorm", "--n_steps=1", f"--seed={seed}")
    first, second = RunStore("runs").runs()
    for name in (second.key, second.key[:12], str(second.dir), f"runs/{second.key}"):
        assert grok("export", name, "-o", "one.csv").code == 0
        assert set(pl.read_csv("one.csv")["run"]) == {second.key}
    assert_one_line(grok("export", "add7", "-o", "x.csv"), 2, first.key, second.key)


def test_an_export_that_cannot_be_written_names_the_file_asked_for(
    grok: Grok, stored: Run, tmp_path: Path
) -> None:
    outcome = grok("export", "-o", str(tmp_path / "absent" / "x.csv"))
    assert_one_line(outcome, 1, f"No such file or directory: '{tmp_path}/absent/x.csv'")


def test_rm_removes_by_key_or_beginning(grok: Grok) -> None:
    for seed in (0, 1):
        grok("train", "layernorm", "--n_steps=1", f"--seed={seed}")
    first, second = RunStore("runs").runs()
    assert_one_line(grok("rm", "add7"), 2, "'add7' is the start of", first.key, second.key)
    assert_one_line(grok("rm", first.key, "nothing"), 2, "no run 'nothing'")
    assert len(RunStore("runs").runs()) == 2  # a wrong name removes nothing
    outcome = grok("rm", first.key[:12], second.key)
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == f"removed {first.key}\nremoved {second.key}\n"
    assert RunStore("runs").runs() == []


def test_rm_leaves_a_run_that_is_being_trained(grok: Grok, stored: Run) -> None:
    with RunLock(stored.dir):
        assert_one_line(grok("rm", stored.key), 1, "is being worked on by process")
    assert stored.status()["status"] == "completed"


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["list", "--json"], ["list", "measures"], ["--help"]])
def test_a_reader_that_leaves_early_is_no_error(arguments: list[str], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [GROK, *arguments], stdout=writing, stderr=subprocess.PIPE, cwd=tmp_path, check=False
        )
    finally:
        os.close(writing)
    assert done.stderr == b""


def test_a_stored_config_can_be_trained_again(grok: Grok, stored: Run) -> None:
    shutil.copy(stored.dir / "config.yaml", "again.yaml")
    assert load_run(Path("again.yaml")) == stored.config
    assert yaml.safe_load(io.StringIO(Path("again.yaml").read_text()))["n_steps"] == 3
    assert main(["train", "again.yaml"]) == 0
    assert RunStore("runs").runs() == [stored]
