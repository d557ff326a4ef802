"""What a run on sequences cannot be, or be asked for."""

from typing import TYPE_CHECKING

from grok.config.measures import FAMILIES, ON_ANY_PROBLEM, MeasuresConfig

if TYPE_CHECKING:
    from grok.config.schema import RunConfig


def check_sequences(config: "RunConfig") -> None:
    """Refuse what only pairs have.

    Measure families that are read by default and need pairs are left out of the run; those that
    are off by default have been asked for, and are refused.

    Raises:
        ValueError: In one line that names the key, its value and what is allowed.
    """
    problem = config.problem
    if not config.model.causal:
        raise ValueError(
            f"model.causal=false: problem={problem} predicts tokens from those before them; "
            f"allowed is true"
        )
    if config.model.subtract_initial:
        raise ValueError(f"model.subtract_initial=true is of pairs; problem={problem} has it not")
    if config.data.batch_size:
        raise ValueError(
            f"data.batch_size={config.data.batch_size} is of pairs; problem={problem} has "
            f"sequence.batch_size"
        )
    default = MeasuresConfig()
    for name in (name for name in FAMILIES if name not in ON_ANY_PROBLEM):
        if getattr(config.measures, name).enabled and not getattr(default, name).enabled:
            raise ValueError(
                f"measures.{name}.enabled=true needs pairs (a, b), which problem={problem} has not"
            )
