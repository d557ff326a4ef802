"""Readings of the claims' runs as Liu et al. 2022 publish them, and readings that break each.

Steps are those of the released arrays and scripts, to the ten steps between two readings; what is
not published is invented.
"""

from collections.abc import Iterable
from itertools import starmap

from grok.claims.effective_theory.competition import CELLS, SIX, SLOW_TO_FAST
from grok.claims.effective_theory.phase_counts import COUNTS, PHASES
from grok.claims.effective_theory.published import published_table
from grok.metrics.learning_phases import Phase, learning_phase
from tests.claims.store import (
    Curve,
    Readings,
    Spread,
    each,
    merged,
    rises,
    steady,
    through,
)

Change = tuple[str, str, Curve]
TRAIN, TEST, RQI = "acc/train", "acc/test", "repr/rqi"
RUN, PLANE = "run", "two dimensions"


def reach(arm: str, train: Spread, test: Spread) -> Readings:
    """Both accuracies of an arm, by the steps at which they are reached."""
    return {arm: {TRAIN: rises(train), TEST: rises(test)}}


def generalise(arms: Iterable[tuple[str, Spread]]) -> Readings:
    """Steps at which the test accuracy of several arms is reached."""
    return each(TEST, {arm: rises(step) for arm, step in arms})


def to_ten(step: float) -> int:
    return round(step / 10) * 10


def letter(embed: float, decoder: float) -> str:
    """Phase of a cell of figure 6a."""
    panel = published_table("fig6a")
    row, column = (
        min(range(len(axis)), key=lambda i, a=axis, r=rate: abs(a[i] / r - 1))
        for axis, rate in ((panel.rows, embed), (panel.columns, decoder))
    )
    return Phase(int(learning_phase(panel.T_tr, panel.T_va)[row, column])).letter


STEPS: dict[str, tuple[int | None, int | None]] = {
    "C": (500, 900),
    "G": (500, 2000),
    "M": (500, None),
    "X": (None, None),
}
"""Steps of training and test accuracy with which a cell is in a phase."""
LETTERS = {name: letter(*cell) for name, cell in CELLS.items()}
RATIO = {name: embed / decoder for name, (embed, decoder) in CELLS.items()}
BETWEEN = [name for name, ratio in RATIO.items() if 1.01 < ratio < 20]
DIAGRAM = merged(*(reach(name, *STEPS[x]) for name, x in LETTERS.items()))
QUALITY = each(RQI, {n: steady(0.99 if x in "CG" else 0.5) for n, x in LETTERS.items()})
INVERSE = {f"{lr:.2g}": lr for lr in SLOW_TO_FAST}
REGRESSION = [(f"regression {lr:.2g}", 900 if lr < 3e-4 else None) for lr in SIX]
CLASSES = [(f"classification {lr:.2g}", 900 if lr < 7e-4 else None) for lr in SIX]

FAST = ("0.00063", "0.0016", "0.004", "0.01")

# Released runs of figures 3 and 4b: right answers of 55 as predicted and as measured, and the step
# of RQI 0.95; for each the seeds 1, 0 and 2, which is the order of a Spread.
PREDICTED = {
    5: (5, 5, 6), 10: (14, 11, 12), 15: (15, 15, 21), 20: (20, 25, 25), 25: (30, 26, 50),
    30: (31, 39, 51), 35: (41, 42, 54), 40: (42, 50, 55), 45: (55, 50, 55), 50: (55, 54, 55),
    54: (55, 55, 55),
}  # fmt: skip
MEASURED = {
    5: (6, 7, 8), 10: (15, 12, 14), 15: (17, 15, 24), 20: (20, 25, 32), 25: (29, 27, 50),
    30: (31, 39, 51), 35: (41, 42, 54), 40: (43, 50, 55), 45: (55, 50, 55), 50: (53, 53, 54),
    54: (53, 51, 54),
}  # fmt: skip
FORMED: dict[int, tuple[int | None, int | None, int | None]] = {
    **dict.fromkeys((5, 10, 15, 20), (None, None, None)),
    25: (None, None, 2560), 30: (None, None, 740), 35: (None, None, 1180), 40: (None, 870, 950),
    45: (1080, 840, 890), 50: (1280, 1020, 980), 54: (1090, 1040, 850),
}  # fmt: skip


def sized(key: str, values: dict[int, tuple[int, int, int]]) -> Readings:
    """A share of the 55 pairs, by size of the training set."""
    curves = {n: steady((x / 55, y / 55, z / 55)) for n, (x, y, z) in values.items()}
    return each(key, {f"{n} pairs": curve for n, curve in curves.items()})


S3 = merged(
    reach("12 pairs", 300, None),
    *(reach(f"{n} pairs", 500, 2000) for n in (24, 28)),
    *(each(key, {f"{n} pairs": steady(x) for n in (12, 24, 28)})
      for key, x in (("repr/acc", 0.95), ("repr/predicted_acc", 0.9))),
)  # fmt: skip
SLOW = {"repr/top2_share": through({0: 0.05, 5000: 0.1, 10_000: 0.3}),
        "repr/effective_dim": through({0: 50, 3000: 52, 10_000: 30})}  # fmt: skip

