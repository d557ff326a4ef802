import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml

from grok.config import RunConfig, TrackingConfig, flatten, to_dict, with_seed
from grok.runs import Run, RunStore
from grok.tracking import (
    ConfigMismatch,
    NoTracker,
    Tracker,
    WandbTracker,
    check_config,
    make_tracker,
    resolve_mode,
    stored_summary,
)

OFFLINE = TrackingConfig(project="tests", group="a group", tags=("one", "two"))
AGENT = {"WANDB_SWEEP_ID": "s1"}


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    # Set here, so that what the tracker sets is taken back after the test.
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_SILENT", "true")


def make_run(root: Path, seed: int = 0) -> Run:
    return RunStore(root).create(with_seed(RunConfig(tracking=OFFLINE), seed))


def offline_tracker(run: Run) -> WandbTracker:
    tracker = make_tracker(run, run.config.tracking)
    assert isinstance(tracker, WandbTracker)
    return tracker


def files(run: Run) -> list[Path]:
    # `latest-run` is a link to one of them.
    return sorted((run.dir / "wandb").glob("offline-run-*/*.wandb"))


def inspect(path: Path, *flags: str) -> str:
    """What W&B's own viewer says is in the file: the oracle of these tests."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", *flags, str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What a user reads; W&B's own debugging log is not shown to anybody."""
    return [record.getMessage() for record in caplog.records if record.name == "grok"]


