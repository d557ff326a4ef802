from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule

from grok.config import Schedule
from grok.lit.callbacks import FourierComponents, NormGrowth
from grok.lit.train import train
from tests.running import measures, run_config

OFF = measures(task=None, norm=None, attention=None, fourier=None, compress=None)


def test_a_callback_of_the_user_reads_at_every_step_it_is_due(tmp_path: Path) -> None:
    config = run_config(n_steps=70, measures=OFF)
    run = train(config, tmp_path, progress=False, callbacks=[NormGrowth(Schedule(every=7))])
    assert run.readings()["step"].to_list() == list(range(0, 71, 7))


def test_a_run_whose_last_update_ruined_it_has_diverged(tmp_path: Path) -> None:
    run = train(run_config(lr=1e30, n_steps=1), tmp_path, progress=False)
    assert run.status()["status"] == "diverged"
    assert run.status()["step"] == 1


@pytest.mark.parametrize("p", [3, 4])
def test_orders_too_small_for_a_statistic_still_train(p: int, tmp_path: Path) -> None:
    run = train(run_config(p=p, n_steps=2), tmp_path, progress=False)
    assert "fourier/f_statistic" not in run.readings().columns
    assert "fourier/c" in run.readings().columns


def test_speed_is_left_out_where_nothing_was_trained(tmp_path: Path) -> None:
    config = run_config(n_steps=5, measures=OFF)
    assert train(config, tmp_path, progress=False).status()["steps_per_second"] > 0


def test_retraining_forgets_the_copy_on_wandb_too(tmp_path: Path) -> None:
    config = run_config(n_steps=2, measures=OFF)
    run = train(config, tmp_path, progress=False)
    (run.dir / "wandb" / "offline-run-1").mkdir(parents=True)
    train(config, tmp_path, progress=False, retrain=True)
    assert not (run.dir / "wandb").exists()


def test_reading_leaves_each_part_of_a_module_in_its_own_mode() -> None:
    class Mine(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.embed = torch.nn.Embedding(7, 4)
            self.frozen = torch.nn.BatchNorm1d(4).eval()

    seen: list[bool] = []

    def find(module: Any) -> Any:
        seen.append(module.training)
        return module.embed.weight

    mine = Mine()
    mine.embed.train()
    snapshot = FourierComponents(embedding=find).snapshot(mine, 0)
    assert snapshot.embedding.shape == (1, 7, 4)
    assert seen == [False]
    assert mine.training
    assert not mine.frozen.training
