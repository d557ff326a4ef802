import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from grok.config import InputError, OptimConfig, RunConfig, run_key, with_seed
from grok.runs import ReadingsWriter, RunLock, RunLocked, RunStore, open_run, write_status
from grok.runs.owner import LOCK, this_process


def test_a_created_run_has_the_config_under_its_key(tmp_path: Path) -> None:
    config = RunConfig(optim=OptimConfig(lr=1e-5, betas=(0.9, 0.999)), n_steps=7)
    run = RunStore(tmp_path / "runs").create(config)
    assert run.key == run_key(config)
    assert run.dir == tmp_path / "runs" / run.key
    assert open_run(run.dir).config == config
    assert run.status() == {"status": "new", "step": 0}


def test_creating_again_leaves_the_stored_config_alone(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.create(RunConfig(n_steps=100))
    assert store.create(RunConfig(n_steps=200)).config.n_steps == 100


def test_a_config_is_updated_in_what_is_not_in_the_key(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    first = store.create(RunConfig(n_steps=100))
    writer = ReadingsWriter(first)
    writer.add(0, {"a": 1.0})
    writer.flush()
    assert first.config.n_steps == 100  # read before, and yet not what the update compares with
    with RunLock(first.dir):
        second = store.update_config(first, RunConfig(n_steps=200))
    assert second == first
    assert second.config.n_steps == 200
    assert open_run(first.dir).config.n_steps == 200
    assert second.final() == {"a": 1.0}


def test_an_unchanged_config_is_not_written(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    run = store.create(RunConfig())
    path = run.dir / "config.yaml"
    before = path.stat().st_ino
    store.create(RunConfig())
    store.update_config(run, RunConfig())
    assert path.stat().st_ino == before


def test_what_another_process_wrote_meanwhile_is_updated_too(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    ours = store.create(RunConfig(n_steps=100))
    theirs = RunStore(tmp_path)
    assert ours.config == RunConfig(n_steps=100)
    theirs.update_config(theirs.create(RunConfig()), RunConfig(n_steps=300))
    assert store.update_config(ours, RunConfig(n_steps=100)).config.n_steps == 100
    assert open_run(ours.dir).config.n_steps == 100


def test_a_config_of_another_run_under_the_key_is_refused(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    run, other = store.create(RunConfig()), store.create(with_seed(RunConfig(), 1))
    (other.dir / "config.yaml").replace(run.dir / "config.yaml")
    with pytest.raises(ValueError, match=f"is not of this run but of {other.key}"):
        store.create(RunConfig())
    with pytest.raises(ValueError, match=f"is not of this run but of {other.key}"):
        store.update_config(run, RunConfig())


def test_a_run_does_not_take_the_config_of_another(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    run = store.create(RunConfig())
    other = with_seed(RunConfig(), 1)
    with pytest.raises(ValueError, match=f"is not of {run.key} but of {run_key(other)}"):
        store.update_config(run, other)
    assert open_run(run.dir).config == RunConfig()


def test_the_config_of_a_run_that_another_process_trains_is_not_changed(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    run = store.create(RunConfig(n_steps=100))
    (run.dir / LOCK).write_text(json.dumps(this_process().__dict__ | {"host": "elsewhere"}))
    same = store.create(RunConfig(n_steps=200))
    with pytest.raises(RunLocked, match="elsewhere"), RunLock(same.dir):
        store.update_config(same, RunConfig(n_steps=200))
    assert open_run(run.dir).config.n_steps == 100


def test_runs_are_sorted_and_foreign_directories_passed_over(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    created = [store.create(with_seed(RunConfig(), seed)) for seed in (2, 0, 1)]
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / ".hidden" / "readings").mkdir(parents=True)
    (tmp_path / ".hidden" / "config.yaml").write_text("")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "config.yaml").write_text("wandb_version: 1")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert [run.key for run in store.runs()] == sorted(run.key for run in created)


def test_a_store_that_is_not_there_holds_no_runs(tmp_path: Path) -> None:
    assert RunStore(tmp_path / "absent").runs() == []
    with pytest.raises(InputError, match="holds no run"):
        RunStore(tmp_path / "absent").find("x")


def test_a_run_is_found_by_its_key_or_a_unique_start_of_it(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    runs = [store.create(with_seed(RunConfig(), seed)) for seed in (0, 1)]
    assert store.find(runs[0].key) == runs[0]
    assert store.find(runs[1].key[:-3]) == runs[1]
    with pytest.raises(InputError, match="is the start of") as several:
        store.find("add")
    with pytest.raises(InputError, match="no run 'sub'") as none:
        store.find("sub")
    for error in (several, none):
        assert all(run.key in str(error.value) for run in runs)


def test_a_key_that_starts_another_key_is_found(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    short = store.create(RunConfig())
    longer = short.dir.with_name(short.key + "-longer")
    (longer / "readings").mkdir(parents=True)
    (longer / "config.yaml").write_text("")
    assert store.find(short.key) == short


def test_a_removed_run_is_gone_and_the_others_stay(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    gone, stays = (store.create(with_seed(RunConfig(), seed)) for seed in (0, 1))
    with pytest.raises(ValueError, match="did you mean"):
        store.remove(gone.key[:-1])
    store.remove(gone.key)
    assert list(tmp_path.iterdir()) == [stays.dir]


def test_a_run_at_work_is_not_removed(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    run = store.create(RunConfig())
    with RunLock(run.dir), pytest.raises(RunLocked):
        store.remove(run.key)
    assert store.runs() == [run]
    store.remove(run.key)
    assert store.runs() == []


@pytest.mark.parametrize("text", ["n_steps: [", "no_such_key: 1", "- 1", "", "n_steps: 0"])
def test_a_damaged_config_is_named_in_one_line(tmp_path: Path, text: str) -> None:
    run = RunStore(tmp_path).create(RunConfig())
    (run.dir / "config.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"config\.yaml") as caught:
        _ = open_run(run.dir).config
    assert "\n" not in str(caught.value)


def test_opening_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.yaml is missing"):
        open_run(tmp_path)
    with pytest.raises(InputError, match="is not a directory"):
        open_run(tmp_path / "absent")


def test_a_run_is_opened_by_a_path_or_its_text(tmp_path: Path) -> None:
    run = RunStore(str(tmp_path)).create(RunConfig())
    assert open_run(str(run.dir)) == open_run(run.dir) == run


def test_status_holds_what_was_written_last_and_json_has_no_nan(tmp_path: Path) -> None:
    run = RunStore(tmp_path).create(RunConfig())
    write_status(run, status="running", step=1, error="gone with the next")
    write_status(
        run,
        status="diverged",
        step=2,
        loss=math.nan,
        lists=[np.float64("inf"), np.int64(3), {"x": -math.inf}],
        array=np.array([1.0, math.nan]),
        path=Path("a/b"),
    )
    assert run.status() == {
        "status": "diverged",
        "step": 2,
        "loss": None,
        "lists": [None, 3, {"x": None}],
        "array": [1.0, None],
        "path": "a/b",
    }


DAMAGED = [
    "",
    "{",
    "[]",
    "{}",
    '{"status": "running"}',
    '{"status": "done", "step": 1}',
    '{"status": ["running"], "step": 1}',
    '{"status": "running", "step": null}',
    '{"status": "running", "step": "1"}',
    '{"status": "running", "step": 1.0}',
    '{"status": "running", "step": true}',
    '{"status": "running", "step": -1}',
]


def test_a_damaged_status_is_named(tmp_path: Path) -> None:
    run = RunStore(tmp_path).create(RunConfig())
    for text in DAMAGED:
        (run.dir / "status.json").write_text(text)
        with pytest.raises(ValueError, match=r"status\.json is damaged: ") as caught:
            run.status()
        assert "\n" not in str(caught.value)


def test_tracking_and_threads_do_not_make_another_run(tmp_path: Path) -> None:
    config = RunConfig()
    other = replace(config, tracking=replace(config.tracking, mode="disabled"), threads=2)
    assert RunStore(tmp_path).create(config) == RunStore(tmp_path).create(other)