def in_a_process(
    root: Path, mode: str, environ: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Track one step in a new process, since W&B reads the environment once per process."""
    code = (
        "import sys\n"
        "from dataclasses import replace\n"
        "from pathlib import Path\n"
        "from grok.runs import open_run\n"
        "from grok.tracking import make_tracker, wandb_run\n"
        "wandb_run.INIT_TIMEOUT = wandb_run.FINISH_TIMEOUT = 1.0\n"
        "run = open_run(Path(sys.argv[1]))\n"
        "tracker = make_tracker(run, replace(run.config.tracking, mode=sys.argv[2]))\n"
        "tracker.log(0, {'a': 1.0})\n"
        "tracker.finish(0)\n"
    )
    # The server never answers, so that a mistake here asks nobody outside.
    closed = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": 40 * "a"}
    return subprocess.run(
        [sys.executable, "-c", code, str(root), mode],
        env=os.environ | closed | environ,
        capture_output=True,
        text=True,
        timeout=60,
    )


def rows(path: Path) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in inspect(path).splitlines()]
    items = [record["history"]["item"] for record in records if record["type"] == "history"]
    return [{k: v for k, v in item.items() if not k.startswith("_")} for item in items]


@pytest.mark.parametrize(
    ("requested", "environ", "expected"),
    [
        (None, {}, "offline"),
        ("auto", {}, "offline"),
        ("auto", AGENT, "online"),
        ("auto", {"WANDB_MODE": "online"}, "offline"),
        ("auto", AGENT | {"WANDB_MODE": "offline"}, "offline"),
        ("auto", AGENT | {"WANDB_MODE": "disabled"}, "disabled"),
        ("offline", AGENT, "offline"),
        ("disabled", AGENT, "disabled"),
        ("online", {"WANDB_MODE": "offline"}, "online"),
    ],
)
def test_nothing_leaves_the_machine_unless_asked_by_config_or_agent(
    requested: str | None, environ: dict[str, str], expected: str
) -> None:
    assert resolve_mode(requested, environ) == expected


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match=r"tracking\.mode='on'"):
        resolve_mode("on", {})


@pytest.mark.parametrize("requested", ["offline", "disabled"])
def test_a_bayes_sweep_must_see_its_metric(requested: str) -> None:
    assert resolve_mode("auto", AGENT, "bayes") == "online"
    assert resolve_mode(requested, AGENT, "random") == requested
    assert resolve_mode(requested, {}, "bayes") == requested
    with pytest.raises(ValueError, match="would never see its metric"):
        resolve_mode(requested, AGENT, "bayes")


def test_disabled_tracking_keeps_no_copy(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    tracker = make_tracker(run, replace(OFFLINE, mode="disabled"))
    assert isinstance(tracker, NoTracker)
    assert isinstance(tracker, Tracker)
    tracker.log(0, {"a": 1.0})
    tracker.summary({"a": 1.0})
    tracker.finish(0)
    assert (tracker.url, tracker.where) == (None, None)
    assert not (run.dir / "wandb").exists()


def test_a_config_agrees_unless_a_field_of_ours_differs() -> None:
    ours = {"optim.lr": 0.001, "optim.betas": [0.9, 0.98], "n_steps": 10}
    check_config(ours, ours | {"n_steps": 10.0, "theirs": 1})
    with pytest.raises(ConfigMismatch, match=r"recorded optim\.lr='1e-3', but it is 0\.001 here"):
        check_config(ours, ours | {"optim.lr": "1e-3"})
    with pytest.raises(ConfigMismatch, match=r"did not record optim\.lr"):
        check_config(ours, {"n_steps": 10})


@pytest.mark.slow
def test_the_run_store_and_the_trackers_load_no_heavy_library_before_they_need_it() -> None:
    code = (
        "import sys, grok.runs, grok.tracking;"
        "print(sorted({'torch', 'lightning', 'wandb'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


@pytest.mark.slow
def test_an_offline_run_is_in_its_file_whole_and_nothing_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run(tmp_path)
    tracker = offline_tracker(run)
    assert isinstance(tracker, Tracker)
    logged = [
        {"step": 0, "loss/train": 4.5, "acc/test": 0.0},
        {"step": 25, "loss/train": 0.25},
        {"step": 100, "loss/train": float("nan")},
        {"step": 50, "loss/train": float("inf")},  # an earlier step is kept too
    ]
    for row in logged:
        tracker.log(row["step"], {key: value for key, value in row.items() if key != "step"})
    tracker.summary({"status": "diverged", "onset/test_acc_99": 75})
    tracker.finish(3)
    tracker.finish(3)
    assert capfd.readouterr() == ("", "")
    assert said(caplog) == []

    (path,) = files(run)
    assert tracker.url is None
    assert tracker.where == str(path.parent)
    logged[2]["loss/train"], logged[3]["loss/train"] = "NaN", "Infinity"
    assert rows(path) == logged
    found = json.loads(inspect(path, "--summary"))
    assert found["config"] == flatten(to_dict(run.config))
    assert (found["run_id"], found["name"], found["project"]) == (run.key, run.key, "tests")
    assert (found["tags"], found["exit_code"]) == (["one", "two"], 3)
    assert found["summary"]["status"] == "diverged"
    assert found["summary"]["onset/test_acc_99"] == 75
    assert {"run_group": "a group"}.items() <= run_record(path).items()
    assert metric_records(path) == [{"glob_name": "*", "step_metric": "step"}]


def run_record(path: Path) -> dict[str, Any]:
    records = map(json.loads, inspect(path).splitlines())
    return next(record["run"] for record in records if record["type"] == "run")


def metric_records(path: Path) -> list[dict[str, Any]]:
    records = map(json.loads, inspect(path).splitlines())
    found = [record["metric"] for record in records if record["type"] == "metric"]
    return [{k: metric.get(k) for k in ("glob_name", "step_metric")} for metric in found]


class Resumed(dict[str, Any]):
    """A W&B config that the server brought back."""

    def update(self, *values: Any, **options: Any) -> None:
        assert options == {"allow_val_change": True}
        super().update(*values)


def test_a_run_that_w_and_b_resumes_may_have_grown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path)
    stored = Resumed(flatten(to_dict(run.config)) | {"n_steps": 1})
    theirs = Mock(resumed=True, config=stored)
    monkeypatch.setattr("grok.tracking.wandb_run._init", lambda *_: theirs)
    WandbTracker(run, OFFLINE, "offline")
    assert stored["n_steps"] == run.config.n_steps
    theirs.resumed, stored["n_steps"] = False, 1
    with pytest.raises(ConfigMismatch, match="n_steps=1, but"):
        WandbTracker(run, OFFLINE, "offline")
    theirs.finish.assert_called_once_with(exit_code=2)


@pytest.mark.slow
def test_runs_of_a_stack_do_not_mix(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, seed) for seed in range(3)]
    trackers = [offline_tracker(run) for run in runs]
    for step in range(4):
        for n, tracker in enumerate(trackers):
            tracker.log(step, {"a": float(10 * n + step)})
    for tracker in trackers:
        tracker.finish(0)
    for n, run in enumerate(runs):
        (path,) = files(run)
        assert rows(path) == [{"step": step, "a": 10 * n + step} for step in range(4)]
        assert json.loads(inspect(path, "--summary"))["config"]["model.init_seed"] == n


@pytest.mark.slow
def test_a_resumed_run_keeps_its_id_and_writes_a_second_part(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    for step in (0, 25):
        tracker = offline_tracker(run)
        tracker.log(step, {"a": 1.0})
        tracker.finish(0)
    found = [json.loads(inspect(path, "--summary")) for path in files(run)]
    assert {part["run_id"] for part in found} == {run.key}
    assert 25 in [part["summary"]["step"] for part in found]


@pytest.mark.slow
def test_a_file_that_was_cut_short_is_warned_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run(tmp_path)
    tracker = offline_tracker(run)
    finish = tracker._run.finish

    def finish_on_a_full_disk(exit_code: int) -> None:
        finish(exit_code=exit_code)
        (path,) = files(run)
        whole = path.read_bytes()
        path.unlink()  # W&B's own process may still write to it
        path.write_bytes(whole[: len(whole) // 2])

    monkeypatch.setattr(tracker._run, "finish", finish_on_a_full_disk)
    for step in range(500):
        tracker.log(step, {"a": 1.0})
    caplog.set_level("DEBUG", "grok")  # a reader that gave nothing says why
    tracker.finish(0)
    (line,) = said(caplog)
    assert "not 499 (is the disk full?)" in line


@pytest.mark.slow
def test_what_is_no_wandb_file_cannot_be_verified(tmp_path: Path) -> None:
    assert stored_summary(tmp_path / "absent.wandb") is None
    assert stored_summary(tmp_path / "absent.wandb", timeout=1e-3) is None


@pytest.mark.slow
def test_a_failure_of_wandb_is_said_once_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = offline_tracker(make_run(tmp_path))

    def broken(row: object) -> None:
        raise BrokenPipeError("the service is gone")

    tracker.log(0, {"a": 1.0})
    monkeypatch.setattr(tracker._run, "log", broken)
    for step in range(1, 4):
        tracker.log(step, {"a": 1.0})
    tracker.summary({"status": "completed"})
    tracker.finish(0)
    (line,) = said(caplog)
    assert "at step 1" in line
    assert "the service is gone" in line


@pytest.mark.slow
def test_a_server_that_cannot_be_reached_leaves_the_run_offline(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    done = in_a_process(run.dir, "online", {})
    assert (done.returncode, done.stdout) == (0, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("W&B cannot be reached, so this run is tracked offline")
    (path,) = files(run)
    assert rows(path) == [{"step": 0, "a": 1}]
    found = json.loads(inspect(path, "--summary"))
    assert (found["run_id"], found["name"]) == (f"{run.key}-offline", run.key)


@pytest.mark.slow
@pytest.mark.parametrize("lr", [0.001, "1e-3"])
def test_under_an_agent_the_id_is_the_agent_s_and_its_values_must_be_ours(
    tmp_path: Path, lr: float | str
) -> None:
    parameters = tmp_path / "config-agent1.yaml"
    parameters.write_text(yaml.safe_dump({"wandb_version": 1, "optim.lr": {"value": lr}}))
    agent = {"WANDB_RUN_ID": "agent1", "WANDB_SWEEP_PARAM_PATH": str(parameters)}
    run = make_run(tmp_path / "runs")
    done = in_a_process(run.dir, "offline", AGENT | agent)
    agrees = lr == run.config.optim.lr
    if agrees:
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    else:
        assert done.stdout == ""
        last = done.stderr.splitlines()[-1]
        assert last.endswith("W&B recorded optim.lr='1e-3', but it is 0.001 here")
    (path,) = files(run)
    found = json.loads(inspect(path, "--summary"))
    assert (found["run_id"], found["exit_code"]) == ("agent1", 0 if agrees else 2)
