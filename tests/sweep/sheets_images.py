"""What the sweep files of images of Liu et al. 2022, and those beside them, should hold."""

import math

from tests.sweep.sheets import Point, Sheet
from tests.sweep.sheets_toy import DECIDED, grid, logarithmic

# Released `train-mnist-mlp.py`, and appendix J.
MNIST: Point = {
    "problem": "images",
    "images.batch_size": 200,
    "images.init_scale": 9.0,
    "optim.loss": "mse",
    "optim.betas": (0.9, 0.999),
    "weight_decay": 0.1,
    "n_steps": 100_000,
}
DIGITS: Point = {
    "problem": "images",
    "images.source": "digits",
    "images.n_train": 200,
    "images.order": "random",
    "images.init_scale": 8.0,
    "optim.loss": "mse",
    "optim.betas": (0.9, 0.999),
    "weight_decay": 0.1,
}
HELD = DIGITS | {"optim.fixed_norm": True, "weight_decay": 0.0}
SIXTY = DECIDED | {"stop.accuracy": 0.6}
FIG8B = (
    ("weight_decay", logarithmic(-5, 2, 20)),
    ("optim.unembed_lr", logarithmic(-6, 1, 20)),
)
FIG20 = (
    ("images.n_train", [128 * 2**k for k in range(9)]),
    ("weight_decay", logarithmic(-4, math.log10(0.3), 9)),
)
ONE_SEED = ("images.init_scale", [1, 4, 8]), ("weight_decay", [0.01, 0.1, 1])


def along(base: Point, name: str, values: list[float]) -> list[Point]:
    """Cells over one field."""
    return grid(base, (name, values), ("problem", ["images"]))  # type: ignore[arg-type]


SHEETS: dict[str, Sheet] = {
    "mnist_phases": Sheet(400, grid(MNIST | SIXTY, *FIG8B), (0,)),
    "mnist_decay": Sheet(
        24, along(MNIST, "weight_decay", [0, 1e-4, 1e-3, 1e-2, 0.1, 1]), (0, 1, 2, 3)
    ),
    "mnist_size": Sheet(243, grid(MNIST | {"images.batch_size": 128}, *FIG20), (0, 1, 2)),
    "digits_scale_decay": Sheet(27, grid(DIGITS, *ONE_SEED), (456, 789, 111)),
    "landscape": Sheet(21, along(HELD, "images.init_scale", logarithmic(-1, 1, 21)), (456,)),
}
