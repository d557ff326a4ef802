"""What a run on toy networks cannot be, or be asked for."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from grok.config.measures import FAMILIES, ON_TOY, MeasuresConfig

if TYPE_CHECKING:
    from grok.config.schema import RunConfig


def check_toy(config: "RunConfig") -> None:
    """Refuse what only transformers have, so that no field is set without effect.

    Measure families that are read by default and need a transformer are left out of the run; those
    that are off by default have been asked for, and are refused.

    Raises:
        ValueError: In one line that names the key, its value and what is allowed.
    """
    _check_default("model", config.model, ("init_seed",))
    _check_default("data", config.data, ("split_seed", "order_seed"))
    default = MeasuresConfig()
    for name in (name for name in FAMILIES if name not in ON_TOY):
        if getattr(config.measures, name).enabled and not getattr(default, name).enabled:
            raise ValueError(f"measures.{name}.enabled=true: allowed with problem=toy are {_LIST}")


def _check_default(section: str, values: Any, used: tuple[str, ...]) -> None:
    default = type(values)()
    for name in (f.name for f in fields(values) if f.name not in used):
        value = getattr(values, name)
        if value != getattr(default, name):
            raise ValueError(
                f"{section}.{name}={value} has no effect with problem=toy; allowed are "
                f"{' and '.join(f'{section}.{each}' for each in used)}, and the fields of toy"
            )


_LIST = ", ".join(ON_TOY)
