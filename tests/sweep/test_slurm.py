"""What can be said about the Slurm engine where there is no Slurm."""

import json
import re
import signal
import stat
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from grok.config import RunConfig, run_key
from grok.config.key import to_dict
from grok.config.stacking import TOY_STACK
from grok.lit.signals import Interrupted
from grok.runs import RunLock, RunStore
from grok.runs.owner import STALE_AFTER
from grok.sweep import Outcome, read_sweep
from grok.sweep.shards import shards_of
from grok.sweep.slurm import SlurmOptions, Submitted, outcome_of, plan_of, wait_for
from grok.sweep.slurm.task import ShardTask
from tests.running import Result, command, files, run_config
from tests.sweep.grids import sweep_file
from tests.toys import toy

pytest.importorskip("submitit", reason="the extra slurm is not installed")

GRID = {"seed": {"values": [0, 1, 2]}, "n_steps": {"value": 3}}


@pytest.fixture
def sweep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> "Sweep":
    """``grok sweep run --engine slurm`` on three tiny runs, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GROK_RUNS", raising=False)
    sweep_file(tmp_path, GRID)
    return Sweep(capsys)


class Sweep:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: str, engine: str = "slurm") -> Result:
        return command(self.capsys, "sweep", "run", "grid.yaml", f"--engine={engine}", *arguments)


def toys(n_runs: int) -> list[RunConfig]:
    return [toy(seed) for seed in range(n_runs)]


def keys(configs: list[RunConfig]) -> list[str]:
    return [run_key(config) for config in configs]


# Shards.


@pytest.mark.parametrize("n", [1, 2, 3, 7, 100])
def test_every_run_is_in_one_shard_and_no_shard_is_empty(n: int, tmp_path: Path) -> None:
    configs = [*toys(40), *[run_config(init_seed=seed) for seed in range(5)]]
    shards = shards_of([*configs, configs[0]], tmp_path, n)
    found = [key for shard in shards for key in keys(shard.configs)]
    assert sorted(found) == sorted(keys(configs))
    assert all(shard.configs for shard in shards)
    assert len(shards) <= n


def test_a_stack_is_not_torn(tmp_path: Path) -> None:
    configs = toys(3 * TOY_STACK)
    shards = shards_of(configs, tmp_path, 3)
    assert [keys(shard.configs) for shard in shards] == [
        keys(configs[at : at + TOY_STACK]) for at in range(0, len(configs), TOY_STACK)
    ]


def test_shards_take_about_the_same_time(tmp_path: Path) -> None:
    configs = [run_config(init_seed=seed, n_steps=100 * (1 + seed)) for seed in range(4)]
    shards = shards_of(configs, tmp_path, 2)
    # 400 and 100, 300 and 200.
    assert [len(shard.configs) for shard in shards] == [2, 2]
    assert shards[0].seconds == pytest.approx(shards[1].seconds)


def test_a_gpu_takes_all_runs_of_its_share_in_one_stack(tmp_path: Path) -> None:
    plan = plan_of(toys(40), tmp_path, SlurmOptions(gres="gpu:1", cpus=8), tasks=2)
    assert [len(shard.configs) for shard in plan.shards] == [20, 20]
    assert (plan.workers, plan.cpus) == (1, 8)


# What is shown and refused.


def test_a_preview_shows_script_and_shards_and_needs_no_slurm(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    flags = ["--slurm.partition=cpu", "--slurm.time=30", "--slurm.cpus=2", "--slurm.mem=8G"]
    flags += ["--slurm.account=a b", "--slurm.gres=gpu:1", "--slurm.extra=qos=high"]
    result = sweep("--dry-run", "--workers=2", *flags)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == "#!/bin/bash"
    wanted = ["partition=cpu", "time=30", "cpus-per-task=2", "mem=8G", "account='a b'"]
    wanted += ["gres=gpu:1", "qos=high", "requeue", "signal=USR2@120", "array=0-1%2"]
    for option in wanted:
        assert f"#SBATCH --{option}" in lines
    assert re.fullmatch(r"3 runs in 2 tasks would be submitted; about .*", lines[-1])
    found = json.loads(sweep("--dry-run", "--workers=2", "--json", *flags).out)
    assert sorted(len(task["runs"]) for task in found["tasks"]) == [1, 2]
    assert found["script"].startswith("#!/bin/bash")
    assert not Path("runs").exists()


def test_shard_and_fields_work_as_with_the_local_engine(sweep: Sweep) -> None:
    arguments = ["--dry-run", "--json", "--shard=1/2", "--seeds=7,8,9", "--n_steps=5"]
    here = json.loads(sweep(*arguments, engine="local").out)["runs"]
    there = json.loads(sweep(*arguments).out)["tasks"]
    assert sorted(run for task in there for run in task["runs"]) == sorted(r["run"] for r in here)
    assert len(here) == 2


@pytest.mark.parametrize(
    ("engine", "flags", "message"),
    [
        ("local", ["--slurm.time=5"], "--slurm.time needs --engine slurm"),
        ("local", ["--wait"], "--wait needs --engine slurm"),
        ("slurm", ["--wait", "--dry-run"], "--dry-run submits nothing that --wait could wait for"),
        ("slurm", ["--slurm.tim=5"], "no option --slurm.tim; allowed: slurm.partition"),
        ("slurm", ["--slurm.time=0"], "slurm.time=0 must be 1 or more"),
        ("slurm", ["--slurm.cpus=0"], "slurm.cpus=0 must be 1 or more"),
        ("slurm", ["--slurm.time=1h"], "argument --slurm.time: invalid int value: '1h'"),
        ("slurm", ["--slurm.extra=qos"], "expected KEY=VALUE such as qos=high"),
        ("slurm", ["--slurm.extra=array=1"], "array cannot be set here"),
        ("slurm", ["--slurm.mem=8G\n#SBATCH --x"], "holds a line break"),
        ("slurm", ["--engine=cloud"], "argument --engine: invalid choice: 'cloud'"),
    ],
)
def test_a_bad_option_is_one_line(
    sweep: Sweep, engine: str, flags: list[str], message: str
) -> None:
    result = sweep(*flags, engine=engine)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert len(result.err.splitlines()) == 1


def test_what_is_absent_is_named(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    absent = sweep()
    assert absent.code == 2
    assert absent.err == (
        "grok: sbatch is not on this machine: submit from a login node of the cluster\n"
    )
    monkeypatch.setitem(sys.modules, "submitit", None)
    for flags in ([], ["--dry-run"]):
        result = sweep(*flags)
        assert result.code == 2
        assert result.err == (
            "grok: submitit is not installed: pip install 'grokking-lab[slurm]'\n"
        )


def programs(folder: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> None:
    """Puts shell scripts in the place of Slurm's programs."""
    folder.mkdir()
    for name, text in scripts.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_what_sbatch_says_is_the_error(
    sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "sbatch: error: invalid partition specified: no"
    programs(tmp_path / "bin", monkeypatch, srun="", sbatch=f"echo '{said}' >&2; exit 1")
    result = sweep("--slurm.partition=no")
    assert result.code == 2
    assert result.err == "grok: sbatch refuses: invalid partition specified: no\n"
    assert not list(Path("runs").rglob("*.pkl"))


def test_a_submission_says_the_job_and_where_to_look(
    sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(tmp_path / "bin", monkeypatch, srun="", sbatch="echo Submitted batch job 42")
    lines = sweep("--workers=3").out.splitlines()
    assert lines[0].startswith("job 42: 3 runs in 3 tasks submitted; about ")
    folder = Path(lines[1].removeprefix("logs").strip())
    assert folder.parent == (tmp_path / "runs" / "slurm").resolve()
    assert len(list(folder.glob("42_*_submitted.pkl"))) == 3
    assert lines[-1] == "cancel   scancel 42"
    assert RunStore("runs").runs() == []
    assert json.loads(sweep("--json").out)["job"] == "42"


@pytest.mark.slow
def test_retrain_forgets_before_the_job_and_spares_a_run_in_work(
    sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(tmp_path / "bin", monkeypatch, srun="", sbatch="echo Submitted batch job 42")
    found = json.loads(sweep("--dry-run", "--json", engine="local").out)["runs"]
    store = RunStore("runs")
    runs = [store.create(run.config) for run in read_sweep("grid.yaml").runs()]
    assert [run.key for run in runs] == [row["run"] for row in found]
    for run in runs:
        (run.dir / "status.json").write_text('{"status": "interrupted", "step": 2, "n_steps": 3}')
    with RunLock(runs[1].dir):
        before = {path for path in files(Path("runs")) if path.name != "lock"}
        result = sweep("--retrain")
        assert result.code == 2
        assert "nothing is forgotten or submitted" in result.err
        assert {path for path in files(Path("runs")) if path.name != "lock"} == before
    assert sweep("--retrain").code == 0
    assert [run.status()["status"] for run in runs] == ["new"] * 3


# The task.


def task_of(configs: list[RunConfig], folder: Path) -> ShardTask:
    return ShardTask(
        configs=tuple(to_dict(config) for config in configs),
        runs_dir=str(folder),
        outcome=str(folder / "shard_0.json"),
        workers=1,
        name="trial",
    )


def test_a_task_says_what_became_of_its_runs(tmp_path: Path) -> None:
    configs = [run_config(), *toys(1)]
    ended = Outcome(keys(configs), [], {}, [])
    with patch("grok.sweep.slurm.task.run_local", return_value=ended) as engine:
        task_of(configs, tmp_path)()
    assert engine.call_args.args[0] == configs
    assert engine.call_args.kwargs == {"workers": 1, "name": "trial"}
    plan = plan_of(configs, tmp_path, SlurmOptions(), tasks=1)
    assert outcome_of(plan, tmp_path, Submitted("42", tmp_path)) == ended


def test_a_run_whose_task_said_nothing_has_failed(tmp_path: Path) -> None:
    plan = plan_of([run_config()], tmp_path, SlurmOptions())
    outcome = outcome_of(plan, tmp_path, Submitted("42", tmp_path))
    assert list(outcome.failed) == [run_key(run_config())]
    assert "task 0 of job 42 ended early" in outcome.failed[run_key(run_config())]


@pytest.mark.parametrize("which", [signal.SIGUSR2, signal.SIGTERM])
def test_only_usr2_is_handed_on_and_no_outcome_is_written(
    which: signal.Signals, tmp_path: Path
) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR2, lambda signum, frame: heard.append(signum))
    try:
        with (
            patch("grok.sweep.slurm.task.run_local", side_effect=Interrupted(which)),
            pytest.raises(Interrupted),
        ):
            task_of([run_config()], tmp_path)()
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert heard == ([signal.SIGUSR2] if which == signal.SIGUSR2 else [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("restarts", [0, 1])
def test_a_restarted_task_waits_for_locks_that_its_dead_predecessor_left(
    restarts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", str(restarts))
    key = run_key(run_config())
    outcomes = [Outcome([], [], {}, [key]), Outcome([key], [], {}, [])]
    with (
        patch("grok.sweep.slurm.task.run_local", side_effect=outcomes),
        patch("grok.sweep.slurm.task.time.sleep") as sleep,
    ):
        task_of([run_config()], tmp_path)()
    assert [call.args for call in sleep.call_args_list] == [(STALE_AFTER,)] * restarts
    assert json.loads((tmp_path / "shard_0.json").read_bytes())["busy"] == [key] * (1 - restarts)


def test_waiting_outlasts_a_controller_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = ["echo PENDING", "echo unreachable >&2; exit 1", "echo RUNNING"]
    answers.append("echo slurm_load_jobs error: Invalid job id specified >&2; exit 1")
    folder = tmp_path / "bin"
    programs(folder, monkeypatch, squeue=answers.pop(0))
    looks: list[str] = []

    def show() -> None:
        looks.append(answers[0])
        (folder / "squeue").write_text(f"#!/bin/sh\n{answers.pop(0)}\n")

    wait_for("42", show, seconds=0.0)
    assert len(looks) == 3
