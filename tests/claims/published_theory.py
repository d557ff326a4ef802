"""Readings of the claims' runs as Liu et al. 2022 publish them, and of the checks of the theory.

Steps of the diagrams are those of the released arrays, which the package holds as tables, and
sizes of the training set those of the stored runs of figures 3 and 4b. Of the rest the published
texts are followed; maps that were not stored, and numbers between, are invented.
"""

import numpy as np

from grok.claims.effective_theory.competition import CELLS
from grok.claims.effective_theory.phase_counts import COUNTS, PHASES
from grok.claims.effective_theory.published import published_table
from tests.claims.store import Curve, Readings, Spread, each, rises, steady, through

RATES = {f"{lr:.2g}": lr for lr in 10 ** np.linspace(-4, -2, 6)}
"""Rates of the decoder in the map of ``ET-C9``."""
SIX = {f"{lr:.2g}": lr for lr in 10 ** np.linspace(-4, -3, 6)}
FAST = {f"{lr:.2g}": lr for lr in 10 ** np.linspace(-4.5, -3, 7)}


def steps(panel: str, row: float, column: float) -> tuple[int | None, int | None]:
    """Updates to training and validation accuracy 0.9 at a cell of a published diagram."""
    table = published_table(panel)
    place = (
        int(np.abs(table.rows / row - 1).argmin()) if row else 0,
        int(np.abs(table.columns / column - 1).argmin()),
    )
    T_tr, T_va = int(table.T_tr[place]), int(table.T_va[place])
    # The arrays count from 0, and training accuracy is read after its update.
    return None if T_tr < 0 else T_tr + 1, None if T_va < 0 else T_va


def cell(panel: str, row: float, column: float) -> dict[str, Curve]:
    train, test = steps(panel, row, column)
    return {"acc/train": rises(train), "acc/test": rises(test)}


def test_of(panel: str, row: float, column: float) -> dict[str, Curve]:
    return {"acc/test": rises(steps(panel, row, column)[1])}


def generalises(name: str) -> bool:
    """Whether figure 6a has a cell of ``CELLS`` reach both accuracies within 10,000 steps."""
    return (steps("fig6a", *CELLS[name])[1] or 100_000) <= 10_000


# Figures 3 and 4b, stored runs: by size and seed the numbers of right answers that the
# parallelograms predict and that were measured, of 55, and the step of RQI above 0.95.
SIZES: dict[int, tuple[tuple[int, int, int | None], ...]] = {
    5: ((5, 7, None), (5, 6, None), (6, 8, None)),
    10: ((11, 12, None), (14, 15, None), (12, 14, None)),
    15: ((15, 15, None), (15, 17, None), (21, 24, None)),
    20: ((25, 25, None), (20, 20, None), (25, 32, None)),
    25: ((26, 27, None), (30, 29, None), (50, 50, 2553)),
    30: ((39, 39, None), (31, 31, None), (51, 51, 739)),
    35: ((42, 42, None), (41, 41, None), (54, 54, 1171)),
    40: ((50, 50, 867), (42, 43, None), (55, 55, 943)),
    45: ((50, 50, 833), (55, 55, 1071), (55, 55, 887)),
    50: ((54, 53, 1011), (55, 53, 1272), (55, 54, 977)),
    54: ((55, 51, 1033), (55, 53, 1086), (55, 54, 850)),
}


def by_seed(values: tuple[Spread, Spread, Spread]) -> Spread:
    """Values of seeds 0, 1 and 2 as a store gives them out: middle seed, least, largest."""
    first, second, third = values
    return second, first, third  # type: ignore[return-value]


def size_of(n: int, column: int) -> Curve:
    values = tuple(row[column] for row in SIZES[n])
    return through({0: by_seed(tuple(x / 55 for x in values))})  # type: ignore


