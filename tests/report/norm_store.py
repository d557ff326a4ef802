"""A store with the language models of Merrill et al. 2021, invented."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from grok.claims.norm_growth.language_heads import HEADS, SATURATION
from grok.config import RunConfig
from grok.report.figures.norm_growth.saturation import FACTORS, HOMOGENEITY
from grok.runs import ReadingsWriter, RunStore, write_status
from grok.sweep import read_sweep

SEEDS = (456, 789, 111)
PLACES = {"sublayer_ln": 1.0, "pre_ln_final": 0.6, "post_ln": 0.2}
STEPS = range(0, 2001, 100)


def fill(root: Path) -> None:
    """Store all that figures 1 to 5 show."""
    for norm, rise in PLACES.items():
        flags = [f"--model.norm={norm}"]
        _store(root, "language_placements", flags, {t: dynamics(t, rise) for t in STEPS})
        _store(root, "language_placements", [*flags, *SATURATION], saturation(rise))
        for ending in ("", "_no_bias"):
            _store(root, f"language_placements{ending}", [*flags, *HOMOGENEITY], {0: scales(rise)})
    falling = ["--optim.kind=adamw", "--optim.lr=0.001"]
    curve = {t: dynamics(t, 0.3) for t in STEPS}
    _store(root, "language_optimizers_inverse_sqrt", falling, curve)


def fill_grids(root: Path) -> None:
    """Store all that figure 6 shows."""
    for sweep in ("language_rate_decay", "language_rate_decay_paper"):
        for cell in read_sweep(f"norm_growth/{sweep}").runs([]):
            grown = growth(cell.config)
            norms = {0: {"norm/theta/encoder": 10.0}}
            norms[cell.config.n_steps] = {"norm/theta/encoder": 10 * math.exp(grown)}
            write(root, cell.config, norms, 1.0)


def growth(config: RunConfig) -> float:
    """What the logarithm of the norm gains in a cell of the grids."""
    return 30 * config.lr * (0.3 - config.optim.weight_decay)


def dynamics(step: int, rise: float) -> dict[str, float]:
    """Readings of the first seed at a step, of a model whose norm gains ``rise`` in 500 updates."""
    root, late = math.sqrt(step / 500), math.exp(-step / 600)
    found = {f"norm/theta/{name}": 10 + 10 * rise * root for name in ("encoder", "layer.0")}
    found["norm/theta/layer.1"] = 9 + 11 * rise * root
    for name in ("encoder", "layer.0", "layer.1"):
        if step:
            found[f"dir/cos_prev/{name}"] = 0.99 - 0.1 * late / (1 + rise)
    if step:
        found["align/theta_delta/encoder"] = 0.1 * rise * late
        found["norm/delta/encoder"] = 0.1 + 0.1 * late
    for at, head in enumerate(HEADS):
        found[f"attn/n_mean/{head}"] = 1 + 30 * rise * at / len(HEADS)
        found[f"attn/n_std/{head}"] = 18 * rise * at / len(HEADS)
        found[f"attn/split/{head}"] = rise * at / len(HEADS)
    return found


def saturation(rise: float) -> dict[int, dict[str, float]]:
    """Readings at first and at the end."""
    return {
        step: {f"sat/layer/{layer}": share * (0.8 - 0.1 * layer) * rise for layer in (0, 1)}
        for step, share in ((0, 0.5), (2000, 1.0))
    }


def scales(rise: float) -> dict[str, float]:
    """Cosines by factor of the parameters."""
    return {f"homog/cos_to_sat/{c:g}": 1 - 0.9 / c ** (2 * rise + 0.5) for c in FACTORS}


def _store(
    root: Path, sweep: str, flags: Sequence[str], readings: Mapping[int, Mapping[str, float]]
) -> None:
    for cell in read_sweep(f"norm_growth/{sweep}").runs(list(flags)):
        write(root, cell.config, readings, 1 - 0.02 * SEEDS.index(cell.config.model.init_seed))


def write(
    root: Path, config: RunConfig, readings: Mapping[int, Mapping[str, float]], factor: float
) -> None:
    """A completed run with readings, all times a factor."""
    run = RunStore(root).create(config)
    writer = ReadingsWriter(run)
    for step, values in readings.items():
        writer.add(step, {key: factor * x for key, x in values.items()})
    writer.flush()
    write_status(run, status="completed", step=config.n_steps, n_steps=config.n_steps)
