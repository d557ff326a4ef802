"""Run stores with made-up readings, for what only reads them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from grok.config import RunConfig, parse_run
from grok.runs import ReadingsWriter, Run, RunStore, write_status
from tests.running import FLAGS

Curves = Mapping[str, tuple[Sequence[int], Sequence[float]]]
EXPERIMENT = "inductive_bias/weight_decay"


def config_of(*flags: str) -> RunConfig:
    """A tiny run of an experiment of the first paper."""
    return parse_run(EXPERIMENT, [*FLAGS, "--n_steps=1000", *flags])


def store_run(store: Path, config: RunConfig, curves: Curves, **status: Any) -> Run:
    """A run with these readings, completed if nothing else is said."""
    run = RunStore(store).create(config)
    writer = ReadingsWriter(run)
    for key, (steps, values) in curves.items():
        for step, value in zip(steps, values, strict=True):
            writer.add(step, {key: value})
    writer.flush()
    write_status(run, **({"status": "completed", "step": config.n_steps} | status))
    return run


def grokking(onset: int | None, n_steps: int = 1000) -> dict[str, tuple[list[int], list[float]]]:
    """Accuracy and loss of a run whose test accuracy comes to 1 at a step, or never."""
    steps = list(range(0, n_steps + 1, 10))
    test = [float(onset is not None and step >= onset) for step in steps]
    train = [float(step >= 50) for step in steps]
    loss = [float(x) for x in np.linspace(4, 0.1, len(steps))]
    curves = {"acc/train": train, "acc/test": test, "loss/train": loss, "loss/test": loss[::-1]}
    return {key: (steps, values) for key, values in curves.items()}
