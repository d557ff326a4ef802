"""What each sweep file of Nanda et al. 2023 should hold, written from the paper and its code."""

from tests.sweep.sheets import Point, Sheet

SEEDS = (0, 1, 2)


def each(name: str, values: list[float], default: float, **other: object) -> list[Point]:
    """Points with one field at these values; the default is no difference."""
    return [dict(other) | ({name: value} if value != default else {}) for value in values]


def fractions(values: list[float], **other: object) -> list[Point]:
    return each("data.train_fraction", values, 0.3, **other)


def decays(values: list[float], **other: object) -> list[Point]:
    return each("weight_decay", values, 1.0, **other)


SMALL: Point = {"data.p": 53, "data.train_fraction": 0.5, "n_steps": 5000}
MICRO: Point = {
    "data.p": 23,
    "data.train_fraction": 0.7,
    "model.d_model": 64,
    "model.d_mlp": 256,
    "lr": 3e-3,
    "weight_decay": 3.0,
    "n_steps": 1500,
}
STOPPED: Point = {"stop.when": "sustained", "stop.readings": 20}
WIDTHS: list[float] = [8, 16, 32, 64, 128, 256, 512, 1024]

SHEETS: dict[str, Sheet] = {
    "seeds": Sheet(5, [{}], (0, 1, 2, 3, 4)),
    "seeds_micro": Sheet(10, [MICRO], tuple(range(10))),
    "fraction": Sheet(
        36,
        fractions([0.1, 0.2, 0.25, 0.28, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95], **STOPPED),
        SEEDS,
    ),
    "fraction_medium": Sheet(9, fractions([0.3, 0.4, 0.5], n_steps=5000), SEEDS),
    "fraction_large": Sheet(6, fractions([0.8, 0.9], n_steps=500), SEEDS),
    "decay": Sheet(15, decays([0, 0.1, 0.3, 1, 3]), SEEDS),
    "decay_small": Sheet(9, decays([0.3, 1, 3], **SMALL), SEEDS),
    "width": Sheet(24, each("model.d_model", WIDTHS, 128, weight_decay=0, n_steps=3000), SEEDS),
    "dropout": Sheet(9, each("model.dropout", [0, 0.2, 0.5], 0, weight_decay=0), SEEDS),
    "l1": Sheet(9, each("optim.l1", [1e-6, 1e-5, 1e-4], 0, weight_decay=0), SEEDS),
    "modulus_53": Sheet(9, decays([1, 3, 5], **{"data.p": 53, "n_steps": 20_000}), SEEDS),
    "modulus_109": Sheet(3, [{"data.p": 109}], SEEDS),
    "modulus_401": Sheet(
        12,
        decays([0.3, 1, 3, 8], **{"data.p": 401, "data.train_fraction": 0.2, "n_steps": 2000}),
        SEEDS,
    ),
    "two_layers": Sheet(
        18,
        [
            ({"model.n_layers": layers} if layers > 1 else {})
            | ({"model.d_model": width} if width != 128 else {})
            for layers in (1, 2)
            for width in (64, 128, 256)
        ],
        SEEDS,
    ),
    "precision": Sheet(6, [{}, {"optim.loss_dtype": "float32"}], SEEDS),
}
