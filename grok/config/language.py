"""What a language model cannot be, or be asked for; and what its text is."""

from dataclasses import replace
from typing import TYPE_CHECKING

from grok.config.own_network import check_default
from grok.config.sequences import check_tokens
from grok.data.text_files import settled

if TYPE_CHECKING:
    from grok.config.schema import RunConfig

SEEDS = ("split_seed", "order_seed")
"""Fields of data that may be set, the former without effect: ``seed`` sets both."""


def check_language(config: "RunConfig") -> None:
    """Refuse what only pairs have, and a loss that cannot be compared with that of frequencies.

    Raises:
        ValueError: In one line that names the key, its value and what is allowed.
    """
    check_tokens(config)
    check_default("data", config.data, SEEDS, config.problem, "text")
    if config.optim.loss != "cross_entropy":
        raise ValueError(f"optim.loss={config.optim.loss}: problem=language needs cross_entropy")


def with_settled_text(config: "RunConfig") -> "RunConfig":
    """The run with its text as the folder has it, where the run is of a text."""
    if config.problem != "language":
        return config
    return replace(config, text=settled(config.text))
