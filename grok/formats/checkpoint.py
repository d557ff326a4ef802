"""Reading and writing a checkpoint in any of the layouts we know.

A layout is recognised by its names and shapes, never by the file's name or suffix. What a file does
not say of its model has to be given: see :func:`read_checkpoint`.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import safetensors.torch
import torch
from torch import Tensor

from grok.formats import hooked, ours, plain
from grok.formats.contents import CONFIG, Contents, read_contents
from grok.formats.model import (
    Act,
    Model,
    Options,
    checked_model,
    config_of,
    options_of,
    text_of,
)
from grok.formats.weights import Weights, shown
from grok.inputs import InputError
from grok.models.config import TransformerConfig
from grok.runs import write_atomic

Format = Literal["grok", "transformer_lens", "progress_measures", "torch"]
FORMATS: tuple[Format, ...] = ("grok", "transformer_lens", "progress_measures", "torch")
"""Layouts that are read and written."""

_WRAPPERS = ("module.", "_orig_mod.", "model.", "transformer.", "net.")


class Published(NamedTuple):
    """A model from a file, in our names and shapes."""

    format: str
    """Layout of the file, one of :data:`FORMATS`."""
    config: TransformerConfig
    """Sizes, activation, mask and biases; nothing of how it was initialised or trained."""
    n: int
    """Group elements; token n is ``=``."""
    parameters: dict[str, Tensor]
    """Exactly those of ``Transformer(config, n).shapes()``, float32 or float64, no run axis."""
    step: int | None = None
    """Number that the file gives the state. Ours counts updates done; the released codes count
    epochs from 0 and store epoch e after its update, when e + 1 are done."""
    extras: dict[str, Any] = {}  # noqa: RUF012 - never changed
    """Plain values that stand beside the state, such as ``train_losses``."""


Parts = tuple[TransformerConfig, int, Mapping[str, Tensor]]
"""Config, number of group elements and parameters of a model."""


def read_checkpoint(
    path: str | Path,
    *,
    config: TransformerConfig | None = None,
    act: Act | None = None,
    causal: bool | None = None,
    n_heads: int | None = None,
    step: int | None = None,
) -> Published:
    """Read a checkpoint of any layout.

    =====================  ===================================================================
    layout                 what it is
    =====================  ===================================================================
    ``grok``               parameters under our names; moments beside them are passed over
    ``progress_measures``  Nanda et al. 2023: ``embed.W_E`` (d_model x vocab), heads x d_head x
                           d_model, ``attn.W_O`` a matrix
    ``transformer_lens``   ``embed.W_E`` (vocab x d_model), heads x d_model x d_head, ``attn.W_O``
                           with an axis of heads
    ``torch``              ``in_proj_weight`` of nn.MultiheadAttention, two linear layers a block
    =====================  ===================================================================

    The model reads three tokens ``a b =``, ``=`` being the last of its vocabulary, and has no
    norms, except in our own layout. Its container is safetensors or the zip file of ``torch.save``,
    holding a state dict alone, under ``model``, or one per epoch in ``state_dicts`` (with
    ``epochs``) or ``checkpoints`` (with ``checkpoint_epochs``). It is tied where the unembedding
    equals the embedding in every number. For biases see :func:`grok.formats.hooked.read`.

    Args:
        path: The file.
        config: Config of the run for our own layout; others ignore it. By default it is the one in
            the file's metadata, which only converted files have, or what names and shapes tell.
        act: Activation. By default what the file says, else relu, in our own layout gelu.
        causal: Whether later positions are masked. By default what the file says, else True in
            the two published layouts and False in the others.
        n_heads: Number of heads where no shape tells: ``torch``, and ``grok`` without a config.
        step: Which state of a file with several. By default its ``model``, else the last.

    Raises:
        InputError: If the file cannot be used: one line with its name, what is wrong and what is
            allowed. No code of the file was run.
    """
    given = Options(act, causal, n_heads)
    try:
        contents = read_contents(Path(path), step)
        layout, model = _model(contents, config, given)
    except InputError as error:
        raise InputError(f"{_shown_path(path)}: {error}") from error
    return Published(layout, *model, contents.step, contents.extras)


def _shown_path(path: str | Path) -> str:
    text = str(path)
    return text if text.isprintable() else ascii(text)


def _model(
    contents: Contents, config: TransformerConfig | None, given: Options
) -> tuple[Format, Model]:
    weights = Weights(_unwrapped(contents.tensors), contents.n_bytes)
    said = None if contents.config is None else config_of(contents.config)
    if "W_E" in weights:
        return "grok", ours.read(weights, config or said, given)
    in_file = options_of(contents.settings)
    if said is not None:
        in_file = Options(said.act, said.causal, said.n_heads)
    options = given.over(in_file)
    if "embed.W_E" in weights:
        layout = hooked.layout_of(weights)
        return layout, hooked.read(weights, layout, options)
    if any(name.endswith(plain.MARK) for name in weights):
        return "torch", plain.read(weights, options)
    listed = ", ".join(map(shown, list(weights)[:4])) or "no tensors"
    marks = f"W_E, embed.W_E or *{plain.MARK}"
    raise InputError(f"has {listed}: no layout we know; allowed are those with {marks}")


def _unwrapped(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without the prefixes that wrappers of modules put before all names."""
    names = list(tensors)
    for wrapper in _WRAPPERS * 2:
        if names and all(name.startswith(wrapper) for name in names):
            tensors = {name.removeprefix(wrapper): x for name, x in tensors.items()}
            names = list(tensors)
    return dict(tensors)


