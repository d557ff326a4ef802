"""Readings with which the claims on language models of Merrill et al. 2021 hold, or do not.

The paper's runs are larger and read by another norm; what is here is invented in their spirit.
"""

from collections.abc import Sequence

import numpy as np

from grok.claims.norm_growth.arms import N_STEPS, NORM, PLACEMENTS
from grok.claims.norm_growth.decay import DECAYS, GRID, N_GRID_STEPS
from grok.claims.norm_growth.language import CONSTANT, FALLING, SGD
from tests.claims.store import Curve, Readings, steady, through

Change = tuple[str, str, Curve]

UNIT: dict[str, dict[str, dict[str, float]]] = {}
"""Every claim here needs runs."""

COSINE, SATURATION, LONGER = "dir/cos_prev/encoder", "sat/final", "acc/tosses/200/test"
SUMS = "norm/cum_delta_sq/encoder", "norm/cum_cross/encoder"
HEADS = [(layer, head) for layer in range(2) for head in range(4)]


def power(first: float, last: float, p: float = 0.5) -> Curve:
    """first + a t^p, which is ``last`` at the end."""
    steps = range(0, N_STEPS + 1, 100)
    return through({t: first + (last - first) * (t / N_STEPS) ** p for t in steps})


def misaligned(growth: float, *, aligned: bool = False) -> dict[str, Curve]:
    """Norm from 25 and sum of squares by steps at right angles, or along it, at falling rates."""
    rates = np.sqrt(100 / np.maximum(np.arange(N_STEPS) + 1, 100))
    summed = np.concatenate([[0], np.cumsum(rates if aligned else rates**2)])
    squares = growth * summed / summed[-1]
    norms = 25 * np.exp(squares / 100) if aligned else np.sqrt(25**2 + squares)
    steps = range(0, N_STEPS + 1, 100)
    return {
        NORM: through({t: float(norms[t]) for t in steps}),
        SUMS[0]: through({t: float(squares[t]) for t in steps}),
    }


DOWN_AND_UP = through({0: 25, 1000: 24, 2000: 40})
JUMP = through({0: 25, 1000: 25, 1100: 40, 2000: 40})
ENDS = dict(zip(DECAYS, (40.0, 39.5, 38.0, 27.0, 20.0), strict=True))
"""Norm at the end by decay; on logarithms the threshold is 1.33."""


def cell(growth: float, summed: float) -> dict[str, Curve]:
    """A cell of the grid whose squared norm grows, and whose sums say that it does by as much."""
    norms = {t: float(np.sqrt(25**2 + growth * t / N_GRID_STEPS)) for t in range(0, 301, 50)}
    return {NORM: through(norms), SUMS[0]: steady(60), SUMS[1]: steady(summed - 60)}


def grid_growth(name: str) -> float:
    return 50.0 if GRID[name][1] <= 0.1 else -50.0


def of_heads(n_mean: float = 10, leak: float = 0) -> dict[str, Curve]:
    found = {}
    for layer, head in HEADS:
        found[f"attn/n_mean/{layer}/{head}"] = steady(n_mean)
        found[f"attn/leak/{layer}"] = steady(leak)
        for kind, n in (("argmax", 2), ("mean", 1), ("mixed", 1)):
            found[f"attn/num_{kind}/{layer}"] = steady(n)
    return found


SATURATING: dict[str, Curve] = {
    NORM: power(25, 40),
    SATURATION: power(0.1, 0.9),
    "loss/test": through({0: 7.0, 2000: 4.2}),
    "loss/unigram/test": steady(5.0),
}

