"""Readings of the claims' runs as Nanda et al. 2023 publish them, and readings that break each.

Numbers of the mainline run are those of its figures; curves of the smaller tasks, which the paper
does not have, are invented.
"""

from collections.abc import Sequence

from tests.claims.store import Curve, Readings, falls, merged, rises, steady, through

MAIN, SMALL, MEDIUM = "mainline", "small", "medium"
EXCLUDED = "hindsight/excluded/sum/train"
RESTRICTED = "hindsight/restricted/sum/all"
RESTRICTED_ACC = "hindsight/restricted_acc/all"

Change = tuple[str, str, Curve]


def of(arm: str, **curves: Curve) -> Readings:
    """Curves of one arm; ``__`` stands for ``/``."""
    return {arm: {key.replace("__", "/"): curve for key, curve in curves.items()}}


TEST_ACC = through(
    {0: 0.009, 1400: 0.075, 5000: 0.11, 7000: 0.16, 9000: 0.37, 9400: 0.5, 10_500: 0.99}
)
TEST_LOSS = through(
    {
        0: 4.76,
        200: 14.0,
        1400: 25.8,
        5000: 20.7,
        7000: 16.1,
        9000: 6.8,
        9400: 4.2,
        10_000: 0.6,
        11_000: 2e-3,
        14_000: 7.5e-7,
        20_000: 3.1e-7,
    }
)
SQUARED = through(
    {
        0: 1783,
        900: 3660,
        1400: 3400,
        3000: 2800,
        5000: 2600,
        7000: 2425,
        9000: 2110,
        9400: 2000,
        10_000: 1750,
        11_000: 1330,
        12_500: 1090,
        14_000: 996,
        20_000: 964,
        39_900: 955,
    }
)
EXCLUDED_CURVE = through(
    {
        0: 4.76,
        200: 1.4,
        1300: 0.311,
        3000: 0.6,
        5000: 1.5,
        7000: 4.3,
        9000: 10.3,
        10_300: 13.5,
        14_000: 6.2,
        20_000: 5.9,
    }
)
RESTRICTED_CURVE = through(
    {
        0: 4.75,
        200: 4.6,
        1400: 3.0,
        5000: 1.4,
        7000: 0.62,
        9000: 0.05,
        9400: 7e-3,
        10_000: 5e-5,
        11_000: 4e-7,
        12_500: 1.3e-8,
        14_000: 4.2e-8,
        20_000: 5.1e-8,
    }
)
RESTRICTED_ACC_CURVE = through(
    {0: 0.009, 200: 0.14, 1400: 0.46, 3000: 0.51, 7000: 0.66, 9000: 0.89, 9400: 0.96, 10_000: 1}
)
PHASES: Readings = {
    MAIN: {EXCLUDED: EXCLUDED_CURVE, "loss/test": TEST_LOSS, "norm/squared": SQUARED}
}
SMALL_PHASES: Readings = {
    SMALL: {
        EXCLUDED: through({0: 4.0, 300: 0.3, 1500: 9.0}),
        "loss/test": through({0: 4.0, 300: 15.0, 1500: 3.0, 1700: 1e-3}),
        "norm/squared": through({0: 1700, 300: 3000, 1500: 2000, 2500: 900}),
    }
}


