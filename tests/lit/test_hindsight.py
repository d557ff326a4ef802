"""Progress measures under the key frequencies of a run's end."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from grok.checkpoints import checkpoint_path, load_checkpoint
from grok.config import CheckpointConfig, RunConfig, Schedule
from grok.lit.train import train
from grok.measures import hindsight
from grok.measures.circuit import analyse
from grok.runs import Run
from grok.training import show
from tests.builders import make_stack
from tests.running import measures, run_config

EVERY_TEN = Schedule(every=10)


def config(n_steps: int, kept: int = 10) -> RunConfig:
    return run_config(
        n_steps=n_steps,
        measures=measures(hindsight=EVERY_TEN),
        checkpoint=CheckpointConfig(every=kept),
        p=31,
        lr=0.1,
        d_mlp=2,  # so few neurons that the key frequencies move
    )


def trained(n_steps: int, root: Path, kept: int = 10) -> Run:
    return train(config(n_steps, kept), root, progress=False)


def values(run: Run) -> dict[str, list[float]]:
    keys = [key for key in run.steps_read() if key.startswith("hindsight/")]
    return {key: run.series(key)[1].tolist() for key in keys}


def by_hand(run: Run, steps: range) -> dict[str, list[float]]:
    """The same from the checkpoints, with the mask of the last one."""
    stack = make_stack(replace(run.config, measures=measures(hindsight=EVERY_TEN)))

    def at(step: int) -> None:
        show(stack, 0, step, load_checkpoint(checkpoint_path(run, step)).parameters)

    at(steps[-1])
    is_key, found = analyse(stack.snapshot()).is_key, {}
    for step in steps:
        at(step)
        with torch.no_grad():
            for key, value in hindsight(stack.snapshot(), is_key).items():
                found.setdefault(key, []).append(float(value))
    return found


def test_every_step_is_read_under_the_key_frequencies_of_the_last(tmp_path: Path) -> None:
    run = trained(40, tmp_path)
    assert run.series("hindsight/n_keys")[0].tolist() == [0, 10, 20, 30, 40]
    assert len(set(values(run)["hindsight/n_keys"])) == 1
    assert values(run) == by_hand(run, range(0, 41, 10))


def test_a_run_that_goes_on_is_read_anew_under_its_new_end(tmp_path: Path) -> None:
    before = values(trained(10, tmp_path))
    run = trained(40, tmp_path)
    after = values(run)
    assert after == by_hand(run, range(0, 41, 10))
    key = "hindsight/restricted/sum/all"
    assert after[key][:2] != before[key], "the two ends have other keys"


@pytest.mark.slow
def test_without_checkpoints_the_run_is_replayed_for_the_same_readings(tmp_path: Path) -> None:
    kept, replayed = trained(40, tmp_path / "a"), trained(40, tmp_path / "b", kept=0)
    assert kept.readings().equals(replayed.readings())
