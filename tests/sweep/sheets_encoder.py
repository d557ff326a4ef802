"""What the sweep files of the encoder of Liu et al. 2022, and those beside it, should hold."""

import math

from tests.sweep.sheets import Point, Sheet

# Released code, branch `prototype`, and the notebook behind figure 1.
ENCODER: Point = {
    "toy.operation": "add_mod",
    "toy.p": 59,
    "toy.pairs": "ordered",
    "toy.n_train": 2784,
    "toy.combine": "concat",
    "toy.decoder": "encoder",
    "toy.dim": 256,
    "toy.width": 128,
    "toy.act": "relu",
    "toy.embed_init": "normal",
    "toy.dropout": 0.05,
    "lr": 2e-4,
    "optim.embed_lr": 1e-3,
    "optim.embed_weight_decay": 0.01,
    "optim.betas": (0.9, 0.999),
    "n_steps": 20_000,
}
SMALL: Point = {k: v for k, v in ENCODER.items() if k not in ("lr", "toy.dropout")} | {
    "toy.p": 23,
    "toy.n_train": 423,
    "toy.dim": 64,
    "toy.width": 64,
    "n_steps": 5000,
}
FOUR: Point = {
    "toy.p": 4,
    "toy.n_train": 6,
    "optim.loss": "mse",
    "optim.embed_weight_decay": 0.0,
    "optim.betas": (0.9, 0.999),
    "weight_decay": 0.0,
    "n_steps": 5000,
}


def dropped(rates: list[float], **other: object) -> list[Point]:
    """The encoder at several rates of dropout, 0 being the default."""
    base = {k: v for k, v in (ENCODER | other).items() if k != "toy.dropout"}
    return [base | ({"toy.dropout": rate} if rate else {}) for rate in rates]


def phases() -> list[Point]:
    """15 rates from 1e-7 to 1e-1, 15 decays from e^-5 to e^4, three digits each."""
    rates = [float(f"{10 ** (-7 + 6 * k / 14):.3g}") for k in range(15)]
    decays = [float(f"{math.exp(-5 + 9 * k / 14):.3g}") for k in range(15)]
    stop = {"stop.when": "sustained", "stop.accuracy": 0.999, "stop.readings": 1}
    base = ENCODER | stop | {"n_steps": 100_000}
    return [base | {"lr": lr, "weight_decay": decay} for lr in rates for decay in decays]


def at_four() -> list[Point]:
    own = [
        ({"optim.embed_lr": embed} | ({"lr": lr} if lr != 1e-3 else {}))
        for embed in (1e-3, 1e-2)
        for lr in (1e-3, 1e-2)
    ]
    return [FOUR | each for each in own]


SHEETS: dict[str, Sheet] = {
    "encoder_dropout": Sheet(
        30, dropped([k / 18 for k in range(10)], **{"stop.when": "decided"}), (1, 2, 3)
    ),
    "encoder_dropout_small": Sheet(
        9, [SMALL | ({"toy.dropout": x} if x else {}) for x in (0.0, 0.2, 0.4)], (1, 2, 3)
    ),
    "encoder_dimension": Sheet(100, [ENCODER], tuple(range(1, 101))),
    "encoder_phases": Sheet(225, phases(), (1,)),
    "addition_four_rates": Sheet(40, at_four(), tuple(range(10))),
}
