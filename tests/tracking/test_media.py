"""Spectra and attention patterns in the W&B copies of runs."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from typing import Any
from unittest.mock import Mock, patch

import numpy as np
import pytest
from PIL import Image

from grok.checkpoints import latest_checkpoint
from grok.config import RunConfig, Schedule, TrackingConfig, with_seed
from grok.lit.signals import Interrupted
from grok.lit.train import train, train_stack
from grok.models.transformer import Transformer
from grok.runs import Run
from grok.tracking import NoTracker
from grok.tracking.media import put_images
from tests.running import checkpoints, measures, on_sequences, run_config, signal_at
from tests.tracking.test_tracking import files, inspect, make_run, offline_tracker

OFTEN = Schedule(dense=12, every=10)
N_STEPS = 20
LANDMARKS = [0, 1, 2, 3, 6, 10, 20]
OFFLINE = TrackingConfig(mode="offline", project="tests")


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))


def config_of(tracking: TrackingConfig = OFFLINE, **fields: Any) -> RunConfig:
    others = dict.fromkeys(("norm", "compress", "shortcut", "kernel", "hessian"))
    families = measures(attention=OFTEN, fourier=OFTEN, progress=Schedule(every=10), **others)
    return run_config(measures=families, n_steps=N_STEPS, tracking=tracking, **fields)


def media(path: Path) -> tuple[dict[int, Path], dict[str, list[Path]]]:
    """Images of a W&B run by step, and tables by key, as its own viewer tells them."""
    images: dict[int, Path] = {}
    tables: dict[str, list[Path]] = {}
    records = [json.loads(line) for line in inspect(path).splitlines()]
    for item in (record["history"]["item"] for record in records if record["type"] == "history"):
        for name in (name for name in item if name.endswith("._type")):
            key = name.removesuffix("._type")
            file = path.parent / "files" / item[f"{key}.path"]
            if item[name] == "table-file":
                tables.setdefault(key, []).append(file)
            else:
                assert key == "pattern/0"
                assert item["step"] not in images
                images[item["step"]] = file
    return images, tables


def table(path: Path) -> list[list[float]]:
    return json.loads(path.read_text())["data"]


def readings(run: Run, pattern: str, steps: list[int]) -> list[list[float]]:
    keys = [key for key in run.all_series() if key.startswith(pattern)]
    numbers = sorted(int(key.removeprefix(pattern)) for key in keys)
    series = {k: dict(zip(*run.series(f"{pattern}{k}"), strict=True)) for k in numbers}
    return [[step, k, series[k][step]] for step in steps for k in numbers]


def last_pattern(run: Run) -> np.ndarray:
    """Attention at the run's end from = to a and b, by head, a and b: naively, from its file."""
    stored = latest_checkpoint(run)
    assert stored is not None
    model = Transformer(run.config.model, 7)
    params = {name: x.unsqueeze(0) for name, x in stored.parameters.items()}
    found = np.zeros((2, 2, 7, 7))
    for a in range(7):
        for b in range(7):
            tokens = stored.parameters["W_E"].new_tensor([[[a, b, 7]]]).long()
            (block,) = model.forward(params, tokens).blocks
            found[:, :, a, b] = block.scores[0, 0, :, -1].softmax(dim=-1)[:, :2].T.detach()
    return found


@pytest.mark.slow
def test_runs_of_a_stack_have_their_own_spectra_and_patterns_at_landmarks_alone(
    tmp_path: Path,
) -> None:
    configs = [with_seed(config_of(), seed) for seed in range(2)]
    for run in train_stack(configs, tmp_path / "runs", progress=False):
        (path,) = files(run)
        images, tables = media(path)
        assert list(images) == LANDMARKS
        assert {key: len(paths) for key, paths in tables.items()} == {
            "spectrum/fourier/power": 1,
            "spectrum/progress/alpha": 1,
        }
        power, alpha = tables["spectrum/fourier/power"][0], tables["spectrum/progress/alpha"][0]
        assert json.loads(power.read_text())["columns"] == ["step", "frequency", "value"]
        assert table(power) == readings(run, "fourier/power/", LANDMARKS)
        assert json.loads(alpha.read_text())["columns"] == ["step", "k", "value"]
        assert table(alpha) == readings(run, "progress/alpha/", [0, 10, 20])
        with Image.open(images[N_STEPS]) as image:
            assert image.mode == "L"
            shades = np.asarray(image).reshape(2, 8, 2, 8)[:, :7, :, :7]
        expected = 255 * last_pattern(run)
        # Half a shade by rounding, and what float32 adds.
        assert np.abs(shades.transpose(0, 2, 1, 3) - expected).max() <= 0.501
    assert not (tmp_path / "home").exists()
    assert "WANDB_DATA_DIR" not in os.environ


