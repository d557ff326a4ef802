"""Stand-ins for the runs of Liu et al. 2022: made-up readings and networks, nothing is trained."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from grok.checkpoints import save_checkpoint
from grok.claims.effective_theory.published import published_table
from grok.config import RunConfig
from grok.runs import ReadingsWriter, Run, RunStore, write_status
from grok.sweep import SweepRun, read_sweep
from grok.sweep.file import Sweep
from grok.sweep.parameters import Parameter
from tests.claims.published_theory import SIZES

Readings = Mapping[int, Mapping[str, float]]
"""By step and key."""

WHOLE = ("effective_theory/addition_regression_rates", "effective_theory/addition_size")
"""Sweeps of which every cell is drawn, beside the published ones."""
ROWS = (0, 6, 12)
"""Rows of figure 6a that are stored."""
FLIPPED = {(0, 0): "C", (6, 3): "M", (12, 11): "M"}
"""Its cells, by row and column, that have another phase than is published; beside the second and
the third this is published."""


@cache
def cells(sweep: str, *flags: str) -> tuple[SweepRun, ...]:
    """The cells of a sweep, every fourth value of its long axes, parsed once in a session."""
    found = read_sweep(sweep)
    return tuple((found if found.name in WHOLE else _thinned(found)).runs(flags))


def _thinned(sweep: Sweep) -> Sweep:
    kept = {
        name: Parameter(each.path, {"values": each.values[::4]}) if len(each.values) > 6 else each
        for name, each in sweep.document.parameters.items()
    }
    return replace(sweep, document=replace(sweep.document, parameters=kept))


class Parsed(NamedTuple):
    """Stands for a sweep file that is read."""

    path: str

    def runs(self, flags: Sequence[str] = ()) -> list[SweepRun]:
        """As the file has them."""
        return list(cells(self.path, *flags))


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
    *flags: str,
) -> list[RunConfig]:
    """Every run of a sweep of which there are readings; returns all configs."""
    configs = [cell.config for cell in cells(f"effective_theory/{sweep}", *flags)]
    for config in configs:
        found = readings(config)
        if found is not None:
            write(root, config, found)
    return configs


def keep(run: Run, step: int, **parameters: Tensor) -> None:
    """A checkpoint."""
    save_checkpoint(run, step, parameters, {}, 100)


def passing(n_steps: int, *steps: int | None, top: float = 1.0) -> Readings:
    """Accuracy that jumps at two steps, or never: on the training set to 1, then on the other."""
    splits = dict(zip((("acc/train", 1.0), ("acc/test", top)), steps, strict=True))
    at = {0, n_steps, *(step for step in steps if step is not None)}
    return {
        t: {
            key: high if step is not None and t >= step else 0.1
            for (key, high), step in splits.items()
        }
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
        write_sweep(root, "addition_size", readings, *flags)


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


def circle(p: int, dim: int, stride: int) -> Tensor:
    """Embedding of symbols on a circle, neighbours that many steps apart, rows of mean 0."""
    angle = 2 * torch.pi * stride * torch.arange(p, dtype=torch.float64)[:, None] / p
    first = torch.tensor([1.0, -1.0, 0.0, 0.0], dtype=torch.float64).repeat(dim // 4)
    return angle.cos() * first + angle.sin() * first.roll(2)