PUBLISHED: dict[str, Readings] = {
    "ET-B1": {
        "run": {
            "loss/train": through({0: 0.98127, 2000: 1e-4}),
            "acc/train": through({0: 2 / 45, 1120: 0.85, 1130: 41 / 45, 2000: 1.0}),
            "acc/test": through({0: 0.2, 1520: 0.8, 1530: 0.9, 2000: 1.0}),
            "repr/rqi": through({0: 1 / 70, 790: 0.8, 800: 67 / 70, 1000: 1.0}),
        }
    },
    "ET-B2": {"runs": {"repr/rqi": rises(800), "acc/test": rises((1530, 1400, None))}},
    "ET-B3": {
        "two dimensions": {
            "acc/train": steady(1.0),
            "acc/test": steady(0.5),
            "repr/rqi": steady(0.40),
        }
    },
    "ET-B4": {
        name: cell("fig6b", 0.0, lr)
        for name, lr in (("1e-4", 1e-4), ("2.5e-4", 2.51e-4), ("4e-4", 3.98e-4))
    },
    "ET-C1": {name: cell("fig6a", *rates) for name, rates in CELLS.items()},
    "ET-C2": {name: test_of("fig6a", 1e-2, lr) for name, lr in FAST.items()},
    "ET-C3a": {f"decay {x:g}": test_of("fig6b", x, 1e-4) for x in (0.0, 2.0, 4.0, 6.0)},
    "ET-C3b": {f"decay {x:g}": test_of("fig6c", x, 1e-4) for x in (0.0, 4.0, 8.0)},
    "ET-C4": {
        f"{kind} {name}": test_of(panel, 0.0, lr)
        for kind, panel in (("regression", "fig6b"), ("classification", "fig6c"))
        for name, lr in SIX.items()
    },
    "ET-C5": {
        f"{n} pairs": {"repr/predicted_acc": size_of(n, 0), "repr/acc": size_of(n, 1)}
        for n in SIZES
    },
    "ET-C6": each(
        "repr/rqi",
        {f"{n} pairs": rises(by_seed(tuple(x[2] for x in SIZES[n]))) for n in SIZES},  # type: ignore
    ),
    "ET-C7": {
        name: cell("fig6a", *rates) | {"repr/rqi": steady(1.0 if generalises(name) else 0.5)}
        for name, rates in CELLS.items()
    },
    "ET-C8": {  # of one seed; with ReLU never, at an invented step of training
        "tanh": {"acc/test": rises(2076)},
        "relu": {"acc/train": rises(700), "acc/test": rises(None)},
    },
    "ET-C9": {
        **{f"{name}, decay 0": cell("fig6b", 0.0, lr) for name, lr in RATES.items()},
        **{f"{name}, decay 6": cell("fig6b", 6.0, RATES[name]) for name in ("0.0001", "0.01")},
    },
    "ET-C10": each("acc/test", {"scale 0.1": rises(900), "scale 3.0": rises((2500, 900, None))}),
    "ET-C11": each("acc/test", {"batch 5": rises(2600), "batch 45": rises(1530)}),
    "ET-D1": {
        "12 pairs": {
            "acc/test": rises(None),
            "repr/acc": steady(0.5),
            "repr/predicted_acc": steady(0.4),
        },
        "24 pairs": {
            "acc/train": steady(1.0),
            "acc/test": rises((3000, 900, None)),
            "repr/acc": steady(0.95),
            "repr/predicted_acc": steady(0.95),
        },
        "28 pairs": {
            "acc/test": rises(800),
            "repr/acc": steady(1.0),
            "repr/predicted_acc": steady(1.0),
        },
    },
    "ET-D2": {
        "decay 0.03": {"acc/train": rises(14), "acc/test": rises(5000)},
        "decay 5": {"acc/train": rises(43), "acc/test": rises(120)},
    },
    "ET-D3": {
        "decay 0.03": {
            "acc/train": rises(14),
            "acc/test": rises(5000),
            "repr/effective_dim": through({0: 45.0, 500: 50.0, 10_000: 12.0}),
            "repr/top2_share": through({0: 0.08, 4000: 0.1, 10_000: 0.5}),
        }
    },
    "ET-D4": {
        "dropout 0.0": {"acc/train": rises(300), "acc/test": rises((3000, 2500, None))},
        "dropout 0.4": {"acc/train": rises(400), "acc/test": rises((900, 800, 1000))},
    },
}
"""Readings with which each claim that needs runs holds."""

SYMBOLS = ("4", "5", "6", "8", "10", "12", "15", "20")
STEPS = ("1", "2", "3", "4")
DRAWS = ("0", "1", "2")
MAPS = ("fig6a", "fig6b", "fig6c", "fig6d")


def in_order(names: tuple[str, ...], *values: float) -> dict[str, float]:
    return {name: float(x) for name, x in zip(names, values, strict=True)}


UNIT: dict[str, dict[str, dict[str, float]]] = {
    "ET-A1": {
        "number": in_order(SYMBOLS, 3, 7, 13, 34, 70, 125, 252, 615),
        "rank": in_order(SYMBOLS, 2, 3, 4, 6, 8, 10, 13, 18),
        "eigenvalue": {p: 1e-15 for p in SYMBOLS if int(p) % 2 == 0},
    },
    "ET-A2": {
        "nullity": in_order(STEPS, 5, 4, 3, 2),
        "train": in_order(STEPS, 1, 2, 3, 5),
        "implied": in_order(STEPS, 1, 3, 7, 13),
        "right": in_order(STEPS, 2, 4, 6, 8),
    },
    "ET-A3": {
        "probability": {"16": 0.0065, "22": 0.442, "25": 0.804, "30": 0.977},
        "r_half": {"": 0.41},
    },
    "ET-A4": {  # the order alone is judged: neighbours lie so near that 1 more breaks it
        **{
            normalization: {str(n): n / 50 for n in range(25, 56, 5)}
            for normalization in ("sum", "mean")
        },
        "median": {"sum": 0.0, "mean": 0.0},
    },
    "ET-A5": {
        "norm": dict.fromkeys(DRAWS, 2e-7),
        "total": dict.fromkeys(DRAWS, 2e-15),
        "closed": dict.fromkeys(DRAWS, 4e-8),
        "slope": dict.fromkeys(DRAWS, 1.0),
    },
    # The paper's step is near 1,667; the last one that is allowed is the one that 1 more breaks.
    "ET-A6": {"distance": dict.fromkeys(("500", "1000", "2000"), 5e-4), "step": {"": 1750.0}},
    "ET-A7": {"share": {"": 0.367}},
    "ET-A8": {
        **{
            phase: {panel: float(counts[place]) for panel, counts in COUNTS.items()}
            for place, phase in enumerate(PHASES)
        },
        "differs": dict.fromkeys(MAPS, 0.0),
        "wrong": {"steps": 0.0, "shares": 0.0},
    },
}
"""Readings with which each claim of tier U holds."""
