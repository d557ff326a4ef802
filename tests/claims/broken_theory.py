"""Readings that break each claim of Liu et al. 2022, each list of changes on its own."""

from collections.abc import Iterable, Sequence

from grok.claims.effective_theory.competition import CELLS
from tests.claims.published_theory import FAST, SIX, generalises
from tests.claims.store import Curve, Spread, rises, steady, through

Change = tuple[str, str, Curve]

NEVER = rises(None)
RATIO = {name: embed / decoder for name, (embed, decoder) in CELLS.items()}
HIGH = [name for name, ratio in RATIO.items() if ratio >= 20]
BETWEEN = [name for name, ratio in RATIO.items() if 2 < ratio < 20]
GENERALISING = [name for name in CELLS if generalises(name)]
MEMORIZING = [name for name in CELLS if not generalises(name)]


def train(arm: str, step: Spread) -> Change:
    return arm, "acc/train", rises(step)


def test(arm: str, step: Spread) -> Change:
    return arm, "acc/test", rises(step)


def rqi(arm: str, curve: Curve) -> Change:
    return arm, "repr/rqi", curve


def of_sizes(key: str, value: float, sizes: Iterable[int]) -> list[Change]:
    return [(f"{n} pairs", key, steady(value)) for n in sizes]


ONE_RUN: dict[str, Sequence[Change | list[Change]]] = {
    "ET-B1": [
        ("run", "loss/train", steady(0.98140)),
        ("run", "acc/train", through({0: 1 / 45, 1120: 0.85, 1130: 41 / 45, 2000: 1.0})),
        ("run", "acc/test", through({0: 0.3, 1520: 0.8, 1530: 0.9, 2000: 1.0})),
        rqi("run", through({0: 2 / 70, 790: 0.8, 800: 1.0})),
        rqi("run", through({0: 1 / 70, 680: 0.8, 690: 1.0})),
        rqi("run", through({0: 1 / 70, 900: 0.8, 910: 1.0})),
        ("run", "acc/train", through({0: 2 / 45, 980: 0.85, 990: 1.0})),
        ("run", "acc/train", through({0: 2 / 45, 1260: 0.85, 1270: 1.0})),
        ("run", "acc/test", through({0: 0.2, 1360: 0.8, 1370: 1.0})),
        ("run", "acc/test", through({0: 0.2, 1680: 0.8, 1690: 1.0})),
        # Comprehension up to a delay of 1000: a step of test that is too late for it is out of
        # bounds as well.
        ("run", "acc/test", through({0: 0.2, 2130: 0.8, 2140: 1.0})),
        ("run", "acc/train", through({0: 2 / 45, 1130: 0.95, 4990: 1.0, 5000: 44 / 45})),
        ("run", "acc/test", through({0: 0.2, 1520: 0.8, 1530: 0.9})),
    ],
    "ET-B2": [
        rqi("runs", rises(1600)),
        rqi("runs", NEVER),
        [rqi("runs", rises((800, None, None))), test("runs", (800, 1400, None))],
    ],
    "ET-B3": [
        ("two dimensions", "acc/train", steady(44 / 45)),
        ("two dimensions", "acc/test", steady(0.8)),
        rqi("two dimensions", steady(0.62)),
    ],
    "ET-B4": [
        train("1e-4", 1540),
        train("1e-4", 1750),
        test("1e-4", 1950),
        test("1e-4", 2190),
        train("2.5e-4", 800),
        train("2.5e-4", 910),
        test("2.5e-4", 860),
        test("2.5e-4", 980),
        train("4e-4", 880),
        train("4e-4", 1000),
        test("4e-4", 9990),
    ],
}

