"""Reading saturation, degrees and heads at every step leaves a run's bits as they are."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grok.config import MeasuresConfig, RunConfig, Schedule, TrackingConfig
from grok.config.measures import HeadsConfig, HomogeneityConfig, SaturationConfig
from grok.lit.train import train
from grok.models.config import norm_config
from tests.builders import tiny
from tests.running import checkpoints
from tests.texts import language_run, text_folder

ALWAYS = Schedule(every=1)
N_STEPS = 3


def on_pairs(_: Path, **fields: Any) -> RunConfig:
    return tiny(norm=norm_config("pre"), n_layers=2, dropout=0.1, **fields)


def on_a_text(folder: Path, **fields: Any) -> RunConfig:
    return language_run(
        text_folder(folder / "text"), mode="paragraph", length=16, dropout=0.1, **fields
    )


@pytest.mark.slow
@pytest.mark.parametrize("problem", [on_pairs, on_a_text])
def test_a_run_has_the_same_bits_with_and_without_them(problem: Any, tmp_path: Path) -> None:
    few = MeasuresConfig(task=replace(MeasuresConfig().task, schedule=ALWAYS))
    many = replace(
        few,
        saturation=SaturationConfig(enabled=True, schedule=ALWAYS, check_convergence=True),
        homogeneity=HomogeneityConfig(enabled=True, schedule=ALWAYS, scales=(2.0,), n_examples=2),
        heads=HeadsConfig(enabled=True, schedule=ALWAYS),
    )
    fields = {"dtype": "float32", "n_steps": N_STEPS, "tracking": TrackingConfig(mode="disabled")}
    without, with_them = (
        train(problem(tmp_path, measures=m, **fields), tmp_path / name, progress=False)
        for name, m in (("few", few), ("many", many))
    )
    assert without.key == with_them.key
    assert checkpoints(without) == checkpoints(with_them)
    assert list(checkpoints(with_them)) == [N_STEPS]
    names = without.readings().columns
    assert {"loss/train", "loss/test"} <= set(names)
    assert with_them.readings().select(names).equals(without.readings())
    added = with_them.readings().select("sat/final", "homog/euler_degree", "attn/frac/0")
    assert added.height == N_STEPS + 1
    assert added.null_count().sum_horizontal().item() == 0
