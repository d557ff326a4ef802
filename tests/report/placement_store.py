"""Stand-ins for the runs of the paper: made-up curves under the keys of its sweeps."""

from pathlib import Path

import numpy as np

from grok.config import RunConfig
from grok.runs import RunStore
from grok.runs.run import write_status
from grok.runs.writer import ReadingsWriter
from grok.sweep import read_sweep

SWEEPS = ("layernorm", "learning_rate", "weight_decay", "readout_scale", "rmsnorm", "depth")
STEPS = np.array([1, 10, 50, 100, 200, 400, 600, 1000, 1400, 2000, 3000, 4000])
STEPS = np.concatenate([STEPS, np.arange(4500, 10_001, 500)])


def grok_step(config: RunConfig) -> float:
    """When the stand-in generalises: by its norm, decay, rate, scale and seed."""
    norm, model, optim = config.model.norm, config.model, config.optim
    at = 7000 * (0.12 if norm.mlp else 1.0) * (0.3 if norm.v and not norm.q else 1.0)
    at *= (3.0 if norm.mlp and norm.q else 1.0) * (2 if norm.q and not norm.v else 1.0)
    at *= optim.weight_decay**-0.5 * (optim.lr / 1e-3) ** -0.6 / model.readout_scale**0.3
    return at * (0.8 + 0.1 * (model.init_seed % 7) / 3)


def readings(config: RunConfig) -> dict[str, np.ndarray]:
    """Every key that a figure of the paper draws, at :data:`STEPS`."""
    late = 1 / (1 + np.exp(-12 * np.log(STEPS / grok_step(config))))
    fitted = 1 / (1 + (STEPS / 150) ** 3)
    peak = 4.7 + 20 * (1 - fitted)
    return {
        "loss/test": peak * (1 - late) + 1e-4,
        "loss/train": 4.7 * fitted**2 + 1e-6,
        "acc/test": 0.3 * (1 - fitted) * (1 - late) + late,
        "fourier/c": 0.1 + 2.5 * late,
        "shortcut/loss/legacy/train": 4.7 + np.log10(STEPS) / 4 - 2 * late,
        "attn/entropy/0": 1.0986 - 0.4 * (1 - fitted) * (1 - late),
        "norm/delta/all": 0.45 * config.optim.lr * 1e3 / (1 + STEPS / 80),
        "compress/effective_rank/test": 45 - 36 * late,
        "compress/rank/test": 128 - 96 * late,
        "compress/alpha/test": 3 - 1.7 * late,
    }


def write_run(root: Path, config: RunConfig) -> None:
    """A stored run with these readings."""
    run = RunStore(root).create(config)
    writer = ReadingsWriter(run)
    found = readings(config)
    for at, step in enumerate(STEPS):
        writer.add(int(step), {key: float(values[at]) for key, values in found.items()})
    writer.flush()
    write_status(run, status="completed", step=10_000)


def fill(root: Path, seeds: tuple[int, ...] = (456, 789)) -> None:
    """Every run of the figures, of these seeds."""
    flag = f"--seeds={','.join(map(str, seeds))}"
    for sweep in SWEEPS:
        for cell in read_sweep(f"inductive_bias/{sweep}").runs([flag]):
            write_run(root, cell.config)
