"""What the sweep files of the toy networks of Liu et al. 2022, and phase diagrams, should hold."""

import itertools
from collections.abc import Iterable, Sequence

from tests.sweep.sheets import Point, Sheet

DEFAULT: Point = {
    "lr": 1e-3,
    "weight_decay": 1.0,
    "n_steps": 10_000,
    "optim.loss": "cross_entropy",
    "model.readout_scale": 1.0,
    "images.init_scale": 1.0,
    "images.n_train": 1000,
    "toy.embed_scale": 1.0,
    "toy.n_train": 45,
}
"""What is not told apart from a run without it."""
# Released training script, `toy/train_add.py`, and appendix G.
ADDITION: Point = {
    "lr": 1e-4,
    "weight_decay": 0.0,
    "optim.loss": "mse",
    "optim.embed_lr": 1e-3,
    "optim.embed_weight_decay": 0.0,
    "optim.betas": (0.9, 0.999),
}
# Released notebook `toy/Figure5d_permutation.ipynb`, and appendix H.
PERMUTATION: Point = ADDITION | {
    "toy.operation": "compose",
    "toy.group": "S3",
    "toy.pairs": "ordered",
    "toy.n_train": 24,
    "toy.combine": "product",
    "toy.dim": 9,
    "toy.embed_scale": 0.1,
    "toy.embed_l1": 1e-3,
}
# github.com/okitouni/simple-grokking.
CONCATENATION: Point = {
    "lr": 0.03,
    "optim.betas": (0.9, 0.999),
    "toy.operation": "add_mod",
    "toy.p": 53,
    "toy.pairs": "ordered",
    "toy.n_train": 1685,
    "toy.combine": "concat",
    "toy.dim": 128,
    "toy.embed_init": "normal",
    "toy.width": 128,
    "toy.depth": 1,
    "toy.act": "relu",
}
PUBLISHED: Point = {"toy.draw": "published"}
CLASSES: Point = {"optim.loss": "cross_entropy"}
DECIDED: Point = {"stop.when": "decided", "stop.accuracy": 0.9}
LONG: Point = {"n_steps": 100_000}


def told(point: Point) -> Point:
    """Without what is as by default."""
    return {key: value for key, value in point.items() if DEFAULT.get(key) != value}


def logarithmic(low: float, high: float, n: int) -> list[float]:
    """10^linspace(low, high, n), to the six digits of the files."""
    return [float(f"{10 ** (low + (high - low) * k / (n - 1)):.6g}") for k in range(n)]


def grid(
    base: Point, y: tuple[str, Iterable[float]], x: tuple[str, Sequence[float]]
) -> list[Point]:
    """Cells over two fields."""
    return [told(base | {y[0]: i, x[0]: j}) for i, j in itertools.product(y[1], x[1])]


LR13, LR16, LR10 = (("lr", logarithmic(-5, -2, n)) for n in (13, 16, 10))
LR11 = ("lr", logarithmic(-4, -2, 11))
FINE = ("lr", logarithmic(-3.6, -3.2, 11))
TENS = ("weight_decay", range(11))
S3_DECAYS = ("weight_decay", [0, 1, 2, 3, 5, 10, 20, 30, 50, 100, 200])
DIAGRAM = ADDITION | PUBLISHED | DECIDED | LONG
SHORT = DECIDED | {"n_steps": 10_000}
SCRIPT = ADDITION | DECIDED | LONG
P31 = DECIDED | {"data.p": 31, "data.train_fraction": 0.6}
SIX_DECAYS = ("weight_decay", [0.01, 0.1, 0.3, 1, 3, 10])


def rates(values: list[float]) -> tuple[str, list[float]]:
    return ("optim.embed_lr", values)


def sized(base: Point, sizes: Iterable[int], n_steps: int) -> list[Point]:
    return [told(base | {"toy.n_train": n, "n_steps": n_steps}) for n in sizes]


SHEETS: dict[str, Sheet] = {
    "addition_size": Sheet(33, sized(ADDITION, [*range(5, 55, 5), 54], 10_000), (0, 1, 2)),
    "concatenation_decay": Sheet(
        6, [told(CONCATENATION | {"weight_decay": x}) for x in (0.03, 5.0)], (0, 1, 2)
    ),
    "addition_regression_rates": Sheet(169, grid(DIAGRAM, rates(LR13[1]), LR13), (58,)),
    "addition_regression_decay": Sheet(176, grid(DIAGRAM, TENS, LR16), (58,)),
    "addition_regression_coarse": Sheet(121, grid(DIAGRAM, TENS, LR11), (58,)),
    "addition_regression_window": Sheet(
        121, grid(DIAGRAM, ("weight_decay", [6 + k / 5 for k in range(11)]), FINE), (58,)
    ),
    "addition_classification_decay": Sheet(
        176, grid(DIAGRAM | CLASSES, ("weight_decay", range(0, 21, 2)), LR16), (6,)
    ),
    "permutation_decay": Sheet(176, grid(PERMUTATION | DECIDED | LONG, S3_DECAYS, LR16), (0,)),
    "addition_regression_rates_short": Sheet(
        100, grid(ADDITION | SHORT, rates(LR10[1]), LR10), (58,)
    ),
    "addition_regression_decay_short": Sheet(110, grid(ADDITION | SHORT, TENS, LR10), (58,)),
    "addition_classification_decay_short": Sheet(
        110, grid(ADDITION | SHORT | CLASSES, TENS, LR10), (1,)
    ),
    "permutation_decay_short": Sheet(110, grid(PERMUTATION | SHORT, S3_DECAYS, LR10), (0,)),
    "addition_batches": Sheet(99, grid(SCRIPT, ("toy.batch_size", range(5, 46, 5)), LR11), (58,)),
    "addition_scales": Sheet(
        77, grid(SCRIPT, ("toy.embed_scale", [0.01, 0.03, 0.1, 0.3, 1, 3, 10]), LR11), (58,)
    ),
    "addition_embed_decay": Sheet(
        77, grid(SCRIPT, ("optim.embed_weight_decay", [0, 0.1, 0.3, 1, 3, 10, 30]), LR11), (58,)
    ),
    "transformer_phases": Sheet(
        36, grid(P31, SIX_DECAYS, ("lr", [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2])), (456,)
    ),
    "readout_scale_phases": Sheet(
        36, grid(P31, ("model.readout_scale", [0.25, 0.5, 1, 2, 4, 8]), SIX_DECAYS), (456,)
    ),
    "permutation_size": Sheet(
        99, sized(PERMUTATION, [4, 8, 12, 16, 20, 24, 28, 32, 35], 5000), tuple(range(11))
    ),
}
