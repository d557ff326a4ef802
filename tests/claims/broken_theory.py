"""Readings that break the claims of Liu et al. 2022, each part of a criterion at least once."""

from collections.abc import Sequence

from grok.claims.effective_theory.competition import DECODER_RATES, SIX
from tests.claims.published_theory import (
    BETWEEN,
    INVERSE,
    LETTERS,
    PLANE,
    PREDICTED,
    RQI,
    RUN,
    TEST,
    TRAIN,
    Change,
    reach,
    to_ten,
)
from tests.claims.store import Curve, Readings, Spread, crossing, each, rises, steady, through


def alone(arm: str, key: str, curve: Curve) -> list[Change]:
    return [(arm, key, curve)]


def late(arm: str, step: Spread, key: str = TEST) -> list[Change]:
    """Another step at which an arm reaches it."""
    return [(arm, key, rises(step))]


def all_of(readings: Readings) -> list[Change]:
    """Every curve as one change."""
    return [(arm, key, curve) for arm, curves in readings.items() for key, curve in curves.items()]


BROKEN: dict[str, Sequence[Change | list[Change]]] = {
    "ET-B1": [
        alone(RUN, "loss/train", through({0: 0.9815, 2000: 0.1})),
        alone(RUN, TRAIN, rises(1130, 3 / 45)),
        alone(RUN, TEST, rises(1530, 0.1)),
        alone(RUN, RQI, rises(810, 2 / 70)),
        *(alone(RUN, RQI, rises(t, 1 / 70)) for t in (690, 910)),
        *(alone(RUN, TRAIN, rises(t, 2 / 45)) for t in (990, 1270)),
        *(alone(RUN, TEST, rises(t, 0.2)) for t in (1370, 1690)),
        alone(RUN, TEST, rises(2500, 0.2)),
        alone(RUN, TEST, crossing(1530, 0.2, 0.9)),
        alone(RUN, TRAIN, crossing(1130, 2 / 45, 44 / 45)),
    ],
    "ET-B2": [late("runs", 1540, RQI)],
    "ET-B3": [
        alone(PLANE, TRAIN, steady(0.98)),
        alone(PLANE, TEST, steady(0.8)),
        alone(PLANE, RQI, steady(0.61)),
    ],
    "ET-B4": [
        *(late("1e-4", t, TRAIN) for t in (1560, 1740)),
        *(late("1e-4", t) for t in (1970, 2180)),
        *(late("2.5e-4", t, TRAIN) for t in (810, 900)),
        *(late("2.5e-4", t) for t in (870, 970)),
        *(late("4e-4", t, TRAIN) for t in (890, 990)),
        late("4e-4", 9000),
    ],
    "ET-C1": [
        late("0.01/0.0001", None),
        late(f"0.0001/{DECODER_RATES[0]:.2g}", 600),
        [change for name in BETWEEN[:5] for change in all_of(reach(name, None, None))],
    ],
    "ET-C2": [
        [(name, TEST, rises(1000)) for name in INVERSE],
        [(name, TEST, rises(to_ten(1e-3 * lr**-1.5))) for name, lr in INVERSE.items()],
    ],
    "ET-C3a": [late("decay 2", 4000), late("decay 6", 4000)],
    "ET-C3b": [late("decay 4", 1300), late("decay 8", 2600)],
    "ET-C4": [late(f"regression {SIX[3]:.2g}", 900)],
    "ET-C5": [
        all_of(each("repr/predicted_acc", {f"{n} pairs": steady(0.3) for n in PREDICTED})),
        alone("45 pairs", "repr/acc", steady(0.7)),
        alone("25 pairs", "repr/predicted_acc", steady(1.0)),
    ],
    "ET-C6": [
        late("15 pairs", 500, RQI),
        late("45 pairs", (None, 840, 890), RQI),
        late("25 pairs", 500, RQI),
        late("30 pairs", 500, RQI),
    ],
    "ET-C7": [
        [(name, RQI, steady(0.9)) for name, x in LETTERS.items() if x in "CG"],
        [(name, RQI, steady(0.8)) for name, x in LETTERS.items() if x == "M"],
    ],
    "ET-C8": [
        late("tanh", 5010),
        late("relu", None, TRAIN),
        late("relu", 9000),
        alone("relu", TRAIN, crossing(900, 0.2, 0.98)),
    ],
    "ET-C9": [
        late("0.0016, decay 0", 1000),
        late("0.01, decay 6", 500, TRAIN),
        late("0.0001, decay 6", 5000),
        late("0.0001, decay 6", None),
    ],
    "ET-C10": [[*late("scale 0.1", None), *late("scale 3.0", 1500)]],
    "ET-C11": [late("batch 5", 1500)],
    "ET-D1": [
        late("24 pairs", None),
        late("28 pairs", None),
        [(f"{n} pairs", "repr/predicted_acc", steady(1.0)) for n in (12, 24)],
    ],
    "ET-D2": [
        late("decay 0.03", 60, TRAIN),
        *(late("decay 0.03", t) for t in (1400, None)),
        late("decay 5", 310),
        late("decay 5", 265),
    ],
    "ET-D3": [
        alone("decay 0.03", "repr/top2_share", steady(0.1)),
        alone("decay 0.03", "repr/effective_dim", through({0: 50, 3000: 52, 10_000: 42})),
    ],
    "ET-D4": [
        late("dropout 0.0", None, TRAIN),
        late("dropout 0.4", None, TRAIN),
        late("dropout 0.4", None),
        late("dropout 0.4", 2000),
    ],
    "ET-D5": [
        *(late("decay 0.1", t, TRAIN) for t in (450, 1550)),
        *(late("decay 0.1", t) for t in (4950, 15_050)),
        late("decay 2", 1500),
        late("alpha 1", 300),
    ],
    "ET-D6": [late("decay 1.0", 4000), late("decay 1.0", 300)],
    "ET-D7": [late("alpha 8, decay 0.1", 440), late("alpha 8, decay 1.0", 2100)],
}
"""For each claim: readings that break it, each list of changes on its own."""
