"""Tiny networks of Hugging Face with weights of our own drawing, and folders of them."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from grok.formats.hub import transformers_library

STEPS = tuple(range(0, 800, 100))
State = dict[str, Tensor]
Change = Callable[[int, str, Tensor], Tensor]
"""A parameter at a step, from its name and what it was at first."""

T5: dict[str, Any] = {
    "vocab_size": 128,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 64,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "num_heads": 4,
    "relative_attention_num_buckets": 8,
}
_BERT: dict[str, Any] = {
    "vocab_size": 61,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "Bert": _BERT,
    "Roberta": _BERT | {"pad_token_id": 1},
    "XLNet": {"vocab_size": 61, "d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 24},
    "GPT2": {"vocab_size": 61, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 40},
    "GPTNeoX": _BERT | {"rotary_pct": 0.5},
    "T5": T5 | {"vocab_size": 61},
}
"""What makes a model of each family tiny."""


def network(family: str, ending: str = "Model", **fields: Any) -> Any:
    """A network in float64, every parameter drawn, gains and biases too; dropout is in its config.

    Args:
        family: One of :data:`CONFIGS`.
        ending: Of the name of its class.
        fields: Other fields of its config.
    """
    library = transformers_library()
    options = CONFIGS[family] | {"attn_implementation": "eager"} | fields
    config = getattr(library, f"{family}Config")(**options)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(7)
        model = getattr(library, f"{family}{ending}")(config)
        for p in model.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return model.double().eval()


@cache
def t5() -> Any:
    """A T5 of the sizes of :data:`T5` in float64, as its class initialises it."""
    library = transformers_library()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return library.T5Model(library.T5Config(**T5)).double()


def initial() -> State:
    """Parameters of :func:`t5`, tied ones once."""
    return {name: p.detach().clone() for name, p in t5().named_parameters()}


def of_encoder(name: str) -> bool:
    """Whether a parameter of T5 is of the paper's set."""
    return name.startswith(("encoder.block.", "encoder.final_layer_norm."))


def norm_of(state: State, belongs: Callable[[str], bool] = of_encoder) -> float:
    """Norm of some parameters."""
    return sum(float(x.square().sum()) for name, x in state.items() if belongs(name)) ** 0.5


def save_t5(folder: Path, state: State) -> Path:
    """A folder as ``save_pretrained`` writes it."""
    t5().save_pretrained(folder, state_dict=state)
    return folder


def t5_series(folder: Path, change: Change, steps: Sequence[int] = STEPS) -> Path:
    """A folder ``step_000000`` for each step, made in the order given."""
    for step in steps:
        state = {name: change(step, name, x) for name, x in initial().items()}
        save_t5(folder / f"step_{step:06}", state)
    return folder


def growing(step: int, name: str, x: Tensor) -> Tensor:
    """An encoder whose norm is b + √t, b its first norm, in a direction that does not change."""
    b = norm_of(initial())
    return x * (b + step**0.5) / b if of_encoder(name) else x


def folder_of(model: Any, folder: Path) -> Path:
    """The folder of a model, as ``save_pretrained`` writes it."""
    model.save_pretrained(folder)
    return folder


def word_tokenizer(folder: Path, first: int = 5) -> None:
    """A tokenizer of single words; the id of the first is given, the others follow."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    words = ("[UNK]", "the", "cat", "sat", "on", "mat", "and", "dog")
    found = Tokenizer(WordLevel({word: first + i for i, word in enumerate(words)}, "[UNK]"))
    found.pre_tokenizer = Whitespace()  # pyright: ignore[reportAttributeAccessIssue]
    fast = transformers_library().PreTrainedTokenizerFast(tokenizer_object=found)
    fast.save_pretrained(folder)
