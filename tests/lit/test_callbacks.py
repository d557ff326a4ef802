import csv
import math
from pathlib import Path
from typing import Any
from unittest.mock import Mock, call, patch

import pytest
import torch
from einops import einsum
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger, Logger
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from grok.config import FAMILIES, MeasuresConfig, Schedule
from grok.keys import find_key
from grok.lit.callbacks import (
    AttentionSaturation,
    Compressibility,
    FourierComponents,
    NormGrowth,
    ScaleShortcut,
    TaskReadings,
    WeightSpectra,
)
from grok.lit.families import FAMILY_CALLBACKS
from grok.lit.module import BlockDataModule, Blocks, StackTask
from grok.lit.reading import MeasureCallback
from grok.lit.train import train
from grok.measures import MissingPart, Snapshot
from grok.runs import Run
from grok.training import Stack, problem_of
from grok.training.dynamics import PREFIX
from tests.running import checkpoints, measures, on_sequences, run_config

pytestmark = [
    # Lightning's remarks about things that are so on purpose, as in `grok.lit.trainer`.
    pytest.mark.filterwarnings("ignore:.*treespec, LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
]


def plain_trainer(
    callbacks: list[Callback], logger: Logger, max_steps: int = -1, accumulate: int = 1
) -> Trainer:
    """A trainer as a user of Lightning would make one."""
    return Trainer(
        callbacks=callbacks,
        logger=logger,
        log_every_n_steps=1,
        accelerator="cpu",
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        max_epochs=1,
        max_steps=max_steps,
        accumulate_grad_batches=accumulate,
    )


class Halving(LightningModule):
    """One weight, 8 at initialisation, halved by every step: w(t) = 8 / 2 ** t."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([8.0]))

    def training_step(self, *_: Any) -> Tensor:
        return self.w.square().sum() / 2  # gradient w, learning rate 1/2

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.5)


class Probed(Halving):
    """Beside the weight, what the measures of attention, embedding and features read."""

    p = 12

    def __init__(self) -> None:
        super().__init__()
        angle = 2 * math.pi * 3 * torch.arange(self.p) / self.p
        self.embedding = nn.Parameter(
            torch.stack([angle.cos(), angle.sin()], dim=-1), requires_grad=False
        )
        self.dropout = nn.Dropout(0.5)

    def scores(self) -> list[Tensor]:
        """Two heads that ignore their input; the second is masked."""
        scores = torch.zeros(5, 2, 3, 3)
        scores[:, 1].masked_fill_(torch.ones(3, 3).triu(1).bool(), -math.inf)
        return [scores]

    def features(self) -> dict[str, Tensor]:
        """Isotropic features of rank 4 if dropout is off."""
        basis = torch.eye(4).repeat(8, 1)
        return {"train": self.dropout(basis)}


def batches(n: int) -> DataLoader[Any]:
    return DataLoader(TensorDataset(torch.zeros(n)))


def read_weight(snapshot: Snapshot) -> dict[str, Tensor]:
    return {"w": snapshot.params["w"].sum(dim=-1)}


def rows_of(logger: CSVLogger) -> dict[int, dict[str, float]]:
    """What the logger wrote: by step, the columns that have a value."""
    logger.save()
    rows: dict[int, dict[str, float]] = {}
    with Path(logger.log_dir, "metrics.csv").open() as file:
        for row in csv.DictReader(file):  # one line per measure
            values = rows.setdefault(int(row.pop("step")), {})
            values |= {key: float(value) for key, value in row.items() if value}
    return rows


def test_readings_are_taken_at_due_steps_and_no_others(tmp_path: Path) -> None:
    logger = Mock(spec=Logger, save_dir=str(tmp_path))
    callback = MeasureCallback(read_weight, Schedule(every=3))
    plain_trainer([callback], logger, max_steps=7).fit(Halving(), batches(7))
    assert logger.log_metrics.mock_calls == [
        call({"w": 8.0}, step=0),
        call({"w": 1.0}, step=3),
        call({"w": 0.125}, step=6),
    ]


def test_accumulated_batches_give_one_reading_per_update(tmp_path: Path) -> None:
    logger = Mock(spec=Logger, save_dir=str(tmp_path))
    callback = MeasureCallback(read_weight, Schedule(dense=3, every=0))
    trainer = plain_trainer([callback], logger, accumulate=2)
    trainer.fit(Halving(), batches(6))
    assert [c.kwargs["step"] for c in logger.log_metrics.mock_calls] == [0, 1, 2, 3]
    assert [c.args[0]["w"] for c in logger.log_metrics.mock_calls] == [8.0, 4.0, 2.0, 1.0]


def test_norms_of_a_module_of_your_own_are_those_of_its_weight_and_last_update(
    tmp_path: Path,
) -> None:
    logger = CSVLogger(tmp_path)
    trainer = plain_trainer([NormGrowth(Schedule(dense=1, every=3))], logger)
    trainer.fit(Halving(), batches(7))
    rows = rows_of(logger)
    assert sorted(rows) == [0, 1, 3, 6]
    for step, row in rows.items():
        norm = 8 / 2**step
        assert row["norm/theta/w"] == row["norm/theta/all"] == norm
        assert row["norm/squared"] == norm**2
        # w(t) - w(t - 1) = -w(t); the initialisation has no last update.
        assert row.get("norm/delta/w") == row.get("norm/delta/all") == (norm if step else None)
        assert not any(key.startswith("norm/grad") for key in row)


def test_measures_of_a_module_of_your_own_read_the_parts_it_names(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path)
    module, every = Probed(), Schedule(every=2)
    callbacks: list[Callback] = [
        AttentionSaturation(every, scores=lambda _: module.scores()),
        FourierComponents(every, embedding=lambda _: module.embedding),
        Compressibility(every, pre_logits=lambda _: module.features()),
    ]
    plain_trainer(callbacks, logger).fit(module, batches(4))
    rows = rows_of(logger)
    assert sorted(rows) == [0, 2, 4]
    for row in rows.values():
        # A circle of frequency 3 has all its power there: p rows of length 1.
        assert row["fourier/power/3"] == pytest.approx(12)
        assert row["fourier/top_share/1"] == pytest.approx(1)
        assert row["attn/entropy/0/0"] == pytest.approx(math.log(3))
        assert row["attn/entropy_last/0/1"] == pytest.approx(math.log(3))
        assert row["attn/entropy/0/1"] == pytest.approx(math.log(6) / 3)  # (0 + ln 2 + ln 3) / 3
        # Read in evaluation mode: dropout would give another rank.
        assert row["compress/effective_rank/train"] == pytest.approx(4)
        assert row["compress/rank/train"] == 4
    assert module.training


def test_task_readings_of_a_module_of_your_own_count_right_answers(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path)
    logits, labels = torch.eye(4), torch.tensor([0, 1, 2, 0])
    callback = TaskReadings(Schedule(), predictions=lambda _: {"test": (logits, labels)})
    plain_trainer([callback], logger).fit(Halving(), batches(1))
    assert rows_of(logger) == {0: {"acc/test": 0.75}}


def test_losses_without_scale_and_mirrors_of_a_module_of_your_own_are_read(
    tmp_path: Path,
) -> None:
    logger = CSVLogger(tmp_path)
    logits, labels = torch.eye(4), torch.tensor([0, 1, 2, 0])
    mirrored = torch.tensor([True, False, False, True])
    callbacks: list[Callback] = [
        TaskReadings(
            Schedule(),
            predictions=lambda _: {"test": (logits, labels)},
            mirrored=lambda _: mirrored,
        ),
        ScaleShortcut(Schedule(), shortcut=lambda _: {"strict": {"test": (-logits, labels)}}),
    ]
    plain_trainer(callbacks, logger).fit(Halving(), batches(1))
    assert rows_of(logger) == {
        0: {
            "acc/test": 0.75,
            "acc/test_mirrored": 0.5,
            "acc/test_unmirrored": 1.0,
            "shortcut/acc/strict/test": 0.25,
        }
    }


def test_weights_of_a_module_of_your_own_are_its_matrices(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path)
    plain_trainer([WeightSpectra(Schedule())], logger).fit(Probed(), batches(1))
    row = rows_of(logger)[0]
    # Twelve points of a circle: cos and sin have the same length and are orthogonal.
    assert row["compress/weight_effective_rank/embedding"] == pytest.approx(2)
    assert row["compress/weight_rank"] == row["compress/weight_rank/embedding"] == 2
    assert not any(key.endswith("/w") for key in row)


def test_a_measure_says_which_part_it_misses(tmp_path: Path) -> None:
    trainer = plain_trainer([FourierComponents()], CSVLogger(tmp_path))
    with pytest.raises(MissingPart, match="needs the model's embedding"):
        trainer.fit(Halving(), batches(1))


def stack_task(n_runs: int) -> tuple[StackTask, BlockDataModule]:
    """A stack and its data, for a trainer that is not ours."""
    configs = [run_config(init_seed=seed) for seed in range(n_runs)]
    data = BlockDataModule()
    data.blocks = Blocks(0, 4, [Schedule(every=2).next_due])
    return StackTask(Stack(problem_of(configs))), data


def test_a_foreign_logger_takes_the_readings_of_a_lone_stack(tmp_path: Path) -> None:
    task, data = stack_task(1)
    logger = CSVLogger(tmp_path)
    plain_trainer([NormGrowth(Schedule(every=2))], logger).fit(task, datamodule=data)
    rows = rows_of(logger)
    assert sorted(rows) == [0, 2, 4]
    params = task.snapshot().params.values()
    total = sum(einsum(x.double(), x.double(), "run ..., run ... ->") for x in params)
    assert rows[4]["norm/squared"] == pytest.approx(float(total), rel=1e-6)
    assert {"norm/grad/all", "norm/delta/all"} <= set(rows[4])


def test_a_foreign_logger_is_refused_for_a_stack_of_two(tmp_path: Path) -> None:
    task, data = stack_task(2)
    trainer = plain_trainer([NormGrowth()], CSVLogger(tmp_path))
    with pytest.raises(ValueError, match=r"^CSVLogger takes one run; this stack has 2$"):
        trainer.fit(task, datamodule=data)


SCHEDULES = {
    "task": Schedule(dense=3, every=20),
    "norm": Schedule(every=0, per_decade=3),
    "attention": Schedule(every=15),
    "fourier": Schedule(dense=2, every=0),
    "compress": Schedule(every=25),
    "shortcut": Schedule(dense=1, every=30),
    "weights": Schedule(every=35),
    "kernel": Schedule(every=40),
    "hessian": Schedule(every=70),
}


def test_each_family_is_read_on_its_own_schedule(tmp_path: Path) -> None:
    config = run_config(n_steps=70, measures=measures(**SCHEDULES))
    readings = train(config, tmp_path, progress=False).readings()
    for key in readings.columns[1:]:
        row = find_key(key)
        assert row is not None
        steps = readings.select("step", key).drop_nulls()["step"].to_list()
        due = [step for step in range(71) if SCHEDULES[row.family].is_due(step)]
        # No update leads to the initialisation.
        assert steps == (due[1:] if key.startswith("norm/delta/") else due)


def test_a_family_that_is_off_is_not_read(tmp_path: Path) -> None:
    config = run_config(n_steps=3, measures=measures(norm=None, attention=None))
    found = train(config, tmp_path, progress=False).final()
    families = {row.family for key in found if (row := find_key(key))}
    assert families == {"task", "fourier", "compress", "shortcut"}


def test_the_fourier_basis_is_not_asked_for_on_a_group_that_has_none(tmp_path: Path) -> None:
    config = run_config(n_steps=3, operation="compose", group="S3", p=113)
    assert not any(
        key.startswith("fourier/") for key in train(config, tmp_path, progress=False).final()
    )


def test_families_of_pairs_are_left_out_of_a_run_on_sequences(tmp_path: Path) -> None:
    config = on_sequences("digit_addition", n_steps=3)
    readings = train(config, tmp_path, progress=False).readings()
    families = {row.family for key in readings.columns[1:] if (row := find_key(key))}
    assert families == {"task", "norm", "attention", "compress"}
    assert {"loss/train", "loss/test", "loss/digit/1/test", "acc/digit/3/train"} <= set(
        readings.columns
    )
    assert readings.select("loss/train", "loss/digit/1/test").null_count().row(0) == (0, 0)


OFF = measures(**dict.fromkeys(FAMILIES))


def trained(run: Run) -> dict[int, dict[str, bytes]]:
    """Stored parameters and moments, without the sums that a measure reads."""
    return {
        step: {name: x for name, x in tensors.items() if not name.startswith(PREFIX)}
        for step, tensors in checkpoints(run).items()
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "other",
    [
        OFF,
        measures(**dict.fromkeys(FAMILIES, Schedule(dense=5, every=11))),
    ],
    ids=["off", "five updates and every eleventh"],
)
def test_reading_changes_no_bit_of_the_parameters(other: MeasuresConfig, tmp_path: Path) -> None:
    config = run_config(n_steps=24, batch_size=8, dropout=0.1)
    without = run_config(n_steps=24, batch_size=8, dropout=0.1, measures=other)
    runs = [train(c, tmp_path / str(i), progress=False) for i, c in enumerate((config, without))]
    assert trained(runs[0]) == trained(runs[1])
    assert runs[0].key == runs[1].key


def test_readings_do_not_pass_through_lightnings_own_log(tmp_path: Path) -> None:
    refuse = Mock(side_effect=AssertionError("costs 0.3 ms per value"))
    with patch.multiple(LightningModule, log=refuse, log_dict=refuse):
        train(run_config(n_steps=3), tmp_path, progress=False)


def test_measures_due_at_a_step_share_one_look_at_the_probe(tmp_path: Path) -> None:
    live = [name for name in FAMILIES if not FAMILY_CALLBACKS[name].is_afterwards]
    config = run_config(n_steps=4, measures=measures(**dict.fromkeys(live, Schedule(every=2))))
    with patch.object(Stack, "snapshot", autospec=True, side_effect=Stack.snapshot) as look:
        train(config, tmp_path, progress=False)
    assert look.call_count == 3  # at 0, 2 and 4