def write_checkpoint(path: str | Path, checkpoint: Published | Parts, to: Format) -> None:
    """Write a model in a layout, whole or not at all.

    ``grok`` is safetensors with the config in its metadata. The others are safetensors, with the
    same metadata, where the path ends in ``.safetensors``; else a ``torch.save`` of the plain dict,
    ready for ``load_state_dict``, which does not say activation, mask or (``torch``) heads: these
    have to be given again to read it.

    Args:
        path: The file; one that is there is replaced.
        checkpoint: What :func:`read_checkpoint` returned, or config, n and parameters.
        to: The layout.

    Raises:
        InputError: If the layout cannot hold the model (a norm, a gate, a readout scale, a bias
            that has no place), if the parameters are not those of the config or not finite, or if
            the file cannot be written.
    """
    if to not in FORMATS:
        raise InputError(f"unknown layout {shown(to)}; allowed are {', '.join(FORMATS)}")
    step = checkpoint.step if isinstance(checkpoint, Published) else None
    if isinstance(checkpoint, Published):
        model = _checked(checkpoint.config, checkpoint.n, checkpoint.parameters)
    else:
        model = _checked(*checkpoint)
    state = model.parameters if to == "grok" else _foreign(model, to)
    state = {name: x.clone(memory_format=torch.contiguous_format) for name, x in state.items()}
    if to == "grok" or Path(path).suffix == ".safetensors":
        metadata = {"format": to, CONFIG: text_of(model.config)}
        metadata |= {} if step is None else {"step": str(step)}
        data = safetensors.torch.save(state, metadata)
    else:
        buffer = io.BytesIO()
        torch.save(state, buffer)
        data = buffer.getvalue()
    try:
        write_atomic(Path(path), data)
    except OSError as error:
        raise InputError(f"{_shown_path(path)}: cannot be written: {error.strerror}") from error


def _checked(config: TransformerConfig, n: int, parameters: Mapping[str, Tensor]) -> Model:
    """The model as it will be read back."""
    parameters = {name: x.detach().cpu() for name, x in parameters.items()}
    model = checked_model(config, n, parameters, missing="the model has no {}")
    unknown = parameters.keys() - model.parameters.keys()
    if unknown:
        raise InputError(f"{shown(min(unknown))} is no parameter of the config")
    for name, value in model.parameters.items():
        if not bool(value.isfinite().all()):
            raise InputError(f"{name} has numbers that are not finite; none are allowed")
    return model


def _foreign(model: Model, to: hooked.Hooked | Literal["torch"]) -> dict[str, Tensor]:
    """The state dict of another project's layout."""
    c = model.config
    lost = {
        f"norm={c.norm.name}": any(c.norm.flags),
        "act=glu": c.act == "glu",
        "attn_only=True": c.attn_only,
        f"readout_scale={c.readout_scale}": c.readout_scale != 1,
        "subtract_initial=True": c.subtract_initial,
    }
    for setting, is_lost in lost.items():
        if is_lost:
            raise InputError(f"model.{setting} has no place in {to}; allowed is grok")
    return plain.write(model) if to == "torch" else hooked.write(model, to)
