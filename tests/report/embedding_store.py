"""Stand-ins for the runs of Liu et al. 2022: made-up readings and networks, nothing is trained."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from grok.claims.effective_theory.published import published_table
from grok.config import RunConfig
from grok.runs import ReadingsWriter, Run, RunStore, write_status
from grok.sweep import read_sweep
from tests.claims.published_theory import SIZES

Readings = Mapping[int, Mapping[str, float]]
"""By step and key."""

ROWS = (0, 6, 12)
"""Rows of figure 6a that are stored."""
FLIPPED = {(0, 0): "C", (6, 3): "M", (12, 11): "M"}
"""Its cells, by row and column, that have another phase than is published; beside the second and
the third this is published."""


def write(root: Path, config: RunConfig, readings: Readings, **status: Any) -> Run:
    """A run with these readings, completed if nothing else is said."""
    run = RunStore(root).create(config)
    writer = ReadingsWriter(run)
    for step, values in sorted(readings.items()):
        writer.add(step, values)
    writer.flush()
    ended = {"status": "completed", "step": config.n_steps, "n_steps": config.n_steps}
    write_status(run, **(ended | status))
    return run


def write_sweep(
    root: Path,
    sweep: str,
    readings: Callable[[RunConfig], Readings | None],
    flags: Iterable[str] = (),
) -> list[RunConfig]:
    """Every run of a sweep of which there are readings; returns all configs."""
    configs = [cell.config for cell in read_sweep(f"effective_theory/{sweep}").runs(list(flags))]
    for config in configs:
        found = readings(config)
        if found is not None:
            write(root, config, found)
    return configs


def passing(n_steps: int, *steps: int | None, top: float = 1.0) -> Readings:
    """Accuracy on training and test set that jumps to ``top`` at two steps, or never."""
    splits = dict(zip(("acc/train", "acc/test"), steps, strict=True))
    at = {0, n_steps, *(step for step in steps if step is not None)}
    return {
        t: {key: top if step is not None and t >= step else 0.1 for key, step in splits.items()}
        for t in at
    }


def size_readings(n: int, seed: int) -> Readings:
    """Addition from n pairs: nine tenths of what is published, 100 steps later."""
    predicted, right, step = SIZES[n][seed]
    rqi = 0.4 if step is None else 0.96
    late = {"repr/acc": 0.9 * right / 55, "repr/predicted_acc": 0.9 * predicted / 55}
    late["repr/rqi"] = rqi
    first = dict.fromkeys(late, 0.01)
    formed = {} if step is None else {step + 100: late}
    return {0: first, **formed, 5000: late, 10_000: late}


def fill_sizes(root: Path) -> None:
    """Figures 3, 4b, 5b and 10."""

    def readings(config: RunConfig) -> Readings | None:
        n, batch = config.toy.n_train, config.toy.batch_size
        # The script's batches are of 45 pairs.
        is_shown = n <= 45 or batch == 45
        return size_readings(n, config.model.init_seed) if is_shown else None

    write_sweep(root, "addition_size", readings)
    for n in (50, 54):
        flags = (f"--toy.n_train={n}", "--toy.batch_size=45")
        write_sweep(root, "addition_size", readings, flags)


def fill_rates(root: Path) -> None:
    """Three rows of figure 6a: the published steps, but for the cells that are flipped."""
    table = published_table("fig6a")
    times = {"C": (500, 600), "M": (500, None)}

    def readings(config: RunConfig) -> Readings | None:
        row = int(np.abs(table.rows / config.optim.embed_lr - 1).argmin())
        if row not in ROWS:
            return None
        column = int(np.abs(table.columns / config.lr - 1).argmin())
        T = (int(table.T_tr[row, column]), int(table.T_va[row, column]))
        came = tuple(None if step < 0 else step for step in T)
        other = FLIPPED.get((row, column))
        return passing(config.n_steps, *(times[other] if other else came))

    write_sweep(root, "addition_regression_rates", readings)
