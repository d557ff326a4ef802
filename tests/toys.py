"""Toy runs for the tests."""

from dataclasses import replace
from typing import Any

from grok.config import RunConfig, Schedule, TrackingConfig
from grok.config.schema import OptimConfig, with_seed
from grok.data.toy_config import ToyConfig
from tests.running import measures

ADDITION = RunConfig(
    problem="toy",
    optim=OptimConfig(
        loss="mse",
        lr=1e-4,
        embed_lr=1e-3,
        weight_decay=0.0,
        embed_weight_decay=0.0,
        betas=(0.9, 0.999),
    ),
    measures=measures(task=Schedule(every=10), norm=None),
    tracking=TrackingConfig(mode="disabled"),
)
"""`toy/train_add.py` of Liu et al. 2022, but for the seed."""


def toy(seed: int = 0, width: int = 24, **overrides: Any) -> RunConfig:
    """The addition model with some fields of toy, optim or the run replaced, and small."""
    parts: dict[str, dict[str, Any]] = {"toy": {"width": width}, "optim": {}}
    rest: dict[str, Any] = {}
    for name, value in overrides.items():
        of = [
            p for p, kind in (("toy", ToyConfig), ("optim", OptimConfig)) if hasattr(kind(), name)
        ]
        (parts[of[0]] if of else rest)[name] = value
    config = replace(
        ADDITION,
        toy=replace(ADDITION.toy, **parts["toy"]),
        optim=replace(ADDITION.optim, **parts["optim"]),
        **rest,
    )
    return with_seed(config, seed)


ENCODER: dict[str, Any] = {
    "decoder": "encoder",
    "operation": "add_mod",
    "pairs": "ordered",
    "p": 7,
    "n_train": 30,
    "combine": "concat",
    "dim": 12,
    "act": "relu",
    "embed_init": "normal",
    "loss": "cross_entropy",
}
"""What makes :func:`toy` the transformer of Liu et al. 2022, and small."""
