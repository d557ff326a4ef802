"""What a run on sequences, or on other tokens that follow each other, cannot be or be asked for."""

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
    check_tokens(config)
    if config.data.batch_size:
        raise ValueError(
            f"data.batch_size={config.data.batch_size} is of pairs; problem={config.problem} has "
            f"sequence.batch_size"
        )


def check_tokens(config: "RunConfig") -> None:
    """The same of every problem whose tokens are predicted from those before them.

    Raises:
        ValueError: As :func:`check_sequences`.
    """
    problem = config.problem
    if not config.model.causal:
        raise ValueError(
            f"model.causal=false: problem={problem} predicts tokens from those before them; "
            f"allowed is true"
        )
    if config.model.subtract_initial:
        raise ValueError(f"model.subtract_initial=true is of pairs; problem={problem} has it not")
    default = MeasuresConfig()
    for name in (name for name in FAMILIES if name not in ON_ANY_PROBLEM):
        if getattr(config.measures, name).enabled and not getattr(default, name).enabled:
            raise ValueError(
                f"measures.{name}.enabled=true needs pairs (a, b), which problem={problem} has not"
            )
