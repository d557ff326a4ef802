"""What the sweep files beside Merrill et al. 2021 should hold."""

from grok.config import OptimConfig, RunConfig
from grok.data.config import DataConfig
from grok.data.sequence_config import SequenceConfig
from grok.models.config import TransformerConfig
from tests.sweep.sheets import READS, Point, Sheet, placed

SEEDS = (456, 789, 111)

BIASES = dict.fromkeys(("bias_qkv", "bias_out", "bias_unembed"), True)
LANGUAGE = RunConfig(
    problem="language",
    model=TransformerConfig(
        n_layers=2, d_model=64, d_mlp=256, act="relu", causal=True, init="torch", **BIASES
    ),
    optim=OptimConfig(betas=(0.9, 0.999), weight_decay=0.01, loss_dtype="float32"),
    n_steps=2000,
)
"""The language model without norms."""

MAJORITY = RunConfig(
    problem="majority",
    sequence=SequenceConfig(longer=(200, 300, 400, 500)),
    model=TransformerConfig(
        d_model=32, n_heads=2, d_mlp=64, act="relu", causal=True, init="torch", positions="none"
    ),
    optim=OptimConfig(betas=(0.9, 0.999), weight_decay=0.01),
    n_steps=1000,
)
ADDITION = RunConfig(
    data=DataConfig(p=59, train_fraction=0.5, split="python_shuffle_test_floor"), n_steps=6000
)

SUBLAYER: Point = {"model.norm.peri": True}
PLACED: list[Point] = [
    SUBLAYER,
    {f"model.norm.{flag}": True for flag in ("q", "k", "v", "mlp", "final")},
    {"model.norm.post": True},
    {},
]
BARE: Point = {f"model.{name}": False for name in (*BIASES, "bias_mlp")}


def rules(*schedules: Point) -> list[Point]:
    """Each update rule at its rates under each schedule, without decay."""
    return [
        SUBLAYER
        | {"weight_decay": 0.0}
        | schedule
        | ({"optim.kind": kind} if kind != "adamw" else {})
        | ({"lr": 0.01} if lr == 0.01 else {})
        for schedule in schedules
        for kind in ("sgd", "adamw", "adafactor")
        for lr in (0.001, 0.01)
    ]


def grid(rates: list[float], decays: list[float], **other: object) -> list[Point]:
    """Rates and decays; the usual ones are no difference."""
    return [
        SUBLAYER
        | other
        | ({"lr": lr} if lr != 1e-3 else {})
        | ({"weight_decay": decay} if decay != 0.01 else {})
        for lr in rates
        for decay in decays
    ]


def added(lr: float, weight_decay: float) -> Point:
    usual = {"lr": 1e-3, "weight_decay": 1.0}
    return {k: x for k, x in (("lr", lr), ("weight_decay", weight_decay)) if x != usual[k]}


PAPER = [float(f"{10 ** (-1 - 4 * k / 19):.6g}") for k in range(20)]
"""0.1 ** linspace(1, 5, 20), of grid.py, to six digits."""
TO_ZERO = [{"optim.schedule": name, "optim.horizon": 2000} for name in ("linear", "cosine")]

SHEETS: dict[str, Sheet] = {
    "language_placements": Sheet(12, PLACED, SEEDS),
    "language_placements_no_bias": Sheet(12, [each | BARE for each in PLACED], SEEDS),
    "language_decay": Sheet(15, grid([1e-3], [0.0, 0.01, 0.1, 1.0, 3.0]), SEEDS),
    "language_optimizers": Sheet(18, rules({}), SEEDS),
    "language_optimizers_inverse_sqrt": Sheet(
        18, rules({"optim.schedule": "inverse_sqrt", "optim.flat_steps": 100}), SEEDS
    ),
    "language_optimizers_to_zero": Sheet(36, rules(*TO_ZERO), SEEDS),
    "language_rate_decay": Sheet(
        25, grid([1e-4, 3e-4, 1e-3, 3e-3, 1e-2], [0.01, 0.1, 1, 3, 10], n_steps=300), (456,)
    ),
    "language_rate_decay_paper": Sheet(400, grid(PAPER, PAPER, n_steps=206), (456,)),
    "majority_positions": Sheet(6, [{}, {"model.positions": "learned"}], SEEDS),
    "growth_rate_decay": Sheet(
        48,
        [added(lr, decay) for lr in (3e-4, 1e-3, 3e-3, 1e-2) for decay in (0.0, 0.1, 0.3, 1.0)],
        SEEDS,
    ),
    "growth_init_scale": Sheet(
        15, [{"model.init_scale": x} if x != 1 else {} for x in (0.5, 1, 2, 4, 8)], SEEDS
    ),
    "onset_layernorm_p59": Sheet(
        35, placed(list(READS), n_steps=4000, **{"stop.when": "sustained"})
    ),
}
BASES = {
    "majority_positions": MAJORITY,
    "growth_rate_decay": ADDITION,
    "growth_init_scale": ADDITION,
    "onset_layernorm_p59": ADDITION,
}
"""The run that a file is compared with, where it is not a language model."""
