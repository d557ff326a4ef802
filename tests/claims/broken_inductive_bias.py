"""Readings that break each part of the criteria of Singh et al. 2026."""

from collections.abc import Sequence

from tests.claims.published import ALPHAS, DECAYS, OFF, RANK, SR
from tests.claims.store import Curve, falls, rises, steady, through

Change = tuple[str, str, Curve]
NEVER = rises(None)


def acc(arm: str, curve: Curve) -> Change:
    return arm, "acc/test", curve


def loss(arm: str, curve: Curve) -> Change:
    return arm, "loss/test", curve


EARLY = [
    acc("M", rises(1025)),
    acc("M", through({900: 0.2, 901: 0.97, 1300: 0.97})),
    acc(OFF, steady(0.33)),
    loss(OFF, steady(17.0)),
]
SHORTCUT_FALLS = [
    (OFF, SR, through({0: 4.7, 800: 6.1, 4000: 4.5, 10_000: 4.5})),
    acc(OFF, rises(600)),
    loss(OFF, through({0: 4.7, 1000: 0.01, 10_000: 20.0})),
]


def alphas(values: tuple[int | None, ...], rule: str) -> list[Change]:
    return [acc(f"{rule}/{a}", rises(x)) for a, x in zip(ALPHAS, values, strict=True)]


