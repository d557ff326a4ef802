"""What each sweep file of Singh et al. 2026 should hold, written from the paper and its scripts."""

from typing import Any, NamedTuple

Point = dict[str, Any]
"""In which fields a run differs from the paper's run without LayerNorm, seeds aside."""


class Sheet(NamedTuple):
    """What a file should hold."""

    n_runs: int
    """Cells times seeds."""
    points: list[Point]
    """Distinct runs of one seed."""
    seeds: tuple[int, ...] = (456, 789, 111, 222, 333)


# Singh et al. 2026, section 2.2 and table 1: N_q, N_k, N_v, N_m.
READS = {
    "No LN": "",
    "A*": "q k v",
    "M+A*": "q k v mlp",
    "M": "mlp",
    "A^qk": "q k",
    "A^v": "v",
    "M+A^v": "v mlp",
}


def placed(names: list[str], kind: str = "layer", **other: Any) -> list[Point]:
    """Points with a norm in these places, its eps 0 as in the authors' code."""
    norm = {"model.norm.eps": 0.0} | ({} if kind == "layer" else {"model.norm.kind": kind})
    points = []
    for name in names:
        reads = {f"model.norm.{read}": True for read in READS[name].split()}
        points.append(other | reads | (norm if reads else {}))
    return points


def rated(scale: float, lr: float, weight_decay: float, **other: Any) -> Point:
    """A readout scale with the rate and the decay that are used."""
    values = {"model.readout_scale": scale, "lr": lr, "weight_decay": weight_decay}
    base = {"model.readout_scale": 1.0, "lr": 1e-3, "weight_decay": 1.0}
    return other | {key: value for key, value in values.items() if value != base[key]}


ALPHA = [0.5, 0.75, 1.0, 1.25, 1.5]
# eta_0 / alpha^2 with eta_0 = 1e-3, and the lambda with which eta * lambda stays 1e-3.
SQUARE = {0.5: 0.25, 0.75: 0.5625, 1.25: 1.5625, 1.5: 2.25}
P59 = {"data.p": 59, "data.train_fraction": 0.5, "n_steps": 4000}
P59_LONG = P59 | {"n_steps": 6000}


def lazy(**other: Any) -> list[Point]:
    """lazy.sh: eta_0 for every alpha."""
    return [rated(alpha, 1e-3, 1.0, **other) for alpha in ALPHA]


def lazy_wrong(**other: Any) -> list[Point]:
    """lazy_wrong.sh: eta_0 / alpha^2, lambda as it is, so that eta * lambda changes too."""
    return [rated(alpha, 1e-3 / square, 1.0, **other) for alpha, square in SQUARE.items()]


def lazy_wrong_held(**other: Any) -> list[Point]:
    """Not run by the authors: eta_0 / alpha^2 with eta * lambda held."""
    return [rated(alpha, 1e-3 / square, square, **other) for alpha, square in SQUARE.items()]


KAIMING: Point = {"model.init": "kaiming", "optim.eps": 0.0}
SUBTRACTED: Point = KAIMING | {"model.subtract_initial": True}
DEEP: Point = {"model.n_layers": 3, "model.d_model": 64, "model.d_mlp": 256}


def sgd(loss: str, lr: float, n_steps: int) -> list[Point]:
    """The rule of Kumar et al. 2024: f~ = alpha (f - f_0), eta_0 / alpha^2, plain descent."""
    fixed = {"optim.kind": "sgd", "model.subtract_initial": True}
    fixed |= {"optim.loss": loss} if loss != "cross_entropy" else {}
    fixed |= {"n_steps": n_steps} if n_steps != 10_000 else {}
    return [rated(alpha, lr / SQUARE.get(alpha, 1.0), 0.0, **fixed) for alpha in ALPHA]


# The authors' scripts, and the cells they lack.
SHEETS: dict[str, Sheet] = {
    "layernorm": Sheet(35, placed(list(READS))),
    "shortcut": Sheet(25, placed(["No LN", "M", "A^v", "A*", "M+A*"])),
    "learning_rate": Sheet(
        40,
        [
            rated(1.0, 1e-3, 1.0),
            # eta * lambda = 1e-3, then lambda = 1.
            *(rated(1.0, *pair) for pair in ((3e-3, 1 / 3), (5e-3, 0.2), (1e-2, 0.1))),
            *(rated(1.0, lr, 1.0) for lr in (3e-3, 5e-3, 1e-2)),
        ],
    ),
    "weight_decay": Sheet(30, [rated(1.0, 1e-3, x) for x in (0.1, 0.2, 0.5, 0.75, 1.0, 1.5)]),
    "readout_scale": Sheet(100, [*lazy(), *lazy_wrong(), *lazy_wrong_held()]),
    "readout_scale_kaiming": Sheet(50, [*lazy(**KAIMING), *lazy_wrong(**KAIMING)]),
    "readout_scale_subtracted": Sheet(50, [*lazy(**SUBTRACTED), *lazy_wrong(**SUBTRACTED)]),
    "temperature": Sheet(
        25, [{"model.temperature": x} if x != 1 else {} for x in (2, 4 / 3, 1, 4 / 5, 2 / 3)]
    ),
    "rmsnorm": Sheet(20, placed(["No LN", "A*", "M+A*", "M"], kind="rms")),
    "depth": Sheet(20, placed(["No LN", "A*", "M+A*", "M"], **DEEP)),
    "sgd_mse": Sheet(25, sgd("mse", 4.0, 100_000)),
    "sgd_cross_entropy": Sheet(25, sgd("cross_entropy", 0.25, 10_000)),
    "layernorm_p59": Sheet(21, placed(list(READS), **P59), (456, 789, 111)),
    "readout_scale_p59": Sheet(
        60,
        [*lazy(**P59_LONG), *lazy_wrong(**P59_LONG), *lazy_wrong_held(**P59_LONG)],
        (456, 789, 111),
    ),
}