@pytest.mark.slow
def test_a_run_that_is_resumed_shows_no_step_twice_and_its_last_table_is_whole(
    tmp_path: Path,
) -> None:
    config = config_of()
    with signal_at(10, signal.SIGTERM), pytest.raises(Interrupted):
        train(config, tmp_path, progress=False)
    run = train(config, tmp_path, progress=False)
    before, after = (media(path) for path in files(run))
    assert list(before[0]) + list(after[0]) == LANDMARKS
    assert 10 in before[0]
    key = "spectrum/fourier/power"
    assert table(before[1][key][0]) == readings(run, "fourier/power/", [0, 1, 2, 3, 6, 10])
    assert table(after[1][key][0]) == readings(run, "fourier/power/", LANDMARKS)


@pytest.mark.slow
def test_images_of_steps_that_a_killed_run_passes_again_are_dropped(tmp_path: Path) -> None:
    run, shades = make_run(tmp_path), np.zeros((2, 2), dtype=np.uint8)
    for steps in ((0, 10), (0, 3, 10, 18)):
        tracker = offline_tracker(run)
        for step in steps:
            tracker.images(step, {"pattern/0": shades}, "none")
        tracker.finish(0)
    assert sorted(list(media(path)[0]) for path in files(run)) == [[0, 10], [18]]


def test_a_wandb_run_shows_a_step_once_whatever_became_of_its_folder(tmp_path: Path) -> None:
    def shown(step: int, name: str = "a") -> bool:
        run = Mock(id=name, settings=Mock(sync_file=str(tmp_path / "wandb" / "part" / name)))
        is_shown = put_images(Mock(), run, step, {"pattern/0": np.zeros((2, 2), np.uint8)}, "")
        assert run.log.call_count == is_shown
        return is_shown

    assert [shown(step) for step in (0, 10, 3, 10, 18)] == [True, True, False, False, True]
    assert shown(10, "b")  # as which another agent goes on with the run
    (tmp_path / "wandb" / "last-image-step-a").write_text("")  # killed as it was written
    assert shown(18)
    rmtree(tmp_path / "wandb")  # retrained: what was stored is removed
    assert shown(0)


@pytest.mark.slow
def test_media_change_no_bit_and_are_not_made_where_nobody_takes_them(tmp_path: Path) -> None:
    with_them = train(config_of(), tmp_path / "with", progress=False)
    untaken = (replace(OFFLINE, media=False), replace(OFFLINE, mode="disabled"))
    for number, tracking in enumerate(untaken):
        with (
            patch("grok.lit.media._maps", side_effect=AssertionError),
            patch("grok.lit.media.spectra", side_effect=AssertionError),
        ):
            without = train(config_of(tracking), tmp_path / str(number), progress=False)
        assert without.key == with_them.key
        assert without.readings().equals(with_them.readings())
        assert checkpoints(without) == checkpoints(with_them)
        assert list(without.dir.rglob("media")) == []
    assert list(with_them.dir.rglob("pattern"))


class Kept(NoTracker):
    """Keeps the images it gets."""

    takes_media = True

    def __init__(self) -> None:
        self.shown: dict[int, tuple[dict[str, tuple[int, ...]], str]] = {}

    def images(self, step: int, images: Any, caption: str) -> None:
        self.shown[step] = {name: pixels.shape for name, pixels in images.items()}, caption


@pytest.mark.slow
def test_other_transformers_show_the_mean_over_examples_by_layer(tmp_path: Path) -> None:
    families, kept = measures(attention=Schedule(every=2)), Kept()
    config = on_sequences("digit_addition", measures=families, n_steps=2, n_layers=2)
    train_stack([config], tmp_path, progress=False, tracker_of=lambda *_: kept)
    assert list(kept.shown) == [0, 2]
    shapes, caption = kept.shown[2]
    n_heads, length = config.model.n_heads, shapes["pattern/0"][0]
    assert shapes == {f"pattern/{layer}": (length, n_heads * (length + 1)) for layer in range(2)}
    assert caption.startswith("step 2: mean attention; query down")


@pytest.mark.slow
def test_a_run_that_diverges_shows_no_pattern_from_then_on_and_its_neighbour_all(
    tmp_path: Path,
) -> None:
    kept = [Kept(), Kept()]
    families = measures(attention=Schedule(dense=6))
    calm, wild = (
        run_config(init_seed=seed, kind="sgd", lr=lr, measures=families, n_steps=6)
        for seed, lr in enumerate((0.05, 1e30))
    )
    trackers = iter(kept)
    runs = train_stack([calm, wild], tmp_path, progress=False, tracker_of=lambda *_: next(trackers))
    assert runs[1].status()["status"] == "diverged"
    assert list(kept[0].shown) == [0, 1, 2, 3, 6]
    last = runs[1].status()["step"]
    assert list(kept[1].shown) == [step for step in kept[0].shown if step <= last]