# For each claim: readings that break it, each list of changes on its own. Together they break
# every part of its criterion.
BROKEN: dict[str, Sequence[Change | list[Change]]] = {
    "IB-10": [(name, "acc/train", NEVER) for name in (OFF, "A*", "M+A*", "M", "A^v")],
    "IB-11": EARLY,
    "IB-12": [acc("A*", steady(0.36))],
    "IB-13a": [acc("M+A*", steady(0.41))],
    "IB-13b": [acc("M+A*", rises(1650)), acc("M+A*", rises(4225)), acc("M+A*", NEVER)],
    "IB-14a": [loss("A^v", falls(None)), loss("A^qk", steady(14.9))],
    "IB-14b": [loss("A^qk", through({0: 4.7, 9999: 16.0, 10_000: 0.01}))],
    "IB-15": [
        acc("M", rises(1800)),
        acc("A*", NEVER),
        [acc("M", rises(1700)), acc(OFF, rises(6700)), acc("A*", rises(6600))],
        acc("M+A*", rises(1750)),
        acc("M+A*", rises(6000)),
        acc(OFF, NEVER),
    ],
    "IB-16a": [("M", "loss/train", falls(330)), ("A*", "loss/train", falls(220))],
    "IB-16b": [acc("A*", rises(3900)), acc("M+A*", NEVER)],
    "IB-17": [
        acc("M", rises(1050)),
        acc("M+A*", rises(250)),
        acc("A^v", rises(2050)),
        acc("A^qk", rises(1950)),
    ],
    "IB-18": [
        (OFF, "loss/train", through({0: 4.7, 200: 2.6, 300: 9e-5})),
        (OFF, SR, through({200: 4.1, 2000: 5.5})),
        (OFF, "loss/train", through({0: 4.7, 200: 0.1, 1000: 1.1e-4})),
        (OFF, SR, through({200: 3.0, 2000: 4.9})),
        ("M", SR, steady(4.0)),
    ],
    "IB-19a": SHORTCUT_FALLS,
    "IB-19b": SHORTCUT_FALLS,
    "IB-20": [
        ("A^qk", "attn/entropy/0", steady(0.73)),
        (OFF, "attn/entropy/0", steady(0.74)),
        (OFF, "attn/entropy/0", steady(0.96)),
        [(OFF, "attn/entropy/0", steady(0.80)), ("A^qk", "attn/entropy/0", steady(0.70))],
        ("M", "attn/entropy/0", steady(1.08)),
        ("A^v", "attn/entropy/0", steady(0.91)),
    ],
    "IB-21a": [("M", "fourier/c", steady(0.99)), (OFF, "fourier/c", steady(0.46))],
    "IB-21b": [
        ("A*", "fourier/c", steady(0.9)),
        *((name, "fourier/c", through({2500: 1.3, 10_000: 1.4})) for name in (OFF, "M+A*", "M")),
    ],
    "IB-22a": [
        ("3.0e-3", "norm/delta/all", steady(1.4)),
        ("1.0e-2", "norm/delta/all", steady(1.18)),
    ],
    "IB-22b": [acc("1.0e-2", rises(5700)), acc("5.0e-3", rises(8500))],
    "IB-23a": [loss("0.5", steady(41.0))],
    "IB-23b": [
        *(
            loss(name, through({0: 46.0, 9999: 46.0, 10_000: 1.0}))
            for name in ("0.1", "0.2", "0.5")
        ),
        acc("1.5", rises(8000)),
        acc("0.75", rises(7000)),
        loss("1.0", steady(30.0)),
    ],
    "IB-24": [
        loss("0.5", steady(0.06)),
        loss("1.0", steady(17.9)),
        loss("1.5", steady(19.9)),
        ("0.5, 50 steps", "norm/delta/all", steady(0.72)),
    ],
    "IB-25a": [("0.5", "norm/delta/all", steady(0.45))],
    "IB-25b": [loss("1.0", steady(7.1)), loss("0.5", steady(10.5))],
    "IB-25c": [loss("1.0", steady(4.5)), loss("0.5", steady(7.9))],
    "IB-26a": [
        acc("inverse_square_readout/0.5", rises(7900)),
        alphas((9155, 7604, 5000, 5019, 8309), "constant"),
    ],
    "IB-26b": [
        acc("inverse_square_readout/0.5", rises(2500)),
        alphas((1200, 2800, 2000, 1600, 3600), "constant"),
    ],
    "IB-27a": [
        acc(f"eta_0/alpha^2, eta*lambda held/{alpha}", rises(step))
        for alpha, step in (("0.5", 3700), ("0.75", 1300), ("1.25", 3100), ("1.5", 1100))
    ],
    "IB-27b": [
        loss(f"tau = 1/{alpha}", through({0: 4.74, 199: 15.0, 200: 15.0 + 2e-5}))
        for alpha in ("0.5", "1.5")
    ],
    "IB-28a": [
        *(
            (f"{rule}, alpha = {alpha}", f"kernel/{name}_drift", steady(beyond))
            for name, beyond in (("sum", 9.9), ("trace", 0.9))
            for rule in ("constant", "inverse")
            for alpha in ALPHAS
        ),
        (OFF, RANK, through({200: 30.0, 1000: 32.9})),
        (OFF, "loss/train", through({0: 4.7, 200: 0.21, 400: 0.01})),
    ],
    "IB-28b": [(OFF, RANK, through({0: 1.8, 2000: 20.0, 10_000: 8.3}))],
    "IB-29a": [
        ("M", RANK, steady(21.0)),
        (OFF, RANK, steady(23.0)),
        (OFF, RANK, steady(46.0)),
        ("A*", RANK, steady(47.0)),
    ],
    "IB-29b": [
        ("M", RANK, through({200: 57.0, 5400: 9.7, 5600: 8.1})),
        ("A*", RANK, through({200: 54.0, 8000: 9.0, 8200: 8.2})),
    ],
    "IB-30": [
        *((name, RANK, steady(12.1 if float(name) >= 0.75 else 24.9)) for name in DECAYS),
        ("1.0", "compress/rank/test", steady(60.0)),
    ],
    "IB-31": [*EARLY, acc("A*", steady(0.36))],
    "IB-32": [loss("M+A*", falls(4300, after=0.9)), loss("A*", falls(None))],
    "IB-33": [
        acc("M", steady(0.34)),
        acc("M", steady(0.27)),
        ("M", "acc/test_mirrored", steady(0.89)),
        ("M", "acc/test_unmirrored", steady(0.11)),
    ],
}