PUBLISHED: dict[str, Readings] = {
    "NG-C1": {name: {NORM: power(25, 26 if name == "post_ln" else 40)} for name in PLACEMENTS},
    "NG-C2": {name: {NORM: power(25, 40)} for name in ("sublayer_ln", "pre_ln")},
    "NG-C3": {
        CONSTANT: {NORM: power(25, 40)},
        FALLING: {NORM: power(25, 30, p=0.3)},
        SGD: {NORM: power(25, 25.1)},
    },
    "NG-C4": {name: {COSINE: through({100: 0.8, 2000: 0.99})} for name in PLACEMENTS},
    "NG-C5": {
        "sublayer_ln": {
            "align/theta_delta/encoder": steady(-0.03),
            "norm/misaligned_share/encoder": steady(0.9),
        },
        FALLING: misaligned(300),
    },
    "NG-C6": {f"decay {x:g}": {NORM: power(25, end)} for x, end in ENDS.items()},
    "NG-C7": dict.fromkeys(PLACEMENTS, SATURATING),
    "NG-C8": dict.fromkeys(PLACEMENTS, of_heads()),
    "NG-C9": {
        name: {"acc/test": steady(0.99), LONGER: steady(0.95), "acc/tosses/500/test": steady(0.8)}
        for name in ("none", "learned")
    },
    "NG-C10": {name: cell(grid_growth(name), grid_growth(name)) for name in GRID},
}
PUBLISHED["NG-C6"]["decay 0"]["norm/decay_threshold/encoder"] = steady(1.0)  # type: ignore[index]

BROKEN: dict[str, Sequence[Change | list[Change]]] = {
    "NG-C1": [
        *((name, NORM, power(25, 27)) for name in ("sublayer_ln", "pre_ln")),
        *((name, NORM, DOWN_AND_UP) for name in ("sublayer_ln", "pre_ln")),
        ("post_ln", NORM, steady(25)),
    ],
    "NG-C2": [
        ("sublayer_ln", NORM, JUMP),
        ("sublayer_ln", NORM, power(25, 40, p=1.0)),
        ("sublayer_ln", NORM, power(25, 40, p=0.15)),
    ],
    "NG-C3": [
        (FALLING, NORM, power(25, 41, p=0.3)),
        (FALLING, NORM, power(25, 30, p=0.9)),
        (SGD, NORM, power(25, 25.6)),
    ],
    "NG-C4": [
        *((name, COSINE, through({100: 0.99, 2000: 0.98})) for name in ("sublayer_ln", "pre_ln")),
        *((name, COSINE, through({100: 0.8, 2000: 0.96})) for name in ("sublayer_ln", "pre_ln")),
    ],
    "NG-C5": [
        ("sublayer_ln", "align/theta_delta/encoder", steady(-0.25)),
        ("sublayer_ln", "norm/misaligned_share/encoder", steady(0.2)),
        ("sublayer_ln", "norm/misaligned_share/encoder", steady(3.5)),
        [(FALLING, key, curve) for key, curve in misaligned(50, aligned=True).items()],
    ],
    "NG-C6": [
        ("decay 0.1", NORM, power(25, 39.7)),
        ("decay 0", NORM, power(25, 24)),
        ("decay 0.01", NORM, power(25, 24)),
        ("decay 3", NORM, power(25, 25.5)),
        ("decay 0", "norm/decay_threshold/encoder", steady(0.4)),
        ("decay 0", "norm/decay_threshold/encoder", steady(4.2)),
    ],
    "NG-C7": [
        ("pre_ln", SATURATION, power(0.1, 0.15)),
        ("pre_ln", SATURATION, through({0: 0.1, 200: 0.9, 2000: 0.3})),
    ],
    "NG-C8": [
        *((name, "attn/n_mean/1/2", steady(33.0)) for name in PLACEMENTS),
        *((name, "attn/leak/1", steady(1e-9)) for name in PLACEMENTS),
    ],
    "NG-C9": [("none", "acc/test", steady(0.94)), ("none", LONGER, steady(0.89))],
    "NG-C10": [
        [(name, SUMS[1], steady(0 if grid_growth(name) < 0 else -200)) for name in list(GRID)[:2]]
    ],
}
"""Together they break every part of each criterion."""


def is_judged(id: str, arm: str, key: str) -> bool:
    """Whether a reading enters the criterion and is not shown alone.

    Of cells and heads that are treated alike, some stand for all.
    """
    if id in ("NG-C4", "NG-C7") and arm == "post_ln":
        return False
    if id == "NG-C7" and arm == "sublayer_ln":
        return False
    if id == "NG-C2":
        return arm == "sublayer_ln"
    if id == "NG-C9":
        return arm == "none" and key != "acc/tosses/500/test"
    if id == "NG-C10":
        return arm in list(GRID)[::12]
    return id != "NG-C8" or key in ("attn/n_mean/1/2", "attn/leak/1")
