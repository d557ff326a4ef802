"""Checks of Merrill et al. 2021 that need no training run to its end.

`Effects of Parameter Norm Growth During Transformer Training
<https://arxiv.org/abs/2010.09697>`_.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from grok.claims.checks import Readings
from grok.claims.norm_growth.published import t5_norms, t5_rates
from grok.config import RunConfig
from grok.config.measures import DynamicsConfig, MeasuresConfig
from grok.config.schema import OptimConfig
from grok.data.config import DataConfig
from grok.measures import norm_dynamics
from grok.models.config import TransformerConfig
from grok.theory.growth import fit_growth_law
from grok.theory.norm_dynamics import compare_dynamics
from grok.training import Stack, problem_of

N_STEPS = 200
LATE = 10_000.0
"""First step of the log-log slope of T5."""
OPTIMISERS: dict[str, dict[str, Any]] = {
    "adamw": {"kind": "adamw", "weight_decay": 1.0},
    "adam": {"kind": "adam", "weight_decay": 0.1},
    "sgd": {"kind": "sgd", "lr": 0.01, "momentum": 0.9, "weight_decay": 1e-3},
}
SIGMA = 0.05
"""Standard deviation of an entry of a random step."""
WIDTH = 128
"""Of the network that walks: it has 10^5 parameters and more."""


def _config(width: int, optim: dict[str, Any], dtype: Any) -> RunConfig:
    """A small network of addition mod 7 whose norm dynamics are summed up."""
    return RunConfig(
        data=DataConfig(p=7, train_fraction=0.6),
        model=TransformerConfig(d_model=width, n_heads=2, d_mlp=2 * width),
        optim=replace(OptimConfig(), **optim),
        measures=MeasuresConfig(dynamics=DynamicsConfig(enabled=True, sets=("all",), lag=1)),
        dtype=dtype,
    )


def _read(stack: Stack, key: str) -> float:
    return float(norm_dynamics(stack.snapshot())[f"{key}/all"][0])


def ng_a1() -> Readings:
    """A small transformer, 200 updates of each optimiser, weight decay included.

    Criterion: what the squared norm has grown is the sum over updates of |delta|^2 and 2 theta .
    delta, to 1e-5 of it in float32 and 1e-12 in float64. Sums are in float64 either way.

    Returns:
        ``residual`` and ``updates``, fewer if a run diverged, by dtype and optimiser.
    """
    readings: Readings = {"residual": {}, "updates": {}}
    for dtype in ("float32", "float64"):
        for name, optim in OPTIMISERS.items():
            stack = Stack(problem_of([_config(16, optim, dtype)]))
            stack.advance(N_STEPS)
            readings["residual"][f"{dtype}/{name}"] = _read(stack, "norm/identity_residual")
            readings["updates"][f"{dtype}/{name}"] = float(stack.run_step(0))
    return readings


def ng_a10() -> Readings:
    """Laws of growth, fitted to the published norms of T5 and to an exact root.

    Criterion: R^2 of the root on the 21 points in [0.997, 0.9985], that of the line lower by 0.03
    or more; slope of ln(norm) on ln(t) from step 10,000 in [0.41, 0.45]; of an exact root R^2 1 and
    exponent 0.5. Source: section 3.1. Departure: the paper has R^2 of all 105 checkpoints, 1.00.

    Returns:
        ``sqrt`` and ``linear``: R^2, and ``log_slope``, by set; ``exact_r2``, ``exact_p``.
    """
    readings: Readings = {"sqrt": {}, "linear": {}, "log_slope": {}}
    steps, series = t5_norms()
    for name, norms in series.items():
        law = fit_growth_law(steps, norms, LATE)
        for regressor in ("sqrt", "linear"):
            readings[regressor][name] = law.affine[regressor].r2
        readings["log_slope"][name] = law.log_slope
    exact = fit_growth_law(steps, 2.8 * np.sqrt(steps) + 160.0)
    return readings | {
        "exact_r2": {"": exact.affine["sqrt"].r2},
        "exact_p": {"": exact.power.p},
    }


def ng_a11() -> Readings:
    """Aligned and misaligned dynamics under T5's rates, one constant each, on the same norms.

    Criterion: R^2 of misaligned updates 0.99 or more with kappa^2 in [0.75, 0.90], that of aligned
    ones lower by 0.1 or more. Source: section 3.2. Departure: there kappa is 1.

    Returns:
        ``misaligned`` and ``aligned``: R^2, and ``kappa_squared``, by set.
    """
    readings: Readings = {"misaligned": {}, "aligned": {}, "kappa_squared": {}}
    steps, series = t5_norms()
    for name, norms in series.items():
        found = compare_dynamics(steps, norms, t5_rates())
        for model in ("misaligned", "aligned"):
            readings[model][name] = found[model].r2
        readings["kappa_squared"][name] = found["misaligned"].kappa ** 2
    return readings


class _Moved(Stack):
    """A stack whose updates are given: a random walk, or growth along the parameters."""

    def __init__(self, is_walk: bool) -> None:
        super().__init__(problem_of([_config(WIDTH, {}, "float64")]))
        self.is_walk, self.generator = is_walk, torch.Generator().manual_seed(0)

    def update(self) -> None:
        """Add noise, or a hundredth of the first parameters."""
        if self.is_walk:
            noise = torch.randn(self.theta.shape, generator=self.generator, dtype=self.dtype)
            self.theta.add_(SIGMA * noise)
        else:
            self.theta.add_(0.01 * self.initial)
        self.step += 1


def ng_a13() -> Readings:
    """200 steps of a random walk in 10^5 dimensions, and of growth along a ray.

    Criterion: for the walk the misaligned share is 1, every alignment below 0.02, and the squared
    norm grows with exponent 1; for the ray alignment and the cosine of directions are 1, and the
    squares of the steps are next to nothing of the growth.

    Returns:
        ``share``, ``walk_alignment`` by step, ``exponent``; ``ray_alignment``, ``ray_direction``,
        ``ray_share``.
    """
    walk, ray = _Moved(is_walk=True), _Moved(is_walk=False)
    squares, alignments = [], {}
    for step in range(1, N_STEPS + 1):
        walk.advance(1)
        squares.append(float(walk.theta.square().sum() - walk.initial.square().sum()))
        if step % 20 == 0:
            alignments[str(step)] = _read(walk, "align/theta_delta")
    ray.advance(N_STEPS)
    law = fit_growth_law(np.arange(1, N_STEPS + 1), np.array(squares))
    return {
        "share": {"": _read(walk, "norm/misaligned_share")},
        "walk_alignment": alignments,
        "exponent": {"": law.log_slope},
        "ray_alignment": {"": _read(ray, "align/theta_delta")},
        "ray_direction": {"": _read(ray, "dir/cos_prev")},
        "ray_share": {"": _read(ray, "norm/misaligned_share")},
    }
