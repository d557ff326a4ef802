"""Models and tokenizers of Hugging Face from a folder: nothing in it is run or unpickled."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from grok.formats.hub import speaking_of, transformers_library
from grok.formats.tensors import open_tensors
from grok.inputs import InputError


def read_config(folder: Path) -> Any:
    """The configuration of a model, of a class of ``transformers``.

    Raises:
        InputError: If there is none or its kind is unknown.
    """
    with speaking_of(str(folder)):
        return transformers_library().AutoConfig.from_pretrained(folder, trust_remote_code=False)


def random_model(config: Any, *, dtype: torch.dtype, seed: int) -> torch.nn.Module:
    """A model of a configuration with the initial weights of its class, in eval mode.

    Args:
        config: Of :func:`read_config`, or of ``transformers`` itself.
        dtype: Of parameters and buffers.
        seed: Of torch's generator, which is as before afterwards.

    Raises:
        InputError: If the library is missing or the configuration impossible.
    """
    auto = transformers_library().AutoModel
    with speaking_of(config.model_type), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = auto.from_config(
            config, dtype=torch.float32, attn_implementation="eager", trust_remote_code=False
        )
    return model.to(dtype).eval()  # some classes make their parameters in float32 regardless


def stored_model(folder: Path, *, dtype: torch.dtype) -> torch.nn.Module:
    """The model of a folder, in eval mode.

    The weights are read by :func:`~grok.formats.tensors.open_tensors`, whatever their format.

    Args:
        folder: With configuration and weights.
        dtype: Of parameters and buffers.

    Raises:
        InputError: If weights are damaged or of another shape, or weights of the model beside its
            pooler are missing.
    """
    auto, config = transformers_library().AutoModel, read_config(folder)
    try:
        state: Mapping[str, Any] = dict(open_tensors(folder))
    except InputError as error:
        raise InputError(f"{folder} {error}") from error
    with speaking_of(str(folder)), torch.random.fork_rng(devices=[]):
        with torch.device("meta"):
            kind = type(auto.from_config(config, trust_remote_code=False))
        model, report = kind.from_pretrained(
            None,
            config=config,
            state_dict=state,
            dtype=dtype,
            attn_implementation="eager",
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    for name, stored, needed in report["mismatched_keys"]:
        shapes = f"{tuple(stored)}, not {tuple(needed)}"
        raise InputError(f"{folder}: {name} of {kind.__name__} has shape {shapes}")
    missing = sorted(name for name in report["missing_keys"] if "pooler" not in name)
    if missing:
        raise InputError(f"{folder} lacks weights of {kind.__name__}: {', '.join(missing[:3])}")
    return model.to(dtype).eval()


_TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "vocab.txt")


def tokenizer_of(folder: Path) -> Any:
    """The tokenizer in a folder.

    Raises:
        InputError: If there is none, or it needs a library that is missing.
    """
    if not any((folder / n).is_file() for n in _TOKENIZERS) and not any(folder.glob("*.model")):
        raise InputError(f"{folder} has no tokenizer")  # the library makes an empty one
    with speaking_of(f"tokenizer of {folder}"):
        auto = transformers_library().AutoTokenizer
        return auto.from_pretrained(folder, trust_remote_code=False)
