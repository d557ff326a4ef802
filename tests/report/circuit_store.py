"""A store with the mainline run of Nanda et al. 2023 and its seeds, invented."""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from grok.checkpoints import save_checkpoint
from grok.config import RunConfig
from grok.models.transformer import Transformer
from grok.runs import ReadingsWriter, Run, RunStore, write_status
from grok.sweep import read_sweep
from tests.claims.published_progress import (
    EXCLUDED,
    EXCLUDED_CURVE,
    RESTRICTED,
    RESTRICTED_CURVE,
    SQUARED,
    TEST_ACC,
    TEST_LOSS,
)
from tests.claims.store import Curve, through, write_readings

SWEEP = "progress_measures/seeds"
KEYS = (7, 19, 23, 50)
"""Key frequencies of the invented network."""

SINE = 0.8
"""Height of the sines in its embedding; the cosines have 1."""

CURVES: Mapping[str, Curve] = {
    "acc/train": through({0: 0.01, 200: 1.0}),
    "acc/test": TEST_ACC,
    "loss/train": through({0: 4.76, 200: 2e-2, 1000: 2e-6, 3000: 3e-7, 20_000: 1e-7}),
    "loss/test": TEST_LOSS,
    EXCLUDED: EXCLUDED_CURVE,
    RESTRICTED: RESTRICTED_CURVE,
    "progress/gini/W_E": through({0: 0.1, 9400: 0.3, 14_000: 0.7}),
    "progress/gini/W_L": through({0: 0.2, 9400: 0.4, 14_000: 0.85}),
    "norm/squared": SQUARED,
}
ENDS: Mapping[str, float] = (
    {"loss/all": 2e-7, "progress/restricted/sum/all": 6e-8, "progress/restricted/sum/train": 5e-8}
    | {f"progress/key/{k}": float(k in KEYS) for k in range(1, 57)}
    | {f"ablation/A4/{k}": 1e-3 * k if k in KEYS else 2e-7 for k in range(1, 57)}
    | {f"progress/excluded_single/{k}": 1e-4 * k if k in KEYS else 1e-7 for k in range(1, 57)}
)


def fill(root: Path) -> None:
    """Store five seeds with their curves, the first with a network and its readings at the end."""
    for cell in read_sweep(SWEEP).runs([]):
        run, late = _completed(root, cell.config), 1 + 0.1 * cell.config.model.init_seed
        curves = {
            key: {int(step * late): x for step, x in curve(0).items()}
            for key, curve in CURVES.items()
        }
        write_readings(run, cell.config, curves)
    writer = ReadingsWriter(store_network(root, 40_000))
    writer.add(30_000, {key: 0.5 for key in ENDS})
    writer.add(40_000, ENDS)
    writer.flush()


def store_network(root: Path, step: int) -> Run:
    """Store seed 0 with a network at a step, and no reading that is not there."""
    config = read_sweep(SWEEP).runs(["--seeds=0"])[0].config
    run = _completed(root, config)
    save_checkpoint(run, step, circuit_parameters(config), {}, 100)
    return run


def _completed(root: Path, config: RunConfig) -> Run:
    run = RunStore(root).create(config)
    write_status(run, status="completed", step=config.n_steps, n_steps=config.n_steps)
    return run


def circuit_parameters(config: RunConfig) -> dict[str, Tensor]:
    """A network whose embedding, attention, neurons and read-out have the key frequencies alone.

    The stream has the waves of the keys first, then those that are read out, then what tells the
    last token from the others. Neurons are rectified waves of one key, at phases all around.
    """
    p, n_waves, n_mlp = config.data.p, 2 * len(KEYS), config.model.d_mlp
    shapes = Transformer(config.model, p).shapes()
    w = {name: torch.zeros(shape, dtype=torch.float32) for name, shape in shapes.items()}
    read, written, last = slice(n_waves), slice(n_waves, 2 * n_waves), 2 * n_waves
    angle = 2 * math.pi / p * torch.arange(p)[:, None] * torch.tensor(KEYS)
    waves = torch.stack([angle.cos(), angle.sin()], dim=-1).flatten(1)
    w["W_E"][:p, read], w["W_U"][:p, written] = waves, waves
    w["W_E"][:p, 1:n_waves:2] *= SINE
    w["W_E"][p, last] = 1.0
    for head in range(4):
        start = 32 * head
        w["blocks.0.W_Q"][start, last] = 5.0
        w["blocks.0.W_K"][start, 2 * head] = 1.0
        w["blocks.0.W_V"][start : start + n_waves, read] = torch.eye(n_waves)
        w["blocks.0.W_O"][read, start : start + n_waves] = torch.eye(n_waves)
    neuron = torch.arange(n_mlp)
    key, phase = neuron % len(KEYS), 2 * math.pi * neuron / n_mlp
    w["blocks.0.W_in"][neuron, 2 * key], w["blocks.0.W_in"][neuron, 2 * key + 1] = (
        phase.cos(),
        phase.sin(),
    )
    w["blocks.0.W_out"][n_waves + 2 * key, neuron] = (2 * phase).cos()
    w["blocks.0.W_out"][n_waves + 2 * key + 1, neuron] = (2 * phase).sin()
    return w
