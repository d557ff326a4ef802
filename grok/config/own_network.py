"""What a run cannot be, or be asked for, whose network is not a transformer."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from grok.config.measures import FAMILIES, ON_OWN_NETWORK, MeasuresConfig

if TYPE_CHECKING:
    from grok.config.schema import RunConfig


def check_own_network(config: "RunConfig") -> None:
    """Refuse what only transformers have, so that no field is set without effect.

    The problem's network and data are in the section of its name: toy or images. Measure families
    that are read by default and need a transformer are left out of the run; those that are off by
    default have been asked for, and are refused.

    Raises:
        ValueError: In one line that names the key, its value and what is allowed.
    """
    problem, readable = config.problem, ON_OWN_NETWORK[config.problem]
    check_default("model", config.model, ("init_seed",), problem, problem)
    check_default("data", config.data, ("split_seed", "order_seed"), problem, problem)
    if problem == "images":
        _check_embedding(config)
    default = MeasuresConfig()
    for name in (name for name in FAMILIES if name not in readable):
        if getattr(config.measures, name).enabled and not getattr(default, name).enabled:
            raise ValueError(
                f"measures.{name}.enabled=true: allowed with problem={problem} are "
                f"{', '.join(readable)}"
            )


def check_default(section: str, values: Any, used: tuple[str, ...], problem: str, own: str) -> None:
    """Refuse fields of a section that differ from the default and are of no use to a problem.

    Args:
        section: Name of the section.
        values: The section.
        used: Its fields that may differ.
        problem: Name of the problem.
        own: Name of its own section.

    Raises:
        ValueError: As :func:`check_own_network`.
    """
    default = type(values)()
    for name in (f.name for f in fields(values) if f.name not in used):
        value = getattr(values, name)
        if value != getattr(default, name):
            raise ValueError(
                f"{section}.{name}={value} has no effect with problem={problem}; allowed are "
                f"{' and '.join(f'{section}.{each}' for each in used)}, and the fields of {own}"
            )


def _check_embedding(config: "RunConfig") -> None:
    default = type(config.optim)()
    for name in ("embed_lr", "embed_weight_decay"):
        value, allowed = getattr(config.optim, name), getattr(default, name)
        if value != allowed:
            raise ValueError(
                f"optim.{name}={value} has no effect with problem=images, whose network has no "
                f"embedding; allowed is {allowed:g}"
            )