def circuit(arm: str, p: int, keys: dict[int, Curve]) -> Readings:
    """Key frequencies, each with a coefficient of 5, the others with none."""
    found = {f"progress/key/{k}": keys.get(k, steady(0.0)) for k in range(1, p // 2 + 1)}
    return {arm: found | {f"progress/alpha/{k}": steady(5.0) for k in keys}}


KEYS = {k: steady(1.0) for k in (14, 35, 41, 42, 52)}


def ends(arm: str) -> dict[str, Readings]:
    """What the claims about the end of a run read, by number."""
    keys = circuit(arm, 113, KEYS)
    only_keys = {arm: {k: c for k, c in keys[arm].items() if "key" in k}}
    loss = of(arm, loss__all=steady(2.41e-7))
    return {
        "10": merged(
            only_keys, of(arm, progress__n_keys=steady(5), progress__power_in_keys=steady(0.995))
        ),
        "12": of(arm, progress__outside_keys=steady(0.0055), progress__rank_gap=steady(20.0)),
        "13": merged(
            keys,
            loss,
            of(
                arm,
                progress__fve__row_centred=steady(0.95),
                progress__restricted__cube__all=steady(4.7e-8),
            ),
        ),
        "14": of(arm, progress__neurons_over_85=steady(433)),
        "15": of(arm, progress__read_out_min=steady(0.932)),
        "16": merged(loss, of(arm, progress__restricted__sum__all=steady(5.54e-8))),
        "17": of(arm, ablation__A6=steady(5.27)),
        "18": {
            arm: {
                f"progress/attention_fve/{head}": steady(x)
                for head, x in enumerate((0.990, 0.985, 0.991, 0.979))
            }
        },
    }


PUBLISHED: dict[str, Readings] = {
    "PM-C1a": of(SMALL, acc__train=rises(93), acc__test=rises(1637)),
    "PM-C1b": of(MAIN, acc__train=rises(200), acc__test=TEST_ACC),
    "PM-C2": of(MAIN, loss__test=TEST_LOSS),
    "PM-C3": PHASES,
    "PM-C4a": {SMALL: {"acc/test": rises(1600), RESTRICTED_ACC: rises(900)}},
    "PM-C4b": {
        MAIN: {
            "acc/test": TEST_ACC,
            RESTRICTED_ACC: RESTRICTED_ACC_CURVE,
            "loss/test": TEST_LOSS,
            RESTRICTED: RESTRICTED_CURVE,
        }
    },
    "PM-C5": {MAIN: {EXCLUDED: EXCLUDED_CURVE}},
    "PM-C6": merged(PHASES, {MAIN: {RESTRICTED_ACC: RESTRICTED_ACC_CURVE, "acc/test": TEST_ACC}}),
    "PM-C7a": SMALL_PHASES,
    "PM-C7b": PHASES,
    "PM-C8": PHASES,
    "PM-C9": merged(
        PHASES,
        {
            MAIN: {
                "progress/gini/W_E": through({0: 0.1, 9400: 0.3, 14_000: 0.7}),
                "progress/gini/W_L": through({0: 0.2, 9400: 0.4, 14_000: 0.85}),
            }
        },
    ),
    **{f"PM-C{n}a": readings for n, readings in ends(MEDIUM).items()},
    **{f"PM-C{n}b": readings for n, readings in ends(MAIN).items()},
    "PM-C11": {
        SMALL: {
            key: curve
            for key, curve in circuit(
                SMALL, 53, {5: through({0: (1, 0, 1)}), 17: through({0: (0, 1, 1)}), 20: steady(1)}
            )[SMALL].items()
            if "key" in key
        }
    },
    "PM-C19": {
        "no decay": {
            "acc/test": through({0: 0.009, 10_000: 0.025}),
            EXCLUDED: through({0: 4.7, 1000: 0.3, 10_000: 0.4}),
        }
    },
    "PM-C20": {
        "0.5 of the pairs": {"acc/test": rises(800)},
        "0.4 of the pairs": {"acc/test": rises(2800)},
        "0.3 of the pairs": {"acc/test": rises(None)},
    },
    "PM-C21": {
        f"{fraction} of the pairs": {"loss/train": falls(120, 4.7), "loss/test": falls(170, 5.0)}
        for fraction in ("0.8", "0.9")
    },
    "PM-C22": {
        "decay 3": {"acc/test": rises(700)},
        "decay 1": {"acc/test": rises(1637)},
        "decay 0.3": {"acc/test": rises(None)},
    },
    "PM-C23": of(
        MAIN, margin__mean=steady(17.1), loss__train=steady(9.94e-8), norm__squared=steady(955)
    ),
    "PM-C24": {
        dtype: PHASES[MAIN]
        | {"loss/train": through({0: 4.7, 1400: 4e-7, 14_000: 1e-7, 29_900: 1e-7, 30_000: last})}
        for dtype, last in (("float64", 1e-7), ("float32", 1e-2))
    },
}
"""Readings with which each claim that needs runs holds."""


def _end_breaks(arm: str) -> dict[str, Sequence[Change | list[Change]]]:
    def alone(key: str, value: float) -> Change:
        return arm, key, steady(value)

    return {
        "10": [
            alone("progress/n_keys", 1),
            alone("progress/n_keys", 10),
            alone("progress/power_in_keys", 0.96),
        ],
        "12": [alone("progress/outside_keys", 0.13), alone("progress/rank_gap", 4.9)],
        "13": [
            alone("progress/fve/row_centred", 0.92),
            alone("progress/alpha/41", -0.1),
            alone("progress/restricted/cube/all", 2.5e-7),
        ],
        "14": [alone("progress/neurons_over_85", 307)],
        "15": [alone("progress/read_out_min", 0.84)],
        "16": [alone("progress/restricted/sum/all", 2.5e-7)],
        "17": [alone("ablation/A6", 3.7)],
        "18": [[alone(f"progress/attention_fve/{head}", 0.84) for head in (0, 1, 2)]],
    }


BROKEN: dict[str, Sequence[Change | list[Change]]] = {
    "PM-C1a": [
        (SMALL, "acc/train", rises(310)),
        (SMALL, "acc/test", rises(450)),
        (SMALL, "acc/test", rises(None)),
    ],
    "PM-C1b": [
        (MAIN, "acc/train", rises(310)),
        (MAIN, "acc/test", rises(1900)),
        (MAIN, "acc/test", rises(None)),
    ],
    "PM-C2": [(MAIN, "loss/test", through({0: 4.7, 1400: 14.1, 10_000: 0.1}))],
    "PM-C3": [
        (MAIN, EXCLUDED, through({0: 4.7, 700: 0.3, 5000: 6.0})),
        (MAIN, EXCLUDED, through({0: 4.7, 1700: 0.3, 5000: 6.0})),
    ],
    "PM-C4a": [(SMALL, RESTRICTED_ACC, rises(1600))],
    "PM-C4b": [
        (MAIN, RESTRICTED_ACC, through({0: 0.0, 8900: 0.5, 9000: 1.0})),
        (MAIN, RESTRICTED, through({0: 4.7, 14_000: 1e-6, 20_000: 4e-7})),
    ],
    "PM-C5": [
        (MAIN, EXCLUDED, through({0: 4.7, 1300: 1.1, 10_000: 13.0, 20_000: 6.0})),
        (MAIN, EXCLUDED, through({0: 4.7, 1300: 0.3, 10_000: 4.6, 20_000: 4.5})),
        (MAIN, EXCLUDED, through({0: 4.7, 1300: 0.3, 10_000: 13.0, 20_000: 4.5})),
    ],
    "PM-C6": [
        (MAIN, RESTRICTED_ACC, steady(0.89)),
        (MAIN, "acc/test", steady(0.61)),
    ],
    "PM-C7a": [
        (SMALL, EXCLUDED, through({0: 4.0, 1500: 9.0, 3000: 0.1})),
        (SMALL, "norm/squared", through({0: 1700, 300: 3000, 1000: 900})),
        (SMALL, "loss/test", through({0: 4.0, 300: 15.0})),
    ],
    "PM-C7b": [
        (MAIN, EXCLUDED, through({0: 4.0, 1500: 9.0, 15_000: 0.1})),
        (MAIN, "norm/squared", through({0: 1700, 300: 3000, 1000: 900})),
        (MAIN, "loss/test", through({0: 4.0, 300: 15.0})),
    ],
    "PM-C8": [
        (MAIN, "norm/squared", through({0: 2500, 900: 3660, 9400: 2000, 13_000: 960})),
        (MAIN, "norm/squared", through({0: 1783, 900: 3660, 9400: 3600, 13_000: 1500})),
        (MAIN, "norm/squared", through({0: 1783, 900: 3660, 20_000: 960})),
    ],
    "PM-C9": [
        (MAIN, "progress/gini/W_E", through({0: 0.1, 9400: 0.3, 14_000: 0.54})),
        (MAIN, "progress/gini/W_L", through({0: 0.2, 9400: 0.4, 14_000: 0.67})),
        (MAIN, "progress/gini/W_E", through({0: 0.1, 9400: 0.6, 14_000: 0.7})),
        (MAIN, "progress/gini/W_L", through({0: 0.2, 9400: 0.8, 14_000: 0.85})),
    ],
    **{f"PM-C{n}a": broken for n, broken in _end_breaks(MEDIUM).items()},
    **{f"PM-C{n}b": broken for n, broken in _end_breaks(MAIN).items()},
    "PM-C11": [
        [(SMALL, "progress/key/5", steady(1.0)), (SMALL, "progress/key/17", steady(1.0))],
        [(SMALL, f"progress/key/{k}", steady(0.0)) for k in (5, 17, 20)],
    ],
    "PM-C19": [
        ("no decay", "acc/test", steady(0.21)),
        ("no decay", EXCLUDED, through({0: 4.7, 1000: 0.3, 10_000: 0.7})),
    ],
    "PM-C20": [("0.4 of the pairs", "acc/test", rises(700))],
    "PM-C21": [
        (f"{fraction} of the pairs", "loss/test", falls(240, 5.0)) for fraction in ("0.8", "0.9")
    ],
    "PM-C22": [("decay 3", "acc/test", rises(1700))],
    "PM-C23": [
        (MAIN, "margin/mean", steady(17.6)),
        (MAIN, "margin/mean", steady(16.6)),
        (MAIN, "loss/train", steady(1.1e-7)),
        (MAIN, "loss/train", steady(0.8e-7)),
        (MAIN, "norm/squared", steady(1001)),
        (MAIN, "norm/squared", steady(829)),
    ],
    "PM-C24": [
        ("float64", "loss/train", through({0: 4.7, 1400: 4e-7, 29_900: 1e-7, 30_000: 1e-2})),
        ("float32", "loss/train", through({0: 4.7, 1400: 4e-7, 14_000: 1e-7})),
    ],
}
"""For each claim: readings that break it, each list of changes on its own."""

UNIT: dict[str, dict[str, dict[str, float]]] = {
    "PM-U1": {"identity": {"23": 1e-15}, "rows": {"23": 1e-14}},
    "PM-U2": {
        **{name: {"23": 1e-14} for name in ("alpha", "share", "restricted", "excluded")},
        "wrong_keys": {"23": 0.0},
    },
    "PM-U3": {"sum": {"23": 1e-14}, "block2x2": {"23": 1.5}},
    "PM-U4": {name: {"": 0.0} for name in ("equal", "single", "scale")},
    "PM-U5": {"difference": {"sum/23": 1e-15}},
    "PM-U6": {"shift": {"23": 1e-15}, "multiply": {"23": 1e-15}},
    "PM-U7": {"float64": {"": 1e-6}, "float32": {"": 0.0}},
    "PM-U8": {"difference": {"grok/23": 0.0}},
}
"""Readings with which each claim of tier U holds."""