CELLS_BROKEN: dict[str, Sequence[Change | list[Change]]] = {
    "ET-C1": [
        *(test(name, None) for name in HIGH),
        test("0.0001/0.0001", 9000),
        [train(name, None) for name in BETWEEN] + [test(name, None) for name in BETWEEN],
    ],
    "ET-C2": [
        [test(name, 1500) for name in FAST],
        [test(name, int(50 * (1e-3 / lr) ** 1.5)) for name, lr in FAST.items()],
        test("0.001", None),
    ],
    "ET-C3a": [test("decay 2", 4000), test("decay 6", 4100), test("decay 4", None)],
    "ET-C3b": [test("decay 4", 11_000), test("decay 8", 2600), test("decay 0", None)],
    "ET-C4": [
        [test(f"classification {name}", None) for name, lr in SIX.items() if lr > 3e-4],
        test("regression 0.00063", 900),
        [test(f"classification {name}", None) for name in SIX],
    ],
    "ET-C5": [
        of_sizes("repr/predicted_acc", 0.9, (5, 10, 15, 20)),
        [("54 pairs", "repr/acc", steady(0.1)), ("50 pairs", "repr/acc", steady(0.1))],
        of_sizes("repr/acc", 43 / 55, (45,)),
        of_sizes("repr/predicted_acc", 53 / 55, (25,)),
    ],
    "ET-C6": [
        *(rqi(f"{n} pairs", rises((None, 900, None))) for n in (5, 10, 15, 20)),
        *(rqi(f"{n} pairs", rises((900, None, 900))) for n in (45, 50, 54)),
        [rqi("35 pairs", rises(900)), rqi("40 pairs", NEVER)],
        [rqi("30 pairs", rises(800)), rqi("45 pairs", rises(900))],
    ],
    "ET-C7": [
        [rqi(name, steady(0.94)) for name in GENERALISING],
        [rqi(name, steady(0.72)) for name in MEMORIZING],
        [test(name, None) for name in GENERALISING],
    ],
    "ET-C8": [
        test("tanh", 5000),
        test("tanh", (2076, 2000, None)),
        train("relu", (700, 700, None)),
        test("relu", (None, 9000, None)),
        ("relu", "acc/train", through({0: 0.2, 700: 1.0, 9990: 1.0, 10_000: 44 / 45})),
    ],
    "ET-C9": [
        test("0.0016, decay 0", 900),
        test("0.0001, decay 0", None),
        train("0.01, decay 0", None),
        train("0.01, decay 6", 900),
        test("0.01, decay 6", 900),
        test("0.0001, decay 6", 7900),
        test("0.0001, decay 6", None),
    ],
    "ET-C10": [test("scale 0.1", (None, 900, 900)), test("scale 0.1", None)],
    "ET-C11": [test("batch 5", 1530), test("batch 45", None)],
}

BEYOND: dict[str, Sequence[Change | list[Change]]] = {
    "ET-D1": [
        test("24 pairs", None),
        ("24 pairs", "acc/train", steady(23 / 24)),
        test("28 pairs", None),
        test("12 pairs", 2000),
        ("12 pairs", "repr/predicted_acc", steady(0.55)),
    ],
    "ET-D2": [
        train("decay 0.03", 55),
        test("decay 0.03", 1400),
        test("decay 0.03", None),
        train("decay 5", 20),
        [train("decay 5", 100), test("decay 5", 305)],
    ],
    "ET-D3": [
        ("decay 0.03", "repr/top2_share", through({0: 0.08, 10_000: 0.07})),
        ("decay 0.03", "repr/effective_dim", through({0: 45.0, 500: 50.0, 10_000: 41.0})),
        ("decay 0.03", "repr/effective_dim", through({0: 45.0, 500: 45.0, 10_000: 50.0})),
        train("decay 0.03", None),
    ],
    "ET-D4": [
        train("dropout 0.0", (300, 300, None)),
        train("dropout 0.4", (400, 400, None)),
        test("dropout 0.4", (None, 800, None)),
        test("dropout 0.4", 2000),
        test("dropout 0.0", 1000),
    ],
}

BROKEN = ONE_RUN | CELLS_BROKEN | BEYOND
"""Together they break every part of each criterion."""
