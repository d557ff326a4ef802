"""Cells of the paper's sweeps that its claims ask for, and what is read off them."""

import math

import numpy as np

from grok.claims.claim import Arm
from grok.claims.evidence import ArmEvidence, NotRun
from grok.claims.sample import Sample
from grok.metrics.phases import Phases, Series, phases

FIVE = (0, 1, 2, 3, 4)
"""Seeds of the mainline run (0) and of appendix C.2.1."""

THREE = (0, 1, 2)
"""Seeds of the small preset."""

ONE = (0,)
"""Seed of what takes minutes and is judged in tier S."""

EXCLUDED = "hindsight/excluded/sum/train"
RESTRICTED = "hindsight/restricted/sum/all"
RESTRICTED_ACC = "hindsight/restricted_acc/all"


def mainline(n_steps: int = 20_000) -> dict[str, Arm]:
    """Addition mod 113 from 30 % of the pairs: the run of sections 3 to 5 and its seeds."""
    return {"mainline": Arm(sweep="progress_measures/seeds", n_steps=n_steps)}


def small(decay: str = "1.0", n_steps: int = 5000) -> Arm:
    """Addition mod 53 from half of the pairs."""
    flags = (f"--optim.weight_decay={decay}",)
    return Arm(sweep="progress_measures/decay_small", flags=flags, n_steps=n_steps)


def medium(fraction: str = "0.4") -> Arm:
    """Addition mod 113 from 40 % of the pairs, or another share."""
    flags = (f"--data.train_fraction={fraction}",)
    return Arm(sweep="progress_measures/fraction_medium", flags=flags, n_steps=5000)


def p_of(arm: ArmEvidence) -> int:
    """The modulus."""
    return next(iter(arm.runs.values())).config.data.p


def uniform(arm: ArmEvidence) -> float:
    """Loss of guessing, ln p."""
    return math.log(p_of(arm))


def boundaries(arm: ArmEvidence) -> dict[str, Sample]:
    """``t_mem``, ``t_form`` and ``t_clean`` of each seed, infinite where a phase does not end.

    NaN where one of the readings that they rest on is.
    """
    keys = (EXCLUDED, "loss/test", "norm/squared")
    for key in keys:
        arm.last(key)
    excluded, test, squared = keys
    found = {
        seed: _ends(
            (arm.series(excluded, seed), arm.series(test, seed), arm.series(squared, seed)),
            p_of(arm),
        )
        for seed in arm.runs
    }
    return {
        name: Sample({s: t[i] for s, t in found.items()}, horizon=float(arm.n_steps))
        for i, name in enumerate(Phases._fields)
    }


def _ends(series: tuple[Series, Series, Series], p: int) -> tuple[float, ...]:
    """Steps of the three ends."""
    if any(np.isnan(values).any() for _, values in series):
        return (math.nan,) * 3
    return tuple(math.inf if t is None else float(t) for t in phases(*series, p))


def value_at(arm: ArmEvidence, key: str, seed: str, step: float) -> float:
    """The reading of one seed at a step of its own, on the line between the readings beside it.

    Families are read at steps of their own, so that a boundary found in one need not be one of
    another. NaN before the first reading and after the last.
    """
    steps, values = arm.series(key, seed)
    return float(np.interp(step, steps, values, left=math.nan, right=math.nan))


def keys_of(arm: ArmEvidence) -> dict[str, tuple[int, ...]]:
    """Key frequencies of each seed at the claim's last step.

    Raises:
        NotRun: If it is not known of a frequency whether it is one.
    """
    each = {k: arm.last(f"progress/key/{k}").values for k in range(1, p_of(arm) // 2 + 1)}
    if any(math.isnan(x) for values in each.values() for x in values.values()):
        raise NotRun("whether a frequency is a key is no number")
    return {seed: tuple(k for k, x in each.items() if x[seed] == 1) for seed in arm.runs}
