"""A model of Hugging Face by name, what it shall read, and how saturated it is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from grok.formats.hub import model_folder
from grok.formats.hub_models import random_model, read_config, stored_model, tokenizer_of
from grok.inputs import InputError, check_choices
from grok.offline.hub_saturation import StackSaturation, model_saturation
from grok.offline.hub_tokens import Tokens, encoded, random_tokens, read_texts
from grok.runs import plain

RANDOM_TEXTS, RANDOM_LENGTH = 16, 64
"""Size of the random tokens where no text is given, and no numbers are."""


@dataclass(frozen=True, kw_only=True)
class HubOptions:
    """How a model is read."""

    revision: str | None = None
    """Branch, tag or commit; None for the main branch."""
    random_init: bool = False
    """Initial weights of the model's class instead of the stored ones."""
    seed: int = 0
    """Of the initial weights and of random tokens."""
    text: Path | None = None
    """File whose paragraphs are read; None for random tokens."""
    n_texts: int | None = None
    """Paragraphs, or random texts; None for 100, or :data:`RANDOM_TEXTS`."""
    max_tokens: int | None = None
    """Tokens of a text at most; None for 512, or :data:`RANDOM_LENGTH`."""
    batch_size: int = 8
    """Texts that are read at once; the readings do not depend on it."""
    factor: float = 1000.0
    """c."""
    include: str = ""
    """Expression in the names of the parameters that are scaled; empty for all."""
    convergence: bool = False
    """Also compare c with 10 c."""
    dtype: Literal["float64", "float32"] = "float64"
    """In which the model computes."""
    local_files_only: bool = False
    """Take from the hub what its cache has."""

    def __post_init__(self) -> None:
        """Refuse impossible values.

        Raises:
            InputError: In one line that names the value and what is allowed.
        """
        try:
            check_choices(self)
        except ValueError as error:
            raise InputError(str(error)) from error
        for name in ("n_texts", "max_tokens", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name}={value} must be 1 or more")
        if not 0 < self.factor < 1e12:
            raise InputError(f"factor={self.factor:g} must be above 0, and below 1e12")


class HubReading(NamedTuple):
    """What was read on a model."""

    model: str
    kind: str
    """Its class."""
    tokens: str
    """What it read, in words."""
    n_texts: int
    n_positions: int
    """Without padding."""
    options: HubOptions
    stacks: dict[str, StackSaturation]

    def as_dict(self) -> dict[str, Any]:
        """The object that ``grok measure hf:... --json`` prints; what is not finite is null."""
        return plain(
            {
                "model": self.model,
                "revision": self.options.revision,
                "class": self.kind,
                "random_init": self.options.random_init,
                "factor": self.options.factor,
                "dtype": self.options.dtype,
                "tokens": self.tokens,
                "n_texts": self.n_texts,
                "n_positions": self.n_positions,
                "stacks": {name: _stack(stack) for name, stack in self.stacks.items()},
            }
        )


def _stack(stack: StackSaturation) -> dict[str, Any]:
    layers = [{"layer": i, **each._asdict()} for i, each in enumerate(stack.layers)]
    heads = []
    for layer, each in enumerate(stack.heads, 1):
        values = {name: x.tolist() for name, x in each._asdict().items()} | {
            "class": each.classes()
        }
        heads += [
            {"layer": layer, "head": h, **{name: x[h] for name, x in values.items()}}
            for h in range(len(each.n_mean))
        ]
    return {"layers": layers, "heads": heads, "convergence": stack.convergence}


def hub_reading(
    name: str, options: HubOptions, tell: Callable[[int, int], None] = lambda done, n: None
) -> HubReading:
    """Saturation of a model.

    Args:
        name: Folder of a model, or repository ``owner/name`` of the hub.
        options: How it is read.
        tell: Called with the number of batches that are done and that there are.

    Raises:
        InputError: If the extra ``hub`` is not installed, or the model, its tokenizer or the text
            cannot be used.
    """
    dtype = getattr(torch, options.dtype)
    with model_folder(
        name,
        options.revision,
        local_files_only=options.local_files_only,
        with_weights=not options.random_init,
    ) as folder:
        config = read_config(folder)
        batches = _batches(folder, config, options)
        if options.random_init:
            model = random_model(config, dtype=dtype, seed=options.seed)
        else:
            model = stored_model(folder, dtype=dtype)
    stacks = model_saturation(
        model,
        batches,
        factor=options.factor,
        include=options.include,
        convergence=options.convergence,
        tell=lambda done: tell(done, len(batches)),
    )
    n_positions = sum(int(batch.mask.sum()) for batch in batches)
    n_texts = sum(len(batch.ids) for batch in batches)
    tokens = f"paragraphs of {options.text}" if options.text else f"random, seed {options.seed}"
    return HubReading(name, type(model).__name__, tokens, n_texts, n_positions, options, stacks)


def _batches(folder: Path, config: Any, options: HubOptions) -> list[Tokens]:
    if not getattr(config, "vocab_size", 0):
        raise InputError(f"a model of the kind {config.model_type} has no vocabulary to read")
    pad, size = _first_id(config.pad_token_id), options.batch_size
    if options.text is not None:
        most = _most(config, options.max_tokens or 512)
        texts = read_texts(options.text, options.n_texts or 100)
        batches = encoded(tokenizer_of(folder), texts, most=most, size=size, pad=pad or 0)
        largest = max((int(batch.ids.max()) for batch in batches), default=-1)
        if not 0 <= largest < config.vocab_size:
            what = "no token" if largest < 0 else f"token {largest}"
            raise InputError(f"the tokenizer gives {what}, but the model has {config.vocab_size}")
        return batches
    drawn = random_tokens(
        config.vocab_size,
        n_texts=options.n_texts or RANDOM_TEXTS,
        length=_most(config, options.max_tokens or RANDOM_LENGTH),
        seed=options.seed,
        but=() if pad is None else (pad,),
    )
    parts = zip(drawn.ids.split(size), drawn.mask.split(size), strict=True)
    return [Tokens(*part) for part in parts]


def _first_id(ids: Any) -> int | None:
    return ids[0] if isinstance(ids, list) else ids


def _most(config: Any, wanted: int) -> int:
    """Tokens that the model's table of positions has room for.

    RoBERTa counts positions from the one after its padding's.
    """
    room = getattr(config, "max_position_embeddings", None) or 0
    if room < 1 or config.model_type in ("t5", "umt5", "mt5"):  # XLNet's is -1
        return wanted
    offset = 1 + (config.pad_token_id or 0) if "roberta" in config.model_type else 0
    return min(wanted, room - offset)
