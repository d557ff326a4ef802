"""Which runs can share one tensor program."""

from collections.abc import Sequence

from grok.config import RunConfig, flatten, to_dict
from grok.config.stacking import shared


def check_stackable(configs: Sequence[RunConfig]) -> None:
    """Refuse runs that cannot share one tensor program.

    Raises:
        ValueError: Naming the first field that differs and may not.
    """
    first = flatten(to_dict(shared(configs[0])))
    for config in configs[1:]:
        other = flatten(to_dict(shared(config)))
        for field, value in first.items():
            if other[field] != value:
                raise ValueError(f"runs of one stack may not differ in {field}")