PUBLISHED: dict[str, Readings] = {
    "ET-B1": {
        RUN: {
            "loss/train": through({0: 0.98127, 1000: 0.4304, 2000: 0.1018, 4000: 0.0027}),
            TRAIN: rises(1130, 2 / 45),
            TEST: rises(1530, 0.2),
            RQI: rises(810, 1 / 70),
        }
    },
    "ET-B2": {"runs": {RQI: rises(810), TEST: rises(1530)}},
    "ET-B3": {PLANE: {TRAIN: rises(850), TEST: steady(0.5), RQI: steady(0.4)}},
    "ET-B4": merged(
        reach("1e-4", 1650, 2080), reach("2.5e-4", 860, 930), reach("4e-4", 940, None)
    ),
    "ET-C1": DIAGRAM,
    "ET-C2": generalise((name, to_ten(0.2 / lr)) for name, lr in INVERSE.items()),
    "ET-C3a": generalise(
        {"decay 0": 2080, "decay 2": 2580, "decay 4": 3910, "decay 6": 9460}.items()
    ),
    "ET-C3b": generalise({"decay 0": 1310, "decay 4": 2250, "decay 8": 10_340}.items()),
    "ET-C4": generalise([*REGRESSION, *CLASSES]),
    "ET-C5": merged(sized("repr/acc", MEASURED), sized("repr/predicted_acc", PREDICTED)),
    "ET-C6": each(RQI, {f"{n} pairs": rises(step) for n, step in FORMED.items()}),
    "ET-C7": merged(DIAGRAM, QUALITY),
    "ET-C8": merged(reach("tanh", 1650, 2080), reach("relu", 900, None)),
    "ET-C9": merged(
        *starmap(reach, ((f"{lr}, decay 0", 900, 1200) for lr in ("0.0001", "0.00025"))),
        *starmap(reach, ((f"{lr}, decay 0", 900, None) for lr in FAST)),
        reach("0.01, decay 6", None, None),
        reach("0.0001, decay 6", 3990, 9460),
    ),
    "ET-C10": generalise([("scale 0.1", 1500), ("scale 3.0", None)]),
    "ET-C11": generalise([("batch 5", 2500), ("batch 45", 1500)]),
    "ET-D1": S3,
    "ET-D2": merged(reach("decay 0.03", 14, 5000), reach("decay 5", 43, 120)),
    "ET-D3": merged(reach("decay 0.03", 15, 5000), {"decay 0.03": SLOW}),
    "ET-D4": merged(reach("dropout 0.0", 200, 3000), reach("dropout 0.4", 500, 900)),
    "ET-D5": merged(
        reach("decay 0.1", 1000, 9950), reach("decay 2", 500, 800), reach("alpha 1", 50, 100)
    ),
    "ET-D6": merged(*(reach(f"decay {x}", 150, to_ten(95 / x) * 10) for x in (0.1, 0.46, 1.0))),
    "ET-D7": merged(
        reach("alpha 1", 50, 100),
        *starmap(
            reach,
            ((f"alpha 8, decay {x}", 300, t) for x, t in ((1.0, 600), (0.1, 2000), (0.01, None))),
        ),
    ),
}  # fmt: skip
"""Readings with which each claim that needs runs holds."""


COUNT = {"4": 3, "5": 7, "6": 13, "8": 34, "10": 70, "12": 125, "15": 252, "20": 615}
UNIT: dict[str, dict[str, dict[str, float]]] = {
    "ET-A1": {
        "number": {p: float(n) for p, n in COUNT.items()},
        "rank": {p: float(p) - 2 for p in COUNT},
        "eigenvalue": {"10": 1e-12},
    },
    "ET-A2": {
        name: {str(step): float(x) for step, x in enumerate(values, start=1)}
        for name, values in (
            ("nullity", (5, 4, 3, 2)),
            ("train", (1, 2, 3, 5)),
            ("implied", (1, 3, 7, 13)),
            ("right", (2, 4, 6, 8)),
        )
    },
    "ET-A3": {"probability": {"16": 0.0, "22": 0.45, "25": 0.8, "30": 0.98}, "r_half": {"": 0.41}},
    "ET-A4": {
        **{name: {str(n): n / 100 for n in range(25, 56, 5)} for name in ("sum", "mean")},
        "median": {"sum": 0.0, "mean": 0.0},
    },
    "ET-A5": {
        **{name: {"0": 1e-10} for name in ("norm", "total", "closed")},
        "slope": {"0": 1.0},
    },
    "ET-A6": {"distance": {"500": 1e-4}, "step": {"": 1750.0}},
    "ET-A7": {"share": {"": 0.36}},
    "ET-A8": {
        **{
            phase: {panel: float(counts[i]) for panel, counts in COUNTS.items()}
            for i, phase in enumerate(PHASES)
        },
        "differs": {"fig6a": 0.0},
        "wrong": {"steps": 0.0, "shares": 0.0},
    },
    "ET-D8": {
        name: {"456": value}
        for name, value in (("fall", 1e-4), ("apart", 0.05), ("descent", 1e-3), ("drift", 1e-6))
    },
}
"""Readings with which each claim of tier U holds."""
