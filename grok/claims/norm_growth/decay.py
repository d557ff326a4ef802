"""NG-C6 and C10: weight decay against growth, in language models."""

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise

from grok.claims.claim import Arm, Part, above, at_least, below, claim, ordered, shown, within
from grok.claims.evidence import ArmEvidence, Evidence
from grok.claims.norm_growth.arms import NORM, decayed, final_ratio
from grok.claims.sample import Sample

DECAYS = (0.0, 0.01, 0.1, 1.0, 3.0)

N_GRID_STEPS = 300
"""Updates of a cell of the grid."""

GRID = {
    f"{lr:g}, decay {decay:g}": (lr, decay)
    for lr in (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
    for decay in (0.01, 0.1, 1.0, 3.0, 10.0)
}
"""Learning rate and decay of each cell."""


def _name(weight_decay: float) -> str:
    return f"decay {weight_decay:g}"


@claim(
    id="NG-C6",
    tier="S",
    statement="Decay holds the growth back, and above a predicted threshold turns it round",
    source="figure 6, equation 3; threshold from the identity of the step",
    published="a threshold between 0.001 and 0.01, and growth at 0.01",
    arms={_name(x): decayed(x) for x in DECAYS},
)
def phase(e: Evidence) -> Iterator[Part]:
    """NG-C6; the threshold is interpolated on logarithms between the decays beside it."""
    ratios = {x: final_ratio(e[_name(x)]) for x in DECAYS}
    falling = {_name(x): e[_name(x)].last(NORM) for x in reversed(DECAYS)}
    yield ordered("norm at the end", falling)
    for x in (0.0, 0.01):
        yield above(f"decay {x:g}: norm at the end over that at first", ratios[x], 1)
    yield below("decay 3: norm at the end over that at first", ratios[3.0], 1)
    predicted = e[_name(0.0)].last("norm/decay_threshold/encoder")
    measured = Sample(
        {seed: crossing({x: ratios[x].values[seed] for x in DECAYS}) for seed in predicted.values}
    )
    each = {seed: measured.values[seed] / predicted.values[seed] for seed in predicted.values}
    yield within("threshold, measured over predicted", Sample(each), 1 / 3, 3)
    yield shown("measured threshold", measured)
    yield shown("predicted threshold", predicted)


def crossing(ratios: Mapping[float, float]) -> float:
    """Decay at which the norm ends where it began, on a line in logarithms of both.

    Args:
        ratios: Norm at the end over that at first by decay, ascending; a decay of 0 is left out.

    Returns:
        The decay; NaN where no neighbours lie on the two sides of 1, or a ratio is NaN.
    """
    above_zero = [(x, ratio) for x, ratio in ratios.items() if x > 0]
    for (low, grown), (high, shrunk) in pairwise(above_zero):
        if grown >= 1 > shrunk > 0:
            share = math.log(grown) / math.log(grown / shrunk)
            return low * (high / low) ** share
    return math.nan


def _cell(lr: float, weight_decay: float) -> Arm:
    flags = (f"--optim.lr={lr}", f"--optim.weight_decay={weight_decay}")
    return Arm(sweep="norm_growth/language_rate_decay", flags=flags, n_steps=N_GRID_STEPS)


@claim(
    id="NG-C10",
    tier="S",
    seeds=(456,),
    statement="Whether the norm grows is what the updates' lengths and alignments add up to",
    source="figure 6, in small; criterion of section 3.2 made exact",
    published="a map, by one sentence with a boundary between decays 0.001 and 0.01",
    arms={name: _cell(*cell) for name, cell in GRID.items()},
)
def grid(e: Evidence) -> Iterator[Part]:
    """NG-C10; the sums are over every update, the norms are read."""
    grown, summed = ({name: f(e[name]) for name in GRID} for f in (_growth, _summed))
    agree = {name: _same_sign(grown[name], summed[name]) for name in GRID}
    part = at_least(
        "share of cells with the sign of the sum", sum(agree.values()) / len(agree), 0.95
    )
    yield part._replace(seeds=agree)
    n_grown = sum(x > 0 for x in grown.values())
    yield shown("cells in which the norm grows", n_grown)._replace(seeds=grown)


def _growth(arm: ArmEvidence) -> float:
    """What the squared norm has gained."""
    return arm.last(NORM).median ** 2 - arm.at(NORM, 0).median ** 2


def _summed(arm: ArmEvidence) -> float:
    """The same by the sums over every update."""
    parts = [arm.last(f"norm/{key}/encoder").median for key in ("cum_delta_sq", "cum_cross")]
    return sum(parts)


def _same_sign(x: float, y: float) -> float:
    """1 or 0; NaN where one is not known, so that no such cell counts for the claim."""
    return math.nan if math.isnan(x + y) else float((x > 0) == (y > 0))
