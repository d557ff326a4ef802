"""Cells of the sweeps of language models that claims ask for, and what is read off them."""

import math
from typing import TYPE_CHECKING

import numpy as np

from grok.claims.claim import Arm
from grok.claims.evidence import ArmEvidence
from grok.claims.sample import Sample

if TYPE_CHECKING:
    from grok.theory.growth import GrowthLaw

N_STEPS = 2000
"""Updates of a language model: about ten passes over WikiText-2's validation part."""

NORM = "norm/theta/encoder"
"""The paper's norm: of the blocks' parameters, without embeddings and read-out."""

PLACEMENTS = {"sublayer_ln": "sublayer_ln", "pre_ln": "pre_ln_final", "post_ln": "post_ln"}
"""Names of the claims and of the sweeps; sublayer_ln is the paper's "pre-norm"."""


def placed(name: str, *flags: str) -> Arm:
    """A language model with its norms placed so, at a constant rate and decay 0.01."""
    return _arm("language_placements", f"--model.norm={PLACEMENTS[name]}", *flags)


def decayed(weight_decay: float) -> Arm:
    """The model with sublayer_ln at another decay."""
    return _arm("language_decay", f"--optim.weight_decay={weight_decay}")


def scheduled(kind: str, lr: float, *, falls: bool = False) -> Arm:
    """The same without decay, by an update rule at a constant rate or at one that falls."""
    sweep = "language_optimizers_inverse_sqrt" if falls else "language_optimizers"
    return _arm(sweep, f"--optim.kind={kind}", f"--optim.lr={lr}")


def _arm(sweep: str, *flags: str) -> Arm:
    return Arm(sweep=f"norm_growth/{sweep}", flags=flags, n_steps=N_STEPS)


def final_ratio(arm: ArmEvidence) -> Sample:
    """Norm at the end over that at step 0."""
    first, last = arm.at(NORM, 0).values, arm.last(NORM).values
    return Sample({seed: last[seed] / first[seed] for seed in first})


def share_rising(arm: ArmEvidence, key: str = NORM) -> Sample:
    """Share of the intervals between readings over which a series rises."""

    def share(_: np.ndarray, values: np.ndarray) -> float:
        return float((np.diff(values) > 0).mean()) if np.isfinite(values).all() else math.nan

    return arm.each(key, share)


def exponent(arm: ArmEvidence) -> Sample:
    """Exponent p of the best fit a t^p + b of the norm."""
    return arm.each(NORM, lambda steps, norms: _law(steps, norms).power.p)


def affine_r2(arm: ArmEvidence, name: str) -> Sample:
    """R^2 of the best fit a g(t) + b of the norm."""
    return arm.each(NORM, lambda steps, norms: _law(steps, norms).affine[name].r2)


def _law(steps: np.ndarray, norms: np.ndarray) -> "GrowthLaw":
    from grok.theory.growth import fit_growth_law

    return fit_growth_law(steps, norms.astype(np.float64))
