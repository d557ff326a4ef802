"""Which runs can share one tensor program."""

from collections.abc import Sequence
from dataclasses import replace

from grok.config import RunConfig, flatten, to_dict
from grok.models.config import PER_RUN


def check_stackable(configs: Sequence[RunConfig]) -> None:
    """Refuse runs that cannot share one tensor program.

    Raises:
        ValueError: Naming the first field that differs and may not.
    """
    first = flatten(to_dict(_common(configs[0])))
    for config in configs[1:]:
        other = flatten(to_dict(_common(config)))
        for field, value in first.items():
            if other[field] != value:
                raise ValueError(f"runs of one stack may not differ in {field}")


def _common(config: RunConfig) -> RunConfig:
    """The config with everything that may differ inside a stack at a fixed value."""
    default = RunConfig()
    model = {name: getattr(default.model, name) for name in PER_RUN}
    optim = {
        name: getattr(default.optim, name)
        for name in ("lr", "lr_rule", "betas", "weight_decay", "hold", "reference_lr")
    }
    data = {"table_seed": 0, "split_seed": 0, "order_seed": 0}
    return replace(
        config,
        model=replace(config.model, **model),
        optim=replace(config.optim, **optim),
        data=replace(config.data, **data),
        tracking=default.tracking,
    )
