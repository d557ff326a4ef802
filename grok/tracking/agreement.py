"""Whether the config that W&B shows is the one that runs."""

from collections.abc import Mapping
from typing import Any

from grok.config import flatten


class ConfigMismatch(ValueError):
    """W&B recorded another value of a field than the run uses."""


def check_config(ours: Mapping[str, Any], recorded: Mapping[str, Any]) -> None:
    """Check that every field of ours was recorded with our value; others may be there too.

    Nested parameters of a sweep are recorded beside our dotted names, and are compared too.

    Args:
        ours: The fields by dotted name.
        recorded: What W&B has.

    Raises:
        ConfigMismatch: Names the first field that differs, and both values.
    """
    nested = flatten({name: part for name, part in recorded.items() if isinstance(part, Mapping)})
    for key, value in ours.items():
        if key not in recorded:
            raise ConfigMismatch(f"W&B did not record {key}, which is {value!r} here")
        for found in (recorded[key], nested.get(key, value)):
            if found != value:
                raise ConfigMismatch(f"W&B recorded {key}={found!r}, but it is {value!r} here")
    if isinstance(seed := recorded.get("seed"), str):
        raise ConfigMismatch(f"W&B recorded seed={seed!r}, a text; write {seed} without quotes")
